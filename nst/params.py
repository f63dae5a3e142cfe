"""Image parameterizations: Modules with parameters whose call gives an image (N, 3, H, W) in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PixelImage(nn.Module):
    """The plainest one: every pixel is a parameter, kept in [0, 1] by `project`.

    Args:
        image: what to start from, (N, 3, H, W) in [0, 1].
    """

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.pixels = nn.Parameter(image.detach().clone(memory_format=torch.contiguous_format))

    def forward(self) -> Tensor:
        # The parameter itself stays contiguous, since L-BFGS flattens it without copying.
        return self.pixels.clone(memory_format=torch.channels_last)

    @torch.no_grad()
    def project(self) -> None:
        """Back to the nearest picture that can be shown; called after each step."""
        self.pixels.clamp_(0, 1)
