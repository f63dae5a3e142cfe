"""Karras, Laine and Aila, "A Style-Based Generator Architecture for Generative Adversarial Networks", 2018,
arXiv:1812.04948, with the demodulation and the summed pictures of Karras et al., "Analyzing and Improving the Image
Quality of StyleGAN", 2019, arXiv:1912.04958.

A latent is mapped to a style, which decides at every layer how strongly each channel counts; noise decides on the
details. Where we differ: any widths; the finest features may paint patches of several pixels (`patch`); a level's first
convolution comes before the enlargement, which is four times as fast; no low-pass filter but those of the pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.models.latents import Generator, check_sample
from nst.models.progan import START, WIDTHS, Equalized, enlarge, from_patches, pixel_norm, side
from nst.registry import register

Noise = Sequence[Tensor]  # of each layer (1 or N, 1, h, h), coarse to fine


class StyledConv(nn.Module):
    """A 3 x 3 convolution whose input channels a style scales, and whose output has unit variance again.

    arXiv:1912.04958, section 2.2, eq. 1 and 3. Scaling what goes in and what comes out is the same as scaling the
    weights, but needs no weights for each picture.

    Args:
        inside, out: channels.
        style_dim: numbers of a style.
        enlarging: whether the result has twice the size.
    """

    def __init__(self, inside: int, out: int, style_dim: int, enlarging: bool = False) -> None:
        super().__init__()
        self.enlarging = enlarging
        self.style = Equalized(style_dim, inside, gain=1, bias=1)
        self.conv = Equalized(inside, out, 3, gain=1)
        self.noise_strength = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        """Features (N, out, h, h) of x (N, inside, ...), a style (N, style_dim) and noise (1 or N, 1, h, h)."""
        scales, weight = self.style(style).float(), self.conv.weight * self.conv.scale
        out = (scales.square() @ weight.square().sum((2, 3)).T + 1e-8).rsqrt()
        x = F.conv2d(x * scales.to(x.dtype)[:, :, None, None], weight, padding=1)
        x = x * out.to(x.dtype)[:, :, None, None] + self.conv.bias.to(x.dtype)[:, None, None]
        if self.enlarging:
            x = enlarge(x)
        return F.leaky_relu(x + (noise * self.noise_strength).to(x.dtype), 0.2)


class ToPicture(nn.Module):
    """Features and a style to what a level adds to the picture: a 1 x 1 convolution without demodulation."""

    def __init__(self, inside: int, style_dim: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.style = Equalized(style_dim, inside, gain=1, bias=1)
        self.conv = Equalized(inside, 3 * patch**2, 1, gain=1)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        scaled = x * self.style(style).to(x.dtype)[:, :, None, None]
        return from_patches(self.conv(scaled), self.patch) / 2


@register("stylegan")
class StyleGAN(Generator):
    """Latents (N, latent_dim) to pictures (N, 3, resolution, resolution) in [0, 1].

    Args:
        latent_dim: numbers of a latent, and of a style.
        widths: channels of each level, from 4 x 4; each further level is twice as fine.
        patch: pixels a side that a feature of the finest level paints.
        depth: layers of the mapping from latents to styles.

    Attributes:
        layers: how many styles a picture has: one of the coarsest level, two of each further one.
        mean: the style (latent_dim,) that truncation leads to; see `center`.
    """

    mean: Tensor

    def __init__(self, latent_dim: int = 128, widths: Sequence[int] = WIDTHS, patch: int = 1, depth: int = 4) -> None:
        super().__init__(latent_dim, side(len(widths) - 1, patch))
        self.patch, self.levels, self.layers = patch, len(widths), 2 * len(widths) - 1
        self.mapping = nn.ModuleList(Equalized(latent_dim, latent_dim, rate=0.01) for _ in range(depth))
        self.constant = nn.Parameter(torch.randn(1, widths[0], START, START))
        convs = [StyledConv(widths[0], widths[0], latent_dim)]
        for inside, out in pairwise(widths):
            convs += [StyledConv(inside, out, latent_dim, enlarging=True), StyledConv(out, out, latent_dim)]
        self.convs = nn.ModuleList(convs)
        self.to_picture = nn.ModuleList(ToPicture(n, latent_dim, patch) for n in widths)
        self.register_buffer("mean", torch.zeros(latent_dim))

    def forward(self, latent: Tensor) -> Tensor:
        return self.paint(self.styles(latent)).clamp(0, 1)

    def styles(self, latent: Tensor, truncation: float = 1.0) -> Tensor:
        """The styles (N, latent_dim) of latents; a truncation below 1 draws them towards the mean one.

        arXiv:1812.04948, appendix B.
        """
        with torch.autocast(latent.device.type, enabled=False):
            style = pixel_norm(latent.float())
            for layer in self.mapping:
                style = F.leaky_relu(layer(style), 0.2)
        return style if truncation == 1 else torch.lerp(self.mean.expand_as(style), style, truncation)

    def sample(self, count: int, seed: int = 0, truncation: float = 1.0) -> Tensor:
        """As `Generator.sample`, with the truncation of styles."""
        check_sample(count, truncation)
        latent = self.latents(count, seed).to(self.mean.device)
        return self.paint(self.styles(latent, truncation)).clamp(0, 1)

    @torch.no_grad()
    def center(self, count: int = 4096) -> None:
        """Set the mean style to that of so many latents."""
        generator = torch.Generator().manual_seed(0)
        latent = torch.randn(count, self.latent_dim, generator=generator).to(self.mean.device)
        self.mean.copy_(self.styles(latent).mean(0))

    def noise(self, generator: torch.Generator | None = None, count: int = 1) -> list[Tensor]:
        """Normal noise (count, 1, h, h) of every layer; without a generator always the same."""
        generator = generator or torch.Generator().manual_seed(0)
        sides = [START * 2 ** ((i + 1) // 2) for i in range(self.layers)]
        return [torch.randn(count, 1, n, n, generator=generator).to(self.mean.device) for n in sides]

    def paint(self, style: Tensor, noise: Noise | None = None, level: int | None = None, blend: float = 1.0) -> Tensor:
        """Pictures (N, 3, H, H) not yet clamped to [0, 1].

        Args:
            style: (N, latent_dim), or one for each layer, (N, layers, latent_dim).
            noise: see `noise`.
            level, blend: of the growth; see `nst.models.progan.ProGAN.paint`.
        """
        style = style if style.ndim == 3 else style[:, None].expand(-1, self.layers, -1)
        noise = self.noise() if noise is None else noise
        last = self.levels - 1 if level is None else level
        x = self.constant.expand(len(style), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x = self.convs[0](x, style[:, 0], noise[0])
        picture = self.to_picture[0](x, style[:, 0]) + 0.5
        for i in range(1, last + 1):
            for k in (2 * i - 1, 2 * i):
                x = self.convs[k](x, style[:, k], noise[k])
            added = self.to_picture[i](x, style[:, 2 * i])
            coarser = F.interpolate(picture, scale_factor=2, mode="bilinear", align_corners=False)
            picture = coarser + (added if i < last else blend * added)
        return picture


def mix_styles(first: Tensor, second: Tensor, crossover: Tensor, layers: int) -> Tensor:
    """Styles (N, layers, D) that are those of the first below a layer, and of the second from there on.

    arXiv:1812.04948, section 3.1.

    Args:
        first, second: (N, D).
        crossover: the first layer (N,) of the second style.
        layers: how many there are.
    """
    fine = torch.arange(layers, device=first.device) >= crossover[:, None]
    return torch.where(fine[..., None], second[:, None], first[:, None])
