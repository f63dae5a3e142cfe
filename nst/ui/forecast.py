"""What a run will take on this machine, told before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from nst import stylize
from nst.device import lock
from nst.server import zerogpu
from nst.ui import progress, settings
from nst.weights import WeightsError, WeightsNotFound


def estimate(shape: tuple[int, int] | None, asked: Mapping[str, Any], times: float = 1.0) -> str:
    """What a run will take, in a line. What was not measured yet is, if the device is free.

    Args:
        shape: height and width of what is painted; None if there is nothing yet, which gives no line.
        asked: the settings.
        times: how many such runs there are.
    """
    if shape is None:
        return ""
    if not settings.is_here(asked["encoder"]):
        return line("The encoder is downloaded first; the time is known after that.")
    if zerogpu.active():
        return line(f"{zerogpu.duration(asked, times)} s of a GPU are asked for; what is not needed is given back.")
    measured = stylize.is_measured(**asked)
    held = not measured and lock.acquire(blocking=False)
    if not measured and not held:
        return line("How long it takes is measured when the machine is free.")
    try:
        took = stylize.estimate(shape, **asked)
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
