"""The training loop of two networks: a generator of pictures, and a discriminator that tells them from real ones.

Seeded and resumable bit for bit, in mixed precision, on one device or several; stops by itself where the generator has
collapsed or the numbers have run away, and says from where to go on.
"""

from __future__ import annotations

import copy
import math
import pickle
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nst.device import Device
from nst.images import save, to_pil
from nst.losses import clip_weights, game, gradient_penalty, r1_penalty
from nst.research.train.augment import augment
from nst.research.train.data import write_checkpoint
from nst.research.train.loop import Plan, average_weights, process_rank
from nst.weights import WeightsError


class TrainingFailed(RuntimeError):
    """A training that is not worth going on with; the message says what happened, and from which step to resume."""


@dataclass(frozen=True)
class GanConfig:
    """What the networks play for, and how often each moves.

    Attributes:
        game: a name of `nst.losses.GAMES`.
        discriminator_steps: of the discriminator for each of the generator's (k of arXiv:1406.2661).
        r1: weight of the penalty of slopes at real pictures; 0 for none.
        r1_every: steps between two of them, each as strong as all it stands for (arXiv:1912.04958, section 3.1).
        gradient_penalty: weight of the penalty of slopes other than 1, for "wasserstein"; 0 for none.
        clip: bound of the discriminator's weights, for "wasserstein"; 0 for none.
        augment: names of `nst.research.train.augment.POLICIES`.
        betas: Adam's.
    """

    game: str = "nonsaturating"
    discriminator_steps: int = 1
    r1: float = 0.0
    r1_every: int = 16
    gradient_penalty: float = 0.0
    clip: float = 0.0
    augment: Sequence[str] = ()
    betas: tuple[float, float] = (0.0, 0.99)


@dataclass(frozen=True)
class GanNetworks:
    """The two networks, and how each is used at a step.

    Attributes:
        generator, discriminator: the networks.
        make: (generator, source of randomness, step) to made pictures (N, ...).
        judge: (pictures, step) to logits.
        real: (source of randomness, step) to real pictures (N, ...), on the CPU.
    """

    generator: nn.Module
    discriminator: nn.Module
    make: Callable[[nn.Module, torch.Generator, int], Tensor]
    judge: Callable[[Tensor, int], Tensor]
    real: Callable[[torch.Generator, int], Tensor]


def run_gan(
    networks: GanNetworks,
    gan_config: GanConfig,
    *,
    plan: Plan,
    device: Device,
    out: Path,
    finish: Callable[[nn.Module, Mapping[str, Any]], None],
    sheet: Callable[[nn.Module, int], Tensor] | None = None,
    measure: Callable[[nn.Module, int], Mapping[str, Any]] = lambda averaged, step: {},
) -> Iterator[dict[str, Any]]:
    """Let the two play; yields a record per interval. The learning rate stays as it is.

    Args:
        networks: the networks.
        gan_config: see `GanConfig`.
        plan: see `nst.research.train.loop.Plan`.
        device: device and number format.
        out: folder for checkpoint, log, sheets; a checkpoint there is gone on from.
        finish: writes the averaged generator and its card.
        sheet: what the averaged generator makes at a step, one picture (1, 3, H, W).
        measure: more entries of a record that comes with a sheet.

    Raises:
        TrainingFailed: the generator has collapsed, or the numbers have run away.
        nst.weights.WeightsError: the checkpoint is damaged.
    """
    rank, world = process_rank(device)
    (out / "sheets").mkdir(parents=True, exist_ok=True)
    state = _State(networks, gan_config, plan)
    checkpoint = out / "checkpoint.pt"
    first = state.load(checkpoint, device) if checkpoint.exists() else 0
    sums: dict[str, float] = {}
    began = time.monotonic()
    for step in range(first + 1, plan.steps + 1):
        for name, term in _round(networks, gan_config, state, plan.step_seed(step, rank), step, device, world).items():
            sums[name] = sums.get(name, 0.0) + term
        average_weights(state.averaged, networks.generator, 1 - min(plan.average, step / (step + 10)))
        if step % plan.interval and step != plan.steps:
            continue
        count = (step - 1) % plan.interval + 1
        record: dict[str, Any] = {"step": step, "steps": plan.steps}
        record |= {name: round(value / count, 5) for name, value in sums.items()}
        record["seconds_per_step"] = round((time.monotonic() - began) / count, 3)
        if told := state.trouble(record):
            back = f"Resume from step {step - count}" if step > count else "Begin again"
            raise TrainingFailed(f"{told} at step {step}. {back} with a lower learning rate or a stronger r1.")
        if rank == 0:
            if plan.sheet and (step // plan.interval % plan.sheet == 0 or step == plan.steps):
                with torch.no_grad(), device.autocast():
                    record |= measure(state.averaged, step)
                    if sheet:
                        save(out / "sheets" / f"{step:06d}.jpg", to_pil(sheet(state.averaged, step)))
            finish(state.averaged, record)
            write_checkpoint(checkpoint, state.kept(step), record)
            yield record
        sums, began = {}, time.monotonic()
    if world > 1:
        torch.distributed.destroy_process_group()


class _State:
    """What a checkpoint holds: both networks, the averaged generator, both optimizers, how various pictures were."""

    def __init__(self, networks: GanNetworks, gan_config: GanConfig, plan: Plan) -> None:
        self.averaged = copy.deepcopy(networks.generator).eval().requires_grad_(False)
        self.parts: dict[str, Any] = {"model": networks.generator, "discriminator": networks.discriminator}
        for name, network in tuple(self.parts.items()):
            learning = [p for p in network.parameters() if p.requires_grad]
            self.parts[f"{name}_optimizer"] = torch.optim.Adam(learning, plan.learning_rate, gan_config.betas)
        self.parts["averaged"] = self.averaged
        self.most, self.rate = 0.0, plan.learning_rate

    def kept(self, step: int) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self.parts.items()} | {"step": step, "most": self.most}

    def load(self, path: Path, device: Device) -> int:
        """Take over a checkpoint; the step it is of."""
        try:
            state = torch.load(path, weights_only=True, map_location=device.torch_device)
            for name, part in self.parts.items():
                part.load_state_dict(state[name])
            for name in ("model_optimizer", "discriminator_optimizer"):  # which may be gone on with at another rate
                for group in self.parts[name].param_groups:
                    group["lr"] = self.rate
            self.most = state["most"]
            return int(state["step"])
        except (RuntimeError, EOFError, LookupError, ValueError, TypeError, pickle.UnpicklingError) as error:
            told = "is damaged, or of another training: move it away to begin anew, or name another folder"
            raise WeightsError(f"{path} {told}.") from error

    def trouble(self, record: Mapping[str, Any]) -> str:
        """What has gone wrong, if anything; remembers the greatest variety."""
        if not all(math.isfinite(v) for v in record.values()):
            return "The losses are no longer numbers"
        self.most = max(self.most, record["variety"])
        # A generator begins with pictures that are all alike; it has collapsed if it comes back to that.
        collapsed = record["variety"] < COLLAPSED * min(self.most, 1)
        return "The generator has collapsed: it makes one picture, whatever the latent," if collapsed else ""


COLLAPSED = 0.15
"""Share of the greatest variety so far, or of that of real pictures, under which a generator has collapsed."""


def _round(
    networks: GanNetworks, gan_config: GanConfig, state: _State, seed: int, step: int, device: Device, world: int
) -> dict[str, float]:
    """The discriminator's steps and the generator's; what they lost."""
    rng, played = torch.Generator().manual_seed(seed), game(gan_config.game)
    learning = list(networks.generator.parameters()), list(networks.discriminator.parameters())

    def judge(image: Tensor) -> Tensor:
        with device.autocast():
            return networks.judge(image, step)

    for k in range(gan_config.discriminator_steps):
        # The last pictures are the generator's own step's, too.
        with device.autocast(), torch.set_grad_enabled(k == gan_config.discriminator_steps - 1):
            made = networks.make(networks.generator, rng, step)
        real = networks.real(rng, step).to(device.torch_device)
        shown = augment(real, gan_config.augment, rng)
        faked = augment(made.detach(), gan_config.augment, rng)
        true, false = judge(shown), judge(faked)
        lost = loss = played.discriminator(true, false)
        if gan_config.r1 and (step * gan_config.discriminator_steps + k) % gan_config.r1_every == 0:
            loss = loss + gan_config.r1 * gan_config.r1_every * r1_penalty(judge, shown)
        if gan_config.gradient_penalty:
            loss = loss + gan_config.gradient_penalty * gradient_penalty(judge, shown, faked, rng)
        _move(state.parts["discriminator_optimizer"], learning[1], loss, world)
        if gan_config.clip:
            clip_weights(networks.discriminator, gan_config.clip)
    for parameter in learning[1]:
        parameter.requires_grad_(False)
    loss = played.generator(judge(augment(made, gan_config.augment, rng)))
    _move(state.parts["model_optimizer"], learning[0], loss, world)
    for parameter in learning[1]:
        parameter.requires_grad_(True)
    variety = float(made.detach().float().std(0).mean() / real.std(0).mean().clamp_min(1e-6))
    right = float(((true > 0).float().mean() + (false < 0).float().mean()).detach() / 2)
    return {
        "discriminator": float(lost.detach()),
        "generator": float(loss.detach()),
        "right": right,
        "variety": variety,
    }


def _move(optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], loss: Tensor, world: int) -> None:
    """One step down the loss; of several processes, down the mean of theirs."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    slopes = [p.grad for p in parameters if p.grad is not None]
    if world > 1:
        for slope in slopes:
            torch.distributed.all_reduce(slope)
            slope /= world
    if nn.utils.get_total_norm(slopes).isfinite():  # a single step of bfloat16 gone wrong must not end a training
        optimizer.step()
