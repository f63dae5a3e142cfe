"""The ground that a network paints on: a photo without its camera's grain, and with an unevenness of larger forms.

Nothing happens in a flat area unless something is there to begin with. A network that is asked for strokes everywhere
therefore learns to amplify whatever is there, and in a clear sky that is the camera's grain: the strokes become a fine
weave, as regular as the lattice on which the network computes. So the grain is taken out by a guided filter (He and
Sun, "Fast Guided Filter", 2015, arXiv:1505.00996) whose guide is the photo itself, which leaves edges as they are; and
noise of several scales, as texture networks have it (Ulyanov et al. 2016, arXiv:1603.03417), takes its place, to become
strokes of several sizes. All is relative to the photo's own contrast, which instance normalization forgets as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor

GRAIN = 0.12  # standard deviation around a pixel, relative to the whole photo's, below which what is there is grain

UNEVENNESS = {8: 0.05, 16: 0.1, 32: 0.13}
"""Standard deviation, relative to the photo's, of noise whose forms are so many pixels apart."""


def prepare_ground(image: Tensor, vary: bool = False, noise: Tensor | None = None) -> Tensor:
    """Photos (N, 3, H, W) in [0, 1] as a network is to see them, of the same shape; they may leave that range a little.

    Args:
        image: the photos.
        vary: whether each has a noise of its own, from PyTorch's global generator, as for a training; else it is always
            the same.
        noise: (1, 1, H / 2, W / 2), both rounded up, in place of that; see `unevenness`.
    """
    image, (height, width) = image.float(), image.shape[-2:]
    contrast = image.std((1, 2, 3), correction=0, keepdim=True)
    small = F.avg_pool2d(image, 2, ceil_mode=True)
    mean, gray = _mean(small), small.mean(1, keepdim=True)
    varies = (_mean(gray * gray) - mean.mean(1, keepdim=True) ** 2).clamp_min(0)
    share = varies / (varies + (GRAIN * contrast) ** 2).clamp_min(1e-12)
    parts = _mean(share), _mean(mean - share * mean) + contrast * (_noise(small, vary) if noise is None else noise)
    share, rest = (F.interpolate(x, scale_factor=2, mode="bilinear")[..., :height, :width] for x in parts)
    return torch.addcmul(rest, share, image)


def unevenness(height: int, width: int) -> Tensor:
    """The noise (1, 1, H, W) that is always the same, of photos twice as large, on the CPU."""
    return _same(height, width, torch.device("cpu"))


def _mean(x: Tensor) -> Tensor:
    """The mean around each pixel of x (N, C, H, W), of as many as there are at the borders."""
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _noise(small: Tensor, vary: bool) -> Tensor:
    """Smooth noise (N or 1, 1, H, W) of a mean of 0, for pictures that are shown at twice the size."""
    height, width = small.shape[-2:]
    if vary:
        draw = partial(torch.randn, len(small), 1, device=small.device)
        return _smooth([draw(*cells) for cells in _cells(height, width)], height, width)
    same = _same.__wrapped__ if torch.jit.is_tracing() else _same  # of a picture of any size, for an exported network
    return same(height, width, small.device)


@lru_cache(maxsize=16)
def _same(height: int, width: int, device: torch.device) -> Tensor:
    """The noise that is always the same; kept, since a GPU that repeats itself cannot ask the host for it. That of a
    smaller picture is a part of it."""
    table = _table().to(device)
    places = [[torch.arange(count, device=device) % SIDE for count in cells] for cells in _cells(height, width)]
    return _smooth(
        [one[rows][:, columns][None, None] for one, (rows, columns) in zip(table, places, strict=True)], height, width
    )


SIDE = 256  # cells after which the noise that is always the same repeats itself: 2,048 pixels of the finest


@lru_cache(maxsize=1)
def _table() -> Tensor:
    """Its values (scales, SIDE, SIDE), drawn by the CPU, so that every device paints alike."""
    return torch.randn(len(UNEVENNESS), SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def _cells(height: int, width: int) -> list[list[int]]:
    """Rows and columns of cells that cover a picture, scale by scale."""
    return [
        [(length + distance // 2 - 1) // (distance // 2) + 3 for length in (height, width)] for distance in UNEVENNESS
    ]


def _smooth(coarse: Sequence[Tensor], height: int, width: int) -> Tensor:
    """The sum of noises whose values in cells are given (N, 1, rows, columns), scale by scale."""
    parts = []
    for (distance, deviation), values in zip(UNEVENNESS.items(), coarse, strict=True):
        cell = distance // 2
        smooth = F.interpolate(values, scale_factor=cell, mode="bicubic")  # whose borders are cut off
        parts.append(deviation * smooth[..., cell : cell + height, cell : cell + width])
    return torch.stack(parts).sum(0)
