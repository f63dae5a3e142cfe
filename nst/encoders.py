"""Encoders: an image in, named features out.

Every encoder is a stack of stages of 3x3 convolutions with ReLU, with 2x2 pooling between the
stages: VGG-16 and VGG-19 (Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale
Image Recognition", 2014, arXiv:1409.1556) and our own `compact`, a narrow student of VGG-19.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.device import Device
from nst.layers import average_pool, conv_relu
from nst.registry import Config, Stored, Tensors, load_model, register
from nst.weights import WeightsError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
VGG_DEPTHS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
VGG_WIDTHS = (64, 128, 256, 512, 512)

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYERS = ("relu4_2",)
KEPT_LAYERS = ("relu3_1", *CONTENT_LAYERS)
KEPT_WEIGHTS = (1.0, 3.0)
"""Where a painting keeps its photo, and what the layers count: the deeper one alone lets light turn into dark and eyes
into strokes, and with the other as heavy little is painted."""


class Encoder(nn.Module):
    """Features of an image by layer name.

    Args:
        stages: widths of the convolutions, stage by stage; `[[64, 64], [128]]` has the layers
            `relu1_1`, `relu1_2` and `relu2_1`.
        padding: of every convolution but the first: "zeros", "reflect" or "replicate".
        first_padding: of the first convolution; None means the same. Replicate padding there keeps
            VGG from seeing a black frame (crowsonkb/style-transfer-pytorch).
        pooling: the pooling the weights were trained with, "max" or "average".
        rescale: what the *other* pooling is multiplied by, so that features keep their size.
        mean, std: of the input, per channel, for an image in [0, 1].
        content_gain: how much more a content loss on this encoder counts, so that one strength keeps as much of
            the content on each; measured (`python -m nst evaluate encoders`).

    Attributes:
        pooling: may be set to "max" or "average" at any time.
        layers: every valid layer name, shallow to deep.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        stages: Sequence[Sequence[int]],
        *,
        padding: str = "reflect",
        first_padding: str | None = None,
        pooling: str = "average",
        rescale: float = 1.0,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        content_gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.native_pooling = self.pooling = pooling
        self.rescale = rescale
        self.content_gain = content_gain
        width = 3
        self.stages: list[list[str]] = []
        for s, widths in enumerate(stages, 1):
            self.stages.append([])
            for i, out in enumerate(widths, 1):
                mode = first_padding if (s, i) == (1, 1) and first_padding else padding
                conv = nn.Conv2d(width, out, 3, padding=1, padding_mode=mode)  # type: ignore[arg-type]
                self.add_module(f"conv{s}_{i}", conv)
                self.stages[-1].append(f"relu{s}_{i}")
                width = out
        self.layers: tuple[str, ...] = tuple(name for stage in self.stages for name in stage)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Features (N, C, H, W) of an image (N, 3, H, W) in [0, 1], shallow to deep.

        The image itself is there as "image", so that a regularizer is a loss like any other. Nothing
        deeper than the deepest layer asked for is computed.

        Raises:
            ValueError: a layer this encoder does not have.
        """
        wanted = {name for name in layers if name != "image"}
        if unknown := sorted(wanted - set(self.layers)):
            raise ValueError(f"No layer {', '.join(unknown)}. This encoder has: {', '.join(self.layers)}.")
        features = {"image": image}
        x = (image - self.mean) / self.std
        for s, stage in enumerate(self.stages):
            if len(features) > len(wanted):
                break
            if s:
                x = self.pool(x, learning=self.get_parameter("conv1_1.weight").requires_grad)
            for name in stage:
                conv: nn.Conv2d = getattr(self, name.replace("relu", "conv"))
                x = conv_relu(x, conv.weight, conv.bias, conv.padding_mode)  # type: ignore[arg-type]
                if name in wanted:
                    features[name] = x
                    if len(features) > len(wanted):
                        break
        return features

    @property
    def strides(self) -> dict[str, int]:
        """How many pixels lie between two positions of each layer."""
        return {name: 2**s for s, stage in enumerate(self.stages) for name in stage}

    def reach(self, layers: Sequence[str]) -> int:
        """How many pixels beyond its own square the deepest of some layers sees, up to whole squares of the last."""
        reach, strides, wanted = 0, self.strides, set(layers) & set(self.layers)
        for i, name in enumerate(self.layers):
            if not wanted:
                break
            if i and strides[name] > strides[self.layers[i - 1]]:
                reach += strides[self.layers[i - 1]]
            reach += strides[name]
            wanted.discard(name)
        largest = max(strides.values())
        return -(-reach // largest) * largest

    def pool(self, x: Tensor, learning: bool = False) -> Tensor:
        """Features (N, C, H, W) of half the size, between two stages."""
        # ceil_mode keeps the last odd row, as in the 16x-compressed VGG-19; for even sizes nothing changes.
        if self.pooling == "max":
            x = F.max_pool2d(x, 2, ceil_mode=True)
        elif self.pooling == "average":  # ours cannot be derived twice, which a training may want
            x = F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False) if learning else average_pool(x)
        else:
            raise ValueError(f'Pooling is "max" or "average", not "{self.pooling}".')
        return x if self.pooling == self.native_pooling else x * self.rescale


class EncoderPair:
    """Two encoders as one; the layers of the second are asked for by names that begin with `SECOND`."""

    SECOND = "content:"

    def __init__(self, first: Encoder, second: Encoder) -> None:
        self.first, self.second = first, second

    def __call__(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Features of an image by layer name, see `Encoder.forward`; each encoder runs as far as it is asked."""
        features = self.first(image, [name for name in layers if not name.startswith(self.SECOND)])
        own = [name.removeprefix(self.SECOND) for name in layers if name.startswith(self.SECOND)]
        found = self.second(image, own) if own else {}
        return features | {self.SECOND + name: found[name] for name in own}

    @property
    def strides(self) -> dict[str, int]:
        """See `Encoder.strides`."""
        return self.first.strides | {self.SECOND + name: stride for name, stride in self.second.strides.items()}

    def reach(self, layers: Sequence[str]) -> int:
        """See `Encoder.reach`."""
        own = [name.removeprefix(self.SECOND) for name in layers if name.startswith(self.SECOND)]
        return max(self.first.reach([n for n in layers if not n.startswith(self.SECOND)]), self.second.reach(own))


def load_encoder(name: str | Path, *, progress: Any = None, download: bool = True) -> Encoder:
    """A frozen encoder by registered name, or from a file: ours, torchvision's VGG, or a compressed VGG.

    Raises:
        ValueError: no such name, or the file holds another network.
        nst.weights.WeightsError: the weights are neither here nor to be had, or damaged.
    """
    model = load_model(name, progress=progress, download=download, architecture="encoder")
    if not isinstance(model, Encoder):
        raise ValueError(f'"{name}" is not an encoder.')
    return model


def load_onto(device: Device, name: str, pooling: str | None, progress: Any = None, download: bool = True) -> Encoder:
    """An encoder of one's own to change, on this device."""
    model: Encoder = copy.deepcopy(load_encoder(name, progress=progress, download=download)).to(device.torch_device)
    model.pooling = pooling or model.native_pooling
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and device.dtype:  # once, instead of in each step
            module.to(device.dtype)
    return model


def as_ours(config: Config, tensors: Tensors) -> Stored:
    """Arguments of `Encoder` and its tensors; the layout of others is told by the tensors' names.

    Args:
        config: arguments of `Encoder`; empty for a layout that is known by its names.
        tensors: `convS_I.*` (ours), `[features.]N.*` (torchvision; or the normalized VGG-19, whose
            first convolution is a 1x1 input transform), or `convSI.*` (the compressed VGG-19).
    """
    features = {k: v for k, v in tensors.items() if not k.startswith("classifier.")}
    tensors = {re.sub(r"^features\.", "", k): v for k, v in features.items()}
    config = {k: v for k, v in config.items() if k != "arch"}
    if all(re.fullmatch(r"\d+\.(weight|bias)", k) for k in tensors):
        config, tensors = _from_indices(tensors, config)
    elif any(re.fullmatch(r"conv\d\d\.weight", k) for k in tensors):
        names = [k for k in tensors if re.fullmatch(r"conv\d\d\.weight", k)]
        convs = {f"conv{k[4]}_{k[5]}": (tensors[k], tensors[k.replace("weight", "bias")]) for k in names}
        config, tensors = _reflecting(convs, tensors["conv0.weight"], tensors["conv0.bias"])
    if "stages" not in config:
        raise WeightsError("This file holds no encoder that Pastiche knows: VGG-16, VGG-19, or one of its own.")
    return config, tensors


def _from_indices(tensors: Mapping[str, Tensor], config: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Weights numbered as in torchvision's `features`, or as in AdaIN's normalized VGG-19."""
    order = sorted({int(k.split(".")[0]) for k in tensors})
    weights = [(tensors[f"{i}.weight"], tensors[f"{i}.bias"]) for i in order]
    transform = weights.pop(0) if weights[0][0].shape[-1] == 1 else None
    depths = VGG_DEPTHS["vgg16" if len(weights) == 13 else "vgg19"]
    names = [f"conv{s}_{i}" for s, depth in enumerate(depths, 1) for i in range(1, depth + 1)]
    convs = dict(zip(names, weights, strict=False))
    if transform is not None:
        return _reflecting(convs, *transform)
    known = {"padding": "zeros", "first_padding": "replicate", "pooling": "max", "rescale": 2.0}
    config = {"stages": _widths(convs), "mean": IMAGENET_MEAN, "std": IMAGENET_STD, **known, **config}
    return config, _named(convs)


def _reflecting(
    convs: dict[str, tuple[Tensor, Tensor]], matrix: Tensor, offset: Tensor
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Fold a 1x1 input transform into the first convolution: exact, as reflection commutes with it."""
    weight, bias = convs["conv1_1"]
    folded = torch.einsum("oihw,ij->ojhw", weight, matrix[:, :, 0, 0])
    convs["conv1_1"] = folded, bias + torch.einsum("oihw,i->o", weight, offset)
    config = {"stages": _widths(convs), "padding": "reflect", "pooling": "max", "rescale": 2.0}
    return config, _named(convs)


def _widths(convs: Mapping[str, tuple[Tensor, Tensor]]) -> list[list[int]]:
    stages: dict[str, list[int]] = {}
    for name in sorted(convs):
        stages.setdefault(name[4], []).append(convs[name][0].shape[0])
    return list(stages.values())


def _named(convs: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    weights = {f"{name}.weight": weight for name, (weight, _) in convs.items()}
    return weights | {f"{name}.bias": bias for name, (_, bias) in convs.items()}


register("encoder", as_ours)(Encoder)
