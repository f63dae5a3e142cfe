"""What a run will take on this machine, told before it starts, and corrected by what runs really took."""

from __future__ import annotations

import time
from collections.abc import Mapping
from html import escape
from typing import Any

from nst import stylize
from nst.device import lock
from nst.server import zerogpu
from nst.ui import progress, settings
from nst.weights import WeightsError, WeightsNotFound

LATELY = 900.0
"""Seconds after which half of what was learned of this machine is forgotten: others may have left it."""

MOST = 30.0
"""How much slower, or faster, than measured a machine is believed to be."""

_learned = [1.0, 0.0]
"""By how much runs took longer than was forecast, and when that was seen."""


def pace() -> float:
    """How much longer runs take at the moment than was measured in quiet."""
    factor, seen = _learned
    return float(factor**0.5 ** ((time.monotonic() - seen) / LATELY))


def learn(forecast: float, took: float) -> None:
    """Note the seconds that a run, or the part of it that is done, took in place of those that were measured."""
    if forecast > 0 and took > 0:
        _learned[:] = min(max(took / forecast, 1 / MOST), MOST), time.monotonic()


def seconds(shape: tuple[int, int] | None, asked: Mapping[str, Any], times: float = 1.0) -> float:
    """What a run would take in quiet; 0 where that was not measured."""
    try:
        if shape is None or not settings.is_here(asked["encoder"]) or not stylize.is_measured(**asked):
            return 0.0
        return times * stylize.estimate(shape, **asked).seconds
    except (ValueError, KeyError, WeightsNotFound, WeightsError):
        return 0.0


def estimate(shape: tuple[int, int] | None, asked: Mapping[str, Any], times: float = 1.0) -> str:
    """What so many runs with these settings will take, in a line; none where there is no picture yet, and so no shape
    (height and width). What was not measured yet is, if the device is free."""
    if shape is None:
        return ""
    if not settings.is_here(asked["encoder"]):
        return line(settings.away(asked["encoder"]))
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
    expected = progress.duration(times * took.seconds * pace())
    return f"<p>About <b>{expected}</b><span> and {progress.memory(took.memory)} of memory</span></p>"


def line(text: str) -> str:
    """A sentence where the estimate stands."""
    return f"<p>{escape(text)}</p>"
