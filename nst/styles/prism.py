"""Harbor Prism: planes of light crossing over a harbor of sails and roofs.

The manner is that of the cubists' heirs around 1913: straight edges and arcs cut the picture, and each casts
a wedge of tone to one side that fades away from the edge.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from .canvas import Array, Canvas, color, finish, from_oklab, mix, ramp, raster, smoothstep, to_oklab
from .oil import Layer, paint

ASPECT = 0.8
_WARM = ("#e0602a", "#c23227", "#eba63a", "#f7e0a8", "#7a2030", "#fbf3dc")
_COOL = ("#14345c", "#1a6a86", "#3fa3a3", "#9cc9bd", "#0b1526", "#eef0de")


def _ground(study: Canvas, x: Array, y: Array) -> Array:
    """A warm light from above the middle that falls off into blue-green shade."""
    glow = np.hypot((x - 0.42) * 1.1, y - 0.36) + 0.07 * study.noise(3, 1, octaves=2)
    return ramp(
        glow,
        [
            (0.0, "#fbf0d0"),
            (0.14, "#f2c878"),
            (0.28, "#d98a4a"),
            (0.42, "#a8674f"),
            (0.55, "#4f7680"),
            (0.72, "#1f4a63"),
            (0.95, "#0f1f38"),
        ],
    )


def _cuts(study: Canvas, x: Array, y: Array, rgb: Array) -> tuple[Array, Array]:
    """Color and direction of the strokes after all cuts."""
    rng = study.rng(3)
    angle = np.full(x.shape, 0.9, dtype=np.float32)
    axes = np.deg2rad([8, 62, 78, 102, 118, 152, 33])
    for number in range(56):
        cx, cy = rng.uniform(0.02, 0.78), rng.uniform(0.02, 0.98)
        theta = float(rng.choice(axes) + rng.normal(0, 0.05))
        reach = rng.uniform(0.05, 0.22) * (1.4 if number < 20 else 0.8)
        cos, sin = math.cos(theta), math.sin(theta)  # Python floats leave the arrays float32
        along = (x - cx) * cos + (y - cy) * sin
        across = (y - cy) * cos - (x - cx) * sin
        if number % 3 == 0:  # an arc: a large circle through the place
            radius = rng.uniform(0.12, 0.5)
            across = (radius - np.hypot(along, across - radius)) * (1 if number % 2 else -1)
            lie = np.arctan2((y - cy) - radius * cos, (x - cx) + radius * sin) + np.pi / 2
        else:
            lie = np.full_like(x, theta)
        span = reach * (1.5 if number % 3 == 0 else 2.4)
        limit = smoothstep(span, 0.95 * span, np.abs(along)) if number >= 14 or number % 3 == 0 else 1.0
        side = (across > 0) * limit
        wedge = np.asarray(np.exp(-np.maximum(across, 0) / (0.55 * reach)) * side)
        pigments = _WARM if (rng.random() < 0.50 - 0.9 * (np.hypot(cx - 0.42, cy - 0.40) - 0.28)) else _COOL
        tone = np.broadcast_to(color(str(rng.choice(pigments))), rgb.shape)
        rgb = mix(rgb, tone, wedge * rng.uniform(0.55, 0.95))
        # The far side of the edge is darkened a little, so that one plane stands before the other.
        rgb = rgb * (1 - 0.5 * np.exp(np.minimum(across, 0) / np.float32(0.014)) * (across <= 0) * limit)[..., None]
        angle = np.where(wedge > 0.35, lie, angle)
    return rgb.astype(np.float32), angle.astype(np.float32)


def _sails(study: Canvas, x: Array, y: Array, rgb: Array) -> Array:
    """Triangles of sails and roofs, lit from the left."""
    rng = study.rng(5)
    for _ in range(15):
        cx, top, tall = rng.uniform(0.08, 0.74), rng.uniform(0.18, 0.66), rng.uniform(0.10, 0.30)
        t = (y - top) / tall
        left, right = rng.uniform(0.25, 0.7), rng.uniform(0.15, 0.45)
        inside = (t > 0) & (t < 1)
        light = inside & (x < cx) & (x > cx - left * tall * t)
        dark = inside & (x >= cx) & (x < cx + right * tall * t)
        pale = ramp(t + (cx - x) * 3, [(0.0, "#fffaf0"), (0.5, "#f2d9a8"), (1.2, str(rng.choice(_WARM[:3])))])
        deep = ramp(t + (x - cx) * 3, [(0.0, "#0f1d33"), (0.6, str(rng.choice(_COOL[:3]))), (1.3, "#8fb8ae")])
        fade = np.asarray(smoothstep(1.0, 0.55, t) * 0.9)
        rgb = mix(mix(rgb, pale, fade * light), deep, fade * dark)
    return rgb


def draw(size: int, seed: int) -> Image.Image:
    """The picture at long side ``size``."""
    canvas = raster(size, ASPECT, seed)
    study = canvas.at(480)
    x, y = study.grid()
    rgb = _ground(study, x, y)
    rgb = _sails(study, x, y, rgb)
    rgb, lie = _cuts(study, x, y, rgb)
    lab = to_oklab(rgb)
    lab[..., 1:] *= 1.22
    lab[..., 0] = lab[..., 0] + 0.55 * (lab[..., 0] - 0.55) * (1.05 - lab[..., 0])
    rgb = from_oklab(lab)
    layers = (
        Layer(spacing=0.0125, length=0.040, width=0.0125, bristles=8, lightness=0.022, tint=0.010, loyalty=0.4),
        Layer(spacing=0.0080, length=0.020, width=0.0055, bristles=4, lightness=0.022, tint=0.012, loyalty=0.25),
    )
    return finish(paint(canvas, rgb, lie, layers), size, ASPECT)
