"""Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", 2016,
arXiv:1603.08155.

An image transformation network: two convolutions of stride 2, residual blocks, two enlargements. Where we differ:
instance normalization (Ulyanov, Vedaldi and Lempitsky, "Instance Normalization: The Missing Ingredient for Fast
Stylization", 2016, arXiv:1607.08022; batch normalization remains as an option, to show the difference), reflected
borders (Dumoulin et al. 2017) where the paper pads its input and crops in the blocks, enlargement followed by
convolution (Odena et al. 2016) where it has transposed convolutions, which remain as an option, a sigmoid where it has
a scaled tanh; and what we train sees the photo on a ground of ours (`nst.models.ground`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.models.blocks import EPS, Conv, ResizeConv, check_choices, instance_norm, interleaved, stays_apart, transposed
from nst.models.layouts import renamed
from nst.models.phases import beside, conv_beside
from nst.models.preprocess import prepare_ground, unevenness
from nst.registry import Config, Stored, Tensors, register

SLIM = {"widths": (16, 32, 64), "blocks": 4, "kernel": 5}  # a configuration that is fast on processors


class TransformNet(nn.Module):
    """The network without the scales and shifts of its normalizations, which come with each call.

    Args:
        widths: channels at full, half and quarter resolution.
        blocks: residual blocks at quarter resolution.
        kernel: size of the first and the last convolution.
        norm: "instance" or "batch".
        upsampling: "resize" (nearest neighbor, then convolution), "smooth" (the same and a binomial kernel, against
            the lattice) or "transposed".
        peak: see `nst.models.blocks.instance_norm`.
        output: "sigmoid", or "clamp" for networks of others that end with the convolution.
        ground: whether the photo is prepared by `nst.models.ground` first; in training mode with ever another noise.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128),
        blocks: int = 5,
        kernel: int = 9,
        norm: str = "instance",
        upsampling: str = "resize",
        output: str = "sigmoid",
        ground: bool = False,
        peak: float | None = None,
    ) -> None:
        super().__init__()
        check_choices(norm=(norm, NORMS), upsampling=(upsampling, UPSAMPLINGS), output=(output, OUTPUTS))
        self.output, self.ground, self.peak = output, ground, peak
        full, half, quarter = widths
        enlarge: Any = {"resize": ResizeConv, "smooth": partial(ResizeConv, smooth=True)}.get(upsampling, transposed)
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

    def noise(self, height: int, width: int) -> Tensor:
        """What the ground of photos of this size is uneven by; see `nst.models.preprocess.unevenness`."""
        return unevenness((height + 1) // 2, (width + 1) // 2)

    def forward(self, image: Tensor, parameters: Tensor, noise: Tensor | None = None) -> Tensor:
        """The painted image (N, 3, H, W) in [0, 1] of an image (N, 3, H, W) in [0, 1], of any size.

        Args:
            image: the photo.
            parameters: (N or 1, num_parameters); for each normalization its scales less 1, then its shifts.
            noise: of the ground; see `nst.models.preprocess.prepare_ground`.
        """
        pairs = iter(parameters.split([n for n in self.channels for _ in range(2)], 1))
        index = iter(range(len(self.channels)))

        def normalize(x: Tensor, relu: bool = True) -> Tensor:
            scale, shift = 1 + next(pairs), next(pairs)
            if not self.averages:
                return instance_norm(x, scale, shift, relu, self.peak)
            x = self.averages[next(index)](x)
            x = torch.addcmul(shift.to(x)[:, :, None, None], x, scale.to(x)[:, :, None, None])
            return F.relu(x) if relu else x

        x = (prepare_ground(image, self.training, noise) if self.ground else image) - 0.5
        for conv in self.down:
            x = normalize(conv(x))
        for block in self.blocks:
            x = x + normalize(block[1](normalize(block[0](x))), relu=False)  # type: ignore[index]
        for conv in self.up[:-1]:
            x = normalize(conv(x))
        if isinstance(self.up[-1], ResizeConv) and stays_apart(x):
            x = normalize(beside(self.up[-1].apart(x)))
            painted = interleaved(conv_beside(x, self.last.weight, self.last.bias))
        else:
            painted = self.last(normalize(self.up[-1](x)))
        painted = painted[..., : image.shape[2], : image.shape[3]].float()
        return torch.sigmoid(2 * painted) if self.output == "sigmoid" else painted.clamp(0, 1)


NORMS, UPSAMPLINGS, OUTPUTS = ("instance", "batch"), ("resize", "smooth", "transposed"), ("sigmoid", "clamp")


def as_ours(config: Config, tensors: Tensors) -> Stored:
    """Of a network of ours, or of pytorch/examples, told by its names."""
    tensors = {re.sub(r"^module\.", "", name): tensor for name, tensor in tensors.items()}
    return from_pytorch_examples(tensors) if "conv1.conv2d.weight" in tensors else (config, tensors)


@register("johnson", as_ours)
class Johnson(nn.Module):
    """One network, one style: image (N, 3, H, W) in [0, 1] to painted image; arguments as of `TransformNet`."""

    takes = "photo"

    def __init__(self, **net: Any) -> None:
        super().__init__()
        self.config = net
        self.net = TransformNet(**net)
        self.parameters_of_style = nn.Parameter(torch.zeros(1, self.net.num_parameters))

    def forward(self, image: Tensor, noise: Tensor | None = None) -> Tensor:
        return self.net(image, self.parameters_of_style, noise)


def from_pytorch_examples(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration and weights of a network in the layout of pytorch/examples, for images in [0, 1].

    There the image is 0 to 255 on both sides; the factor goes into the first and the last convolution, which is exact,
    as reflected borders commute with it. Raises ValueError where tensors are missing, or too many.
    """
    rest = {k: v for k, v in tensors.items() if not re.search(r"running_(mean|var)$|num_batches_tracked$", k)}
    blocks = len({name.split(".")[0] for name in rest if re.match(r"res\d+\.", name)})
    places = {"conv1": "down.0", "conv2": "down.1", "conv3": "down.2", "deconv1": "up.0", "deconv2": "up.1"}
    norms = ["in1", "in2", "in3"]
    for i in range(1, blocks + 1):
        places |= {f"res{i}.conv1": f"blocks.{i - 1}.0", f"res{i}.conv2": f"blocks.{i - 1}.1"}
        norms += [f"res{i}.in1", f"res{i}.in2"]
    places["deconv3"], norms = "last", [*norms, "in4", "in5"]
    layers = {f"{theirs}.conv2d": f"net.{ours}" for theirs, ours in places.items()}
    found = renamed(rest, layers | {name: name for name in norms})
    scales = [x for name in norms for x in (found.pop(f"{name}.weight") - 1, found.pop(f"{name}.bias"))]
    weight = found["net.down.0.weight"] * 255  # of x - 0.5, which is what our network sees
    found["net.down.0.weight"] = weight
    found["net.down.0.bias"] = found["net.down.0.bias"] + weight.sum((1, 2, 3)) / 2
    found["net.last.weight"], found["net.last.bias"] = found["net.last.weight"] / 255, found["net.last.bias"] / 255
    found["parameters_of_style"] = torch.cat(scales)[None]
    widths = [found[f"net.down.{i}.weight"].shape[0] for i in range(3)]
    return {"widths": widths, "blocks": blocks, "kernel": weight.shape[-1], "output": "clamp"}, found
