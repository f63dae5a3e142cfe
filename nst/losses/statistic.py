"""What a style loss compares at one layer: a statistic that forgets where things are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

Pair = tuple[int, int, float]  # the numbers of two layers, and what they count together


class Sample(NamedTuple):
    """What a statistic is taken of.

    Attributes:
        features: (1, C, H, W).
        guide: how much each position counts (1, 1, H, W), none below 0; None where all count the same.
        map: what is where, (1, K, H, W) in [0, 1], for patches that are matched by meaning too.
        widths: how many of the channels are of which layer, where the features are of several, for correlations.
        pairs: which of these layers are correlated, and what each pair counts.
    """

    features: Tensor
    guide: Tensor | None = None
    map: Tensor | None = None
    widths: tuple[int, ...] = ()
    pairs: tuple[Pair, ...] = ()


@dataclass(frozen=True)
class StyleOptions:
    """What some of the statistics can be told; see there.

    Attributes:
        kernel_degree, kernel_offset: of the polynomial kernel, relative to the mean square of features.
        kernel_bandwidth: of the Gaussian kernel, in median distances.
        activation_shift: of the correlations, in mean activations.
        correlations: of which layers with which: "chain", "cross" or "own".
        patch_size: side of a patch, in positions of its layer.
        semantic_weight: how much meaning, as the maps have it, counts beside likeness when patches are matched.
        circular: whether opposite edges of the image are neighbors.
        seed: of the positions that are drawn.
    """

    kernel_degree: int = 2
    kernel_offset: float = 1.0
    kernel_bandwidth: float = 1.0
    activation_shift: float = -1.0
    correlations: str = "chain"
    patch_size: int = 3
    semantic_weight: float = 3.0
    circular: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Site:
    """Where a statistic is taken.

    Attributes:
        layers: one, or several of one stage and above, which are looked at in the size of the deepest.
        weight: what it counts.
        pairs: which of several layers make pairs.
    """

    layers: tuple[str, ...]
    weight: float
    pairs: tuple[Pair, ...] = ()


Measured = tuple[Tensor | None, ...]  # what a statistic knows of a picture


class Statistic(nn.Module):
    """Compares a sample with its target, which it holds; a scalar, 0 for equal statistics, 1 for no features at all.

    In three verbs: `measure` what there is to know of a picture, `mix` what is known of several (or of parts of one),
    and `compare` what is known with the target. Where each position of a picture is compared by itself, `forward` does
    that instead of the first and the last.

    Args:
        styles: what the target is taken of; several are mixed to one target.
        weights: of each style, summing to 1.
        options: what this kind of statistic heeds of them.

    Attributes:
        capturable: whether it does the same operations each time and reads nothing back, so that a step with it can be
            captured as a graph.
        matches: whether parts of the picture are matched with parts of the style, by what is where in both if maps of
            that are given; that costs the more, the more parts there are on either side.
        content_gain: how much more the content counts beside it, so that one strength keeps about as much of it by each
            kind.
        divisible: whether the parts of a picture, measured and mixed by their shares of it, are the whole measured.
        bounded: whether, to measure a part, bounds of the whole must be known.
    """

    capturable = divisible = True
    bounded = False
    matches = False
    content_gain = 1.0

    def __init__(self, styles: Sequence[Sample], weights: Sequence[float], options: StyleOptions) -> None:
        super().__init__()
        self.options = options
        self.generator = torch.Generator().manual_seed(options.seed)
        self.widths, self.pairs = styles[0].widths, styles[0].pairs
        self.aim(*self.mix([self.measure(style) for style in styles], weights))

    @classmethod
    def of(cls, styles: Sequence[Sample], weights: Sequence[float], options: StyleOptions) -> Statistic:
        """One of this kind."""
        return cls.chosen(options)(styles, weights, options)

    @classmethod
    def chosen(cls, options: StyleOptions) -> type[Statistic]:
        """What it is computed by with these options."""
        return cls

    @staticmethod
    def default_layers(layers: Sequence[str]) -> tuple[str, ...] | None:
        """Where it compares best, of the layers that an encoder has; None is where most kinds do."""
        return None

    @staticmethod
    def default_weights(count: int) -> list[float] | None:
        """Of so many layers; None is equal ones."""
        return None

    @classmethod
    def sites(cls, layers: Sequence[str], weights: Sequence[float], options: StyleOptions) -> list[Site]:
        """Where it is taken, for layers that count so much, shallow to deep."""
        return [Site((name,), weight) for name, weight in zip(layers, weights, strict=True)]

    @classmethod
    def distances(cls, statistics: Sequence[Statistic], samples: Sequence[Sample]) -> list[Tensor]:
        """What several of this kind give for a sample each."""
        return [statistic(sample) for statistic, sample in zip(statistics, samples, strict=True)]

    def measure(self, sample: Sample) -> Measured:
        """What there is to know of a sample."""
        raise NotImplementedError

    def bounds(self, sample: Sample) -> Tensor:
        """What must be known to measure a part, which for the whole is the greatest of its parts'."""
        raise NotImplementedError

    def measure_part(self, sample: Sample, bounds: Tensor | None) -> Measured:
        """What there is to know of a part."""
        return self.measure(sample)

    def mix(self, measured: Sequence[Measured], weights: Sequence[float]) -> Measured:
        """What is known of several samples, or parts of one, together: means over positions, which add up."""
        kept = [[part for part in column if part is not None] for column in zip(*measured, strict=True)]
        return tuple(weighted_sum(column, weights) if column else None for column in kept)

    def aim(self, *target: Any) -> None:
        """Hold what is known of the target, and whatever comparing takes of it."""
        raise NotImplementedError

    def compare(self, *measured: Any) -> Tensor:
        """How far what is known of a sample is from the target."""
        raise NotImplementedError

    def forward(self, sample: Sample) -> Tensor:
        return self.compare(*self.measure(sample))

    def keep(self, **targets: Tensor) -> None:
        """Hold these parts of the target."""
        for name, target in targets.items():
            self.register_buffer(name, target.detach(), persistent=False)


def weighted_sum(tensors: Sequence[Tensor], weights: Sequence[float | Tensor]) -> Tensor:
    """The sum of tensors, or of tuples' parts, each times its weight; a single one of weight 1 is left as it is."""
    if len(tensors) == 1:
        return tensors[0]
    return torch.stack([tensor * weight for tensor, weight in zip(tensors, weights, strict=True)]).sum(0)


def shares(guide: Tensor) -> Tensor:
    """A guide (N, 1, H, W) as shares of the whole, (N, 1, H W), summing to 1: so areas of any size count alike."""
    flat = guide.float().flatten(2)
    return flat / flat.sum(2, keepdim=True).clamp_min(1e-12)
