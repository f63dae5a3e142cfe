"""What a visitor may ask of this machine, by the role of its host: much at home, little on a Space."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from nst import stylize
from nst.device import choose_device, free_memory
from nst.images import ImageError
from nst.optimize import Step
from nst.server import inputs, log, memory, queue, zerogpu
from nst.server.results import on_a_space
from nst.settings import LARGEST, PRESETS, long_side, style_side
from nst.tasks import TASKS
from nst.tasks.task import Run
from nst.video import MAX_PIXELS, Clip, probe
from nst.weights import repository

PASS = 400
"""Bytes of memory for each pixel of a picture that a network paints in one pass: measured from 75 to 290."""

IN_LINE = 32
"""How many runs may be under way, all but one of them waiting for the device and telling so."""


@dataclass(frozen=True)
class Limits:
    """What one run may take.

    Attributes:
        size: long side in pixels.
        num_steps: over all scales.
        seconds: of painting; a run that takes longer ends with the picture so far.
        memory: share of what is free.
        shared: seconds of painting while others wait, if that is less.
        clip_size, clip_seconds, clip_frames: of a clip; of a longer one the beginning is painted.
        clip_pixels: of a frame that comes in.
    """

    size: int
    num_steps: int
    seconds: float
    memory: float
    shared: float = math.inf
    clip_size: int = 4096
    clip_seconds: float = 4 * 3600
    clip_frames: int = 1_000_000
    clip_pixels: int = MAX_PIXELS


LOCAL = Limits(size=LARGEST, num_steps=5000, seconds=4 * 3600, memory=0.9)
STRICT = Limits(
    size=1024,
    num_steps=1000,
    seconds=300,
    memory=0.6,
    shared=60,
    clip_size=640,
    clip_seconds=10,
    clip_frames=300,
    clip_pixels=2**22,
)
"""At home, and where strangers come."""


def current() -> Limits:
    """The limits here: strict on a Space, or where PASTICHE_LIMITS is "strict" (the flag `--strict`)."""
    asked = os.environ.get("PASTICHE_LIMITS", "")
    return STRICT if asked == "strict" or (on_a_space() and asked != "local") else LOCAL


def open_clip(path: str) -> Clip:
    """What a visitor chose, of a long clip the beginning; raises ImageError if it is gone, or no clip that is painted
    here."""
    here = current()
    try:
        clip = probe(path, inputs.open_file, max_pixels=here.clip_pixels)
    except OSError:
        raise ImageError("The clip was kept too long and is gone; choose it again.") from None
    return clip.excerpt(None, here.clip_seconds, here.clip_frames)


def check(
    settings: Mapping[str, Any], task: str = "style_transfer", shapes: Sequence[tuple[int, int]] = ()
) -> dict[str, Any]:
    """The settings of a run, if with its defaults it is no larger than is painted here; where they leave the size to
    the photo, the answer has one.

    Every run of every task is asked here before it starts: its size, its steps, its memory, the seconds of a step,
    which is not cut short, and its networks: whoever uses this machine may have it fetch any of the Hub, and strangers
    none.

    Args:
        shapes: heights and widths of its pictures, the photo's first. Without any, memory and seconds are left out.

    Raises:
        ValueError: with a sentence that says what is possible.
    """
    limits, asked = current(), dict(settings)
    if limits is STRICT:
        named = {row.title: asked.get(name) for name, row in TASKS[task].settings.items() if row.free == "FILE"}
        style = asked.get("style")
        named |= {"Style": next(filter(repository.parse, style if isinstance(style, list) else [style]), None)}
        if title := next((title for title, one in named.items() if repository.parse(one or "")), ""):
            raise ValueError(f"{title}: on this server it is chosen from the list.")
    whole = TASKS[task].defaults | asked
    what, most = ("clip", limits.clip_size) if TASKS[task].paints_clips else ("picture", limits.size)
    if shapes and "size" in whole and whole["size"] is None:
        asked["size"] = whole["size"] = min(max(shapes[0]), most, int(TASKS[task].settings["size"].high or most))
    if long_side(whole) > most:
        raise ValueError(f"On this server a {what} has at most {most} pixels a side; choose a smaller size.")
    if _steps(whole) > limits.num_steps:
        raise ValueError(f"On this server a run has at most {limits.num_steps} steps; choose fewer.")
    if shapes and not zerogpu.serves(task):  # whose GPU is there only once it is asked for, with 48 GB
        _check_cost(TASKS[task].memory, shapes, whole, limits)
    return asked


def _check_cost(least: int, shapes: Sequence[tuple[int, int]], whole: Mapping[str, Any], limits: Limits) -> None:
    """Refuse what would not fit into the memory that is free, before the machine begins to swap; and too long steps."""
    side, step = max(64, long_side(whole)), 0.0
    if "encoder" not in whole:  # one pass of a network
        wanted = PASS * side**2
    else:
        shape = whole.get("height") or shapes[0][0], whole.get("width") or shapes[0][1]
        asked = {**whole, "size": side, "num_steps": 1}
        found = stylize.estimate(shape, **asked)
        wanted, step = found.memory, found.step
        for other in shapes[1:]:
            size = int(min(style_side(asked), max(other)))
            if size > side:  # it is looked at once, and nothing is kept for a way back
                wanted = max(wanted, stylize.estimate(other, **asked | {"size": size}).memory // 2)
    wanted = max(wanted, least)
    if step > limits.seconds / 10:
        raise ValueError(f"A single step of this takes about {step:.0f} s here; choose a smaller size or another loss.")
    free = free_memory(choose_device(str(whole.get("device") or "auto")))
    if free is not None and wanted > limits.memory * free:
        raise ValueError(
            f"This needs {wanted / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free; choose a smaller size."
        )


def _steps(whole: Mapping[str, Any]) -> int:
    """Of a run, for each of its pictures."""
    preset = whole.get("preset")
    return whole.get("num_steps") or (PRESETS[preset].num_steps if preset in PRESETS else 1)


class Deadline:
    """Until when the device may be held by who holds it from now on."""

    def __init__(self) -> None:
        self.clock, self.limits = log.Stopwatch(), current()

    @property
    def passed(self) -> bool:
        seconds, limits = self.clock.seconds, self.limits
        return seconds > limits.seconds or (seconds > limits.shared and queue.awaited())

    def check(self) -> None:
        """Raises ValueError, with a sentence, if it has passed."""
        if self.passed:
            raise ValueError(f"This took more than {self.told}, the most on this server; choose less or smaller ones.")

    @property
    def told(self) -> str:
        limits = self.limits
        shared = f", and {limits.shared:g} seconds while others wait" if limits.shared < limits.seconds else ""
        return f"{limits.seconds / 60:g} minutes{shared}"


_painter = ThreadPoolExecutor(1, thread_name_prefix="painter")
"""All painting is done on one thread: torch keeps working memory for each thread that it ever ran on, and gradio asks
for every step on another one."""


def on_painter(call: Callable[..., Any], *given: Any) -> Any:
    """Do it on that thread, in this one's context: ZeroGPU finds there who asks."""
    return _painter.submit(copy_context().run, call, *given).result()


def limited(run: Run, task: str = "style_transfer") -> Run:
    """The same run of this task within the limits, on ZeroGPU with a GPU, and with a line in the log when it is
    over."""
    if elsewhere := zerogpu.serves(task):
        run = zerogpu.on_gpu(run, task)

    def do(call: Callable[..., Any], *given: Any) -> Any:
        return call(*given) if elsewhere else on_painter(call, *given)  # whoever waits for a GPU keeps nobody waiting

    def paint(*pictures: Tensor | Sequence[Tensor] | Clip, **settings: Any) -> Iterator[Step]:
        given = [*(one for one in pictures if not isinstance(one, Clip)), *settings.get("styles", ())]
        tensors = [one for many in given for one in ([many] if isinstance(many, Tensor) else many)]
        shapes = [(one.height, one.width) for one in pictures if isinstance(one, Clip)]
        shapes += [(one.shape[-2], one.shape[-1]) for one in tensors if isinstance(one, Tensor)]
        settings = check(settings, task, shapes)
        deadline, taken, outcome = Deadline(), 0, "cancelled"
        steps = run(*pictures, **settings)
        try:
            while step := do(next, steps, None):
                taken = step.index
                if deadline.passed and step.index < step.total:
                    yield replace(step, note=f"Ended here: a run takes at most {deadline.told} on this server.")
                    outcome = "cut short"
                    return
                yield step
            outcome = "done"
        except Exception as error:
            outcome = type(error).__name__
            raise
        finally:
            do(steps.close)  # type: ignore[attr-defined]
            memory.give_back()
            size, seconds = long_side(TASKS[task].defaults | settings), deadline.clock.seconds
            log.note("painted", outcome=outcome, size=size, steps=taken, seconds=seconds)

    return paint


class Rate:
    """How often each client may do something: so many times at once, and again as so many seconds pass; and all clients
    together, since addresses can be had by the thousand (`overall`; 0 is without limit)."""

    def __init__(self, times: int, seconds: float, overall: int = 0) -> None:
        self.times, self.seconds, self.overall = times, seconds, overall
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = threading.RLock()

    def allows(self, client: str, count: float = 1) -> bool:
        """Whether this client may, so many times, now; counts nothing."""
        with self._lock:
            own, common = self._tokens(client, self.times), self._tokens("", self.overall)
            return own >= count and (not self.overall or common >= count)

    def spend(self, client: str, count: float = 1) -> bool:
        """Count so many times for this client, if it may; whether it might."""
        with self._lock:
            if not self.allows(client, count):
                return False
            now = time.monotonic()
            for who, most in ((client, self.times), ("", self.overall)):
                if most:
                    self._left[who] = self._tokens(who, most) - count, now
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
