"""ZeroGPU: a Space whose GPU is there only while a function marked for it runs, in a process forked for the purpose.

What goes in and comes out is pickled, so tensors come back on the processor; a run says beforehand how long it takes,
since what it asks for must fit into the visitor's quota. In the main process PyTorch says that there is a GPU, which is
emulated on the main thread alone: there all computes on the processor, see `nst.device.has_cuda`. Written against
`spaces` 0.51. Elsewhere than on ZeroGPU nothing of this happens.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nst.optimize import Step

SHORTEST, LONGEST = 15, 120
"""Seconds that are asked for; a visitor without an account has two minutes a day."""

START, END, SPARE = 10.0, 4.0, 1.3
"""Seconds until a worker has begun, seconds it keeps for its end, and how much more is asked for than was measured."""

STEP, MEGAPIXEL = 0.03, 0.02
"""Seconds of a step, and what it takes more for each million pixels: a guess on the high side, by an H200, whose steps
hardly depend on the size; what runs took here replaces it."""


def active() -> bool:
    """Whether this is a Space with ZeroGPU."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in {"1", "t", "true"}


def prepare() -> None:
    """Import the package `spaces`, which must come before torch; does nothing elsewhere."""
    if active():
        importlib.import_module("spaces")
        from nst import device

        device.emulating = os.getpid()


def serves(task: str) -> bool:
    """Whether the runs of this task are given a GPU: those that take steps. PyTorch's optimizers look for the GPU in
    each step, on the processor too, and fail where it is emulated; one pass of a network is not worth a GPU."""
    if not active():
        return False
    from nst.tasks import TASKS  # torch only now, see `prepare`

    return "num_steps" in TASKS[task].settings


def on_gpu(run: Callable[..., Iterator[Step]], task: str) -> Callable[..., Iterator[Step]]:
    """A run of this task that is given the GPU while it lasts; if it lasts longer than was asked for, it ends with what
    there is. Raises ValueError if no GPU is to be had, or the visitor's quota is used up."""
    import gradio as gr

    from nst.tasks import TASKS

    def work(pictures: tuple[Any, ...], settings: dict[str, Any], asked: int) -> Iterator[Step | Exception]:
        yield from _work(run(*pictures, **settings), asked)

    marked = importlib.import_module("spaces").GPU(duration=lambda pictures, settings, asked: asked)(work)

    def wrapped(*pictures: Any, **settings: Any) -> Iterator[Step]:
        whole = TASKS[task].defaults | settings
        times = TASKS[task].times(whole)
        steps, clock = marked(pictures, settings, duration(whole, times)), Clock(whole)
        try:
            for step in steps:
                if isinstance(step, Exception):  # one that is raised there arrives here as a mere name
                    raise step
                clock.note(step, time.monotonic())
                yield step
        except gr.Error as error:
            raise ValueError(str(error.message)) from error
        finally:
            steps.close()

    return wrapped


def _work(run: Iterator[Step], asked: int) -> Iterator[Step | Exception]:
    """What the worker does: the steps of a run, or the error that ended it."""
    import torch

    from nst.optimize import throttle

    torch.set_num_threads(1)  # those of the process that it was forked from are not there
    stop = time.monotonic() + asked - END
    with closing(throttle(run)) as steps:  # type: ignore[type-var]
        try:
            for step in steps:
                late = time.monotonic() > stop and step.index < step.total
                note = "Ended here: the time that was asked of ZeroGPU is over." if late else step.note
                yield replace(step, picture=step.image.detach().cpu(), terms=dict(step.losses), note=note)
                if late:
                    return
        except Exception as error:
            yield error


def duration(settings: Mapping[str, Any], times: float = 1.0) -> int:
    """Seconds to ask for, for so many plain runs with these settings, by what such runs took before."""
    each = _measured.get(_kind(settings), STEP + MEGAPIXEL * _side(settings) ** 2 / 1e6)
    return round(min(max(START + END + SPARE * each * _steps(settings) * max(times, 1.0), SHORTEST), LONGEST))


class Clock:
    """Measures a run: from its first step to the one that is noted, in which nothing is waited for."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.kind, self.first, self.began = _kind(settings), 0, 0.0

    def note(self, step: Step, now: float) -> None:
        """A step that has come, and the time."""
        if not self.first:
            self.first, self.began = step.index, now
        elif step.index == step.total:
            _measured[self.kind] = (now - self.began) / max(step.index - self.first, 1)


_measured: dict[tuple[Any, ...], float] = {}
"""Seconds of a step, by what is computed."""


def _kind(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    kind = (settings.get(name) for name in ("encoder", "style_loss", "optimizer", "preset"))
    return (_side(settings), *kind)


def _side(settings: Mapping[str, Any]) -> int:
    from nst.settings import long_side

    return long_side(settings) or 512


def _steps(settings: Mapping[str, Any]) -> int:
    from nst.stylize.settings import chosen_preset

    return chosen_preset(settings.get("preset") or "good", num_steps=settings.get("num_steps")).num_steps
