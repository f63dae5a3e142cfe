"""Train networks for any style: AdaIN (arXiv:1703.06868) and the style predictor (arXiv:1705.06830)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from nst.device import Device
from nst.models.adain import AdaIN
from nst.models.predictor import StylePredictor
from nst.registry import load_model
from nst.research.options import Records, options
from nst.research.train.config import NetConfig, PerceptualConfig
from nst.research.train.data import gathered, named_style, other_colors, rows, strengths
from nst.research.train.lesson import Lesson
from nst.styles import list_styles, load_style
from nst.teach.crops import SMALLEST, Stock
from nst.teach.perceptual import ZOOMS, Perceptual, loss_networks, random_view

STYLE_SIDE = 512  # long side in pixels at which style pictures are kept
STOCK_SIDE = 320  # side in pixels of the squares that styles are kept as
ENOUGH = 0.55  # structural similarity to the photo that is enough (see `nst.teach.perceptual.Weights`)


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


@dataclass(frozen=True, kw_only=True)
class AnyStyleConfig(PerceptualConfig):
    """The training of a network for any style.

    Args:
        style: picture files, NAME=FILE, folders, or drawn styles by name; photos serve as styles besides.
        encoder: the network that looks at styles, by name or file.
    """

    style: Sequence[str]
    encoder: str = "compact"
    structure_weight: float = 0.5


@dataclass(frozen=True, kw_only=True)
class AdainConfig(AnyStyleConfig):
    """The training of AdaIN's decoder."""

    content_weight: float = 0.3


@dataclass(frozen=True, kw_only=True)
class PredictorConfig(AnyStyleConfig, NetConfig):
    """The training of a predictor of styles.

    Args:
        start: a file of this kind; or of `cin`, whose convolutions it then begins with, and whose styles, as far as
            they are named, it first learns to predict.
        peak: see `nst.models.blocks.instance_norm`; 0 for none.
        embedding: how many numbers are a style.
    """

    steps: int = 3000
    content_weight: float = 0.025
    peak: float = 4.0
    embedding: int = 96


@options
def train_adain(config: AdainConfig) -> Records:
    """Train AdaIN's decoder, for any style."""
    return _train(Lesson(config, "adain", AdaIN, {"encoder": config.encoder}))


@options
def train_predictor(config: PredictorConfig) -> Records:
    """Train a network whose style is predicted from a picture."""
    shape = config.shape(encoder=config.encoder, embedding=config.embedding, peak=config.peak or None)
    return _train(Lesson(config, "predictor", StylePredictor, shape))


def _train(lesson: Lesson) -> Records:
    config, model, device, photos = lesson.config, lesson.model, lesson.device, lesson.photos
    size, batch = config.size, config.batch
    terms = loss_networks(config.losses, device, config.weights(ENOUGH))
    paintings, drawn = style_pictures(config.style)
    styles = [(Stock(kind, STOCK_SIDE, device), share) for kind, share in ((paintings, 0.65), (drawn, 0.15)) if kind]
    styles.append((photos, 0.2))
    rng, side = photos.rng.manual_seed(config.seed), max(size, 224)

    def style_batch(count: int) -> Tensor:
        """Crops of styles of all kinds by their shares, some of them with other colors."""
        total = sum(share for _, share in styles)
        counts = [max(1, round(count * share / total)) for _, share in styles]
        parts = [stock.batch(n, side, rng, smallest=0.5) for (stock, _), n in zip(styles, counts, strict=True)]
        found = torch.cat(parts)[torch.randperm(sum(counts), generator=rng, device=rng.device)]
        return other_colors(found.repeat(-(-count // len(found)), 1, 1, 1)[:count], rng, 0.3)

    samples = photos.batch(3, size, rng), style_batch(6)
    if isinstance(model, StylePredictor) and not (config.folder / "checkpoint.pt").exists():
        with torch.no_grad(), device.autocast():
            seen = torch.cat([model.seen(style_batch(8)) for _ in range(16)])
        model.center.copy_(seen.mean(0))
        model.spread.copy_(seen.std(0).clamp_min(0.05))
        if config.start:
            imitate(model, config.start, config.style, device)

    def draw(step_seed: int) -> tuple[Tensor, ...]:
        crops = lesson.crops(batch, step_seed, SMALLEST)
        return crops, style_batch(batch), strengths(batch, rng), *random_view(batch, rng)

    about = f"Paints photos in any picture's style. Trained on {config.data}, with styles {', '.join(config.style)}."
    learner = lesson.descent(AnyStyleObjective(model, terms), draw, turns=len(terms))
    return lesson.learn(learner, about, lambda trained: sheet(trained, *samples))


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
            stock = Stock([small], STOCK_SIDE, device)
            crops = stock.batch(16, 256, stock.rng, smallest=0.7)
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
    known = {style.name for style in list_styles()}
    own = [name for name in names if name in known and not Path(name).exists()]
    painted = list(gathered([name for name in names if name not in own]))
    drawn = [load_style(name, STYLE_SIDE) for name in own]
    for image in painted + drawn:
        image.thumbnail((STYLE_SIDE, STYLE_SIDE), Image.Resampling.LANCZOS)
    return painted, drawn


def sheet(trained: Any, photos: Tensor, styles: Tensor) -> Tensor:
    """A picture (1, 3, H, W): styles across, photos down."""
    side = photos.shape[-1]
    small = nn.functional.interpolate(styles, (side, side), mode="bilinear", antialias=True)
    codes = [trained.code([style[None]], [1.0]) for style in styles]
    painted = [[photo, *(trained(photo[None], code)[0] for code in codes)] for photo in photos]
    return rows([[torch.ones_like(photos[0]), *small], *painted])
