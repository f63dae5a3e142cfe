"""Correlations across layers, of shifted activations.

Novak and Nikulin, "Improving the Neural Algorithm of Artistic Style", 2016, arXiv:1605.04603.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

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
    x, y = features.float(), deeper.float()
    if x.shape[-2:] != y.shape[-2:]:
        x = F.adaptive_avg_pool2d(x, (y.shape[-2], y.shape[-1]))
    x, y = (x + shift).flatten(2), (y + shift).flatten(2)
    weights = 1 / y.shape[2] if guide is None else shares(guide)
    return (x * weights) @ y.transpose(1, 2)


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
