"""Painted frames made steady: what moves with the scene is carried on, what is new comes in.

Each frame that a network paints is fused with the last result, moved along. Coarse colors and fine strokes are fused
apart: colors may follow slowly; strokes are mixtures of two that rarely lie on each other, and so get back the contrast
that mixing takes from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from nst.video.flow import Array, Motion, MotionFinder

COARSE = 4.0
"""Standard deviation in pixels of the blur that tells coarse from fine."""

MOST = 0.95
"""Of the last result, at a consistency of 100."""

SHARPER = 1.25
"""How much contrast fine strokes get back at most, in one frame."""


@dataclass
class Steady:
    """Fuses one painted frame after the other.

    Args:
        consistency: 0 leaves them alone, 100 holds on to what was.

    Attributes:
        last: the newest result, (H, W, 3) in [0, 255].
    """

    consistency: float = 80.0
    last: Array | None = None
    finder: MotionFinder = field(default_factory=MotionFinder)

    def start_from(self, frame: Array, painted: Array) -> None:
        """Go on from a frame and its result, bytes (H, W, 3)."""
        self.finder.next(frame)
        self.last = painted.astype(np.float32)

    def fuse(self, frame: Array, painted: Array) -> Array:
        """A painted frame, bytes (H, W, 3), held steady; both of one size."""
        share = MOST * self.consistency / 100
        motion = self.finder.next(frame) if share else None
        new = painted.astype(np.float32)
        if motion is not None and not motion.cut and self.last is not None and self.last.shape == new.shape:
            new = fused(new, self.last, motion, share)
        self.last = new
        return np.clip(np.rint(new), 0, 255).astype(np.uint8)


def fused(new: Array, last: Array, motion: Motion, share: float) -> Array:
    """A painted frame and the last result, moved along; `share` is how much of the latter where it is trusted."""
    moved = motion.warp(last)
    weight = (share * motion.trust)[..., None]
    coarse_new, coarse_moved = cv2.GaussianBlur(new, (0, 0), COARSE), cv2.GaussianBlur(moved, (0, 0), COARSE)
    fine_new, fine_moved = new - coarse_new, moved - coarse_moved
    fine = fine_new + weight * (fine_moved - fine_new)
    had, has = (cv2.GaussianBlur((x**2).mean(2), (0, 0), 2 * COARSE) for x in (fine_new, fine))
    gain = np.sqrt((had + 1) / (has + 1)).clip(1, SHARPER)[..., None]
    return coarse_new + weight * (coarse_moved - coarse_new) + gain * fine
