"""Keeping the content: the features themselves."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.losses.perceptual import EPS, Features, in_view, normalized_weights


def content_loss(
    features: Tensor, target: Tensor, variance: Tensor | None = None, care: Tensor | None = None
) -> Tensor:
    """Squared error, relative to the target's variance; a scalar, 0 for equal features (N, C, H, W).

    Gatys et al. 2015, arXiv:1508.06576, eq. 1; there half the sum of squares. The variance may be given where it is
    known, and what each place counts, (N, 1, H, W), where that is not 1.
    """
    if variance is None:
        variance = target.float().var()
    difference = features.float() - target.float()
    error = (difference if care is None else difference * care.sqrt()).permute(0, 2, 3, 1).flatten()
    # A dot product, since the derivative of mse_loss is slow in channels_last on the CPU.
    return error.dot(error) / (error.numel() * variance.clamp_min(EPS))


class ContentLoss(nn.Module):
    """Keeps the features of the content at `layers`; its term is "content".

    Args:
        content: features of the content, or of several views of it (see `nst.transforms`).
        layers: where to compare.
        weight: of the whole term.
        layer_weights: one for each layer, made to sum to 1; None means equal.
        care: what each place of the picture counts, (N, 1, H, W), in each view; None is 1.
    """

    def __init__(
        self,
        content: Features,
        layers: Sequence[str],
        weight: float = 1.0,
        layer_weights: Sequence[float] | None = None,
        care: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.layers, self.weight = tuple(layers), weight
        self.layer_weights = normalized_weights(layer_weights, len(self.layers))
        for name in self.layers:
            target = content[name].detach().float()
            self.register_buffer(name, target, persistent=False)
            self.register_buffer(f"{name}_variance", target.var(), persistent=False)
            shrunk = None if care is None else F.interpolate(care, target.shape[-2:], mode="area")
            self.register_buffer(f"{name}_care", shrunk, persistent=False)

    def forward(self, features: Features) -> dict[str, Tensor]:
        terms = [
            weight * self._compare(name, features) for name, weight in zip(self.layers, self.layer_weights, strict=True)
        ]
        return {"content": self.weight * torch.stack(terms).sum()}

    def _compare(self, name: str, features: Features) -> Tensor:
        care = getattr(self, f"{name}_care")
        there = None if care is None else in_view(care, features)
        target = in_view(self.get_buffer(name), features)
        return content_loss(features[name], target, self.get_buffer(f"{name}_variance"), there)
