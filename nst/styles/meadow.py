"""Poppy Noon: wheat, poppies and olive trees under rolling clouds, in oil."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .canvas import Array, Canvas, Kinds, Parts, color, finish, flat, mix, ramp, raster, sample, smoothstep
from .oil import Layer, paint

ASPECT = 1.25
MEANINGS = {
    "Sky": "#6fb6e0",
    "Clouds": "#fbf3e0",
    "Hills": "#7a6fb8",
    "Wheat": "#f0c33c",
    "Meadow": "#63a63f",
    "Path": "#d98f9c",
    "Trees": "#1f5a44",
}
"""What is in the picture, and the color that each thing has in its map."""

_SKY, _CLOUDS, _HILLS, _WHEAT, _MEADOW, _PATH, _TREES = range(len(MEANINGS))
_HORIZON = 0.335


def _sky(study: Canvas, x: Array, y: Array) -> Parts:
    """Clouds that roll like waves, and the direction they roll in."""
    billow = study.noise((5, 9), 1, octaves=3)
    down, right = np.gradient(study.noise((4, 7), 1, octaves=2))
    lift = 0.92 * smoothstep(-0.75, 0.55, billow + 0.7 * np.sin(11 * x + 16 * y + 0.6))
    blue = ramp(y / _HORIZON, [(0.0, "#2f74b8"), (0.4, "#4f9bcb"), (0.75, "#8cc5cf"), (1.0, "#e4dfb9")])
    shade = 0.46 + 0.28 * billow - 0.5 * (down * 40)
    cloud = ramp(shade, [(0.0, "#8a9cc4"), (0.3, "#b9bcd8"), (0.55, "#efd9d2"), (0.75, "#fbf3e0"), (1.0, "#fffdf2")])
    angle = np.arctan2(right * 1.3, -down) + 0.35 * np.sin(8 * x)
    kind = np.where(lift > 0.5, _CLOUDS, _SKY)
    return mix(blue, cloud, lift), np.asarray(angle, dtype=np.float32), kind


def _hills(study: Canvas, x: Array, y: Array, rgb: Array, angle: Array, kind: Kinds) -> Parts:
    rough = study.noise(22, 3, octaves=2)
    for base, rise, phase, stops in (
        (0.275, 0.040, 1.0, ((0.0, "#8f9fd0"), (0.5, "#6f82bf"), (1.0, "#7f9dbb"))),
        (0.315, 0.028, 3.7, ((0.0, "#4f6fb0"), (0.5, "#4d7f9b"), (1.0, "#7fa47f"))),
        (0.338, 0.014, 5.2, ((0.0, "#2f6a63"), (0.5, "#5d8f4e"), (1.0, "#a5b04f"))),
    ):
        top = base - rise * (np.sin(3.4 * x + phase) + 0.4 * np.sin(8.1 * x + 2 * phase))
        depth = (y - top) / 0.06
        rgb = mix(rgb, ramp(depth + 0.2 * rough, stops), smoothstep(-0.02, 0.02, depth))
        slope = np.arctan(np.gradient(top, axis=1) * study.unit) + 0.5 * np.sin(11 * x + 3 * phase)
        angle = np.where(depth > 0, slope, angle).astype(np.float32)
        kind = np.where(depth > 0, _HILLS, kind)
    return rgb, angle, kind


def _field(study: Canvas, x: Array, y: Array, rgb: Array, angle: Array, kind: Kinds) -> Parts:
    """Wheat in the wind: bands of light that narrow towards the horizon, and a path through them."""
    edge = _HORIZON + 0.012 * np.sin(5 * x)
    near = np.clip((y - edge) / (0.8 - edge), 0, 1)
    depth = np.sqrt(near)
    wind = np.sin(30 * depth**1.1 + 5 * x + 1.4 * study.noise(4, 5))
    rough = study.noise((40, 24), 6, octaves=2)
    tone = 0.52 + 0.22 * wind + 0.15 * rough - 0.12 * near
    wheat = ramp(
        tone,
        [
            (0.0, "#6d6a1f"),
            (0.2, "#a67b1e"),
            (0.4, "#d39a26"),
            (0.6, "#edb935"),
            (0.8, "#f8dc6b"),
            (1.0, "#fff3b8"),
        ],
    )
    green = ramp(tone, [(0.0, "#16442f"), (0.3, "#2f7039"), (0.55, "#6d9a3a"), (0.8, "#b6c357"), (1.0, "#e8e69a")])
    meadow = smoothstep(0.35, 0.75, near + 0.16 * study.noise(3, 8) + 0.25 * (x - 0.55))
    land = mix(wheat, green, np.asarray(meadow))
    way = 0.62 + 0.16 * np.sin(5.2 * depth + 0.4) * (1 - 0.2 * depth) - 0.32 * near
    path = smoothstep(1.0, 0.75, np.abs(x - way) / (0.008 + 0.085 * near))
    earth = ramp(
        0.5 + 0.3 * rough + 0.2 * np.sin(60 * depth),
        [(0.0, "#8d6a86"), (0.4, "#c79a86"), (0.75, "#eac9a0"), (1.0, "#f9e8c8")],
    )
    land = mix(land, earth, path)
    mask = smoothstep(-0.003, 0.003, y - edge)
    lean = -np.pi / 2 + 0.55 * np.sin(3.5 * x + 12 * depth + study.noise(3, 9)) + 0.15 * rough
    lie = np.where(path > 0.5, 0.9 * np.sin(4 * depth + 0.5) + 0.3, lean)
    ground = np.where(path > 0.5, _PATH, np.where(meadow > 0.5, _MEADOW, _WHEAT))
    kind = np.where(mask > 0.5, ground, kind)
    return mix(rgb, land, mask), np.where(mask > 0.5, lie, angle).astype(np.float32), kind


def _trees(study: Canvas, x: Array, y: Array, rgb: Array, angle: Array, kind: Kinds) -> Parts:
    """Round olive crowns with violet shadows, and two tall cypresses."""
    leaf = study.noise(34, 12, octaves=2)
    for cx, cy, wide, tall in (
        (0.10, 0.30, 0.075, 0.06),
        (0.235, 0.325, 0.05, 0.04),
        (0.41, 0.318, 0.04, 0.03),
        (0.50, 0.325, 0.03, 0.022),
        (0.72, 0.312, 0.05, 0.038),
    ):
        shadow = np.hypot((x - cx - 0.6 * wide) / (1.5 * wide), (y - cy - 1.15 * tall) / (0.42 * tall))
        rgb = mix(rgb, np.broadcast_to(color("#5a5f8e"), rgb.shape), 0.75 * smoothstep(1.1, 0.7, shadow))
        dx, dy = (x - cx) / wide, (y - cy) / tall
        r = np.hypot(dx, dy) + 0.10 * leaf
        tone = 0.45 - 0.30 * dy - 0.2 * dx + 0.2 * leaf
        rgb = mix(
            rgb,
            ramp(
                tone,
                [(0.0, "#173a4a"), (0.3, "#2c6150"), (0.6, "#6f9b5b"), (0.85, "#b7c77c"), (1.1, "#e7e7b0")],
            ),
            smoothstep(1.05, 0.9, r),
        )
        angle = np.where(r < 1, np.arctan2(dy, dx) + np.pi / 2 + 0.5 * leaf, angle)
        kind = np.where(r < 1, _TREES, kind)
    for cx, top, foot, wide in ((0.868, 0.045, 0.415, 0.042), (0.935, 0.13, 0.40, 0.031)):
        t = np.clip((y - top) / (foot - top), 0, 1)
        sway = cx + 0.010 * np.sin(8 * t + 20 * cx)
        girth = wide * np.sqrt(t) * (1.2 - 0.55 * t**3) * (1 + 0.13 * np.sin(30 * t + 2.5 * leaf)) + 1e-4
        inside = smoothstep(1.08, 0.9, np.abs(x - sway) / girth) * (y > top) * (y < foot)
        tone = 0.42 - 0.30 * (x - sway) / girth + 0.24 * np.sin(12 * t + 7 * (x - sway) / wide) + 0.15 * leaf
        rgb = mix(
            rgb,
            ramp(
                tone,
                [(0.0, "#0a2027"), (0.35, "#174636"), (0.65, "#3d7040"), (0.9, "#93a04c"), (1.1, "#d2c86a")],
            ),
            inside,
        )
        angle = np.where(inside > 0.5, -np.pi / 2 + 0.7 * (x - sway) / girth + 0.5 * np.sin(20 * t), angle)
        kind = np.where(inside > 0.5, _TREES, kind)
    return rgb, angle.astype(np.float32), kind


def _flowers(study: Canvas, x: Array, y: Array, rgb: Array) -> Array:
    """Poppies, cornflowers and daisies, larger towards the front."""
    rng = study.rng(21)
    drift = study.noise(5, 14, octaves=2)
    pigments = ("#e2231f", "#ef4a23", "#c81530", "#f2695a", "#3b57c4", "#7a63c9", "#fffbe8", "#f7b5b0")
    for _ in range(620):
        near = rng.uniform(0.02, 1) ** 0.75
        cx, cy = rng.uniform(0, 1), _HORIZON + 0.02 + (0.8 - _HORIZON) * near**1.35
        chance = sample(drift, np.array(cx), np.array(cy)) + 0.9 * near + 0.5 * (cx - 0.5)
        pick = int(rng.choice(8, p=[0.28, 0.2, 0.14, 0.08, 0.1, 0.06, 0.1, 0.04]))
        if chance < rng.uniform(0.1, 1.2):
            continue
        reach = 0.0035 + 0.0135 * near**1.3 * rng.uniform(0.7, 1.2) * (0.72 if pick > 3 else 1)
        x0, x1 = int((cx - 1.2 * reach) * study.unit), int((cx + 1.2 * reach) * study.unit) + 2
        y0, y1 = int((cy - 1.2 * reach) * study.unit), int((cy + 1.2 * reach) * study.unit) + 2
        box = (slice(max(0, y0), max(0, y1)), slice(max(0, x0), max(0, x1)))
        r = np.hypot(x[box] - cx, (y[box] - cy) * 1.25) / reach
        petal = np.broadcast_to(color(pigments[pick]), (*r.shape, 3)) * (
            1.08 - 0.35 * r[..., None] * (y[box] > cy)[..., None]
        )
        petal = mix(
            petal.astype(np.float32),
            np.broadcast_to(color("#2a1026" if pick < 4 else "#f5c33a"), petal.shape),
            smoothstep(0.32, 0.22, r),
        )
        rgb[box] = mix(rgb[box], np.clip(petal, 0, 1), smoothstep(1.05, 0.85, r))
    return rgb


def _compose(study: Canvas, x: Array, y: Array) -> Parts:
    """Color and direction of everything but the flowers, and what is where."""
    parts = _sky(study, x, y)
    for layer in (_hills, _field, _trees):
        parts = layer(study, x, y, *parts)
    return parts


def draw_map(size: int, seed: int) -> Image.Image:
    """What is where in the picture, in the colors of `MEANINGS`, at long side ``size``."""
    study = raster(size, ASPECT, seed).at(size)
    return flat(_compose(study, *study.grid())[2], MEANINGS)


def draw(size: int, seed: int) -> Image.Image:
    """The picture at long side ``size``."""
    canvas = raster(size, ASPECT, seed)
    study = canvas.at(720)
    x, y = study.grid()
    rgb, angle, _ = _compose(study, x, y)
    rgb = _flowers(study, x, y, rgb)
    fine = np.clip(np.hypot(*np.gradient(rgb.mean(axis=-1))) * 16, 0.10, 1).astype(np.float32)
    front = (0.55 + 0.45 * smoothstep(0.4, 0.7, y)).astype(np.float32)
    layers = (
        Layer(spacing=0.016, length=0.062, width=0.018, bristles=8, lightness=0.035, tint=0.016),
        Layer(spacing=0.0112, length=0.040, width=0.0095, bristles=5, lightness=0.045, tint=0.02, where=front),
        Layer(spacing=0.0074, length=0.019, width=0.0066, bristles=4, where=fine, lightness=0.04, tint=0.016),
    )
    return finish(paint(canvas, rgb, angle, layers), size, ASPECT)
