"""Histograms: not only how features are spread, but every value of each channel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nst.losses.perceptual import EPS
from nst.losses.statistic import Sample, Statistic, StyleOptions, shares, weighted_sum

LEVELS = 1024
"""How many quantiles of a channel the target holds."""

HISTOGRAM_LAYERS = ("relu1_1", "relu4_1")
"""Where Risser et al. (section 4.2) match histograms."""


def quantiles(features: Tensor, guide: Tensor | None = None, levels: int = LEVELS) -> Tensor:
    """Values (C, levels) of each channel of features (1, C, H, W) at ranks 1 / 2 levels, 3 / 2 levels, ...

    With a guide (1, 1, H, W), each position counts by its share of it.
    """
    values, ranks, share = _ranked(features, guide)
    ends = (ranks + share / 2).expand_as(values).contiguous()
    wanted = (torch.arange(levels, device=values.device) + 0.5) / levels
    places = torch.searchsorted(ends, wanted.expand(len(values), levels).contiguous())
    return values.gather(1, places.clamp_max(values.shape[1] - 1))


def histogram_loss(features: Tensor, target: Tensor, guide: Tensor | None = None) -> Tensor:
    """Squared distance of features (1, C, H, W) to themselves after histogram matching, relative to the target's.

    Risser, Wilmot and Barnes, "Stable and Controllable Neural Texture Synthesis and Style Transfer Using Histogram
    Losses", 2017, arXiv:1701.08893, eq. 3; there by histograms of 256 bins, here by ranks. The target is
    what `quantiles` gives (C, levels). A scalar: the squared 2-Wasserstein distance of each channel's values.
    """
    values, ranks, share = _ranked(features, guide)
    levels = target.shape[1]
    place = (ranks * levels - 0.5).clamp(0, levels - 1)
    left = place.long().clamp_max(levels - 2)
    if guide is None:
        below, above = target[:, left[0]], target[:, left[0] + 1]
    else:
        below, above = target.gather(1, left), target.gather(1, left + 1)
    matched = torch.lerp(below, above, place - left)
    distance = ((values - matched).square() * share).sum()
    return distance / target.square().mean(1).sum().clamp_min(EPS)


def _ranked(features: Tensor, guide: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Each channel's values in order (C, n), their ranks in (0, 1) and shares, both (C, n) or (1, n)."""
    x = features[0].float().flatten(1)
    count = x.shape[1]
    values, order = x.sort(1)
    if guide is None:
        ranks = (torch.arange(count, device=x.device, dtype=torch.float32)[None] + 0.5) / count
        return values, ranks, torch.full_like(ranks, 1 / count)
    share = shares(guide)[0, 0][order]
    return values, share.cumsum(1) - share / 2, share


class Histogram(Statistic):
    """Every channel's distribution of values; of several styles, the mean of their quantiles."""

    target: Tensor

    def __init__(self, styles: Sequence[Sample], weights: Sequence[float], options: StyleOptions) -> None:
        super().__init__(styles, weights, options)
        self.keep(target=weighted_sum([quantiles(style.features, style.guide) for style in styles], weights))

    def forward(self, sample: Sample) -> Tensor:
        return histogram_loss(sample.features, self.target, sample.guide)
