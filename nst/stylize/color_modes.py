"""Every way of keeping the photo's colors, in one press.

After Gatys, Bethge, Hertzmann and Shechtman, "Preserving Color in Neural Artistic Style Transfer", 2016,
arXiv:1606.05897; the ways themselves are in `nst.color`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from nst.color import COLOR_MODES, recolor_result
from nst.images import resize
from nst.optimize import Step
from nst.stylize.grid import side_by_side
from nst.stylize.settings import check
from nst.stylize.transfer import style_transfer

COLOR_COLUMNS = 3
"""Pictures in a row of the result: the photo first, then one for each of `nst.color.COLOR_MODES`."""

RENEWED_EVERY = 5
"""Steps between two recolorings of what is painted: one costs as much as a step."""


def color_modes(
    content: Tensor, style: Tensor, *, color_when: str = "after", size: int = 512, **settings: Any
) -> Iterator[Step]:
    """Paint `content` with its colors kept in every way there is; yields every step.

    The image of a step holds the photo and a picture for each of `nst.color.COLOR_MODES`, in rows of `COLOR_COLUMNS`;
    `nst.stylize.cut` takes them apart. What is not begun yet is the photo.

    Args:
        content, style: images (1, 3, H, W) in [0, 1], of any size.
        color_when: "after" paints once, and recolors each fifth step and the last; "before" paints once for each way,
            with the style recolored.
        size: long side of each picture in pixels.
        settings: of `nst.stylize.style_transfer`, but for `preserve_color`.

    Raises:
        ValueError, nst.weights.WeightsNotFound: see `style_transfer`.
    """
    check(color_when=color_when, size=size)
    photo = content.float()
    if color_when == "after":
        return _once(photo, style, size, settings)
    return _each(photo, style, size, settings)


def _once(photo: Tensor, style: Tensor, size: int, settings: dict[str, Any]) -> Iterator[Step]:
    """One run, and every way applied to it."""
    done = torch.empty(0)
    for step in style_transfer(photo, style, size=size, **settings):
        shape = (step.image.shape[-2], step.image.shape[-1])
        fresh = done.shape[-2:] != shape
        if fresh or step.index % RENEWED_EVERY == 0 or step.index == step.total:
            fitted = resize(photo, shape).to(step.image)
            done = torch.cat([fitted, *(recolor_result(step.image, fitted, mode) for mode in COLOR_MODES)])
        yield replace(step, image=side_by_side(done, COLOR_COLUMNS))


def _each(photo: Tensor, style: Tensor, size: int, settings: dict[str, Any]) -> Iterator[Step]:
    """A run for each way."""
    count = len(COLOR_MODES)
    done = resize(photo, size).repeat(1 + count, 1, 1, 1)
    for i, mode in enumerate(COLOR_MODES):
        kept = settings | {"preserve_color": mode, "color_when": "before"}
        for step in style_transfer(photo, style, size=size, **kept):
            done = done.to(step.image)
            done[i + 1 : i + 2] = resize(step.image, (done.shape[-2], done.shape[-1]))
            yield replace(
                step,
                index=i * step.total + step.index,
                total=count * step.total,
                image=side_by_side(done, COLOR_COLUMNS),
                work=(i + step.work) / count,
            )
