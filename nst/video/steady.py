"""Painted frames made steady: what moves with the scene is carried on, what is new comes in.

Each frame that a network paints is fused with the last result, moved along. Coarse colors take that as it is; fine
strokes, which rarely lie quite on each other, get back the contrast that mixing takes from them.
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

SMALLER = 4
"""How many times smaller the picture is in which that is done."""

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
    mixed = new + (share * motion.trust)[..., None] * (motion.warp(last) - new)
    coarse = _coarse(mixed)
    fine = mixed - coarse
    had, has = _energy(new - _coarse(new)), _energy(fine)
    gain = np.sqrt((had + 1) / (has + 1)).clip(1, SHARPER)
    return coarse + cv2.resize(gain, new.shape[1::-1], interpolation=cv2.INTER_LINEAR)[..., None] * fine


def _coarse(image: Array) -> Array:
    blurred = cv2.GaussianBlur(_small(image), (0, 0), COARSE / SMALLER)
    return cv2.resize(blurred, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _energy(fine: Array) -> Array:
    """The mean square around each pixel, of a smaller picture."""
    return cv2.GaussianBlur(_small(fine * fine).mean(2), (0, 0), 2 * COARSE / SMALLER)


def _small(image: Array) -> Array:
    size = (max(1, side // SMALLER) for side in image.shape[1::-1])
    return cv2.resize(image, tuple(size), interpolation=cv2.INTER_AREA)
