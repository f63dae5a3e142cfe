"""Train the beginners' baseline on pairs of a photo and its optimized stylization (see `nst.models.autoencoder`)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.device import Device
from nst.images import decode, save, to_pil, to_tensor
from nst.models.autoencoder import Autoencoder
from nst.research.options import Records, options
from nst.research.train.config import PhotoConfig
from nst.research.train.data import named_style, rows
from nst.research.train.lesson import Lesson
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


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig(PhotoConfig):
    """The training of the autoencoder.

    Args:
        style: a style by name, or a picture file.
        pairs: how many photos are painted.
        paint_steps: steps of the optimization that paints one.
        widths: channels at half, quarter and eighth resolution.
        loss: mse or cross-entropy.
        learning_rate: Adagrad's, at the top of the cycle.
        encoder: the network that the pairs are painted with, by name or file.
    """

    optimizer: ClassVar[str] = "adagrad"

    style: str
    pairs: int = 32
    paint_steps: int = 80
    steps: int = 1500
    size: int = 128
    widths: Sequence[int] = (32, 64, 128)
    loss: str = "mse"
    learning_rate: float = 0.01


@options
def train_autoencoder(config: AutoencoderConfig) -> Records:
    """Train the six-layer autoencoder with Adagrad on pairs, which are painted first.

    Raises:
        ValueError: an unknown loss.
    """
    if config.loss not in LOSSES:
        raise ValueError(f'No loss "{config.loss}": choose {" or ".join(LOSSES)}.')
    (name, picture), count = named_style(config.style), config.pairs
    lesson = Lesson(config, "autoencoder", Autoencoder, {"widths": list(config.widths)})
    painted = [_pair(lesson, i, to_tensor(picture)) for i in range(count)]

    def draw(step_seed: int) -> tuple[Tensor, ...]:
        rng = random.Random(step_seed)
        chosen = [painted[rng.randrange(count)] for _ in range(config.batch)]
        inputs, targets = (torch.cat(side) for side in zip(*chosen, strict=True))
        mirrored = torch.tensor([rng.random() < 0.5 for _ in chosen], device=inputs.device)[:, None, None, None]
        return tuple(torch.where(mirrored, x.flip(-1), x) for x in (inputs, targets))

    def sheet(trained: nn.Module) -> Tensor:
        return rows([[photo[0], trained(photo)[0], result[0]] for photo, result in painted[:4]])

    about = f"A baseline to compare with: learned {name} by {config.loss} from {count} pairs. Trained on {config.data}."
    return lesson.learn(lesson.descent(PairObjective(lesson.model, lesson.device, config.loss), draw), about, sheet)


def _pair(lesson: Lesson, number: int, style: Tensor) -> tuple[Tensor, Tensor]:
    """A photo and its stylization, which is kept in a file, both (1, 3, size, size)."""
    config, device = lesson.config, lesson.device
    path, seed = config.folder / "pairs" / f"{number:04d}.png", config.seed + number
    photo = lesson.crops(1, seed)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        settings: dict[str, Any] = {"size": config.size, "num_steps": config.paint_steps, "preset": "draft"}
        *_, last = style_transfer(photo, style, encoder=config.encoder, device=device, seed=seed, **settings)
        save(path, to_pil(last.image))
    return photo, device.place(to_tensor(decode(path)))
