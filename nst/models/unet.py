"""Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", 2015,
arXiv:1505.04597, as a generator: Isola, Zhu, Zhou and Efros, "Image-to-Image Translation with Conditional Adversarial
Networks", 2016, arXiv:1611.07004.

Where we differ: no dropout; instance normalization as in CycleGAN; a picture of any size, whose edge is repeated up to
the next size that can be halved so often, and cut again at the end.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.models.blocks import normalize


class UNet(nn.Module):
    """A generator, (N, 3, H, W) to (N, 3 or 4, H, W) before the output's own function, of any size.

    Args:
        width: channels at half resolution; each further level has twice as many, eight times at most.
        depth: how often the picture is halved; the paper's is 8 for 256 pixels.
        out: channels of the result.
    """

    def __init__(self, width: int = 64, depth: int = 6, out: int = 3) -> None:
        super().__init__()
        if not 1 < depth < 10 or width < 1:
            raise ValueError(f"A U-Net has 2 to 9 levels and at least one channel, not {depth} and {width}.")
        widths = [width * min(2**i, 8) for i in range(depth)]
        self.down = nn.ModuleList(
            nn.Conv2d(inside, outside, 4, stride=2, padding=1)
            for inside, outside in zip([3, *widths], widths, strict=False)
        )
        self.up = nn.ModuleList()
        for i in reversed(range(depth)):  # all but the deepest see what was there on the way down as well
            inside = widths[i] * (1 if i == depth - 1 else 2)
            self.up.append(nn.ConvTranspose2d(inside, widths[i - 1] if i else out, 4, stride=2, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        step = 2 ** len(self.down)
        x = F.pad(x, (0, -width % step, 0, -height % step), mode="replicate")
        kept: list[Tensor] = []
        for i, conv in enumerate(self.down):
            x = conv(F.leaky_relu(x, 0.2) if i else x)
            x = _normalized(x) if i else x
            kept.append(x)
        for i, conv in enumerate(self.up):
            x = conv(F.relu(torch.cat([x, kept[-1 - i]], 1) if i else x))
            x = x if i == len(self.up) - 1 else _normalized(x)
        return x[..., :height, :width]


def _normalized(x: Tensor) -> Tensor:
    """Normalized, but for a single pixel, which is its own mean: nothing would be left of it."""
    return x if x.shape[-1] * x.shape[-2] == 1 else normalize(x)
