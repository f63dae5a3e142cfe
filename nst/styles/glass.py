"""Iris Window: a river landscape in leaded glass.

The window is cut like Tiffany's landscapes: sky in rings round the sun, hills and river in long slips, irises
and leaves in front. Every piece has its own streaked, rippled glass; the lead follows the borders of the
pieces.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .canvas import Array, Canvas, blur, color, finish, mix, ramp, raster, relief, smoothstep

ASPECT = 0.8
_SUN = (0.50, 0.29)
_FLOWERS = (
    (0.115, 0.69, 0.078, 0),
    (0.275, 0.80, 0.084, 1),
    (0.715, 0.68, 0.074, 1),
    (0.585, 0.81, 0.082, 0),
    (0.425, 0.70, 0.062, 2),
    (0.105, 0.905, 0.072, 2),
    (0.415, 0.915, 0.068, 0),
    (0.725, 0.915, 0.070, 2),
)


Box = tuple[slice, slice]
Stops = Sequence[tuple[float, str]]
_WHOLE = (slice(None), slice(None))


class _Window:
    """The labels of the pieces and their colors, filled from back to front."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.label = np.zeros(canvas.shape, dtype=np.int32)
        self.rgb = np.zeros((*canvas.shape, 3), dtype=np.float32)
        self.kind = 0

    def box(self, left: float, top: float, right: float, bottom: float) -> Box:
        """Rows and columns of a rectangle in units of the long side."""
        x0, y0, x1, y1 = (max(0, int(side * self.canvas.unit)) for side in (left, top, right, bottom))
        return slice(y0, y1 + 1), slice(x0, x1 + 1)

    def cut(self, mask: NDArray, piece: NDArray, shade: NDArray, stops: Stops, box: Box = _WHOLE) -> None:
        """Lay the colors of ``shade`` along ``stops`` where ``mask``; ``piece`` numbers the pieces."""
        self.kind += 1
        inside = np.nonzero(mask)
        self.label[box][inside] = piece[inside].astype(np.int32) + 100_000 * self.kind
        self.rgb[box][inside] = ramp(shade[inside], stops)


def _hash(label: NDArray, salt: int) -> Array:
    """A number in [0, 1) for every label."""
    mixed = (
        label.astype(np.int32).astype(np.uint32) * np.uint32(2654435761) + np.uint32(salt * 40503 + 12345)
    ) & np.uint32(0xFFFFFFFF)
    mixed = ((mixed ^ (mixed >> np.uint32(15))) * np.uint32(2246822519)) & np.uint32(0xFFFFFFFF)
    mixed = mixed ^ (mixed >> np.uint32(13))
    return (mixed >> np.uint32(8)).astype(np.float32) / np.float32(1 << 24)


def _uneven(value: Array, width: float, salt: int, row: Array) -> Array:
    """Whole numbers of slices of ``value`` about ``width`` wide, shifted and stretched in every ``row``."""
    return np.asarray(np.floor(value / width * (0.75 + 0.6 * _hash(row + 17, salt)) + 7 * _hash(row + 5, salt + 1)))


_SKY = (
    (0.08, "#ffe14d"),
    (0.15, "#ffb62e"),
    (0.23, "#f98a3c"),
    (0.30, "#f2708a"),
    (0.38, "#b97ad6"),
    (0.47, "#5f8fe6"),
    (0.58, "#2f63d6"),
    (0.75, "#1a3fae"),
)
_CLOUDS = (
    (0.15, 0.155, 0.17, 0.030),
    (0.67, 0.10, 0.18, 0.030),
    (0.20, 0.345, 0.13, 0.022),
    (0.74, 0.245, 0.12, 0.025),
)
_HILLS = (
    (0.430, 0.045, 0.3, ((0.0, "#a58ae6"), (0.5, "#6f58c8"), (1.0, "#4a3aa8"))),
    (0.485, 0.036, 2.2, ((0.0, "#59b4d8"), (0.5, "#2b7fb4"), (1.0, "#1c4f96"))),
    (0.535, 0.026, 4.4, ((0.0, "#6fd092"), (0.5, "#2f9a66"), (1.0, "#0f6f5c"))),
    (0.580, 0.018, 0.9, ((0.0, "#d8e05a"), (0.35, "#8fc040"), (0.7, "#3a9a48"), (1.0, "#1c7a50"))),
)


def _sky(window: _Window, x: Array, y: Array, warp: Array) -> None:
    """Rings of glass round the sun, and long clouds."""
    r = np.hypot(x - _SUN[0], y - _SUN[1])
    theta = np.arctan2(y - _SUN[1], x - _SUN[0])
    bent = r + 0.008 * warp
    ring = np.floor(np.maximum(bent - 0.085, 0) / 0.064)
    count = np.round(11 + 4 * ring)
    sector = np.floor((theta + 0.5 * ring + 0.16 * np.sin(3 * theta + ring) + np.pi) / (2 * np.pi) * count) % count
    piece = ring * 97 + sector
    window.cut(r > 0, piece, bent + 0.06 * (_hash(piece, 3) - 0.5), _SKY)
    window.cut(r < 0.085, x * 0, r, ((0.0, "#fffdf0"), (0.05, "#fff3b0"), (0.085, "#ffdf5a")))
    for number, (cx, cy, wide, tall) in enumerate(_CLOUDS):
        u = (x - cx) / wide
        lens = np.abs(y - cy - 0.010 * np.sin(4 * u)) < tall * np.maximum(0, 1 - u * u)
        lower = (y - cy - 0.010 * np.sin(4 * u)) > 0.3 * tall * np.cos(5 * u)
        piece = np.floor(u * 1.6 + 9 + 0.4 * lower) + 20 * lower + 60 * number
        window.cut(lens, piece, 0.55 - (y - cy) / tall * 0.5, ((0.0, "#f2a0b4"), (0.5, "#fbdcd2"), (1.0, "#fffaf0")))


def _hills(window: _Window, x: Array, y: Array) -> None:
    """Four ranges in slips that follow the ridges."""
    for number, (base, rise, phase, stops) in enumerate(_HILLS):
        top = base - rise * (np.sin(4.1 * x + phase) + 0.45 * np.sin(9.7 * x + 2 * phase))
        deep = y - top
        row = np.floor((np.maximum(deep, 0) / 0.034) ** 0.82 + 0.55 * np.sin(6 * x + 9 * deep + 2 * phase))
        piece = row * 50 + _uneven(x + 1.1 * deep * np.sin(5 * x + phase) + 1, 0.15, 40 + number, row)
        window.cut(
            deep > 0,
            piece + 1000,
            deep * 9 * (0.4 if number == 3 else 1) + 0.3 * (_hash(piece, 5) - 0.5),
            stops,
        )


def _river(window: _Window, x: Array, y: Array) -> None:
    """The river comes forward in long waves and carries the sun."""
    t = np.clip((y - 0.55) / 0.45, 0, 1)
    across = (x - 0.47 - 0.13 * np.sin(4.4 * t + 0.3) * (0.3 + t)) / (0.016 + 0.30 * t**1.25)
    row = np.floor(t**0.6 * 11 + 0.35 * across * np.sin(5 * t) + 0.22 * np.sin(5 * across + 9 * t))
    piece = row * 30 + _uneven(across + 1.5, 0.8, 70, row) + 800
    glow = np.abs(across + 0.12) + 0.8 * t - 0.1 + 0.30 * (_hash(piece, 9) - 0.5)
    stops = (
        (0.0, "#fff3b8"),
        (0.2, "#ffd27a"),
        (0.4, "#9fe4ea"),
        (0.65, "#4fb6e0"),
        (0.9, "#2a78d0"),
        (1.3, "#1c48a6"),
    )
    window.cut((np.abs(across) < 1) & (y > 0.55), piece, glow, stops)


def _leaves(window: _Window, x: Array, y: Array, rng: np.random.Generator) -> None:
    """Sword leaves, each split along its rib."""
    places = np.linspace(-0.02, 0.82, 21) + rng.uniform(-0.012, 0.012, 21)
    stops = ((0.0, "#0d4f4a"), (0.35, "#1a8a5e"), (0.7, "#6fc24e"), (1.0, "#d6e45c"), (1.25, "#f2f09a"))
    for number, foot in enumerate(rng.permutation(places)):
        tall, lean = rng.uniform(0.16, 0.36), rng.uniform(-0.10, 0.10)
        box = window.box(foot - 0.16, 1 - tall, foot + 0.16, 1.0)
        t = (1.0 - y[box]) / tall
        away = x[box] - foot - lean * np.clip(t, 0, 1.2) ** 1.8
        girth = 0.021 * np.sqrt(np.clip(1 - t, 0, 1)) * (1 + 0.35 * np.clip(t, 0, 1))
        side = away > 0
        window.cut(
            (np.abs(away) < girth) & (t < 1),
            side + 2 * np.floor(t * 1.7) + 10 * number,
            t + 0.3 * side,
            stops,
            box,
        )


_PETALS = (
    (("#2b1a9a", "#5f42dc", "#b09cf7"), ("#5a2fbe", "#9468ee", "#dcc8fb")),
    (("#0f3fb4", "#2f80ea", "#9ad0fb"), ("#2a5fdc", "#74b4f8", "#d4effe")),
    (("#9a1a6e", "#dc4fa2", "#f9b0d2"), ("#cc3a90", "#f28cc2", "#ffdcea")),
)
# direction, half width, length, 0 = fall or 1 = standard
_PLAN = (
    (0.50, 0.44, 0.98, 0),
    (np.pi - 0.50, 0.44, 0.98, 0),
    (np.pi / 2, 0.50, 1.12, 0),
    (-0.92, 0.40, 0.98, 1),
    (np.pi + 0.92, 0.40, 0.98, 1),
    (-np.pi / 2, 0.44, 1.12, 1),
)


def _flower(window: _Window, x: Array, y: Array, flower: tuple[float, float, float, int]) -> None:
    """An iris: three falls, three standards, a golden beard."""
    cx, cy, reach, hue = flower
    box = window.box(cx - 1.6 * reach, cy - 1.6 * reach, cx + 1.6 * reach, cy + 1.6 * reach)
    u, v = (x[box] - cx) / reach, (y[box] - cy) / reach
    for number, (turn, wide, long, kind) in enumerate(_PLAN):
        cos, sin = math.cos(turn), math.sin(turn)
        along, across = u * cos + v * sin, v * cos - u * sin
        t = np.clip(along / (1.3 * long), 0, 1)
        girth = wide * np.maximum(np.sin(np.pi * t**0.85), 0) ** 0.8 * (1.0 + 0.07 * np.sin(15 * t))
        half = across > 0.06 * np.sin(6 * t)
        low, middle, high = _PETALS[hue][kind]
        stops = ((0.0, low), (0.45, middle), (1.0, high))
        window.cut((np.abs(across) < girth) & (t > 0) & (t < 1), half + 2 * number, t + 0.16 * half, stops, box)
    r = np.hypot(u, v * 1.2)
    window.cut(r < 0.2, u * 0, r, ((0.0, "#fff6b8"), (0.2, "#fba91f")), box)


def _glaze(canvas: Canvas, label: NDArray, rgb: Array) -> Array:
    """Opalescent glass: streaks in one of three directions a piece, ripples, tone and hue of its own."""
    x, y = canvas.grid()
    wave = canvas.noise(6, 20, octaves=2)
    pick = np.floor(_hash(label, 4) * 3)
    turn = np.choose(pick.astype(np.int32), np.array([0.5, 1.6, 2.6], dtype=np.float32))
    place = (x * np.cos(turn) + y * np.sin(turn)) * 70 + 1.6 * wave + 9 * pick
    streak = 0.6 * np.sin(place + 1.2 * canvas.noise(24, 22)) + 0.5 * np.sin(2.7 * place + 2 * wave)
    ripple = canvas.noise(110, 30, octaves=2)
    own = _hash(label, 6) - 0.5
    hammered = relief(0.08 * ripple + 0.05 * canvas.noise(230, 31), canvas.unit, 2.2)
    tone = 1.0 + 0.34 * own + 0.065 * streak + 0.11 * hammered
    milk = np.clip(0.05 + 0.10 * streak + 0.30 * (_hash(label, 7) - 0.62), 0, 0.36)
    glass = rgb * tone[..., None]
    glass = glass + np.stack([own, -0.3 * own, _hash(label, 8) - 0.5], axis=-1) * np.float32(0.09)
    glass = mix(np.clip(glass, 0, 1), np.broadcast_to(color("#fff9ea"), rgb.shape), milk)
    return np.asarray(glass + 0.10 * np.clip(hammered, 0, 1)[..., None] ** 2, dtype=np.float32)


def _lead(canvas: Canvas, label: NDArray, glass: Array) -> Array:
    """Shade the pieces towards their borders and lay the lead, with light that spills over it."""
    from scipy import ndimage

    border = np.zeros(label.shape, dtype=bool)
    border[:, 1:] |= label[:, 1:] != label[:, :-1]
    border[1:] |= label[1:] != label[:-1]
    away = np.asarray(ndimage.distance_transform_edt(~border), dtype=np.float32) / np.float32(canvas.unit)
    glass = glass * (0.60 + 0.47 * smoothstep(0.0, 0.014, away))[..., None]
    width = np.float32(0.0026) + np.float32(0.0005) * canvas.noise(12, 33)
    came = smoothstep(1.0, 0.0, (away - width) * canvas.unit / 1.6)
    hump = np.clip(1 - (away / width) ** 2, 0, 1) ** 1.5
    shine = 0.07 + 0.20 * hump * np.clip(0.5 + 0.5 * canvas.noise(30, 34), 0, 1)
    lead = shine[..., None] * np.array([0.86, 0.84, 0.86], dtype=np.float32)
    # The eye's own halation: bright glass glows over its lead.
    small = Image.fromarray((np.clip(glass[::4, ::4], 0, 1) * 255).astype(np.uint8))
    glow = blur(np.asarray(small, dtype=np.float32) / 255, canvas.unit / 4 / 150)
    spill = Image.fromarray((glow * 255).astype(np.uint8)).resize(
        (canvas.width, canvas.height), Image.Resampling.BILINEAR
    )
    return mix(glass, lead.astype(np.float32), came) * 0.95 + 0.15 * (np.asarray(spill, dtype=np.float32) / 255) ** 2


def draw(size: int, seed: int) -> Image.Image:
    """The picture at long side ``size``."""
    # The borders are smoothed by their distance map, so that half as much oversampling is enough.
    canvas = raster(size, ASPECT, seed)
    canvas = canvas.at(round(canvas.unit * 0.75))
    x, y = canvas.grid()
    warp = canvas.noise(5, 1, octaves=2)
    window = _Window(canvas)
    _sky(window, x, y, warp)
    _hills(window, x + 0.004 * warp, y + 0.004 * warp)
    _river(window, x, y)
    _leaves(window, x, y, canvas.rng(4))
    for flower in _FLOWERS:
        _flower(window, x, y, flower)
    return finish(_lead(canvas, window.label, _glaze(canvas, window.label, window.rgb)), size, ASPECT)
