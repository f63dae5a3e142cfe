"""Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", 2016,
arXiv:1603.08155.

An image transformation network: two convolutions of stride 2, residual blocks, two enlargements. Where we differ:
instance normalization (Ulyanov, Vedaldi and Lempitsky, "Instance Normalization: The Missing Ingredient for Fast
Stylization", 2016, arXiv:1607.08022; batch normalization remains as an option, to show the difference), reflected
borders (Dumoulin et al. 2017) where the paper pads its input and crops in the blocks, enlargement followed by
convolution (Odena et al. 2016) where it has transposed convolutions, which remain as an option, and a sigmoid where it
has a scaled tanh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.models.blocks import EPS, Conv, ResizeConv, instance_norm
from nst.registry import register

SLIM = {"widths": (16, 32, 64), "blocks": 4, "kernel": 5}
"""A configuration that is fast on processors."""


class TransformNet(nn.Module):
    """The network without the scales and shifts of its normalizations, which come with each call.

    Args:
        widths: channels at full, half and quarter resolution.
        blocks: residual blocks at quarter resolution.
        kernel: size of the first and the last convolution.
        norm: "instance" or "batch".
        upsampling: "resize" (nearest neighbor, then convolution) or "transposed".
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128),
        blocks: int = 5,
        kernel: int = 9,
        norm: str = "instance",
        upsampling: str = "resize",
    ) -> None:
        super().__init__()
        if norm not in NORMS or upsampling not in UPSAMPLINGS:
            raise ValueError(f"norm is {' or '.join(NORMS)}, and upsampling {' or '.join(UPSAMPLINGS)}.")
        full, half, quarter = widths
        enlarge: Any = ResizeConv if upsampling == "resize" else _transposed
        self.down = nn.ModuleList([Conv(3, full, kernel), Conv(full, half, 3, 2), Conv(half, quarter, 3, 2)])
        self.blocks = nn.ModuleList(
            nn.ModuleList([Conv(quarter, quarter, 3), Conv(quarter, quarter, 3)]) for _ in range(blocks)
        )
        self.up = nn.ModuleList([enlarge(quarter, half), enlarge(half, full)])
        self.last = Conv(full, 3, kernel)
        self.channels = (full, half, quarter, *(quarter,) * (2 * blocks), half, full)
        """Of each normalization, in the order in which the picture passes them."""
        self.averages = nn.ModuleList(
            nn.BatchNorm2d(n, affine=False, eps=EPS) for n in self.channels if norm == "batch"
        )

    @property
    def num_parameters(self) -> int:
        """Length of the vector of all scales and shifts."""
        return 2 * sum(self.channels)

    def forward(self, image: Tensor, parameters: Tensor) -> Tensor:
        """The painted image (N, 3, H, W) in [0, 1] of an image (N, 3, H, W) in [0, 1], of any size.

        Args:
            image: the photo.
            parameters: (N or 1, num_parameters); for each normalization its scales less 1, then its shifts.
        """
        pairs = iter(parameters.split([n for n in self.channels for _ in range(2)], 1))
        index = iter(range(len(self.channels)))

        def normalize(x: Tensor, relu: bool = True) -> Tensor:
            scale, shift = 1 + next(pairs), next(pairs)
            if not self.averages:
                return instance_norm(x, scale, shift, relu)
            x = self.averages[next(index)](x)
            x = torch.addcmul(shift.to(x)[:, :, None, None], x, scale.to(x)[:, :, None, None])
            return F.relu(x) if relu else x

        x = image - 0.5
        for conv in self.down:
            x = normalize(conv(x))
        for block in self.blocks:
            x = x + normalize(block[1](normalize(block[0](x))), relu=False)  # type: ignore[index]
        for conv in self.up:
            x = normalize(conv(x))
        return torch.sigmoid(self.last(x)[..., : image.shape[2], : image.shape[3]].float() * 2)


NORMS, UPSAMPLINGS = ("instance", "batch"), ("resize", "transposed")


def _transposed(inside: int, out: int) -> nn.Module:
    return nn.ConvTranspose2d(inside, out, 3, stride=2, padding=1, output_padding=1)


class Johnson(nn.Module):
    """One network, one style: image (N, 3, H, W) in [0, 1] to painted image; arguments as of `TransformNet`."""

    takes = "photo"

    def __init__(self, **config: Any) -> None:
        super().__init__()
        self.net = TransformNet(**config)
        self.parameters_of_style = nn.Parameter(torch.zeros(1, self.net.num_parameters))

    def forward(self, image: Tensor) -> Tensor:
        return self.net(image, self.parameters_of_style)


@register("johnson")
def build(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Johnson:
    """The network with these weights, loaded strictly."""
    model = Johnson(**config)
    model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
