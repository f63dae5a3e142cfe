"""Train networks for any style: AdaIN (arXiv:1703.06868) and the style predictor (arXiv:1705.06830)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from nst.device import Device
from nst.encoders import load_encoder
from nst.models.adain import AdaIN
from nst.models.predictor import StylePredictor
from nst.registry import load_model
from nst.research.train.cin import named_style
from nst.research.train.data import Crops, Pictures, StyleCrops, random_strengths
from nst.research.train.loop import Plan, seed_weights, train, training_device, warm_start, write_model
from nst.research.train.perceptual import Perceptual, Weights
from nst.styles import list_styles, load_style

STYLE_SIDE = 512
"""Long side in pixels at which style pictures are kept."""

ENOUGH = 0.55
"""Structural similarity to the photo that is enough (see `nst.research.train.perceptual.Weights`)."""


class AnyStyleObjective(nn.Module):
    """Photos, a style picture and a strength for each, to terms."""

    def __init__(self, model: AdaIN | StylePredictor, perceptual: Perceptual) -> None:
        super().__init__()
        self.model, self.perceptual = model, perceptual

    def forward(self, photo: Tensor, style: Tensor, strength: Tensor) -> dict[str, Tensor]:
        """Weighted terms of photos (N, 3, H, W), styles (N, 3, h, w) and strengths (N,)."""
        wanted, kept = self.perceptual.style(style), None
        with self.perceptual.where.autocast():
            if isinstance(self.model, AdaIN):
                code = self.model.statistics(style)
                target = self.model.target(photo, code, strength[:, None])
                painted = self.model.decoder(target, photo.shape[-2:])
                kept = {self.model.layer: target}
            else:
                code = self.model.embed(self.model.seen(style))
                painted = self.model(photo, code, strength[:, None])
        return self.perceptual(painted, photo, wanted, strength, kept)


def train_adain(
    *,
    data: str,
    style: Sequence[str],
    out: str,
    start: str | None = None,
    steps: int = 2000,
    batch: int = 8,
    size: int = 192,
    content_weight: float = 0.3,
    color_weight: float = 0.5,
    structure_weight: float = 0.5,
    tv_weight: float = 0.05,
    speckle_weight: float = 0.1,
    learning_rate: float = 2e-3,
    encoder: str = "compact",
    seed: int = 0,
    interval: int = 100,
    device: str = "auto",
) -> Iterator[dict[str, Any]]:
    """Train AdaIN's decoder, for any style.

    Args:
        data: folder or tar file of photos.
        style: picture files, folders of them, or drawn styles by name; photos serve as styles besides.
        out: folder to write; a checkpoint there is gone on from.
        start: a file of this kind to start from.
        steps, batch, size: how many steps, of how many crops, of how many pixels a side.
        content_weight, color_weight, tv_weight: weight of the content, of the colors, of smoothness.
        speckle_weight: weight of color noise beyond the style's.
        structure_weight: weight of the structural similarity to the photo, of pictures that have little of it.
        learning_rate: the top of the cycle.
        encoder: the network that compares, and that AdaIN looks through, by name or file.
        seed: of crops, styles and initial weights.
        interval: steps between records and checkpoints.
        device: see `nst.research.train.loop.training_device`.
    """
    where, plan = training_device(device), Plan(steps, learning_rate, seed, interval)
    seed_weights(seed, encoder)
    config = {"encoder": encoder}
    weights = Weights(content_weight, 1.0, color_weight, structure_weight, ENOUGH, tv_weight, speckle=speckle_weight)
    model = AdaIN(**config)
    yield from _train(model, "adain", config, data, style, Path(out), start, batch, size, weights, where, plan, encoder)


def train_predictor(
    *,
    data: str,
    style: Sequence[str],
    out: str,
    start: str | None = None,
    steps: int = 3000,
    batch: int = 8,
    size: int = 192,
    widths: Sequence[int] = (16, 48, 96),
    blocks: int = 5,
    kernel: int = 5,
    embedding: int = 96,
    content_weight: float = 0.07,
    color_weight: float = 0.5,
    structure_weight: float = 0.5,
    tv_weight: float = 0.05,
    speckle_weight: float = 0.1,
    learning_rate: float = 2e-3,
    encoder: str = "compact",
    seed: int = 0,
    interval: int = 100,
    device: str = "auto",
) -> Iterator[dict[str, Any]]:
    """Train a network whose style is predicted from a picture.

    Args:
        data: folder or tar file of photos.
        style: picture files, NAME=FILE, folders, or drawn styles by name; photos serve as styles besides.
        out: folder to write; a checkpoint there is gone on from.
        start: a file of this kind; or of `cin`, whose convolutions it then begins with, and whose styles, as far as
            they are named, it first learns to predict.
        steps, batch, size: how many steps, of how many crops, of how many pixels a side.
        widths: channels at full, half and quarter resolution.
        blocks: residual blocks.
        kernel: size of the first and last convolution.
        embedding: how many numbers are a style.
        content_weight, color_weight, tv_weight: weight of the content, of the colors, of smoothness.
        speckle_weight: weight of color noise beyond the style's.
        structure_weight: weight of the structural similarity to the photo, of pictures that have little of it.
        learning_rate: the top of the cycle.
        encoder: the network that compares, and that looks at styles, by name or file.
        seed: of crops, styles and initial weights.
        interval: steps between records and checkpoints.
        device: see `nst.research.train.loop.training_device`.
    """
    where, plan = training_device(device), Plan(steps, learning_rate, seed, interval)
    seed_weights(seed, encoder)
    config = {"encoder": encoder, "embedding": embedding, "widths": list(widths), "blocks": blocks, "kernel": kernel}
    config |= {"ground": True}
    weights = Weights(content_weight, 1.0, color_weight, structure_weight, ENOUGH, tv_weight, speckle=speckle_weight)
    model = StylePredictor(**config)  # type: ignore[arg-type]
    yield from _train(
        model, "predictor", config, data, style, Path(out), start, batch, size, weights, where, plan, encoder
    )


def _train(
    model: AdaIN | StylePredictor,
    name: str,
    config: Mapping[str, Any],
    data: str,
    style: Sequence[str],
    out: Path,
    start: str | None,
    batch: int,
    size: int,
    weights: Weights,
    where: Device,
    plan: Plan,
    encoder: str,
) -> Iterator[dict[str, Any]]:
    if start:
        warm_start(model, start)
    model = model.to(where.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    objective = AnyStyleObjective(model, Perceptual(load_encoder(encoder).to(where.device), where, weights))
    pictures = Pictures(data)
    photos = Crops(pictures, size, smallest=0.75)
    paintings, drawn = style_pictures(style)
    sources: list[tuple[Sequence[Image.Image], float]] = [(pictures, 0.25)]
    sources += [(kind, share) for kind, share in ((paintings, 0.5), (drawn, 0.25)) if kind]
    styles = StyleCrops(sources, max(size, 224))
    samples = where.place(photos.batch(3)), where.place(styles.batch(6))
    if isinstance(model, StylePredictor) and not (out / "checkpoint.pt").exists():
        with torch.no_grad(), where.autocast():
            seen = torch.cat([model.seen(where.place(styles.batch(8))) for _ in range(16)])
        model.center.copy_(seen.mean(0))
        model.spread.copy_(seen.std(0).clamp_min(0.05))
        if start:
            imitate(model, start, style, where)

    def draw(step_seed: int) -> tuple[Tensor, ...]:
        photos.random.seed(step_seed)
        styles.random.seed(step_seed + 1)
        rng = random.Random(step_seed + 2)
        return photos.batch(batch), styles.batch(batch), random_strengths(rng, batch)

    def finish(trained: nn.Module, record: Mapping[str, Any]) -> None:
        about = f"Paints photos in any picture's style. Trained on {data}, with styles {', '.join(style)}."
        write_model(trained, out, name, config, record, about)

    yield from train(
        objective.to(where.device),
        draw,
        model=model,
        plan=plan,
        where=where,
        out=out,
        finish=finish,
        sheet=lambda trained: sheet(trained, *samples),
        notes=lambda: {"skipped": photos.skipped},
    )


def imitate(model: StylePredictor, start: str, style: Sequence[str], where: Device, steps: int = 400) -> None:
    """Let a predictor learn what a network of given styles knows of those that are among `style` under its names."""
    known: Any = load_model(start)
    named = dict(named_style(text) for text in style if not Path(text).is_dir())
    common = [name for name in getattr(known, "styles", ()) if name in named]
    if not common:
        return
    inputs = []
    for name in common:
        small = named[name].copy()
        small.thumbnail((STYLE_SIDE, STYLE_SIDE), Image.Resampling.LANCZOS)
        with torch.no_grad(), where.autocast():
            inputs.append(model.seen(where.place(Crops([small], 256, smallest=0.7).batch(16))))
    targets = torch.stack([known.table[known.styles.index(name)] for name in common]).to(where.device)
    targets = targets.repeat_interleave(16, 0)
    learning = [*model.look.parameters(), *model.predict.parameters()]
    optimizer = torch.optim.Adam(learning, lr=1e-3)
    for _ in range(steps):
        error = (model.predict(model.embed(torch.cat(inputs))) - targets).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()


def style_pictures(names: Sequence[str]) -> tuple[list[Image.Image], list[Image.Image]]:
    """Pictures of files and folders, and drawn styles by name, no larger than `STYLE_SIDE`."""
    painted: list[Image.Image] = []
    drawn: list[Image.Image] = []
    known = {style.name for style in list_styles()}
    for name in names:
        if Path(name).is_dir():
            painted += list(Pictures(name))
        elif name in known and not Path(name).exists():
            drawn.append(load_style(name, STYLE_SIDE))
        else:
            painted.append(named_style(name)[1])
    for image in painted + drawn:
        image.thumbnail((STYLE_SIDE, STYLE_SIDE), Image.Resampling.LANCZOS)
    return painted, drawn


def sheet(trained: Any, photos: Tensor, styles: Tensor) -> Tensor:
    """A picture (1, 3, H, W): styles across, photos down."""
    side = photos.shape[-1]
    small = nn.functional.interpolate(styles, (side, side), mode="bilinear", antialias=True)
    rows = [torch.cat([torch.ones_like(photos[0]), *small], 2)]
    codes = [trained.code([style[None]], [1.0]) for style in styles]
    for photo in photos:
        rows.append(torch.cat([photo, *(trained(photo[None], code)[0] for code in codes)], 2))
    return torch.cat(rows, 1)[None]
