"""What several trainings draw: colors of another order, strengths, pictures of files and folders, and sheets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from nst.styles import load_style, open_named
from nst.teach.crops import Pictures


def other_colors(images: Tensor, rng: torch.Generator, share: float = 0.5) -> Tensor:
    """Images (N, 3, H, W) of which a share has its channels in another order and another brightness."""
    count = len(images)
    order = torch.rand(count, 3, generator=rng, device=rng.device).argsort(1)
    gamma = 0.7 + 0.7 * torch.rand(count, 1, 1, 1, generator=rng, device=rng.device)
    changed = images.gather(1, order[:, :, None, None].expand_as(images)).clamp_min(1e-4) ** gamma
    chosen = torch.rand(count, generator=rng, device=rng.device) < share
    return torch.where(chosen[:, None, None, None], changed, images).contiguous(memory_format=torch.channels_last)


def strengths(count: int, rng: torch.Generator) -> Tensor:
    """Strengths (count,): one in eight learns the way from the photo to the style, the others are 1."""
    draws = torch.rand(3, count, generator=rng, device=rng.device)
    between = torch.where(draws[0] < 0.5, torch.zeros_like(draws[0]), draws[1])
    return torch.where(draws[2] < 0.125, between, torch.ones_like(between))


def named_style(text: str) -> tuple[str, Image.Image]:
    """A style's name and picture, of a name of `nst.styles`, FILE or NAME=FILE."""
    return open_named(text, load_style, 1024)


def gathered(sources: Sequence[str]) -> Sequence[Image.Image]:
    """The pictures of folders, tar files, and what `named_style` opens; those of a single folder are decoded later."""
    many = [Path(source).is_dir() or Path(source).suffix.lower() == ".tar" for source in sources]
    if many == [True]:
        return Pictures(sources[0])
    found: list[Image.Image] = []
    for source, several in zip(sources, many, strict=True):
        found += Pictures(source) if several else [named_style(source)[1]]
    return found


def rows(pictures: Sequence[Iterable[Tensor]]) -> Tensor:
    """A sheet (1, 3, H, W): rows of pictures (3, h, w) below each other."""
    return torch.cat([torch.cat([*row], 2) for row in pictures], 1)[None]
