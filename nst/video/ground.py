"""The noise of the ground that a network paints on (`nst.models.preprocess`), carried along with the scene.

Where it stayed where it is, strokes that it begins would stand still while the scene moves behind them, as behind a
dirty window. What moves is where each pixel's noise comes from, and not the noise itself, so nothing blurs.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from nst.video.flow import Array, Motion, grid, sample


class MovingGround:
    """The noise of one frame after the other.

    Args:
        still: that of the first, (1, 1, H, W), of frames twice as large.
    """

    def __init__(self, still: Tensor) -> None:
        self.still: Array = still[0, 0].numpy()
        self.places = grid(*self.still.shape[::-1])

    def follow(self, motion: Motion) -> None:
        """Go on to the next frame."""
        (height, width), size = motion.trust.shape, self.still.shape[::-1]
        here, before = grid(*size), self.places
        way = cv2.resize(motion.source - grid(width, height), size, interpolation=cv2.INTER_AREA) / 2
        trusted = cv2.resize(motion.trust, size, interpolation=cv2.INTER_AREA) > 0.5
        self.places = here if motion.cut else np.where(trusted[..., None], sample(before, here + way), here)

    def noise(self) -> Tensor:
        """Of the frame that was gone on to."""
        moved = cv2.remap(self.still, self.places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)  # type: ignore[call-overload]
        return torch.from_numpy(moved)[None, None]
