"""Masks, from files and from what somebody painted with brushes of a few colors: which style goes where."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import ImageColor
from torch import Tensor
from torch.nn import functional as F

from nst.images import Source, decode, to_tensor
from nst.stylize.guides import LEAST

FAINT = 1 / 32  # an opacity below which a pixel's color is not to be trusted: it was rounded away


def open_mask(source: Source, size: int | None = None) -> Tensor:
    """A mask (1, 1, H, W) in [0, 1] from a file: what is white counts, what is black or transparent does not.

    With `size`, its long side has at most so many pixels. Raises `nst.images.ImageError` for what is no picture.
    """
    picture = decode(source, size=size)
    over_white = to_tensor(picture).mean(1, keepdim=True)
    if picture.alpha is None:
        return over_white
    return (over_white - 1 + to_tensor(picture.alpha)[:, :1]).clamp(0, 1)


def painted_masks(
    layers: Sequence[Source], colors: Sequence[str], softness: float = 0.0, opacity: float = 1.0
) -> list[Tensor | None]:
    """Masks from strokes of the brush, one for each color.

    A pixel belongs to the color that is nearest to its own, as much as it is covered there; what lies on top hides
    what is beneath it.

    Args:
        layers: pictures of one size with transparency, from the lowest up: anything that `nst.images.decode` takes.
        colors: of the brushes, such as "#2f44c8".
        softness: how far a region's edge fades, as a share of the long side.
        opacity: of the brushes; what is as opaque as this is covered wholly.

    Returns:
        (1, 1, H, W) in [0, 1] for each color, and None for one that nothing was painted in.

    Raises:
        nst.images.ImageError: a layer that is no picture.
        ValueError: layers of several sizes.
    """
    palette = torch.tensor([ImageColor.getrgb(color)[:3] for color in colors]).float() / 255
    masks: Tensor | None = None
    for layer in layers:
        color, alpha = _unmixed(layer)
        covered = (alpha / opacity).clamp(max=1)
        distance = (color - palette.view(-1, 3, 1, 1)).square().sum(1)
        own = F.one_hot(distance.argmin(0), len(colors)).permute(2, 0, 1).float() * covered
        if masks is not None and masks.shape != own.shape:
            raise ValueError("The painted layers are not all of one size.")
        masks = own if masks is None else masks * (1 - covered) + own
    if masks is None:
        return [None] * len(colors)
    soft = _faded(masks[None], softness)
    return [mask if mask.mean() > LEAST else None for mask in soft.split(1, 1)]


def _unmixed(layer: Source) -> tuple[Tensor, Tensor]:
    """Color (1, 3, H, W) and alpha (H, W) of a layer; decoding lays it over white, which is taken off again."""
    picture = decode(layer)
    over_white = to_tensor(picture)
    if picture.alpha is None:
        return over_white, torch.ones(over_white.shape[-2:])
    alpha = to_tensor(picture.alpha)[0, 0]
    color = (over_white - 1 + alpha) / alpha.clamp_min(FAINT)
    return color, torch.where(alpha < FAINT, 0.0, alpha)


def _faded(masks: Tensor, softness: float) -> Tensor:
    """Masks (1, K, H, W) with edges that fade over a share of the long side: three box filters, nearly a Gaussian."""
    reach = round(softness * max(masks.shape[-2:]) / 3)
    if not reach:
        return masks
    for _ in range(3):
        padded = F.pad(masks, (reach,) * 4, mode="replicate")
        masks = F.avg_pool2d(F.avg_pool2d(padded, (2 * reach + 1, 1), 1), (1, 2 * reach + 1), 1)
    return masks
