"""Train networks for given styles: one for several (Dumoulin et al. 2017, arXiv:1610.07629), and one for one style
(Johnson et al. 2016, arXiv:1603.08155)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from nst.encoders import load_encoder
from nst.images import decode, resize, to_tensor
from nst.models.cin import ConditionalNet
from nst.models.johnson import Johnson
from nst.research.train.data import Crops, Pictures, random_strengths
from nst.research.train.loop import Plan, seed_weights, train, training_device, warm_start, write_model
from nst.research.train.perceptual import Perceptual, Weights
from nst.styles import load_style


class NamedStyles(nn.Module):
    """The objective of a network of given styles: photos, each with a style's number and a strength, to terms.

    Args:
        model: what learns.
        perceptual: the terms.
        styles: pictures (1, 3, H, W).
        keep: one for each style, see `train_cin`.
    """

    keep: Tensor

    def __init__(
        self, model: ConditionalNet | Johnson, perceptual: Perceptual, styles: Sequence[Tensor], keep: Sequence[float]
    ) -> None:
        super().__init__()
        self.model, self.perceptual = model, perceptual
        each = [perceptual.style(style) for style in styles]
        self.names = tuple(each[0])
        for name in self.names:
            self.register_buffer(name, torch.cat([one[name] for one in each]), persistent=False)
        self.register_buffer("keep", torch.tensor(keep), persistent=False)

    def forward(self, photo: Tensor, index: Tensor, strength: Tensor) -> dict[str, Tensor]:
        """Weighted terms of photos (N, 3, H, W), numbers of styles (N,) and strengths (N,)."""
        with self.perceptual.where.autocast():
            if isinstance(self.model, Johnson):
                painted = self.model(photo)
            else:
                weights = F.one_hot(index, len(self.model.styles)).float()
                painted = self.model(photo, weights, strength[:, None])
        wanted = {name: self.get_buffer(name)[index] for name in self.names}
        return self.perceptual(painted, photo, wanted, strength, factor=self.keep[index])


def train_cin(
    *,
    data: str,
    style: Sequence[str],
    out: str,
    start: str | None = None,
    only_styles: bool = False,
    steps: int = 4000,
    batch: int = 8,
    size: int = 192,
    style_size: int = 384,
    widths: Sequence[int] = (16, 48, 96),
    blocks: int = 5,
    kernel: int = 5,
    content_weight: float = 0.07,
    keep: Sequence[float] | None = None,
    color_weight: float = 0.5,
    structure_weight: float = 0.0,
    tv_weight: float = 0.05,
    speckle_weight: float = 0.1,
    learning_rate: float = 2e-3,
    encoder: str = "compact",
    seed: int = 0,
    interval: int = 100,
    device: str = "auto",
) -> Iterator[dict[str, Any]]:
    """Train one network for several styles.

    Args:
        data: folder or tar file of photos.
        style: styles by name, picture files, or NAME=FILE.
        out: folder to write; a checkpoint there is gone on from.
        start: a file of this kind whose convolutions are started from.
        only_styles: learn nothing but the styles' scales and shifts, on the convolutions of `start`.
        steps, batch, size: how many steps, of how many crops, of how many pixels a side.
        style_size: long side in pixels of the styles, which decides on the size of strokes.
        widths: channels at full, half and quarter resolution.
        blocks: residual blocks.
        kernel: size of the first and last convolution.
        content_weight, color_weight, tv_weight: weight of the content, of the colors, of smoothness.
        speckle_weight: weight of color noise beyond the style's.
        keep: how much more the content counts for each style; one number a style.
        structure_weight: weight of the structural similarity to the photo, of pictures that have little of it.
        learning_rate: the top of the cycle.
        encoder: the network that compares, by name or file.
        seed: of crops, styles and initial weights.
        interval: steps between records and checkpoints.
        device: see `nst.research.train.loop.training_device`.

    Raises:
        ValueError: another number of `keep` than of styles, or `only_styles` without `start`.
    """
    named = [named_style(text) for text in style]
    if keep and len(keep) != len(named):
        raise ValueError(f"There are {len(named)} styles; give as many numbers to keep, not {len(keep)}.")
    if only_styles and not start:
        raise ValueError("To learn only styles, name the network to start from.")
    folder, where = Path(out), training_device(device)
    seed_weights(seed, encoder)
    config = {"styles": [n for n, _ in named], "widths": list(widths), "blocks": blocks, "kernel": kernel}
    config |= {"ground": True}
    model = ConditionalNet(**config)  # type: ignore[arg-type]
    with torch.no_grad():
        model.table.normal_(std=0.1)
    if start:
        warm_start(model, start, without=("table",))
    if only_styles:
        model.net.requires_grad_(False)
        model.plain.requires_grad_(False)
    model = model.to(where.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    weights = Weights(
        content=content_weight, color=color_weight, tv=tv_weight, structure=structure_weight, speckle=speckle_weight
    )
    perceptual = Perceptual(load_encoder(encoder).to(where.device), where, weights)
    pictures = [where.place(resize(to_tensor(picture), style_size)) for _, picture in named]
    objective = NamedStyles(model, perceptual, pictures, keep or [1.0] * len(named)).to(where.device)
    photos = Crops(Pictures(data), size, smallest=0.75)
    samples = where.place(photos.batch(3))

    def draw(step_seed: int) -> tuple[Tensor, ...]:
        photos.random.seed(step_seed)
        rng = random.Random(step_seed + 1)
        index = torch.tensor([rng.randrange(len(named)) for _ in range(batch)])
        return photos.batch(batch), index, random_strengths(rng, batch)

    def finish(trained: nn.Module, record: Mapping[str, Any]) -> None:
        about = f"One network for {len(named)} styles: {', '.join(n for n, _ in named)}. Trained on {data}."
        write_model(trained, folder, "cin", config, record, about)

    def sheet(trained: nn.Module) -> Tensor:
        """Photos down; across the photo, what strength 0 makes of it, and the styles."""
        one = torch.cat([torch.eye(len(named))[:1], torch.eye(len(named))]).to(where.device)
        strength = torch.ones(len(one), 1, device=where.device)
        strength[0] = 0
        many = [photo.expand(len(one), -1, -1, -1) for photo in samples]
        rows = [torch.cat([photos[0], *trained(photos, one, strength)], 2) for photos in many]
        return torch.cat(rows, 1)[None]

    yield from train(
        objective,
        draw,
        model=model,
        plan=Plan(steps, learning_rate, seed, interval),
        where=where,
        out=folder,
        finish=finish,
        sheet=sheet,
        notes=lambda: {"skipped": photos.skipped},
    )


def train_johnson(
    *,
    data: str,
    style: str,
    out: str,
    start: str | None = None,
    steps: int = 2000,
    batch: int = 8,
    size: int = 192,
    style_size: int = 384,
    widths: Sequence[int] = (16, 32, 64),
    blocks: int = 4,
    kernel: int = 5,
    norm: str = "instance",
    upsampling: str = "resize",
    content_weight: float = 0.07,
    color_weight: float = 0.5,
    tv_weight: float = 0.05,
    speckle_weight: float = 0.1,
    learning_rate: float = 2e-3,
    encoder: str = "compact",
    seed: int = 0,
    interval: int = 100,
    device: str = "auto",
) -> Iterator[dict[str, Any]]:
    """Train a network for one style.

    Args:
        data: folder or tar file of photos.
        style: a style by name, or a picture file.
        out: folder to write; a checkpoint there is gone on from.
        start: a file of this kind to start from.
        steps, batch, size: how many steps, of how many crops, of how many pixels a side.
        style_size: long side in pixels of the style, which decides on the size of strokes.
        widths: channels at full, half and quarter resolution; the paper's are 32 64 128.
        blocks: residual blocks; the paper's are 5.
        kernel: size of the first and last convolution; the paper's is 9.
        norm: instance or batch normalization.
        upsampling: "resize" (enlarge, then convolve) or "transposed".
        content_weight, color_weight, tv_weight: weight of the content, of the colors, of smoothness.
        speckle_weight: weight of color noise beyond the style's.
        learning_rate: the top of the cycle.
        encoder: the network that compares, by name or file.
        seed: of crops and initial weights.
        interval: steps between records and checkpoints.
        device: see `nst.research.train.loop.training_device`.
    """
    name, picture = named_style(style)
    folder, where = Path(out), training_device(device)
    seed_weights(seed, encoder)
    config: dict[str, Any] = {"widths": list(widths), "blocks": blocks, "kernel": kernel}
    config |= {"norm": norm, "upsampling": upsampling, "ground": True}
    model = Johnson(**config)
    if start:
        warm_start(model, start)
    model = model.to(where.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    weights = Weights(content=content_weight, color=color_weight, tv=tv_weight, speckle=speckle_weight)
    perceptual = Perceptual(load_encoder(encoder).to(where.device), where, weights)
    styles = [where.place(resize(to_tensor(picture), style_size))]
    objective = NamedStyles(model, perceptual, styles, [1.0]).to(where.device)
    photos = Crops(Pictures(data), size, smallest=0.75)
    samples = where.place(photos.batch(4))
    none, whole = torch.zeros(batch, dtype=torch.long), torch.ones(batch)

    def draw(step_seed: int) -> tuple[Tensor, ...]:
        photos.random.seed(step_seed)
        return photos.batch(batch), none, whole

    def finish(trained: nn.Module, record: Mapping[str, Any]) -> None:
        write_model(trained, folder, "johnson", config, record, f"Paints photos as {name}. Trained on {data}.")

    def sheet(trained: nn.Module) -> Tensor:
        return torch.cat([torch.cat([*samples], 2), torch.cat([*trained(samples)], 2)], 1)[None]

    yield from train(
        objective,
        draw,
        model=model,
        plan=Plan(steps, learning_rate, seed, interval),
        where=where,
        out=folder,
        finish=finish,
        sheet=sheet,
        notes=lambda: {"skipped": photos.skipped},
    )


def named_style(text: str) -> tuple[str, Image.Image]:
    """A style's name and picture, of a name of `nst.styles`, FILE or NAME=FILE."""
    name, _, file = text.partition("=") if "=" in text else (Path(text).stem, "", text)
    return (name, decode(file).rgb) if Path(file).is_file() else (name, load_style(file, 1024))
