"""Pictures of a folder or a tar file, and random crops of them on the device that learns from them."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from nst.collection.library import pictures_in
from nst.device import Device
from nst.images import IMAGE_SUFFIXES, ImageError, decode
from nst.transforms import crop


class Pictures(Sequence[Image.Image]):
    """The pictures of a folder (searched in depth) or of a tar file, decoded when asked for. Raises ImageError where
    there is no picture, and on access for a file that cannot be read."""

    def __init__(self, source: str | Path) -> None:
        self.source = Path(source)
        self._packed: list[bytes] = []
        self._paths: list[Path] = []
        if self.source.is_dir():
            self._paths = pictures_in(self.source)
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


PHOTO_SIDE = 256  # side in pixels at which photos are kept

SMALLEST = 0.45
"""Least side of a crop, relative to the photo's: small ones hold smooth areas, which large pictures have many of."""


class Stock:
    """Pictures in a device's memory, as bytes, and random crops of them in batches.

    Everything is decoded once, and a batch is a handful of operations on the device: a training waits neither for a
    file nor for Python. A picture is a square of `side` pixels; a long one gives several, side by side.

    Args:
        pictures: what is decoded; a file that cannot be read is left out and counted in `skipped`.
        side: of the squares in pixels; smaller pictures are enlarged.
        device: the device.
        only: the numbers of the pictures that are wanted; None means all.

    Raises:
        ImageError: none of the pictures can be read.
    """

    def __init__(
        self, pictures: Sequence[Image.Image], side: int, device: Device, only: Sequence[int] | None = None
    ) -> None:
        def read(index: int) -> list[Tensor]:
            try:
                return [_bytes(part) for part in squares(pictures[index], side)]
            except ImageError:
                return []

        with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
            found = list(pool.map(read, range(len(pictures)) if only is None else only))
        self.skipped = sum(not parts for parts in found)
        flat = [part for parts in found for part in parts]
        if not flat:
            raise ImageError("None of the training pictures can be read.")
        self.images = torch.stack(flat).to(device.torch_device)
        self.rng = torch.Generator(device.torch_device)

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, count: int, size: int, rng: torch.Generator, *, smallest: float = 0.4) -> Tensor:
        """Random crops (count, 3, size, size) in [0, 1], every other one mirrored, on the device, channels last.

        Args:
            count, size: how many, and of how many pixels a side.
            rng: a generator of this device.
            smallest: least side of what is cut out, relative to the picture's.
        """
        draws = torch.rand(5, count, generator=rng, device=rng.device)
        index = (draws[0] * len(self)).long().clamp_max(len(self) - 1)
        images = self.images[index].float().div_(255)
        extent = smallest + (1 - smallest) * draws[1]
        middle = (2 * draws[2:4] - 1) * (1 - extent)
        return crop(images, size, extent, middle, draws[4] < 0.5)


def squares(image: Image.Image, side: int) -> list[Image.Image]:
    """The squares of `side` pixels that cover an image, evenly spaced along its long side."""
    short, long = sorted(image.size)
    across, count = image.width >= image.height, max(1, round(long / short))
    parts = []
    for i in range(count):
        start = (long - short) * (i / (count - 1) if count > 1 else 0.5)
        box = (start, 0, start + short, short) if across else (0, start, short, start + short)
        parts.append(image.resize((side, side), Image.Resampling.LANCZOS, box=box))
    return parts


def _bytes(image: Image.Image) -> Tensor:
    return (
        torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
        .view(image.height, image.width, 3)
        .permute(2, 0, 1)
    )
