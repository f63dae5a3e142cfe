"""Every way of keeping the photo's colors, in one press.

After Gatys, Bethge, Hertzmann and Shechtman, "Preserving Color in Neural Artistic Style Transfer", 2016,
arXiv:1606.05897; the ways themselves are in `nst.color`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from nst.color import COLOR_MODES, recolor_result
from nst.images import resize
from nst.optimize import Step
from nst.settings import check
from nst.stylize.photoreal import move_colors
from nst.stylize.several import in_turn
from nst.stylize.transfer import style_transfer


def color_modes(
    content: Tensor,
    style: Tensor,
    *,
    color_when: str = "after",
    photoreal: bool = False,
    size: int = 512,
    **settings: Any,
) -> Iterator[Step]:
    """Paint `content` with its colors kept in every way there is; yields every step.

    The image of a step holds the photo and a picture for each of `nst.color.COLOR_MODES`. What is not begun yet is the
    photo.

    Args:
        content, style: images (1, 3, H, W) in [0, 1], of any size.
        color_when: "after" paints once, and recolors what is shown in every way; "before" paints once for each way,
            with the style recolored.
        photoreal: whether to show the photo in the colors of the style instead, with nothing painted: the photo, one
            change of colors for the whole, and one for each region; see `nst.stylize.move_colors`.
        size: long side of each picture in pixels.
        settings: of `nst.stylize.style_transfer`, but for `preserve_color`.

    Raises:
        ValueError, nst.weights.WeightsNotFound: see `style_transfer`.
    """
    check(color_when=color_when, size=size)
    photo = content.float()
    if photoreal:
        steps = move_colors(photo, style, size=size, strength=settings.get("strength", 50.0))
        return (step.changed(lambda both: torch.cat([resize(photo, size), both])) for step in steps)
    if color_when == "after":
        return _once(photo, style, size, settings)
    return _each(photo, style, size, settings)


def _once(photo: Tensor, style: Tensor, size: int, settings: dict[str, Any]) -> Iterator[Step]:
    """One run, and every way applied to it."""

    def recolored(image: Tensor) -> Tensor:
        fitted = resize(photo, image.shape[-2:]).to(image)
        return torch.cat([fitted, *(recolor_result(image, fitted, mode) for mode in COLOR_MODES)])

    for step in style_transfer(photo, style, size=size, **settings):
        yield step.changed(recolored)


def _each(photo: Tensor, style: Tensor, size: int, settings: dict[str, Any]) -> Iterator[Step]:
    """A run for each way."""
    runs = [
        style_transfer(photo, style, size=size, preserve_color=mode, color_when="before", **settings)
        for mode in COLOR_MODES
    ]
    begun = resize(photo, size).repeat(1 + len(COLOR_MODES), 1, 1, 1)
    return in_turn(runs, begun, range(1, 1 + len(COLOR_MODES)))
