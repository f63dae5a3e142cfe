"""What a run will take, before it starts."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch

from nst.device import Device, choose_device
from nst.encoders import CONTENT_LAYERS, STYLE_LAYERS, Encoder, load_encoder
from nst.losses import STYLE_LOSSES, ContentLoss, PerceptualLoss, StyleLoss
from nst.optimize import optimize
from nst.params import PixelImage
from nst.stylize.scales import plan
from nst.stylize.settings import check, chosen_preset


@dataclass(frozen=True)
class Estimate:
    """What a run will take: seconds, and bytes of memory beside what the program itself takes."""

    seconds: float
    memory: int


def estimate(
    shape: tuple[int, int],
    *,
    encoder: str = "compact",
    size: int = 512,
    preset: str = "good",
    num_steps: int | None = None,
    optimizer: str = "adam",
    device: str = "auto",
) -> Estimate:
    """Time and memory of `style_transfer` for a content of `shape` (height, width), from a short measurement here.

    The measurement, a second or so, is made once for each encoder and device; no weights are downloaded for it.
    """
    check(size=size, preset=preset, num_steps=num_steps, optimizer=optimizer)
    per_step, per_pixel, memory = _cost(encoder, choose_device(device))
    parts = plan(size, chosen_preset(preset, num_steps=num_steps))
    narrow = min(shape) / max(shape)
    seconds = sum(part.num_steps * (per_step + per_pixel * part.size**2 * narrow) for part in parts)
    passes = 1.25 if optimizer == "lbfgs" else 1.0  # the line search mostly accepts its first guess
    return Estimate(seconds * passes, int(size**2 * narrow * memory))


@lru_cache(maxsize=8)
def _cost(encoder: str, where: Device) -> tuple[float, float, float]:
    """Seconds per step, seconds per pixel and step, and bytes per pixel, of a plain run: a few steps at two sizes."""
    model: Encoder = copy.deepcopy(load_encoder(encoder, download=False)).to(where.device)
    layers = (*CONTENT_LAYERS, *STYLE_LAYERS)
    fastest: dict[int, float] = {}
    for side in (128, 256):
        image = where.place(torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)))
        with torch.no_grad(), where.autocast():
            features = model(image, layers)
        losses = [ContentLoss(features, CONTENT_LAYERS), StyleLoss(features, STYLE_LAYERS, kind=STYLE_LOSSES[0])]
        run = optimize(PixelImage(image), model, PerceptualLoss(losses), device=where, num_steps=4)
        times = [time.perf_counter() for _ in run]
        fastest[side] = min(after - before for before, after in pairwise(times))
    per_pixel = max(fastest[256] - fastest[128], 0.5 * fastest[256]) / (256**2 - 128**2)
    per_step = max(fastest[256] - per_pixel * 256**2, 0.0)
    channels = sum(
        getattr(model, name.replace("relu", "conv")).out_channels / 4**s
        for s, stage in enumerate(model.stages)
        for name in stage
    )
    return per_step, per_pixel, MEMORY_FACTOR * 4 * channels


MEMORY_FACTOR = 4.0
"""Bytes at the peak of a step over those of all features in float32: a guess that a 1024 px run bore out."""
