"""The verb: walk downhill, one step at a time, and hand out every iterate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch
from torch import Tensor

from nst.descent import Descent, Encoding, Parameterization, total_loss
from nst.device import Device
from nst.losses import PerceptualLoss
from nst.tiles import Tiling
from nst.transforms import Shifts
from nst.updates import OPTIMIZERS, AdamState

__all__ = ["OPTIMIZERS", "AdamState", "Encoding", "Parameterization", "Step", "optimize", "throttle", "total_loss"]

MAX_RECOVERIES = 4  # how often a run may be recovered

PIXELS_BETWEEN_LOOKS = 2**22
"""After the steps of so many pixels a GPU is asked how it goes: rarely, since the question waits for the answer."""


@dataclass(frozen=True)
class Step:
    """One iterate of a run.

    What costs to know is asked for when it is looked at, and then kept: most steps are never shown.

    Attributes:
        index, total: 1 up to the number of steps of the whole run, over all scales.
        picture: the `image`, or what gives it.
        terms: the `losses`, or what gives them.
        note: what the user should be told about this step, or None; a GPU tells it up to a few steps late.
        work: share of the run's computation that is done, up to 1; scales differ in what a step costs.
        side: long side of the image in pixels where that is known without looking at it.
    """

    index: int
    total: int
    picture: Tensor | Callable[[], Tensor]
    terms: dict[str, float] | Callable[[], dict[str, float]]
    note: str | None = None
    work: float = 1.0
    side: int = 0

    @cached_property
    def image(self) -> Tensor:
        """(N, 3, H, W) in [0, 1], what the run would give if it ended here: one picture, or all that it makes."""
        return self.picture() if callable(self.picture) else self.picture

    @cached_property
    def losses(self) -> dict[str, float]:
        """The weighted terms by name; the total is their sum."""
        return self.terms() if callable(self.terms) else self.terms

    @property
    def size(self) -> int:
        """Long side of the image in pixels."""
        return self.side or max(self.image.shape[-2:])

    @property
    def loss(self) -> float:
        """The total."""
        return sum(self.losses.values())

    def changed(self, change: Callable[[Tensor], Tensor]) -> Step:
        """The same step with its image changed, once somebody looks at it."""
        return replace(self, picture=lambda: change(self.image))


def optimize(
    image: Parameterization,
    encoder: Encoding,
    criterion: PerceptualLoss,
    *,
    device: Device,
    num_steps: int,
    optimizer: str = "adam",
    learning_rate: float | None = None,
    average: float = 0.0,
    decay: float = 1.0,
    warm_state: AdamState | None = None,
    transforms: Shifts | None = None,
    tiling: Tiling | None = None,
) -> Iterator[Step]:
    """Lower the criterion; yields `num_steps` steps, each with the picture the run would end with.

    A step that gives no finite loss, or one far above the best, is undone: the run goes back to its best
    iterate with half the learning rate, and says so in `Step.note`.

    Args:
        image: what is optimized.
        encoder, criterion: image to features to terms; one encoder pass for each evaluation.
        num_steps: how many steps.
        optimizer: "adam", "lbfgs" (one iteration with a strong Wolfe line search a step) or "sgd".
        learning_rate: None means the optimizer's own (see `OPTIMIZERS`).
        average: decay of the exponential moving average of the iterates that is handed out, corrected for
            its start; 0 hands out the iterate of the lowest loss instead, as does the last step if that is lower.
        decay: the learning rate at the end, relative to that at the beginning, from which it falls exponentially.
        warm_state: Adam's state at the previous scale, to go on from; this run's own is left in it.
        transforms: views of the picture, of which each step sees the next (Lucid: parameterization, objective and
            transforms); None sees the picture as it is. A line search compares steps, and needs that.
        tiling: evaluates a large picture of the given criterion tile by tile; by Adam, with an average. A step's image
            is then what there is when it is looked at, and to be looked at before the next step.

    Raises:
        ValueError: an unknown optimizer or a learning rate that is not above 0.
    """
    descent = Descent(image, encoder, criterion, device, optimizer, learning_rate, average, transforms, tiling)
    if warm_state:
        descent.warm(warm_state)
        warm_state.clear()  # it may be as large as a picture or two
    watch, slower = _Watch(descent, num_steps), decay ** (1 / num_steps)
    for index in range(1, num_steps + 1):
        descent.step()
        if decay != 1:
            descent.rate.mul_(slower)
        shown = partial(descent.shown, last=index == num_steps)
        later = tiling is not None and index < num_steps  # who keeps the last step keeps no more than its picture
        picture, side = shown if later else shown(), descent.side if tiling else 0
        yield Step(index, num_steps, picture, _Terms(descent), watch.look(index), index / num_steps, side)
        if watch.recoveries > MAX_RECOVERIES:
            break
    if warm_state is not None:
        warm_state[:] = descent.state()


class _Terms:
    """The terms of the step that was just made; read from the device when they are asked for."""

    def __init__(self, descent: Descent) -> None:
        self.names, self.values = descent.names, descent.terms.clone()

    def __call__(self) -> dict[str, float]:
        return dict(zip(self.names, self.values.tolist(), strict=True))


class _Watch:
    """Asks now and then how a run goes: the CPU after each step, a GPU after some, for the answer as of the last time.

    So the device never waits for the host, and the host is never more than two looks ahead.
    """

    def __init__(self, descent: Descent, num_steps: int) -> None:
        self.descent, self.last, self.recoveries = descent, num_steps, 0
        self.on_cpu = descent.rate.device.type == "cpu"
        self.every = 1 if self.on_cpu else max(1, min(16, PIXELS_BETWEEN_LOOKS // descent.pixels))
        self.asked: tuple[Tensor, torch.cuda.Event | None] | None = None

    def look(self, index: int) -> str | None:
        """What there is to be told of the steps so far."""
        if index % self.every and index != self.last:
            return None
        if self.on_cpu or index == self.last:
            return self._told(self._state())
        answered, self.asked = self.asked, self._ask()
        if answered is None:
            return None
        state, copied = answered
        if copied is not None:
            copied.synchronize()
        return self._told(state)

    def _state(self) -> Tensor:
        return torch.stack([self.descent.recoveries, self.descent.rate])

    def _ask(self) -> tuple[Tensor, torch.cuda.Event | None]:
        state = self._state()
        if state.device.type != "cuda":
            return state, None
        answer = torch.empty(2, dtype=state.dtype, pin_memory=True)
        answer.copy_(state, non_blocking=True)
        copied = torch.cuda.Event()
        copied.record(torch.cuda.current_stream(state.device))
        return answer, copied

    def _told(self, state: Tensor) -> str | None:
        recoveries, rate = state.tolist()
        if recoveries == self.recoveries:
            return None
        self.recoveries = int(recoveries)
        if self.recoveries > MAX_RECOVERIES:
            return "The loss keeps running away: stopped at the best picture so far."
        return f"The loss ran away: back to the best picture so far, with the learning rate halved to {rate:g}."


def throttle(steps: Iterator[Step], seconds: float = 0.25) -> Iterator[Step]:
    """At most one step every `seconds` of wall time; the first, the last and those with a note always come.

    Closing this closes the run.
    """
    last: Step | None = None
    due = 0.0
    try:
        for step in steps:
            last = step
            if step.note or step.index == 1 or step.index == step.total or time.monotonic() >= due:
                yield step
                last, due = None, time.monotonic() + seconds
        if last:
            yield last
    finally:
        if hasattr(steps, "close"):
            steps.close()
