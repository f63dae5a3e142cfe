"""Transparent washes on rough paper.

Pigments lie as optical density. A wash gathers pigment at its rim as it dries, settles in the hollows of the
paper, and blooms where water ran back into it, after the effects listed by Curtis, Anderson, Seims, Fleischer
and Salesin, "Computer-Generated Watercolor" (SIGGRAPH 1997), here drawn rather than simulated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .canvas import Array, Canvas, color, relief, smoothstep


def _pigment(text: str) -> Array:
    """Density of a paint whose full wash on white paper has this color."""
    return np.asarray(-np.log(np.clip(color(text), 0.02, 0.995)), dtype=np.float32)


@dataclass(frozen=True)
class Wash:
    """One wet shape. Lengths in units of the long side, angles in radians.

    Attributes:
        place: its middle, x and y.
        size: half its length and half its width.
        paints: at its foot and at its tip, "#rrggbb".
        rim: how much pigment gathers at the edge; 0 is wet in wet.
        ragged: how far the edge wanders.
        bloom: how much water ran back into it.
    """

    kind: Literal["round", "petal", "leaf"]
    place: tuple[float, float]
    size: tuple[float, float]
    turn: float
    paints: tuple[str, str]
    strength: float = 1.0
    rim: float = 1.0
    ragged: float = 1.0
    bloom: float = 0.0


class Paper:
    """Density of paint on the sheet (H, W, 3), its tooth, and the wanderings of wet edges."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.x, self.y = canvas.grid()
        self.density = np.zeros((*canvas.shape, 3), dtype=np.float32)
        self.tooth = 0.5 * canvas.noise(190, 1, octaves=2) + 0.25 * canvas.noise(60, 2)
        self.warp = [canvas.noise(9, 3, octaves=4, gain=0.55), canvas.noise(9, 4, octaves=4, gain=0.55)]
        self.flow = canvas.noise(14, 5, octaves=3)
        self.laid = 0

    def lift(self, x: float, y: float, reach: float, share: float) -> None:
        """Take ``share`` of the paint off a round place with a wet sponge."""
        box = self.canvas.box(x, y, 1.2 * reach)
        r = np.hypot(self.x[box] - x, (self.y[box] - y) * 1.1) / reach + 0.03 * self.warp[0][box]
        self.density[box] *= (1 - share * smoothstep(1.05, 0.85, r))[..., None]

    def sheet(self) -> Array:
        """The picture (H, W, 3) in raking light."""
        white = color("#fbf6ea")
        paint = np.exp(-self.density * (1 + 0.055 * self.tooth)[..., None])
        light = relief(self.tooth * 0.12, self.canvas.unit, 0.9)
        return np.asarray(white * paint * (1 + 0.16 * light)[..., None], dtype=np.float32)

    def lay(self, wash: Wash) -> None:
        """Brush a wash onto the sheet and let it dry."""
        (x, y), (long, wide), scale = wash.place, wash.size, min(wash.size)
        box = self.canvas.box(x, y, 1.35 * max(long, wide) + 0.02)
        bend = 0.02 * wash.ragged * scale**0.6
        dx, dy = (
            grid[box] - at + bend * warp[box]
            for grid, at, warp in zip((self.x, self.y), (x, y), self.warp, strict=True)
        )
        cos, sin = math.cos(wash.turn), math.sin(wash.turn)  # Python floats leave the arrays float32
        u, v = (dx * cos + dy * sin) / long, (dy * cos - dx * sin) / wide
        inside, t = _outline(wash.kind, u, v)
        depth = inside * scale  # distance from the edge in units of the sheet, nearly
        soft = 0.0012 if wash.rim > 0 else 0.55 * scale
        cover, away = smoothstep(0.0, soft, depth), np.maximum(depth, 0)
        flow = self.flow[box] * np.float32(1 if self.laid % 2 else -1)  # no two washes dry alike
        self.laid += 1
        body = 0.66 + 0.085 * flow - 0.10 * v
        if wash.rim > 0:
            body = body + wash.rim * (0.75 * np.exp(-away / 0.0022) + 0.28 * np.exp(-away / 0.011))
        if wash.bloom > 0:
            r = np.hypot(u - 0.25, v + 0.1) + 0.055 * self.warp[0][box] + 0.03 * self.warp[1][box]
            body = body * (1 - 0.55 * wash.bloom * smoothstep(0.55, 0.35, r))
            body = (
                body
                + 0.55 * wash.bloom * np.exp(-(((r - 0.52) / 0.035) ** 2)) * (r < 0.56)
                + 0.25 * wash.bloom * np.exp(-np.abs(r - 0.52) / 0.07)
            )
        body = np.maximum(body + 0.05 * self.tooth[box], 0.04) * cover * wash.strength
        blend = smoothstep(0.15, 0.95, t + 0.07 * flow)[..., None]
        foot, tip = map(_pigment, wash.paints)
        self.density[box] += body[..., None] * (foot + (tip - foot) * blend)


def _outline(kind: str, u: Array, v: Array) -> tuple[Array, Array]:
    """How far inside (1 at the middle, 0 at the edge) and how far from foot (0) to tip (1)."""
    t = np.clip(0.5 * (u + 1), 0, 1)
    if kind == "round":
        return np.asarray(1 - np.hypot(u, v)), t
    girth = t**0.55 * (1 - t) ** 0.38 * 1.55 if kind == "petal" else t**0.7 * (1 - t) ** 0.85 * 2.3
    across = girth - np.abs(v)
    return np.asarray(np.minimum(across, 2.2 * np.minimum(t, 1 - t))), t
