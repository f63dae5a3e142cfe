"""Losses of the image itself, which keep it from noise and from burnt-out colors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from nst.losses.perceptual import EPS, Features, Window
from nst.losses.statistic import Measured, weighted_sum


def total_variation(
    image: Tensor, exponent: float = 2.0, padding: str = "replicate", kernel: Tensor | None = None
) -> Tensor:
    """Mean of |gradient|^exponent over an image (N, C, H, W) in [0, 1]; a scalar.

    Mahendran and Vedaldi, "Understanding Deep Image Representations by Inverting Them", 2014,
    arXiv:1412.0035, where the exponent is called beta; there a sum. The squared gradient is taken over nine
    points, diagonals included (crowsonkb/style-transfer-pytorch), so that diagonal grain is seen as well. With
    the padding "circular" opposite edges are neighbors. `difference_kernel` may be given where it is at hand.
    """
    if exponent <= 0:
        raise ValueError("The exponent of total variation must be above 0 (2 is smooth, 1 keeps edges).")
    if exponent == 2:
        kernel = difference_kernel(image) if kernel is None else kernel
        return _SquaredVariation.apply(image, padding, kernel) / image.numel()
    return _local_variation(image, exponent, padding).mean()


def _local_variation(image: Tensor, exponent: float, padding: str = "replicate") -> Tensor:
    """|gradient|^exponent at each pixel of an image (N, C, H, W)."""
    x = F.pad(image, (1, 1, 1, 1), mode=padding)
    height, width = image.shape[-2:]
    squared = torch.full_like(image, 0.0 if exponent == 2 else EPS)
    for row, weights in enumerate(WEIGHTS):
        for column, weight in enumerate(weights):
            neighbor = x[..., row : row + height, column : column + width]
            squared = squared + weight / 2 * (neighbor - image).square()  # each pair is met from both its ends
    return squared if exponent == 2 else squared.pow(exponent / 2)


def _variation(picture: Tensor, exponent: float) -> Tensor:
    """`total_variation`; of a very large picture (1, C, H, W) in strips, since it takes four times its memory."""
    height, width = picture.shape[-2:]
    if height * width <= STRIPPED:
        return total_variation(picture, exponent)
    rows, sums = max(1, STRIPPED // 8 // width), []
    for start in range(0, height, rows):
        ring = picture[:, :, max(0, start - 1) : start + rows + 1]
        inside = slice(min(start, 1), min(start, 1) + min(rows, height - start))
        sums.append(_local_variation(ring, exponent)[:, :, inside].sum())
    return torch.stack(sums).sum() / picture.numel()


STRIPPED = 2**19  # pixels above which a picture's own variation is found strip by strip


WEIGHTS = ((1 / 6, 2 / 3, 1 / 6), (2 / 3, 0.0, 2 / 3), (1 / 6, 2 / 3, 1 / 6))
"""How much the difference between a pixel and each of its neighbors counts."""


def difference_kernel(image: Tensor) -> Tensor:
    """The derivative of the squared differences, as a convolution (3, 1, 3, 3) of images like this one."""
    kernel = image.new_empty(3, 3)
    for row, weights in enumerate(WEIGHTS):  # on the device itself: a captured step takes no numbers from the host
        for column, weight in enumerate(weights):
            kernel[row, column].fill_(-2 * weight)
    kernel[1, 1].fill_(2 * sum(map(sum, WEIGHTS)))
    return kernel.repeat(image.shape[1], 1, 1, 1)


class _SquaredVariation(torch.autograd.Function):
    """The sum of squared differences: being quadratic, half the product of the image and the derivative, which is one
    convolution."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, padding: str, kernel: Tensor) -> Tensor:
        image = image - image.mean()  # for precision: the differences stay what they are
        with torch.autocast(image.device.type, enabled=False):
            slope = F.conv2d(F.pad(image, (1, 1, 1, 1), mode=padding), kernel, groups=image.shape[1])
        ctx.save_for_backward(slope)
        return (image * slope).sum() / 2

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        return ctx.saved_tensors[0] * gradient, None, None


def alpha_norm(image: Tensor, exponent: float = 6.0) -> Tensor:
    """Mean of |2 x - 1|^exponent over an image x in [0, 1]: 0 for mid-grey, 1 for nothing but full colors.

    Mahendran and Vedaldi 2014, arXiv:1412.0035, section 3, where the exponent is called alpha; there a sum over
    images whose mean color is 0.
    """
    if exponent <= 0:
        raise ValueError("The exponent of the norm must be above 0 (6 spares all but the strongest colors).")
    return ((2 * image - 1).abs() + EPS).pow(exponent).mean()


class TotalVariationLoss(nn.Module):
    """Total variation above that of the roughest of some pictures, relative to it; its term is "tv".

    What varies no more than photo or style pays nothing: strokes as fine as theirs are welcome, and a photo stylized
    with itself stays as it is. To hold a smooth photo's painting down to the photo's own is what fills it with ripples:
    the finest detail is the dearest, and what a style asks for moves into lines of some five pixels.
    """

    divisible, bounded = True, False
    layers: tuple[str, ...] = ()

    def __init__(self, *pictures: Tensor, weight: float, exponent: float = 2.0, padding: str = "replicate") -> None:
        super().__init__()
        self.weight, self.exponent, self.padding = weight, exponent, padding
        # A flat picture has no variation of its own: a thousandth of the range squared stands in.
        own = torch.stack([_variation(picture.detach(), exponent) for picture in pictures]).amax().clamp_min(1e-6)
        self.register_buffer("own", own, persistent=False)
        self.register_buffer("kernel", difference_kernel(pictures[0]), persistent=False)

    def forward(self, features: Features) -> dict[str, Tensor]:
        relative = total_variation(features["image"], self.exponent, self.padding, self.get_buffer("kernel"))
        return self.compare([(relative,)])

    @property
    def statistics(self) -> list[TotalVariationLoss]:
        """It is its own."""
        return [self]

    def measure(self, features: Features, window: Window, bounds: Sequence[object]) -> list[tuple[Measured, float]]:
        """The variation of a part of a picture, and its share of the pixels."""
        found = _local_variation(features["image"], self.exponent)[(..., *window.within_ring)]
        return [((found.mean(),), window.share())]

    def mix(self, measured: Sequence[Measured], weights: Sequence[float]) -> Measured:
        """Of several parts."""
        return (weighted_sum([one for (one,) in measured if one is not None], weights),)

    def compare(self, measured: Sequence[Measured]) -> dict[str, Tensor]:
        """The term, of what was measured."""
        ((variation,),) = measured
        assert variation is not None
        return {"tv": self.weight * F.relu(variation / self.get_buffer("own") - 1)}


class NormLoss(nn.Module):
    """Keeps colors from burning out (see `alpha_norm`); its term is "norm"."""

    divisible = additive = True
    layers: tuple[str, ...] = ()

    def __init__(self, weight: float, exponent: float = 6.0) -> None:
        super().__init__()
        self.weight, self.exponent = weight, exponent

    def forward(self, features: Features) -> dict[str, Tensor]:
        return {"norm": self.weight * alpha_norm(features["image"], self.exponent)}

    def part(self, features: Features, window: Window) -> dict[str, Tensor]:
        """What a part of a picture adds to the term."""
        inside = features["image"][(..., *window.within_ring)]
        return {"norm": window.share() * self.weight * alpha_norm(inside, self.exponent)}
