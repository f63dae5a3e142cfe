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


def chroma(image: Tensor) -> float:
    """Mean distance from grey in CIE Lab (0 is grey, pure red about 105) of an image (1, 3, H, W) in [0, 1]."""
    from skimage.color import rgb2lab

    lab = rgb2lab(np.asarray(to_pil(image)))
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean())


def psnr(image: Tensor, reference: Tensor) -> float:
    """Peak signal to noise ratio in decibels of two images (1, 3, H, W) in [0, 1]; infinite for equal ones."""
    error = float((image.float() - reference.float()).square().mean())
    return float("inf") if error == 0 else -10 * float(np.log10(error))
