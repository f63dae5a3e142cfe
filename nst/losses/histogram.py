"""Histograms: not only how features are spread, but every value of each channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from nst.losses.perceptual import EPS
from nst.losses.statistic import Measured, Sample, Statistic, shares

LEVELS = 1024  # how many quantiles of a channel the target holds
BINS = 512  # how many bins the values of a channel fall into
HISTOGRAM_LAYERS = ("relu1_1", "relu4_1")  # where Risser et al. (section 4.2) match histograms


def quantiles(features: Tensor, guide: Tensor | None = None, levels: int = LEVELS) -> Tensor:
    """Values (C, levels) of each channel of features (1, C, H, W) at ranks 1 / 2 levels, 3 / 2 levels, ...

    With a guide (1, 1, H, W), each position counts by its share of it.
    """
    values, order = features[0].float().flatten(1).sort(1)
    if guide is None:
        ends = (torch.arange(values.shape[1], device=values.device) + 1.0).expand_as(values) / values.shape[1]
    else:
        ends = shares(guide)[0, 0][order].cumsum(1)
    wanted = ((torch.arange(levels, device=values.device) + 0.5) / levels).expand(len(values), levels)
    places = torch.searchsorted(ends.contiguous(), wanted.contiguous())
    return values.gather(1, places.clamp_max(values.shape[1] - 1))


def histogram_loss(features: Tensor, target: Tensor, guide: Tensor | None = None) -> Tensor:
    """Squared distance of features (1, C, H, W) to themselves after histogram matching, relative to the target's.

    Risser, Wilmot and Barnes, "Stable and Controllable Neural Texture Synthesis and Style Transfer Using Histogram
    Losses", 2017, arXiv:1701.08893, eq. 3, by histograms of `BINS` bins. The target is what `quantiles` gives
    (C, levels). A scalar: the squared 2-Wasserstein distance of each channel's values, but for what bins round.
    """
    return _Unmatched.apply(features, target, guide) / target.square().mean(1).sum().clamp_min(EPS)


class _Unmatched(torch.autograd.Function):
    """The squared distance of features to themselves after matching, which is taken as fixed.

    Forward in float32; backward in the features' own format and layout, a single product.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, target: Tensor, guide: Tensor | None) -> Tensor:
        x = features.permute(0, 2, 3, 1).flatten(1, 2)[0].float()
        count, channels = x.shape
        share = None if guide is None else shares(guide)[0].T
        low, high = x.aminmax(dim=0)
        bins = _binned(x, low, high).flatten()
        weights = None if share is None else share.expand_as(x).flatten()
        masses = _counted(bins, weights, BINS * channels).view(-1, BINS)
        means, spread = _wanted(target, masses)
        errors = x - means.flatten().index_select(0, bins).view_as(x)
        squares = errors.square().sum(1)
        ctx.size = features.shape[-2:]
        ctx.save_for_backward((errors * (2 / count if share is None else 2 * share)).to(features.dtype))
        return spread + (squares.sum() / count if share is None else squares @ share[:, 0])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_distance: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (slope,) = ctx.saved_tensors
        return (slope * by_distance).unflatten(0, ctx.size).permute(2, 0, 1)[None], None, None


def _binned(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The bin of each value (P, C), numbered through all channels."""
    bins = x.sub(low).mul_(BINS / (high - low).clamp_min(1e-12)).int().clamp_(0, BINS - 1)
    return bins.add_(BINS * torch.arange(x.shape[1], device=x.device, dtype=torch.int32))


def _counted(bins: Tensor, weights: Tensor | None, count: int) -> Tensor:
    """How many values fall into each of `count` bins (count,), each by its weight; in float32."""
    if bins.device.type == "cpu":
        return torch.bincount(bins, weights, count).float()
    # Elsewhere bincount reads back how many bins there are.
    weights = torch.ones_like(bins, dtype=torch.float32) if weights is None else weights
    return torch.zeros(count, device=bins.device).index_add_(0, bins, weights)


def _wanted(target: Tensor, masses: Tensor) -> tuple[Tensor, Tensor]:
    """What the values of each bin (C, BINS) become on the mean, and how much they are spread around it, in all; a view
    that shows nothing of a region has none."""
    levels, masses = target.shape[1], masses / masses.sum(1, keepdim=True).clamp_min(1e-12)
    ends = masses.cumsum(1)
    starts = ends - masses
    middle = ((starts + ends) * (levels / 2) - 0.5).clamp(0, levels - 1)
    left = middle.long().clamp_max(levels - 2)
    means = torch.lerp(target.gather(1, left), target.gather(1, left + 1), middle - left)
    # A bin of many values takes the mean of many levels; for few, the one in the middle is more exact.
    integrals = [_integral(power, starts, ends) / masses.clamp_min(1e-12) for power in (target, target.square())]
    many = masses * levels > 2
    spread = ((integrals[1] - integrals[0].square()).clamp_min(0) * masses * many).sum()
    return torch.where(many, integrals[0], means), spread


def _integral(values: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
    """The integral from start to end (C, n) in [0, 1] of the step function with these values (C, levels)."""
    levels = values.shape[1]
    sums = F.pad(values.cumsum(1), (1, 0)) / levels
    at = []
    for place in (starts, ends):
        place = (place * levels).clamp(0, levels)
        left = place.long().clamp_max(levels - 1)
        at.append(torch.lerp(sums.gather(1, left), sums.gather(1, left + 1), place - left))
    return at[1] - at[0]


class Histogram(Statistic):
    """Every channel's distribution of values; of several styles, the mean of their quantiles."""

    bounded = True
    target: Tensor

    @staticmethod
    def default_layers(layers: Sequence[str]) -> tuple[str, ...]:
        return HISTOGRAM_LAYERS

    def measure(self, sample: Sample) -> Measured:
        return (quantiles(sample.features, sample.guide),)

    def aim(self, values: Tensor) -> None:
        self.keep(target=values)

    def forward(self, sample: Sample) -> Tensor:
        return histogram_loss(sample.features, self.target, sample.guide)

    def bounds(self, sample: Sample) -> Tensor:
        low, high = sample.features[0].float().flatten(1).aminmax(dim=1)
        return torch.stack([-low, high])

    def measure_part(self, sample: Sample, bounds: Tensor | None) -> Measured:
        """Of each bin (C, BINS), of bins between these bounds, how many values it has and what they sum up to; and the
        mean square of each channel's (C,)."""
        assert bounds is not None
        low, high = -bounds[0], bounds[1]
        x = sample.features[0].permute(1, 2, 0).flatten(0, 1).float()
        share = torch.full_like(x[:, :1], 1 / len(x)) if sample.guide is None else shares(sample.guide)[0].T
        with torch.no_grad():
            bins = _binned(x, low, high).flatten().long()
            weights = share.expand_as(x).flatten()
            masses = _counted(bins, weights, BINS * x.shape[1]).view(-1, BINS)
        sums = x.new_zeros(BINS * x.shape[1]).index_add(0, bins, (x * share).flatten()).view(-1, BINS)
        return masses, sums, (x.square() * share).sum(0)

    def compare(self, masses: Tensor, sums: Tensor, squares: Tensor) -> Tensor:
        """`histogram_loss` of what is known of all parts."""
        masses = masses.detach()
        wanted, spread = _wanted(self.target, masses)
        distance = spread + squares.sum() - 2 * (wanted * sums).sum() + (wanted.square() * masses).sum()
        return distance / self.target.square().mean(1).sum().clamp_min(EPS)
