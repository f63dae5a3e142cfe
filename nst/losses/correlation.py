"""Correlations across layers, of shifted activations.

Novak and Nikulin, "Improving the Neural Algorithm of Artistic Style", 2016, arXiv:1605.04603.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nst.layers import average_pool
from nst.losses.gram import gram_loss
from nst.losses.statistic import Sample, Statistic, StyleOptions, shares, weighted_sum

CORRELATIONS = ("chain", "cross", "own")
"""Which layers are correlated: each with the next deeper one, with itself and all deeper ones, or with itself."""


def layer_pairs(layers: Sequence[str], correlations: str) -> list[tuple[str, ...]]:
    """What is compared: single layers, and pairs of a layer and a deeper one.

    "chain" is section 3.5 of the paper; "cross" its section 3.4.
    """
    if correlations not in CORRELATIONS:
        raise ValueError(f'No correlations "{correlations}": choose {", ".join(CORRELATIONS)}.')
    own: list[tuple[str, ...]] = [(name,) for name in layers]
    if correlations == "own" or len(layers) == 1:
        return own
    if correlations == "chain":
        return list(pairwise(layers))
    return own + list(combinations(layers, 2))


def cross_gram(features: Tensor, deeper: Tensor, shift: float | Tensor = 0.0, guide: Tensor | None = None) -> Tensor:
    """Correlations (N, C, D) of features (N, C, H, W) and deeper ones (N, D, h, w), both plus `shift`, in float32.

    Eq. 8 of the paper; there the deeper ones are enlarged to H x W, and the products summed. To average the others
    over what shares a deeper position comes to the same as enlarging by repetition, and costs less. A guide is of
    the deeper size.
    """
    while features.shape[-1] > deeper.shape[-1] or features.shape[-2] > deeper.shape[-2]:
        features = average_pool(features)
    product, mean, other = _Products.apply(features, deeper, guide)
    # (x + s)(y + s)' = x y' + s (x 1' + 1 y') + s^2, where only the first is a matrix.
    return product + shift * (mean[:, :, None] + other[:, None]) + shift**2


class _Products(torch.autograd.Function):
    """Mean of x y' over the positions, and of x and y; as `nst.losses.gram._Moments`."""

    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor, guide: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        x, y = (features.permute(0, 2, 3, 1).flatten(1, 2).float() for features in (first, second))
        share = x.new_tensor(1 / x.shape[1]) if guide is None else shares(guide).transpose(1, 2)
        ctx.save_for_backward(first, second, share)
        if guide is None:
            return x.transpose(1, 2) @ y / x.shape[1], x.mean(1), y.mean(1)
        weighted = x * share
        return weighted.transpose(1, 2) @ y, weighted.sum(1), (y * share).sum(1)

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]
        ctx: Any, by_product: Tensor, by_mean: Tensor, by_other: Tensor
    ) -> tuple[Tensor, Tensor, None]:
        first, second, share = ctx.saved_tensors
        x, y = (features.permute(0, 2, 3, 1).flatten(1, 2) for features in (first, second))
        dtype, size = x.dtype, first.shape[-2:]
        gradients = (
            torch.baddbmm(by_mean[:, None].to(dtype), y.to(dtype), by_product.transpose(1, 2).to(dtype)),
            torch.baddbmm(by_other[:, None].to(dtype), x.to(dtype), by_product.to(dtype)),
        )
        one, two = ((g * share.to(dtype)).unflatten(1, size).permute(0, 3, 1, 2) for g in gradients)
        return one, two, None


class Correlation(Statistic):
    """Gram matrices of activations that are shifted, of one layer or across two; of several styles, their mean.

    The shift is in means of the target's activations; the paper's -1 (section 3.3) has activations near 1 in mind.
    """

    target: Tensor
    shift: Tensor

    def __init__(self, styles: Sequence[Sample], weights: Sequence[float], options: StyleOptions) -> None:
        super().__init__(styles, weights, options)
        levels = [torch.stack([features.float().mean() for features in _both(style)]).mean() for style in styles]
        self.keep(shift=weighted_sum(levels, weights) * options.activation_shift)
        grams = [cross_gram(*_both(style), self.shift, style.guide) for style in styles]
        self.keep(target=weighted_sum(grams, weights))

    def forward(self, sample: Sample) -> Tensor:
        return gram_loss(cross_gram(*_both(sample), self.shift, sample.guide), self.target)


def _both(sample: Sample) -> tuple[Tensor, Tensor]:
    return sample.features, sample.features if sample.deeper is None else sample.deeper
