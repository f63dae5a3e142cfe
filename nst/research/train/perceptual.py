"""The objective of every feed-forward stylizer: what a painted picture should share with its photo and its style.

Content, style and total variation as in Johnson et al. 2016, arXiv:1603.08155, each sample's terms relative to its own
targets (see `nst.losses`), so that a dark style weighs as much as a bright one. Gram matrices say little of color,
so the distribution of colors itself is compared as well (`nst.losses.colors`); and specks of color, by which networks
like to match textures, cost something where the style has fewer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.device import Device
from nst.encoders import CONTENT_LAYERS, STYLE_LAYERS, Encoder
from nst.losses import EPS, Features, total_variation
from nst.losses.colors import color_directions, sorted_colors, speckle
from nst.losses.structure import structural_similarity

Statistics = dict[str, Tensor]


def statistics(features: Features, directions: Tensor) -> Statistics:
    """What a style is here: of each layer the Gram matrix (N, C, C), of the image the sorted colors and their noise."""
    found: Statistics = {}
    for name in STYLE_LAYERS:
        # Channels last and in the features' own format: bfloat16 products are summed in float32.
        x = features[name].permute(0, 2, 3, 1).flatten(1, 2)
        found[f"{name} gram"] = (x.transpose(1, 2) @ x).float() / x.shape[1]
    found["colors"] = sorted_colors(features["image"], directions)
    found["speckle"] = speckle(features["image"])
    return found


@dataclass(frozen=True)
class Weights:
    """Of the terms of the objective; `enough` is the structural similarity beyond which structure costs nothing."""

    content: float = 0.05
    style: float = 1.0
    color: float = 0.5
    structure: float = 0.0
    enough: float = 0.45
    tv: float = 0.05
    plain: float = 3.0
    speckle: float = 0.0


class Perceptual(nn.Module):
    """Terms of painted pictures; frozen, and without anything that learns."""

    directions: Tensor

    def __init__(self, encoder: Encoder, where: Device, weights: Weights | None = None) -> None:
        super().__init__()
        self.encoder, self.where, self.weights = encoder, where, weights or Weights()
        self.register_buffer("directions", color_directions(), persistent=False)

    @torch.no_grad()
    def style(self, images: Tensor) -> Statistics:
        """The statistics of style pictures (N, 3, H, W)."""
        with self.where.autocast():
            return statistics(self.encoder(images, STYLE_LAYERS), self.directions)

    def forward(
        self,
        painted: Tensor,
        photo: Tensor,
        style: Statistics,
        strength: Tensor,
        kept: Features | None = None,
        factor: Tensor | float = 1.0,
    ) -> dict[str, Tensor]:
        """Weighted terms.

        Args:
            painted, photo: (N, 3, H, W) in [0, 1].
            style: what each should have, see `style`.
            strength: (N,) how much of the style each is asked for; at 0 the photo itself is.
            kept: features to keep, by layer; None means those of the photo at `CONTENT_LAYERS`.
            factor: (N,) how much more the content counts in each.
        """
        w = self.weights
        if kept is None:
            with torch.no_grad(), self.where.autocast():
                kept = self.encoder(photo, CONTENT_LAYERS)
        layers = [name for name in kept if name != "image"]
        with self.where.autocast():
            features = self.encoder(painted, (*layers, *STYLE_LAYERS))
        found = statistics(features, self.directions)
        content = torch.zeros(len(painted), device=painted.device)
        for name in layers:
            content = content + _relative(features[name], kept[name], True) / len(layers)
        # Logarithms, or a black picture asked for as a style would outweigh all others.
        gram = torch.stack([_relative(found[f"{n} gram"], style[f"{n} gram"]) for n in STYLE_LAYERS]).mean(0)
        similarity = structural_similarity(painted, photo) if w.structure else strength.new_ones(())
        color = _relative(found["colors"], style["colors"], True)
        noise = F.relu(found["speckle"] / (style["speckle"] + 1 / 255) - 1)
        plain = F.mse_loss(painted, photo, reduction="none").mean((1, 2, 3)) * 10
        return {
            "content": w.content * (factor * content).mean(),
            "style": w.style * (strength * gram.log1p()).mean(),
            "color": w.color * (strength * color.log1p()).mean(),
            "structure": w.structure * (strength * F.relu(w.enough - similarity)).mean(),
            "plain": w.plain * ((1 - strength) ** 2 * plain).mean(),
            "tv": w.tv * total_variation(painted),
            "speckle": w.speckle * (strength * noise).mean(),
        }


def _relative(found: Tensor, wanted: Tensor, centered: bool = False) -> Tensor:
    """Squared error of each sample relative to its target's square, or variance; (N,)."""
    found, wanted = found.float().flatten(1), wanted.float().flatten(1)
    size = wanted.var(1) if centered else wanted.square().mean(1)
    return (found - wanted).square().mean(1) / size.clamp_min(EPS)
