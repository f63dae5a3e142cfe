"""Train the beginners' baseline on pairs of a photo and its optimized stylization (see `nst.models.autoencoder`)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.device import Device
from nst.images import decode, save, to_pil, to_tensor
from nst.models.autoencoder import Autoencoder
from nst.research.train.cin import named_style
from nst.research.train.data import Crops, Pictures
from nst.research.train.loop import Plan, train, training_device, write_model
from nst.stylize import style_transfer

LOSSES = ("mse", "cross-entropy")


class PairObjective(nn.Module):
    """Photos and what they should become to the error of the pixels."""

    def __init__(self, model: Autoencoder, device: Device, loss: str) -> None:
        super().__init__()
        self.model, self.device, self.loss = model, device, loss

    def forward(self, photo: Tensor, painted: Tensor) -> dict[str, Tensor]:
        """One term, named after the loss, of pictures (N, 3, H, W)."""
        with self.device.autocast():
            logits = self.model.logits(photo)
        if self.loss == "mse":
            return {self.loss: F.mse_loss(logits.sigmoid(), painted)}
        return {self.loss: F.binary_cross_entropy_with_logits(logits, painted)}


def train_autoencoder(
    *,
    data: str,
    style: str,
    out: str,
    pairs: int = 32,
    paint_steps: int = 80,
    steps: int = 1500,
    batch: int = 8,
    size: int = 128,
    widths: Sequence[int] = (32, 64, 128),
    loss: str = "mse",
    learning_rate: float = 0.01,
    encoder: str = "compact",
    seed: int = 0,
    interval: int = 100,
    device: str | Device = "auto",
) -> Iterator[dict[str, Any]]:
    """Train the six-layer autoencoder with Adagrad on pairs, which are painted first.

    Args:
        data: folder or tar file of photos.
        style: a style by name, or a picture file.
        out: folder to write; a checkpoint and pairs there are gone on from.
        pairs: how many photos are painted.
        paint_steps: steps of the optimization that paints one.
        steps, batch, size: how many steps, of how many crops, of how many pixels a side.
        widths: channels at half, quarter and eighth resolution.
        loss: mse or cross-entropy.
        learning_rate: Adagrad's, at the top of the cycle.
        encoder: the network that the pairs are painted with, by name or file.
        seed: of crops and initial weights.
        interval: steps between records and checkpoints.
        device: see `nst.research.train.loop.training_device`.

    Raises:
        ValueError: an unknown loss.
    """
    if loss not in LOSSES:
        raise ValueError(f'No loss "{loss}": choose {" or ".join(LOSSES)}.')
    folder, device = Path(out), training_device(device)
    name, picture = named_style(style)
    photos = Crops(Pictures(data), size)
    painted = [
        _paint(folder / "pairs" / f"{i:04d}.png", photos, to_tensor(picture), seed + i, encoder, paint_steps, device)
        for i in range(pairs)
    ]
    torch.manual_seed(seed)
    config = {"widths": list(widths)}
    model = device.place(Autoencoder(**config))

    def draw(step_seed: int) -> tuple[Tensor, ...]:
        rng = random.Random(step_seed)
        chosen = [painted[rng.randrange(pairs)] for _ in range(batch)]
        inputs, targets = (torch.cat(side) for side in zip(*chosen, strict=True))
        mirrored = torch.tensor([rng.random() < 0.5 for _ in chosen])[:, None, None, None]
        return tuple(torch.where(mirrored, x.flip(-1), x) for x in (inputs, targets))

    def finish(trained: nn.Module, record: Mapping[str, Any]) -> None:
        about = f"A baseline to compare with: learned {name} by {loss} from {pairs} pairs. Trained on {data}."
        write_model(trained, folder, "autoencoder", config, record, about)

    def sheet(trained: nn.Module) -> Tensor:
        shown = painted[:4]
        rows = [[photo, trained(device.place(photo)).cpu(), result] for photo, result in shown]
        return torch.cat([torch.cat(row, 3) for row in rows], 2)

    plan = Plan(steps, learning_rate, seed, interval, optimizer="adagrad")
    yield from train(
        PairObjective(model, device, loss),
        draw,
        model=model,
        plan=plan,
        device=device,
        out=folder,
        finish=finish,
        sheet=sheet,
        notes=lambda: {"skipped": photos.skipped},
    )


def _paint(
    path: Path, photos: Crops, style: Tensor, seed: int, encoder: str, num_steps: int, device: Device
) -> tuple[Tensor, Tensor]:
    """A photo and its stylization, which is kept in a file, both (1, 3, size, size)."""
    photos.random.seed(seed)
    photo = photos.one()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        settings: dict[str, Any] = {"size": photos.size, "num_steps": num_steps, "preset": "draft"}
        *_, last = style_transfer(photo, style, encoder=encoder, device=device, seed=seed, **settings)
        save(path, to_pil(last.image))
    return photo, to_tensor(decode(path))
