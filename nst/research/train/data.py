"""What every training needs: pictures from a folder or a tar file, cropped at random, and checkpoints."""

from __future__ import annotations

import json
import os
import random
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from nst.images import IMAGE_SUFFIXES, ImageError, decode, to_tensor


class Pictures(Sequence[Image.Image]):
    """The pictures of a folder (searched in depth) or of a tar file, decoded when asked for.

    Raises:
        ImageError: there is no picture there; or, on access, a file is not readable.
    """

    def __init__(self, source: str | Path) -> None:
        self.source = Path(source)
        self._packed: list[bytes] = []
        self._paths: list[Path] = []
        if self.source.is_dir():
            self._paths = sorted(p for p in self.source.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
        elif self.source.is_file() and tarfile.is_tarfile(self.source):
            with tarfile.open(self.source) as archive:
                for member in archive:
                    if member.isfile() and Path(member.name).suffix.lower() in IMAGE_SUFFIXES:
                        self._packed.append(archive.extractfile(member).read())  # type: ignore[union-attr]
        if not self:
            raise ImageError(f"No pictures in {self.source}: name a folder or a tar file that holds some.")

    def __len__(self) -> int:
        return len(self._packed) + len(self._paths)

    def __getitem__(self, index: int) -> Image.Image:  # type: ignore[override]
        return decode(self._packed[index] if self._packed else self._paths[index]).rgb


class Crops:
    """Random square crops, seeded; a file that cannot be read is dropped and counted in `skipped`."""

    def __init__(self, pictures: Sequence[Image.Image], size: int, seed: int = 0, *, smallest: float = 0.4) -> None:
        self.pictures, self.size, self.smallest = pictures, size, smallest
        self.random = random.Random(seed)
        self.unreadable: set[int] = set()

    @property
    def skipped(self) -> int:
        return len(self.unreadable)

    def one(self) -> Tensor:
        """One crop (1, 3, size, size) in [0, 1], of a side between `smallest` and the whole short side."""
        while len(self.unreadable) < len(self.pictures):
            index = self.random.randrange(len(self.pictures))
            if index in self.unreadable:
                continue
            try:
                image = self.pictures[index]
            except ImageError:
                self.unreadable.add(index)
                continue
            side = max(2, int(min(image.size) * self.random.uniform(self.smallest, 1)))
            left = self.random.randint(0, image.width - side) if image.width > side else 0
            top = self.random.randint(0, image.height - side) if image.height > side else 0
            box = (left, top, left + side, top + side)
            crop = image.resize((self.size, self.size), Image.Resampling.BICUBIC, box=box)
            tensor = to_tensor(crop)
            return tensor.flip(-1) if self.random.random() < 0.5 else tensor
        raise ImageError("None of the training pictures can be read.")

    def batch(self, count: int) -> Tensor:
        """`count` crops, (count, 3, size, size)."""
        return torch.cat([self.one() for _ in range(count)])


class StyleCrops:
    """Random square crops of style pictures of several kinds, seeded; half of them with other colors.

    Args:
        sources: the kinds of pictures, each with the share of the crops that it gives.
        size: side of a crop.
        largest: short side in pixels that a whole picture has at most.
    """

    def __init__(self, sources: Sequence[tuple[Sequence[Image.Image], float]], size: int, largest: int = 352) -> None:
        self.kinds = [Crops(pictures, size, smallest=min(1.0, size / largest)) for pictures, _ in sources]
        self.shares = [share for _, share in sources]
        self.random = random.Random(0)

    def batch(self, count: int) -> Tensor:
        """`count` crops, (count, 3, size, size)."""
        return torch.cat([self._one() for _ in range(count)])

    def _one(self) -> Tensor:
        kind = self.random.choices(self.kinds, self.shares)[0]
        kind.random.seed(self.random.random())
        crop = kind.one()
        if self.random.random() < 0.5:  # another order of the channels, another brightness
            crop = crop[:, self.random.sample(range(3), 3)] ** self.random.uniform(0.7, 1.4)
        return crop


def random_strengths(rng: random.Random, count: int) -> Tensor:
    """Strengths (count,): one in eight learns the way from the photo to the style, the others are 1."""
    return torch.tensor([rng.choice((0.0, rng.random())) if rng.random() < 0.125 else 1.0 for _ in range(count)])


def write_checkpoint(path: Path, state: dict[str, Any], record: dict[str, Any]) -> None:
    """Replace the checkpoint in one step, so that an interruption leaves the old or the new one, and log the record."""
    fresh = path.with_suffix(".new")
    torch.save(state, fresh)
    os.replace(fresh, path)
    with path.with_name("log.jsonl").open("ab+") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - 1))
        cut_short = log.read(1) not in (b"", b"\n")  # by an interruption
        log.write(b"\n" * cut_short + json.dumps(record).encode() + b"\n")
