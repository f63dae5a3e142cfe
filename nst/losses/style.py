"""Bringing the statistics of each layer to those of one or several styles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from nst.layers import average_pool
from nst.losses.correlation import Correlation
from nst.losses.discrepancy import GaussianDiscrepancy, LinearDiscrepancy, PolynomialDiscrepancy
from nst.losses.gram import Gram
from nst.losses.histogram import Histogram
from nst.losses.patches import Patches
from nst.losses.perceptual import Features, Window, in_view, normalized_weights
from nst.losses.statistic import Measured, Sample, Site, Statistic, StyleOptions
from nst.losses.transport import RelaxedTransport
from nst.losses.wasserstein import MeanVariance, Wasserstein

STATISTICS: dict[str, type[Statistic]] = {
    "wasserstein": Wasserstein,
    "gram": Gram,
    "mean-variance": MeanVariance,
    "mmd-linear": LinearDiscrepancy,
    "mmd-polynomial": PolynomialDiscrepancy,
    "mmd-gaussian": GaussianDiscrepancy,
    "histogram": Histogram,
    "correlation": Correlation,
    "patches": Patches,
    "relaxed-transport": RelaxedTransport,
}
"""What a layer is compared by, by name."""

STYLE_LOSSES = tuple(STATISTICS)
MIXING = ("statistics", "losses")  # how several styles are mixed: to one target between theirs, or as a loss for each


Guides = Mapping[str, Tensor]  # how much each position of a layer (1, 1, H, W) counts, by layer


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
        layer_weights = normalized_weights(layer_weights, len(layers))
        self.sites = STATISTICS[kind].sites(self.layers, layer_weights, options)
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
                self.statistics.append(STATISTICS[kind].of(samples, mixture, options))
        each = torch.tensor([site.weight * count for site in self.sites for count in self.counts])
        self.register_buffer("count", each.to(styles[0][self.layers[0]].device), persistent=False)

    @property
    def capturable(self) -> bool:
        """See `Statistic.capturable`."""
        return all(statistic.capturable for statistic in self._statistics)

    @property
    def divisible(self) -> bool:
        """See `Statistic.divisible`."""
        return all(statistic.divisible for statistic in self._statistics)

    @property
    def _statistics(self) -> list[Statistic]:
        return list(self.statistics)  # type: ignore[arg-type]

    def forward(self, features: Features) -> dict[str, Tensor]:
        return self._weighted(self._statistics[0].distances(self._statistics, self._samples(features)))

    def bounds(self, features: Features, window: Window) -> list[Tensor | None]:
        """Of each statistic for a part of a picture, see `Statistic.bounds`."""
        pairs = zip(self._statistics, self._samples(features, window), strict=True)
        return [statistic.bounds(sample) if statistic.bounded else None for statistic, sample in pairs]

    def measure(
        self, features: Features, window: Window, bounds: Sequence[Tensor | None]
    ) -> list[tuple[Measured, float | Tensor]]:
        """What each statistic knows of a part of a picture, and the part's share of all that counts."""
        found, each = [], len(self.counts)
        for i, (statistic, sample) in enumerate(zip(self._statistics, self._samples(features, window), strict=True)):
            share: float | Tensor = window.share(self.sites[i // each].layers[-1])
            if self.guides is not None and sample.guide is not None:
                whole = in_view(self.guides[self.sites[i // each].layers[-1]], features)
                share = sample.guide.float().sum() / whole.float().sum().clamp_min(1e-12)
            found.append((statistic.measure_part(sample, bounds[i]), share))
        return found

    def compare(self, measured: Sequence[Measured]) -> dict[str, Tensor]:
        """The term, of what the statistics know of a picture."""
        pairs = zip(self._statistics, measured, strict=True)
        return self._weighted([statistic.compare(*one) for statistic, one in pairs])

    def _samples(self, features: Features, window: Window | None = None) -> list[Sample]:
        shrunk, each = Shrunk(), len(self.counts)
        return [
            _sample(features, site, self.guides, self.maps, shrunk, window) for site in self.sites for _ in range(each)
        ]

    def _weighted(self, distances: Sequence[Tensor]) -> dict[str, Tensor]:
        return {"style": self.weight * (torch.stack(list(distances)) * self.get_buffer("count")).sum()}


Shrunk = dict[tuple[str, int, int], Tensor]  # features by layer and size that were averaged down already


def _sample(
    features: Features,
    site: Site,
    guides: Guides | None,
    maps: Guides | None,
    shrunk: Shrunk | None = None,
    window: Window | None = None,
) -> Sample:
    """What is looked at: a layer, or several at the size of the deepest, which guides and maps then have.

    Features may be those of a part of the picture, which guides and maps are of as a whole.
    """
    deepest = site.layers[-1]
    guide, map = (None if places is None else in_view(places[deepest], features) for places in (guides, maps))
    if window is not None:
        guide, map = (None if x is None else x[(..., *window.at(deepest))] for x in (guide, map))
    if not site.pairs:
        return Sample(features[deepest], guide, map)
    known = Shrunk() if shrunk is None else shrunk
    fitted = [_fitted(features, name, features[deepest].shape[-2:], known) for name in site.layers]
    return Sample(torch.cat(fitted, 1), guide, map, tuple(x.shape[1] for x in fitted), site.pairs)


def _fitted(features: Features, name: str, size: torch.Size, shrunk: Shrunk) -> Tensor:
    """A layer averaged down to this height and width."""
    x = features[name]
    while x.shape[-2] > size[0] or x.shape[-1] > size[1]:
        key = (name, x.shape[-2], x.shape[-1])
        if key not in shrunk:
            shrunk[key] = average_pool(x)
        x = shrunk[key]
    return x
