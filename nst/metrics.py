"""Measures of a result: how near it is to its style, and how much of its content it keeps.

A result is never judged by the network it was optimized on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nst.encoders import STYLE_LAYERS, Encoder
from nst.images import to_pil
from nst.losses import StyleLoss
from nst.losses.colors import color_directions, sorted_colors


@torch.no_grad()
def style_distance(image: Tensor, style: Tensor, encoder: Encoder, layers: Sequence[str] = STYLE_LAYERS) -> float:
    """Mean over the layers of the squared Gram distance, relative to the style's own Gram norm.

    0 for equal statistics; an image without any features has 1; no upper bound. Gatys et al. 2015,
    arXiv:1508.06576, eq. 4, normalized as in `nst.losses.gram_loss`. Images are (1, 3, H, W) in [0, 1].
    """
    return float(StyleLoss(encoder(style, layers), layers)(encoder(image, layers))["style"])


def luminance_ssim(image: Tensor, content: Tensor) -> float:
    """Structural similarity of the luminances of two images (1, 3, H, W) in [0, 1]; 1 for equal ones.

    Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004; Gaussian
    window of sigma 1.5, as in the paper (scikit-image).
    """
    from skimage.color import rgb2gray
    from skimage.metrics import structural_similarity

    first, second = (rgb2gray(np.asarray(to_pil(x))) for x in (image, content))
    return float(structural_similarity(first, second, data_range=1, gaussian_weights=True, use_sample_covariance=False))


def color_distance(image: Tensor, style: Tensor) -> float:
    """Sliced Wasserstein distance (order 1) between the colors of two images (1, 3, H, W) in [0, 1], of any sizes.

    0 for equal distributions, wherever in the picture the colors are; black and white are about 0.8 apart (the mean
    over 64 directions of color space). Rabin et al. 2011, see `nst.losses.colors`.
    """
    directions = color_directions(64)
    return float((sorted_colors(image, directions) - sorted_colors(style, directions)).abs().mean())


def stroke_scale(image: Tensor, coarsest: float = 32.0) -> float:
    """Mean wavelength in pixels of the texture of an image (1, 3, H, W) in [0, 1]: the size of its strokes.

    The deviation of the luminance over that of its gradient, times 2 pi; a wave of any direction has its own
    wavelength. What is coarser than `coarsest` pixels (motifs, not strokes) is taken away first. 0 for a flat image.
    """
    import scipy.ndimage

    weights = torch.tensor([0.2126, 0.7152, 0.0722]).view(1, 3, 1, 1)
    light = (image.cpu().float() * weights).sum(1)[0].double().numpy()
    light = light - scipy.ndimage.gaussian_filter(light, coarsest / 4, mode="reflect")
    down, right = np.diff(light, axis=0), np.diff(light, axis=1)
    slope = float(np.mean(down**2) + np.mean(right**2)) if min(light.shape) > 1 else 0.0
    return 2 * float(np.pi) * float(np.sqrt(light.var() / slope)) if slope > 1e-12 else 0.0


def chroma(image: Tensor) -> float:
    """Mean distance from grey in CIE Lab (0 is grey, pure red about 105) of an image (1, 3, H, W) in [0, 1]."""
    from skimage.color import rgb2lab

    lab = rgb2lab(np.asarray(to_pil(image)))
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean())


def psnr(image: Tensor, reference: Tensor) -> float:
    """Peak signal to noise ratio in decibels of two images (1, 3, H, W) in [0, 1]; infinite for equal ones."""
    error = float((image.float() - reference.float()).square().mean())
    return float("inf") if error == 0 else -10 * float(np.log10(error))
