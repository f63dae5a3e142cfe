"""Several runs as one, whose steps show all of their pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from nst.images import resize
from nst.optimize import Step


def in_turn(runs: Sequence[Iterator[Step]], pictures: Tensor, places: Sequence[int]) -> Iterator[Step]:
    """One run after the other, each for a place among pictures; yields every step of all.

    The image of a step holds all pictures (N, 3, H, W): those that are done, the one that is worked on, and as they
    were given those not yet begun.

    Args:
        runs: as long as each other.
        pictures: (N, 3, H, W) in [0, 1], what stands where nothing is begun.
        places: of each run's picture.
    """
    shape, count = pictures.shape[-2:], len(runs)
    for i, (run, place) in enumerate(zip(runs, places, strict=True)):

        def together(image: Tensor, place: int = place, others: Tensor = pictures) -> Tensor:
            kept = others.to(image)
            return torch.cat([kept[:place], resize(image, shape), kept[place + 1 :]])

        for step in run:
            shown = replace(
                step.changed(together),
                index=i * step.total + step.index,
                total=count * step.total,
                work=(i + step.work) / count,
                side=0,
            )
            yield shown
        pictures = shown.image
