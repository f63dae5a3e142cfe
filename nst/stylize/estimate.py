"""What a run will take, before it starts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

from nst.device import Device, choose_device
from nst.encoders import STYLE_LAYERS, Encoder, load_onto
from nst.losses import STATISTICS, STYLE_LOSSES, patch_pairs
from nst.optimize import optimize
from nst.params import PixelImage
from nst.settings import check
from nst.settings.setting import split
from nst.stylize.footprint import tile_side, tiled_memory, tiled_time, whole_step
from nst.stylize.guides import Region
from nst.stylize.painting import ContentImage, Objective, view_count
from nst.stylize.scales import plan
from nst.stylize.settings import chosen_preset
from nst.stylize.style_images import StyleConfig, StyleImage


@dataclass(frozen=True)
class Estimate:
    """What a run will take: seconds, and bytes of memory beside what the program itself takes; seconds of its last
    step, where those are known."""

    seconds: float
    memory: int
    step: float = 0.0


def estimate(
    shape: tuple[int, int],
    *,
    encoder: str = "compact",
    size: int = 512,
    preset: str = "good",
    num_steps: int | None = None,
    optimizer: str = "adam",
    style_loss: str = "wasserstein",
    content_encoder: str | None = None,
    device: str | Device = "auto",
    **_: object,
) -> Estimate:
    """Time and memory of `style_transfer` for a content of `shape` (height, width), from a short measurement here.

    The measurement, a second or so, is made once for each encoder, style loss and device; no weights are downloaded
    for it. Patches, which are all compared with each other, are reckoned by their number. Other settings of
    `style_transfer` may be given, too; they cost nothing.
    """
    check(size=size, preset=preset, num_steps=num_steps, optimizer=optimizer, style_loss=style_loss)
    device = choose_device(device)
    cost = _measured(*_key(encoder, content_encoder, style_loss, device))
    narrow, seconds, memory, step = min(shape) / max(shape), 0.0, 0.0, 0.0
    divisible = optimizer == "adam" and all(STATISTICS[kind].divisible for kind in split(style_loss))
    moving = optimizer != "lbfgs" and not any(STATISTICS[kind].matches for kind in split(style_loss))
    for part in plan(size, chosen_preset(preset, num_steps=num_steps)):
        pixels = part.size**2 * narrow
        side = tile_side(pixels, cost.memory, device) if divisible else None
        memory = pixels * cost.memory if side is None else tiled_memory(pixels, cost.memory, side, device)
        longer = 1.0 if side is None else tiled_time(side, cost.around)
        step = longer * cost.seconds(pixels)
        views = view_count(pixels) if moving else 1
        seconds += (part.num_steps + (LOOKS + views) / 2) * step
    passes = 1.25 if optimizer == "lbfgs" else 1.0  # the line search mostly accepts its first guess
    return Estimate(seconds * passes, int(memory), step * passes)


def is_measured(*, encoder: str, style_loss: str = "wasserstein", **settings: Any) -> bool:
    """Whether an estimate with these settings needs no measurement any more."""
    device = choose_device(settings.get("device", "auto"))
    return _key(encoder, settings.get("content_encoder"), style_loss, device) in _costs


def _key(encoder: str, content_encoder: str | None, style_loss: str, device: Device) -> _Key:
    return encoder, content_encoder, device, tuple(sorted(set(split(style_loss))))


def _measured(*key: Any) -> _Cost:
    if key not in _costs:
        if len(_costs) >= MOST_COSTS:
            _costs.clear()
        _costs[key] = _cost(*key)
    return _costs[key]


@dataclass(frozen=True)
class _Cost:
    """Of a step: seconds for itself, for each pixel, and for each pair of patches; bytes for each pixel, and how many
    pixels are around a tile."""

    per_step: float
    per_pixel: float
    per_pair: float
    memory: float
    around: int

    def seconds(self, pixels: float) -> float:
        return self.per_step + self.per_pixel * pixels + self.per_pair * patch_pairs(pixels)


def _cost(encoder: str, content_encoder: str | None, device: Device, kinds: tuple[str, ...]) -> _Cost:
    """What a plain run costs, from a few steps at two sizes."""
    model = load_onto(device, encoder, None, download=False)
    judge = load_onto(device, content_encoder, None, download=False) if content_encoder else model
    matching = tuple(kind for kind in kinds if STATISTICS[kind].matches)
    others = tuple(kind for kind in kinds if kind not in matching) or STYLE_LOSSES[:1]
    small, large = (_fastest(model, judge, device, others, side) for side in SIDES)
    pixels = [side**2 for side in SIDES]
    per_pixel = max(large - small, 0.5 * large) / (pixels[1] - pixels[0])
    per_step, per_pair = max(large - per_pixel * pixels[1], 0.0), 0.0
    memory = whole_step({model, judge}, kinds, device)
    if matching:
        longer = _fastest(model, judge, device, matching, SIDES[1]) - large
        per_pair = max(longer, 0.0) / patch_pairs(pixels[1])
    return _Cost(per_step, per_pixel, per_pair, memory, model.reach(STYLE_LAYERS))


def _fastest(model: Encoder, judge: Encoder, device: Device, kinds: tuple[str, ...], side: int) -> float:
    """Seconds of the fastest of a few steps at this size; their mean for patches, which are not matched in each."""
    image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    objective = Objective(model, judge, device, StyleConfig(kinds), (0.5, 0.5))
    content = ContentImage(image, [Region(None, [0], [1.0], 1.0)], care=image[:, :1])  # it counts by default
    criterion = objective.at(content, [StyleImage(image)])
    run = optimize(PixelImage(device.place(image)), objective.encoding, criterion, device=device, num_steps=6)
    times = [time.perf_counter() for _ in run]
    return (
        (times[-1] - times[0]) / 5
        if any(STATISTICS[kind].matches for kind in kinds)
        else min(b - a for a, b in pairwise(times))
    )


LOOKS = 4  # how often pictures are encoded before and after the steps of a scale, beside the views; half a step each
SIDES = (128, 256)  # in pixels, of the pictures that are measured on

_Key = tuple[str, str | None, Device, tuple[str, ...]]

MOST_COSTS = 64
_costs: dict[Any, _Cost] = {}  # what was measured: by encoders, device and style losses
