"""Losses of the image itself, which keep it from noise and from burnt-out colors."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from nst.losses.perceptual import EPS, Features


def total_variation(image: Tensor, exponent: float = 2.0, padding: str = "replicate") -> Tensor:
    """Mean of |gradient|^exponent over an image (N, C, H, W) in [0, 1]; a scalar.

    Mahendran and Vedaldi, "Understanding Deep Image Representations by Inverting Them", 2014,
    arXiv:1412.0035, where the exponent is called beta; there a sum. The squared gradient is taken over nine
    points, diagonals included (crowsonkb/style-transfer-pytorch), so that diagonal grain is seen as well. With
    the padding "circular" opposite edges are neighbors.
    """
    if exponent <= 0:
        raise ValueError("The exponent of total variation must be above 0 (2 is smooth, 1 keeps edges).")
    x = F.pad(image, (1, 1, 1, 1), mode=padding)
    center = x[..., 1:-1, 1:-1]
    right, down = x[..., 1:-1, 2:] - center, x[..., 2:, 1:-1] - center
    falling, rising = x[..., 2:, 2:] - center, x[..., :-2, 2:] - center
    squared = (right.square() + down.square()) * (2 / 3) + (falling.square() + rising.square()) * (1 / 6)
    return squared.mean() if exponent == 2 else (squared + EPS).pow(exponent / 2).mean()


def alpha_norm(image: Tensor, exponent: float = 6.0) -> Tensor:
    """Mean of |2 x - 1|^exponent over an image x in [0, 1]: 0 for mid-grey, 1 for nothing but full colors.

    Mahendran and Vedaldi 2014, arXiv:1412.0035, section 3, where the exponent is called alpha; there a sum over
    images whose mean color is 0.
    """
    if exponent <= 0:
        raise ValueError("The exponent of the norm must be above 0 (6 spares all but the strongest colors).")
    return ((2 * image - 1).abs() + EPS).pow(exponent).mean()


class TotalVariationLoss(nn.Module):
    """Total variation above the content's own, relative to it; its term is "tv".

    What varies no more than the content pays nothing: strokes as fine as the photo's detail are welcome, and a
    photo stylized with itself stays as it is.
    """

    layers: tuple[str, ...] = ()

    def __init__(self, content: Tensor, weight: float, exponent: float = 2.0, padding: str = "replicate") -> None:
        super().__init__()
        self.weight, self.exponent, self.padding = weight, exponent, padding
        # A flat content has no variation of its own: a thousandth of the range squared stands in.
        own = total_variation(content.detach(), exponent).clamp_min(1e-6)
        self.register_buffer("own", own, persistent=False)

    def forward(self, features: Features) -> dict[str, Tensor]:
        relative = total_variation(features["image"], self.exponent, self.padding) / self.get_buffer("own")
        return {"tv": self.weight * F.relu(relative - 1)}


class NormLoss(nn.Module):
    """Keeps colors from burning out (see `alpha_norm`); its term is "norm"."""

    layers: tuple[str, ...] = ()

    def __init__(self, weight: float, exponent: float = 6.0) -> None:
        super().__init__()
        self.weight, self.exponent = weight, exponent

    def forward(self, features: Features) -> dict[str, Tensor]:
        return {"norm": self.weight * alpha_norm(features["image"], self.exponent)}
