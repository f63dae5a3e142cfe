"""Karras, Aila, Laine and Lehtinen, "Progressive Growing of GANs for Improved Quality, Stability, and Variation", 2017,
arXiv:1710.10196.

Both networks begin at 4 x 4 and grow; a new level is faded in. Where we differ: any widths; the finest features may
paint patches of several pixels (`patch`), which is faster by the square of it; the discriminator's second convolution
of a level comes after the pooling.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.models.latents import Generator
from nst.models.layouts import renamed
from nst.registry import Config, Stored, Tensors, register

WIDTHS = (128, 128, 96, 64)
START = 4  # side of the coarsest features


class Equalized(nn.Module):
    """A convolution, or for `kernel` 0 a linear map, whose weights are scaled by He's constant as they are used: so all
    learn equally fast. arXiv:1710.10196, section 4.1.

    Args:
        inside, out: channels.
        kernel: side of the kernel; borders are padded with zeros.
        gain: of the activation before it.
        rate: how fast it learns, against the others.
        bias: what the bias begins with.
    """

    def __init__(
        self, inside: int, out: int, kernel: int = 0, *, gain: float = math.sqrt(2), rate: float = 1.0, bias: float = 0
    ) -> None:
        super().__init__()
        self.padding, self.rate = kernel // 2, rate
        self.scale = rate * gain / math.sqrt(inside * max(1, kernel) ** 2)
        self.weight = nn.Parameter(torch.randn(out, inside, *[kernel] * 2 if kernel else ()) / rate)
        self.bias = nn.Parameter(torch.full((out,), bias / rate))

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight * self.scale, self.bias * self.rate
        return F.conv2d(x, weight, bias, padding=self.padding) if weight.ndim == 4 else F.linear(x, weight, bias)


def pixel_norm(x: Tensor) -> Tensor:
    """x (N, C, ...) with a mean square of 1 over the channels: arXiv:1710.10196, section 4.2."""
    return x * (x.float().square().mean(1, keepdim=True) + 1e-8).rsqrt().to(x.dtype)


def minibatch_deviation(x: Tensor, group: int = 4) -> Tensor:
    """x (N, C, H, W) with one channel more: the mean deviation of a pixel within groups of the batch, by which a
    discriminator sees whether all pictures are alike. arXiv:1710.10196, section 3.

    Where the groups do not come out even, the whole batch is one; of a single picture the deviation is 0.
    """
    count = len(x)
    group = group if count % group == 0 else count
    grouped = x.float().unflatten(0, (group, count // group))
    variance = (grouped - grouped.mean(0)).square().mean(0)  # var is ten times as slow in channels_last
    spread = (variance + 1e-8).sqrt().mean((1, 2, 3))
    return torch.cat([x, spread.repeat(group).view(count, 1, 1, 1).expand(-1, 1, *x.shape[2:]).to(x.dtype)], 1)


def enlarge(x: Tensor) -> Tensor:
    """x (N, C, H, W) at twice the size, every pixel four times."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def from_patches(x: Tensor, patch: int) -> Tensor:
    """Pictures (N, 3, patch H, patch W) of x (N, 3 patch^2, H, W), whose channels are the pixels of patches.

    The pattern that the borders of patches of two pixels would leave is filtered out: what is left of a frequency falls
    from all of the lowest to nothing of the highest.
    """
    picture = F.pixel_shuffle(x.float(), patch)
    if patch == 1:
        return picture
    weights = picture.new_tensor([0.25, 0.5, 0.25])
    kernel = (weights[:, None] * weights).expand(3, 1, 3, 3)
    with torch.autocast(x.device.type, enabled=False):
        return F.conv2d(F.pad(picture, (1, 1, 1, 1), mode="replicate"), kernel, groups=3)


def side(level: int, patch: int) -> int:
    """Pixels a side of the pictures of a level."""
    return START * 2**level * patch


def as_ours(config: Config, tensors: Tensors) -> Stored:
    """Of a generator of ours, or of genforce's."""
    return from_genforce(tensors) if "layer0.weight" in tensors else (config, tensors)


@register("progan", as_ours)
class ProGAN(Generator):
    """Latents (N, latent_dim) to pictures (N, 3, resolution, resolution) in [0, 1].

    Args:
        latent_dim: numbers that a face comes from.
        widths: channels of each level, from 4 x 4; each further level is twice as fine.
        patch: pixels a side that a feature of the finest level paints.
    """

    def __init__(self, latent_dim: int = 128, widths: Sequence[int] = WIDTHS, patch: int = 1) -> None:
        super().__init__(latent_dim, side(len(widths) - 1, patch))
        self.config = {"latent_dim": latent_dim, "widths": list(widths), "patch": patch}
        self.patch = patch
        self.first = Equalized(latent_dim, widths[0] * START**2, gain=math.sqrt(2) / START)
        self.one = nn.ModuleList(Equalized(a, b, 3) for a, b in pairwise(widths))
        self.two = nn.ModuleList(Equalized(n, n, 3) for n in widths)
        self.to_rgb = nn.ModuleList(Equalized(n, 3 * patch**2, 1, gain=1) for n in widths)

    def forward(self, latent: Tensor) -> Tensor:
        return self.paint(latent).clamp(0, 1)

    def paint(self, latent: Tensor, level: int | None = None, blend: float = 1.0) -> Tensor:
        """Pictures (N, 3, H, H) not yet clamped to [0, 1], of a level of the growth; None is the last.

        Args:
            latent: (N, latent_dim).
            level: 0 is the coarsest.
            blend: how far the level is faded in; 0 shows the one before, enlarged.
        """
        last = len(self.two) - 1 if level is None else level
        x = self.first(pixel_norm(latent)).unflatten(1, (-1, START, START))
        x = pixel_norm(F.leaky_relu(x.contiguous(memory_format=torch.channels_last), 0.2))
        before = x
        for i in range(last + 1):
            if i:
                before, x = x, _activated(self.one[i - 1], enlarge(x))
            x = _activated(self.two[i], x)
        picture = self._picture(x, last)
        if blend < 1 and last:
            picture = torch.lerp(enlarge(self._picture(before, last - 1)), picture, blend)
        return picture

    def _picture(self, x: Tensor, level: int) -> Tensor:
        return from_patches(self.to_rgb[level](x), self.patch) / 2 + 0.5


def _activated(conv: nn.Module, x: Tensor) -> Tensor:
    return pixel_norm(F.leaky_relu(conv(x), 0.2))


class GrowingDiscriminator(nn.Module):
    """Pictures (N, 3, H, H) in [0, 1] to logits (N, 1); the generator's mirror image.

    Args:
        widths: channels of each level, from 4 x 4.
        patch: pixels a side that one of the finest features sees at first.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS, patch: int = 1) -> None:
        super().__init__()
        self.patch = patch
        self.from_rgb = nn.ModuleList(Equalized(3 * patch**2, n, 1) for n in widths)
        self.one = nn.ModuleList(Equalized(n, n, 3) for n in widths[1:])
        self.two = nn.ModuleList(Equalized(b, a, 3) for a, b in pairwise(widths))
        self.join = Equalized(widths[0] + 1, widths[0], 3)
        self.dense = Equalized(widths[0] * START**2, widths[0])
        self.judge = Equalized(widths[0], 1, gain=1)

    def forward(self, image: Tensor, level: int | None = None, blend: float = 1.0) -> Tensor:
        """The logits; level and blend as in `ProGAN.paint`."""
        last = len(self.one) if level is None else level
        image = 2 * image - 1
        x = self._enter(image, last)
        for i in range(last, 0, -1):
            x = F.leaky_relu(self.one[i - 1](x), 0.2)
            x = F.leaky_relu(self.two[i - 1](F.avg_pool2d(x, 2)), 0.2)
            if i == last and blend < 1:
                x = torch.lerp(self._enter(F.avg_pool2d(image, 2), last - 1), x, blend)
        x = F.leaky_relu(self.join(minibatch_deviation(x)), 0.2)
        x = F.leaky_relu(self.dense(x.flatten(1)), 0.2)
        return self.judge(x).float()

    def _enter(self, image: Tensor, level: int) -> Tensor:
        patches = F.pixel_unshuffle(image, self.patch).contiguous(memory_format=torch.channels_last)
        return F.leaky_relu(self.from_rgb[level](patches), 0.2)


def from_genforce(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration and weights, under our names, of a generator in the layout of genforce.

    So is huggan/pggan-celebahq-1024: layers are numbered two by two from 4 x 4, each level has an `output`, and what is
    called lod tells how far it has grown. Raises ValueError where it has not grown to its end, or tensors are missing
    or too many.
    """
    rest = dict(tensors)
    if float(rest.pop("lod", torch.zeros(()))) != 0:
        raise ValueError("this generator has not grown to its end.")
    levels = sum(name.startswith("output") and name.endswith(".weight") for name in rest)
    weight, bias = rest.pop("layer0.weight"), rest.pop("layer0.bias")
    # Its first layer is a transposed kernel's worth of pixels around a single one: ours a linear map to them.
    ours = {
        "first.weight": weight.flip(2, 3).permute(0, 2, 3, 1).flatten(0, 2),
        "first.bias": bias.repeat_interleave(START**2),
    }
    places = {f"output{i}": f"to_rgb.{i}" for i in range(levels)}
    places |= {f"layer{2 * i + 1}": f"two.{i}" for i in range(levels)}
    places |= {f"layer{2 * i}": f"one.{i - 1}" for i in range(1, levels)}
    ours |= renamed(rest, places)
    widths = [len(ours[f"two.{i}.bias"]) for i in range(levels)]
    return {"latent_dim": weight.shape[1], "widths": widths, "patch": 1}, ours
