"""Harvest Moon: a tree on a hill, cut in linoleum and printed from three blocks.

Every region has two coordinates: across the gouge marks and along them. A mark is a lens in these
coordinates; the lighter the tone the wider it is cut, so that light is made of nothing but marks, as with the
gouge.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .canvas import Array, Canvas, color, finish, mix, ramp, raster, smoothstep

ASPECT = 0.8
_MOON = (0.46, 0.335)
_PAPER = "#f4ead2"
_KEY = "#15182b"


def _random(index: NDArray, salt: int) -> Array:
    """A number in [0, 1) for every whole number."""
    mixed = index.astype(np.int32).astype(np.uint32) * np.uint32(2654435761) + np.uint32(salt * 374761393 & 0xFFFFFFFF)
    mixed = (mixed ^ (mixed >> np.uint32(15))) * np.uint32(2246822519)
    return ((mixed ^ (mixed >> np.uint32(13))) >> np.uint32(8)).astype(np.float32) / np.float32(1 << 24)


class _Blocks:
    """The color under the key block and how deep the key block is cut, both (H, W), and marks over them."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.x, self.y = canvas.grid()
        self.tint = np.zeros((*canvas.shape, 3), dtype=np.float32)
        self.cut = np.zeros(canvas.shape, dtype=np.float32)
        self.hand = canvas.noise(60, 1, octaves=2) * 0.08

    def marks(
        self,
        mask: NDArray,
        tint: Array,
        across: Array,
        along: Array,
        tone: Array,
        salt: int,
        *,
        taper: float = 1.0,
    ) -> None:
        """Cut the region ``mask``: ``across`` in marks (whole numbers are ridges), ``along`` in lengths of a
        mark, ``tone`` from 0 (uncut, ink) to 1 (all cut)."""
        rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
        box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        across, along, tone = across[box], along[box], np.broadcast_to(tone, mask.shape)[box]
        place = across + self.hand[box]
        line = np.floor(place)
        run = along + _random(line, salt)
        step = np.floor(run)
        own = line * 131 + step
        t = run - step
        lens = np.sqrt(np.clip(np.minimum(t * 3.4, (1 - t) * 2.2 / taper), 0, 1))
        wide = np.clip(tone + 0.22 * (_random(own, salt + 1) - 0.5), 0, 1.1) * (1 - taper + taper * lens)
        # Distance from the middle of the mark in pixels smooths its edge over about one of them.
        middle = np.abs(place - line - 0.5)
        down, right = np.gradient(across)
        amount = np.clip((0.5 * wide - middle) / (np.sqrt(down * down + right * right) + 1e-6) + 0.5, 0, 1) * (
            tone > 0.03
        )
        inside = mask[box].astype(np.float32)
        self.tint[box] = mix(self.tint[box], tint[box], inside)
        self.cut[box] = self.cut[box] * (1 - inside) + amount * inside


def _sky(block: _Blocks) -> None:
    """Rays that double in number outwards, and the moon in rings."""
    x, y = block.x, block.y
    dx, dy = x - _MOON[0], y - _MOON[1]
    r, theta = np.hypot(dx, dy), np.arctan2(dy, dx)
    octave = np.floor(np.log2(np.maximum(r, 0.1) / 0.12) + 0.12 * np.sin(6 * theta))
    count = 60 * 2 ** np.clip(octave, 0, 3)
    swirl = theta + 0.22 * np.sin(9 * r) + 0.03 * block.canvas.noise(5, 2)
    tone = 0.82 - 0.62 * smoothstep(0.12, 0.52, r) + 0.10 * np.sin(38 * r)
    tint = ramp(r, [(0.10, "#f6c453"), (0.22, "#ec8a3a"), (0.36, "#d4502f"), (0.52, "#a32c3a"), (0.75, "#5d1f45")])
    block.marks(x < 2, tint, swirl / (2 * np.pi) * count, r / 0.055, tone, 10)
    ring = r / 0.0105
    block.marks(
        r < 0.122,
        ramp(r, [(0.0, "#fff4cf"), (0.12, "#f8d473")]),
        ring,
        theta / 0.55,
        0.93 - 0.25 * (r > 0.11),
        12,
        taper=0.6,
    )
    for number, (cx, cy, wide, tall) in enumerate(
        (
            (0.13, 0.13, 0.17, 0.030),
            (0.66, 0.10, 0.19, 0.034),
            (0.70, 0.27, 0.13, 0.024),
            (0.10, 0.36, 0.13, 0.022),
            (0.42, 0.055, 0.16, 0.02),
        )
    ):
        u, v = (x - cx) / wide, (y - cy) / tall
        cloud = np.hypot(u, v * (1 + 0.35 * np.sin(7 * u + number))) < 1
        tint = np.broadcast_to(color("#f3c9a4"), block.tint.shape)
        block.marks(
            cloud,
            tint,
            v * 2.6 + 0.7 * np.sin(3 * u),
            u * 2.4,
            np.clip(0.95 - 0.5 * np.abs(v) + 0.2 * -v, 0, 1),
            20 + number,
        )


def _fields(block: _Blocks) -> None:
    """Three ranges and two plowed fields whose furrows run to a point."""
    x, y = block.x, block.y
    for number, (base, rise, phase, tones, stops) in enumerate(
        (
            (0.555, 0.030, 0.4, 0.55, ((0.0, "#7c6a9e"), (1.0, "#3f4f86"))),
            (0.600, 0.026, 2.7, 0.50, ((0.0, "#3f8f93"), (1.0, "#1f5f73"))),
        )
    ):
        top = base - rise * (np.sin(5 * x + phase) + 0.5 * np.sin(11 * x + 2 * phase))
        deep = y - top
        tone = np.clip(tones - 4.5 * deep, 0.1, 1)
        block.marks(
            deep > 0,
            ramp(deep / 0.1, stops),
            deep / 0.0082 + 3 * np.sin(6 * x + phase),
            x / 0.085 + deep * 9,
            tone,
            30 + 3 * number,
        )
        block.cut = np.where(np.abs(deep) < 0.0022, 0, block.cut)
    top = 0.655 + 0.035 * np.sin(3.3 * x + 2.2) + 0.008 * np.sin(13 * x)
    deep = y - top
    left = (x - 0.95) / (deep + 0.21)
    right = (x + 0.25) / (deep + 0.24)
    edge = 0.36 + 1.05 * deep + 0.05 * np.sin(14 * deep)
    near = np.sqrt(np.clip(deep, 0, 1))
    wheat = ramp(deep / 0.35, [(0.0, "#f3c14e"), (0.5, "#e29a35"), (1.0, "#c8622c")])
    green = ramp(deep / 0.35, [(0.0, "#a9bf62"), (0.5, "#4f9a6a"), (1.0, "#1d6a66")])
    wave = 0.62 - 0.20 * np.sin(5 * x + 20 * deep)
    block.marks(deep > 0, wheat, left * 15, near / 0.040, np.clip(wave + 0.05, 0.2, 0.9), 40)
    block.marks((deep > 0) & (x > edge), green, right * 17, near / 0.048, np.clip(wave - 0.08, 0.15, 0.9), 44)
    rim = (np.abs(deep) < 0.0028) | ((np.abs(x - edge) < 0.004 + 0.012 * deep) & (deep > 0))
    block.cut = np.where(rim, 0, block.cut)


def _limbs(rng: np.random.Generator) -> list[tuple[float, float, float, float, float]]:
    """Branches as short straight pieces: x, y, direction, length, girth."""
    pieces: list[tuple[float, float, float, float, float]] = []
    front = [(0.215, 0.80, -np.pi / 2 + 0.05, 0.030, 0)]
    while front:
        x, y, turn, girth, depth = front.pop()
        for _ in range(int(9 - depth)):
            step = 0.017 - 0.0012 * depth
            turn += rng.normal(0, 0.10) + 0.015 * np.sin(40 * y)
            pieces.append((x, y, turn, step, girth))
            x, y = x + step * np.cos(turn), y + step * np.sin(turn)
            girth *= 0.955
        if depth < 5:
            spread = rng.uniform(0.32, 0.55)
            front += [
                (x, y, turn - spread, girth * 0.72, depth + 1),
                (x, y, turn + spread * rng.uniform(0.8, 1.1), girth * 0.68, depth + 1),
            ]
            if depth > 0 and rng.random() < 0.45:
                front.append((x, y, turn, girth * 0.6, depth + 1))
    return pieces


_FOLIAGE = ((0.0, "#ffe9a0"), (0.3, "#f2b33d"), (0.55, "#d9622b"), (0.8, "#4f9a6a"), (1.1, "#1d6a66"))


def _leaves(block: _Blocks, twigs: NDArray, rng: np.random.Generator) -> None:
    """One leaf, cut on both sides of its rib, at every twig (n, 3: x, y, direction)."""
    count = len(twigs)
    place = twigs[:, :2] + rng.normal(0, 0.016, (count, 2))
    lies, reaches = twigs[:, 2] + rng.normal(0, 0.9, count), rng.uniform(0.013, 0.026, count)
    light = np.hypot(*(place - _MOON).T) * 2.2 + rng.normal(0, 0.12, count)
    for (lx, ly), lie, reach, tint in zip(place, lies, reaches, ramp(light, _FOLIAGE), strict=True):
        box = block.canvas.box(lx, ly, reach)
        dx, dy = (block.x[box] - lx) / reach, (block.y[box] - ly) / reach
        u, v = dx * np.cos(lie) + dy * np.sin(lie), np.abs(dy * np.cos(lie) - dx * np.sin(lie))
        blade, pixel = 0.42 * np.maximum(1 - u * u, 0), block.canvas.unit * reach
        body = np.clip((blade - v) * pixel + 0.5, 0, 1)
        cut = np.clip(np.minimum(0.64 * blade - v + 0.02, v - 0.05) * pixel + 0.5, 0, 1) * (np.abs(u) < 0.86)
        block.tint[box] += (tint - block.tint[box]) * body[..., None]
        block.cut[box] += (cut - block.cut[box]) * body


def _tree(block: _Blocks) -> None:
    """Crown of separate leaf cuts, then trunk and branches with long marks of bark."""
    x, y, canvas = block.x, block.y, block.canvas
    rng = canvas.rng(8)
    pieces = _limbs(rng)
    _leaves(block, np.array([piece[:3] for piece in pieces if piece[4] <= 0.0085]).repeat(3, axis=0), rng)
    for px, py, turn, step, girth in pieces:
        box = block.canvas.box(px, py, girth + step)
        u = (x[box] - px) * np.cos(turn) + (y[box] - py) * np.sin(turn)
        v = -(x[box] - px) * np.sin(turn) + (y[box] - py) * np.cos(turn)
        away = np.hypot(np.maximum(np.maximum(-u, u - step), 0), v)
        body = np.clip((girth - away) * canvas.unit + 0.5, 0, 1)
        side = v / girth
        bark = (
            np.clip(0.5 + 3 * np.sin(9 * side + 130 * y[box] * girth * 20) - 1.9 + 1.3 * side, 0, 1)
            * (girth > 0.006)
            * (np.abs(side) < 0.85)
        )
        block.tint[box] = mix(block.tint[box], np.broadcast_to(color("#e0813a"), block.tint[box].shape), body)
        block.cut[box] = block.cut[box] * (1 - body) + body * bark


def _birds(block: _Blocks) -> None:
    """Swallows of uncut block before the moon."""
    for cx, cy, size, turn in (
        (0.53, 0.30, 0.030, -0.3),
        (0.585, 0.375, 0.024, -0.1),
        (0.655, 0.335, 0.020, -0.4),
        (0.49, 0.235, 0.020, 0.1),
        (0.72, 0.405, 0.017, -0.2),
    ):
        box = block.canvas.box(cx, cy, 2 * size)
        dx, dy = (block.x[box] - cx) / size, (block.y[box] - cy) / size
        u, v = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        arc = -0.75 * np.sin(np.minimum(np.abs(u), 1.4) * 2.0) + 0.15
        body = (np.abs(v - arc) < 0.20 * np.clip(1.4 - np.abs(u), 0, 1) ** 0.8) & (np.abs(u) < 1.4)
        block.cut[box][body] = 0


def _print(block: _Blocks) -> Array:
    """Ink on paper: the color blocks, then the key, both starved here and there by the roller."""
    canvas = block.canvas
    paper = color(_PAPER) * (1 + 0.018 * canvas.noise((300, 200), 40, octaves=2))[..., None]
    salt = canvas.noise(330, 41) + 0.6 * canvas.noise(24, 42, octaves=2)
    cover = 0.97 - 0.30 * smoothstep(2.2, 3.2, salt)
    # Here and there the gouge went through to the paper: the ridges it left still catch ink.
    tint = 1 - (1 - block.tint / color(_PAPER)) * (0.94 + 0.03 * canvas.noise(260, 43))[..., None]
    rgb = paper * tint
    key = (1 - block.cut) * cover
    return mix(rgb.astype(np.float32), np.broadcast_to(color(_KEY), rgb.shape), key)


def draw(size: int, seed: int) -> Image.Image:
    """The picture at long side ``size``."""
    canvas = raster(size, ASPECT, seed)
    canvas = canvas.at(round(canvas.unit * 0.75))  # the edges of the marks are smooth already
    block = _Blocks(canvas)
    for stage in _STAGES:
        stage(block)
    return finish(_print(block), size, ASPECT)


_STAGES: Sequence = (_sky, _fields, _birds, _tree)
