"""Dumoulin, Shlens and Kudlur, "A Learned Representation for Artistic Style", 2017, arXiv:1610.07629.

One network, many styles: all share the convolutions, and each has its own scales and shifts of the instance
normalizations, a point in a space in which styles can be mixed. Where we differ: the network is slim; one more point,
`plain`, is trained to give the photo back, so that a style's strength is a way through the same space.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nst.models.johnson import TransformNet
from nst.registry import register


@register("cin")
class ConditionalNet(nn.Module):
    """A network of several styles.

    Args:
        styles: their names.
        brushes: sizes of the brush that each style was learned at, ascending, relative to the usual one.
        net: arguments of `nst.models.johnson.TransformNet`.

    Attributes:
        table: (S, P) scales and shifts of each style, or (B, S, P) for several brushes; see `TransformNet.forward`.
        plain: (1, P) those that leave the photo as it is.
    """

    takes = "names"

    def __init__(self, styles: Sequence[str], brushes: Sequence[float] = (1.0,), **net: Any) -> None:
        super().__init__()
        self.styles, self.brushes = tuple(styles), tuple(brushes)
        self.net = TransformNet(**net)
        shape = (len(self.styles), self.net.num_parameters)
        self.table = nn.Parameter(torch.zeros(shape if len(self.brushes) == 1 else (len(self.brushes), *shape)))
        self.plain = nn.Parameter(torch.zeros(1, self.net.num_parameters))
        self.register_buffer("usual", self.brush_weights(1.0), persistent=False)

    def with_styles(self, styles: Sequence[str], table: Tensor) -> ConditionalNet:
        """The same network, whose convolutions it shares, with other styles.

        Args:
            styles: their names.
            table: (B, S, P) their scales and shifts; a parameter stays the very one.
        """
        other = copy.copy(self)
        other._parameters = {
            **self._parameters,
            "table": table if isinstance(table, nn.Parameter) else nn.Parameter(table, False),
        }
        other.styles = tuple(styles)
        return other

    def brush_weights(self, brush: float) -> Tensor:
        """The weights (1, B) by which the learned brushes stand for a brush of this size: those of the two nearest in
        size, interpolated on a logarithmic scale."""
        places = torch.tensor(self.brushes).log()
        at = min(max(math.log(brush), float(places[0])), float(places[-1]))
        weights = torch.zeros(1, len(places))
        right = int(torch.searchsorted(places, at).clamp(1, max(1, len(places) - 1)))
        if len(places) == 1:
            return torch.ones(1, 1)
        share = (at - float(places[right - 1])) / float(places[right] - places[right - 1])
        weights[0, right - 1], weights[0, right] = 1 - share, share
        return weights

    def mix(self, weights: Tensor, strength: Tensor | float = 1.0, brush: Tensor | float = 1.0) -> Tensor:
        """The parameters (N, P) of mixtures of styles.

        Args:
            weights: (N, S), each row summing to 1.
            strength: from 0, the photo, to 1, the style; a number or (N, 1).
            brush: its size, relative to the usual one; or (N or 1, B) how much each of the brushes counts.
        """
        table = self.table.view(len(self.brushes), len(self.styles), -1)
        if not isinstance(brush, Tensor):  # the usual one is on the device already
            brush = self.get_buffer("usual") if brush == 1 else self.brush_weights(brush)
        each = brush.to(table)[:, :, None] * weights.to(table)[:, None]
        # A sum and not a product of matrices, which autocast would compute in bfloat16: a pure style stays exact.
        painted = (each[..., None] * table).sum((1, 2))
        if isinstance(strength, Tensor):
            strength = strength.to(painted)
        return painted if isinstance(strength, float) and strength == 1 else torch.lerp(self.plain, painted, strength)

    def forward(
        self,
        image: Tensor,
        weights: Tensor,
        strength: Tensor | float = 1.0,
        brush: Tensor | float = 1.0,
        noise: Tensor | None = None,
    ) -> Tensor:
        """The painted image (N, 3, H, W) in [0, 1]; weights, strength and brush as of `mix`, noise as of the net."""
        return self.net(image, self.mix(weights, strength, brush), noise)
