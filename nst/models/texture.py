"""Ulyanov, Lebedev, Vedaldi and Lempitsky, "Texture Networks: Feed-forward Synthesis of Textures and Stylized Images",
2016, arXiv:1603.03417.

A generator that is fed with noise at every scale, coarse to fine, for textures of any size, and with a photo beside the
noise for stylized pictures; other noise gives another picture. Where we differ: instance normalization, as in the
authors' later work (arXiv:1607.08022), reflected borders where the paper's are circular, and a sigmoid at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.models.blocks import Conv, instance_norm
from nst.registry import register


class _Normalized(nn.Module):
    """A convolution, or none, then instance normalization with learned scales and shifts."""

    def __init__(self, inside: int, out: int, kernel: int = 0) -> None:
        super().__init__()
        self.conv = Conv(inside, out, kernel) if kernel else nn.Identity()
        self.scale, self.shift = nn.Parameter(torch.ones(1, out)), nn.Parameter(torch.zeros(1, out))

    def forward(self, x: Tensor) -> Tensor:
        x = instance_norm(self.conv(x), self.scale, self.shift)
        return F.leaky_relu(x, 0.1) if isinstance(self.conv, Conv) else x


def _block(inside: int, out: int) -> nn.Sequential:
    return nn.Sequential(_Normalized(inside, out, 3), _Normalized(out, out, 3), _Normalized(out, out, 1))


@register("texture")
class TextureNet(nn.Module):
    """Noise, and a photo where it was trained with photos, to a picture.

    Args:
        scales: how many; the coarsest is 2^(scales - 1) times smaller than the picture.
        width: channels that each scale adds.
        photo: whether it stylizes photos.
    """

    takes = "noise"

    def __init__(self, scales: int = 5, width: int = 8, photo: bool = False) -> None:
        super().__init__()
        self.scales, self.photo = scales, photo
        inside = 6 if photo else 3
        self.enter = nn.ModuleList(_block(inside, width) for _ in range(scales))
        sums = [width * i for i in range(1, scales + 1)]
        self.own = nn.ModuleList(_Normalized(0, width) for _ in sums[1:])
        self.coarser = nn.ModuleList(_Normalized(0, n) for n in sums[:-1])
        self.join = nn.ModuleList(_block(n, n) for n in sums[1:])
        self.last = Conv(sums[-1], 3, 1)

    def noise(self, size: Sequence[int], seed: int = 0, count: int = 1) -> list[Tensor]:
        """Uniform noise (count, 3, h, w) of every scale, coarse to fine, for pictures of `size` (H, W)."""
        generator = torch.Generator().manual_seed(seed)
        unit = 2 ** (self.scales - 1)
        height, width = (-(-max(n, unit) // unit) for n in size)
        shapes = [(count, 3, height * 2**k, width * 2**k) for k in range(self.scales)]
        return [torch.rand(shape, generator=generator) for shape in shapes]

    def forward(self, noise: Sequence[Tensor], image: Tensor | None = None) -> Tensor:
        """A picture (N, 3, H, W) in [0, 1] as large as the finest noise, or as the image.

        Args:
            noise: of each scale, coarse to fine; see `noise`.
            image: the photo (N, 3, H, W) in [0, 1], for a network that stylizes.
        """
        if (image is not None) != self.photo:
            raise ValueError("This network wants a photo." if self.photo else "This network takes no photo.")
        x: Tensor | None = None
        for k, (z, enter) in enumerate(zip(noise, self.enter, strict=True)):
            if image is not None:
                z = torch.cat([F.adaptive_avg_pool2d(image, (z.shape[2], z.shape[3])), z], 1)
            entered = enter(z - 0.5)
            if x is not None:
                enlarged = self.coarser[k - 1](F.interpolate(x, scale_factor=2, mode="nearest"))
                entered = self.join[k - 1](torch.cat([self.own[k - 1](entered), enlarged], 1))
            x = entered
        painted = torch.sigmoid(self.last(x).float() * 2)
        return painted if image is None else painted[..., : image.shape[2], : image.shape[3]]
