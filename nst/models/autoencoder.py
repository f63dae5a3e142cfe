"""The beginners' baseline: a convolutional autoencoder that is shown photos and what they should become.

Hinton and Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", 2006, is where the shape comes
from; as a stylizer it has no paper. Six layers, three down and three up, learn from pairs of a photo and its optimized
stylization, pixel by pixel. A photo has many good stylizations, and their mean, which this learns, is a blur:
it stands here so that the others can be seen beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.registry import register


@register("autoencoder")
class Autoencoder(nn.Module):
    """Image (N, 3, H, W) in [0, 1] to painted image of the same size.

    Args:
        widths: channels at half, quarter and eighth resolution.
    """

    takes = "photo"

    def __init__(self, widths: Sequence[int] = (32, 64, 128)) -> None:
        super().__init__()
        inside = (3, *widths[:-1])
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(inside, widths, strict=True))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(b, a, 4, 2, 1) for a, b in zip(reversed(inside), reversed(widths), strict=True)
        )

    def logits(self, image: Tensor) -> Tensor:
        """The picture before the sigmoid, which cross-entropy wants."""
        x = image - 0.5
        for conv in self.down:
            x = F.relu(conv(x))
        for i, conv in enumerate(self.up, 1):
            x = conv(x) if i == len(self.up) else F.relu(conv(x))
        return x[..., : image.shape[2], : image.shape[3]].float()

    def forward(self, image: Tensor) -> Tensor:
        return torch.sigmoid(self.logits(image))
