"""The colors of a result."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from nst.images import to_pil
from nst.losses.colors import color_directions, sorted_colors, speckle


def color_distance(image: Tensor, style: Tensor) -> float:
    """Sliced Wasserstein distance (order 1) between the colors of two images (1, 3, H, W) in [0, 1], of any sizes.

    0 for equal distributions, wherever in the picture the colors are; black and white are about 0.8 apart (the mean
    over 64 directions of color space). Rabin et al. 2011, see `nst.losses.colors`.
    """
    directions = color_directions(64)
    return float((sorted_colors(image, directions) - sorted_colors(style, directions)).abs().mean())


def speckle_ratio(image: Tensor, style: Tensor) -> float:
    """Color noise of a result relative to that of its style, both (1, 3, H, W) in [0, 1]; about 1 is the style's own.

    A network can match textures by specks of color that no brush would make; see `nst.losses.colors.speckle`.
    """
    return float(speckle(image) / speckle(style).clamp_min(1 / 255))


def chroma(image: Tensor) -> float:
    """Mean distance from grey in CIE Lab (0 is grey, pure red about 105) of an image (1, 3, H, W) in [0, 1]."""
    from skimage.color import rgb2lab

    lab = rgb2lab(np.asarray(to_pil(image)))
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean())
