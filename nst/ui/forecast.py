"""What a run will take on this machine, told before it starts."""

from __future__ import annotations

from html import escape
from typing import Any

from nst import stylize
from nst.device import lock
from nst.ui import pictures, progress, settings
from nst.weights import WeightsError, WeightsNotFound

COSTLY = ["encoder", "size", "preset", "num_steps", "optimizer", "style_loss", "device"]
"""The settings that an estimate depends on."""

_measured: set[tuple[str, str]] = set()
"""Encoders and devices whose speed is known."""


def estimate(content: str | None, *values: Any) -> Any:
    """What the run will take, in a line. The first time for an encoder that is measured, if the device is free."""
    shape = pictures.shape(content)
    if shape is None:
        return ""
    given = dict(zip(COSTLY, values, strict=True))
    if not settings.is_here(given["encoder"]):
        return "<p>The encoder is downloaded first; the time is known after that.</p>"
    key = (given["encoder"], given["device"])
    held = key not in _measured and lock.acquire(blocking=False)
    if key not in _measured and not held:
        return "<p>How long it takes is measured when the machine is free.</p>"
    try:
        took = stylize.estimate(shape, **settings.read(given))
        _measured.add(key)
    except (ValueError, WeightsNotFound, WeightsError) as error:
        return f"<p>{escape(str(error))}</p>"
    finally:
        if held:
            lock.release()
    return f"<p>About <b>{progress.duration(took.seconds)}</b> and {progress.memory(took.memory)} of memory</p>"
