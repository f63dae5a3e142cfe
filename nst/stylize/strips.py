"""Several pictures of one run, side by side in one."""

from __future__ import annotations

import torch
from torch import Tensor


def side_by_side(pictures: Tensor) -> Tensor:
    """The pictures (N, 3, H, W) as one (1, 3, H, N W)."""
    return torch.cat(list(pictures.split(1)), 3)


def cut(strip: Tensor, count: int) -> list[Tensor]:
    """The `count` pictures (1, 3, H, W) that stand side by side in a strip (1, 3, H, count W)."""
    return list(strip.chunk(count, 3))
