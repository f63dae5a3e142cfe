"""Patches: every little piece of the image must be like some piece of the style.

Li and Wand, "Combining Markov Random Fields and Convolutional Neural Networks for Image Synthesis", 2016,
arXiv:1601.04589. With maps of what is where joined to the features, Champandard, "Semantic Style Transfer and
Turning Two-Bit Doodles into Fine Artwork", 2016, arXiv:1603.01768.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.losses.perceptual import EPS
from nst.losses.statistic import Measured, Sample, Statistic

PATCH_LAYERS = ("relu3_1", "relu4_1")  # where the paper compares patches (section 4)
MOST = 4096  # how many patches of the style are kept at a layer, drawn at random where there are more
REMATCH = 5  # for so many steps a patch keeps the one that was found for it: between two steps few would find another
SCORES = 2**24  # how many pairs of patches are compared at a time: bounds the memory


def unfold_patches(features: Tensor, size: int) -> Tensor:
    """All patches (n, C * size^2) of features (1, C, H, W), none over the edge; n is (H-size+1) (W-size+1)."""
    return F.unfold(features, size)[0].T


def nearest_patches(
    now: Tensor, bank: Tensor, now_map: Tensor | None = None, bank_map: Tensor | None = None, weight: float = 0.0
) -> Tensor:
    """For each patch (n, D) the index (n,) of the patch of the bank (m, D) that is most like it.

    Likeness is normalized cross-correlation (arXiv:1601.04589, eq. 3), both about the bank's mean patch, so that
    it is not the same for all where features are never negative; less `weight` times the mean squared difference of
    the maps' patches (n, K), (m, K), if given. Computed by chunks, so that memory does not grow with n times m.
    """
    mean = bank.mean(0, keepdim=True)
    known = F.normalize((bank - mean).float(), dim=1).to(bank.dtype)
    chosen = []
    for rows in range(0, len(now), max(1, SCORES // len(bank))):
        some = slice(rows, rows + max(1, SCORES // len(bank)))
        part = now[some] - mean
        scores = part @ known.T  # to which patch of the bank a patch is nearest does not depend on its own length
        if now_map is not None and bank_map is not None:
            length = torch.linalg.vector_norm(part, dim=1, keepdim=True, dtype=torch.float32)
            scores = scores / length.clamp_min(EPS)
            # |a - b|^2 = |b|^2 - 2 a b, but for what is the same for all b
            scale = weight / bank_map.shape[1]
            scores.addmm_(now_map[some], bank_map.T, alpha=2 * scale).sub_(scale * bank_map.square().sum(1))
        chosen.append(scores.argmax(1))
    return torch.cat(chosen)


class Wanted(NamedTuple):
    """What patches of an image are to be, all together.

    Attributes:
        means: what each feature is to be, (1, C, H, W): the mean of what the patches that it is in ask for.
        counts: how much each position counts, (1, 1, H, W).
        rest: how far apart what they ask for is.
    """

    means: Tensor
    counts: Tensor
    rest: Tensor


def laid_out(patches: Tensor, weights: Tensor, size: int, shape: Sequence[int]) -> Wanted:
    """What patches (n, C * size^2), each of which counts by its weight (n, 1), ask of features (1, C, H, W).

    The sum of w |x_p - p|^2 over all patches x_p of x is that of c (x - m)^2 over all positions, and a rest in which
    there is no x: so, as long as they are the same patches, x need not be taken apart.
    """
    area, grid = patches.new_ones(1, size * size), (shape[-2], shape[-1])
    counts = F.fold((weights * area).T[None], grid, size)
    sums = F.fold((weights * patches).T[None], grid, size)
    means = sums / counts.clamp_min(1e-12)
    rest = (weights[:, 0] * patches.square().sum(1)).sum() - (means * sums).sum()
    return Wanted(means.contiguous(memory_format=torch.channels_last), counts, rest.clamp_min(0))


def patch_pairs(pixels: float) -> float:
    """How many pairs of patches are compared in a step on a picture and a style of so many pixels each."""
    counts = [pixels / 4 ** (int(name[4]) - 1) for name in PATCH_LAYERS]
    return sum(count * min(count, MOST) for count in counts)


class Patches(Statistic):
    """Each patch of the image compared with the most alike of the style's; several styles are one bank.

    A style gives as many patches as its weight says, and only those whose center its guide lets count. While a
    picture is optimized, which patches are most alike is looked up every few steps only.
    """

    capturable = divisible = False
    matches = True
    content_gain = 2.0  # patches never all find their like: what is left of their loss would crowd out the content
    bank: Tensor

    @staticmethod
    def default_layers(layers: Sequence[str]) -> tuple[str, ...]:
        return PATCH_LAYERS

    @property
    def size(self) -> int:
        """Side of a patch, in positions of its layer."""
        return self.options.patch_size

    def measure(self, sample: Sample) -> Measured:
        size = self.size
        found = unfold_patches(_grown(sample.features, size), size)
        guide = None if sample.guide is None else self._centers(_grown(sample.guide, size))
        return found, guide, None if sample.map is None else unfold_patches(_grown(sample.map, size), size)

    def mix(self, measured: Sequence[Any], weights: Sequence[float]) -> Measured:
        bank, maps = [], []
        for (found, guide, map), weight in zip(measured, weights, strict=True):
            chosen = self._chosen(len(found), guide, max(1, round(weight * MOST))).to(found.device)
            bank.append(found[chosen])
            if map is not None:
                maps.append(map[chosen])
        return torch.cat(bank), torch.cat(maps) if maps else None

    def aim(self, bank: Tensor, maps: Tensor | None) -> None:
        self.keep(bank=bank, square=bank.float().square().sum(1).mean().clamp_min(EPS))
        self.register_buffer("map", maps, persistent=False)
        self.wanted: Wanted | None = None
        self.looks = 0

    def _chosen(self, count: int, guide: Tensor | None, most: int) -> Tensor:
        places = torch.arange(count) if guide is None else (guide >= 0.5 * guide.max()).nonzero()[:, 0].cpu()
        if len(places) <= most:
            return places
        return places[torch.randperm(len(places), generator=self.generator)[:most]]

    def forward(self, sample: Sample) -> Tensor:
        x = self._padded(sample.features)
        wanted = self.wanted
        if wanted is None or not x.requires_grad or self.looks % REMATCH == 0 or wanted.means.shape != x.shape:
            wanted = self.find_matches(x.detach(), sample)
        if x.requires_grad:
            self.wanted, self.looks = wanted, self.looks + 1
        errors = (x.float() - wanted.means).square() * wanted.counts
        return (errors.sum() + wanted.rest) / self.get_buffer("square")

    @torch.no_grad()
    def find_matches(self, features: Tensor, sample: Sample) -> Wanted:
        now = unfold_patches(features, self.size)
        there = self.get_buffer("map") if sample.map is not None else None
        here = None if sample.map is None else unfold_patches(self._padded(sample.map), self.size)
        found = self.bank[
            nearest_patches(now.to(self.bank.dtype), self.bank, here, there, self.options.semantic_weight)
        ].float()
        weights = torch.full_like(found[:, :1], 1 / len(found))
        if sample.guide is not None:
            guide = self._centers(self._padded(sample.guide)).float()[:, None]
            weights = guide / guide.sum().clamp_min(EPS)
        return laid_out(found, weights, self.size, features.shape)

    def _padded(self, features: Tensor) -> Tensor:
        if not self.options.circular:
            return _grown(features, self.size)
        return F.pad(features, (0, self.size - 1, 0, self.size - 1), mode="circular")

    def _centers(self, guide: Tensor) -> Tensor:
        """The guide at the center of each patch, (n,)."""
        height, width = guide.shape[-2] - self.size + 1, guide.shape[-1] - self.size + 1
        half = self.size // 2
        return guide[0, 0, half : half + height, half : half + width].flatten()


def _grown(features: Tensor, size: int) -> Tensor:
    """Features (1, C, H, W) that hold one patch at least: their edges repeated where they are smaller."""
    missing = [max(0, size - side) for side in features.shape[-2:]]
    if not any(missing):
        return features
    return F.pad(features, (0, missing[1], 0, missing[0]), mode="replicate")
