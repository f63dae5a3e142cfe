"""Huang and Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization", 2017,
arXiv:1703.06868.

The photo's features are given the means and deviations of the style's, and a decoder turns them into a picture. Where
we differ: encoder and decoder are those of `compact`, seven times smaller than the paper's VGG-19 up to relu4_1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.losses.statistic import weighted_sum
from nst.models.blocks import EPS, BorrowedEncoder, Conv, ResizeConv
from nst.registry import register


class Decoder(nn.Module):
    """An encoder's stages in reverse: features (N, C, h, w) of the first layer of a stage to an image in [0, 1].

    Args:
        stages: widths of the encoder's convolutions, stage by stage, down to the layer that is decoded.
    """

    def __init__(self, stages: Sequence[Sequence[int]]) -> None:
        super().__init__()
        widths = [list(stage) for stage in stages]
        self.layers = nn.ModuleList()
        for s in reversed(range(1, len(widths))):
            inside, following = widths[s][0], widths[s - 1]
            self.layers.append(ResizeConv(inside, following[-1]))
            self.layers += [Conv(a, b, 3) for a, b in zip(reversed(following), reversed(following[:-1]), strict=False)]
        self.last = Conv(widths[0][0], 3, 3)

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """An image (N, 3, *size); as the encoder rounds odd sizes up, the decoder's may be larger, and is cut."""
        for layer in self.layers:
            x = F.relu(layer(x))
        return torch.sigmoid(self.last(x)[..., : size[0], : size[1]].float() * 2)


def decoded_stages(encoder: BorrowedEncoder, layer: str) -> list[list[int]]:
    """The widths of an encoder's convolutions down to `layer`."""
    found: list[list[int]] = []
    for stage in encoder.encoder.stages:
        found.append(encoder.widths(stage[: stage.index(layer) + 1] if layer in stage else stage))
        if layer in stage:
            return found
    raise ValueError(f"No layer {layer}. This encoder has: {', '.join(encoder.encoder.layers)}.")


def adaptive_instance_norm(content: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Features (N, C, H, W) given these means and deviations (N or 1, C); eq. 8."""
    x = content.float()
    own_deviation, own_mean = torch.std_mean(x, (2, 3), correction=0, keepdim=True)
    mean, deviation = mean[:, :, None, None], deviation[:, :, None, None]
    return (x - own_mean) / (own_deviation + EPS) * deviation + mean


@register("adain")
class AdaIN(nn.Module):
    """Any picture's style, from the means and deviations of one layer.

    Args:
        encoder: name or file of the encoder; it is not among the weights.
        layer: where statistics are exchanged.
    """

    takes = "pictures"

    def __init__(self, encoder: str = "compact", layer: str = "relu4_1") -> None:
        super().__init__()
        self.encoder = BorrowedEncoder(encoder)
        self.layer = layer
        self.decoder = Decoder(decoded_stages(self.encoder, layer))

    def features(self, image: Tensor) -> Tensor:
        """Features (N, C, h, w) of an image (N, 3, H, W) in [0, 1]."""
        return self.encoder(image, [self.layer])[self.layer]

    def code(self, styles: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
        """Means, then deviations, (1, 2 C) of a mixture of style pictures (1, 3, H, W), whose weights sum to 1."""
        return weighted_sum([self.statistics(style) for style in styles], weights)

    def statistics(self, style: Tensor) -> Tensor:
        """Means, then deviations, (N, 2 C) of style pictures (N, 3, H, W)."""
        with torch.no_grad():
            deviation, mean = torch.std_mean(self.features(style).float(), (2, 3), correction=0)
        return torch.cat([mean, deviation], 1)

    def target(self, image: Tensor, code: Tensor, strength: Tensor | float = 1.0) -> Tensor:
        """Features of the photo with the statistics of the style; eq. 14 for the strength."""
        with torch.no_grad():
            features = self.features(image).float()
            painted = adaptive_instance_norm(features, *code.chunk(2, 1))
            strength = torch.as_tensor(strength).to(painted)
            return torch.lerp(features, painted, strength[..., None, None] if strength.ndim else strength)

    def forward(self, image: Tensor, code: Tensor, strength: Tensor | float = 1.0) -> Tensor:
        """The painted image (N, 3, H, W) in [0, 1].

        Args:
            image: the photo, (N, 3, H, W) in [0, 1].
            code: (N or 1, 2 C), see `code`.
            strength: from 0, the photo (as the decoder sees it), to 1, the style; a number or (N, 1).
        """
        return self.decoder(self.target(image, code, strength), image.shape[-2:])
