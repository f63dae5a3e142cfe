"""Garden after Rain: poppies, cornflowers and leaves in wet watercolor."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from PIL import Image

from .canvas import finish, raster, sample
from .watercolor import Paper, Wash

ASPECT = 0.8
# Neighbors on the wheel mix clean.
_WHEEL = (
    "#f9d65c",
    "#a8d86c",
    "#5cc8a0",
    "#4fc3dc",
    "#5f9cf0",
    "#9a84ee",
    "#dc86dc",
    "#fa8fae",
    "#fbb47a",
)
_GREENS = (
    ("#a9c46c", "#d9e3a0"),
    ("#6fa05a", "#b9d080"),
    ("#2f7a5c", "#8fbf74"),
    ("#1d5a5a", "#5f9f7a"),
    ("#2b4f7a", "#6fa0a0"),
)
_REDS = (("#8f1020", "#f0452a"), ("#b8123a", "#ff7a6a"), ("#c2481a", "#ffab3c"), ("#7a1f6a", "#e887bc"))
_BLUES = (("#4a2a9a", "#3f6fe0"), ("#2a3fae", "#6fa8f4"), ("#5a2f9e", "#b08cf0"))
_STEM = ("#3f7a4a", "#7fae5a")
_NIGHT = ("#1a1430", "#1a1430")
_DROPS = ("#c8324a", "#3f6fe0", "#2f8a7a", "#f0a03c", "#7a4fc0", "#1d4f6a")
# Flowers: x, y, reach, and for the poppies which red.
_POPPIES = (
    (0.24, 0.27, 0.125, 0),
    (0.57, 0.19, 0.105, 1),
    (0.55, 0.50, 0.145, 0),
    (0.17, 0.575, 0.115, 2),
    (0.37, 0.79, 0.125, 1),
    (0.70, 0.79, 0.105, 2),
    (0.08, 0.885, 0.095, 3),
    (0.73, 0.345, 0.075, 3),
    (0.055, 0.10, 0.075, 2),
)
_CORNFLOWERS = (
    (0.40, 0.075, 0.052),
    (0.405, 0.385, 0.060),
    (0.065, 0.385, 0.055),
    (0.325, 0.60, 0.048),
    (0.72, 0.635, 0.055),
    (0.53, 0.70, 0.050),
    (0.205, 0.76, 0.048),
    (0.545, 0.93, 0.055),
    (0.735, 0.075, 0.050),
    (0.24, 0.955, 0.045),
)


def _ground(paper: Paper, rng: np.random.Generator) -> None:
    """Wet in wet: turquoise, violet, rose and lemon run into each other; the hue drifts over the sheet."""
    drift = paper.canvas.noise(2.5, 12, octaves=2)
    places = [(x, y) for y in np.arange(0.04, 1.05, 0.135) for x in np.arange(0.04, 0.85, 0.145)]
    for index in rng.permutation(len(places)):
        x, y = np.array(places[index]) + rng.normal(0, 0.03, 2)
        nearby = float(sample(drift, np.clip(x, 0, 0.79), np.clip(y, 0, 0.99)))
        hue = 2.6 + 3.4 * y + 2.0 * x + 1.3 * nearby + rng.uniform(-1, 1)
        paints = _WHEEL[int(hue) % 9], _WHEEL[int(hue + 1) % 9]
        reach = rng.uniform(0.12, 0.20)
        wide, turn = reach * rng.uniform(0.6, 0.95), rng.uniform(0, 6.3)
        if index % 3:
            size, strength = (1.25 * reach, 1.25 * wide), rng.uniform(0.55, 0.85)
            paper.lay(Wash("round", (x, y), size, turn, paints, strength, rim=0.0, ragged=1.5))
        else:
            size, strength, bloom = (0.8 * reach, 0.8 * wide), rng.uniform(0.30, 0.5), rng.uniform(0.5, 1.0)
            paper.lay(Wash("round", (x, y), size, turn, paints, strength, rim=0.9, ragged=1.5, bloom=bloom))


def _foliage(paper: Paper, rng: np.random.Generator) -> None:
    """Leaves, the light ones behind."""
    for index in range(96):
        paints = _GREENS[min(4, int(rng.integers(0, 3) + index // 38))]
        long = rng.uniform(0.045, 0.115)
        place = rng.uniform(0.0, 0.8), rng.uniform(0.12, 1.02)
        turn = -np.pi / 2 + rng.normal(0, 0.75)
        size = long, long * rng.uniform(0.18, 0.32)
        strength, bloom = rng.uniform(0.7, 1.05), 0.6 * float(rng.random() < 0.3)
        paper.lay(Wash("leaf", place, size, turn, paints, strength, rim=0.9, ragged=0.8, bloom=bloom))


def _stem(paper: Paper, x: float, y: float, reach: float, rng: np.random.Generator) -> None:
    """A swaying stalk in nine short touches."""
    sway = rng.uniform(-0.07, 0.07)
    s = np.arange(10) / 9
    points = np.stack([x + sway * s**1.5, y + 0.5 * reach + 0.32 * s], axis=-1)
    for start, end in pairwise(points):
        middle, step = (start + end) / 2, end - start
        size = 0.625 * float(np.hypot(*step)), 0.0042
        turn = float(np.arctan2(step[1], step[0]))
        paper.lay(Wash("round", (middle[0], middle[1]), size, turn, _STEM, 0.8, rim=0.5, ragged=0.3))


def _petal(
    paper: Paper,
    x: float,
    y: float,
    reach: float,
    turn: float,
    paints: tuple[str, str],
    rng: np.random.Generator,
) -> None:
    """A broad petal of a poppy, and its veins."""
    long = 0.52 * reach * rng.uniform(0.9, 1.12)
    place = x + 0.50 * reach * np.cos(turn), y + 0.46 * reach * np.sin(turn)
    strength, bloom = rng.uniform(0.75, 1.0), rng.uniform(0.2, 0.9)
    paper.lay(Wash("petal", place, (long, 0.92 * long), turn, paints, strength, rim=0.9, bloom=bloom))
    for vein in rng.uniform(-0.45, 0.45, 4):
        place = x + 0.46 * reach * np.cos(turn + vein), y + 0.44 * reach * np.sin(turn + vein)
        size = 0.24 * reach, 0.010 * reach + 0.0008
        paper.lay(Wash("leaf", place, size, turn + 1.15 * vein, (paints[0],) * 2, 0.55, rim=0.0, ragged=0.2))


def _poppy(paper: Paper, x: float, y: float, reach: float, hue: int, rng: np.random.Generator) -> None:
    """Five petals on damp white paper, a dark heart and its stamens."""
    start = rng.uniform(0, 6.3)
    paper.lift(x, y, reach, 0.88)
    for petal in range(5):
        _petal(paper, x, y, reach, start + petal * 2 * np.pi / 5 + rng.normal(0, 0.12), _REDS[hue], rng)
    heart = ("#1a1430", "#35245a")
    paper.lay(Wash("round", (x, y), (0.17 * reach, 0.15 * reach), 0.0, heart, 1.5, rim=0.6, ragged=0.8))
    for turn in rng.uniform(0, 6.3, 16):
        far = reach * rng.uniform(0.20, 0.34)
        place = x + far * np.cos(turn), y + far * np.sin(turn)
        size = 0.022 * reach + 0.001, 0.016 * reach + 0.001
        paper.lay(Wash("round", place, size, turn, _NIGHT, 1.6, rim=0.0, ragged=0.3))


def _cornflower(paper: Paper, x: float, y: float, reach: float, rng: np.random.Generator) -> None:
    """A wheel of narrow petals in ultramarine and violet."""
    paints = _BLUES[int(rng.integers(0, 3))]
    for turn in np.arange(11) * 2 * np.pi / 11 + rng.uniform(0, 6.3):
        long = 0.5 * reach * rng.uniform(0.8, 1.15)
        place = x + 0.55 * reach * np.cos(turn), y + 0.5 * reach * np.sin(turn)
        paper.lay(Wash("petal", place, (long, 0.36 * long), turn, paints, 0.95, rim=0.8, ragged=0.6))
    heart = ("#2a1050", "#7a2a8a")
    paper.lay(Wash("round", (x, y), (0.20 * reach, 0.18 * reach), 0.0, heart, 1.3, rim=0.5, ragged=0.8))


def _splash(paper: Paper, rng: np.random.Generator) -> None:
    """Drops from the brush."""
    for _ in range(150):
        place, reach = (rng.uniform(0, 0.8), rng.uniform(0, 1)), rng.gamma(1.5, 0.0016) + 0.0008
        tint = str(rng.choice(_DROPS))
        strength = rng.uniform(0.4, 0.9)
        paper.lay(Wash("round", place, (reach, 0.9 * reach), 0.0, (tint, tint), strength, rim=0.8, ragged=0.2))


def draw(size: int, seed: int) -> Image.Image:
    """The picture at long side ``size``."""
    canvas = raster(size, ASPECT, seed)
    canvas = canvas.at(round(canvas.unit * 0.6))  # wet edges need less oversampling
    paper, rng = Paper(canvas), canvas.rng(9)
    ground = Paper(canvas.at(round(canvas.unit / 2)))  # soft washes need only half the raster
    _ground(ground, rng)
    for channel in range(3):
        small = Image.fromarray(ground.density[..., channel])
        large = small.resize((canvas.width, canvas.height), Image.Resampling.BICUBIC)
        paper.density[..., channel] = np.asarray(large)
    _foliage(paper, rng)
    for x, y, reach in (*(poppy[:3] for poppy in _POPPIES), *_CORNFLOWERS):
        _stem(paper, x, y, reach, rng)
    for x, y, reach in _CORNFLOWERS:
        _cornflower(paper, x, y, reach, rng)
    for x, y, reach, hue in _POPPIES:
        _poppy(paper, x, y, reach, hue, rng)
    _splash(paper, rng)
    return finish(paper.sheet(), size, ASPECT)
