"""Which photos a distillation learns from: those with which the teacher succeeds, and those that are to stay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from nst.device import Device, moved
from nst.images import ImageError, resize, to_tensor
from nst.registry import load_model
from nst.research.train.drawn import drawn
from nst.teach.crops import PHOTO_SIDE, Stock
from nst.weights import load_tensors, save_tensors

STAYING = 0.3  # share of the crops that are to stay as they are
MAMMALS, ENOUGH = slice(151, 389), 0.1  # classes of ImageNet, and how likely they must be together


class Varied:
    """Crops of photos of two kinds, half of them in a slightly other light and tint.

    Args:
        translated, others: the numbers of those that are to be translated, and of those that are to stay as they are,
            of which `STAYING` of the crops are taken.
        size: side of a crop in pixels.
    """

    def __init__(
        self,
        photos: Sequence[Image.Image],
        translated: Sequence[int],
        others: Sequence[int],
        size: int,
        device: Device,
    ) -> None:
        kinds = [numbers for numbers in (translated, others) if numbers] or [translated]
        self.stocks = [Stock(photos, max(size, PHOTO_SIDE), device, only) for only in kinds]
        self.size, self.staying, self.rng = size, STAYING if others else 0.0, self.stocks[0].rng

    @property
    def skipped(self) -> int:
        """How many photos could not be read."""
        return sum(stock.skipped for stock in self.stocks)

    def batch(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """`count` crops, (count, 3, size, size), and whether each is to be translated, (count,) of 1 or 0."""
        draws = torch.rand(6, count, 1, 1, 1, generator=rng, device=rng.device)
        stays = draws[0] < self.staying
        crops = [stock.batch(count, self.size, rng, smallest=0.7) for stock in self.stocks]
        chosen = torch.where(stays, crops[-1], crops[0])
        tint, light = 0.93 + 0.14 * draws[1:4, :, 0, 0, 0].T[:, :, None, None], 0.85 + 0.35 * draws[4]
        changed = (chosen * tint).clamp(0, 1) ** light
        return torch.where(draws[5] < 0.5, changed, chosen), (~stays).flatten().float()


def teacher_filter(
    photos: Sequence[Image.Image],
    teacher: nn.Module,
    classifier: str,
    label: int,
    count: int,
    kept: Path,
    device: Device,
) -> tuple[list[int], list[int]]:
    """The numbers of the `count` photos of mammals whose translations likeliest show a label, and of no mammals.

    Args:
        classifier: SqueezeNet's file.
        kept: file for what the classifier said, so that a training that is gone on with need not ask again.
    """
    if not kept.is_file():
        save_tensors(kept, {"seen": _classified(photos, teacher, classifier, label, device)})
    mammal, success = load_tensors(kept)["seen"].unbind(1)
    best = success.argsort(descending=True, stable=True)[:count]
    return [int(n) for n in best if success[n] > 0], (mammal.abs() <= ENOUGH).nonzero().flatten().tolist()


@torch.no_grad()
def _classified(
    photos: Sequence[Image.Image], teacher: nn.Module, classifier: str, label: int, device: Device
) -> Tensor:
    """Probabilities (N, 2) that a photo shows a mammal, and what the teacher makes of it the label: the latter of
    mammals only, else 0; -1 for a photo that cannot be read."""
    judge: Any = moved(load_model(Path(classifier), architecture="squeezenet"), device)
    found = torch.zeros(len(photos), 2)
    for number in range(len(photos)):
        try:
            photo = to_tensor(photos[number])
        except ImageError:
            found[number] = -1
            continue
        with device.autocast():
            found[number, 0] = judge(device.place(resize(photo, (227, 227))))[0, MAMMALS].sum()
            if found[number, 0] > ENOUGH:
                small = device.place(resize(photo, (192, 192)))
                painted = teacher(small)
                result = torch.lerp(small, painted, drawn(small, painted))
                found[number, 1] = judge(resize(result, (227, 227)))[0, label]
    return found
