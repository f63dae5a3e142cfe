"""Several pictures of one run in one: side by side, or in rows."""

from __future__ import annotations

import torch
from torch import Tensor

from nst.images import resize


def side_by_side(pictures: Tensor, columns: int | None = None) -> Tensor:
    """The pictures (N, 3, H, W) as one, `columns` in a row: (1, 3, N / columns H, columns W); None is all in one row.

    Raises:
        ValueError: rows that would not be full.
    """
    columns = columns or len(pictures)
    if len(pictures) % columns:
        raise ValueError(f"{len(pictures)} pictures do not fill rows of {columns}.")
    rows = [torch.cat(list(row.split(1)), 3) for row in pictures.split(columns)]
    return torch.cat(rows, 2)


def cut(strip: Tensor, count: int, columns: int | None = None) -> list[Tensor]:
    """The `count` pictures (1, 3, H, W) that `side_by_side` put into one, row by row."""
    columns = columns or count
    return [picture for row in strip.chunk(count // columns, 2) for picture in row.chunk(columns, 3)]


def with_one(pictures: Tensor, index: int, picture: Tensor) -> Tensor:
    """The pictures (N, 3, H, W) with one of them replaced by this (1, 3, h, w), resized where it has another size."""
    changed = pictures.to(picture, copy=True)
    changed[index : index + 1] = resize(picture, (pictures.shape[-2], pictures.shape[-1]))
    return changed
