"""Each place of the picture like some place of the style, and each of the style's found again in the picture.

The relaxed earth mover's distance: Kusner, Sun, Kolkin and Weinberger, "From Word Embeddings To Document Distances",
2015; as a style loss in Kolkin, Salavon and Shakhnarovich, "Style Transfer by Relaxed Optimal Transport and
Self-Similarity", 2019, arXiv:1904.12785, eq. 4, there on hypercolumns, here layer by layer and about the style's mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nst.losses.statistic import Measured, Sample, Statistic, shares

SOME, MOST = 1024, 2048  # how many places of the picture are compared in a step, and with how many of the style

INSIDE = 0.5
"""Places whose guide is at least this share of its greatest can be where a place of the style is found again."""


class RelaxedTransport(Statistic):
    """The greater of the two mean cosine distances to the nearest: of the picture's places, and of the style's.

    1 for features without any likeness. Where a picture has many places, each step compares the next of them, in random
    order. Of several styles each gives as many places as its weight says.
    """

    divisible = False
    content_gain = 1.5
    bank: Tensor
    mean: Tensor

    @staticmethod
    def default_layers(layers: Sequence[str]) -> tuple[str, ...]:
        return ("relu2_1", "relu3_1", "relu4_1")

    def measure(self, sample: Sample) -> Measured:
        return _columns(sample.features), None if sample.guide is None else shares(sample.guide)[0, 0]

    def mix(self, measured: Sequence[Any], weights: Sequence[float]) -> Measured:
        bank = []
        for (columns, share), weight in zip(measured, weights, strict=True):
            chance = torch.ones(len(columns)) if share is None else share.cpu()
            count = min(max(1, round(weight * MOST)), int((chance > 0).sum()))
            chosen = torch.multinomial(chance, count, generator=self.generator)
            bank.append(columns[chosen.to(columns.device)])
        return (torch.cat(bank),)

    def aim(self, bank: Tensor) -> None:
        mean = bank.mean(0, keepdim=True)
        self.keep(bank=_unit(bank - mean), mean=mean)
        self.order: Tensor | None = None

    def forward(self, sample: Sample) -> Tensor:
        columns, guide = _columns(sample.features), None if sample.guide is None else sample.guide[0, 0].flatten()
        if len(columns) > SOME:
            places = self._next(len(columns), columns.device)
            columns = columns.index_select(0, places)
            guide = None if guide is None else guide.index_select(0, places)
        near = _unit(columns - self.mean) @ self.bank.T
        if guide is None:
            return 1 - torch.minimum(near.amax(1).mean(), near.amax(0).mean())
        found = near.masked_fill((guide < INSIDE * guide.amax())[:, None], -1).amax(0).mean()
        return 1 - torch.minimum((near.amax(1) * guide).sum() / guide.sum().clamp_min(1e-12), found)

    def _next(self, count: int, device: torch.device) -> Tensor:
        """The places that are compared in this step."""
        if self.order is None or len(self.order) != count:
            self.order = torch.randperm(count, generator=self.generator).to(device)
            self.at = torch.arange(SOME, device=device)
        places = self.order.index_select(0, self.at)
        self.at.add_(SOME).remainder_(count)
        return places


def _columns(features: Tensor) -> Tensor:
    """Features (1, C, H, W) place by place, (H W, C)."""
    return features.float().flatten(2)[0].T


def _unit(columns: Tensor) -> Tensor:
    return columns * (columns.square().sum(1, keepdim=True) + 1e-16).rsqrt()
