"""Changes of pictures before a discriminator sees them, real and made ones alike, that gradients pass through.

Zhao, Liu, Lin, Zhu and Han, "Differentiable Augmentation for Data-Efficient GAN Training", 2020, arXiv:2006.10738: with
few pictures the discriminator would know them all by heart. Each picture of a batch is changed in a way of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def augment(image: Tensor, policy: Sequence[str], generator: torch.Generator) -> Tensor:
    """Pictures (N, 3, H, W) in [0, 1], changed by each of the policies. Raises ValueError for what is none of
    `POLICIES`."""
    for name in policy:
        if name not in POLICIES:
            raise ValueError(f'There is no augmentation "{name}". There are: {", ".join(POLICIES)}.')
        image = POLICIES[name](image, generator)
    return image


def _draw(image: Tensor, low: float, high: float, generator: torch.Generator) -> Tensor:
    """A number for each picture (N, 1, 1, 1), uniform from low to high."""
    return torch.empty(len(image), 1, 1, 1).uniform_(low, high, generator=generator).to(image.device)


def _recolor(image: Tensor, generator: torch.Generator) -> Tensor:
    """Another brightness, saturation and contrast, as in the paper."""
    image = image + _draw(image, -0.25, 0.25, generator)  # half as far as there, whose range is [-1, 1]
    gray = image.mean(1, keepdim=True)
    image = torch.lerp(gray, image, _draw(image, 0, 2, generator))
    middle = image.mean((1, 2, 3), keepdim=True)
    return torch.lerp(middle, image, _draw(image, 0.5, 1.5, generator))


def _places(image: Tensor, generator: torch.Generator, low: float, high: float) -> tuple[Tensor, Tensor]:
    """A row and a column for each picture (N, 1, 1, 1): integers in a share of its sides from low to high."""
    height, width = image.shape[2:]
    return tuple((n * _draw(image, low, high, generator)).floor().long() for n in (height, width))  # type: ignore[return-value]


def _translate(image: Tensor, generator: torch.Generator) -> Tensor:
    """Moved by up to an eighth of the side; what comes in is black, as in the paper."""
    count, channels, height, width = image.shape
    down, right = _places(image, generator, -1 / 8, 1 / 8 + 1e-6)
    rows = torch.arange(height, device=image.device).view(1, 1, -1, 1) - down
    columns = torch.arange(width, device=image.device).view(1, 1, 1, -1) - right
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    source = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    moved = image.flatten(2).gather(2, source.flatten(1)[:, None].expand(-1, channels, -1))
    return moved.view(count, channels, height, width) * inside


def _cut_out(image: Tensor, generator: torch.Generator) -> Tensor:
    """A square of half the side, anywhere, is black."""
    height, width = image.shape[2:]
    middle, center = _places(image, generator, 0, 1)
    rows = (torch.arange(height, device=image.device).view(1, 1, -1, 1) - middle).abs() < height / 4
    columns = (torch.arange(width, device=image.device).view(1, 1, 1, -1) - center).abs() < width / 4
    return image * ~(rows & columns)


POLICIES = {"color": _recolor, "translation": _translate, "cutout": _cut_out}  # every change by name
