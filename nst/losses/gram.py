"""Gram matrices: which features occur together."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from nst.losses.perceptual import EPS
from nst.losses.statistic import Sample, Statistic, StyleOptions, shares, weighted_sum


def gram_matrix(features: Tensor, guide: Tensor | None = None) -> Tensor:
    """Gram matrices (N, C, C) of features (N, C, H, W), in float32.

    Gatys, Ecker and Bethge, "A Neural Algorithm of Artistic Style", 2015, arXiv:1508.06576, eq. 3; here
    divided by H*W, so that it does not grow with the image. With a guide (N, 1, H, W), each position counts by
    its share of it (Gatys et al. 2017, arXiv:1611.07865, eq. 2, where a position counts by the guide's square).
    """
    x = features.float().flatten(2)
    if guide is None:
        return x @ x.transpose(1, 2) / x.shape[2]
    return (x * shares(guide)) @ x.transpose(1, 2)


def gram_loss(gram: Tensor, target: Tensor) -> Tensor:
    """Squared distance of two Gram matrices (N, C, C), relative to the target's squared norm; a scalar.

    Gatys et al. 2015, eq. 4; there divided by 4 C^2 (H W)^2.
    """
    return (gram - target).square().sum() / target.square().sum().clamp_min(EPS)


class Gram(Statistic):
    """The Gram matrix; of several styles, the mean of theirs."""

    target: Tensor

    def __init__(self, styles: Sequence[Sample], weights: Sequence[float], options: StyleOptions) -> None:
        super().__init__(styles, weights, options)
        self.keep(target=weighted_sum([gram_matrix(style.features, style.guide) for style in styles], weights))

    def forward(self, sample: Sample) -> Tensor:
        return gram_loss(gram_matrix(sample.features, sample.guide), self.target)
