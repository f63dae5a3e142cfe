"""What a step takes of memory, and whether a picture must be cut into tiles for it."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from nst.device import Device, free_memory
from nst.encoders import Encoder
from nst.losses import PATCH_LAYERS, STATISTICS
from nst.tiles import LARGEST, SMALLEST

SPARED = 0.25  # share of the free memory that is left alone: what is free is known at a run's start alone
FEATURE_COPIES = 3.4  # how many times all features of a picture are held at the peak of a step (on a CPU, 2048 pixels)
PATCH_COPIES = 4  # how many times all patches of a layer are held at the peak, in float32
STATE = 120  # bytes of a pixel that a run holds beside features: of pictures, gradients and moments


def thrifty_state(device: Device) -> int:
    """The same where it is tiled. On a GPU photo and style are not; a CPU's heap is larger than what it holds."""
    return 42 if device.torch_device.type == "cuda" else 62


def whole_step(models: Iterable[Encoder], kinds: Iterable[str], device: Device) -> float:
    """Bytes for each pixel of a picture that is encoded at once."""
    kinds, models = list(kinds), list(models)
    memory = STATE + FEATURE_COPIES * (2 if device.dtype == torch.bfloat16 else 4) * sum(map(_channels, models))
    if any(STATISTICS[kind].matches for kind in kinds):
        widths = {name: _width(models[0], name) for name in PATCH_LAYERS if name in models[0].strides}
        memory += sum(PATCH_COPIES * 4 * 9 * width / 4 ** (int(name[4]) - 1) for name, width in widths.items())
    return memory


def tile_side(pixels: float, per_pixel: float, device: Device) -> int | None:
    """Side of the tiles that a picture of so many pixels, each of as many bytes as `whole_step` says, must be cut into,
    with what is around them; None for none."""
    free = (1 - SPARED) * free_memory(device)
    if pixels * per_pixel <= free:
        return None
    left = max(0.0, free - thrifty_state(device) * pixels)
    return int(min(max((left / per_pixel) ** 0.5, SMALLEST), LARGEST)) // 16 * 16


def tiled_memory(pixels: float, per_pixel: float, side: int, device: Device) -> float:
    """Bytes that a step takes whose picture is cut into tiles with such a side."""
    return thrifty_state(device) * pixels + per_pixel * min(side**2, pixels)


def tiled_time(side: int, around: int) -> float:
    """How many times longer a step takes with tiles of this side, of which so many pixels on each side are around."""
    return ROUNDS * (side / max(side - 2 * around, 16)) ** 2


ROUNDS = 2.0  # what two rounds cost over one: features are computed twice, the content's as well, and gradients once


def _channels(model: Encoder) -> float:
    """Features for each pixel, over all layers."""
    return sum(_width(model, name) / stride**2 for name, stride in model.strides.items())


def _width(model: Encoder, layer: str) -> int:
    return getattr(model, layer.replace("relu", "conv")).out_channels  # type: ignore[no-any-return]
