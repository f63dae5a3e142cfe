"""The distribution of colors in a picture, compared along directions of color space.

The sliced Wasserstein distance: Rabin, Peyré, Delon and Bernot, "Wasserstein Barycenter and its Application to Texture
Mixing", 2011.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.losses.structure import mean_around

QUANTILES = 1024


def color_directions(count: int = 16) -> Tensor:
    """Unit vectors (count, 3), evenly spread over the half sphere (golden spiral)."""
    i = torch.arange(count, dtype=torch.float64) + 0.5
    z, angle = i / count, i * torch.pi * (3 - 5**0.5)
    radius = (1 - z * z).sqrt()
    return torch.stack([radius * angle.cos(), radius * angle.sin(), z], 1).float()


def sorted_colors(image: Tensor, directions: Tensor) -> Tensor:
    """Quantiles (N, D, QUANTILES) of the colors of images (N, 3, H, W) along directions (D, 3).

    Of a large picture every so many rows and columns are looked at, for about four pixels a quantile.
    """
    step = max(1, round((image[0, 0].numel() / (4 * QUANTILES)) ** 0.5))
    pixels = image[..., ::step, ::step].float().flatten(2)
    with torch.autocast(image.device.type, enabled=False):  # neighboring colors differ by less than bfloat16 can tell
        ordered = (directions.to(pixels) @ pixels).sort(-1).values
    return F.interpolate(ordered, QUANTILES, mode="linear")


def speckle(image: Tensor) -> Tensor:
    """How strongly neighboring pixels of images (N, 3, H, W) differ in color; (N,), 0 for grey ones and for areas.

    The root mean square of colors (channels less their mean) less their means over 9 x 9 pixels.
    """
    colors = image - image.mean(1, keepdim=True)
    fine = colors - mean_around(colors)
    return (fine.square().mean((1, 2, 3)) + 1e-8).sqrt()
