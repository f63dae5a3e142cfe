"""The verb: walk downhill, one step at a time, and hand out every iterate."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.device import Device
from nst.losses import PerceptualLoss

OPTIMIZERS = {"adam": 0.03, "lbfgs": 1.0, "sgd": 0.02}
"""Each optimizer's learning rate, for an image in [0, 1]; for plain gradient descent, how far the first step goes."""

MAX_RECOVERIES = 4
DIVERGED = 10.0
"""How often a run may be recovered, and how many times the best loss counts as diverging."""


@dataclass(frozen=True)
class Step:
    """One iterate of a run.

    Attributes:
        index, total: 1 up to the number of steps of the whole run, over all scales.
        image: (1, 3, H, W) in [0, 1], what the run would give if it ended here.
        losses: the weighted terms by name; the total is their sum.
        note: what the user should be told about this step, or None.
        work: share of the run's computation that is done, up to 1; scales differ in what a step costs.
    """

    index: int
    total: int
    image: Tensor
    losses: dict[str, float]
    note: str | None = None
    work: float = 1.0

    @property
    def size(self) -> int:
        """Long side of the image in pixels."""
        return max(self.image.shape[-2:])

    @property
    def loss(self) -> float:
        """The total."""
        return sum(self.losses.values())


class Encoding(Protocol):
    """What `optimize` asks of an encoder."""

    def __call__(self, image: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]: ...


class Parameterization(Protocol):
    """What `optimize` asks of an image parameterization."""

    def __call__(self) -> Tensor:
        """The picture (N, 3, H, W) in [0, 1]; in memory of its own, which a later step leaves alone."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]: ...
    def project(self) -> None: ...


AdamState = list[dict[str, Tensor]]
"""Adam's moments and step count, parameter by parameter: what one scale leaves to the next."""


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
    warm_state: AdamState | None = None,
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
        warm_state: Adam's state at the previous scale, to go on from; this run's own is left in it.

    Raises:
        ValueError: an unknown optimizer or a learning rate that is not above 0.
    """
    descent = _Descent(image, encoder, criterion, device, optimizer, learning_rate)
    if warm_state:
        descent.warm(warm_state)
    mean, weight = torch.zeros(()), 0.0
    for index in range(1, num_steps + 1):
        losses, note = descent.step()
        shown = descent.best_image
        if average:
            with torch.no_grad():
                mean = torch.lerp(image().detach(), mean.to(shown), average)
                weight = weight * average + 1 - average
                shown = (mean / weight).clamp_(0, 1)
            if index == num_steps and descent.loss_of(shown) > descent.best_loss:
                shown = descent.best_image
        yield Step(index, num_steps, shown, losses, note, index / num_steps)
        if descent.recoveries > MAX_RECOVERIES:
            break
    if warm_state is not None:
        warm_state[:] = descent.state()


@torch.no_grad()
def total_loss(image: Tensor, encoder: Encoding, criterion: PerceptualLoss, device: Device) -> float:
    """The total of the criterion for a picture (N, 3, H, W) in [0, 1]."""
    with device.autocast():
        features = encoder(image, criterion.layers)
    return float(torch.stack(list(criterion(features).values())).sum())


class _Descent:
    """The optimizer, the best iterate so far, and the way back to it."""

    def __init__(
        self,
        image: Parameterization,
        encoder: Encoding,
        criterion: PerceptualLoss,
        device: Device,
        optimizer: str,
        learning_rate: float | None,
    ) -> None:
        if optimizer not in OPTIMIZERS:
            raise ValueError(f'No optimizer "{optimizer}": choose {", ".join(OPTIMIZERS)}.')
        self.rate = OPTIMIZERS[optimizer] if learning_rate is None else learning_rate
        if not 0 < self.rate < math.inf:
            raise ValueError("The learning rate must be above 0.")
        self.image, self.encoder, self.criterion, self.device = image, encoder, criterion, device
        self.parameters, self.optimizer = list(image.parameters()), optimizer
        self.best_loss, self.recoveries = math.inf, 0
        self._remember(math.inf)
        # The terms are means over the image: times its size, a pixel's gradient does not shrink as images
        # grow, and Adam's epsilon means the same at each of them.
        self.pixels = self.best_image.shape[-1] * self.best_image.shape[-2]
        self._start()

    def _start(self) -> None:
        self.unscaled = True
        if self.optimizer == "adam":
            fused = all(p.device.type in {"cpu", "cuda"} for p in self.parameters)
            self.stepper: torch.optim.Optimizer = torch.optim.Adam(
                self.parameters, self.rate, betas=(0.9, 0.99), fused=fused
            )
        elif self.optimizer == "sgd":
            self.stepper = torch.optim.SGD(self.parameters, self.rate, momentum=0.0)
        else:
            self.stepper = torch.optim.LBFGS(
                self.parameters,
                self.rate,
                max_iter=1,
                max_eval=10,
                history_size=10,
                tolerance_grad=0,
                tolerance_change=0,
                line_search_fn="strong_wolfe",
            )

    @torch.no_grad()
    def _remember(self, loss: float) -> None:
        self.best = [p.detach().clone() for p in self.parameters]
        self.best_image, self.best_loss = self.image().detach().clone(), loss

    def step(self) -> tuple[dict[str, float], str | None]:
        """One step: the losses before it, and a note if it had to be undone."""
        terms: dict[str, Tensor] = {}
        pictures: list[Tensor] = []
        before = [p.detach().clone() for p in self.parameters]

        def closure() -> Tensor:
            self.stepper.zero_grad(set_to_none=True)
            with torch.enable_grad():
                with self.device.autocast():
                    features = self.encoder(self.image(), self.criterion.layers)
                evaluated = self.criterion(features)
                total = torch.stack(list(evaluated.values())).sum() * self.pixels
                total.backward()
            if self.optimizer == "sgd" and self.unscaled:
                gradients = torch.cat([p.grad.flatten() for p in self.parameters if p.grad is not None])
                slope = float(gradients.square().mean().sqrt().clamp_min(1e-12))
                self.stepper.param_groups[0]["lr"] = self.rate / slope
                self.unscaled = False
            if not terms:  # a line search asks again: a step's losses are those it starts from
                pictures.append(features["image"].detach())
                terms.update({name: term.detach() for name, term in evaluated.items()})
            return total.detach()

        self.stepper.step(closure)  # type: ignore[arg-type]
        with torch.no_grad():
            self.image.project()
        losses = dict(zip(terms, torch.stack(list(terms.values())).tolist(), strict=True))
        loss = sum(losses.values())
        if math.isfinite(loss) and loss < self.best_loss:
            self.best, self.best_image, self.best_loss = before, pictures[0], loss
        finite = math.isfinite(loss) and all(math.isfinite(p.detach().sum()) for p in self.parameters)
        return losses, None if finite and loss <= DIVERGED * self.best_loss + 1 else self._recover()

    def loss_of(self, image: Tensor) -> float:
        """The total for a picture (N, 3, H, W) of this scale."""
        return total_loss(image, self.encoder, self.criterion, self.device)

    @torch.no_grad()
    def _recover(self) -> str:
        self.recoveries += 1
        self.rate /= 2
        for parameter, best in zip(self.parameters, self.best, strict=True):
            parameter.copy_(best)
        self._start()
        if self.recoveries > MAX_RECOVERIES:
            return "The loss keeps running away: stopped at the best picture so far."
        return f"The loss ran away: back to the best picture so far, with the learning rate halved to {self.rate:g}."

    def state(self) -> AdamState:
        """Adam's state; empty for the other optimizers, whose history is worth nothing at another size."""
        return [dict(self.stepper.state[p]) for p in self.parameters] if self.optimizer == "adam" else []

    def warm(self, state: AdamState) -> None:
        """Take over the state of a smaller scale, resized (crowsonkb/style-transfer-pytorch)."""
        for parameter, old in zip(self.parameters, state if self.optimizer == "adam" else [], strict=False):
            size = parameter.shape[-2:]
            self.stepper.state[parameter] = {
                "step": old["step"].clone(),
                "exp_avg": F.interpolate(old["exp_avg"], size, mode="bicubic"),
                "exp_avg_sq": F.interpolate(old["exp_avg_sq"], size, mode="bilinear").clamp_min(0),
            }


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
