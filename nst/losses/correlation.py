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
from nst.losses.perceptual import EPS, normalized_weights
from nst.losses.statistic import Pair, Sample, Statistic, StyleOptions, shares, weighted_sum

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


def correlated(
    layers: Sequence[str], weights: Sequence[float], correlations: str
) -> list[tuple[tuple[str, ...], tuple[Pair, ...]]]:
    """What is compared, by the stage of the deeper layer, at whose size both are looked at: so a stage is one product.

    Args:
        layers: shallow to deep, such as "relu3_1".
        weights: of the layers; a pair counts as the geometric mean of both.
        correlations: one of `CORRELATIONS`.

    Returns:
        For each stage its layers, shallow to deep, and the pairs of them, whose weights sum to 1 over all stages.
    """
    by_layer, pairs = dict(zip(layers, weights, strict=True)), layer_pairs(layers, correlations)
    counts = normalized_weights([math.sqrt(by_layer[pair[0]] * by_layer[pair[-1]]) for pair in pairs], len(pairs))
    stages: dict[str, list[tuple[tuple[str, ...], float]]] = {}
    for pair, count in zip(pairs, counts, strict=True):
        stages.setdefault(pair[-1].partition("_")[0], []).append((pair, count))
    found = []
    for members in stages.values():
        names = tuple(name for name in layers if any(name in pair for pair, _ in members))
        found.append((names, tuple((names.index(p[0]), names.index(p[-1]), count) for p, count in members)))
    return found


def cross_gram(features: Tensor, deeper: Tensor, shift: float | Tensor = 0.0, guide: Tensor | None = None) -> Tensor:
    """Correlations (N, C, D) of features (N, C, H, W) and deeper ones (N, D, h, w), both plus `shift`, in float32.

    Eq. 8 of the paper; there the deeper ones are enlarged to H x W, and the products summed. To average the others
    over what shares a deeper position comes to the same as enlarging by repetition, and costs less. A guide is of
    the deeper size.
    """
    while features.shape[-1] > deeper.shape[-1] or features.shape[-2] > deeper.shape[-2]:
        features = average_pool(features)
    count = features.shape[1]
    return shifted_products(torch.cat([features, deeper], 1), shift, guide, count)[:, :count]


def shifted_products(features: Tensor, shift: float | Tensor, guide: Tensor | None = None, start: int = 0) -> Tensor:
    """Correlations (N, C, C - start) of features (N, C, H, W) plus `shift` with those from the channel `start` on.

    The shift is one for all, or one for each correlation; in float32.
    """
    product, mean = _Products.apply(features, guide, start)
    # (x + s)(y + s)' = x y' + s (x 1' + 1 y') + s^2, where only the first is a matrix.
    return product + shift * (mean[:, :, None] + mean[:, None, start:]) + shift**2


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

    def __init__(self, styles: Sequence[Sample], weights: Sequence[float], options: StyleOptions) -> None:
        super().__init__(styles, weights, options)
        widths = styles[0].widths or (styles[0].features.shape[1],)
        pairs = styles[0].pairs or ((0, 0, 1.0),)
        layers = [style.features.split(list(widths), 1) for style in styles]
        ends = list(accumulate(widths, initial=0))
        first = min(j for _, j, _ in pairs)
        self.start = ends[first]
        shift = torch.zeros(1, ends[-1], ends[-1] - self.start, device=styles[0].features.device)
        blocks = []
        for i, j, count in pairs:
            block = (0, slice(ends[i], ends[i + 1]), slice(ends[j] - self.start, ends[j + 1] - self.start))
            levels = [torch.stack([own[i].float().mean(), own[j].float().mean()]).mean() for own in layers]
            shift[block] = weighted_sum(levels, weights) * options.activation_shift
            blocks.append((block, count))
        target = weighted_sum([shifted_products(s.features, shift, s.guide, self.start) for s in styles], weights)
        weight = torch.zeros_like(shift)
        for block, count in blocks:
            weight[block] = count / target[block].square().sum().clamp_min(EPS)
        self.keep(target=target, shift=shift, weight=weight / sum(count for _, count in blocks))

    def forward(self, sample: Sample) -> Tensor:
        grams = shifted_products(sample.features, self.shift, sample.guide, self.start)
        return (self.weight * (grams - self.target).square()).sum()
