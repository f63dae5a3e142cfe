"""Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks", 2015, arXiv:1511.06434: the plain network of Goodfellow et al. 2014 (arXiv:1406.2661), made of convolutions.

Where we differ: any width, and a sigmoid at the end, since pictures here are in [0, 1].
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from nst.models.latents import Generator
from nst.registry import register


@register("dcgan")
class DCGAN(Generator):
    """Latents (N, latent_dim) to pictures (N, 3, resolution, resolution) in [0, 1].

    Args:
        latent_dim: numbers that a face comes from.
        width: channels of the finest layer; each coarser one has twice as many, at most 16 times.
        resolution: side of the pictures, 8 times a power of two.
    """

    def __init__(self, latent_dim: int = 100, width: int = 32, resolution: int = 64) -> None:
        super().__init__(latent_dim, resolution)
        count = _levels(resolution)
        widths = [width * 2 ** min(4, count - i) for i in range(1, count + 1)]
        layers: list[nn.Module] = [*_enlarging(latent_dim, widths[0], stride=1)]
        for inside, out in pairwise(widths):
            layers += _enlarging(inside, out)
        self.net = nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], 3, 4, 2, 1))
        self.apply(_initialize)

    def forward(self, latent: Tensor) -> Tensor:
        return torch.sigmoid(self.net(latent[:, :, None, None]).float())


class DCGANDiscriminator(nn.Module):
    """Pictures (N, 3, H, W) in [0, 1] to logits (N, 1).

    Args:
        width: channels of the finest layer.
        resolution: H = W.
        mixing: with batch normalization, as in the paper; a gradient penalty needs it without.
    """

    def __init__(self, width: int = 32, resolution: int = 64, mixing: bool = True) -> None:
        super().__init__()
        count = _levels(resolution)
        widths = [width * 2 ** min(4, i) for i in range(count)]
        layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
        for inside, out in pairwise(widths):
            norm = nn.BatchNorm2d(out) if mixing else nn.Identity()
            layers += [nn.Conv2d(inside, out, 4, 2, 1, bias=not mixing), norm, nn.LeakyReLU(0.2)]
        self.net = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4))
        self.apply(_initialize)

    def forward(self, image: Tensor) -> Tensor:
        return self.net(2 * image - 1).flatten(1).float()


def _levels(resolution: int) -> int:
    """How often 4 x 4 is doubled."""
    count = (resolution // 4).bit_length() - 1
    if count < 1 or resolution != 4 * 2**count:
        raise ValueError(f"Pictures of faces have 8, 16, 32, 64, ... pixels a side, not {resolution}.")
    return count


def _enlarging(inside: int, out: int, stride: int = 2) -> list[nn.Module]:
    conv = nn.ConvTranspose2d(inside, out, 4, stride, stride - 1, bias=False)
    return [conv, nn.BatchNorm2d(out), nn.ReLU()]


def _initialize(module: nn.Module) -> None:
    """arXiv:1511.06434, section 4: a normal distribution of deviation 0.02."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)
