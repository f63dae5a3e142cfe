"""A look at pictures that needs no weights: waves of every direction at every scale, bright and dark apart.

After Heeger and Bergen, "Pyramid-Based Texture Analysis/Synthesis", 1995, and Portilla and Simoncelli, "A Parametric
Texture Model Based on Joint Statistics of Complex Wavelet Coefficients", 2000. Where we differ: Gabor filters in place
of the steerable pyramid's, and rectified responses in place of magnitudes and phases, so that mean and covariance of
a layer hold what theirs hold in many statistics. No network has any part in it, so that it can judge what any network
painted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

SCALES = ("scale1", "scale2", "scale3", "scale4", "scale5")  # wavelengths of 4, 8, 16, 32 and 64 pixels

DIRECTIONS, WAVELENGTH, SIGMA = 6, 4.0, 2.0
OPPONENTS = ((1 / 3, 1 / 3, 1 / 3), (0.5, -0.5, 0.0), (0.25, 0.25, -0.5))
"""Lightness, red against green, yellow against blue, of gamma-encoded colors; an axis spans a length of 1."""


class Pyramid:
    """Features of an image by scale, in the manner of `nst.encoders.Encoder`, but of fixed filters.

    At each scale and direction: lightness rising, falling, bright lines and dark lines; and the strength of waves in
    either pair of opponent colors. A full wave from black to white at a scale's own length has a response of 1.
    """

    layers = SCALES

    @torch.no_grad()
    def __call__(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Features (N, 36, h, w) of an image (N, 3, H, W) in [0, 1], by scale; the sides halve from scale to scale.

        The image itself is there as "image". Each layer's sides are those of the image halved, rounded up. Raises
        ValueError for a layer that there is not.
        """
        wanted = set(layers) - {"image"}
        if unknown := sorted(wanted - set(SCALES)):
            raise ValueError(f"No layer {', '.join(unknown)}. The pyramid has: {', '.join(SCALES)}.")
        features = {"image": image}
        x = F.conv2d(image.float(), image.new_tensor(OPPONENTS, dtype=torch.float32)[:, :, None, None])
        for name in SCALES:
            if len(features) > len(wanted):
                break
            if name in wanted:
                features[name] = _waves(x)
            x = _halved(x)
        return features


def _waves(x: Tensor) -> Tensor:
    """Rectified responses of the lightness, and strengths of the opponent colors, (N, 6 DIRECTIONS, H, W)."""
    even, odd = (_filtered(x, bank.to(x)) for bank in _banks())  # (N, 3, D, H, W) each
    light = [half.clamp_min(0) for wave in (even[:, 0], odd[:, 0]) for half in (wave, -wave)]
    strength = (even[:, 1:].square() + odd[:, 1:].square()).sqrt().flatten(1, 2)
    return torch.cat([*light, strength], 1)


def _filtered(x: Tensor, bank: Tensor) -> Tensor:
    pad = bank.shape[-1] // 2
    channels = F.pad(x, (pad,) * 4, mode="replicate").flatten(0, 1)[:, None]
    return F.conv2d(channels, bank).unflatten(0, x.shape[:2])


@lru_cache(maxsize=1)
def _banks() -> tuple[Tensor, Tensor]:
    """Even and odd Gabor filters (DIRECTIONS, 1, 9, 9) without a response to flat areas."""
    at = torch.arange(-4.0, 5.0, dtype=torch.float64)
    y, x = torch.meshgrid(at, at, indexing="ij")
    window = torch.exp(-(x**2 + y**2) / (2 * SIGMA**2))
    banks = []
    for phase in (0.0, math.pi / 2):
        rows = []
        for i in range(DIRECTIONS):
            angle = math.pi * i / DIRECTIONS
            along = 2 * math.pi / WAVELENGTH * (x * math.cos(angle) + y * math.sin(angle))
            wave = torch.cos(along - phase) * window
            wave = wave - window * wave.sum() / window.sum()
            rows.append(2 * wave / (wave * torch.cos(along - phase)).sum())
        banks.append(torch.stack(rows)[:, None].float())
    return banks[0], banks[1]


def _halved(x: Tensor) -> Tensor:
    """Every other pixel of a picture (N, C, H, W) that was smoothed with a binomial window."""
    window = x.new_tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    kernel = (window[:, None] * window[None]).expand(x.shape[1], 1, 5, 5)
    return F.conv2d(F.pad(x, (2,) * 4, mode="replicate"), kernel, stride=2, groups=x.shape[1])
