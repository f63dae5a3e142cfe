"""Train one network for several styles, after Dumoulin et al. 2017, arXiv:1610.07629 (see `nst.models.cin`)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from nst.device import choose_device
from nst.encoders import load_encoder
from nst.images import decode, resize, to_tensor
from nst.models.cin import ConditionalNet
from nst.styles import list_styles, load_style
from nst.train.data import Crops, Pictures
from nst.train.loop import Plan, train, write_model
from nst.train.perceptual import Perceptual, Weights


class ConditionalObjective(nn.Module):
    """Photos, each with a style's number and a strength, to terms."""

    def __init__(self, model: ConditionalNet, perceptual: Perceptual, styles: Sequence[Tensor]) -> None:
        super().__init__()
        self.model, self.perceptual = model, perceptual
        each = [perceptual.style(style) for style in styles]
        for name in each[0]:
            self.register_buffer(name, torch.cat([s[name] for s in each]), persistent=False)
        self.names = tuple(each[0])

    def forward(self, photo: Tensor, index: Tensor, strength: Tensor) -> dict[str, Tensor]:
        weights = torch.nn.functional.one_hot(index, len(self.model.styles)).float()
        with self.perceptual.where.autocast():
            painted = self.model(photo, weights, strength[:, None])
        wanted = {name: self.get_buffer(name)[index] for name in self.names}
        return self.perceptual(painted, photo, wanted, strength)


def train_cin(
    *,
    data: str,
    style: Sequence[str],
    out: str,
    steps: int = 6000,
    batch: int = 8,
    size: int = 192,
    style_size: int = 384,
    widths: Sequence[int] = (16, 48, 96),
    blocks: int = 5,
    kernel: int = 5,
    content_weight: float = 0.07,
    color_weight: float = 0.5,
    tv_weight: float = 0.05,
    learning_rate: float = 2e-3,
    encoder: str = "compact",
    seed: int = 0,
    interval: int = 100,
    device: str = "auto",
) -> Iterator[dict[str, Any]]:
    """Train one network for several styles."""
    folder, where = Path(out), choose_device(device)
    named = [_named(s) for s in style]
    pictures = [where.place(resize(to_tensor(p), style_size)) for _, p in named]
    torch.manual_seed(seed)
    config = {"styles": [n for n, _ in named], "widths": list(widths), "blocks": blocks, "kernel": kernel}
    model = ConditionalNet(**config).to(where.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.no_grad():
        model.table.normal_(std=0.1)
    weights = Weights(content=content_weight, color=color_weight, tv=tv_weight)
    perceptual = Perceptual(load_encoder(encoder).to(where.device), where, weights)
    objective = ConditionalObjective(model, perceptual, pictures).to(where.device)
    photos = Crops(Pictures(data), size, smallest=0.75)
    samples = photos.batch(3)

    def draw(step_seed: int) -> tuple[Tensor, ...]:
        photos.random.seed(step_seed)
        rng = random.Random(step_seed + 1)
        index = torch.tensor([rng.randrange(len(named)) for _ in range(batch)])
        # One in eight learns the way from the photo to the style.
        strength = torch.tensor([rng.choice((0.0, rng.random())) if rng.random() < 0.125 else 1.0 for _ in range(batch)])
        return photos.batch(batch), index, strength

    def sheet(trained: nn.Module) -> Tensor:
        rows = []
        for photo in samples:
            x = photo[None].expand(len(named) + 2, -1, -1, -1)
            one = torch.cat([torch.zeros(1, len(named)), torch.eye(len(named)), torch.eye(len(named))[:1]])
            strength = torch.cat([torch.zeros(1, 1), torch.ones(len(named), 1), torch.full((1, 1), 0.5)])
            rows.append(torch.cat([photo[None], trained(where.place(x), one.to(where.device), strength).cpu()]))
        return torch.cat([torch.cat(list(r), 2) for r in rows], 1)[None]

    def finish(trained: nn.Module, record: Mapping[str, Any]) -> None:
        write_model(trained, folder / "cin.safetensors", "cin", config, str(record))

    plan = Plan(steps, learning_rate, seed, interval)
    yield from train(
        objective, draw, model=model, plan=plan, where=where, out=folder, finish=finish, sheet=sheet,
        notes=lambda: {"skipped": photos.skipped},
    )  # fmt: skip


def _named(style: str) -> tuple[str, Image.Image]:
    """A style's name and picture, of NAME, FILE or NAME=FILE."""
    name, _, file = style.partition("=") if "=" in style else (Path(style).stem, "", style)
    return (name, decode(file).rgb) if Path(file).is_file() else (name, load_style(file, 1024))
