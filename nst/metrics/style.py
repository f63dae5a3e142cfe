"""How far the statistics of a result's features are from those of its style."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nst.encoders import STYLE_LAYERS
from nst.losses import StyleLoss
from nst.optimize import Encoding


@torch.no_grad()
def style_distances(
    image: Tensor, style: Tensor, encoder: Encoding, layers: Sequence[str] = STYLE_LAYERS, kind: str = "gram"
) -> dict[str, float]:
    """The squared distance of the statistics at each layer, relative to the style's own norm; by layer.

    0 for equal statistics; an image without any features has 1; no upper bound.

    Args:
        image, style: (1, 3, H, W) in [0, 1], of any sizes.
        encoder: image to features by layer: an `nst.encoders.Encoder`, or `nst.metrics.Pyramid`.
        layers: where to compare.
        kind: which statistics, a name of `nst.losses.STYLE_LOSSES`: "gram" (Gatys et al. 2015, arXiv:1508.06576,
            eq. 4, normalized as in `nst.losses.gram_loss`), "mean-variance" (moments; Li et al. 2017,
            arXiv:1701.01036), "wasserstein" (mean and covariance; Mroueh 2019, arXiv:1905.12828), ...

    Raises:
        ValueError: an unknown kind or layer.
    """
    found, wanted = encoder(image, tuple(layers)), encoder(style, tuple(layers))
    return {name: float(StyleLoss(wanted, (name,), kind=kind)(found)["style"]) for name in layers}


def style_distance(
    image: Tensor, style: Tensor, encoder: Encoding, layers: Sequence[str] = STYLE_LAYERS, kind: str = "gram"
) -> float:
    """The mean of `style_distances` over the layers."""
    found = style_distances(image, style, encoder, layers, kind)
    return sum(found.values()) / len(found)


def style_closure(
    image: Tensor,
    content: Tensor,
    style: Tensor,
    encoder: Encoding,
    layers: Sequence[str] = STYLE_LAYERS,
    kind: str = "gram",
) -> float:
    """The share of the `style_distance` from a content to a style that an image closes; arguments as there.

    1 for the style's own statistics, 0 for the content's, below 0 for statistics that are farther away than those. A
    network that was optimized on `encoder`, or on a student of it, may have learned to deceive it: ask several.
    """
    start = style_distance(content, style, encoder, layers, kind)
    return 1 - style_distance(image, style, encoder, layers, kind) / start
