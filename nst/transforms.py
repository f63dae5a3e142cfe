"""What is done to a picture before it is looked at, so that it cannot be tuned to one way of looking.

Lucid: Olah, Mordvintsev and Schubert, "Feature Visualization", Distill 2017, doi:10.23915/distill.00007, section
"Transformation robustness".
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


class Shifts:
    """Views of a picture, each moved by a few pixels, of which one is seen at a time.

    What is moved out at an edge is not seen, and what is missing at the other is reflected. All that a step needs stays
    in the same memory, so that it can be captured. The first view is the picture itself.

    Args:
        height, width: of the picture.
        device: where it is.
        count: how many views; 8 of 16 pixels stand at every place of a grid of 8.
        reach: by how many pixels they are moved at most, up and left; one less down and right.
        seed: of the places, each row and each column of which is taken once.
    """

    def __init__(
        self, height: int, width: int, device: torch.device, count: int = 8, reach: int = 8, seed: int = 0
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.count, self.reach = count, reach
        self.rows, self.columns = (
            _places(side, _offsets(count, min(reach, side - 1), generator)).to(device) for side in (height, width)
        )
        self.now = torch.zeros(1, dtype=torch.long, device=device)

    def turn(self) -> None:
        """On to the next view."""
        self.now.add_(1).remainder_(self.count)

    def __call__(self, image: Tensor) -> Tensor:
        """The present view of an image (N, C, H, W)."""
        rows, columns = (places.index_select(0, self.now)[0] for places in (self.rows, self.columns))
        view = image.index_select(2, rows).index_select(3, columns)
        return view.contiguous(memory_format=torch.channels_last)

    def each(self, image: Tensor) -> list[Tensor]:
        """Every view of an image (1, C, H, W)."""
        return [image[..., rows, :][..., columns] for rows, columns in zip(self.rows, self.columns, strict=True)]


class Moved:
    """An encoder that sees a picture's present view, and says in its features which one that is."""

    def __init__(self, encoder: Callable[..., dict[str, Tensor]], shifts: Shifts) -> None:
        self.encoder, self.shifts = encoder, shifts

    def __call__(self, image: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
        return self.encoder(self.shifts(image), layers) | {"image": image, "view": self.shifts.now}


def crop(images: Tensor, size: int, extent: Tensor, middle: Tensor, mirrored: Tensor) -> Tensor:
    """Crops (N, 3, size, size) of images (N, 3, H, W), bilinear.

    Args:
        images: squares, or else the crops are stretched.
        size: side in pixels.
        extent: (N,) sides of what is cut out, relative to the image's.
        middle: (2, N) where their middles lie, across and down, from -1 to 1.
        mirrored: (N,) which are mirrored.
    """
    count = len(images)
    theta = images.new_zeros(count, 2, 3)
    theta[:, 0, 0] = torch.where(mirrored, -extent, extent)
    theta[:, 1, 1] = extent
    theta[:, :, 2] = middle.T
    grid = F.affine_grid(theta, [count, 3, size, size], align_corners=False)
    found = F.grid_sample(images, grid, "bilinear", "reflection", align_corners=False)
    return found.contiguous(memory_format=torch.channels_last)


def _offsets(count: int, reach: int, generator: torch.Generator) -> Tensor:
    """Offsets (count,) all over the reach in random order, but for the first, which is 0."""
    places = torch.linspace(-reach, max(0, reach - 1), count).round().long()
    places = places[torch.randperm(count, generator=generator)]
    places[0] = 0
    return places


def _places(side: int, offsets: Tensor) -> Tensor:
    """For each offset the rows that are seen (count, side), reflected at the edges."""
    there = (torch.arange(side) + offsets[:, None]).abs()
    return (side - 1) - ((side - 1) - there).abs()
