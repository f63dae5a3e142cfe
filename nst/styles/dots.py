"""Evening Regatta: a river at sundown in dots of pure color.

Divisionism by halves: every dot takes the nearest of a few pure pigments to a disturbed target, so that
neighbors mix in the eye; a last sparse layer sets the complementary color beside it (Chevreul's simultaneous
contrast).
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .canvas import (
    Array,
    Canvas,
    color,
    colors,
    finish,
    from_oklab,
    mix,
    ramp,
    raster,
    sample,
    smoothstep,
    to_oklab,
)
from .oil import varnish

ASPECT = 1.25
_SHORE = 0.40
_SUN = (0.60, 0.285)
_POPLARS = (
    (0.030, 0.30, 0.034),
    (0.100, 0.365, 0.040),
    (0.182, 0.325, 0.037),
    (0.258, 0.25, 0.032),
    (0.325, 0.20, 0.028),
    (0.383, 0.145, 0.023),
    (0.432, 0.105, 0.019),
    (0.472, 0.075, 0.015),
)
_FOLIAGE = (
    (0.0, "#1b1f66"),
    (0.22, "#123f55"),
    (0.45, "#1f6a3d"),
    (0.68, "#6fa338"),
    (0.85, "#d3cf52"),
    (1.0, "#ffcf62"),
)
_MIRRORED = ((0.0, "#1a1e5c"), (0.3, "#1c3f6e"), (0.55, "#2a6a63"), (0.8, "#7a9a5a"), (1.0, "#d9a35a"))
_PIGMENTS = colors(
    "#10163f #1d2f7c #2a4fb0 #3f78cf #63a3dc #9cc9e6 #0f4a5e #17807f #3fae9b #8fd0b0 #14502e #2f7d36 "
    "#69a83a #aacb4a "
    "#e6e06a #fff1a0 #fffbe0 #ffd23c #ffb01f #f5861f #e8562a #cf2f36 #e4677c #f2a3a6 #f9d0bd #a33a78 "
    "#7a3f9c #5a3aa0 "
    "#9277c8 #c3aee0 #5a1f38 #2b1035"
)


def _poplars(study: Canvas, x: Array, y: Array, rgb: Array, foot: float, flip: float) -> Array:
    """A row of poplars that stand on ``foot`` (``flip`` 1) or hang mirrored in the water (``flip`` -1)."""
    leaf = study.noise(60, 31, octaves=2)
    sway = (0.006 * np.sin(95 * y) + 0.004 * np.sin(41 * y)) * (flip < 0)
    for cx, tall, wide in _POPLARS:
        t = np.clip(flip * (foot - y) / tall, -0.05, 1.05)
        full = np.clip(t, 0, 1)
        girth = wide * (np.minimum(1, 6.0 * full + 0.12) * (1 - full**2.2) ** 0.75) + 1e-4
        across = (x + sway - cx) / girth + 0.10 * leaf
        inside = smoothstep(1.12, 0.92, np.abs(across)) * (t > 0) * (t < 1)
        tone = 0.44 + 0.33 * across + 0.10 * leaf + 0.05 * np.sin(60 * t + 4 * across)
        green = ramp(tone, _FOLIAGE if flip > 0 else _MIRRORED)
        rgb = mix(rgb, green, np.asarray(inside * (1.0 if flip > 0 else 0.85)))
    return rgb


def _sails(x: Array, y: Array, rgb: Array) -> Array:
    """Three boats, each with its reflection."""
    for cx, tall, warm in ((0.715, 0.115, "#fffbe6"), (0.865, 0.225, "#fffdf0"), (0.965, 0.085, "#fdeee0")):
        foot = _SHORE + 0.03 + 0.22 * tall
        for flip in (1.0, -1.0):
            t = flip * (foot - y) / tall
            ripple = 0.006 * np.sin(120 * y) * (flip < 0)
            left = smoothstep(0.0, 0.03, x - cx + ripple + 0.42 * tall * (1 - t) - 0.012) * smoothstep(
                0.003, -0.003, x - cx + ripple
            )
            right = smoothstep(-0.003, 0.003, x - cx + ripple - 0.005) * smoothstep(
                0.0, -0.01, x - cx + ripple - 0.26 * tall * np.clip(1 - 1.2 * t, 0, 1) ** 0.8
            )
            shown = ((t > 0.08) & (t < 1)) * (1.0 if flip > 0 else 0.6)
            jib = shown * (t < 0.8)
            rgb = mix(rgb, np.broadcast_to(color(warm), rgb.shape), np.asarray(left * shown))
            rgb = mix(rgb, np.broadcast_to(color("#8f86cc"), rgb.shape), np.asarray(right * jib))
        hull = smoothstep(1.05, 0.9, np.hypot((x - cx) / (0.42 * tall), (y - foot + 0.004) / 0.013)) * (
            y > foot - 0.006
        )
        rgb = mix(rgb, np.broadcast_to(color("#3a1a4a"), rgb.shape), np.asarray(hull))
    return rgb


_SKY = (
    (0.0, "#fff2a0"),
    (0.06, "#ffd659"),
    (0.13, "#fba94e"),
    (0.21, "#ee8062"),
    (0.30, "#d96f8e"),
    (0.41, "#a06fbe"),
    (0.54, "#5f74c6"),
    (0.70, "#3560b4"),
    (0.9, "#213f8f"),
)
_CLOUDS = ((0.1, "#fff3c4"), (0.28, "#ffd0a0"), (0.45, "#f4a5b0"), (0.65, "#c9a6dc"), (0.9, "#8fb4e4"))
_FAR_HILLS = ((0.0, "#25386f"), (0.4, "#4a5aa0"), (0.65, "#c67a80"), (1.0, "#5a4f9a"))
_GRASS = (
    (0.0, "#1a1c5e"),
    (0.2, "#1b4560"),
    (0.4, "#23703f"),
    (0.65, "#83ad3c"),
    (0.85, "#ecd564"),
    (1.0, "#fff0b0"),
)
_BLOOMS = ((0.0, "#e8456a"), (0.35, "#f7a3b0"), (0.6, "#fff3dc"), (0.8, "#f08a2c"), (1.0, "#7a5fc8"))


def _sky_and_river(study: Canvas, x: Array, y: Array, haze: Array) -> Array:
    """Rings of sundown round the sun, clouds, the far bank; their image in the water, a path of glitter."""
    sx, sy = _SUN
    far = np.hypot((x - sx) * 0.8, (y - sy) * 1.3)
    rgb = ramp(far + 0.02 * haze, _SKY)
    banks = study.noise((6, 26), 12, octaves=2)
    cloud = smoothstep(0.1, 1.3, banks + 0.5 * np.sin(60 * y + 4 * x) - 0.2)
    rgb = mix(rgb, ramp(far + 0.55 * y, _CLOUDS), 0.85 * cloud)
    sun = smoothstep(0.046, 0.038, np.hypot(x - sx, y - sy))
    rgb = mix(rgb, np.broadcast_to(color("#fffdf0"), rgb.shape), sun)
    below = np.hypot((x - sx) * 0.8, (2 * _SHORE - y - sy) * 1.05)
    mirror = ramp(below + 0.06 + 0.05 * haze + 0.03 * np.sin(80 * y + 3 * haze), _SKY)
    rgb = mix(rgb, mirror * 0.92, np.asarray(y > _SHORE, dtype=np.float32))
    glitter = smoothstep(0.2, 0.9, np.sin(115 * y + 40 * (x - sx)) + 0.5 * study.noise((30, 60), 3))
    glitter = glitter * np.exp(-(((x - sx) / (0.03 + 0.28 * np.maximum(y - _SHORE, 0))) ** 2)) * (y > _SHORE)
    rgb = mix(rgb, np.broadcast_to(color("#fff0a6"), rgb.shape), np.asarray(glitter))
    bank = _SHORE - 0.012 - 0.03 * np.clip(np.sin(4.2 * x + 1.2), 0, 1) - 0.012 * np.sin(11 * x)
    hill = smoothstep(-0.003, 0.003, y - bank) * smoothstep(0.003, -0.003, y - _SHORE)
    return mix(rgb, ramp(x + 0.06 * haze, _FAR_HILLS), hill)


def _study(study: Canvas) -> tuple[Array, Array]:
    """The scene as colors, and the direction of the dabs."""
    x, y = study.grid()
    haze = study.noise((4, 14), 2, octaves=2)
    rgb = _sky_and_river(study, x, y, haze)
    rgb = _poplars(study, x, y, rgb, _SHORE, 1.0)
    rgb = _poplars(study, x, y, rgb, _SHORE, -1.0)
    rgb = _sails(x, y, rgb)
    grass = 0.665 - 0.06 * np.sin(2.9 * x + 2.0) + 0.008 * np.sin(17 * x) + 0.004 * study.noise(12, 5)
    tuft = study.noise((70, 34), 6, octaves=2)
    meadow = ramp(0.66 + 0.085 * tuft + 2.4 * (grass - y) + 0.10 * np.sin(8 * x + 26 * y + 2), _GRASS)
    flowers = smoothstep(1.2, 1.6, study.noise(95, 8) + 0.8 * study.noise(9, 9))
    meadow = mix(meadow, ramp(np.sin(150 * x + 31 * y) * 0.5 + 0.5, _BLOOMS), flowers)
    rgb = mix(rgb, meadow, smoothstep(-0.004, 0.004, y - grass))
    around = np.arctan2(y - _SUN[1], x - _SUN[0]) + np.pi / 2
    angle = np.where(y > grass, -1.3 + 0.4 * tuft, np.where(y > _SHORE, 0.08 * haze, around))
    return rgb, angle.astype(np.float32)


def _divide(target: Array, rng: np.random.Generator, spread: float, truth: float) -> Array:
    """Pure pigments near the ``target`` colors (n, 3), ``truth`` of the way back to them."""
    lab = to_oklab(target)
    chroma = lab[:, 1:] * 1.18
    wanted = np.concatenate([lab[:, :1], chroma], axis=1) + rng.normal(0, spread, lab.shape).astype(
        np.float32
    ) * np.array([0.8, 1, 1])
    pigments = to_oklab(_PIGMENTS)
    distance = ((wanted[:, None] - pigments[None]) ** 2 * np.array([1.6, 1, 1])).sum(axis=-1)
    picked = pigments[np.argmin(distance, axis=1)]
    return from_oklab(picked * (1 - truth) + wanted * truth)


def _dab(
    draw: ImageDraw.ImageDraw,
    canvas: Canvas,
    x: Array,
    y: Array,
    reach: Array,
    angle: Array,
    fill: Array,
    rng: np.random.Generator,
) -> None:
    """Short round touches of the brush, a little longer along ``angle``."""
    turn = np.linspace(0, 2 * np.pi, 11)[:-1]
    radius = reach[:, None] * rng.uniform(0.86, 1.14, (x.size, 10))
    u, v = 1.22 * radius * np.cos(turn), 0.88 * radius * np.sin(turn)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    points = np.stack([x[:, None] + u * cos - v * sin, y[:, None] + u * sin + v * cos], axis=-1) * canvas.unit
    paint = np.clip(fill * 255, 0, 255).astype(int)
    heights = rng.integers(120, 230, x.size)
    for i in range(x.size):
        draw.polygon(points[i].ravel().tolist(), fill=(*paint[i].tolist(), int(heights[i])))


def draw(size: int, seed: int) -> Image.Image:
    """The picture at long side ``size``."""
    canvas = raster(size, ASPECT, seed)
    study, angle = _study(canvas.at(720))
    image = Image.new("RGBA", (canvas.width, canvas.height), (232, 220, 196, 90))
    pen = ImageDraw.Draw(image)
    width, height = canvas.extent
    passes = (
        (0.0125, 0.0088, 0.02, 0.75, 1.0),
        (0.0072, 0.0045, 0.052, 0.30, 1.0),
        (0.0085, 0.0036, 0.06, 0.15, 0.6),
    )
    for number, (spacing, reach, spread, truth, share) in enumerate(passes):
        rng = canvas.rng(80 + number)
        gx, gy = np.meshgrid(np.arange(0, width + spacing, spacing), np.arange(0, height + spacing, spacing * 0.87))
        gx[1::2] += spacing / 2
        x = (gx + rng.uniform(-0.34, 0.34, gx.shape) * spacing).ravel()
        y = (gy + rng.uniform(-0.34, 0.34, gy.shape) * spacing).ravel()
        order = rng.permutation(x.size)[: int(share * x.size)]
        x, y = x[order].astype(np.float32), y[order].astype(np.float32)
        fill = _divide(sample(study, x, y), rng, spread, truth)
        if number == 2:  # the complement beside its color, of nearly the same lightness
            lab = to_oklab(sample(study, x, y))
            lab[:, 1:] *= np.where(rng.random((x.size, 1)) < 0.22, -0.7, 1.25)
            lab[:, 0] += rng.normal(0.02, 0.05, x.size)
            fill = from_oklab(lab)
        _dab(
            pen,
            canvas,
            x,
            y,
            (reach * rng.uniform(0.75, 1.2, x.size)).astype(np.float32),
            sample(angle, x, y),
            fill,
            rng,
        )
    data = np.asarray(image, dtype=np.float32) / 255
    return finish(varnish(canvas, data[..., :3], data[..., 3], 1.6, 0.22), size, ASPECT)
