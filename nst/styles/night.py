"""Night Wind: a river valley under turning stars, in oil."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .canvas import Array, Canvas, Kinds, Parts, color, finish, flat, mix, ramp, raster, smoothstep
from .oil import Layer, paint

ASPECT = 1.25
MEANINGS = {"Sky": "#4f8fd8", "Stars": "#ffd84a", "Hills": "#7a5fb0", "River": "#1f3f96", "Trees": "#1f5a3a"}
"""What is in the picture, and the color that each thing has in its map."""

_SKY, _LIGHTS, _HILLS, _RIVER, _TREES = range(len(MEANINGS))
_STARS = (  # x, y, radius of the halo, warmth
    (0.09, 0.10, 0.055, 0.2),
    (0.235, 0.055, 0.035, 0.8),
    (0.33, 0.19, 0.06, 0.5),
    (0.50, 0.075, 0.045, 0.1),
    (0.605, 0.235, 0.035, 0.7),
    (0.70, 0.085, 0.05, 0.4),
    (0.145, 0.315, 0.045, 0.9),
    (0.945, 0.30, 0.045, 0.3),
    (0.44, 0.345, 0.028, 0.6),
    (0.79, 0.33, 0.03, 0.2),
)
_MOON = (0.875, 0.125)
_EDDIES = (
    (0.46, 0.215, 0.17, 1.0),
    (0.66, 0.165, 0.12, -1.0),
    (0.20, 0.20, 0.12, 0.8),
    (0.80, 0.25, 0.10, 0.9),
)


def _hill(x: Array, base: float, rise: float, phase: float) -> Array:
    return np.asarray(
        base - rise * (np.sin(3.1 * x + phase) + 0.5 * np.sin(7.3 * x + 2 * phase) + 0.2 * np.sin(17 * x + 3 * phase))
    )


def _sky(study: Canvas, x: Array, y: Array) -> tuple[Array, Array]:
    """Color and direction of the sky."""
    drift = study.noise(3, 1, octaves=2)
    u, v = 1.0 + 0 * x, 0.28 * drift + 0.25 * np.sin(7 * x + 1.0)
    stir = np.zeros_like(x)
    for ex, ey, reach, spin in _EDDIES:
        dx, dy = x - ex, (y - ey) * 1.15
        r2 = dx * dx + dy * dy
        pull = np.exp(-r2 / (0.55 * reach * reach)) * 5.0 * np.sign(spin)
        u, v = (
            u - pull * dy / reach - 0.5 * pull * dx / reach,
            v + pull * dx / reach - 0.5 * pull * dy / reach,
        )
        r = np.sqrt(r2) + 1e-6
        turn = np.arctan2(dy, dx) * np.sign(spin) + 26 * np.sqrt(r / reach) - 0
        stir += np.exp(-r2 / (0.7 * reach * reach)) * np.cos(turn)
    tone = 0.42 + 0.42 * (y / 0.5) ** 1.3 + 0.085 * drift + 0.17 * stir + 0.07 * np.sin(24 * y + 5 * x + 2.2 * drift)
    rgb = ramp(
        tone,
        [
            (0.0, "#0b1746"),
            (0.22, "#152c7a"),
            (0.42, "#2350a8"),
            (0.6, "#3f83c4"),
            (0.78, "#7fb9cf"),
            (0.95, "#cfdcb4"),
            (1.1, "#f0d98a"),
        ],
    )
    return rgb, np.arctan2(v, u)


def _lamps(x: Array, y: Array, rgb: Array, angle: Array, kind: Kinds) -> Parts:
    """Stars and moon: rings of light, and the strokes that go round them."""
    for sx, sy, reach, warmth in _STARS:
        r = np.hypot(x - sx, y - sy) / reach
        ring = 0.5 + 0.5 * np.cos(r * 9.5)
        halo = ramp(
            r + 0.12 * ring,
            [
                (0.0, "#fffbe0"),
                (0.2, "#ffe98a" if warmth > 0.4 else "#fdf6c0"),
                (0.45, "#f3b93c" if warmth > 0.4 else "#d9e3a0"),
                (0.8, "#8fc7b9"),
                (1.25, "#3b74b8"),
            ],
        )
        mask = smoothstep(1.25, 0.75, r)
        rgb = mix(rgb, halo, mask)
        angle = np.where(r < 1.5, np.arctan2(y - sy, x - sx) + np.pi / 2, angle)
        kind = np.where(r < 1, _LIGHTS, kind)
    mx, my = _MOON
    r = np.hypot(x - mx, y - my) / 0.105
    glow = ramp(
        r + 0.07 * np.cos(r * 16),
        [
            (0.0, "#fff3b0"),
            (0.45, "#ffe27a"),
            (0.62, "#f6d25c"),
            (0.85, "#c9dc9c"),
            (1.1, "#7cb9bf"),
            (1.3, "#3f7fbf"),
        ],
    )
    rgb = mix(rgb, glow, smoothstep(1.28, 0.85, r))
    crescent = smoothstep(0.60, 0.54, r) * smoothstep(0.40, 0.46, np.hypot(x - mx - 0.024, y - my + 0.008) / 0.105)
    rgb = mix(rgb, np.broadcast_to(color("#ef7d12"), rgb.shape), crescent)
    angle = np.where(r < 1.45, np.arctan2(y - my, x - mx) + np.pi / 2, angle)
    return rgb, angle, np.where(r < 1.05, _LIGHTS, kind)


def _lamplight(x: Array, y: Array, rgb: Array, light: float, lamp: float, reach: float, swell: Array) -> None:
    """A lit window on the shore at ``light`` and its broken image in the river, laid into ``rgb``."""
    window = np.maximum(np.abs(x - light), np.abs(y - lamp)) / 0.006
    rgb[:] = mix(rgb, np.broadcast_to(color("#ffc94a"), rgb.shape), smoothstep(1.2, 0.8, window))
    sway = x - light + 0.006 * np.sin(70 * y + 9 * light) + 0.004 * swell
    broken = smoothstep(-0.5, 0.3, np.sin(150 * y + 40 * light)) * (y > 0.603)
    beam = np.exp(-((sway / (0.010 + 0.06 * np.maximum(y - 0.6, 0))) ** 4)) * smoothstep(reach, 0.02, y - 0.6) * broken
    rgb[:] = mix(
        rgb,
        ramp(np.clip((y - 0.6) / 0.16, 0, 1), [(0.0, "#fff0a0"), (0.45, "#f9bd3a"), (1.0, "#d96f2b")]),
        beam,
    )


def _land(study: Canvas, x: Array, y: Array, rgb: Array, angle: Array, kind: Kinds) -> Parts:
    """Three ranges of hills, a village with lit windows, and the river that doubles the lights."""
    grain = study.noise(30, 4, octaves=2)
    for base, rise, phase, stops in (
        (0.475, 0.028, 0.6, ((0.0, "#3b6fae"), (0.5, "#27539a"), (1.0, "#1a3a7c"))),
        (0.515, 0.022, 2.4, ((0.0, "#2f7a8c"), (0.5, "#1e5a78"), (1.0, "#123a5e"))),
        (0.555, 0.016, 4.4, ((0.0, "#3d7d55"), (0.5, "#22573f"), (1.0, "#0f3136"))),
    ):
        top = _hill(x, base, rise, phase)
        depth = (y - top) / 0.07
        rgb = mix(rgb, ramp(depth + 0.18 * grain, stops), smoothstep(-0.02, 0.02, depth))
        slope = np.arctan(np.gradient(top, axis=1) * study.unit)
        angle = np.where(depth > 0, slope + 0.5 * np.sin(9 * x + phase) * np.clip(depth, 0, 1), angle)
        kind = np.where(depth > 0, _HILLS, kind)
    shore = 0.60 + 0.008 * np.sin(6 * x)
    water = smoothstep(-0.003, 0.003, y - shore)
    swell = study.noise((5, 30), 7, octaves=2)
    tone = 0.62 - 1.5 * (y - 0.6) + 0.10 * swell + 0.06 * np.sin(95 * y + 2 * swell)
    rgb = mix(
        rgb,
        ramp(
            tone,
            [(0.0, "#0a1740"), (0.25, "#14307a"), (0.45, "#2458a6"), (0.62, "#3d8ab5"), (0.8, "#79b8b4")],
        ),
        water,
    )
    rng = study.rng(11)
    for light in 0.05 + 0.9 * (np.arange(11) + rng.uniform(0.1, 0.9, 11)) / 11:
        lamp, reach = 0.588 - 0.010 * rng.random(), rng.uniform(0.10, 0.20)
        box = (
            slice(int(0.56 * study.unit), None),
            slice(max(0, int((light - 0.05) * study.unit)), int((light + 0.05) * study.unit)),
        )
        _lamplight(x[box], y[box], rgb[box], light, lamp, reach, swell[box])
    angle = np.where(water > 0.5, 0.10 * swell + 0.12 * np.sin(12 * x + 30 * y), angle)
    return rgb, angle, np.where(water > 0.5, _RIVER, kind)


def _cypress(study: Canvas, x: Array, y: Array, rgb: Array, angle: Array, kind: Kinds) -> Parts:
    """Dark flames of trees in front."""
    rough = study.noise(26, 9, octaves=2)
    for cx, top, wide in ((0.075, 0.24, 0.045), (0.135, 0.40, 0.03), (0.955, 0.43, 0.03)):
        t = np.clip((y - top) / (0.80 - top), 0, 1)
        sway = cx + 0.012 * np.sin(9 * t + 30 * cx)
        girth = wide * (np.sqrt(t) * (1.15 - 0.35 * t)) * (1 + 0.16 * np.sin(34 * t + 3 * rough))
        inside = smoothstep(1.08, 0.9, np.abs(x - sway) / (girth + 1e-4)) * (y > top)
        tone = 0.36 + 0.27 * np.sin(9 * (x - sway) / wide + 11 * t) + 0.14 * rough
        rgb = mix(rgb, ramp(tone, [(0.0, "#07161f"), (0.4, "#12362f"), (0.75, "#2d5a34"), (1.0, "#7d8a3c")]), inside)
        flame = -np.pi / 2 + 0.7 * (x - sway) / (girth + 0.01) * np.cos(5 * t) + 0.35 * np.sin(22 * t)
        angle = np.where(inside > 0.5, flame, angle)
        kind = np.where(inside > 0.5, _TREES, kind)
    return rgb, angle, kind


def _compose(study: Canvas, x: Array, y: Array) -> Parts:
    """Color and direction of everything, and what is where."""
    parts = _lamps(x, y, *_sky(study, x, y), np.full(x.shape, _SKY))
    for layer in (_land, _cypress):
        parts = layer(study, x, y, *parts)
    return parts


def draw_map(size: int, seed: int) -> Image.Image:
    """What is where in the picture, in the colors of `MEANINGS`, at long side ``size``."""
    study = raster(size, ASPECT, seed).at(size)
    return flat(_compose(study, *study.grid())[2], MEANINGS)


def draw(size: int, seed: int) -> Image.Image:
    """The picture at long side ``size``."""
    canvas = raster(size, ASPECT, seed)
    study = canvas.at(600)
    rgb, angle, _ = _compose(study, *study.grid())
    fine = np.clip(np.hypot(*np.gradient(rgb.mean(axis=-1))) * 22, 0.12, 1).astype(np.float32)
    layers = (
        Layer(spacing=0.016, length=0.075, width=0.019, bristles=9, lightness=0.035, tint=0.016),
        Layer(spacing=0.0105, length=0.05, width=0.0095, bristles=6, lightness=0.045, tint=0.02),
        Layer(spacing=0.0078, length=0.028, width=0.0062, bristles=4, where=fine, lightness=0.05, tint=0.02),
    )
    return finish(paint(canvas, rgb, angle.astype(np.float32), layers), size, ASPECT)
