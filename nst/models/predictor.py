"""Ghiasi, Lee, Kudlur, Dumoulin and Shlens, "Exploring the Structure of a Real-Time, Arbitrary Neural Artistic
Stylization Network", 2017, arXiv:1705.06830.

A network of many styles (see `nst.models.cin`) whose scales and shifts are not stored but predicted from a picture of
the style, by way of an embedding of few numbers in which styles can be mixed. Where we differ: the paper's predictor is
an Inception network; ours sees the means and deviations of the encoder's features, which is what style is to the loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nst.encoders import STYLE_LAYERS
from nst.losses.statistic import weighted_sum
from nst.models.blocks import BorrowedEncoder
from nst.models.johnson import TransformNet
from nst.registry import register

HIDDEN = 256


@register("predictor")
class StylePredictor(nn.Module):
    """Any picture's style to an embedding, and to the scales and shifts of a network.

    Args:
        encoder: name or file of the encoder that looks at styles; it is not among the weights.
        embedding: how many numbers are a style.
        net: arguments of `nst.models.johnson.TransformNet`.

    Attributes:
        center, spread: mean and deviation of what is seen of styles, by which it is normalized.
        plain: (1, P) scales and shifts that leave the photo as it is.
    """

    takes = "pictures"

    center: Tensor
    spread: Tensor

    def __init__(self, encoder: str = "compact", embedding: int = 96, **net: Any) -> None:
        super().__init__()
        self.net = TransformNet(**net)
        self.encoder = BorrowedEncoder(encoder)
        seen = 2 * sum(self.encoder.widths(STYLE_LAYERS))
        self.register_buffer("center", torch.zeros(seen))
        self.register_buffer("spread", torch.ones(seen))
        self.look = nn.Sequential(nn.Linear(seen, HIDDEN), nn.LeakyReLU(0.1), nn.Linear(HIDDEN, embedding))
        self.predict = nn.Sequential(
            nn.Linear(embedding, HIDDEN), nn.LeakyReLU(0.1), nn.Linear(HIDDEN, self.net.num_parameters)
        )
        self.plain = nn.Parameter(torch.zeros(1, self.net.num_parameters))

    @torch.no_grad()
    def seen(self, style: Tensor) -> Tensor:
        """Logarithms of the means and deviations of the features of styles (N, 3, H, W): (N, 2 * all channels)."""
        features = self.encoder(style, STYLE_LAYERS)
        found = []
        for name in STYLE_LAYERS:
            deviation, mean = torch.std_mean(features[name].float(), (2, 3), correction=0)
            found += [mean, deviation]
        return (torch.cat(found, 1) + 0.01).log()

    def code(self, styles: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
        """The embedding (1, E) of a mixture of style pictures (1, 3, H, W), whose weights sum to 1."""
        return weighted_sum([self.embed(self.seen(style)) for style in styles], weights)

    def embed(self, seen: Tensor) -> Tensor:
        """The embedding (N, E) of what `seen` gives."""
        with torch.autocast(seen.device.type, enabled=False):
            return self.look((seen - self.center) / self.spread)

    def forward(
        self, image: Tensor, code: Tensor, strength: Tensor | float = 1.0, noise: Tensor | None = None
    ) -> Tensor:
        """The painted image (N, 3, H, W) in [0, 1].

        Args:
            image: the photo, (N, 3, H, W) in [0, 1].
            code: (N or 1, E), see `code`.
            strength: from 0, the photo, to 1, the style; a number or (N, 1).
            noise: see `TransformNet.forward`.
        """
        with torch.autocast(image.device.type, enabled=False):
            painted = self.predict(code)
            strength = strength.to(painted) if isinstance(strength, Tensor) else strength
            parameters = torch.lerp(self.plain, painted, strength)
        return self.net(image, parameters, noise)
