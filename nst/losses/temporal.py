"""Keeping to the frame before."""

from __future__ import annotations

from torch import Tensor, nn

from nst.losses.perceptual import Features


class TemporalLoss(nn.Module):
    """Squared distance to the last result of a clip, moved along, where its motion is trusted; its term is "temporal".

    Ruder, Dosovitskiy and Brox 2016, arXiv:1604.08610, eq. 7; there a sum over 255 levels.

    Args:
        moved: the last result as the new frame would show it, (1, 3, H, W) in [0, 1].
        trust: (1, 1, H, W) in [0, 1].
        weight: of the term.
    """

    layers: tuple[str, ...] = ()

    def __init__(self, moved: Tensor, trust: Tensor, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.register_buffer("moved", moved, persistent=False)
        self.register_buffer("trust", trust, persistent=False)

    def forward(self, features: Features) -> dict[str, Tensor]:
        error = (features["image"].float() - self.get_buffer("moved")).square()
        return {"temporal": self.weight * (self.get_buffer("trust") * error).mean()}
