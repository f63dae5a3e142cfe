"""Blocks of wood: flat inks under a key block of dark lines, printed a hair off the mark on grained paper."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .canvas import Array, Canvas, color

INK = "#101d3a"
CREAM = "#f6eedb"


class Block:
    """The color blocks and the key block, drawn in unit coordinates."""

    def __init__(self, canvas: Canvas, flat: Image.Image) -> None:
        self.canvas = canvas
        self.unit = canvas.unit
        self.flat = flat
        self.key = Image.new("L", flat.size, 0)
        self.pens = ImageDraw.Draw(self.flat), ImageDraw.Draw(self.key)

    def fill(self, points: NDArray, fill: str) -> None:
        """A flat shape; whatever the key block had there is covered."""
        pixels = (points * self.unit).ravel().tolist()
        self.pens[0].polygon(pixels, fill=fill)
        self.pens[1].polygon(pixels, fill=0)

    def line(self, points: NDArray, width: NDArray | float) -> None:
        """An ink line whose ``width`` may change along it."""
        step = np.gradient(points, axis=0)
        normal = np.stack([-step[:, 1], step[:, 0]], axis=-1) / (np.hypot(step[:, 0], step[:, 1])[:, None] + 1e-9)
        half = (np.broadcast_to(np.asarray(width), (len(points),)) / 2)[:, None] * normal
        outline = np.concatenate([points + half, (points - half)[::-1]])
        self.pens[1].polygon((outline * self.unit).ravel().tolist(), fill=255)

    def disc(self, x: float, y: float, radius: float, fill: str | None) -> None:
        """A disc of color, or (``fill`` None) of ink on the key block."""
        box = [
            (x - radius) * self.unit,
            (y - radius) * self.unit,
            (x + radius) * self.unit,
            (y + radius) * self.unit,
        ]
        if fill is None:
            self.pens[1].ellipse(box, fill=255)
        else:
            self.pens[0].ellipse(box, fill=fill)
            self.pens[1].ellipse(box, fill=0)

    def impression(self) -> Array:
        """Lay the inks on paper: wood grain, mottled pressure, the key block a hair's breadth off."""
        canvas = self.canvas
        _, y = canvas.grid()
        paper = color("#f1e6cc") * (1 + 0.022 * canvas.noise((90, 420), 60, octaves=2))[..., None]
        rings = y * 26 + 2.2 * canvas.noise((1.6, 4.5), 61, octaves=2)
        grain = np.abs(np.sin(np.pi * rings)) ** 3 - 0.4 + canvas.noise((22, 460), 62) * 0.45
        press = 0.96 + 0.045 * grain + 0.012 * canvas.noise(7, 63, octaves=2) + 0.014 * canvas.noise(420, 64)
        flat = np.asarray(self.flat, dtype=np.float32) / 255
        ink = np.clip(1 - flat / color(CREAM), 0, 1) * np.clip(press, 0.6, 1.06)[..., None]
        shift = max(1, round(canvas.unit * 0.0009))
        key = np.zeros(canvas.shape, dtype=np.float32)
        key[shift:, shift:] = np.asarray(self.key, dtype=np.float32)[:-shift, :-shift] / 255
        dark = 1 - key[..., None] * (0.93 + 0.04 * grain[..., None]) * (1 - color(INK))
        return np.asarray(paper * (1 - ink) * np.clip(dark, 0, 1), dtype=np.float32)
