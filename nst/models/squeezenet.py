"""Iandola, Han, Moskewicz, Ashraf, Dally and Keutzer, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and
<0.5MB model size", 2016, arXiv:1602.07360.

Version 1.1, torchvision's layers, which tells the 1,000 kinds of things of ImageNet apart. A teacher and a judge: none
comes with Pastiche. Where its input differs from torchvision's, see `forward`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nst.registry import Config, Stored, Tensors, register

SORREL, ZEBRA = 339, 340  # the numbers that ImageNet gives a brown horse and a zebra

STAGES = {"relu1_1": 1, "relu2_1": 3, "relu3_1": 6, "relu4_1": 9, "relu4_2": 10, "relu5_1": 12}
"""Which of its parts stand as deep in it as the layers of these names in VGG, see `nst.encoders`."""


def as_ours(config: Config, tensors: Tensors) -> Stored:
    """Of tensors under torchvision's names."""
    return {}, {name.replace("classifier.1.", "classifier."): tensor for name, tensor in tensors.items()}


@register("squeezenet", as_ours)
class SqueezeNet(nn.Module):
    """Images to features or classes; as in the authors' release, the weights want BGR, 0 to 255, less a mean."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import squeezenet1_1

        model = squeezenet1_1(weights=None)
        self.features, self.classifier = model.features, model.classifier[1]
        self.register_buffer("mean", torch.tensor([104.0, 117.0, 123.0]).view(1, 3, 1, 1), persistent=False)

    def encode(self, image: Tensor) -> Tensor:
        """(N, 512, H/16, W/16) features of an image (N, 3, H, W) in [0, 1], up to the ninth fire module."""
        found: Tensor = self.features(self._wanted(image))
        return found

    def look(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Features (N, C, h, w) of an image (N, 3, H, W) in [0, 1] by the names in `STAGES`, as of an encoder. Raises
        ValueError for another name."""
        if unknown := sorted(set(layers) - {"image", *STAGES}):
            raise ValueError(f"No layer {', '.join(unknown)}. SqueezeNet has: {', '.join(STAGES)}.")
        found, x = {"image": image}, self._wanted(image)
        names = {STAGES[name]: name for name in layers if name != "image"}
        for i, part in enumerate(self.features[: max(names, default=-1) + 1]):
            x = part(x)
            if i in names:
                found[names[i]] = x
        return found

    def locate(self, image: Tensor, label: int) -> Tensor:
        """How likely it is a label's at each place (N, 1, H/16, W/16) of an image (N, 3, H, W) in [0, 1]."""
        return self.classifier(self.encode(image)).relu().float().softmax(1)[:, label : label + 1]

    def forward(self, image: Tensor) -> Tensor:
        """Probabilities (N, 1000) of the classes of an image (N, 3, H, W) in [0, 1], best of 227 pixels a side."""
        scores = self.classifier(self.encode(image)).relu().float()
        return scores.mean((2, 3)).softmax(1)

    def _wanted(self, image: Tensor) -> Tensor:
        """An image in [0, 1] as the weights want it."""
        return image.flip(1) * 255 - self.get_buffer("mean")
