"""What a visitor may ask of this machine, by the role of its host: much at home, little on a Space."""

from __future__ import annotations

import inspect
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from nst import stylize
from nst.device import choose_device, free_memory
from nst.optimize import Step
from nst.recipes import DEFAULTS
from nst.server import log, memory, zerogpu
from nst.server.results import on_a_space

COSTLY = [p.name for p in inspect.signature(stylize.estimate).parameters.values() if p.kind is p.KEYWORD_ONLY]
"""What an estimate depends on."""

IN_LINE = 32
"""How many runs may be under way, all but one of them waiting for the device and telling so."""

Run = Callable[..., Iterator[Step]]


@dataclass(frozen=True)
class Limits:
    """What one run may take.

    Attributes:
        size: long side in pixels.
        num_steps: over all scales.
        seconds: of painting; a run that takes longer ends with the picture so far.
        memory: share of what is free.
    """

    size: int
    num_steps: int
    seconds: float
    memory: float


LOCAL = Limits(size=4096, num_steps=5000, seconds=4 * 3600, memory=0.9)
STRICT = Limits(size=1024, num_steps=1000, seconds=300, memory=0.6)
"""At home, and where strangers come."""


def current() -> Limits:
    """The limits here: strict on a Space, or where PASTICHE_LIMITS is "strict" (the flag `--strict`)."""
    asked = os.environ.get("PASTICHE_LIMITS", "")
    return STRICT if asked == "strict" or (on_a_space() and asked != "local") else LOCAL


def check(settings: dict[str, Any]) -> None:
    """Refuse what is larger than is painted here.

    Raises:
        ValueError: with a sentence that says what is possible.
    """
    limits, steps = current(), settings.get("num_steps") or 0
    if _long_side(settings) > limits.size:
        raise ValueError(f"On this server a picture has at most {limits.size} pixels a side; choose a smaller size.")
    if steps > limits.num_steps:
        raise ValueError(f"On this server a run has at most {limits.num_steps} steps; choose fewer.")


def check_memory(shape: tuple[int, int], settings: dict[str, Any]) -> None:
    """Refuse what would not fit into the memory that is free, before the machine begins to swap.

    Args:
        shape: height and width of the first picture.
        settings: of the run.

    Raises:
        ValueError: with a sentence that says what is possible.
    """
    if zerogpu.active():  # the GPU is there only once it is asked for, with 48 GB
        return
    asked = {name: settings[name] for name in COSTLY if name in settings} | {"size": _long_side(settings)}
    free = free_memory(choose_device(str(settings.get("device", "auto"))))
    wanted = stylize.estimate(shape, **asked).memory
    if wanted > current().memory * free:
        raise ValueError(
            f"This needs {wanted / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free; choose a smaller size."
        )


_painter = ThreadPoolExecutor(1, thread_name_prefix="painter")
"""All painting is done on one thread: torch keeps working memory for each thread that it ever ran on, and gradio asks
for every step on another one."""


def on_painter(call: Callable[..., Any], *given: Any) -> Any:
    """Do it on that thread, in this one's context: ZeroGPU finds there who asks."""
    return _painter.submit(copy_context().run, call, *given).result()


def limited(run: Run, *, optimizes: bool = True) -> Run:
    """The same run within the limits, and with a line in the log when it is over.

    Args:
        run: takes pictures and settings, as the recipes of `nst.stylize` do.
        optimizes: whether it needs the memory of such a recipe, which is then looked at beforehand.
    """

    def paint(*pictures: Tensor | Sequence[Tensor], **settings: Any) -> Iterator[Step]:
        check(settings)
        if optimizes:
            first = pictures[0] if isinstance(pictures[0], Tensor) else pictures[0][0]
            check_memory((settings.get("height", first.shape[-2]), settings.get("width", first.shape[-1])), settings)
        clock, taken, outcome, limits = log.Clock(), 0, "cancelled", current()
        steps = run(*pictures, **settings)
        try:
            while step := on_painter(next, steps, None):
                taken, late = step.index, clock.seconds > limits.seconds and step.index < step.total
                if late:
                    note = f"Ended here: a run takes at most {limits.seconds / 60:g} minutes on this server."
                    yield replace(step, note=note)
                    outcome = "cut short"
                    return
                yield step
            outcome = "done"
        except Exception as error:
            outcome = type(error).__name__
            raise
        finally:
            on_painter(steps.close)  # type: ignore[attr-defined]
            memory.give_back()
            log.note("painted", outcome=outcome, size=_long_side(settings), steps=taken, seconds=clock.seconds)

    return paint


def _long_side(settings: dict[str, Any]) -> int:
    """Of the picture that is asked for, in pixels; a texture has a width and a height."""
    asked = [settings.get(name) or 0 for name in ("size", "width", "height")]
    return int(max(asked) or DEFAULTS["size"])


class Rate:
    """How often each client may do something: so many times at once, and again as time passes.

    Args:
        times, seconds: for one client.
        overall: for all clients together in the same time, since addresses can be had by the thousand; 0 is
            without limit.
    """

    def __init__(self, times: int, seconds: float, overall: int = 0) -> None:
        self.times, self.seconds, self.overall = times, seconds, overall
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def allows(self, client: str) -> bool:
        """Whether this client may now; counts nothing."""
        with self._lock:
            return self._tokens(client, self.times) >= 1 and (not self.overall or self._tokens("", self.overall) >= 1)

    def spend(self, client: str) -> bool:
        """Count once for this client, if it may; whether it might."""
        with self._lock:
            own, common = self._tokens(client, self.times), self._tokens("", self.overall or 1)
            if own < 1 or (self.overall and common < 1):
                return False
            now = time.monotonic()
            self._left[client] = own - 1, now
            if self.overall:
                self._left[""] = common - 1, now
            if len(self._left) > 10_000:
                self._forget(now)
            return True

    def _tokens(self, client: str, times: int) -> float:
        left, then = self._left.get(client, (float(times), 0.0))
        return min(times, left + (time.monotonic() - then) * times / self.seconds)

    def _forget(self, now: float) -> None:
        """Drop who has waited long enough to be as good as new; if that is too few, the longest known."""
        fresh = {who: left for who, left in self._left.items() if now - left[1] < self.seconds}
        self._left = dict(sorted(fresh.items(), key=lambda entry: entry[1][1])[-5000:])
