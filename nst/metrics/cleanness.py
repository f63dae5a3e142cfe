"""How free a result is of what neither its photo nor its style has: grids, hatching, grain, color fringes, blobs."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from nst.images import resize
from nst.metrics.artifacts import checkerboard_energy, grain, seam_energy
from nst.metrics.blemishes import blob_area, color_fringes
from nst.metrics.lattice import hatching, ripples

WHOLE, USUAL = 1024, 1.2
"""Pixels a side of a picture's middle that is looked at in its own size, and the seam energy of a clean one."""

GRAIN = 0.015  # how much more grain than photo and style a picture may have

HATCHED, HATCHING = 0.15, 0.1
"""How much more `hatching` than photo and style it may have, and how much more again halves its worth."""

RIPPLED, RIPPLING = 0.3, 0.7
"""How much more `ripples` than photo and styles it may have, and how much more again halves its worth."""

USUAL_SIZE = 512  # long side at which the photo's and the styles' own hatching and fringes are measured
FRINGED = 0.5  # color fringes that any picture may have
BLOB = 0.005  # share of a picture that a blob covers which halves its worth


class Cleanness:
    """What a photo and its styles have of all that, looked at once, to judge any number of results by.

    Args:
        styles: pictures (1, 3, H, W) in [0, 1], in their own size.
        content: the photo; None for a texture.
        small: photo and styles at the size at which results are judged; the photo first, if there is one.
    """

    def __init__(self, styles: Sequence[Tensor], content: Tensor | None, small: Sequence[Tensor]) -> None:
        own = [resize(one.float(), USUAL_SIZE) for one in (*styles, *([] if content is None else [content]))]
        self.grain = max(grain(one) for one in small)
        self.hatching = max(hatching(one) for one in own)
        self.ripples = max(ripples(one) for one in own)
        self.fringes = max(FRINGED, *(color_fringes(one) for one in own))
        self.photo = None if content is None else small[0]
        self.styles = small if content is None else small[1:]

    def of(self, image: Tensor, small: Tensor) -> float:
        """From 0 to 1 for a result (1, 3, H, W) in [0, 1] in its own size, and in that at which it is judged."""
        middle = _middle(image)
        blob = min(blob_area(small, self.photo, style) for style in self.styles)
        hatched = max(0.0, hatching(middle) - self.hatching - HATCHED) / HATCHING
        rippled = max(0.0, ripples(middle) - self.ripples - RIPPLED) / RIPPLING
        return (
            _free_of_grids(middle)
            * min(1.0, (self.grain + GRAIN) / max(grain(small), GRAIN))
            * min(1.0, self.fringes / max(color_fringes(middle), FRINGED)) ** 2
            / (1 + hatched**2)
            / (1 + rippled**2)
            / (1 + (blob / BLOB) ** 2)
        )


def _middle(image: Tensor) -> Tensor:
    """The middle of a picture, cut out on the grid of JPEG's blocks."""
    tall, wide = ((max(0, side - WHOLE) // 2 // 8 * 8) for side in image.shape[-2:])
    return image[..., tall : tall + WHOLE, wide : wide + WHOLE].float()


def _free_of_grids(middle: Tensor) -> float:
    """1 for a picture without JPEG's blocks and without a network's checkerboards."""
    if min(middle.shape[-2:]) < 16:
        return 1.0
    blocks = max(0.0, seam_energy(middle, 8) - USUAL)
    return (1 - max(checkerboard_energy(middle, period) for period in (2, 4))) / (1 + blocks / 8)
