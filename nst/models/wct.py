"""Li, Fang, Yang, Wang, Lu and Yang, "Universal Style Transfer via Feature Transforms", 2017, arXiv:1705.08086.

The photo's features are whitened and given the covariance of the style's, at five layers one after the other, deep to
shallow; each layer's decoder has only learned to give pictures back. Where we differ: the encoder is `compact`, and the
roots of covariances come from an iteration of products (`nst.losses.matrix_root`), which unlike an eigenvalue solver
cannot fail, whatever the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from nst.encoders import STYLE_LAYERS
from nst.losses import matrix_root, moments
from nst.losses.statistic import weighted_sum
from nst.models.adain import Decoder, decoded_stages
from nst.models.blocks import BorrowedEncoder
from nst.registry import register

RIDGE = 1e-4  # share of its mean variance that is added to every channel's own, so that a flat picture can be whitened


def whiten_and_color(content: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """Features (N, C, H, W) given a mean (1, C) and a covariance (1, C, C); eq. 1 to 3."""
    with torch.autocast(content.device.type, enabled=False):  # roots of matrices want all of float32
        own_mean, own = moments(content)
        _, whitening = matrix_root(_regular(own))
        coloring, _ = matrix_root(_regular(covariance))
        centered = content.float().flatten(2) - own_mean[:, :, None]
        painted = coloring @ whitening @ centered + mean[:, :, None]
    return painted.unflatten(2, content.shape[-2:])


def _regular(covariance: Tensor) -> Tensor:
    size = covariance.shape[1]
    variance = covariance.diagonal(dim1=1, dim2=2).mean(1).clamp_min(1e-12)
    return covariance + RIDGE * variance[:, None, None] * torch.eye(size).to(covariance)


@register("wct")
class WCT(nn.Module):
    """Any picture's style, from the covariances of five layers.

    Args:
        encoder: name or file of the encoder; it is not among the weights.
        layers: shallow to deep.
    """

    takes = "pictures"

    def __init__(self, encoder: str = "compact", layers: Sequence[str] = STYLE_LAYERS) -> None:
        super().__init__()
        self.encoder, self.layers = BorrowedEncoder(encoder), tuple(layers)
        self.decoders = nn.ModuleDict({name: Decoder(decoded_stages(self.encoder, name)) for name in layers})

    @torch.no_grad()
    def code(self, styles: Sequence[Tensor], weights: Sequence[float]) -> dict[str, Tensor]:
        """Mean (1, C) and covariance (1, C, C) of each layer, for a mixture of style pictures (1, 3, H, W)."""
        found: list[dict[str, Tensor]] = []
        for style in styles:
            features, one = self.encoder(style, self.layers), {}
            for name in self.layers:
                with torch.autocast(style.device.type, enabled=False):
                    one[f"{name} mean"], one[f"{name} covariance"] = moments(features[name])
            found.append(one)
        return {name: weighted_sum([one[name] for one in found], weights) for name in found[0]}

    def reconstruct(self, image: Tensor, layer: str) -> tuple[Tensor, Tensor]:
        """What the decoder of a layer makes of an image (N, 3, H, W), and the layer's features."""
        features = self.encoder(image, [layer])[layer]
        return self.decoders[layer](features, image.shape[-2:]), features

    def forward(self, image: Tensor, code: Mapping[str, Tensor], strength: Tensor | float = 1.0) -> Tensor:
        """The painted image (N, 3, H, W) in [0, 1].

        Args:
            image: the photo, (N, 3, H, W) in [0, 1].
            code: see `code`.
            strength: from 0, the photo (as the decoders see it), to 1, the style; a number or (N, 1).
        """
        size = image.shape[-2:]
        for name in reversed(self.layers):
            features = self.encoder(image, [name])[name].float()
            painted = whiten_and_color(features, code[f"{name} mean"], code[f"{name} covariance"])
            share = torch.as_tensor(strength).to(painted)
            features = torch.lerp(features, painted, share[..., None, None] if share.ndim else share)
            image = self.decoders[name](features, size)
        return image
