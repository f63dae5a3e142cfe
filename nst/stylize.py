"""The recipes: photo and painting in, a run of steps out. Defaults live here, once.

Gatys, Ecker and Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016; coarse to fine
after Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", 2017, arXiv:1611.07865.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor, nn

from nst.device import Device, choose_device
from nst.encoders import CONTENT_LAYERS, STYLE_LAYERS, Encoder, load_encoder
from nst.images import resize
from nst.losses import STYLE_LOSSES, ContentLoss, PerceptualLoss, StyleLoss, TotalVariationLoss
from nst.optimize import OPTIMIZERS, AdamState, Step, optimize, total_loss
from nst.params import PixelImage


@dataclass(frozen=True)
class Preset:
    """What a preset stands for.

    Attributes:
        num_steps: over all scales.
        factor: between two scales; `smallest` is the lower bound of the first one's long side.
        average: decay of the averaged iterate; 0 keeps the best one.
        tv_weight: of total variation, relative to the content's own.
    """

    num_steps: int
    factor: float
    smallest: int
    average: float
    tv_weight: float


PRESETS = {
    "draft": Preset(num_steps=60, factor=2.0, smallest=192, average=0.0, tv_weight=0.01),
    "good": Preset(num_steps=300, factor=math.sqrt(2), smallest=128, average=0.9, tv_weight=0.01),
    "best": Preset(num_steps=900, factor=math.sqrt(2), smallest=128, average=0.98, tv_weight=0.01),
}

BOUNDS: dict[str, tuple[float, float]] = {
    "size": (64, 4096),
    "strength": (0, 100),
    "num_steps": (1, 5000),
    "learning_rate": (1e-4, 10),
    "tv_weight": (0, 100),
    "tv_exponent": (0.5, 4),
    "style_scale": (0.1, 4),
    "seed": (0, 2**31 - 1),
}
"""The lowest and the highest value of each number that a recipe takes."""

CHOICES: dict[str, tuple[str, ...]] = {
    "preset": tuple(PRESETS),
    "encoder": ("compact", "vgg19", "vgg16"),
    "init": ("content", "noise", "style"),
    "optimizer": tuple(OPTIMIZERS),
    "style_loss": STYLE_LOSSES,
    "pooling": ("average", "max"),
    "device": ("auto", "cpu", "cuda", "mps"),
}
"""The values of each word that a recipe takes; `encoder` may also be the path of a file."""

BALANCE = 250.0
"""Style weight over content weight at strength 50."""


def style_transfer(
    content: Tensor,
    style: Tensor,
    *,
    encoder: str = "compact",
    size: int = 512,
    preset: str | Preset = "good",
    strength: float = 50.0,
    num_steps: int | None = None,
    init: str | Tensor = "content",
    optimizer: str = "adam",
    learning_rate: float | None = None,
    style_loss: str = "wasserstein",
    content_layers: Sequence[str] | None = None,
    style_layers: Sequence[str] | None = None,
    style_layer_weights: Sequence[float] | None = None,
    tv_weight: float | None = None,
    tv_exponent: float = 2.0,
    pooling: str | None = None,
    style_scale: float = 1.0,
    seed: int = 0,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Step]:
    """Paint `content` in the manner of `style`; yields every step.

    Args:
        content, style: images (1, 3, H, W) in [0, 1], of any size; they are resized here.
        encoder: "compact", "vgg19", "vgg16", or the path of a weights file.
        size: long side of the result in pixels.
        preset: "draft", "good", "best" (see `PRESETS`) or one of your own: what a None below stands for.
        strength: 0 keeps the content, 100 asks for the style alone; see `balance`.
        num_steps: over all scales.
        init: start from "content", "noise" or "style"; or from an image (1, 3, H, W) in [0, 1], a previous
            result say, which then goes on at the full size only.
        optimizer, learning_rate: see `nst.optimize.optimize`.
        style_loss: "wasserstein" or "gram": how the statistics of a layer are compared.
        content_layers, style_layers, style_layer_weights: where to compare, and how the style's layers
            count; None means relu4_2, relu1_1 to relu5_1, and equal weights.
        tv_weight, tv_exponent: of total variation, relative to the content's own; higher is smoother.
        pooling: "average" (smoother pictures, Gatys et al. 2016) or "max"; None is what the encoder was
            trained with.
        style_scale: long side of the style relative to the result's; larger means larger brush strokes.
        seed: of the noise; the same seed gives the same picture on the same machine.
        device: see `nst.device.choose_device`.
        progress: called with bytes done and in all while weights are downloaded.

    Raises:
        ValueError: an argument out of its range; the sentence says which and what is possible.
        nst.weights.WeightsNotFound: the encoder is neither here nor to be had.
    """
    check(
        size=size, strength=strength, num_steps=num_steps, optimizer=optimizer, pooling=pooling,
        learning_rate=learning_rate, style_loss=style_loss, tv_weight=tv_weight, tv_exponent=tv_exponent,
        style_scale=style_scale, seed=seed, init=None if isinstance(init, Tensor) else init,
        preset=None if isinstance(preset, Preset) else preset,
    )  # fmt: skip
    chosen = _chosen(preset, num_steps=num_steps, tv_weight=tv_weight)
    where = choose_device(device)
    model = copy.deepcopy(load_encoder(encoder, progress=progress)).to(where.device)
    model.pooling = pooling or model.native_pooling
    content_layers, style_layers = tuple(content_layers or CONTENT_LAYERS), tuple(style_layers or STYLE_LAYERS)
    content_weight, style_weight = balance(strength)

    def criterion_at(small: Tensor, painted: Tensor) -> PerceptualLoss:
        with torch.no_grad(), where.autocast():
            kept, wanted = model(small, content_layers), model(painted, style_layers)
        losses: list[nn.Module] = []
        if content_weight:
            losses.append(ContentLoss(kept, content_layers, content_weight * model.content_gain))
        if style_weight:
            losses.append(StyleLoss(wanted, style_layers, style_layer_weights, style_loss, style_weight))
        if chosen.tv_weight:
            losses.append(TotalVariationLoss(small, chosen.tv_weight, tv_exponent))
        return PerceptualLoss(losses)

    image, state = init, AdamState()
    for part in plan(size, chosen, whole=isinstance(init, Tensor)):
        small = where.place(resize(content, part.size))
        painted = where.place(_fitted_style(style, part.size * style_scale))
        criterion = criterion_at(small, painted)
        start = where.place(_start(image, small, painted, seed))
        if isinstance(image, Tensor) and init == "content":
            # Where little is to change, the smaller scale lost more of the photo's detail than its style gained.
            lost = small - resize(resize(small, _shape(image)), _shape(small))
            start = min(start, (start + lost).clamp(0, 1), key=lambda x: total_loss(x, model, criterion, where))
        run = optimize(
            PixelImage(start), model, criterion, device=where, num_steps=part.num_steps,
            optimizer=optimizer, learning_rate=learning_rate, average=chosen.average, warm_state=state,
        )  # fmt: skip
        for step in run:
            work = part.work_before + part.work * step.index / part.num_steps
            yield replace(step, index=part.steps_before + step.index, total=chosen.num_steps, work=work)
        image = step.image


@dataclass(frozen=True)
class Part:
    """One scale of a run: its long side, its steps, and its share of the work; what comes before it."""

    size: int
    num_steps: int
    work: float
    steps_before: int
    work_before: float


def plan(size: int, preset: Preset, whole: bool = False) -> list[Part]:
    """The scales of a run of `preset` ending at `size`, from coarse to fine; with `whole`, the last one only.

    Each scale gets an equal share of the steps, the first a double one: there the composition is decided, and a
    step costs least.
    """
    sizes = [size]
    while not whole and (smaller := round(size / preset.factor ** len(sizes))) >= preset.smallest:
        sizes.insert(0, smaller)
    sizes = sizes[-preset.num_steps :]
    shares = [2.0] + [1.0] * (len(sizes) - 1)
    ends = [round(preset.num_steps * sum(shares[: i + 1]) / sum(shares)) for i in range(len(sizes))]
    counts = [max(1, end - begin) for begin, end in zip([0, *ends], ends, strict=False)]
    counts[-1] += preset.num_steps - sum(counts)
    costs = [count * side**2 for count, side in zip(counts, sizes, strict=True)]
    return [
        Part(sizes[i], counts[i], costs[i] / sum(costs), sum(counts[:i]), sum(costs[:i]) / sum(costs))
        for i in range(len(sizes))
    ]


def balance(strength: float) -> tuple[float, float]:
    """Content and style weight, which sum to 1, of a strength from 0 (content alone) to 100 (style alone).

    Both losses are relative to their targets, so that neither grows with the size or with the encoder.
    """
    s = strength / 100
    content, style = (1 - s) ** 2, BALANCE * s**2
    return content / (content + style), style / (content + style)


def check(**settings: object) -> None:
    """Refuse a setting outside `BOUNDS` or `CHOICES`; None passes.

    Raises:
        ValueError: naming the setting and what is possible.
    """
    for name, value in settings.items():
        if value is None:
            continue
        if name in BOUNDS:
            low, high = BOUNDS[name]
            if not isinstance(value, int | float) or not low <= value <= high:
                raise ValueError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}.")
        elif value not in CHOICES[name]:
            raise ValueError(f"{name} must be one of {', '.join(CHOICES[name])}, not {value!r}.")


def _chosen(preset: str | Preset, **overrides: object) -> Preset:
    chosen = PRESETS[preset] if isinstance(preset, str) else preset
    return replace(chosen, **{k: v for k, v in overrides.items() if v is not None})  # type: ignore[arg-type]


def _fitted_style(style: Tensor, size: float) -> Tensor:
    """The style with this long side; never enlarged, since that would teach blur, and at least 32 pixels."""
    return resize(style, max(32, min(round(size), max(style.shape[-2:]))))


def _shape(image: Tensor) -> tuple[int, int]:
    return image.shape[-2], image.shape[-1]


def _start(init: str | Tensor, content: Tensor, style: Tensor, seed: int) -> Tensor:
    """The picture to start from, of the content's shape."""
    shape = _shape(content)
    if isinstance(init, Tensor):
        return resize(init.float(), shape)
    if init == "content":
        return content
    if init == "style":
        return resize(style, shape)
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(content.shape, generator=generator) * 0.5 + 0.25


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
    parts = plan(size, _chosen(preset, num_steps=num_steps))
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
