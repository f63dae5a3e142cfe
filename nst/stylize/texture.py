"""A texture of any size from a style, with or without seams when tiled.

Gatys, Ecker and Bethge, "Texture Synthesis Using Convolutional Neural Networks", 2015, arXiv:1505.07376.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from nst.device import Device, choose_device
from nst.encoders import STYLE_LAYERS, Encoder, load_onto
from nst.losses import StyleOptions
from nst.optimize import Step
from nst.settings import check
from nst.settings.setting import Preset, split
from nst.stylize.guides import find_regions
from nst.stylize.painting import ContentImage, Objective, paint
from nst.stylize.scales import plan
from nst.stylize.settings import chosen_preset, per_style
from nst.stylize.style_images import StyleConfig, gather_styles


def texture(
    style: Tensor | Sequence[Tensor],
    *,
    width: int = 512,
    height: int = 512,
    seamless: bool = False,
    encoder: str = "compact",
    preset: str | Preset = "good",
    num_steps: int | None = None,
    init: str | Tensor = "noise",
    optimizer: str = "adam",
    learning_rate: float | None = None,
    style_loss: str = "wasserstein",
    style_layers: Sequence[str] | None = None,
    style_layer_weights: Sequence[float] | None = None,
    style_scale: float | Sequence[float] = 1.0,
    style_weights: Sequence[float] | None = None,
    mixing: str = "statistics",
    tv_weight: float | None = None,
    tv_exponent: float = 2.0,
    norm_weight: float = 0.0,
    norm_exponent: float = 6.0,
    pooling: str | None = None,
    seed: int = 0,
    device: str | Device = "auto",
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Iterator[Step]:
    """Make a picture of nothing but the texture of a style, or of several mixed; yields every step.

    Args:
        style: image (1, 3, H, W) in [0, 1], or several, of any size.
        width, height: of the texture in pixels.
        seamless: whether it can be tiled: opposite edges are neighbors throughout (convolutions, pooling, patches,
            total variation). Its sides are then multiples of that by which the encoder shrinks (16 for all here).
        init: start from "noise", or from an image (1, 3, h, w), which is then gone on from at full size.
        style_scale: long side of the style relative to the texture's, one for all or one for each style.
        tv_weight, tv_exponent: of total variation, relative to the style's own.
        encoder, preset, num_steps, optimizer, learning_rate, style_loss, style_layers, style_layer_weights,
            style_weights, mixing, norm_weight, norm_exponent, pooling, seed, device, progress, options: see
            `nst.stylize.style_transfer`.

    Raises:
        ValueError: an argument out of its range; the sentence says which and what is possible.
        nst.weights.WeightsNotFound: the encoder is neither here nor to be had.
    """
    check(**locals(), **options)
    chosen, device = chosen_preset(preset, num_steps=num_steps, tv_weight=tv_weight), choose_device(device)
    styles = [style.float() for style in ([style] if isinstance(style, Tensor) else style)]
    style_images, _ = gather_styles(styles, per_style(style_scale, len(styles), "style_scale"))
    told = StyleOptions(**options, circular=seamless, seed=seed)
    style_config = StyleConfig(split(style_loss), style_layers, style_layer_weights, mixing, options=told)
    model = load_onto(device, encoder, pooling, progress)
    objective = Objective(
        model,
        model,
        device,
        style_config,
        (0.0, 1.0),
        variation=(chosen.tv_weight, tv_exponent),
        norm=(norm_weight, norm_exponent),
        endless=endless(model) if seamless else None,
    )
    multiple = 2 ** (len(model.stages) - 1) if seamless else 1
    regions = find_regions([None] * len(styles), style_weights)
    content_image = ContentImage(torch.full((1, 3, height, width), 0.5), regions, blank=True, multiple=multiple)
    shape = content_image.at(max(height, width)).picture.shape[-2:]
    note = None
    if shape != (height, width):
        note = f"To be seamless, the texture is {shape[1]} x {shape[0]} pixels, not {width} x {height}."
    parts = plan(max(height, width), chosen, whole=isinstance(init, Tensor))
    for step in paint(content_image, style_images, objective, parts, init, seed, chosen, optimizer, learning_rate):
        yield replace(step, note=" ".join(filter(None, (note, step.note))) or None)
        note = None


def reconstruct_style(style: Tensor, *, depth: int = 5, size: int = 256, **settings: Any) -> Iterator[Step]:
    """What the first `depth` style layers know of a style: a texture of its shape; yields every step.

    Gatys et al. 2015, arXiv:1508.06576, figure 1, "style reconstructions".

    Args:
        style: image (1, 3, H, W) in [0, 1].
        depth: 1 for relu1_1 alone, up to 5 for relu1_1 to relu5_1.
        size: long side in pixels.
        settings: of `texture`.

    Raises:
        ValueError: see `texture`; or a depth that is not there.
    """
    if not 1 <= depth <= len(STYLE_LAYERS):
        raise ValueError(f"depth must be a number from 1 to {len(STYLE_LAYERS)}, not {depth!r}.")
    tall, wide = style.shape[-2:]
    sides = {"height": round(size * tall / max(tall, wide)), "width": round(size * wide / max(tall, wide))}
    return texture(style, **{"style_layers": STYLE_LAYERS[:depth], **sides, **settings})


def endless(encoder: Encoder) -> Encoder:
    """The same encoder for pictures whose opposite edges are neighbors."""
    wrapped = copy.deepcopy(encoder)
    for module in wrapped.modules():
        if isinstance(module, nn.Conv2d):
            module.padding_mode = "circular"
    return wrapped
