"""Painted frames made steady: what moves with the scene is carried on, what is new comes in.

Each frame that a network paints is fused with the last result, moved along. Coarse colors take that as it is; fine
strokes, which rarely lie quite on each other, get back the contrast that mixing takes from them.

Every other frame need not be painted at all where the scene allows it: what it shows was seen in the frame before, or
is seen in the one after, whose painting then stands for its own, moved back.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np

from nst.video.ahead import each_ahead
from nst.video.clips import Frame
from nst.video.flow import Array, Motion, MotionFinder, Pair

COARSE = 4.0
"""Standard deviation in pixels of the blur that tells coarse from fine."""

MOST = 0.95
"""Of the last result, at a consistency of 100."""

SMALLER = 4
"""How many times smaller the picture is in which that is done."""

SHARPER = 1.25
"""How much contrast fine strokes get back at most, in one frame."""

UNSEEN = 0.2
"""Share of a frame that may be trusted in neither of its neighbors, and yet it is not painted itself. At 0.15, as with
a camera held by hand, that shows as no more than a doubled line along what moves fast, for one frame."""


class Shot(NamedTuple):
    """A frame, the motion that led to it (None for the first), and the way back to it from the next one where that
    one's painting stands for its own (None where it is painted itself)."""

    frame: Frame
    motion: Motion | None
    back: Motion | None = None


def shots(frames: Iterable[Frame], finder: MotionFinder, spares: bool, workers: int = 0) -> Generator[Shot, None, None]:
    """Frames with their motion; with `spares`, some need not be painted, and for that one frame is looked ahead. So
    many `workers` find motion ahead, see `nst.video.ahead`."""
    held: Shot | None = None
    pairs = ((frame, finder.pair(frame.image)) for frame in frames)
    with closing(each_ahead(_with_motion, pairs, workers)) as found:
        for frame, pair, motion in found:
            moves = motion is not None and not motion.cut
            if held is not None:
                back = pair.reverse() if pair is not None and moves else None
                if back is not None and held.motion is not None and _unseen(held.motion, back) <= UNSEEN:
                    yield held._replace(back=back)
                    yield Shot(frame, motion)
                    held = None
                    continue
                yield held
            held = Shot(frame, motion)
            if not moves or not spares:
                yield held
                held = None
    if held is not None:
        yield held


def _with_motion(of: tuple[Frame, Pair | None]) -> tuple[Frame, Pair | None, Motion | None]:
    frame, pair = of
    return frame, pair, None if pair is None else pair.motion()


def _unseen(before: Motion, after: Motion) -> float:
    """How much of a frame, of 1, is trusted in neither neighbor."""
    every = slice(None, None, SMALLER)
    return float(((1 - before.trust[every, every]) * (1 - after.trust[every, every])).mean())


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
        return self.hold(painted, self.finder.next(frame) if self.consistency else None)

    def hold(self, painted: Array, motion: Motion | None, back: Motion | None = None) -> Array:
        """A painted frame, bytes (H, W, 3), held steady; of a `Shot` that has a way back, the next painted frame."""
        new = painted.astype(np.float32)
        if back is not None:
            new = back.warp(new)
        if motion is not None and not motion.cut and self.last is not None and self.last.shape == new.shape:
            share = MOST * self.consistency / 100
            new = fused(new, self.last, motion, share if back is None else 1 - (1 - share) * back.trust)
        self.last = new
        return to_whole(new)


def to_whole(image: Array) -> Array:
    """Rounded to bytes, and cut off below 0 and above 255."""
    return cv2.addWeighted(image, 1, image, 0, 0, dtype=cv2.CV_8U)


def fused(new: Array, last: Array, motion: Motion, share: float | Array) -> Array:
    """A painted frame and the last result, moved along; `share`, a number or (H, W), is how much of the latter where it
    is trusted. Both are written over: it takes longer to be given new memory than to compute what comes into it."""
    moved = motion.warp(last)
    had = _energy(new, _coarse(new, last), last)
    mixed = _blend(new, moved, share * motion.trust, moved)
    coarse = _coarse(mixed, last)
    gain = np.sqrt((had + 1) / (_energy(mixed, coarse, new) + 1)).clip(1, SHARPER)
    return _blend(coarse, mixed, cv2.resize(gain, new.shape[1::-1], interpolation=cv2.INTER_LINEAR), new)


def _blend(one: Array, other: Array, share: Array, out: Array) -> Array:
    """The way from one to the other, (H, W, 3), as far as each pixel's share (H, W) says."""
    return cv2.blendLinear(other, one, share, 1 - share, out)


def _coarse(image: Array, out: Array) -> Array:
    blurred = cv2.GaussianBlur(_small(image), (0, 0), COARSE / SMALLER)
    return cv2.resize(blurred, image.shape[1::-1], out, interpolation=cv2.INTER_LINEAR)


def _energy(image: Array, coarse: Array, out: Array) -> Array:
    """The mean square of what is fine around each pixel, of a smaller picture."""
    fine = cv2.subtract(image, coarse, out)
    squares = _small(cv2.multiply(fine, fine, out))
    return cv2.GaussianBlur(cv2.transform(squares, np.full((1, 3), 1 / 3, np.float32)), (0, 0), 2 * COARSE / SMALLER)


def _small(image: Array) -> Array:
    size = (max(1, side // SMALLER) for side in image.shape[1::-1])
    return cv2.resize(image, tuple(size), interpolation=cv2.INTER_AREA)
