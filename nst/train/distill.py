"""Distill a slim translator from a larger one that somebody else trained.

The student learns what the teacher makes of photos (Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural
Network", 2015, arXiv:1503.02531; of generators: Li et al., "GAN Compression", 2020, arXiv:2003.08936): of crops of
photos of all kinds, with another light and another tint, and more often of those that a classifier takes for what is
translated.

A generator of horses and zebras draws stripes, and besides it darkens and yellows the meadow, as the zebras that it
learned from stood on dry grass. What it draws and what it only tints can be told apart: drawing changes the light from
pixel to pixel, a tint changes it evenly. So where the teacher draws, the student is to do as it does; elsewhere the
photo itself is its target, see `target`. No label of what is a horse is used, nor anything that the teacher does not
do: its mistakes, such as stripes on a rider, are learned as well.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from nst.device import Device
from nst.encoders import Encoder, load_encoder
from nst.images import ImageError, resize, to_tensor
from nst.losses import EPS
from nst.losses.structure import LUMINANCE
from nst.models.cyclegan import Translator
from nst.models.squeezenet import SORREL
from nst.registry import load_model
from nst.train.data import Crops, Pictures
from nst.train.loop import Plan, seed_weights, train, training_device, warm_start, write_model

LAYERS = ("relu1_1", "relu2_1", "relu3_1")
"""Of the encoder that compares student and target: edges, textures, parts."""

CELL = 1 / 16
"""Side of the squares, relative to the picture's, within which light is compared."""

FAINT, STRONG = 0.05, 0.12
"""Deviation of the change of light within a square: below the first nothing is drawn, above the second all is."""


def drawn(photo: Tensor, painted: Tensor) -> Tensor:
    """Where and how strongly something was drawn over photos: (N, 1, H, W), 0 for not at all to 1.

    The deviation, within squares of `CELL`, of the change of luminance: an even change, however large, has none.
    Images are (N, 3, H, W) in [0, 1].
    """
    height, width = photo.shape[-2:]
    cell = max(2, round(min(height, width) * CELL))
    change = ((painted - photo) * photo.new_tensor(LUMINANCE).view(1, 3, 1, 1)).sum(1, keepdim=True)
    padded = F.pad(change, (0, -width % cell, 0, -height % cell), mode="replicate")
    mean, square = F.avg_pool2d(padded, cell), F.avg_pool2d(padded**2, cell)
    deviation = (square - mean**2).clamp_min(0).sqrt()
    strength = ((deviation - FAINT) / (STRONG - FAINT)).clamp(0, 1)
    smooth = F.interpolate(strength, scale_factor=cell, mode="bilinear")
    return smooth[..., :height, :width]


def target(photo: Tensor, painted: Tensor) -> Tensor:
    """What a student is to paint (N, 3, H, W): the teacher's picture where that draws, elsewhere the photo."""
    return torch.lerp(photo, painted, drawn(photo, painted))


class Imitation(nn.Module):
    """The objective: photos to the terms of what the student makes of them.

    Args:
        student: what learns.
        teacher: image to translated image.
        encoder: compares.
        where: device and number format.
        emphasis: how much more a pixel counts that is drawn on.
        perceptual_weight: of the features' error beside the pixels'.
    """

    def __init__(
        self,
        student: Translator,
        teacher: nn.Module,
        encoder: Encoder,
        where: Device,
        emphasis: float = 3.0,
        perceptual_weight: float = 0.1,
    ) -> None:
        super().__init__()
        self.student, self.teacher, self.encoder, self.where = student, teacher, encoder, where
        self.emphasis, self.perceptual_weight = emphasis, perceptual_weight

    def forward(self, photo: Tensor) -> dict[str, Tensor]:
        """Weighted terms of photos (N, 3, H, W)."""
        with torch.no_grad(), self.where.autocast():
            painted = self.teacher(photo)
        strength = drawn(photo, painted)
        wanted = torch.lerp(photo, painted, strength)
        with torch.no_grad(), self.where.autocast():
            features = self.encoder(wanted, LAYERS)
        with self.where.autocast():
            found = self.student(photo)
            seen = self.encoder(found, LAYERS)
        pixels = ((1 + self.emphasis * strength) * (found - wanted).abs()).mean()
        errors = [_relative(seen[name], features[name]) for name in LAYERS]
        return {"pixels": pixels, "features": self.perceptual_weight * torch.stack(errors).mean()}


def _relative(found: Tensor, wanted: Tensor) -> Tensor:
    found, wanted = found.float(), wanted.float()
    return F.mse_loss(found, wanted) / wanted.var().clamp_min(EPS)


class Varied:
    """Crops of photos, a share of them of chosen ones, half of them in another light and another tint; seeded.

    Args:
        photos: all.
        chosen: the numbers of those that are drawn more often.
        size: side of a crop in pixels.
        share: of the chosen ones.
    """

    def __init__(self, photos: Sequence[Image.Image], chosen: Sequence[int], size: int, share: float = 0.5) -> None:
        self.all, self.some = Crops(photos, size, smallest=0.6), Crops(Chosen(photos, chosen), size, smallest=0.6)
        self.share = share if chosen else 0.0
        self.random = random.Random(0)

    @property
    def skipped(self) -> int:
        return self.all.skipped + self.some.skipped

    def batch(self, count: int) -> Tensor:
        """`count` crops, (count, 3, size, size)."""
        return torch.cat([self._one() for _ in range(count)])

    def _one(self) -> Tensor:
        source = self.some if self.random.random() < self.share else self.all
        source.random.seed(self.random.random())
        crop = source.one()
        if self.random.random() < 0.5:
            tint = torch.tensor([self.random.uniform(0.8, 1.25) for _ in range(3)]).view(1, 3, 1, 1)
            crop = (crop * tint).clamp(0, 1) ** self.random.uniform(0.7, 1.4)
        return crop


class Chosen(Sequence[Image.Image]):
    """Some of a sequence of pictures, by their numbers."""

    def __init__(self, pictures: Sequence[Image.Image], numbers: Sequence[int]) -> None:
        self.pictures, self.numbers = pictures, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Image.Image:  # type: ignore[override]
        return self.pictures[self.numbers[index]]


@torch.no_grad()
def likeliest(photos: Sequence[Image.Image], classifier: str, label: int, count: int, where: Device) -> list[int]:
    """The numbers of the photos that a classifier finds likeliest to show a label, likeliest first."""
    judge: Any = load_model(Path(classifier), architecture="squeezenet")
    found = []
    for number in range(len(photos)):
        try:
            image = resize(to_tensor(photos[number]), (227, 227))
        except ImageError:
            continue
        with where.autocast():
            found.append((float(judge.to(where.device)(where.place(image))[0, label]), number))
    return [number for _, number in sorted(found, reverse=True)[:count]]


def train_distill(
    *,
    data: str,
    teacher: str,
    out: str,
    name: str = "horse2zebra",
    classifier: str | None = None,
    label: int = SORREL,
    examples: int = 48,
    share: float = 0.5,
    start: str | None = None,
    steps: int = 4000,
    batch: int = 4,
    size: int = 192,
    widths: Sequence[int] = (16, 32, 64),
    blocks: int = 6,
    kernel: int = 5,
    separable: bool = False,
    emphasis: float = 3.0,
    perceptual_weight: float = 0.1,
    learning_rate: float = 2e-3,
    encoder: str = "compact",
    seed: int = 0,
    interval: int = 100,
    device: str = "auto",
) -> Iterator[dict[str, Any]]:
    """Train a slim translator on what a larger one makes of photos, whose background stays that of the photo.

    Args:
        data: folder or tar file of photos.
        teacher: a translator's file, ours or of a layout that `models import` knows.
        out: folder to write; a checkpoint there is gone on from.
        name: of what the student does.
        classifier: SqueezeNet's file, to find photos that show what is translated; None means all are alike.
        label: number of the class that it looks for; 339 is a brown horse.
        examples: how many photos it chooses.
        share: of the crops that show a chosen photo.
        start: a file of this kind to start from.
        steps, batch, size: how many steps, of how many crops, of how many pixels a side.
        widths: channels at full, half and quarter resolution.
        blocks: residual blocks.
        kernel: size of the first and last convolution.
        separable: depthwise separable convolutions in the blocks.
        emphasis: how much more a pixel counts that the teacher draws on.
        perceptual_weight: of the features' error beside the pixels'.
        learning_rate: the top of the cycle.
        encoder: the network that compares, by name or file.
        seed: of crops and initial weights.
        interval: steps between records and checkpoints.
        device: see `nst.train.loop.training_device`.
    """
    folder, where = Path(out), training_device(device)
    seed_weights(seed, encoder)
    config: dict[str, Any] = {"directions": [name], "output": "blend", "widths": list(widths), "blocks": blocks}
    config |= {"kernel": kernel, "separable": separable, "upsampling": "resize"}
    model = Translator(**config)
    if start:
        warm_start(model, start)
    model = model.to(where.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    guide = load_model(Path(teacher), architecture="cyclegan").to(where.device)
    compared = load_encoder(encoder).to(where.device)
    objective = Imitation(model, guide, compared, where, emphasis, perceptual_weight)
    photos = Pictures(data)
    chosen = likeliest(photos, classifier, label, examples, where) if classifier else []
    crops = Varied(photos, chosen, size, share)
    crops.random.seed(0)
    samples = where.place(crops.batch(6))

    def draw(step_seed: int) -> tuple[Tensor, ...]:
        crops.random.seed(step_seed)
        return (crops.batch(batch),)

    def finish(trained: nn.Module, record: Mapping[str, Any]) -> None:
        about = f"Translates photos: {name}. Distilled from {Path(teacher).name} on {data}."
        write_model(trained, folder, "cyclegan", config, record, about, "distill")

    def sheet(trained: nn.Module) -> Tensor:
        """Photos, what the teacher makes of them, what the student was to make of them, and what it makes."""
        painted = guide(samples).float()
        rows = [samples, painted, target(samples, painted), trained(samples)]
        return torch.cat([torch.cat([*row], 2) for row in rows], 1)[None]

    yield from train(
        objective, draw, model=model, plan=Plan(steps, learning_rate, seed, interval), where=where, out=folder,
        finish=finish, sheet=sheet, notes=lambda: {"skipped": crops.skipped},
    )  # fmt: skip
