"""Dumoulin, Shlens and Kudlur, "A Learned Representation for Artistic Style", 2017, arXiv:1610.07629.

One network, many styles: all share the convolutions, and each has its own scales and shifts of the instance
normalizations, a point in a space in which styles can be mixed. Where we differ: the network is slim; one more point,
`plain`, is trained to give the photo back, so that a style's strength is a way through the same space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nst.models.johnson import TransformNet
from nst.registry import register


class ConditionalNet(nn.Module):
    """A network of several styles.

    Args:
        styles: their names.
        config: of `nst.models.johnson.TransformNet`.

    Attributes:
        table: (S, P) scales and shifts of each style; see `TransformNet.forward`.
        plain: (1, P) those that leave the photo as it is.
    """

    takes = "names"

    def __init__(self, styles: Sequence[str], **config: Any) -> None:
        super().__init__()
        self.styles = tuple(styles)
        self.net = TransformNet(**config)
        self.table = nn.Parameter(torch.zeros(len(self.styles), self.net.num_parameters))
        self.plain = nn.Parameter(torch.zeros(1, self.net.num_parameters))

    def mix(self, weights: Tensor, strength: Tensor | float = 1.0) -> Tensor:
        """The parameters (N, P) of mixtures of styles.

        Args:
            weights: (N, S), each row summing to 1.
            strength: from 0, the photo, to 1, the style; a number or (N, 1).
        """
        # A sum and not a product of matrices, which autocast would compute in bfloat16: a pure style stays exact.
        painted = (weights.to(self.table)[:, :, None] * self.table).sum(1)
        if isinstance(strength, Tensor):
            strength = strength.to(painted)
        return painted if isinstance(strength, float) and strength == 1 else torch.lerp(self.plain, painted, strength)

    def forward(self, image: Tensor, weights: Tensor, strength: Tensor | float = 1.0) -> Tensor:
        """The painted image (N, 3, H, W) in [0, 1]; weights and strength as of `mix`."""
        return self.net(image, self.mix(weights, strength))


@register("cin")
def build(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> ConditionalNet:
    """The network with these weights, loaded strictly."""
    model = ConditionalNet(**config)
    model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
