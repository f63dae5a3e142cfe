"""What each layer keeps: of a photo's content, and of a style.

Gatys, Ecker and Bethge, "A Neural Algorithm of Artistic Style", 2015, arXiv:1508.06576, figure 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from nst.device import Device
from nst.encoders import STYLE_LAYERS
from nst.images import middle_square
from nst.optimize import Step
from nst.settings import check
from nst.settings.setting import Preset
from nst.stylize.invert import invert
from nst.stylize.several import in_turn
from nst.stylize.texture import reconstruct_style

GRID_LAYERS = STYLE_LAYERS  # the columns of the result
NOT_BEGUN = 0.5  # what stands where no picture is yet: gray


def layer_grid(
    content: Tensor,
    style: Tensor,
    *,
    size: int = 192,
    encoder: str = "compact",
    preset: str | Preset = "draft",
    num_steps: int | None = None,
    style_loss: str = "wasserstein",
    pooling: str | None = None,
    seed: int = 0,
    device: str | Device = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Step]:
    """Invert a photo from each of five layers, and rebuild a style from the first one to five; yields every step.

    The image of a step holds ten pictures (10, 3, size, size), first those of the content, then those of the style. All
    of them are of the middle square of what is given, and all begin as noise.

    Args:
        content, style: images (1, 3, H, W) in [0, 1], of any size.
        size: side of each picture in pixels.
        num_steps: of each picture.
        encoder, preset, style_loss, pooling, seed, device, progress: see `nst.stylize.style_transfer`.

    Raises:
        ValueError: an argument out of its range; the sentence says which and what is possible.
        nst.weights.WeightsNotFound: the encoder is neither here nor to be had.
    """
    check(**locals())
    photo, manner = middle_square(content.float(), size), middle_square(style.float(), size)
    common: dict[str, Any] = {"size": size, "encoder": encoder, "preset": preset, "num_steps": num_steps}
    common |= {"pooling": pooling, "seed": seed, "device": device, "progress": progress}
    columns = len(GRID_LAYERS)
    runs, places = [], []
    for column, layer in enumerate(GRID_LAYERS):
        runs += [
            invert(photo, layer=layer, **common),
            reconstruct_style(manner, depth=column + 1, style_loss=style_loss, **common),
        ]
        places += [column, columns + column]
    yield from in_turn(runs, torch.full((2 * columns, 3, size, size), NOT_BEGUN), places)
