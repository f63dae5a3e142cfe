"""A step of a training of one network: terms, their gradient, Adam, and the moving average of the weights."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nst.device import Device
from nst.research.train.config import RunConfig
from nst.research.train.loop import Learner, Terms, average_weights, descend

LOGGER = logging.getLogger(__name__)


class Descent(Learner):
    """Lowers the terms of an objective.

    Nothing in a step waits for the device, and on CUDA each kind of step is captured as a graph once it has run `WARM`
    times, and replayed from then on, so that the device does not wait for Python either.

    Args:
        objective: what a step calls with a batch; gives named, weighted terms. Its trainable part is the model's.
        batch: a seed to what the objective takes.
        model: what learns, inside the objective.
        config, device: see `Learner`.
        groups: parameters, and how much faster they learn than that says; None means the model's, at its pace.
        turns: kinds of steps that follow each other; with more than one the objective is told which, as `turn`.
        kept: what else a checkpoint holds.
    """

    WARM = 3

    def __init__(
        self,
        objective: nn.Module,
        batch: Callable[[int], tuple[Tensor, ...]],
        model: nn.Module,
        config: RunConfig,
        device: Device,
        *,
        groups: Sequence[tuple[Iterable[nn.Parameter], float]] | None = None,
        turns: int = 1,
        kept: nn.Module | None = None,
    ) -> None:
        super().__init__(config, device)
        self.objective: nn.Module = nn.parallel.DistributedDataParallel(objective) if self.world > 1 else objective
        self.batch, self.model, self.turns = batch, model, turns
        self.captures = device.torch_device.type == "cuda" and self.world == 1
        self.groups = [([p for p in ps if p.requires_grad], pace) for ps, pace in groups or [(model.parameters(), 1.0)]]
        self.learning = [p for ps, _ in self.groups for p in ps]
        self.averaged = copy.deepcopy(model).requires_grad_(False).eval()
        listed = [{"params": ps, "lr": self._first_rate(pace)} for ps, pace in self.groups]
        more: dict[str, Any] = {"capturable": True} if self.captures else {}
        self.optimizer: torch.optim.Optimizer = torch.optim.Adam(listed, betas=(0.9, 0.99), **more)
        if config.optimizer == "adagrad":
            self.captures, self.optimizer = False, torch.optim.Adagrad(listed)
        self.parts = {"model": model, "averaged": self.averaged, "optimizer": self.optimizer}
        if kept:
            self.parts["kept"] = kept
        self.moved = torch.zeros((), device=device.torch_device)
        self.ran: dict[int, int] = {}
        self.graphs: dict[int, tuple[Any, tuple[Tensor, ...]]] = {}
        self.pool: Any = None

    def _first_rate(self, pace: float) -> float | Tensor:
        rate = self.config.learning_rate * pace
        return torch.tensor(rate, device=self.device.torch_device) if self.captures else rate

    def step(self, step: int, seed: int) -> None:
        """Draw a batch and lower its terms."""
        drawn = self.batch(seed)
        inputs = tuple(self.device.place(x) if x.ndim == 4 else x.to(self.device.torch_device) for x in drawn)
        torch.manual_seed(seed + 3)  # of what a network itself draws while it learns
        self(step, inputs, {"turn": (step - 1) % self.turns} if self.turns > 1 else {})

    def __call__(self, step: int, inputs: tuple[Tensor, ...], told: Mapping[str, int]) -> None:
        """Take a step: its number, what the objective takes, and what it is told by name."""
        for group, (_, pace) in zip(self.optimizer.param_groups, self.groups, strict=True):
            rate = self.rate(step) * pace
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        self.moved.fill_(self.config.share(step))
        turn = told.get("turn", 0)
        if not self.captures:
            self.lower(inputs, told)
        elif turn in self.graphs:
            graph, kept = self.graphs[turn]
            for own, new in zip(kept, inputs, strict=True):
                own.copy_(new)
            graph.replay()
        elif self.ran.get(turn, 0) < self.WARM:
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                self.lower(inputs, told)
            torch.cuda.current_stream().wait_stream(aside)
            self.ran[turn] = self.ran.get(turn, 0) + 1
        else:
            self._capture(turn, inputs, told)

    def _capture(self, turn: int, inputs: tuple[Tensor, ...], told: Mapping[str, int]) -> None:
        kept = tuple(x.clone(memory_format=torch.preserve_format) for x in inputs)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self.pool):
                self.lower(kept, told)
        except RuntimeError as error:  # something in the step reads the host; it can still be run as it is
            LOGGER.warning("This training's step cannot be captured, and waits for Python: %s", error)
            self.captures = False
            self.lower(inputs, told)
            return
        self.pool = graph.pool()
        self.graphs[turn] = graph, kept
        graph.replay()

    def lower(self, inputs: tuple[Tensor, ...], told: Mapping[str, int]) -> None:
        """What a step computes, which is captured as a graph where it can be: it asks nothing of the host."""
        terms: Terms = self.objective(*inputs, **told)
        descend(torch.stack(list(terms.values())).sum(), self.optimizer, self.learning, 1.0)
        average_weights(self.averaged, self.model, self.moved)
        self.add(terms)

    def take_over(self, state: Mapping[str, Any]) -> None:
        super().take_over(state)
        for group, (_, pace) in zip(self.optimizer.param_groups, self.groups, strict=True):
            group["lr"] = self._first_rate(pace)
