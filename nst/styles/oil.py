"""A brush: oil strokes that follow a field of directions, coarse to fine, with bristles and relief.

Painterly rendering in layers after Hertzmann, "Painterly Rendering with Curved Brush Strokes of Multiple
Sizes" (SIGGRAPH 1998). The strokes take their colors from a small study of the scene; every bristle also
writes its height into the alpha channel, from which the light on the paint is computed at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .canvas import Array, Canvas, blur, from_oklab, relief, sample, to_oklab


@dataclass(frozen=True)
class Layer:
    """One pass of a brush. Lengths in units of the long side; ``where`` (study raster) is a chance in [0, 1].

    A stroke ends where the study differs by more than ``loyalty`` (summed over R, G, B) from the stroke's
    color.
    """

    spacing: float
    length: float
    width: float
    bristles: int = 7
    where: Array | None = None
    lightness: float = 0.03
    tint: float = 0.015
    wobble: float = 0.12
    loyalty: float = 9.0


def _seeds(canvas: Canvas, layer: Layer, rng: np.random.Generator) -> tuple[Array, Array]:
    """Starting points: a jittered grid in random order, thinned by the layer's chance."""
    width, height = canvas.extent
    gx, gy = np.meshgrid(
        np.arange(0, width + layer.spacing, layer.spacing),
        np.arange(0, height + layer.spacing, layer.spacing),
    )
    x = (gx + rng.uniform(-0.5, 0.5, gx.shape) * layer.spacing).ravel()
    y = (gy + rng.uniform(-0.5, 0.5, gy.shape) * layer.spacing).ravel()
    order = rng.permutation(x.size)
    x, y = x[order], y[order]
    if layer.where is not None:
        keep = rng.random(x.size) < sample(layer.where, x, y)
        x, y = x[keep], y[keep]
    return x.astype(np.float32), y.astype(np.float32)


def trace(
    study: Array, angle: Array, x: Array, y: Array, length: Array, points: int, loyalty: float
) -> tuple[Array, Array]:
    """Paths (n, points, 2) and directions (n, points) of strokes about x, y; ``angle`` in radians."""
    base = sample(study, x, y)
    step = length / (points - 1)
    half = points // 2
    path = np.zeros((x.size, points, 2), dtype=np.float32)
    turn = np.zeros((x.size, points), dtype=np.float32)
    for direction in (1, -1):
        px, py, pace = x.copy(), y.copy(), step.copy()
        steps = range(half, points) if direction == 1 else range(half, -1, -1)
        for index in steps:
            bend = sample(angle, px, py)
            path[:, index, 0], path[:, index, 1], turn[:, index] = px, py, bend
            nx, ny = px + direction * pace * np.cos(bend), py + direction * pace * np.sin(bend)
            pace = np.where(np.abs(sample(study, nx, ny) - base).sum(axis=-1) > loyalty, 0, pace)
            px, py = np.where(pace > 0, nx, px), np.where(pace > 0, ny, py)
    return path, turn


def _bristles(layer: Layer, path: Array, turn: Array, width: Array, rng: np.random.Generator) -> Array:
    """Polylines (n, bristles, points, 2): the path shifted across its width, narrow at both ends."""
    points = path.shape[1]
    along = np.linspace(0, 1, points, dtype=np.float32)
    press = np.minimum(1, 0.45 + 2.2 * np.minimum(along, 1.15 * (1 - along) + 0.02))
    across = np.linspace(-0.5, 0.5, layer.bristles, dtype=np.float32)
    shift = (across[None, :, None] * width[:, None, None]) * press[None, None, :]
    shift = (
        shift
        + rng.normal(0, layer.wobble / layer.bristles, (*shift.shape[:2], 1)).astype(np.float32) * width[:, None, None]
    )
    normal = np.stack([-np.sin(turn), np.cos(turn)], axis=-1)
    return path[:, None] + shift[..., None] * normal[:, None]


def _stroke_colors(layer: Layer, base: Array, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Body (n, 4) and bristles (n, bristles, 4) in 0–255, RGB and height, around the study's colors
    ``base``."""
    spread = np.array([layer.lightness, layer.tint, layer.tint], dtype=np.float32)
    lab = to_oklab(base) + rng.normal(0, 1, base.shape).astype(np.float32) * spread
    streak = rng.normal(0, 1, (len(base), layer.bristles, 3)).astype(np.float32) * spread * (1.1, 0.7, 0.7)
    heights = rng.integers(70, 215, (len(base), layer.bristles, 1))
    heights[:, [0, -1]] += 40  # paint is pushed to the edges of a stroke
    body = np.concatenate([from_oklab(lab) * 255, np.full((len(base), 1), 110)], axis=-1)
    hairs = np.concatenate([from_oklab(lab[:, None] + streak) * 255, heights], axis=-1)
    return body.astype(int), hairs.astype(int)


def paint(
    canvas: Canvas,
    study: Array,
    angle: Array,
    layers: Sequence[Layer],
    *,
    depth: float = 2.0,
    shine: float = 0.30,
) -> Array:
    """Paint ``study`` (h, w, 3; any raster) along ``angle`` (h, w; radians) on the canvas: RGB (H, W, 3).

    ``depth`` is the thickness of the paint and ``shine`` how strongly its ridges catch the light.
    """
    ground = np.asarray(np.clip(study, 0, 1) * 255, dtype=np.uint8)
    image = Image.fromarray(ground).resize((canvas.width, canvas.height), Image.Resampling.BILINEAR)
    image.putalpha(70)
    draw = ImageDraw.Draw(image)
    unit = canvas.unit
    for number, layer in enumerate(layers):
        rng = canvas.rng(50 + number)
        x, y = _seeds(canvas, layer, rng)
        length = (layer.length * rng.uniform(0.6, 1.3, x.size)).astype(np.float32)
        width = (layer.width * rng.uniform(0.7, 1.25, x.size)).astype(np.float32)
        points = int(np.clip(layer.length / 0.008, 5, 14))
        path, turn = trace(study, angle, x, y, length, points, layer.loyalty)
        lines = _bristles(layer, path, turn, width, rng)
        body, streak = _stroke_colors(layer, sample(study, x, y), rng)
        thick = np.maximum(1, np.round(1.25 * width * unit / layer.bristles)).astype(int)
        # A ragged start and end: every bristle leaves the canvas a little earlier or later.
        first = 2 * rng.integers(0, 2, (x.size, layer.bristles))
        last = 2 * (points - rng.integers(0, 2 + points // 8, (x.size, layer.bristles)))
        pixels = lines.reshape(x.size, layer.bristles, 2 * points) * unit
        edge = np.concatenate([lines[:, 0], lines[:, -1, ::-1]], axis=1).reshape(x.size, -1) * unit
        # Plain lists: Pillow reads them several times faster than arrays.
        strokes = zip(
            edge.tolist(),
            body.tolist(),
            pixels.tolist(),
            streak.tolist(),
            first.tolist(),
            last.tolist(),
            thick.tolist(),
            strict=True,
        )
        for outline, fill, hairs, fills, starts, ends, wide in strokes:
            draw.polygon(outline, fill=tuple(fill))
            for hair, tone, start, end in zip(hairs, fills, starts, ends, strict=True):
                draw.line(hair[start:end], fill=tuple(tone), width=wide)
    data = np.asarray(image, dtype=np.float32) / 255
    return varnish(canvas, data[..., :3], data[..., 3], depth, shine)


def varnish(canvas: Canvas, rgb: Array, height: Array, depth: float, shine: float) -> Array:
    """Light on the paint: RGB (H, W, 3) shaded by the relief of ``height`` (H, W)."""
    soft = blur(height, canvas.unit / 1500)
    light = relief(soft, canvas.unit, depth)
    return np.asarray(
        rgb * (1 + shine * light[..., None] * 1.4) + 0.10 * np.maximum(light, 0)[..., None] ** 2,
        dtype=np.float32,
    )
