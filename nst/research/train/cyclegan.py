"""Train a CycleGAN: two kinds of pictures, no pairs, a generator for each way (Zhu et al. 2017, arXiv:1703.10593).

See `nst.research.train.cycle` for what is lowered. Where we differ from the paper: batches may be larger than 1,
Adam's second moment is forgotten faster, and what is written is a moving average of the generators' weights.
"""

from __future__ import annotations

import copy
import pickle
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from nst.device import Device
from nst.encoders import load_encoder
from nst.images import decode, save, to_pil
from nst.models.cyclegan import PatchGAN, Translator
from nst.research.train.cycle import CYCLE_LOSSES, Cycle, StyleTerm, Terms
from nst.research.train.data import Pictures, Stock, write_checkpoint
from nst.research.train.loop import Plan, average_weights, seed_weights, training_device, warm_start, write_model
from nst.weights import WeightsError

SIDE = 256
"""Side in pixels of the squares that pictures of the one kind are kept as."""

MANY = 48
"""Crops that tell what the other kind's pictures have in common."""


@dataclass(frozen=True)
class Domain:
    """Pictures of one kind, and crops of them of `size` pixels, no smaller than `smallest` of a picture's side."""

    stock: Stock
    size: int
    smallest: float

    def batch(self, count: int, rng: torch.Generator) -> Tensor:
        """Crops (count, 3, size, size)."""
        return self.stock.batch(count, self.size, rng, smallest=self.smallest)


def linear_decay(progress: float, top: float) -> float:
    """The paper's learning rate: constant over the first half, then evenly down to nothing."""
    return top * min(1.0, 2 * (1 - progress))


def train_cyclegan(
    *,
    data: Sequence[str],
    other: Sequence[str],
    out: str,
    names: Sequence[str] = ("photo2painting", "painting2photo"),
    start: str | None = None,
    steps: int = 20000,
    seconds: float = 0.0,
    batch: int = 1,
    size: int = 128,
    other_size: int = 256,
    least: float = 0.6,
    net: str = "resnet",
    widths: Sequence[int] = (16, 32, 64),
    blocks: int = 6,
    kernel: int = 7,
    separable: bool = False,
    inner: Sequence[int] = (),
    sees: int = 0,
    upsampling: str = "resize",
    output: str = "tanh",
    critic_width: int = 32,
    critic_layers: int = 3,
    cycle_weight: float = 10.0,
    identity_weight: float = 0.5,
    cycle_loss: str = "l1",
    manner_weight: float = 0.0,
    encoder: str = "compact",
    learning_rate: float = 2e-4,
    seed: int = 0,
    interval: int = 200,
    device: str | Device = "auto",
) -> Iterator[dict[str, Any]]:
    """Train two translators between two kinds of pictures of which there are no pairs.

    Args:
        data: pictures of the one kind: files, folders or tar files.
        other: pictures of the other kind, likewise.
        out: folder to write; a checkpoint there is gone on from.
        names: of the two directions.
        start: a file of this kind to start from.
        steps, batch, size: how many steps, of how many crops of each kind, of how many pixels a side.
        seconds: that all of it may take; see `nst.research.train.loop.Plan`.
        other_size: side in pixels of the squares that pictures of the other kind are kept as.
        least: least side of a crop of the other kind, relative to the picture's.
        net: "resnet" or "unet", which goes by the first of the widths and has one level a block.
        widths: channels at full, half and quarter resolution; the paper's are 64 128 256.
        blocks: residual blocks; the paper's are 6 or 9.
        kernel: size of the first and last convolution.
        separable: depthwise separable convolutions in the blocks.
        inner: channels inside each residual block; none means those outside.
        sees: see `nst.models.cyclegan.Translator`.
        upsampling: "transposed", as in the paper, or "resize" (enlarge, then convolve).
        output: "tanh", as in the paper, or "blend": how much of the photo is painted over is learned as well, so that
            a generator begins near the identity instead of having to learn it.
        critic_width: channels of a critic's first layer; the paper's are 64.
        critic_layers: of stride 2; with 3 a patch has 70 pixels a side.
        cycle_weight: of the cycle's error.
        identity_weight: of a picture changed that is of the right kind already, relative to the cycle's.
        cycle_loss: "l1" or "l2".
        manner_weight: of the error of textures and colors of what the first direction paints; the paper has none.
        encoder: the network that compares these, by name or file.
        learning_rate: of the first half.
        seed: of crops, pools and initial weights.
        interval: steps between records and checkpoints.
        device: see `nst.research.train.loop.training_device`.

    Raises:
        ValueError: not two names, or an unknown loss or net.
    """
    if len(names) != 2 or cycle_loss not in CYCLE_LOSSES:
        raise ValueError('Give two names, of the way there and the way back, and "l1" or "l2" as the cycle\'s loss.')
    folder, device, plan = (
        Path(out),
        training_device(device),
        Plan(steps, learning_rate, seed, interval, seconds=seconds),
    )
    (folder / "sheets").mkdir(parents=True, exist_ok=True)
    seed_weights(seed, encoder)
    shape: dict[str, Any] = {"widths": list(widths), "blocks": blocks, "kernel": kernel, "separable": separable}
    shape |= {"upsampling": upsampling}
    shape = {"width": widths[0], "depth": blocks} if net == "unet" else shape
    if inner:
        shape["inner"] = list(inner)
    config = {"directions": list(names), "sees": sees, "net": net, "output": output, **shape}
    translator = Translator(**config)
    critics = [PatchGAN(critic_width, critic_layers) for _ in names]
    for module in (translator, *critics):
        module.apply(_small_weights)
    if start:
        warm_start(translator, start)
    sources = (gathered(data), max(size, SIDE), 0.6), (gathered(other), max(size, other_size), least)
    kinds = [Domain(Stock(pictures, side, device), size, smallest) for pictures, side, smallest in sources]
    rng = torch.Generator(device.torch_device).manual_seed(seed)
    samples = [kind.batch(4, rng) for kind in kinds]
    style_term = None
    if manner_weight:
        compared = load_encoder(encoder).to(device.torch_device)
        style_term = StyleTerm(compared, kinds[1].batch(MANY, rng), manner_weight, device)
    terms = Terms(cycle_weight, identity_weight, cycle_loss)
    cycle = Cycle(translator, critics, size, terms, device, style_term).to(device.torch_device)
    cycle = cycle.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    trained = copy.deepcopy(cycle.translator).requires_grad_(False)
    for record in _train(cycle, trained, kinds, plan, folder, batch):
        about = f"Translates {' and '.join(names)}. Trained on {', '.join(Path(p).name for p in (*data, *other))}."
        write_model(trained, folder, "cyclegan", config, record, about)
        if record["step"] // interval % plan.sheet == 0 or record["step"] == steps:
            with torch.no_grad(), device.autocast():
                save(folder / "sheets" / f"{record['step']:06d}.jpg", to_pil(_sheet(trained, samples)))
        yield record


def _train(
    cycle: Cycle, trained: nn.Module, kinds: Sequence[Domain], plan: Plan, folder: Path, batch: int
) -> Iterator[dict[str, Any]]:
    """Both players' steps, and a record and a checkpoint per interval; goes on from the folder's checkpoint."""
    players: list[nn.Module] = [cycle.translator, cycle.critics]
    optimizers = [torch.optim.Adam(p.parameters(), lr=plan.learning_rate, betas=(0.5, 0.99)) for p in players]
    parts: dict[str, Any] = {"model": cycle, "averaged": trained}
    parts |= {f"optimizer{i}": optimizer for i, optimizer in enumerate(optimizers)}
    checkpoint = folder / "checkpoint.pt"
    first, before = _resume(checkpoint, parts, cycle.device) if checkpoint.exists() else (0, 0.0)
    rng = torch.Generator(cycle.device.torch_device)
    sums, began, started = dict[str, Tensor](), time.monotonic(), time.monotonic()
    for step in range(first + 1, plan.steps + 1):
        elapsed = before + time.monotonic() - started
        rate, own = linear_decay(plan.progress(step - 1, elapsed), plan.learning_rate), plan.step_seed(step)
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = rate
        rng.manual_seed(own)
        pictures = [kind.batch(batch, rng) for kind in kinds]
        cycle.critics.requires_grad_(False)
        terms, made = cycle.generators(pictures)
        _descend(torch.stack(list(terms.values())).sum(), players[0], optimizers[0])
        cycle.critics.requires_grad_(True)
        terms["critics"] = cycle.judge(pictures, made, random.Random(own + 2))
        _descend(terms["critics"], players[1], optimizers[1])
        average_weights(trained, cycle.translator, 1 - min(plan.average, step / (step + 10)))
        for name, term in terms.items():
            sums[name] = sums.get(name, 0.0) + term.detach()
        done = plan.progress(step, elapsed) == 1
        if step % plan.interval == 0 or done:
            count = (step - 1) % plan.interval + 1
            record = {"step": step, "steps": plan.steps, "learning_rate": round(rate, 7)}
            record |= {"skipped": sum(kind.stock.skipped for kind in kinds)}
            record |= {name: round(float(value) / count, 5) for name, value in sums.items()}
            record["seconds_per_step"] = round((time.monotonic() - began) / count, 3)
            write_checkpoint(
                checkpoint,
                {k: part.state_dict() for k, part in parts.items()} | {"step": step, "elapsed": elapsed},
                record,
            )
            yield record
            sums, began = {}, time.monotonic()
        if done:
            break


def _resume(path: Path, parts: dict[str, Any], device: Device) -> tuple[int, float]:
    """Take over a checkpoint; the step it is of, and the seconds that it took."""
    try:
        state = torch.load(path, weights_only=True, map_location=device.torch_device)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        return int(state["step"]), float(state.get("elapsed", 0.0))
    except (RuntimeError, EOFError, LookupError, ValueError, TypeError, pickle.UnpicklingError) as error:
        told = "is damaged, or of another training: move it away to begin anew, or name another folder"
        raise WeightsError(f"{path} {told}.") from error


def _descend(loss: Tensor, player: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(player.parameters(), 10.0)
    for parameter in player.parameters():
        if parameter.grad is not None:  # a single step of bfloat16 gone wrong must not end a training
            parameter.grad.nan_to_num_(0.0, 0.0, 0.0)
    optimizer.step()


def _small_weights(module: nn.Module) -> None:
    """The paper's initial weights: of mean 0 and deviation 0.02 (section 7.1)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def gathered(sources: Sequence[str]) -> Sequence[Image.Image]:
    """The pictures of files, folders and tar files."""
    if len(sources) == 1 and not _is_picture(sources[0]):
        return Pictures(sources[0])
    found: list[Image.Image] = []
    for source in sources:
        found += [decode(source).rgb] if _is_picture(source) else list(Pictures(source))
    return found


def _is_picture(path: str) -> bool:
    return Path(path).is_file() and Path(path).suffix.lower() != ".tar"


def _sheet(trained: nn.Module, samples: Sequence[Tensor]) -> Tensor:
    """For each kind a row of pictures, of what they become, and of what comes back of it."""
    rows = []
    for way, pictures in enumerate(samples):
        made = trained(pictures, way)
        rows += [pictures, made, trained(made, 1 - way)]
    return torch.cat([torch.cat([*row], 2) for row in rows], 1)[None]
