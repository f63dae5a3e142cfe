"""What a style loss compares at one layer: a statistic that forgets where things are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

Pair = tuple[int, int, float]
"""The numbers of two layers, and what they count together."""


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
        kernel_degree, kernel_offset: of the polynomial kernel.
        kernel_bandwidth: of the Gaussian kernel, in median distances.
        activation_shift: of the correlations, in mean activations.
        correlations: of which layers with which: "chain", "cross" or "own".
        patch_size: side of a patch, in positions of its layer.
        semantic_weight: of the maps when patches are matched.
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


class Statistic(nn.Module):
    """Compares a sample with its target, which it holds; a scalar, 0 for equal statistics, 1 for no features at all.

    Args:
        styles: what the target is taken of; several are mixed to one target.
        weights: of each style, summing to 1.
        options: what this kind of statistic heeds of them.
    """

    def __init__(self, styles: Sequence[Sample], weights: Sequence[float], options: StyleOptions) -> None:
        super().__init__()

    def keep(self, **targets: Tensor) -> None:
        """Hold these parts of the target."""
        for name, target in targets.items():
            self.register_buffer(name, target.detach(), persistent=False)


def weighted_sum(tensors: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The sum of tensors, or of tuples' parts, each times its weight; a single one of weight 1 is left as it is."""
    if len(tensors) == 1:
        return tensors[0]
    return torch.stack([tensor * weight for tensor, weight in zip(tensors, weights, strict=True)]).sum(0)


def shares(guide: Tensor) -> Tensor:
    """A guide (N, 1, H, W) as shares of the whole, (N, 1, H W), summing to 1: so areas of any size count alike."""
    flat = guide.float().flatten(2)
    return flat / flat.sum(2, keepdim=True).clamp_min(1e-12)
