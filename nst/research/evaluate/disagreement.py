"""Where a student sees other things than its teacher: on what is painted on it, more than on photos?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from nst.encoders import STYLE_LAYERS, Encoder, load_encoder
from nst.images import resize
from nst.losses import EPS
from nst.research.evaluate.grid import last
from nst.research.evaluate.sheets import load

RIDGE = 1e-5  # added to the diagonal of the student's second moments, relative to its features' mean variance

Sums = tuple[Tensor, Tensor, Tensor]
"""Means of student by student, student by teacher, and of the teacher's variance, over positions."""


def compare_disagreement(
    *,
    teacher: str,
    contents: Sequence[str],
    styles: Sequence[str],
    encoder: str = "compact",
    preset: str = "good",
    size: int = 256,
) -> Iterator[dict[str, Any]]:
    """How far what an encoder sees, mapped linearly, is from what its teacher sees, in photos and in what is painted
    on the encoder over them: a row for each style layer that both have.

    The map of a layer is the best (ridge regression, with a constant) for all photos but one and what is painted over
    them, both kinds counting alike; it is judged by that one and by what is painted over it. Errors are relative to the
    variance of the teacher's features in the same pictures: 1 is no better than their mean. `ratio` is the painted
    pictures' error over the photos'.

    Args:
        teacher: an encoder, by name or file.
        contents: two or more picture files.
        styles: picture files, in whose manner each is painted.
        encoder: the encoder compared, by name or file.
        preset: see `nst.settings.PRESETS`.
        size: long side in pixels.
    """
    if len(contents) < 2:
        raise ValueError("Two photos at least are needed: each is judged by what was learned of the others.")
    photos, manners = [load(path) for path in contents], [load(path) for path in styles]
    painted = [[last(photo, style, encoder=encoder, preset=preset, size=size) for style in manners] for photo in photos]
    small = [resize(photo, size) for photo in photos]
    yield from disagreement(load_encoder(encoder), load_encoder(teacher), small, painted)


def disagreement(
    student: Encoder, teacher: Encoder, photos: Sequence[Tensor], painted: Sequence[Sequence[Tensor]]
) -> Iterator[dict[str, Any]]:
    """See `compare_disagreement`: photos (1, 3, H, W) in [0, 1], and what was painted over each of them."""
    layers = [name for name in STYLE_LAYERS if name in student.layers and name in teacher.layers]
    with torch.no_grad():
        own = [_sums(student, teacher, [photo], layers) for photo in photos]
        made = [_sums(student, teacher, pictures, layers) for pictures in painted]
    for layer in layers:
        errors: dict[str, list[float]] = {"photos": [], "painted": []}
        for i in range(len(photos)):
            head = _head(_averaged([sums[layer] for kind in (own, made) for j, sums in enumerate(kind) if j != i]))
            errors["photos"].append(_error(head, own[i][layer]))
            errors["painted"].append(_error(head, made[i][layer]))
        row = {kind: mean(found) for kind, found in errors.items()}
        yield {"layer": layer, **row, "ratio": row["painted"] / max(row["photos"], EPS)}


def _sums(student: Encoder, teacher: Encoder, pictures: Sequence[Tensor], layers: Sequence[str]) -> dict[str, Sums]:
    """By layer, means over all pictures."""
    found: dict[str, list[Sums]] = {name: [] for name in layers}
    for picture in pictures:
        seen, wanted = student(picture, layers), teacher(picture, layers)
        for name in layers:
            x, y = (features[name][0].flatten(1).double() for features in (seen, wanted))
            x = torch.cat([x, torch.ones_like(x[:1])])
            spread = (y - y.mean(1, keepdim=True)).square().sum()
            found[name].append((x @ x.T, x @ y.T, torch.stack([y.square().sum(), spread])))
    return {name: _averaged(sums) for name, sums in found.items()}


def _averaged(sums: Sequence[Sums]) -> Sums:
    first, second, third = (torch.stack(parts).mean(0) for parts in zip(*sums, strict=True))
    return first, second, third


def _head(sums: Sums) -> Tensor:
    squares, products, _ = sums
    variance = squares.diagonal() - squares[-1].square() / squares[-1, -1]  # the last feature is the constant 1
    return torch.linalg.solve(squares + RIDGE * variance.mean() * torch.eye(len(squares)), products)


def _error(head: Tensor, sums: Sums) -> float:
    """The squared error of a head, relative to the teacher's variance: |y|^2 - 2 tr(h' x y') + tr(h' x x' h)."""
    squares, products, (square, spread) = sums
    return float((square - 2 * (head * products).sum() + (head * (squares @ head)).sum()) / spread)
