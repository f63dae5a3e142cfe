"""Train networks for any style: AdaIN (arXiv:1703.06868) and the style predictor (arXiv:1705.06830)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from nst.device import Device
from nst.models.adain import AdaIN
from nst.models.predictor import StylePredictor
from nst.registry import load_model
from nst.research.train.cin import PHOTO_SIDE, SMALLEST, loss_networks, named_style
from nst.research.train.data import Pictures, Stock, other_colors, strengths
from nst.research.train.loop import Plan, seed_weights, train, training_device, warm_start, write_model
from nst.research.train.perceptual import ZOOMS, Perceptual, Weights, random_view
from nst.styles import list_styles, load_style

STYLE_SIDE = 512
"""Long side in pixels at which style pictures are kept."""

STOCK_SIDE = 320
"""Side in pixels of the squares that styles are kept as."""

ENOUGH = 0.55
"""Structural similarity to the photo that is enough (see `nst.research.train.perceptual.Weights`)."""


class AnyStyleObjective(nn.Module):
    """Photos, a style picture, a strength and a view for each, to terms."""

    def __init__(self, model: AdaIN | StylePredictor, perceptuals: Sequence[Perceptual]) -> None:
        super().__init__()
        self.model, self.perceptuals = model, nn.ModuleList(perceptuals)
        self.register_buffer("zooms", torch.tensor(ZOOMS), persistent=False)

    def forward(
        self, photo: Tensor, style: Tensor, strength: Tensor, zoom: Tensor, middle: Tensor, turn: int = 0
    ) -> dict[str, Tensor]:
        """Weighted terms of photos (N, 3, H, W), styles (N, 3, h, w), strengths (N,) and a view, see `random_view`."""
        perceptual: Perceptual = self.perceptuals[turn]  # type: ignore[assignment]
        kept, shown = None, None
        if isinstance(self.model, StylePredictor):  # AdaIN is held to features of the whole crop
            shown = self.get_buffer("zooms").index_select(0, zoom), middle
        wanted = perceptual.style(style, shown)
        with perceptual.device.autocast():
            if isinstance(self.model, AdaIN):
                code = self.model.statistics(style)
                target = self.model.target(photo, code, strength[:, None])
                painted = self.model.decoder(target, photo.shape[-2:])
            else:
                code = self.model.embed(self.model.seen(style))
                painted = self.model(photo, code, strength[:, None])
        return perceptual(painted, photo, wanted, strength, kept, shown=shown)


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
    losses: Sequence[str] = ("compact",),
    seconds: float = 0.0,
    seed: int = 0,
    interval: int = 100,
    device: str | Device = "auto",
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
        encoder: the network that AdaIN looks through, by name or file.
        losses: the networks that compare, which take turns; see `train_cin`.
        seconds: that all of it may take; see `nst.research.train.loop.Plan`.
        seed: of crops, styles and initial weights.
        interval: steps between records and checkpoints.
        device: see `nst.research.train.loop.training_device`.
    """
    device, plan = training_device(device), Plan(steps, learning_rate, seed, interval, seconds=seconds)
    seed_weights(seed, encoder)
    config = {"encoder": encoder}
    weights = Weights(content_weight, 1.0, color_weight, structure_weight, ENOUGH, tv_weight, speckle=speckle_weight)
    model = AdaIN(**config)
    yield from _train(model, "adain", config, data, style, Path(out), start, batch, size, weights, device, plan, losses)


def train_predictor(
    *,
    data: str,
    style: Sequence[str],
    out: str,
    start: str | None = None,
    steps: int = 3000,
    batch: int = 8,
    size: int = 192,
    widths: Sequence[int] = (32, 64, 128),
    blocks: int = 5,
    kernel: int = 5,
    upsampling: str = "smooth",
    peak: float = 4.0,
    embedding: int = 96,
    content_weight: float = 0.025,
    color_weight: float = 0.5,
    structure_weight: float = 0.5,
    tv_weight: float = 0.05,
    speckle_weight: float = 0.1,
    learning_rate: float = 2e-3,
    encoder: str = "compact",
    losses: Sequence[str] = ("compact",),
    seconds: float = 0.0,
    seed: int = 0,
    interval: int = 100,
    device: str | Device = "auto",
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
        upsampling: "smooth" or "resize", see `nst.models.johnson.TransformNet`.
        peak: see `nst.models.blocks.instance_norm`; 0 for none.
        embedding: how many numbers are a style.
        content_weight, color_weight, tv_weight: weight of the content, of the colors, of smoothness.
        speckle_weight: weight of color noise beyond the style's.
        structure_weight: weight of the structural similarity to the photo, of pictures that have little of it.
        learning_rate: the top of the cycle.
        encoder: the network that looks at styles, by name or file.
        losses: the networks that compare, which take turns; see `train_cin`.
        seconds: that all of it may take; see `nst.research.train.loop.Plan`.
        seed: of crops, styles and initial weights.
        interval: steps between records and checkpoints.
        device: see `nst.research.train.loop.training_device`.
    """
    device, plan = training_device(device), Plan(steps, learning_rate, seed, interval, seconds=seconds)
    seed_weights(seed, encoder)
    config: dict[str, Any] = {"encoder": encoder, "embedding": embedding, "widths": list(widths), "blocks": blocks}
    config |= {"kernel": kernel, "upsampling": upsampling, "peak": peak or None, "ground": True}
    weights = Weights(content_weight, 1.0, color_weight, structure_weight, ENOUGH, tv_weight, speckle=speckle_weight)
    model = StylePredictor(**config)
    yield from _train(
        model, "predictor", config, data, style, Path(out), start, batch, size, weights, device, plan, losses
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
    device: Device,
    plan: Plan,
    losses: Sequence[str],
) -> Iterator[dict[str, Any]]:
    if start:
        warm_start(model, start)
    model = device.place(model)
    perceptuals = [
        Perceptual(network, device, weights).to(device.torch_device) for network in loss_networks(losses, device)
    ]
    objective = AnyStyleObjective(model, perceptuals)
    pictures = Pictures(data)
    photos = Stock(pictures, max(size, PHOTO_SIDE), device)
    paintings, drawn = style_pictures(style)
    styles = [(Stock(kind, STOCK_SIDE, device), share) for kind, share in ((paintings, 0.65), (drawn, 0.15)) if kind]
    styles.append((photos, 0.2))
    rng = torch.Generator(device.torch_device).manual_seed(plan.seed)
    side = max(size, 224)

    def style_batch(count: int) -> Tensor:
        """Crops of styles of all kinds by their shares, some of them with other colors."""
        total = sum(share for _, share in styles)
        counts = [max(1, round(count * share / total)) for _, share in styles]
        parts = [stock.batch(n, side, rng, smallest=0.5) for (stock, _), n in zip(styles, counts, strict=True)]
        order = torch.randperm(sum(counts), generator=rng, device=device.torch_device)
        found = torch.cat(parts)[order]
        return other_colors(found.repeat(-(-count // len(found)), 1, 1, 1)[:count], rng, 0.3)

    samples = photos.batch(3, size, rng), style_batch(6)
    if isinstance(model, StylePredictor) and not (out / "checkpoint.pt").exists():
        with torch.no_grad(), device.autocast():
            seen = torch.cat([model.seen(style_batch(8)) for _ in range(16)])
        model.center.copy_(seen.mean(0))
        model.spread.copy_(seen.std(0).clamp_min(0.05))
        if start:
            imitate(model, start, style, device)

    def draw(step_seed: int) -> tuple[Tensor, ...]:
        rng.manual_seed(step_seed)
        crops = photos.batch(batch, size, rng, smallest=SMALLEST)
        return crops, style_batch(batch), strengths(batch, rng), *random_view(batch, rng)

    def finish(trained: nn.Module, record: Mapping[str, Any]) -> None:
        about = f"Paints photos in any picture's style. Trained on {data}, with styles {', '.join(style)}."
        write_model(trained, out, name, config, record, about)

    yield from train(
        objective.to(device.torch_device),
        draw,
        model=model,
        plan=plan,
        device=device,
        out=out,
        finish=finish,
        sheet=lambda trained: sheet(trained, *samples),
        notes=lambda: {"skipped": photos.skipped},
        turns=len(perceptuals),
    )


def imitate(model: StylePredictor, start: str, style: Sequence[str], device: Device, steps: int = 400) -> None:
    """Let a predictor learn what a network of given styles knows of those that are among `style` under its names."""
    known: Any = load_model(start)
    named = dict(named_style(text) for text in style if not Path(text).is_dir() and not text.endswith(".tar"))
    common = [name for name in getattr(known, "styles", ()) if name in named]
    if not common:
        return
    inputs = []
    for name in common:
        small = named[name].copy()
        small.thumbnail((STYLE_SIDE, STYLE_SIDE), Image.Resampling.LANCZOS)
        with torch.no_grad(), device.autocast():
            crops = Stock([small], STOCK_SIDE, device).batch(
                16, 256, torch.Generator(device.torch_device), smallest=0.7
            )
            inputs.append(model.seen(crops))
    table = known.table.view(len(known.brushes), len(known.styles), -1)
    usual = (known.brush_weights(1.0).to(table)[0, :, None, None] * table).sum(0)
    targets = torch.stack([usual[known.styles.index(name)] for name in common]).to(device.torch_device)
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
        if Path(name).is_dir() or Path(name).suffix == ".tar":
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
