"""Perceptual distance with learned weights, where the package `lpips` and its backbone are at hand."""

from __future__ import annotations

import importlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

BACKBONES = {"alex": "alexnet-owt-*.pth", "vgg": "vgg16-397923af.pth", "squeeze": "squeezenet1_1-b8a52dc0.pth"}
"""The networks that the package knows, and torchvision's file of each."""


@torch.no_grad()
def perceptual_distance(image: Tensor, reference: Tensor, network: str = "alex") -> float:
    """How different two images (1, 3, H, W) in [0, 1] of one size look to people; 0 for equal ones, about 1 at most.

    Zhang, Isola, Efros, Shechtman and Wang, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
    2018, arXiv:1801.03924; by their own package.

    Args:
        image, reference: what is compared.
        network: a name of `BACKBONES`.

    Raises:
        ValueError: the package or the backbone's weights are not on this machine; nothing is fetched.
    """
    return float(_metric(network)(image * 2 - 1, reference * 2 - 1))


@lru_cache(maxsize=3)
def _metric(network: str) -> Any:
    if network not in BACKBONES:
        raise ValueError(f'No network "{network}" for perceptual distance: choose {", ".join(BACKBONES)}.')
    try:
        package = importlib.import_module("lpips")
    except ImportError:
        raise ValueError("The perceptual distance needs a package that is not here: run `pip install lpips`.") from None
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    if not list(folder.glob(BACKBONES[network])):
        raise ValueError(f"The perceptual distance needs torchvision's {BACKBONES[network]} in {folder}.")
    return package.LPIPS(net=network, verbose=False).eval().requires_grad_(False)
