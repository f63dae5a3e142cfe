"""Ebru: ink dropped on water, combed and lifted onto paper.

The drops and tines are the mathematical marbling of Lu, Jaffer, Jin, Zhao and Mao, "Mathematical Marbling"
(IEEE Computer Graphics and Applications, 2012): a drop of radius r pushes every outline from C + d to C +
d·√(1 + r²/|d|²).
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .canvas import Array, Canvas, blur, color, colors, finish, raster

ASPECT = 1.0
_INKS = colors("#12233f #8c1c2b #e9b44c #f6ead0 #1d5b6b #c8553d #0b1626 #7fb3ab")


def _drops(canvas: Canvas) -> tuple[list[Array], list[int]]:
    """Outlines (n, 2) in the order of the drops, pushed by all later ones, and their inks."""
    rng = canvas.rng(1)
    plan: list[tuple[float, float, float, int]] = []
    for ink in (0, 4, 1, 2, 3, 5, 0, 3, 1, 7, 2):
        for _ in range(19):
            plan.append((*rng.uniform(-0.05, 1.05, 2), rng.uniform(0.035, 0.062), ink))
    for _ in range(150):
        plan.append((*rng.uniform(-0.02, 1.02, 2), rng.uniform(0.006, 0.022), int(rng.choice([3, 6, 2, 0, 7]))))
    turn = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    outlines = np.zeros((len(plan), 200, 2))
    for index, (cx, cy, reach, _) in enumerate(plan):
        away = outlines[:index] - (cx, cy)
        square = np.maximum((away**2).sum(axis=-1, keepdims=True), 1e-9)
        outlines[:index] = (cx, cy) + away * np.sqrt(1 + reach * reach / square)
        outlines[index] = (cx, cy) + reach * circle
    return [outline for outline in outlines], [ink for *_, ink in plan]


def _refine(outline: Array, step: float) -> Array:
    """The closed outline with no edge longer than about ``step``."""
    closed = np.concatenate([outline, outline[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    count = int(np.clip(length[-1] / step, 12, 6000))
    place = np.linspace(0, length[-1], count, endpoint=False)
    return np.stack([np.interp(place, length, closed[:, axis]) for axis in range(2)], axis=-1)


def _comb(points: Array, axis: int, spacing: float, pull: float, sharp: float, phase: float = 0.0) -> Array:
    """Draw tines along ``axis``: those at even places pull one way, those at odd places the other."""
    across = points[:, 1 - axis] / spacing + phase
    tooth = np.floor(across)
    distance = np.abs(across - tooth - 0.5)
    sign = 1 - 2 * (tooth % 2)
    moved = points.copy()
    moved[:, axis] += pull * sign * np.exp(-distance * sharp)
    return moved


def _rake(points: Array, axis: int, spacing: float, pull: float, sharp: float, wave: float, beat: float) -> Array:
    """A one-way comb whose teeth sway by ``wave`` (length) ``beat`` times over the sheet."""
    along = points[:, axis]
    across = (points[:, 1 - axis] + wave * np.sin(2 * np.pi * beat * along)) / spacing
    distance = np.abs(across - np.floor(across) - 0.5)
    moved = points.copy()
    moved[:, axis] += pull * np.exp(-distance * sharp)
    return moved


def _swirl(points: Array, cx: float, cy: float, reach: float, turns: float) -> Array:
    away = points - (cx, cy)
    r = np.hypot(away[:, 0], away[:, 1])
    turn = 2 * np.pi * turns * np.exp(-((r / reach) ** 2))
    cos, sin = np.cos(turn), np.sin(turn)
    return np.stack([cx + away[:, 0] * cos - away[:, 1] * sin, cy + away[:, 0] * sin + away[:, 1] * cos], axis=-1)


def _pattern(points: Array) -> Array:
    """Gel-git, then a fine nonpareil comb, then the swaying bouquet rake and a few turns of the stylus."""
    points = _refine(_comb(points, 1, 0.115, 0.16, 3.2), 0.004)
    points = _refine(_comb(points, 0, 0.088, 0.11, 3.5, 0.3), 0.003)
    points = _refine(_rake(points, 0, 0.034, 0.055, 4.0, 0.0, 0.0), 0.002)
    points = _rake(points, 1, 0.142, 0.12, 3.4, 0.030, 2.0)
    for cx, cy, turns in (
        (0.23, 0.27, 0.42),
        (0.73, 0.19, -0.42),
        (0.52, 0.55, 0.5),
        (0.18, 0.80, -0.45),
        (0.82, 0.80, 0.42),
    ):
        points = _swirl(points, cx, cy, 0.085, turns)
    return points


def draw(size: int, seed: int) -> Image.Image:
    """The picture at long side ``size``."""
    canvas = raster(size, ASPECT, seed)
    outlines, inks = _drops(canvas)
    image = Image.new("RGB", (canvas.width, canvas.height), tuple((color("#1d3a52") * 255).astype(int)))
    rank = Image.new("L", image.size, 0)
    pens = ImageDraw.Draw(image), ImageDraw.Draw(rank)
    rng = canvas.rng(2)
    for outline, ink in zip(outlines, inks, strict=True):
        pixels = (_pattern(_refine(outline, 0.006)) * canvas.unit).ravel().tolist()
        shade = np.clip(_INKS[ink] * 255 * rng.uniform(0.93, 1.06), 0, 255).astype(int)
        pens[0].polygon(pixels, fill=tuple(shade.tolist()))
        pens[1].polygon(pixels, fill=int(rng.integers(60, 200)))
    rgb = np.asarray(image, dtype=np.float32) / 255
    thin = np.asarray(rank, dtype=np.float32) / 255
    # Ink gathers at the rim of a drop and speckles where the paper took less of it.
    rim = np.clip(np.abs(thin - blur(thin, canvas.unit / 420)) * 2.2, 0, 1)
    speckle = canvas.noise(420, 5) * 0.7 + canvas.noise(60, 6, octaves=2) * 0.6
    rgb = rgb * (1 - 0.30 * rim[..., None]) * (1 + 0.035 * speckle[..., None])
    fibre = canvas.noise((260, 520), 8)
    return finish(rgb + 0.014 * fibre[..., None], size, ASPECT)
