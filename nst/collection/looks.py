"""A picture as two vectors: how it looks, wherever; and what is where, however it looks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.encoders import STYLE_LAYERS
from nst.losses import Features, mean_variance

CONTENT = ("relu4_2", "relu5_1")
LAYERS = (*STYLE_LAYERS, "relu4_2")
"""What an encoder is asked for."""

GRID = 4
"""How many cells each way the content is looked at in."""


def style_look(features: Features) -> Tensor:
    """Means and deviations of every channel of each style layer, (D,); which layer has what weight is decided later.

    The statistics that instance normalization exchanges (Huang and Belongie 2017, arXiv:1703.06868), which forget
    where things are. Each layer is divided by its own root mean square, so that contrast counts once, not five times.

    Args:
        features: of one image, of `LAYERS`.
    """
    parts = []
    for name in STYLE_LAYERS:
        mean, variance = mean_variance(features[name])
        both = torch.cat([mean[0], variance[0].clamp_min(0).sqrt()])
        parts.append(both / both.norm().clamp_min(1e-8))
    return torch.cat(parts)


def content_look(features: Features) -> Tensor:
    """Which deep features stand out where: the deepest layers without the statistics above, in `GRID` x `GRID` cells.

    Args:
        features: of one image, of `LAYERS`.
    """
    parts = []
    for name in CONTENT:
        x = features[name].float()
        deviation, mean = torch.std_mean(x, (2, 3), correction=0, keepdim=True)
        cells = F.adaptive_avg_pool2d((x - mean) / (deviation + 1e-4), GRID)[0].flatten()
        parts.append(cells / cells.norm().clamp_min(1e-8))
    return torch.cat(parts)
