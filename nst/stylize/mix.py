"""A path from one style to another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from nst.images import resize
from nst.optimize import Step
from nst.settings import check
from nst.stylize.several import in_turn
from nst.stylize.transfer import style_transfer


def mix_path(
    content: Tensor, first: Tensor, second: Tensor, *, pictures: int = 5, size: int = 512, **settings: Any
) -> Iterator[Step]:
    """Paint `content` several times, in styles evenly spaced from `first` to `second`; yields every step.

    The image of a step holds all pictures (pictures, 3, H, W), those not yet begun as the content.

    Args:
        content, first, second: images (1, 3, H, W) in [0, 1], of any size.
        pictures: how many, the two styles themselves included.
        size: long side of each picture in pixels.
        settings: of `nst.stylize.style_transfer`, but for `style_weights`.

    Raises:
        ValueError, nst.weights.WeightsNotFound: see `style_transfer`.
    """
    check(pictures=pictures, size=size)
    shares = [i / (pictures - 1) for i in range(pictures)]
    runs = [
        style_transfer(content, [first, second], size=size, style_weights=[1 - share, share], **settings)
        for share in shares
    ]
    begun = resize(content.float(), size).repeat(pictures, 1, 1, 1)
    yield from in_turn(runs, begun, range(pictures))
