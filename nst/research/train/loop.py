"""The training loop of every stylizer: seeded, resumable bit for bit, in mixed precision, on one device or several."""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    """

    steps: int
    learning_rate: float = 1e-3
    seed: int = 0
    interval: int = 100
    sheet: int = 5
    average: float = 0.998
    optimizer: str = "adam"

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        return one_cycle(step, self.steps, self.learning_rate)

    def step_seed(self, step: int, rank: int = 0) -> int:
        """Each step has a seed of its own, so that a resumed training sees what an uninterrupted one would."""
        return 4 * ((self.seed * self.steps + step) * 64 + rank)  # for up to four sources of randomness a step


def one_cycle(step: int, steps: int, top: float) -> float:
    """A learning rate: up to the top over the first twentieth, then down a half cosine."""
    progress = step / steps
    if progress < 0.05:
        return top * (0.1 + 0.9 * progress / 0.05)
    return top * max(0.002, 0.5 * (1 + math.cos(math.pi * (progress - 0.05) / 0.95)))


def train(
    objective: nn.Module,
    batch: Callable[[int], tuple[Tensor, ...]],
    *,
    model: nn.Module,
    plan: Plan,
    where: Device,
    out: Path,
    finish: Callable[[nn.Module, Mapping[str, Any]], None],
    sheet: Callable[[nn.Module], Tensor] | None = None,
    notes: Callable[[], Mapping[str, Any]] = dict,
) -> Iterator[dict[str, Any]]:
    """Lower the objective's terms; yields a record per interval.

    Args:
        objective: what a step calls with a batch; gives named, weighted terms. Its trainable part is the model's.
        batch: a seed to what the objective takes, on the CPU.
        model: what learns, inside the objective.
        plan: see `Plan`.
        where: device and number format.
        out: folder for checkpoint, log, sheets; a checkpoint there is gone on from.
        finish: writes the averaged model and its card.
        sheet: a picture (1, 3, H, W) that shows what the model does.
        notes: more entries of each record.
    """
    rank, world = process_rank(where)
    (out / "sheets").mkdir(parents=True, exist_ok=True)
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer: torch.optim.Optimizer = torch.optim.Adam(learning, lr=plan.learning_rate, betas=(0.9, 0.99))
    if plan.optimizer == "adagrad":
        optimizer = torch.optim.Adagrad(learning, lr=plan.learning_rate)
    averaged = copy.deepcopy(model).requires_grad_(False).eval()
    first, checkpoint = 0, out / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=where.device)
        model.load_state_dict(state["model"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    called: nn.Module = nn.parallel.DistributedDataParallel(objective) if world > 1 else objective
    sums: dict[str, float] = {}
    began = time.monotonic()
    for step in range(first + 1, plan.steps + 1):
        inputs = [where.place(x) if x.ndim == 4 else x.to(where.device) for x in batch(plan.step_seed(step, rank))]
        for group in optimizer.param_groups:
            group["lr"] = plan.rate(step)
        torch.manual_seed(plan.step_seed(step, rank) + 3)  # of what a network itself draws while it learns
        terms: Terms = called(*inputs)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        norm = nn.utils.clip_grad_norm_(learning, 1.0)
        if norm.isfinite():  # a single step of bfloat16 gone wrong must not end a training
            optimizer.step()
        average_weights(averaged, model, min(plan.average, step / (step + 10)))
        for name, term in terms.items():
            sums[name] = sums.get(name, 0.0) + float(term.detach())
        if step % plan.interval == 0 or step == plan.steps:
            count = (step - 1) % plan.interval + 1
            record = {"step": step, "steps": plan.steps, "learning_rate": round(plan.rate(step), 7), **notes()}
            record |= {name: round(value / count, 5) for name, value in sums.items()}
            record["seconds_per_step"] = round((time.monotonic() - began) / count, 3)
            if rank == 0:
                state = {"model": model.state_dict(), "averaged": averaged.state_dict()}
                state |= {"optimizer": optimizer.state_dict(), "step": step}
                write_checkpoint(checkpoint, state, record)
                finish(averaged, record)
                if sheet and plan.sheet and (step // plan.interval % plan.sheet == 0 or step == plan.steps):
                    with torch.no_grad(), where.autocast():
                        save(out / "sheets" / f"{step:06d}.jpg", to_pil(sheet(averaged)))
                yield record
            sums, began = {}, time.monotonic()
    if world > 1:
        torch.distributed.destroy_process_group()


@torch.no_grad()
def average_weights(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the averaged weights, and whatever else is kept, towards the model's by 1 - decay."""
    own, new = averaged.state_dict(), model.state_dict()
    for name, tensor in own.items():
        if tensor.is_floating_point():
            tensor.lerp_(new[name], 1 - decay)
        else:
            tensor.copy_(new[name])


def training_device(name: str) -> Device:
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


def process_rank(where: Device) -> tuple[int, int]:
    """This process's number and how many there are: under torchrun, which sets the environment, else 0 of 1."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not torch.distributed.is_initialized():
        if where.device.type == "cuda":
            torch.cuda.set_device(where.device)
        torch.distributed.init_process_group("nccl" if where.device.type == "cuda" else "gloo")
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
