"""The loop of every training: seeded, resumable bit for bit, on one device or several; a record per interval."""

from __future__ import annotations

import json
import os
import pickle
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nst.device import Device, choose_device
from nst.images import save, to_pil
from nst.places import replacing
from nst.research.train.config import RunConfig
from nst.weights import WeightsError

Terms = dict[str, Tensor]


class TrainingFailed(RuntimeError):
    """A training that is not worth going on with; the message says what happened, and from which step to resume."""


class Learner:
    """What learns: how it takes a step, and what a checkpoint holds of it. `train` does the rest.

    Attributes:
        config, device: what the training was told; where, and in which number format.
        parts: all that has a state, by its name in a checkpoint; "averaged" is what is written.
        elapsed: seconds that the training has taken.
        sums: of the terms since the last record.
        rank, world: the number of this process, and of all.
    """

    def __init__(self, config: RunConfig, device: Device) -> None:
        self.config: Any = config
        self.device = device
        self.parts: dict[str, Any] = {}
        self.elapsed = 0.0
        self.sums: dict[str, Tensor] = {}
        self.rank, self.world = process_rank(device)

    def step(self, step: int, seed: int) -> None:
        """Take a step: its number, and the seed of all that is random in it."""
        raise NotImplementedError

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        return float(self.config.rate(step, self.elapsed))

    def add(self, terms: Mapping[str, Any]) -> None:
        """Add a step's terms to their sums."""
        for name, term in terms.items():  # always in the same memory, as a graph writes to it
            if name not in self.sums:
                self.sums[name] = torch.zeros((), device=self.device.torch_device)
            self.sums[name] += term.detach() if isinstance(term, Tensor) else term

    def totals(self) -> dict[str, float]:
        """The terms' sums since they were last asked for."""
        found = {name: float(total) for name, total in self.sums.items()}
        for total in self.sums.values():
            total.zero_()
        return found

    def trouble(self, record: Mapping[str, Any]) -> str:
        """What has gone wrong, if it is not worth going on."""
        return ""

    def state(self, step: int) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {name: part.state_dict() for name, part in self.parts.items()} | {"step": step, "elapsed": self.elapsed}

    def take_over(self, state: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint held."""
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        self.elapsed = float(state.get("elapsed", 0.0))

    def resume(self, path: Path) -> int:
        """Go on from a checkpoint; the step it is of, 0 where there is none. Raises WeightsError for one that is
        damaged, or of another training."""
        if not path.exists():
            return 0
        try:
            state = torch.load(path, weights_only=True, map_location=self.device.torch_device)
            self.take_over(state)
            return int(state["step"])
        except (RuntimeError, EOFError, LookupError, ValueError, TypeError, pickle.UnpicklingError) as error:
            told = "is damaged, or of another training: move it away to begin anew, or name another folder"
            raise WeightsError(f"{path} {told}.") from error


class Training(Iterator[dict[str, Any]]):
    """The records of a training, whose steps are taken as records are asked for; `learner` is what takes them."""

    def __init__(self, learner: Learner, records: Generator[dict[str, Any], None, None]) -> None:
        self.learner, self.records, self.close = learner, records, records.close

    def __next__(self) -> dict[str, Any]:
        return next(self.records)


def train(
    learner: Learner,
    *,
    out: Path,
    finish: Callable[[Any, Mapping[str, Any]], None],
    sheet: Callable[[Any, int], Tensor] | None = None,
    notes: Callable[[], Mapping[str, Any]] = dict,
    measure: Callable[[Any, int], Mapping[str, Any]] = lambda averaged, step: {},
) -> Generator[dict[str, Any], None, None]:
    """Take all steps of a training; yields a record per interval.

    Args:
        learner: see `Learner`.
        out: folder for checkpoint, log, sheets; a checkpoint there is gone on from.
        finish: writes the averaged model and its card.
        sheet: a picture (1, 3, H, W) that shows what the averaged model does at a step.
        notes: more entries of each record.
        measure: more entries of a record that comes with a sheet.

    Raises:
        TrainingFailed: it is not worth going on.
        nst.weights.WeightsError: the checkpoint is damaged.
    """
    config: RunConfig = learner.config
    (out / "sheets").mkdir(parents=True, exist_ok=True)
    first = learner.resume(out / "checkpoint.pt")
    began, started = time.monotonic(), time.monotonic() - learner.elapsed
    for step in range(first + 1, config.steps + 1):
        learner.elapsed = time.monotonic() - started
        learner.step(step, config.step_seed(step, learner.rank))
        done = config.progress(step, learner.elapsed) == 1
        if step % config.interval and not done:
            continue
        count = (step - 1) % config.interval + 1
        record = {"step": step, "steps": config.steps, "learning_rate": round(learner.rate(step), 7), **notes()}
        record |= {name: round(value / count, 5) for name, value in learner.totals().items()}
        record["seconds_per_step"] = round((time.monotonic() - began) / count, 4)
        if told := learner.trouble(record):
            back = f"Resume from step {step - count}" if step > count else "Begin again"
            raise TrainingFailed(f"{told} at step {step}. {back} with a lower learning rate or a stronger r1.")
        if learner.rank == 0:
            averaged = learner.parts["averaged"]
            if config.sheet and (step // config.interval % config.sheet == 0 or done):
                with torch.no_grad(), learner.device.autocast():
                    record |= measure(averaged, step)
                    if sheet:
                        save(out / "sheets" / f"{step:06d}.jpg", to_pil(sheet(averaged, step).float().cpu()))
            finish(averaged, record)
            write_checkpoint(out / "checkpoint.pt", learner.state(step), record)
            yield record
        began = time.monotonic()
        if done:
            break
    if learner.world > 1:
        torch.distributed.destroy_process_group()


def write_checkpoint(path: Path, state: dict[str, Any], record: dict[str, Any]) -> None:
    """Replace the checkpoint in one step, so that an interruption leaves the old or the new one, and log the record."""
    with replacing(path) as part:
        torch.save(state, part)
    with path.with_name("log.jsonl").open("ab+") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - 1))
        cut_short = log.read(1) not in (b"", b"\n")  # by an interruption
        log.write(b"\n" * cut_short + json.dumps(record).encode() + b"\n")


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


def descend(loss: Tensor, optimizer: torch.optim.Optimizer, parameters: Iterable[nn.Parameter], longest: float) -> None:
    """Take a step down a loss, along a gradient of a norm of `longest` at most.

    Zeros are put in place of gradients that are no numbers: one step of bfloat16 gone wrong must not end a training.
    """
    learning = list(parameters)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(learning, longest)
    for parameter in learning:
        if parameter.grad is not None:
            parameter.grad.nan_to_num_(0.0, 0.0, 0.0)
    optimizer.step()


def training_device(name: str | Device) -> Device:
    """As `nst.device.choose_device`; under torchrun each process of a machine takes a GPU of its own."""
    if name in ("auto", "cuda") and "LOCAL_RANK" in os.environ and torch.cuda.is_available():
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    return choose_device(name)


def process_rank(device: Device) -> tuple[int, int]:
    """This process's number and how many there are: under torchrun, which sets the environment, else 0 of 1."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not torch.distributed.is_initialized():
        if device.torch_device.type == "cuda":
            torch.cuda.set_device(device.torch_device)
        torch.distributed.init_process_group("nccl" if device.torch_device.type == "cuda" else "gloo")
    return (torch.distributed.get_rank(), world) if world > 1 else (0, 1)
