"""How much of the content a result keeps, place by place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nst.encoders import CONTENT_LAYERS
from nst.images import to_pil
from nst.losses import Features
from nst.optimize import Encoding


@torch.no_grad()
def feature_agreement(features: Features, wanted: Features, layers: Sequence[str]) -> dict[str, float]:
    """Correlation over the positions of two images' features (1, C, H, W), all channels together; by layer.

    1 where every feature rises and falls as the other's does, 0 for unrelated ones; a feature's mean over the picture
    and a common gain do not count. Where one of them is flat: 1 if both are, else 0.
    """
    found = {}
    for name in layers:
        x, y = (f[name].float() - f[name].float().mean((2, 3), keepdim=True) for f in (features, wanted))
        norms = float(x.norm()) * float(y.norm())
        flat = float(max(x.norm(), y.norm())) < 1e-4 * x.numel() ** 0.5
        found[name] = float((x * y).sum()) / norms if norms > 1e-12 else float(flat)
    return found


def luminance_ssim(image: Tensor, content: Tensor) -> float:
    """Structural similarity of the luminances of two images (1, 3, H, W) in [0, 1]; 1 for equal ones, down to -1.

    Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004; Gaussian window of
    sigma 1.5, as in the paper (scikit-image). Raises ValueError for different sizes, and for sides under 11 pixels.
    """
    from skimage.color import rgb2gray
    from skimage.metrics import structural_similarity

    _same_size(image, content)
    if min(image.shape[-2:]) < 11:
        raise ValueError("Structural similarity looks through a window of 11 pixels: give pictures that large.")
    first, second = (rgb2gray(np.asarray(to_pil(x))) for x in (image, content))
    return float(structural_similarity(first, second, data_range=1, gaussian_weights=True, use_sample_covariance=False))


@torch.no_grad()
def self_similarity(
    image: Tensor, content: Tensor, encoder: Encoding, layers: Sequence[str] = CONTENT_LAYERS, places: int = 1024
) -> float:
    """How alike the likenesses within two images are, from what an encoder sees at about so many places of each.

    Of each image, the cosine distances between what is seen at any two places, those from each place relative to their
    sum (Kolkin, Salavon and Shakhnarovich 2019, arXiv:1904.12785, eq. 7); then the correlation of both images'
    distances, the mean over the layers: 1 for equal images, near 0 for unrelated ones. What is drawn how is forgotten,
    and what is like what is left. Images are (1, 3, H, W) in [0, 1], of one size. Raises ValueError for different
    sizes.
    """
    _same_size(image, content)
    seen, kept = encoder(image, tuple(layers)), encoder(content, tuple(layers))
    found = []
    for name in layers:
        step = max(1, round((seen[name][0, 0].numel() / places) ** 0.5))
        apart = [_distances_within(one[name][0, :, ::step, ::step].flatten(1).T.double()) for one in (seen, kept)]
        both = torch.corrcoef(torch.stack(apart))[0, 1]
        found.append(float(both) if both.isfinite() else float(torch.equal(*apart)))
    return sum(found) / len(found)


def _distances_within(features: Tensor) -> Tensor:
    """The cosine distances between features (P, C), each row relative to its sum, all in one; (P * P,)."""
    directions = features / features.norm(dim=1, keepdim=True).clamp_min(1e-9)
    distances = F.threshold(1 - directions @ directions.T, 1e-9, 0.0)  # below, it is rounding
    return (distances / distances.sum(1, keepdim=True).clamp_min(1e-9)).flatten()


def psnr(image: Tensor, reference: Tensor) -> float:
    """Peak signal to noise ratio in decibels of two images (1, 3, H, W) in [0, 1]; infinite for equal ones.

    Raises:
        ValueError: different sizes.
    """
    _same_size(image, reference)
    error = float((image.float() - reference.float()).square().mean())
    return float("inf") if error == 0 else -10 * float(np.log10(error))


def _same_size(image: Tensor, other: Tensor) -> None:
    if image.shape != other.shape:
        sizes = " and ".join(f"{x.shape[-1]} x {x.shape[-2]}" for x in (image, other))
        raise ValueError(f"These are compared place by place and must be of one size, not {sizes} pixels.")
