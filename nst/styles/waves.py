"""Tall Sea: breaking waves, plovers and a red sun, printed from wood blocks.

One breaker is two curves that meet at its tip; the stripes of its body are the blends of the two.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .canvas import Array, Canvas, finish, mix, ramp, raster, smoothstep
from .woodblock import CREAM, Block

ASPECT = 1.25
# Back and face of a breaker from the trough to the tip, in wave lengths (x) and heights (y up).
_BACK = (
    (0.0, 0.0),
    (0.16, 0.07),
    (0.32, 0.30),
    (0.45, 0.66),
    (0.56, 0.92),
    (0.68, 1.0),
    (0.79, 0.94),
    (0.86, 0.80),
    (0.875, 0.66),
)
_FACE = (
    (1.0, 0.0),
    (0.86, 0.03),
    (0.745, 0.14),
    (0.68, 0.32),
    (0.665, 0.52),
    (0.70, 0.68),
    (0.765, 0.76),
    (0.83, 0.75),
    (0.875, 0.66),
)
_BODY = (
    "#16305e",
    "#16305e",
    "#2c5f94",
    "#16305e",
    "#8fb6c2",
    "#1d4277",
    "#dfe3d3",
    "#2c5f94",
    "#5d93b0",
    "#16305e",
    "#b9d0cd",
    "#2c5f94",
)
# Foot (y), wave length, height, shift: from the horizon to the front; the third from last is the great one.
_ROWS = (
    (0.400, 0.115, 0.030, 0.03),
    (0.432, 0.150, 0.045, 0.10),
    (0.470, 0.190, 0.062, 0.02),
    (0.520, 0.245, 0.088, 0.17),
    (0.705, 0.760, 0.545, -0.115),
    (0.650, 0.300, 0.120, 0.49),
    (0.735, 0.330, 0.150, 0.12),
    (0.835, 0.420, 0.165, 0.27),
)


def _curve(points: tuple[tuple[float, float], ...], count: int) -> NDArray:
    """A smooth path (count, 2) through the points (Catmull-Rom by chord length)."""
    from scipy.interpolate import PchipInterpolator

    given = np.array(points)
    place = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(given, axis=0).T))])
    return np.asarray(PchipInterpolator(place / place[-1], given)(np.linspace(0, 1, count)))


def _breaker(block: Block, left: float, foot: float, long: float, tall: float, rng: np.random.Generator) -> None:
    """One wave of length ``long`` and height ``tall`` that stands on ``foot`` and runs to the right."""
    count = 70
    scale = np.array([long, -tall])
    back = _curve(_BACK, count) * scale + (left, foot)
    face = _curve(_FACE, count) * scale + (left, foot)
    great = tall > 0.3
    stripes = 22 if great else (12 if tall > 0.1 else 8)
    place = np.linspace(0, 1, stripes + 1)
    place[1:-1] += rng.uniform(-0.3, 0.3, stripes - 1) / stripes
    deep = np.array([0, 0.04 * tall])
    along = np.linspace(0, 1, count)
    line = 0.0007 + 0.0028 * tall**0.6
    for index in range(stripes):
        edges = []
        for t in place[index : index + 2]:
            bend = 0.05 * tall * np.sin(np.pi * along) * np.sin(np.pi * t) * np.sin(7 * t + 9 * along)
            edges.append(back * (1 - t) + face * t + np.stack([bend, np.zeros(count)], axis=-1))
        shape = np.concatenate([edges[0][:1] + deep, edges[0], edges[1][::-1], edges[1][:1] + deep])
        block.fill(shape, _BODY[index % len(_BODY)])
        block.line(edges[1], line * (1 - 0.75 * along))
    block.line(back, 1.7 * line * (1 - 0.4 * along))
    block.line(face, 1.7 * line * (1 - 0.4 * along))
    _foam(block, back, face, tall, rng)


def _swell(block: Block, left: float, foot: float, long: float, tall: float, depth: float) -> None:
    """Bands of calmer water before the foot of a breaker, bowed like a scale."""
    count = 40
    u = np.linspace(0, 1, count)
    bands = max(5, int(depth / 0.0095))
    for index in range(bands):
        t = index / bands
        bow = (0.22 * tall + 0.008) * (1 - 0.4 * t) * np.sin(np.pi * u) ** 1.5 + 0.05 * tall * np.sin(3 * np.pi * u)
        top = np.stack([left + long * u, foot + 0.05 * tall + depth * t**0.9 - bow], axis=-1)
        block.fill(
            np.concatenate([top, [[left + long, foot + depth + 0.05], [left, foot + depth + 0.05]]]),
            "#16305e" if index == bands - 1 else _BODY[(3 * index + 1) % len(_BODY)],
        )
        block.line(top, (0.0006 + 0.004 * tall) * np.sin(np.pi * np.linspace(0.06, 0.94, count)))


def _claw(block: Block, x: float, y: float, turn: float, reach: float, curl: float) -> None:
    """A finger of foam that bends over."""
    t = np.linspace(0, 1, 14)
    bend = turn + curl * t * 1.9
    spine = np.stack([x + np.cumsum(np.cos(bend)) * reach / 14, y + np.cumsum(np.sin(bend)) * reach / 14], axis=-1)
    girth = reach * 0.44 * (1 - t) ** 0.7 * (0.75 + 0.25 * np.cos(9 * t))
    normal = np.stack([-np.sin(bend), np.cos(bend)], axis=-1)
    for grow, fill in ((0.0011 + 0.02 * reach, None), (0.0, CREAM)):
        half = (girth / 2 + grow)[:, None] * normal
        outline = np.concatenate([spine + half, (spine - half)[::-1]])
        if fill is None:
            block.pens[1].polygon((outline * block.unit).ravel().tolist(), fill=255)
        else:
            block.fill(outline, fill)


def _foam(block: Block, back: NDArray, face: NDArray, tall: float, rng: np.random.Generator) -> None:
    """Scallops and claws along the crest, and the spray before it."""
    crest = np.concatenate([back[int(0.56 * len(back)) :], face[int(0.70 * len(face)) :][::-1]])
    number = int(24 + 330 * tall)
    tip = back[-1]
    size = 0.0085 + 0.052 * tall
    spots = crest[rng.integers(0, len(crest), number)] + rng.normal(0, 0.26 * size, (number, 2))
    radii = size * rng.uniform(0.12, 0.40, number)
    for x, y in crest[:: max(1, int(len(crest) * 0.0006 / (0.02 * tall + 0.0012)))]:
        lean = np.arctan2(y - tip[1], x - tip[0])
        reach = size * rng.uniform(0.7, 1.35)
        _claw(
            block,
            x,
            y,
            rng.normal(0.25 if y < tip[1] else 1.1, 0.55),
            reach,
            0.9 if np.cos(lean) < 0.4 else 0.5,
        )
    for (x, y), radius in zip(spots, radii, strict=True):
        block.disc(x, y, radius + 0.0010 + 0.015 * radius, None)
    for (x, y), radius in zip(spots, radii, strict=True):
        block.disc(x, y, radius, CREAM)
    for (x, y), radius in zip(spots[::3], radii[::3], strict=True):
        block.disc(x + 0.25 * radius, y + 0.3 * radius, 0.42 * radius, "#bcd3d0")
    spray = int(12 + 230 * tall)
    for _ in range(spray):
        far = size * rng.gamma(2.0, 1.0 if tall < 0.3 else 0.85)
        turn = rng.uniform(-1.5, 0.9)
        x, y = crest[rng.integers(0, len(crest))] + far * np.array([np.cos(turn), 0.75 * np.sin(turn)])
        radius = size * rng.uniform(0.035, 0.12)
        block.disc(x, y, radius + 0.0008, None)
        block.disc(x, y, radius, CREAM)


def _scales(block: Block, top: float, bottom: float, reach: float) -> None:
    """Seigaiha: overlapping discs of rings."""
    rows = int((bottom - top) / (0.5 * reach)) + 2
    for row in range(rows):
        y = top + row * 0.5 * reach
        for x in np.arange(-reach, 1 + reach, 2 * reach) + (row % 2) * reach:
            block.disc(x, y + reach, reach, None)
            for ring, fill in zip(
                (0.955, 0.78, 0.60, 0.42, 0.24),
                ("#1d4277", "#dfe3d3", "#2c5f94", "#b9d0cd", "#16305e"),
                strict=True,
            ):
                block.disc(x, y + reach, ring * reach, fill)


# Bars of mist: height, left and right end, half thickness.
_MIST = (
    (0.150, 0.66, 0.845, 0.0085),
    (0.167, 0.62, 0.79, 0.0085),
    (0.226, 0.73, 1.1, 0.0095),
    (0.245, 0.70, 0.90, 0.0095),
    (0.264, 0.76, 1.1, 0.0095),
    (0.092, 0.33, 0.50, 0.0075),
    (0.107, 0.37, 0.56, 0.0075),
    (0.052, 0.80, 1.1, 0.0075),
    (0.067, 0.75, 0.93, 0.0075),
    (0.300, 0.52, 0.63, 0.0065),
    (0.060, -0.1, 0.14, 0.008),
    (0.076, -0.1, 0.20, 0.008),
)


def _sky(canvas: Canvas) -> Array:
    """Wiped gradations from indigo through blush to cream, bars of mist, and the sun."""
    x, y = canvas.grid()
    wipe = y + 0.006 * canvas.noise((3, 2), 1, octaves=2)
    rgb = ramp(
        wipe,
        [
            (0.0, "#16305e"),
            (0.045, "#2c5f94"),
            (0.11, "#8fb0b4"),
            (0.19, "#ead9b6"),
            (0.29, "#f0c79a"),
            (0.36, "#e39a73"),
            (0.42, "#d97f62"),
        ],
    )
    r = np.hypot(x - 0.80, y - 0.20)
    sun = ramp(y, [(0.09, "#d8452c"), (0.31, "#c02a2b")])
    rgb = mix(rgb, sun, smoothstep(0.1015, 0.1005, r))
    for cy, left, right, thick in _MIST:
        rows = slice(max(0, int((cy - 1.1 * thick) * canvas.unit)), int((cy + 1.1 * thick) * canvas.unit) + 1)
        across = np.maximum(np.maximum(left - x[rows], x[rows] - right), 0)
        band = smoothstep(thick, thick - 0.0015, np.hypot(across, y[rows] - cy))
        tone = ramp(y[rows] - cy, [(-0.014, "#f3ead6"), (0.010, "#dcbf9c")])
        rgb[rows] = mix(rgb[rows], tone, band)
    return rgb


_PUFFS = (("#f6eedb", "#e9b48c"), ("#f3dfc0", "#d98b74"), ("#e6e6d6", "#8fb0b4"))


def _clouds(block: Block, rng: np.random.Generator) -> None:
    """Banks of cloud along the horizon, in ringed puffs, the higher behind the lower."""
    count = 95
    x = np.linspace(-0.03, 1.03, count) + rng.normal(0, 0.012, count)
    mound = 0.020 + 0.115 * np.clip(np.sin(5.6 * x + 1.5) + 0.45 * np.sin(13 * x + 0.4), 0, 2) / 1.45
    y = 0.415 - mound * rng.uniform(0.05, 1, count)
    reach = 0.014 + 0.20 * mound * rng.uniform(0.5, 1, count)
    for index in np.argsort(y):
        light, shade = _PUFFS[int(rng.integers(0, 3))]
        block.disc(x[index], y[index], reach[index] + 0.0013, None)
        for ring in range(6):
            block.disc(x[index], y[index], reach[index] * (1 - 0.17 * ring), shade if ring % 2 else light)


def _mountain(block: Block) -> None:
    """A far cone with snow and ridges."""
    t = np.linspace(-1, 1, 61)
    top = 0.405 - 0.150 * np.exp(-2.1 * np.abs(t)) * (1 - np.abs(t)) ** 0.5 - 0.004 * (np.abs(t) < 0.05)
    outline = np.stack([0.735 + 0.245 * t, top], axis=-1)
    block.fill(np.concatenate([outline, [[0.99, 0.42], [0.48, 0.42]]]), "#3f6f98")
    snow = np.abs(t) < 0.30
    teeth = 0.020 * np.abs(((np.arange(snow.sum()) * 0.43) % 1) - 0.5) + 0.332
    block.fill(
        np.concatenate(
            [
                outline[snow],
                np.stack([outline[snow][::-1, 0], np.maximum(teeth, outline[snow][::-1, 1])], axis=-1),
            ]
        ),
        "#f6eedb",
    )
    for lean in np.linspace(-0.85, 0.85, 19):
        s = np.linspace(0.28, 0.95, 12)
        line = np.stack([0.735 + 0.245 * lean * s, np.interp(lean * s, t, top) + 0.012 + 0.02 * s], axis=-1)
        block.line(line, 0.0016 * np.sin(np.pi * np.linspace(0.05, 1, 12)))
    block.line(outline, 0.0016)


def _plovers(block: Block, rng: np.random.Generator) -> None:
    """Birds over the water."""
    for x, y, size, turn in (
        (0.60, 0.065, 0.020, -0.2),
        (0.665, 0.108, 0.016, -0.3),
        (0.535, 0.125, 0.014, -0.1),
        (0.945, 0.125, 0.018, 0.2),
        (0.90, 0.335, 0.013, 0.1),
        (0.60, 0.205, 0.013, -0.25),
    ):
        t = np.linspace(0, 1, 12)
        for side in (-1, 1):
            wing = np.stack([side * t * size * 1.5, -size * np.sin(2.4 * t) * 0.75 * (1 - 0.35 * t)], axis=-1)
            wing = wing @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + (x, y)
            block.line(wing, size * 0.34 * (1 - t) ** 0.8 + 0.0008)
        block.disc(x, y + 0.1 * size, 0.26 * size, None)


def draw(size: int, seed: int) -> Image.Image:
    """The picture at long side ``size``."""
    canvas = raster(size, ASPECT, seed)
    rng = canvas.rng(1)
    block = Block(canvas, Image.fromarray((np.clip(_sky(canvas), 0, 1) * 255).astype(np.uint8)))
    _clouds(block, canvas.rng(2))
    _plovers(block, rng)
    _mountain(block)
    _scales(block, 0.385, 0.56, 0.034)
    for foot, long, tall, shift in _ROWS:
        great = tall > 0.3
        lefts = np.array([shift]) if great else np.arange(shift - 2 * long, 1.1, long * 0.93)
        if not great:
            band = np.array([[-0.1, foot - 0.012], [1.1, foot - 0.012], [1.1, 0.9], [-0.1, 0.9]])
            block.fill(band, "#16305e")
        for left in lefts[::-1]:
            _breaker(block, float(left), foot, long, tall * (1 if great else rng.uniform(0.95, 1.25)), rng)
        for left in lefts if great else lefts[::-1]:
            _swell(
                block,
                float(left),
                foot,
                long * (1 if great else 0.95),
                min(tall, 0.16),
                0.05 + 0.35 * min(tall, 0.16),
            )
    return finish(block.impression(), size, ASPECT)
