"""Mountain Rain: peaks in mist, pines and a boat, in ink and a little color on silk.

Washes lie as optical density, so that they deepen where they overlap; the strokes that model the rock (cun)
are noise in the coordinates of the slope, across and down from the ridge.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .canvas import Array, Canvas, blur, color, finish, raster, smoothstep

ASPECT = 1.25
# What the pigments swallow of red, green and blue.
_SUMI = np.array([1.00, 0.93, 0.84], dtype=np.float32)
_INDIGO = np.array([1.05, 0.60, 0.34], dtype=np.float32)
_OCHRE = np.array([0.22, 0.50, 0.95], dtype=np.float32)
_CINNABAR = np.array([0.14, 1.05, 1.20], dtype=np.float32)
_MALACHITE = np.array([0.85, 0.36, 0.55], dtype=np.float32)
# Foot of the mist, height of the peaks, peaks along the sheet, ink, tint, its strength
_SUN = (0.50, 0.105)
_SHORE = 0.688
_RANGES = (
    (0.33, 0.22, 5.0, 0.30, _INDIGO, 0.42),
    (0.38, 0.25, 4.0, 0.46, _INDIGO, 0.46),
    (0.45, 0.30, 4.5, 0.66, _MALACHITE, 0.50),
    (0.53, 0.27, 5.5, 0.86, _OCHRE, 0.46),
    (0.61, 0.20, 5.0, 1.10, _MALACHITE, 0.50),
    (0.735, 0.155, 4.0, 1.45, _OCHRE, 0.50),
)


def _line(canvas: Canvas, cells: float, key: int, octaves: int, gain: float) -> Array:
    """One row of noise (width,)."""
    row = Canvas(canvas.width, 1, canvas.seed)
    return row.noise((cells, 1.0), key, octaves, gain)[0]


def _profile(canvas: Canvas, foot: float, tall: float, peaks: float, key: int) -> Array:
    """Height (y) of a ridge for every column: steep towers with ragged shoulders."""
    tower = _line(canvas, peaks, key, 1, 0.5)
    ragged = _line(canvas, peaks * 3.1, key + 1, 5, 0.62)
    rise = 1 / (1 + np.exp(-0.62 * (tower + 0.42 * ragged)))
    return np.asarray(foot - tall * (0.10 + 0.95 * rise) - 0.011 * ragged, dtype=np.float32)


def _slope(canvas: Canvas, top: Array, depth: Array, key: int) -> tuple[Array, Array]:
    """Strokes of the rock and its lit side, both (H, W), in the coordinates of the slope."""
    lattice = Canvas(canvas.width, canvas.height, canvas.seed)
    lean = np.gradient(blur(top[None], canvas.unit / 90)[0]) * 1.0
    rows = np.clip((depth * canvas.unit).astype(np.int32), 0, canvas.height - 1)
    shift = np.clip(
        np.arange(canvas.width)[None] - (rows * np.clip(lean, -1.2, 1.2)[None] * 0.55).astype(np.int32),
        0,
        canvas.width - 1,
    )
    fine = lattice.noise((190, 13), key + 2, octaves=2)
    broad = lattice.noise((34, 9), key + 3, octaves=2)
    return fine[rows, shift] + 0.6 * broad[rows, shift], np.asarray(
        broad[rows, shift] - 1.2 * lean[None], dtype=np.float32
    )


def _mountains(canvas: Canvas, x: Array, y: Array, density: Array) -> list[Array]:
    """Lay the ranges from far to near, each out of the mist at its foot; gives their ridges."""
    ridges = []
    mist = canvas.noise((6, 11), 30, octaves=3)
    for number in range(len(_RANGES)):
        foot, tall, peaks = _RANGES[number][:3]
        ridges.append(_profile(canvas, foot, tall, peaks, 100 + 10 * number))
        below = slice(max(0, int((float(ridges[-1].min()) - 0.003) * canvas.unit)), None)
        _range(canvas, number, ridges[-1], x[below], y[below], mist[below], density[below])
    return ridges


def _range(canvas: Canvas, number: int, top: Array, x: Array, y: Array, mist: Array, density: Array) -> None:
    """Lay one range with the ridge ``top`` over what stands behind it."""
    _, tall, _, ink, tint, strength = _RANGES[number]
    depth = y - top[None]
    inside = smoothstep(-0.0005, 0.0012, depth)
    strokes, lit = _slope(canvas, top, depth, 100 + 10 * number)
    reach = tall * np.clip(1.05 + 0.10 * mist, 0.5, 1.6)
    fade = smoothstep(1.0, 0.12, depth / reach)
    cun = smoothstep(0.2, 2.0, strokes) * (0.5 + 0.5 * smoothstep(1.8, -1.8, lit))
    wash = 0.20 * fade + 0.34 * fade * smoothstep(0.8, -1.6, lit)
    broken = smoothstep(-2.0, 0.8, strokes)
    edge = (
        np.exp(-((depth / (0.0018 + 0.0016 * broken)) ** 2)) * (0.35 + 0.65 * broken) * smoothstep(-0.002, 0.0, depth)
    )
    black = ink * (wash + 1.25 * cun * fade**0.7 + 1.0 * edge)
    tone = strength * (0.75 * fade + 0.35 * fade * smoothstep(-1.2, 1.6, lit))
    # Curls of mist are drawn with a dry line where the wash has faded.
    curl = np.exp(-((np.sin(42 * depth / tall**0.5 + 1.1 * mist + 9 * x) / 0.16) ** 2)) * smoothstep(
        -0.5, 1.5, strokes + mist
    )
    black += 0.22 * curl * smoothstep(0.75, 0.2, fade) * smoothstep(2.2, 1.1, depth / reach)
    # The mist between two ranges hides what stands behind.
    keep = 1 - inside * np.clip(0.97 - 0.02 * mist, 0.9, 1)
    density *= keep[..., None]
    density += (inside * black)[..., None] * _SUMI + (inside * tone)[..., None] * tint


def _sky(canvas: Canvas, x: Array, y: Array) -> Array:
    """Broad wet strokes, rain, scrolls of cloud, and the sun as a cinnabar disc."""
    wet = canvas.noise((5, 16), 1, octaves=3)
    tone = 0.10 + 0.10 * smoothstep(-0.6, 1.2, wet) + 0.16 * smoothstep(0.16, 0.0, y) * (1 + 0.5 * wet)
    density = tone[..., None] * _SUMI * 0.55 + (0.9 * tone)[..., None] * _INDIGO * 0.6 + 0.05 * _OCHRE
    rain = smoothstep(0.9, 2.0, canvas.noise((260, 9), 2)[:, ::-1]) * smoothstep(0.5, 0.1, y)
    density += (0.10 * rain)[..., None] * _SUMI
    swirl = 9 * (y + 0.035 * canvas.noise(7, 3, octaves=2)) / 0.2 + 1.3 * canvas.noise(4, 4)
    scroll = np.exp(-((np.abs(np.sin(np.pi * swirl * 0.5)) / 0.045) ** 2)) * smoothstep(
        -0.1, 0.9, canvas.noise(6, 5, octaves=2)
    )
    density += (0.28 * scroll)[..., None] * _SUMI
    r = np.hypot(x - _SUN[0], y - _SUN[1])
    sun = smoothstep(0.056, 0.0545, r) * (0.80 + 0.12 * canvas.noise(60, 6, octaves=2)) + 0.30 * np.exp(
        -(((r - 0.0548) / 0.0016) ** 2)
    )
    density = density * (1 - 0.8 * smoothstep(0.056, 0.0545, r))[..., None] + sun[..., None] * _CINNABAR
    return density.astype(np.float32)


def _water(canvas: Canvas, x: Array, y: Array, density: Array) -> None:
    """The river in front: lines of ripples over a pale wash."""
    shore = _SHORE + 0.006 * np.sin(9 * x) + 0.004 * canvas.noise(16, 8)
    inside = smoothstep(0.0, 0.004, y - shore)
    ripple = np.maximum(y - 0.6, 0) ** 0.75 * 330 + 1.5 * np.sin(24 * x + 45 * y) + 0.9 * canvas.noise((9, 14), 9)
    brush = smoothstep(-2.2, 1.0, canvas.noise((12, 50), 10, octaves=2))
    lines = smoothstep(0.25, 0.85, np.sin(ripple)) * brush
    density *= (1 - 0.86 * inside)[..., None]
    density += (inside * (0.10 + 0.85 * lines))[..., None] * _SUMI + (inside * (0.30 + 0.18 * brush))[
        ..., None
    ] * _INDIGO


def _pine(draw: ImageDraw.ImageDraw, unit: float, x: float, y: float, tall: float, rng: np.random.Generator) -> None:
    """A bent trunk with tiers of needle fans, drawn in ink (0–255)."""
    t = np.linspace(0, 1, 24)
    lean = rng.uniform(-0.35, 0.35)
    spine = np.stack([x + tall * (lean * t + 0.07 * np.sin(7 * t + 9 * x)), y - tall * t], axis=-1)
    for index in range(23):
        width = max(1, int(unit * tall * 0.050 * (1 - 0.75 * t[index])))
        draw.line([*(spine[index] * unit), *(spine[index + 1] * unit)], fill=235, width=width)
    for tier in np.linspace(0.30, 1.0, 9):
        sx, sy = spine[int(tier * 23)]
        side = 1 if rng.random() < 0.5 else -1
        for way in (side, -side):
            long = tall * rng.uniform(0.16, 0.40) * (1.15 - tier * 0.75)
            ex, ey = sx + way * long, sy + rng.uniform(-0.03, 0.05) * tall
            draw.line([sx * unit, sy * unit, ex * unit, ey * unit], fill=225, width=max(1, int(unit * tall * 0.012)))
            for place in np.linspace(0.25, 1.1, 6):
                fx, fy = sx + (ex - sx) * place, sy + (ey - sy) * place
                reach = tall * rng.uniform(0.050, 0.080)
                for turn in np.linspace(np.pi * 1.04, np.pi * 1.96, 13) + rng.normal(0, 0.06, 13):
                    tip = fx + 1.25 * reach * np.cos(turn), fy + 0.85 * reach * np.sin(turn)
                    draw.line(
                        [fx * unit, fy * unit, tip[0] * unit, tip[1] * unit],
                        fill=int(rng.integers(150, 250)),
                        width=max(1, int(unit / 900)),
                    )


def _dots(
    draw: ImageDraw.ImageDraw, unit: float, top: Array, size: float, count: int, rng: np.random.Generator
) -> None:
    """Moss dots and far trees along a ridge."""
    for x in rng.uniform(0, 1, count):
        y = float(top[min(len(top) - 1, int(x * unit))]) + abs(rng.normal(0, 1)) * 3.0 * size - 0.4 * size
        wide, tall, fill = (
            size * rng.uniform(0.6, 1.5),
            size * rng.uniform(0.4, 0.9),
            int(rng.integers(120, 235)),
        )
        if y < _SHORE - 0.004:
            draw.ellipse([(x - wide) * unit, (y - tall) * unit, (x + wide) * unit, (y + tall) * unit], fill=fill)


def _brushwork(canvas: Canvas, ridges: list[Array]) -> Array:
    """Everything done with the tip of the brush, as ink in [0, 1]."""
    image = Image.new("L", (canvas.width, canvas.height), 0)
    draw, unit, rng = ImageDraw.Draw(image), canvas.unit, canvas.rng(20)
    for top, size, count in zip(ridges[2:], (0.0016, 0.0022, 0.0028, 0.0034), (330, 360, 330, 300), strict=True):
        _dots(draw, unit, top, size, count, rng)
    for number, count, tall in ((3, 9, 0.055), (4, 9, 0.085), (5, 6, 0.16)):
        for x in rng.uniform(0.01, 0.99, count):
            foot = min(_SHORE + 0.01, float(ridges[number][min(canvas.width - 1, int(x * unit))]) + 0.006)
            _pine(draw, unit, float(x), foot, tall * rng.uniform(0.7, 1.25), rng)
    for x, y, size in ((0.60, 0.727, 0.050), (0.845, 0.765, 0.034)):
        _boat(draw, unit, x, y, size)
    for x, y in rng.uniform((0.52, 0.05), (0.74, 0.14), (9, 2)):
        wing = rng.uniform(0.005, 0.009)
        bird = np.array([(x - wing, y - 0.5 * wing), (x, y), (x + 1.1 * wing, y - 0.6 * wing)]) * unit
        draw.line(bird.ravel().tolist(), fill=215, width=max(1, int(unit / 620)))
    return np.asarray(image, dtype=np.float32) / 255


def _boat(draw: ImageDraw.ImageDraw, unit: float, x: float, y: float, size: float) -> None:
    """A hull with a cabin and a mast."""
    t = np.linspace(-1, 1, 21)
    deck = np.stack([t, -0.16 * t**2], axis=-1)
    keel = np.stack([0.86 * t[::-1], 0.15 * (1 - t[::-1] ** 2) + 0.02], axis=-1)
    cabin = np.array([(-0.32, 0), (-0.25, -0.34), (0.2, -0.34), (0.3, 0)])
    mast = np.array([(0.6, 0), (0.62, -0.85)])
    place = np.array([x, y])
    for part, fill in ((np.concatenate([deck, keel]), 240), (cabin, 170)):
        draw.polygon(((place + size * part) * unit).ravel().tolist(), fill=fill)
    draw.line(((place + size * mast) * unit).ravel().tolist(), fill=240, width=max(1, int(unit / 500)))


def _seal(canvas: Canvas, density: Array) -> None:
    """A carved seal of our own: a P of bars in cinnabar."""
    x0, y0, side = 0.045, 0.048, 0.052
    unit = canvas.unit
    image = Image.new("L", (canvas.width, canvas.height), 0)
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle(
        [x0 * unit, y0 * unit, (x0 + side) * unit, (y0 + side) * unit], radius=0.006 * unit, fill=255
    )
    for left, top, right, bottom in (
        (0.18, 0.16, 0.28, 0.86),
        (0.28, 0.16, 0.80, 0.25),
        (0.70, 0.16, 0.80, 0.52),
        (0.28, 0.45, 0.80, 0.54),
        (0.44, 0.66, 0.80, 0.74),
        (0.44, 0.32, 0.56, 0.39),
        (0.44, 0.80, 0.80, 0.87),
    ):
        draw.rectangle(
            [
                (x0 + left * side) * unit,
                (y0 + top * side) * unit,
                (x0 + right * side) * unit,
                (y0 + bottom * side) * unit,
            ],
            fill=0,
        )
    stamp = np.asarray(image, dtype=np.float32) / 255 * np.clip(0.9 + 0.25 * canvas.noise(150, 21), 0, 1)
    density *= (1 - 0.6 * stamp)[..., None]
    density += (0.95 * stamp)[..., None] * _CINNABAR


def _silk(canvas: Canvas) -> tuple[Array, Array]:
    """Color of the ground (H, W, 3) and how it takes the ink (H, W)."""
    weave = canvas.noise((500, 120), 50) * 0.5 + canvas.noise((120, 500), 51) * 0.5
    age = canvas.noise(3, 52, octaves=4)
    ground = color("#eadbb8") * (1 + 0.020 * weave + 0.028 * age)[..., None]
    return ground.astype(np.float32), np.asarray(1 + 0.04 * weave + 0.035 * canvas.noise(300, 53), dtype=np.float32)


def draw(size: int, seed: int) -> Image.Image:
    """The picture at long side ``size``."""
    canvas = raster(size, ASPECT, seed)
    canvas = canvas.at(round(canvas.unit * 0.75))
    x, y = canvas.grid()
    density = _sky(canvas, x, y)
    ridges = _mountains(canvas, x, y, density)
    _water(canvas, x, y, density)
    brush = _brushwork(canvas, ridges)
    density += (1.9 * np.clip(brush + 0.35 * blur(brush, canvas.unit / 400), 0, 1))[..., None] * _SUMI
    _seal(canvas, density)
    ground, grain = _silk(canvas)
    return finish(ground * np.exp(-np.maximum(density, 0) * grain[..., None]), size, ASPECT)
