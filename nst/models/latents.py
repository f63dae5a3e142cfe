"""What all generators of faces have in common: a face has a number, and a number always gives the same face."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Generator(nn.Module):
    """Latents (N, latent_dim) to pictures (N, 3, resolution, resolution) in [0, 1].

    Attributes:
        latent_dim: how many normally distributed numbers a picture comes from.
        resolution: side of the pictures in pixels.
    """

    takes = "latents"

    def __init__(self, latent_dim: int, resolution: int) -> None:
        super().__init__()
        self.latent_dim, self.resolution = latent_dim, resolution

    def latents(self, count: int, seed: int = 0, truncation: float = 1.0) -> Tensor:
        """The latents (count, latent_dim) of the faces number `seed`, `seed + 1`, ...

        With a truncation below 1, only that share of the normal distribution around 0 is drawn from: Brock, Donahue and
        Simonyan 2018, arXiv:1809.11096, section 3.1, but by quantiles, so that a face remains itself. Raises ValueError
        for no faces, or a truncation outside of [0, 1].
        """
        check_sample(count, truncation)
        each = [torch.rand(self.latent_dim, generator=torch.Generator().manual_seed(seed + i)) for i in range(count)]
        inside = (2 * torch.stack(each).double() - 1) * truncation
        return (math.sqrt(2) * torch.erfinv(inside.clamp(-1 + 1e-7, 1 - 1e-7))).float()

    def sample(self, count: int, seed: int = 0, truncation: float = 1.0) -> Tensor:
        """The faces number `seed`, `seed + 1`, ...: (count, 3, resolution, resolution) in [0, 1].

        Args:
            count: how many.
            seed: the number of the first.
            truncation: from 0 (all are the mean face) to 1 (as various as the training pictures).
        """
        return self(self.latents(count, seed, truncation).to(next(self.parameters()).device))


def check_sample(count: int, truncation: float) -> None:
    """Raises ValueError where there is nothing to draw, or the truncation is outside of [0, 1]."""
    if count < 1:
        raise ValueError("At least one face is needed.")
    if not 0 <= truncation <= 1:
        raise ValueError(f"The truncation is from 0 (the mean face) to 1 (all variety), not {truncation:g}.")
