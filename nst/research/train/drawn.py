"""Where a translator draws, and where it only tints."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from nst.losses.structure import LUMINANCE

CELL = 1 / 16  # side of the squares, relative to the picture's, within which light is compared

FAINT, STRONG = 0.07, 0.14
"""Deviation of the change of light within a square: below the first nothing is drawn, above the second all is."""


def drawn(photo: Tensor, painted: Tensor) -> Tensor:
    """Where and how strongly something was drawn over photos: (N, 1, H, W), 0 for not at all to 1.

    The deviation, within squares of `CELL`, of the change of luminance: an even change, however large, has none. What
    is drawn around is drawn on, too: single squares between drawn ones are filled (a morphological closing). Images
    are (N, 3, H, W) in [0, 1].
    """
    height, width = photo.shape[-2:]
    cell = max(2, round(min(height, width) * CELL))
    change = ((painted - photo) * photo.new_tensor(LUMINANCE).view(1, 3, 1, 1)).sum(1, keepdim=True)
    padded = F.pad(change, (0, -width % cell, 0, -height % cell), mode="replicate")
    mean, square = F.avg_pool2d(padded, cell), F.avg_pool2d(padded**2, cell)
    deviation = (square - mean**2).clamp_min(0).sqrt()
    strength = ((deviation - FAINT) / (STRONG - FAINT)).clamp(0, 1)
    around = F.max_pool2d(F.pad(strength, (1,) * 4, mode="replicate"), 3, 1)
    strength = -F.max_pool2d(-F.pad(around, (1,) * 4, mode="replicate"), 3, 1)
    smooth = F.interpolate(strength, scale_factor=cell, mode="bilinear")
    return smooth[..., :height, :width]
