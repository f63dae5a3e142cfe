"""The ground that a network paints on: a photo without its camera's grain, and with an unevenness of larger forms.

Nothing happens in a flat area unless something is there to begin with. A network that is asked for strokes everywhere
therefore learns to amplify whatever is there, and in a clear sky that is the camera's grain: the strokes become a fine
weave, as regular as the lattice on which the network computes. So the grain is taken out by a guided filter (He and
Sun, "Fast Guided Filter", 2015, arXiv:1505.00996) whose guide is the photo itself, which leaves edges as they are; and
noise of several scales, as texture networks have it (Ulyanov et al. 2016, arXiv:1603.03417), takes its place, to become
strokes of several sizes. All is relative to the photo's own contrast, which instance normalization forgets as well.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

GRAIN = 0.12
"""Standard deviation around a pixel, relative to the whole photo's, below which what is there is grain."""

UNEVENNESS = {8: 0.05, 16: 0.1, 32: 0.13}
"""Standard deviation, relative to the photo's, of noise whose forms are so many pixels apart."""


def prepare_ground(image: Tensor, vary: bool = False) -> Tensor:
    """Photos (N, 3, H, W) in [0, 1] as a network is to see them, of the same shape; they may leave that range a little.

    Args:
        image: the photos.
        vary: whether each has a noise of its own, from PyTorch's global generator, as for a training; else it is always
            the same.
    """
    image, (height, width) = image.float(), image.shape[-2:]
    contrast = image.std((1, 2, 3), correction=0, keepdim=True)
    small = F.avg_pool2d(image, 2, ceil_mode=True)
    mean, gray = _mean(small), small.mean(1, keepdim=True)
    varies = (_mean(gray * gray) - mean.mean(1, keepdim=True) ** 2).clamp_min(0)
    share = varies / (varies + (GRAIN * contrast) ** 2).clamp_min(1e-12)
    parts = _mean(share), _mean(mean - share * mean) + contrast * _noise(small, vary)
    share, rest = (F.interpolate(x, scale_factor=2, mode="bilinear")[..., :height, :width] for x in parts)
    return torch.addcmul(rest, share, image)


def _mean(x: Tensor) -> Tensor:
    """The mean around each pixel of x (N, C, H, W), of as many as there are at the borders."""
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _noise(small: Tensor, vary: bool) -> Tensor:
    """Smooth noise (N or 1, 1, H, W) of a mean of 0, for pictures that are shown at twice the size."""
    height, width = small.shape[-2:]
    if vary:
        return _drawn(len(small), height, width, small.device, None)
    return _same(height, width, small.device)


@lru_cache(maxsize=16)
def _same(height: int, width: int, device: torch.device) -> Tensor:
    """The noise that is always the same; kept, since a GPU that repeats itself cannot ask the host for it."""
    return _drawn(1, height, width, device, torch.Generator().manual_seed(0))


def _drawn(count: int, height: int, width: int, device: torch.device, generator: torch.Generator | None) -> Tensor:
    total = torch.zeros(count, 1, height, width, device=device)
    for distance, deviation in UNEVENNESS.items():
        cell = distance // 2
        rows, columns = (-(-length // cell) + 3 for length in (height, width))
        # The noise that stays is drawn by the CPU, so that every device paints alike.
        own = device if generator is None else generator.device
        coarse = torch.randn(count, 1, rows, columns, generator=generator, device=own).to(device)
        smooth = F.interpolate(coarse, scale_factor=cell, mode="bicubic")  # whose borders are cut off
        total += deviation * smooth[..., cell : cell + height, cell : cell + width]
    return total
