"""What a run will take on this machine, told before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from nst import stylize
from nst.device import lock
from nst.ui import progress, settings
from nst.weights import WeightsError, WeightsNotFound

COSTLY = ["encoder", "size", "preset", "num_steps", "optimizer", "style_loss", "device"]
"""The settings that an estimate depends on."""

_measured: set[tuple[str, str]] = set()
"""Encoders and devices whose speed is known."""


def estimate(shape: tuple[int, int] | None, asked: Mapping[str, Any], times: float = 1.0) -> str:
    """What a run will take, in a line. The first time for an encoder that is measured, if the device is free.

    Args:
        shape: height and width of what is painted; None if there is nothing yet, which gives no line.
        asked: the settings; those in `COSTLY` count.
        times: how many such runs there are.
    """
    if shape is None:
        return ""
    if not settings.is_here(asked["encoder"]):
        return line("The encoder is downloaded first; the time is known after that.")
    key = (asked["encoder"], asked["device"])
    held = key not in _measured and lock.acquire(blocking=False)
    if key not in _measured and not held:
        return line("How long it takes is measured when the machine is free.")
    try:
        took = stylize.estimate(shape, **{name: asked[name] for name in COSTLY if name in asked})
        _measured.add(key)
    except (ValueError, WeightsNotFound, WeightsError) as error:
        return line(str(error))
    finally:
        if held:
            lock.release()
    seconds = progress.duration(times * took.seconds)
    return f"<p>About <b>{seconds}</b> and {progress.memory(took.memory)} of memory</p>"


def line(text: str) -> str:
    """A sentence where the estimate stands."""
    return f"<p>{escape(text)}</p>"
