"""What a recipe can be told: presets, bounds, choices, and what the strength means."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from nst.color import COLOR_MODES, COLOR_MOMENTS
from nst.losses import CORRELATIONS, MIXING, STYLE_LOSSES
from nst.optimize import OPTIMIZERS


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
    "norm_weight": (0, 100),
    "norm_exponent": (1, 20),
    "style_scale": (0.1, 4),
    "semantic_weight": (0, 100),
    "kernel_degree": (1, 4),
    "kernel_offset": (0, 10),
    "kernel_bandwidth": (0.05, 10),
    "activation_shift": (-10, 10),
    "patch_size": (1, 5),
    "seed": (0, 2**31 - 1),
    "width": (16, 4096),
    "height": (16, 4096),
    "depth": (1, 16),
    "starts": (1, 8),
    "pictures": (2, 25),
}
"""The lowest and the highest value of each number that a recipe takes."""

CHOICES: dict[str, tuple[str, ...]] = {
    "preset": tuple(PRESETS),
    "encoder": ("compact", "vgg19", "vgg16"),
    "content_encoder": ("compact", "vgg19", "vgg16"),
    "init": ("content", "noise", "style"),
    "optimizer": tuple(OPTIMIZERS),
    "style_loss": STYLE_LOSSES,
    "mixing": MIXING,
    "correlations": CORRELATIONS,
    "guide": ("inside", "soft", "all"),
    "preserve_color": COLOR_MODES,
    "color_when": COLOR_MOMENTS,
    "pooling": ("average", "max"),
    "device": ("auto", "cpu", "cuda", "mps"),
}
"""The values of each word that a recipe takes; an encoder may also be the path of a file, and style losses may be
joined by "+"."""

FREE = {"encoder", "content_encoder", "device"}
"""Words that may be others, which whoever uses them looks at."""

BALANCE = 250.0
"""Style weight over content weight at strength 50."""


def balance(strength: float) -> tuple[float, float]:
    """Content and style weight, which sum to 1, of a strength from 0 (content alone) to 100 (style alone).

    Both losses are relative to their targets, so that neither grows with the size or with the encoder.
    """
    s = strength / 100
    content, style = (1 - s) ** 2, BALANCE * s**2
    return content / (content + style), style / (content + style)


def check(**settings: object) -> None:
    """Refuse a setting outside `BOUNDS` or `CHOICES`; None passes, and so does each of several.

    Raises:
        ValueError: naming the setting and what is possible.
    """
    for name, value in settings.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is None:
                continue
            if name in BOUNDS:
                low, high = BOUNDS[name]
                if not isinstance(one, int | float) or not low <= one <= high:
                    raise ValueError(f"{name} must be a number from {low:g} to {high:g}, not {one!r}.")
            elif any(part not in CHOICES[name] for part in (split(one) if name == "style_loss" else [one])):
                raise ValueError(f"{name} must be one of {', '.join(CHOICES[name])}, not {one!r}.")


def checked(settings: Mapping[str, object]) -> dict[str, object]:
    """Those settings that `check` can judge: neither pictures nor words that are free."""
    judged = {**BOUNDS, **CHOICES}
    plain = {name: value for name, value in settings.items() if name in judged and name not in FREE}
    return {name: value for name, value in plain.items() if not isinstance(value, Tensor | Preset)}


def split(style_loss: object) -> list[str]:
    """The style losses that are joined by "+"."""
    return [part.strip() for part in style_loss.split("+")] if isinstance(style_loss, str) else [str(style_loss)]


def chosen_preset(preset: str | Preset, **overrides: object) -> Preset:
    """The preset with what is set besides."""
    chosen = PRESETS[preset] if isinstance(preset, str) else preset
    return replace(chosen, **{k: v for k, v in overrides.items() if v is not None})  # type: ignore[arg-type]


def per_style(value: float | Sequence[float], count: int, what: str) -> list[float]:
    """One number for each of `count` styles; one for all may be given.

    Raises:
        ValueError: another number of numbers.
    """
    values = list(value) if isinstance(value, Sequence) else [value]
    if len(values) == 1:
        return values * count
    if len(values) != count:
        raise ValueError(f"{what} takes one number for all styles or one for each of the {count}, not {len(values)}.")
    return values
