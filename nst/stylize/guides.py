"""Masks: which style goes where, and what they mean at each layer of an encoder.

Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", 2017, arXiv:1611.07865, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.encoders import Encoder
from nst.images import resize
from nst.losses import normalized_weights

LEAST = 1e-3  # a mask that nowhere exceeds this, or covers less than this of its picture, is taken for empty
DARK = 8 / 255  # a mask whose greatest value is below this is no drawing but a map of numbers, such as 0 and 1
LOST = 0.1  # where erosion leaves less than this share of a guide, the layer takes it as it was before


@dataclass(frozen=True)
class Region:
    """Part of the picture, and the styles that are mixed in it.

    Attributes:
        mask: (1, 1, H, W) in [0, 1]; None is everywhere.
        styles: their numbers; `weights` of each, summing to 1.
        share: what the region's style loss counts: its share of the picture, so that style and content are in
            the same balance in each region as in a whole picture; more or less by its styles' weights.
    """

    mask: Tensor | None
    styles: list[int]
    weights: list[float]
    share: float


def mask_of(picture: Tensor, name: str) -> Tensor:
    """A mask (1, 1, H, W) in [0, 1] from a picture (1, 1 or 3, H, W): white counts, black does not. Raises ValueError,
    by name, where it is empty, nearly black as maps of labels are, or no picture."""
    if picture.ndim != 4 or picture.shape[0] != 1 or picture.shape[1] not in (1, 3):
        raise ValueError(f"{name} must be one picture of shape (1, 1 or 3, H, W), not {tuple(picture.shape)}.")
    mask = picture.float().mean(1, keepdim=True).clamp(0, 1)
    if LEAST < mask.max() < DARK:
        raise ValueError(
            f"{name} is nearly black, with {round(255 * float(mask.max()))} of 255 at most: "
            "make what it is to cover white (255), and the rest black (0)."
        )
    if mask.mean() <= LEAST:
        raise ValueError(
            f"{name} is empty: paint white what it is to cover (black and transparent do not count), or leave it out."
        )
    return mask


def fitted_mask(picture: Tensor, shape: tuple[int, int], name: str) -> tuple[Tensor, str | None]:
    """A mask of this (height, width), and a sentence if it had to be resized. Raises as `mask_of`."""
    mask, (height, width) = mask_of(picture, name), picture.shape[-2:]
    if (height, width) == shape:
        return mask, None
    return resize(mask, shape), f"{name} was resized from {width} x {height} to {shape[1]} x {shape[0]} pixels."


def find_regions(
    masks: Sequence[Tensor | None], weights: Sequence[float] | None, keep: Tensor | None = None
) -> list[Region]:
    """The regions of a picture: styles of equal masks share one, and are mixed there.

    Args:
        masks: one for each style, all of one size; None stands for what no other mask covers, or for all of the
            picture where there is no mask at all.
        weights: of the styles; None means equal.
        keep: what is left untouched, and so belongs to no region.

    Raises:
        ValueError: weights that make no sense, or a style to which nothing is left.
    """
    shares = normalized_weights(weights, len(masks), "style weights")
    given = [mask for mask in masks if mask is not None]
    rest = None
    if given:
        rest = (1 - torch.stack(given).amax(0)).clamp(0, 1)
    groups: list[tuple[Tensor | None, list[int]]] = []
    for i, mask in enumerate(masks):
        place = rest if mask is None else mask
        known = next((members for other, members in groups if _same(place, other)), None)
        if known is None:
            groups.append((place, [i]))
        else:
            known.append(i)
    return [
        _region(mask, members, [shares[i] for i in members], len(masks), keep)
        for mask, members in groups
        if sum(shares[i] for i in members)
    ]


def _region(mask: Tensor | None, styles: list[int], shares: list[float], count: int, keep: Tensor | None) -> Region:
    if keep is not None:
        mask = (1 - keep) * (1 if mask is None else mask)
    if mask is not None and mask.mean() <= LEAST:
        numbers = " and ".join(str(i + 1) for i in styles)
        raise ValueError(f"Nothing is left of the picture for style {numbers}: other masks cover all of it.")
    area = 1.0 if mask is None else float(mask.mean())
    return Region(mask, styles, normalized_weights(shares, len(shares)), area * sum(shares) * count / len(styles))


def _same(a: Tensor | None, b: Tensor | None) -> bool:
    return a is b or (a is not None and b is not None and torch.equal(a, b))


def propagate(mask: Tensor, encoder: Encoder, layers: Sequence[str], guide: str = "inside") -> dict[str, Tensor]:
    """What a mask (1, 1, H, W) of the picture is at each layer, (1, 1, h, w).

    Args:
        mask: of the size of the picture that is encoded; or several, (N, 1, H, W), each of a view of it.
        encoder: through whose convolutions and poolings it goes.
        layers: where it is wanted.
        guide: "inside" counts only positions that see nothing but the masked part of the picture, as far as
            such are left; "all" those that see something of it (both as in section 4.1 of the paper); "soft" each by
            how much of its own square is masked.
    """
    soft = now = mask
    found: dict[str, Tensor] = {}
    for stage, names in enumerate(encoder.stages):
        if stage:
            soft = F.avg_pool2d(soft, 2, ceil_mode=True, count_include_pad=False)
            now = soft if guide == "soft" else _extreme(now, guide, 2, 2, 0)
        for name in names:
            now = soft if guide == "soft" else _extreme(now, guide, 3, 1, 1)
            if name in layers:
                lost = now.sum((1, 2, 3), keepdim=True) < LOST * soft.sum((1, 2, 3), keepdim=True)
                found[name] = torch.where(lost, soft, now)
    return found


def _extreme(mask: Tensor, guide: str, size: int, stride: int, padding: int) -> Tensor:
    """The most of each square, or the least for the guide "inside"."""
    sign = 1 if guide == "all" else -1
    return sign * F.max_pool2d(sign * mask, size, stride, padding, ceil_mode=True)


def shrink_map(picture: Tensor, encoder: Encoder, layers: Sequence[str]) -> dict[str, Tensor]:
    """A map of what is where, (1, K, H, W) of the picture's size, as each layer sees it, (1, K, h, w)."""
    now, found = picture, dict[str, Tensor]()
    for stage, names in enumerate(encoder.stages):
        if stage:
            now = F.avg_pool2d(now, 2, ceil_mode=True, count_include_pad=False)
        found |= {name: now for name in names if name in layers}
    return found
