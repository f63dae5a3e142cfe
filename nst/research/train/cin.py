"""Train networks for given styles: one for several (Dumoulin et al. 2017, arXiv:1610.07629), and one for one style
(Johnson et al. 2016, arXiv:1603.08155)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nst.images import to_tensor
from nst.models.cin import ConditionalNet
from nst.models.johnson import Johnson
from nst.registry import load_model
from nst.research.options import Records, options
from nst.research.train.config import NetConfig
from nst.research.train.data import named_style, rows, strengths
from nst.research.train.lesson import Lesson
from nst.teach.crops import SMALLEST
from nst.teach.perceptual import NamedStyles, loss_networks, random_view


@dataclass(frozen=True, kw_only=True)
class CinConfig(NetConfig):
    """The training of a network for several styles.

    Args:
        style: styles by name, picture files, or NAME=FILE.
        start: a file of this kind whose convolutions are started from, and whose styles, as far as they are named.
        only_styles: learn nothing but the styles' scales and shifts, on the convolutions of `start`.
        style_size: long side in pixels of the styles, which decides on the size of strokes.
        brushes: sizes of the brush that each style is learned at, ascending, relative to the usual one.
        peak: see `nst.models.blocks.instance_norm`; 0 for none.
        keep: how much more the content counts for each style; one number a style.
    """

    style: Sequence[str]
    steps: int = 4000
    only_styles: bool = False
    style_size: int = 512
    brushes: Sequence[float] = (1.0,)
    peak: float = 4.0
    keep: Sequence[float] | None = None


@options
def train_cin(config: CinConfig) -> Records:
    """Train one network for several styles.

    Raises:
        ValueError: another number of `keep` than of styles, or `only_styles` without `start`.
    """
    named = [named_style(text) for text in config.style]
    names, count = [name for name, _ in named], len(named)
    if config.keep and len(config.keep) != count:
        raise ValueError(f"There are {count} styles; give as many numbers to keep, not {len(config.keep)}.")
    if config.only_styles and not config.start:
        raise ValueError("To learn only styles, name the network to start from.")
    shape = config.shape(styles=names, brushes=list(config.brushes), peak=config.peak or None)
    lesson = Lesson(config, "cin", ConditionalNet, shape, without=("table",))
    model, device = lesson.model, lesson.device
    with torch.no_grad():
        model.table.normal_(std=0.1)
    if config.start:
        _known_styles(model, config.start)
    if config.only_styles:
        model.net.requires_grad_(False)
        model.plain.requires_grad_(False)
    terms = loss_networks(config.losses, device, config.weights())
    pictures = [device.place(to_tensor(picture)) for _, picture in named]
    sizes = [round(config.style_size * brush) for brush in config.brushes]
    objective = NamedStyles(model, terms, pictures, sizes, config.keep or [1.0] * count)
    samples = lesson.crops(3, config.seed)

    def draw(step_seed: int) -> tuple[Tensor, ...]:
        rng, batch = lesson.photos.rng.manual_seed(step_seed), config.batch
        index, brush = (torch.randint(n, (batch,), generator=rng, device=rng.device) for n in (count, len(sizes)))
        crops = lesson.photos.batch(batch, config.size, rng, smallest=SMALLEST)
        return crops, index, brush, strengths(batch, rng), *random_view(batch, rng)

    def sheet(trained: nn.Module) -> Tensor:
        """Photos down; across the photo, what strength 0 makes of it, and the styles."""
        one = torch.cat([torch.eye(count)[:1], torch.eye(count)]).to(device.torch_device)
        strength = torch.ones(len(one), 1, device=device.torch_device)
        strength[0] = 0
        many = [photo.expand(len(one), -1, -1, -1) for photo in samples]
        return rows([[photos[0], *trained(photos, one, strength)] for photos in many])

    about = f"One network for {count} styles: {', '.join(names)}. Trained on {config.data}."
    return lesson.learn(lesson.descent(objective, draw, turns=len(terms)), about, sheet)


def _known_styles(model: ConditionalNet, start: str | Path) -> None:
    """Begin the styles that another network knows by name with its scales and shifts, the same for each brush."""
    known: Any = load_model(start, architecture="cin")
    old = known.table.view(len(known.brushes), len(known.styles), -1)
    if old.shape[-1] != model.net.num_parameters:
        return
    table = model.table.data.view(len(model.brushes), len(model.styles), -1)
    for i, brush in enumerate(model.brushes):
        weights = known.brush_weights(brush).to(old)
        for j, name in enumerate(model.styles):
            if name in known.styles:
                table[i, j] = (weights[0, :, None] * old[:, known.styles.index(name)]).sum(0)


@dataclass(frozen=True, kw_only=True)
class JohnsonConfig(NetConfig):
    """The training of a network for one style.

    Args:
        style: a style by name, or a picture file.
        style_size: long side in pixels of the style, which decides on the size of strokes.
        norm: instance or batch normalization.
    """

    style: str
    style_size: int = 384
    widths: Sequence[int] = (16, 32, 64)
    blocks: int = 4
    norm: str = "instance"
    upsampling: str = "resize"
    content_weight: float = 0.07


@options
def train_johnson(config: JohnsonConfig) -> Records:
    """Train a network for one style."""
    name, picture = named_style(config.style)
    lesson, batch = Lesson(config, "johnson", Johnson, config.shape(norm=config.norm)), config.batch
    terms = loss_networks(config.losses, lesson.device, config.weights())
    styles = [lesson.device.place(to_tensor(picture))]
    objective = NamedStyles(lesson.model, terms, styles, [config.style_size], [1.0])
    samples = lesson.crops(4, config.seed)
    none, whole = torch.zeros(batch, dtype=torch.long), torch.ones(batch)

    def draw(step_seed: int) -> tuple[Tensor, ...]:
        crops = lesson.crops(batch, step_seed, SMALLEST)
        return crops, none, none, whole, *random_view(batch, lesson.photos.rng)

    return lesson.learn(
        lesson.descent(objective, draw, turns=len(terms)),
        f"Paints photos as {name}. Trained on {config.data}.",
        lambda trained: rows([samples, trained(samples)]),
    )
