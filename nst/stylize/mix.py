"""A path from one style to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor

from nst.images import resize
from nst.optimize import Step
from nst.stylize.grid import side_by_side, with_one
from nst.stylize.settings import check
from nst.stylize.transfer import style_transfer


def mix_path(
    content: Tensor, first: Tensor, second: Tensor, *, pictures: int = 5, size: int = 512, **settings: Any
) -> Iterator[Step]:
    """Paint `content` several times, in styles evenly spaced from `first` to `second`; yields every step.

    The image of a step holds all pictures side by side (1, 3, H, pictures * W), those not yet begun as the content;
    `nst.stylize.cut` takes them apart.

    Args:
        content, first, second: images (1, 3, H, W) in [0, 1], of any size.
        pictures: how many, the two styles themselves included.
        size: long side of each picture in pixels.
        settings: of `nst.stylize.style_transfer`, but for `style_weights`.

    Raises:
        ValueError, nst.weights.WeightsNotFound: see `style_transfer`.
    """
    check(pictures=pictures, size=size)
    done = resize(content.float(), size).repeat(pictures, 1, 1, 1)
    for i in range(pictures):
        share = i / (pictures - 1)
        for step in style_transfer(content, [first, second], size=size, style_weights=[1 - share, share], **settings):
            yield replace(
                step.changed(lambda image, i=i, done=done: side_by_side(with_one(done, i, image))),  # type: ignore[misc]
                index=i * step.total + step.index,
                total=pictures * step.total,
                work=(i + step.work) / pictures,
            )
        done = with_one(done, i, step.image)
