"""Zhu, Park, Isola and Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", 2017,
arXiv:1703.10593.

Generators: a 7x7 convolution, two of stride 2, residual blocks, two enlargements, a 7x7 convolution and tanh, with
instance normalization that learns nothing; the U-Net of `nst.models.unet` in their place as an option. Discriminator:
the 70x70 PatchGAN. Where we differ, as options: depthwise separable convolutions in the blocks (gan-compression; Li et
al. 2020, arXiv:2003.08936), which do a ninth of the work; nearest-neighbor enlargement followed by a convolution (Odena
et al. 2016) in place of transposed convolutions; and an output that says of each pixel how much of it is painted, the
rest being the photo (attention-guided translation; Mejjati et al. 2018, arXiv:1806.02311).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.images import resize
from nst.models.blocks import Conv, ResizeConv, check_choices, conv2d, normalize, pad_reflecting, transposed
from nst.models.layouts import from_other_layouts
from nst.models.unet import UNet
from nst.registry import Config, Stored, Tensors, register

SLIM: dict[str, Any] = {"widths": (16, 32, 64), "blocks": 6, "upsampling": "resize"}
"""A generator that is fast on processors."""

UPSAMPLINGS, OUTPUTS = ("transposed", "resize"), ("tanh", "blend")


class Separable(nn.Module):
    """A 3x3 convolution of each channel by itself, normalized, then a 1x1 convolution; reflected borders."""

    def __init__(self, inside: int, out: int) -> None:
        super().__init__()
        self.depth = nn.Conv2d(inside, inside, 3, groups=inside)
        self.point = nn.Conv2d(inside, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = conv2d(pad_reflecting(x, 1), self.depth.weight, self.depth.bias, groups=len(self.depth.weight))
        return conv2d(normalize(x), self.point.weight, self.point.bias)


class ResNet(nn.Module):
    """A generator, (N, 3, H, W) to (N, 3 or 4, H, W) before the output's own function, of any size.

    Args:
        widths: channels at full, half and quarter resolution.
        blocks: residual blocks at quarter resolution; the paper's are 6 for 128 pixels, 9 for 256.
        inner: channels inside each block, as gan-compression finds them; none means those outside.
        kernel: size of the first and the last convolution.
        separable: depthwise separable convolutions in the blocks.
        upsampling: "transposed" or "resize".
        out: channels of the result.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256),
        blocks: int = 9,
        inner: Sequence[int] = (),
        kernel: int = 7,
        separable: bool = False,
        upsampling: str = "transposed",
        out: int = 3,
    ) -> None:
        super().__init__()
        check_choices(upsampling=(upsampling, UPSAMPLINGS))
        full, half, quarter = widths
        within = list(inner) or [quarter] * blocks
        if len(within) != blocks:
            raise ValueError(f"There are {blocks} blocks; give as many inner widths, not {len(within)}.")
        self.first = Conv(3, full, kernel)
        self.down = nn.ModuleList([_smaller(full, half), _smaller(half, quarter)])
        layer: Any = Separable if separable else _conv3
        self.blocks = nn.ModuleList(nn.ModuleList([layer(quarter, n), layer(n, quarter)]) for n in within)
        larger: Any = ResizeConv if upsampling == "resize" else transposed
        self.up = nn.ModuleList([larger(quarter, half), larger(half, full)])
        self.last = Conv(full, out, kernel)

    def stages(self) -> list[Callable[[Tensor], Tensor]]:
        """The functions that an image (N, 3, H, W) goes through, one after the other."""
        before, after = [self.first, *self.down], self.up
        blocks = [partial(_residual, block) for block in self.blocks]
        return [*(partial(_active, c) for c in before), *blocks, *(partial(_active, c) for c in after), self.last]

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        for stage in self.stages():
            x = stage(x)
        return x[..., :height, :width]


def _active(conv: nn.Module, x: Tensor) -> Tensor:
    return normalize(conv(x), relu=True)


def _residual(block: Any, x: Tensor) -> Tensor:
    return x + normalize(block[1](normalize(block[0](x), relu=True)))


def _smaller(inside: int, out: int) -> nn.Module:
    return nn.Conv2d(inside, out, 3, stride=2, padding=1)


def _conv3(inside: int, out: int) -> nn.Module:
    return Conv(inside, out, 3)


NETS: dict[str, Any] = {"resnet": ResNet, "unet": UNet}


class Generator(nn.Module):
    """Image (N, 3, H, W) in [0, 1] to translated image, in one direction.

    Args:
        net: "resnet" or "unet".
        output: "tanh", or "blend": the net tells a color and how much of it is painted over the photo.
        more: arguments of the net.
    """

    def __init__(self, net: str = "resnet", output: str = "tanh", **more: Any) -> None:
        super().__init__()
        check_choices(net=(net, tuple(NETS)), output=(output, OUTPUTS))
        self.output = output
        self.net = NETS[net](out=4 if output == "blend" else 3, **more)

    def read(self, found: Tensor) -> tuple[Tensor, Tensor]:
        """Colors (N, 3, H, W) in [0, 1], and for a blend logits (N, 1, H, W) of how much of each pixel is painted,
        from what the net tells."""
        found = found.float()  # the nets see and tell -1 to 1
        return (torch.tanh(found[:, :3]) + 1) / 2, found[:, 3:]

    def paint(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The same of an image (N, 3, H, W) in [0, 1]."""
        return self.read(self.net(2 * image - 1))

    def forward(self, image: Tensor) -> Tensor:
        painted, share = self.paint(image)
        return torch.lerp(image, painted, torch.sigmoid(share)) if self.output == "blend" else painted


def as_ours(config: Config, tensors: Tensors) -> Stored:
    """Of a translator of ours, or of a generator of others, told by its names."""
    tensors = {re.sub(r"^module\.", "", name): tensor for name, tensor in tensors.items()}
    if any(name.startswith("generators.") for name in tensors):
        return config, tensors
    found, tensors = from_other_layouts(tensors)
    return found | dict(config), tensors


@register("cyclegan", as_ours)
class Translator(nn.Module):
    """One generator, or the two of a cycle.

    Args:
        directions: a name for each generator, such as ("photo2vangogh", "vangogh2photo").
        sees: the long side in pixels at which generators see larger images, for what they draw is as large as it was in
            what they learned from; 0 for the image's own. What they change is enlarged; the image keeps its details.
        more: arguments of `Generator`, for all of them.
    """

    def __init__(self, directions: Sequence[str] = ("forward",), sees: int = 0, **more: Any) -> None:
        super().__init__()
        if not 0 < len(directions) <= 2:
            raise ValueError(f"A translator has one direction or two, not {len(directions)}.")
        self.directions, self.sees = tuple(directions), sees
        self.config = {"directions": list(directions), **({"sees": sees} if sees else {}), **more}
        self.generators = nn.ModuleList(Generator(**more) for _ in directions)

    def forward(self, image: Tensor, direction: int = 0) -> Tensor:
        """The translated image (N, 3, H, W) in [0, 1] of an image (N, 3, H, W) in [0, 1], of any size."""
        generator, (height, width) = self.generators[direction], image.shape[-2:]
        if not 0 < self.sees < max(height, width):
            return generator(image)  # type: ignore[no-any-return]
        small = resize(image, self.sees)
        change = F.interpolate(generator(small) - small, (height, width), mode="bicubic")
        return (image + change).clamp(0, 1)


class PatchGAN(nn.Module):
    """Image (N, 3, H, W) in [0, 1] to how real each of its patches is (N, 1, H/8 - 2, W/8 - 2), without a bound.

    Args:
        width: channels of the first layer; the paper's are 64.
        layers: of stride 2; with 3 a patch has 70x70 pixels, with 2 it has 34x34.
    """

    def __init__(self, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        widths = [3, *(min(2**i, 8) * width for i in range(layers + 1))]
        strides = [2] * layers + [1]
        self.convs = nn.ModuleList(
            nn.Conv2d(inside, out, 4, stride=stride, padding=1)
            for inside, out, stride in zip(widths[:-1], widths[1:], strides, strict=True)
        )
        self.last = nn.Conv2d(widths[-1], 1, 4, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        x = 2 * image - 1
        for i, conv in enumerate(self.convs):
            x = F.leaky_relu(normalize(conv(x)) if i else conv(x), 0.2)
        return self.last(x).float()
