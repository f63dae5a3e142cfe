"""What some settings stand for: strength, preset, and numbers that are one for all styles or one for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nst.settings import PRESETS
from nst.settings.setting import Preset

BALANCE = 250.0  # style weight over content weight at strength 50


def balance(strength: float, content_gain: float = 1.0) -> tuple[float, float]:
    """Content and style weight, which sum to 1, of a strength from 0 (content alone) to 100 (style alone).

    Both losses are relative to their targets, so that neither grows with the size or with the encoder.
    """
    s = strength / 100
    content, style = content_gain * (1 - s) ** 2, BALANCE * s**2
    return content / (content + style), style / (content + style)


def chosen_preset(preset: str | Preset, **overrides: object) -> Preset:
    """The preset with what is set besides."""
    chosen = PRESETS[preset] if isinstance(preset, str) else preset
    return replace(chosen, **{k: v for k, v in overrides.items() if v is not None})  # type: ignore[arg-type]


def per_style(value: float | Sequence[float], count: int, what: str) -> list[float]:
    """One number for each of `count` styles; one for all may be given. Raises ValueError for another number of them."""
    values = list(value) if isinstance(value, Sequence) else [value]
    if len(values) == 1:
        return values * count
    if len(values) != count:
        raise ValueError(f"{what} takes one number for all styles or one for each of the {count}, not {len(values)}.")
    return values
