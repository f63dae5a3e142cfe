"""How a scene moves from one frame to the next, and where that can be trusted.

The flow is found by dense inverse search (Kroeger et al. 2016, arXiv:1603.03590), both ways. It is not trusted where
both ways disagree, nor at the edges of what moves: Ruder, Dosovitskiy and Brox, "Artistic Style Transfer for Videos",
2016, arXiv:1604.08610, section 4.2. Where we differ: neither is it where the pixel that it leads to looks otherwise
once both frames are equally bright.
"""

from __future__ import annotations

from dataclasses import dataclass
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


class MotionFinder:
    """Finds the motion between frames that come one after the other, bytes (H, W, 3) of one size."""

    def __init__(self) -> None:
        self.search: Any = getattr(cv2, "DISOpticalFlow_create")(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # noqa: B009
        self.before: tuple[Array, Array] | None = None

    def next(self, frame: Array) -> Motion | None:
        """The motion from the last frame to this one; None for the first."""
        height, width = frame.shape[:2]
        scale = min(1.0, LONG_SIDE / max(height, width))
        size = max(16, round(width * scale)), max(16, round(height * scale))
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        last, self.before = self.before, (small, gray)
        if last is None or last[0].shape != small.shape:
            return None
        back, forth = self.search.calc(gray, last[1], None), self.search.calc(last[1], gray, None)
        place = _grid(*size) + back
        trust = _agreement(back, forth, place) * _likeness(small, last[0], place)
        cut = float(trust.mean()) < CUT
        trust = cv2.GaussianBlur(cv2.erode(trust, np.ones((3, 3), np.uint8)), (5, 5), 0)
        if size != (width, height):
            trust = cv2.resize(trust, (width, height), interpolation=cv2.INTER_LINEAR)
            back = cv2.resize(back, (width, height), interpolation=cv2.INTER_LINEAR)
            back = back * np.array([width / size[0], height / size[1]], np.float32)
        back[np.abs(back).max(2) < 0.1] = 0  # what stands still stays as crisp as it is
        return Motion(_grid(width, height) + back, trust, cut)


def _grid(width: int, height: int) -> Array:
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([columns, rows], 2)


def _agreement(back: Array, forth: Array, place: Array) -> Array:
    """1 where both ways agree and nothing begins to move, else 0; eqs. 5 and 6 of the paper."""
    height, width = back.shape[:2]
    found = sample(forth, place)
    square = (back**2).sum(2)
    agree = ((found + back) ** 2).sum(2) <= 0.01 * ((found**2).sum(2) + square) + 0.5
    across, down = (cv2.Sobel(back, cv2.CV_32F, *way, scale=1 / 8) for way in ((1, 0), (0, 1)))
    slope = (across**2 + down**2).sum(2)
    smooth = slope <= 0.01 * square + 0.02  # the paper has 0.002: dense search is rougher than what it used
    inside = (place >= 0).all(2) & (place <= (width - 1, height - 1)).all(2)
    return (agree & smooth & inside).astype(np.float32)


def _likeness(new: Array, old: Array, place: Array) -> Array:
    """From 1 where the pixels look alike down to 0; a change of brightness of the whole counts for nothing."""
    warped = sample(old, place).astype(np.float32)
    now = new.astype(np.float32)
    gain = (now.mean((0, 1)) + 1) / (warped.mean((0, 1)) + 1)
    unlike = cv2.blur(np.abs(now - np.minimum(warped * gain, 255)).max(2), (5, 5)) / 255
    return np.exp(-((unlike / UNLIKE) ** 2)).astype(np.float32)
