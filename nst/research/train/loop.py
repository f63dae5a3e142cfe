"""The training loop of every stylizer: seeded, resumable bit for bit, in mixed precision, on one device or several."""

from __future__ import annotations

import copy
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nst.device import Device, choose_device
from nst.encoders import load_encoder
from nst.images import save, to_pil
from nst.research.train.data import write_checkpoint
from nst.weights import WeightsError, load_tensors, save_tensors

Terms = dict[str, Tensor]
LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """How long and how fast to learn.

    Attributes:
        steps: in all.
        learning_rate: the top of the cycle.
        seed: of everything random.
        interval: steps between records, checkpoints and weights.
        sheet: intervals between sample sheets; 0 for none.
        average: decay of the exponential moving average of the weights, which is what is written.
        optimizer: "adam" or "adagrad".
        seconds: that all of it may take; the cycle then goes by the time that has passed, where that is further than
            the steps are. 0 for as long as the steps take, which alone can be repeated bit for bit.
    """

    steps: int
    learning_rate: float = 1e-3
    seed: int = 0
    interval: int = 100
    sheet: int = 5
    average: float = 0.998
    optimizer: str = "adam"
    seconds: float = 0.0

    def progress(self, step: int, elapsed: float = 0.0) -> float:
        """How far a training is at a step, and after so many seconds; 1 at the end."""
        return min(1.0, max(step / self.steps, elapsed / self.seconds if self.seconds else 0.0))

    def rate(self, step: int, elapsed: float = 0.0) -> float:
        """The learning rate of a step."""
        return one_cycle(self.progress(step, elapsed), self.learning_rate)

    def step_seed(self, step: int, rank: int = 0) -> int:
        """Each step has a seed of its own, so that a resumed training sees what an uninterrupted one would."""
        return 4 * ((self.seed * self.steps + step) * 64 + rank)  # for up to four sources of randomness a step


def one_cycle(progress: float, top: float) -> float:
    """A learning rate: up to the top over the first twentieth, then down a half cosine."""
    if progress < 0.05:
        return top * (0.1 + 0.9 * progress / 0.05)
    return top * max(0.002, 0.5 * (1 + math.cos(math.pi * (progress - 0.05) / 0.95)))


def train(
    objective: nn.Module,
    batch: Callable[[int], tuple[Tensor, ...]],
    *,
    model: nn.Module,
    plan: Plan,
    device: Device,
    out: Path,
    finish: Callable[[nn.Module, Mapping[str, Any]], None],
    sheet: Callable[[nn.Module], Tensor] | None = None,
    notes: Callable[[], Mapping[str, Any]] = dict,
    groups: Sequence[tuple[Iterable[nn.Parameter], float]] | None = None,
    turns: int = 1,
    kept: nn.Module | None = None,
) -> Iterator[dict[str, Any]]:
    """Lower the objective's terms; yields a record per interval.

    Args:
        objective: what a step calls with a batch; gives named, weighted terms. Its trainable part is the model's.
        batch: a seed to what the objective takes.
        model: what learns, inside the objective.
        plan: see `Plan`.
        device: device and number format.
        out: folder for checkpoint, log, sheets; a checkpoint there is gone on from.
        finish: writes the averaged model and its card.
        sheet: a picture (1, 3, H, W) that shows what the model does.
        notes: more entries of each record.
        groups: parameters, and how much faster they learn than the plan says; None means the model's, at its pace.
        kept: what else a checkpoint holds.
        turns: kinds of steps that follow each other; with more than one the objective is told which, as `turn`.
    """
    rank, world = process_rank(device)
    (out / "sheets").mkdir(parents=True, exist_ok=True)
    step_of = Descent(objective, model, plan, device, groups, world)
    first, checkpoint = 0, out / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=device.torch_device)
        first = step_of.resume(state)
        if kept:
            kept.load_state_dict(state["kept"])
    began, started = time.monotonic(), time.monotonic() - step_of.elapsed
    for step in range(first + 1, plan.steps + 1):
        inputs = tuple(
            device.place(x) if x.ndim == 4 else x.to(device.torch_device) for x in batch(plan.step_seed(step, rank))
        )
        torch.manual_seed(plan.step_seed(step, rank) + 3)  # of what a network itself draws while it learns
        step_of.elapsed = time.monotonic() - started
        step_of(step, inputs, {"turn": (step - 1) % turns} if turns > 1 else {})
        done = plan.progress(step, step_of.elapsed) == 1
        if step % plan.interval == 0 or done:
            count = (step - 1) % plan.interval + 1
            record = {
                "step": step,
                "steps": plan.steps,
                "learning_rate": round(plan.rate(step, step_of.elapsed), 7),
                **notes(),
            }
            record |= {name: round(value / count, 5) for name, value in step_of.totals().items()}
            record["seconds_per_step"] = round((time.monotonic() - began) / count, 4)
            if rank == 0:
                more = {"kept": kept.state_dict()} if kept else {}
                write_checkpoint(checkpoint, step_of.state(step) | more, record)
                finish(step_of.averaged, record)
                if sheet and plan.sheet and (step // plan.interval % plan.sheet == 0 or done):
                    with torch.no_grad(), device.autocast():
                        save(out / "sheets" / f"{step:06d}.jpg", to_pil(sheet(step_of.averaged).float().cpu()))
                yield record
            began = time.monotonic()
        if done:
            break
    if world > 1:
        torch.distributed.destroy_process_group()


class Descent:
    """One step of a training: terms, their gradient, Adam, the moving average of the weights, and the terms' sums.

    Nothing in it waits for the device, and on CUDA each kind of step is captured as a graph once it has run `WARM`
    times, and replayed from then on, so that the device does not wait for Python either.

    Args:
        objective, model, plan, where, groups: see `train`.
        world: how many processes learn together; with more than one nothing is captured.
    """

    WARM = 3

    def __init__(
        self,
        objective: nn.Module,
        model: nn.Module,
        plan: Plan,
        device: Device,
        groups: Sequence[tuple[Iterable[nn.Parameter], float]] | None = None,
        world: int = 1,
    ) -> None:
        self.objective: nn.Module = nn.parallel.DistributedDataParallel(objective) if world > 1 else objective
        self.model, self.plan, self.device = model, plan, device
        self.captures = device.torch_device.type == "cuda" and world == 1
        self.groups = [([p for p in ps if p.requires_grad], pace) for ps, pace in groups or [(model.parameters(), 1.0)]]
        self.learning = [p for ps, _ in self.groups for p in ps]
        self.averaged = copy.deepcopy(model).requires_grad_(False).eval()
        listed = [{"params": ps, "lr": self._rate(pace)} for ps, pace in self.groups]
        more: dict[str, Any] = {"capturable": True} if self.captures else {}
        self.optimizer: torch.optim.Optimizer = torch.optim.Adam(listed, betas=(0.9, 0.99), **more)
        if plan.optimizer == "adagrad":
            self.captures, self.optimizer = False, torch.optim.Adagrad(listed)
        self.elapsed = 0.0
        self.moved = torch.zeros((), device=device.torch_device)
        self.sums: dict[str, Tensor] = {}
        self.ran: dict[int, int] = {}
        self.graphs: dict[int, tuple[Any, tuple[Tensor, ...]]] = {}
        self.pool: Any = None

    def _rate(self, pace: float) -> float | Tensor:
        rate = self.plan.learning_rate * pace
        return torch.tensor(rate, device=self.device.torch_device) if self.captures else rate

    def __call__(self, step: int, inputs: tuple[Tensor, ...], told: Mapping[str, int]) -> None:
        """Take a step: its number, what the objective takes, and what it is told by name."""
        for group, (_, pace) in zip(self.optimizer.param_groups, self.groups, strict=True):
            rate = self.plan.rate(step, self.elapsed) * pace
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        self.moved.fill_(1 - min(self.plan.average, step / (step + 10)))
        turn = told.get("turn", 0)
        if not self.captures:
            self._step(inputs, told)
        elif turn in self.graphs:
            graph, kept = self.graphs[turn]
            for own, new in zip(kept, inputs, strict=True):
                own.copy_(new)
            graph.replay()
        elif self.ran.get(turn, 0) < self.WARM:
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                self._step(inputs, told)
            torch.cuda.current_stream().wait_stream(aside)
            self.ran[turn] = self.ran.get(turn, 0) + 1
        else:
            self._capture(turn, inputs, told)

    def _capture(self, turn: int, inputs: tuple[Tensor, ...], told: Mapping[str, int]) -> None:
        kept = tuple(x.clone(memory_format=torch.preserve_format) for x in inputs)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self.pool):
                self._step(kept, told)
        except RuntimeError as error:  # something in the step reads the host; it can still be run as it is
            LOGGER.warning("This training's step cannot be captured, and waits for Python: %s", error)
            self.captures = False
            self._step(inputs, told)
            return
        self.pool = graph.pool()
        self.graphs[turn] = graph, kept
        graph.replay()

    def _step(self, inputs: tuple[Tensor, ...], told: Mapping[str, int]) -> None:
        terms: Terms = self.objective(*inputs, **told)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        nn.utils.clip_grad_norm_(self.learning, 1.0)
        for parameter in self.learning:
            if parameter.grad is not None:  # a single step of bfloat16 gone wrong must not end a training
                parameter.grad.nan_to_num_(0.0, 0.0, 0.0)
        self.optimizer.step()
        average_weights(self.averaged, self.model, self.moved)
        for name, term in terms.items():
            if name not in self.sums:
                self.sums[name] = torch.zeros((), device=self.device.torch_device)
            self.sums[name] += term.detach()

    def totals(self) -> dict[str, float]:
        """The terms' sums since they were last asked for."""
        found = {name: float(total) for name, total in self.sums.items()}
        for total in self.sums.values():
            total.zero_()
        return found

    def state(self, step: int) -> dict[str, Any]:
        """What a checkpoint holds."""
        parts: dict[str, Any] = {"model": self.model, "averaged": self.averaged, "optimizer": self.optimizer}
        return {name: part.state_dict() for name, part in parts.items()} | {"step": step, "elapsed": self.elapsed}

    def resume(self, state: Mapping[str, Any]) -> int:
        """Take over a checkpoint; the step it is of."""
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        for group, (_, pace) in zip(self.optimizer.param_groups, self.groups, strict=True):
            group["lr"] = self._rate(pace)
        self.elapsed = state.get("elapsed", 0.0)
        return int(state["step"])


@torch.no_grad()
def average_weights(averaged: nn.Module, model: nn.Module, share: float | Tensor) -> None:
    """Move the averaged weights, and whatever else is kept, towards the model's by a share: a number, or a scalar on
    the device."""
    own, new = averaged.state_dict(), model.state_dict()
    for name, tensor in own.items():
        if tensor.is_floating_point():
            tensor.lerp_(new[name], share.to(tensor.dtype) if isinstance(share, Tensor) else share)
        else:
            tensor.copy_(new[name])


def training_device(name: str | Device) -> Device:
    """As `nst.device.choose_device`; under torchrun each process of a machine takes a GPU of its own."""
    if name in ("auto", "cuda") and "LOCAL_RANK" in os.environ and torch.cuda.is_available():
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    return choose_device(name)


def seed_weights(seed: int, encoder: str) -> None:
    """Make the initial weights of what is built next those of this seed.

    A network that looks through an encoder loads it while it is built, if it is not loaded yet, which would use up
    random numbers: it is loaded here first.
    """
    load_encoder(encoder)
    torch.manual_seed(seed)


def process_rank(device: Device) -> tuple[int, int]:
    """This process's number and how many there are: under torchrun, which sets the environment, else 0 of 1."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not torch.distributed.is_initialized():
        if device.torch_device.type == "cuda":
            torch.cuda.set_device(device.torch_device)
        torch.distributed.init_process_group("nccl" if device.torch_device.type == "cuda" else "gloo")
    return (torch.distributed.get_rank(), world) if world > 1 else (0, 1)


def warm_start(model: nn.Module, path: str | Path, without: Sequence[str] = ()) -> None:
    """Take over the tensors of a file that have the names and shapes of the model's own.

    Raises:
        WeightsError: the file is damaged, or there are none.
    """
    own = model.state_dict()
    found = {k: v.float() for k, v in load_tensors(Path(path)).items() if k not in without}
    found = {k: v for k, v in found.items() if k in own and v.shape == own[k].shape}
    if not found:
        raise WeightsError(f"{path} holds nothing that this network could start from.")
    model.load_state_dict(found, strict=False)


def write_model(
    model: nn.Module,
    folder: Path,
    architecture: str,
    config: Mapping[str, Any],
    record: Mapping[str, Any],
    about: str,
    *,
    command: str | None = None,
    license: str = "mit",
) -> None:
    """Write a model as float16 safetensors, its configuration in the metadata, and a card beside it.

    Args:
        model: what was trained.
        folder: where `ARCHITECTURE.safetensors` and README.md go.
        architecture: the name of its builder.
        config: the builder's arguments.
        record: the last one of the training, for the card.
        about: what the model does and what it was trained on.
        command: what trains it; None means the one of the architecture's name.
        license: what may be done with it.
    """
    tensors = {k: v.detach().half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    tensors = {k: v.cpu() for k, v in tensors.items()}
    metadata = {"architecture": architecture, "config": json.dumps(config)}
    save_tensors(folder / f"{architecture}.safetensors", tensors, metadata)
    terms = "\n".join(f"| {name} | {value} |" for name, value in record.items() if name not in ("step", "steps"))
    card = CARD.format(
        name=architecture,
        command=command or architecture,
        license=license,
        about=about,
        terms=terms,
        step=record["step"],
        steps=record["steps"],
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


CARD = """---
license: {license}
library_name: nst
tags: [neural-style-transfer, {name}]
---
# {name}

{about}

Trained by `python -m nst train {command}` for {step} of {steps} steps; the weights are the moving average of the last
ones. At the end, on training crops:

| | |
| --- | --- |
{terms}

RGB in [0, 1] in and out. `nst/models/{name}.py` names the paper, and says where this differs from it.
"""
