"""Correlations across layers, of shifted activations.

Novak and Nikulin, "Improving the Neural Algorithm of Artistic Style", 2016, arXiv:1605.04603.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, combinations, pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nst.layers import average_pool
from nst.losses.perceptual import EPS, halving_weights, normalized_weights
from nst.losses.statistic import Measured, Sample, Site, Statistic, StyleOptions, shares

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


def cross_gram(features: Tensor, deeper: Tensor, shift: float = 0.0, guide: Tensor | None = None) -> Tensor:
    """Correlations (N, C, D) of features (N, C, H, W) and deeper ones (N, D, h, w), both plus `shift`, in float32.

    Eq. 8 of the paper; there the deeper ones are enlarged to H x W, and the products summed. To average the others
    over what shares a deeper position comes to the same as enlarging by repetition, and costs less. A guide is of
    the deeper size.
    """
    while features.shape[-1] > deeper.shape[-1] or features.shape[-2] > deeper.shape[-2]:
        features = average_pool(features)
    count = features.shape[1]
    product, mean = _Products.apply(torch.cat([features, deeper], 1), guide, count)
    return shifted(product, mean, shift)[:, :count]


def shifted(product: Tensor, mean: Tensor, shift: float | Tensor) -> Tensor:
    """Mean of (x + s)(y + s)' (N, C, D) from that of x y' and of x (N, C), of which y are the last channels.

    The shift is one for all, or one for each correlation.
    """
    # x y' + s (x 1' + 1 y') + s^2, where only the first is a matrix.
    return product + shift * (mean[:, :, None] + mean[:, None, -product.shape[2] :]) + shift**2


class _Products(torch.autograd.Function):
    """Mean of x y' over the positions, y being a part of x, and of x; as `nst.losses.gram._Moments`."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, guide: Tensor | None, start: int) -> tuple[Tensor, Tensor]:
        x = features.permute(0, 2, 3, 1).flatten(1, 2).float()
        share = None if guide is None else shares(guide).transpose(1, 2)
        ctx.start = start
        ctx.save_for_backward(features, share)
        weighted = x if share is None else x * share
        count = x.shape[1] if share is None else 1
        return weighted.transpose(1, 2) @ x[..., start:] / count, weighted.sum(1) / count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_product: Tensor, by_mean: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        features, share = ctx.saved_tensors
        x = features.permute(0, 2, 3, 1)
        height, width = x.shape[1:3]
        matrix = by_product.new_zeros(len(x), x.shape[3], x.shape[3])
        matrix[:, :, ctx.start :] += by_product
        matrix[:, ctx.start :] += by_product.transpose(1, 2)
        count = height * width if share is None else 1
        offset, matrix = (by_mean[:, None] / count).to(x.dtype), (matrix / count).to(x.dtype)
        gradient = torch.baddbmm(offset, x.flatten(1, 2), matrix)
        if share is not None:
            gradient = gradient * share.to(x.dtype)
        return gradient.unflatten(1, (height, width)).permute(0, 3, 1, 2), None, None


class Correlation(Statistic):
    """Correlations of shifted activations, within and across layers at one size; of several styles, their mean.

    The shift is in means of the target's activations; the paper's -1 (section 3.3) has activations near 1 in mind.
    Each pair of layers is compared as by `nst.losses.gram_loss`; all of them are blocks of one matrix.
    """

    target: Tensor
    shift: Tensor
    weight: Tensor

    @staticmethod
    def default_layers(layers: Sequence[str]) -> tuple[str, ...]:
        return tuple(layers)

    @staticmethod
    def default_weights(count: int) -> list[float]:
        return halving_weights(count)

    @classmethod
    def sites(cls, layers: Sequence[str], weights: Sequence[float], options: StyleOptions) -> list[Site]:
        """One for the stage of each deeper layer, at whose size both layers of a pair are looked at.

        So a stage is one product. A pair counts as the geometric mean of both layers; all pairs sum to 1.
        """
        by_layer, pairs = dict(zip(layers, weights, strict=True)), layer_pairs(layers, options.correlations)
        counts = normalized_weights([math.sqrt(by_layer[pair[0]] * by_layer[pair[-1]]) for pair in pairs], len(pairs))
        stages: dict[str, list[tuple[tuple[str, ...], float]]] = {}
        for pair, count in zip(pairs, counts, strict=True):
            stages.setdefault(pair[-1].partition("_")[0], []).append((pair, count))
        found = []
        for members in stages.values():
            names = tuple(name for name in layers if any(name in pair for pair, _ in members))
            numbered = tuple((names.index(p[0]), names.index(p[-1]), count) for p, count in members)
            found.append(Site(names, sum(count for *_, count in numbered), numbered))
        return found

    def measure(self, sample: Sample) -> Measured:
        start = min((sum(self.widths[:j]) for _, j, _ in self.pairs), default=0)
        return _Products.apply(sample.features, sample.guide, start)

    def aim(self, product: Tensor, mean: Tensor) -> None:
        """Each block has a shift, and a weight, of its own."""
        ends = list(accumulate(self.widths or (product.shape[1],), initial=0))
        start = product.shape[1] - product.shape[2]
        shift, weight = torch.zeros_like(product), torch.zeros_like(product)
        places = []
        for i, j, count in self.pairs or ((0, 0, 1.0),):
            rows, columns = slice(ends[i], ends[i + 1]), slice(ends[j], ends[j + 1])
            place = (0, rows, slice(columns.start - start, columns.stop - start))
            level = torch.stack([mean[0, rows].mean(), mean[0, columns].mean()]).mean()
            shift[place] = level * self.options.activation_shift
            places.append((place, count))
        target = shifted(product, mean, shift)
        for block, count in places:
            weight[block] = count / target[block].square().sum().clamp_min(EPS)
        self.keep(target=target, shift=shift, weight=weight / sum(count for _, count in places))

    def compare(self, product: Tensor, mean: Tensor) -> Tensor:
        return (self.weight * (shifted(product, mean, self.shift) - self.target).square()).sum()
