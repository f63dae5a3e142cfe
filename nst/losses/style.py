"""Bringing the statistics of each layer to those of one or several styles."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from nst.layers import average_pool
from nst.losses.correlation import Correlation, layer_pairs
from nst.losses.discrepancy import gaussian, linear, polynomial
from nst.losses.gram import Gram
from nst.losses.histogram import Histogram
from nst.losses.patches import Patches
from nst.losses.perceptual import Features, normalized_weights
from nst.losses.statistic import Sample, Statistic, StyleOptions
from nst.losses.wasserstein import MeanVariance, Wasserstein

STATISTICS: dict[str, Callable[[Sequence[Sample], Sequence[float], StyleOptions], Statistic]] = {
    "wasserstein": Wasserstein,
    "gram": Gram,
    "mean-variance": MeanVariance,
    "mmd-linear": linear,
    "mmd-polynomial": polynomial,
    "mmd-gaussian": gaussian,
    "histogram": Histogram,
    "correlation": Correlation,
    "patches": Patches,
}
"""What a layer is compared by, by name."""

STYLE_LOSSES = tuple(STATISTICS)
MIXING = ("statistics", "losses")
"""How several styles are mixed: to one target between theirs, or as a loss for each."""

Guides = Mapping[str, Tensor]
"""How much each position of a layer (1, 1, H, W) counts, by layer."""


class StyleLoss(nn.Module):
    """Brings the statistics of each layer to the style's; its term is "style".

    Args:
        style: features of the style, or of several.
        layers: where to compare, shallow to deep.
        layer_weights: one for each layer, made to sum to 1; None means equal.
        kind: one of `STYLE_LOSSES`.
        weight: of the whole term.
        style_weights: one for each style, made to sum to 1; None means equal.
        mixing: one of `MIXING`.
        guides: where in the image; None means everywhere.
        style_guides: where in each style; None means everywhere.
        maps: of what is where in the image, by layer (1, K, H, W); heeded by patches.
        style_maps: the same for each style.
        options: what the statistics can be told.
    """

    def __init__(
        self,
        style: Features | Sequence[Features],
        layers: Sequence[str],
        layer_weights: Sequence[float] | None = None,
        kind: str = "gram",
        weight: float = 1.0,
        *,
        style_weights: Sequence[float] | None = None,
        mixing: str = "statistics",
        guides: Guides | None = None,
        style_guides: Sequence[Guides | None] | None = None,
        maps: Guides | None = None,
        style_maps: Sequence[Guides | None] | None = None,
        options: StyleOptions = StyleOptions(),  # noqa: B008
    ) -> None:
        super().__init__()
        if kind not in STYLE_LOSSES:
            raise ValueError(f'No style loss "{kind}": choose {", ".join(STYLE_LOSSES[:-1])} or {STYLE_LOSSES[-1]}.')
        if mixing not in MIXING:
            raise ValueError(f'No mixing "{mixing}": choose {" or ".join(MIXING)}.')
        self.layers, self.kind, self.weight = tuple(layers), kind, weight
        self.guides, self.maps = guides, maps
        self.sites = layer_pairs(self.layers, options.correlations) if kind == "correlation" else [(n,) for n in layers]
        self.site_weights = _site_weights(self.sites, self.layers, layer_weights)
        styles = [style] if isinstance(style, Mapping) else list(style)
        weights = normalized_weights(style_weights, len(styles))
        some = [i for i, weight in enumerate(weights) if weight]
        # Each target: the styles it is taken of, their weights in it, and what it counts.
        targets = [(some, [weights[i] for i in some], 1.0)]
        if mixing == "losses":
            targets = [([i], [1.0], weights[i]) for i in some]
        where = style_guides or [None] * len(styles)
        what = style_maps or [None] * len(styles)
        self.counts = [count for _, _, count in targets]
        self.statistics = nn.ModuleList()
        for site in self.sites:
            for members, mixture, _ in targets:
                samples = [_sample(styles[i], site, where[i], what[i]) for i in members]
                self.statistics.append(STATISTICS[kind](samples, mixture, options))

    def forward(self, features: Features) -> dict[str, Tensor]:
        statistics, terms, shrunk = iter(self.statistics), list[Tensor](), Shrunk()
        for site, weight in zip(self.sites, self.site_weights, strict=True):
            sample = _sample(features, site, self.guides, self.maps, shrunk)
            terms += [weight * count * next(statistics)(sample) for count in self.counts]
        return {"style": self.weight * torch.stack(terms).sum()}


Shrunk = dict[tuple[str, int, int], Tensor]
"""Features by layer and size that were averaged down already."""


def _sample(
    features: Features, site: Sequence[str], guides: Guides | None, maps: Guides | None, shrunk: Shrunk | None = None
) -> Sample:
    """What is looked at: a layer, or a layer and a deeper one, whose size guides and maps then have."""
    name, deepest = site[0], site[-1]
    x, deeper = features[name], features[deepest] if deepest != name else None
    known = Shrunk() if shrunk is None else shrunk
    while deeper is not None and (x.shape[-2] > deeper.shape[-2] or x.shape[-1] > deeper.shape[-1]):
        key = (name, x.shape[-2], x.shape[-1])
        if key not in known:
            known[key] = average_pool(x)
        x = known[key]
    return Sample(
        x, None if guides is None else guides[deepest], deeper, None if maps is None else maps[deepest]
    )


def _site_weights(
    sites: Sequence[Sequence[str]], layers: Sequence[str], weights: Sequence[float] | None
) -> list[float]:
    """A pair of layers counts as the geometric mean of both."""
    by_layer = dict(zip(layers, normalized_weights(weights, len(layers)), strict=True))
    return normalized_weights([math.sqrt(by_layer[site[0]] * by_layer[site[-1]]) for site in sites], len(sites))
