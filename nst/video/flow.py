"""How a scene moves from one frame to the next, and where that can be trusted.

The flow is found by dense inverse search (Kroeger et al. 2016, arXiv:1603.03590), both ways. It is not trusted where
both ways disagree, nor at the edges of what moves: Ruder, Dosovitskiy and Brox, "Artistic Style Transfer for Videos",
2016, arXiv:1604.08610, section 4.2. Where we differ: neither is it where the pixel that it leads to looks otherwise
once both frames are equally bright.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any

import cv2
import numpy as np

Array = np.ndarray[Any, Any]

LONG_SIDE = 640
"""In pixels, at which the flow is looked for."""

UNLIKE = 0.09
"""Difference of two pixels, of a range of 1, at which trust has fallen to a third."""

CUT = 0.3
"""Share of the frame that must be seen again, or the scene is another one."""


@dataclass(frozen=True)
class Motion:
    """From one frame to the next.

    Attributes:
        source: (H, W, 2), for each pixel of the new frame where it was in the old one, in pixels.
        trust: (H, W) from 0 to 1.
        cut: whether the new frame shows another scene.
    """

    source: Array
    trust: Array
    cut: bool

    def warp(self, image: Array) -> Array:
        """The old frame's picture (H, W) or (H, W, C) as the new frame would show it."""
        return sample(image, self.source, cv2.INTER_CUBIC)


def sample(image: Array, place: Array, way: int = cv2.INTER_LINEAR) -> Array:
    """An array (H, W) or (H, W, C) at places (h, w, 2) in pixels, columns first; beyond its borders as at them."""
    return cv2.remap(image, place, None, way, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload, no-any-return]


class _Search(threading.local):
    """Dense inverse search. It holds buffers, so each thread has one of its own, and keeps it."""

    def __init__(self) -> None:
        self.dis: Any = getattr(cv2, "DISOpticalFlow_create")(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # noqa: B009


@dataclass
class Pair:
    """Two frames, one after the other. Any thread may look for the motion between them, one at a time."""

    old: _Small
    new: _Small
    search: _Search
    flows: tuple[Array, Array] | None = None

    def _found(self) -> tuple[Array, Array]:
        if self.flows is None:
            old, new, find = self.old.gray, self.new.gray, self.search.dis.calc
            self.flows = find(new, old, None), find(old, new, None)
        return self.flows

    def motion(self) -> Motion:
        """From the old one to the new one."""
        return _motion(self.new, self.old, *self._found())

    def reverse(self) -> Motion:
        """The other way round: for each pixel of the old one, where it is in the new one."""
        return _motion(self.old, self.new, *self._found()[::-1])


class MotionFinder:
    """Finds the motion between frames that come one after the other, bytes (H, W, 3) of one size."""

    def __init__(self) -> None:
        self.search = _Search()
        self.last: _Small | None = None

    def pair(self, frame: Array) -> Pair | None:
        """The last frame and this one, of whose motion nothing is known yet; None for the first."""
        old, self.last = self.last, _Small.of(frame)
        return None if old is None or old.size != self.last.size else Pair(old, self.last, self.search)

    def next(self, frame: Array) -> Motion | None:
        """The motion from the last frame to this one; None for the first."""
        pair = self.pair(frame)
        return None if pair is None else pair.motion()


@dataclass(frozen=True)
class _Small:
    """A frame as motion is looked for in it: bytes (h, w, 3), and (h, w) in gray; `size` is width and height that the
    frame itself has."""

    image: Array
    gray: Array
    size: tuple[int, int]

    @classmethod
    def of(cls, frame: Array) -> _Small:
        height, width = frame.shape[:2]
        scale = min(1.0, LONG_SIDE / max(height, width))
        size = max(16, round(width * scale)), max(16, round(height * scale))
        image = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        return cls(image, cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (width, height))


def _motion(new: _Small, old: _Small, back: Array, forth: Array) -> Motion:
    """What flows of small frames, from the new one to the old one and the other way, say of the frames themselves."""
    (height, width), full = new.gray.shape, new.size
    place = grid(width, height) + back
    trust = _agreement(back, forth, place) * _likeness(new.image, old.image, place)
    cut = float(trust.mean()) < CUT
    trust = cv2.GaussianBlur(cv2.erode(trust, np.ones((3, 3), np.uint8)), (5, 5), 0)
    stretch = np.array([full[0] / width, full[1] / height], np.float32)
    still = (np.abs(back[..., 0]) < 0.1 / stretch[0]) & (np.abs(back[..., 1]) < 0.1 / stretch[1])
    back = back * stretch
    back[still] = 0  # what stands still stays as crisp as it is
    if full != (width, height):
        trust, back = (cv2.resize(one, full, interpolation=cv2.INTER_LINEAR) for one in (trust, back))
    return Motion(grid(*full) + back, trust, cut)


@lru_cache(maxsize=4)
def grid(width: int, height: int) -> Array:
    """Where each pixel is, (height, width, 2), columns first; not to be written to."""
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([columns, rows], 2)


def _square(flow: Array) -> Array:
    """The squared length of each vector, (H, W, 2) to (H, W); a sum over an axis of two takes twenty times as long."""
    across, down = cv2.split(flow)
    return across * across + down * down  # type: ignore[no-any-return]


def _agreement(back: Array, forth: Array, place: Array) -> Array:
    """1 where both ways agree and nothing begins to move, else 0; eqs. 5 and 6 of the paper."""
    height, width = back.shape[:2]
    found, square = sample(forth, place), _square(back)
    agree = _square(found + back) <= 0.01 * (_square(found) + square) + 0.5
    slopes = (cv2.Sobel(back, cv2.CV_32F, *way, scale=1 / 8) for way in ((1, 0), (0, 1)))
    smooth = sum(map(_square, slopes)) <= 0.01 * square + 0.02  # the paper has 0.002: dense search is rougher
    inside = cv2.inRange(place, (0, 0), (width - 1, height - 1)) > 0  # type: ignore[call-overload]
    return (agree & smooth & inside).astype(np.float32)


def _likeness(new: Array, old: Array, place: Array) -> Array:
    """From 1 where the pixels look alike down to 0; a change of brightness of the whole counts for nothing."""
    warped = sample(old, place)
    gain = [(has + 1) / (had + 1) for has, had in zip(cv2.mean(new)[:3], cv2.mean(warped)[:3], strict=True)]
    unlike = cv2.absdiff(new, cv2.multiply(warped, (*gain, 0)))  # type: ignore[call-overload]
    most = reduce(cv2.max, cv2.split(unlike))
    return np.exp(-((cv2.blur(most.astype(np.float32), (5, 5)) / (255 * UNLIKE)) ** 2))  # type: ignore[no-any-return]
