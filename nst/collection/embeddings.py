"""A picture as two vectors: how it looks, wherever; and what is where, however it looks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.losses import Features, moments

FINE, DEEP = ("relu1_1", "relu2_1", "relu3_1"), ("relu3_1", "relu4_1", "relu5_1")
CONTENT = ("relu4_2", "relu5_1")
LAYERS = tuple(dict.fromkeys((*FINE, *DEEP, *CONTENT)))
"""Where style is looked for by what goes together, and by how strong it is; where content is; and all of them."""

GRID = 4
"""How many cells each way the content is looked at in."""


def style_embedding(features: Features) -> Tensor:
    """What occurs together, and how strongly what occurs, wherever it is, (D,).

    Of the fine layers the correlations of all channels with each other: Gatys' Gram matrix without means and
    contrasts, which are as much the copy's as the painter's (Matsuo and Yanai 2016 compare paintings by Gram
    matrices). Of the deeper ones the logarithm of each channel's deviation, against the layer's mean. Each layer has a
    length of about 1.

    Args:
        features: of one image, of `LAYERS`.
    """
    parts = []
    for name in FINE:
        _, covariance = moments(features[name])
        deviation = covariance[0].diagonal().clamp_min(1e-8).sqrt()
        correlation = covariance[0] / deviation[:, None] / deviation[None]
        above = torch.triu_indices(len(deviation), len(deviation), 1)
        pairs = correlation[above[0], above[1]]
        parts.append(pairs / pairs.norm().clamp_min(1e-8))
    for name in DEEP:
        deviation = features[name].float().std((2, 3), correction=0)[0]
        strength = (deviation + 1e-3 * deviation.mean() + 1e-6).log()
        parts.append((strength - strength.mean()) / len(strength) ** 0.5)
    return torch.cat(parts)


def content_embedding(features: Features) -> Tensor:
    """Which deep features, of one image and of `LAYERS`, stand out where: the deepest layers without the statistics
    above, in `GRID` x `GRID` cells."""
    parts = []
    for name in CONTENT:
        x = features[name].float()
        deviation, mean = torch.std_mean(x, (2, 3), correction=0, keepdim=True)
        cells = F.adaptive_avg_pool2d((x - mean) / (deviation + 1e-4), GRID)[0].flatten()
        parts.append(cells / cells.norm().clamp_min(1e-8))
    return torch.cat(parts)
