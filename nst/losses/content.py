"""Keeping the content: the features themselves."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nst.losses.perceptual import EPS, Features, in_view, normalized_weights


def content_loss(features: Tensor, target: Tensor, variance: Tensor | None = None) -> Tensor:
    """Squared error, relative to the target's variance; a scalar, 0 for equal features (N, C, H, W).

    Gatys et al. 2015, arXiv:1508.06576, eq. 1; there half the sum of squares. The variance may be given where it is
    known.
    """
    if variance is None:
        variance = target.float().var()
    error = (features.float() - target.float()).permute(0, 2, 3, 1).flatten()
    # A dot product, since the derivative of mse_loss is slow in channels_last on the CPU.
    return error.dot(error) / (error.numel() * variance.clamp_min(EPS))


class ContentLoss(nn.Module):
    """Keeps the features of the content at `layers`; its term is "content".

    Args:
        content: features of the content.
        layers: where to compare.
        weight: of the whole term.
        layer_weights: one for each layer, made to sum to 1; None means equal.
    """

    def __init__(
        self,
        content: Features,
        layers: Sequence[str],
        weight: float = 1.0,
        layer_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.layers, self.weight = tuple(layers), weight
        self.layer_weights = normalized_weights(layer_weights, len(self.layers))
        for name in self.layers:
            target = content[name].detach().float()
            self.register_buffer(name, target, persistent=False)
            self.register_buffer(f"{name}_variance", target.var(), persistent=False)

    def forward(self, features: Features) -> dict[str, Tensor]:
        terms = [
            weight
            * content_loss(
                features[name], in_view(self.get_buffer(name), features), self.get_buffer(f"{name}_variance")
            )
            for name, weight in zip(self.layers, self.layer_weights, strict=True)
        ]
        return {"content": self.weight * torch.stack(terms).sum()}
