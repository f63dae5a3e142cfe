"""Pictures made to fit: what one shared result takes of the disk is bounded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image

from nst.images import encode
from nst.server.results.place import ResultsError

MAX_SHARE, MAX_CLIP = 3_000_000, 12_000_000
"""Bytes of all files of one result, but for its clip; and of that."""

MAX_PICTURE, MAX_BEFORE, MAX_CARD = 1_300_000, 500_000, 300_000
"""Bytes of the picture itself, of what is shown beside it, and of the picture for cards."""

CARD, THUMBNAIL = 1200, 320
"""Long sides in pixels of the pictures for preview cards and for the gallery."""

STEPS = (
    (16_800_000, 90),
    (16_800_000, 80),
    (8_000_000, 80),
    (4_000_000, 80),
    (2_000_000, 80),
    (1_000_000, 80),
    (500_000, 75),
    (250_000, 70),
    (120_000, 60),
    (60_000, 50),
    (20_000, 40),
)
"""Pixels and quality, tried in this order."""


def files(
    picture: Image.Image,
    recipe: Mapping[str, Any],
    alpha: Image.Image | None,
    before: Image.Image | None,
    inputs: Mapping[str, Image.Image],
) -> tuple[dict[str, bytes], tuple[int, int]]:
    """The files of a result by name, and the size of its picture, which may be smaller than what was given; inputs that
    are small enough are kept exactly, as PNG. Raises ResultsError if they do not fit, however small."""
    content, size = _fitted(picture, MAX_PICTURE, recipe=dict(recipe), alpha=alpha)
    data = {
        "picture.webp": content,
        "card.jpg": _card(_at_most(picture, CARD), alpha),
        "thumbnail.webp": encode(_at_most(picture, THUMBNAIL), format="webp", quality=75, alpha=alpha),
    }
    if before is not None:
        data["before.webp"], _ = _fitted(before.resize(size, Image.Resampling.LANCZOS), MAX_BEFORE)
    left = MAX_SHARE - sum(map(len, data.values()))
    for i, (kind, image) in enumerate(inputs.items()):
        most = left // (len(inputs) - i)
        exact = encode(image, format="png") if image.width * image.height <= most else b""
        name = f"{kind}.png" if 0 < len(exact) <= most else f"{kind}.webp"
        data[name] = exact if name.endswith(".png") else _fitted(image, most)[0]
        left -= len(data[name])
    return data, size


def _fitted(image: Image.Image, most: int, **more: Any) -> tuple[bytes, tuple[int, int]]:
    """A picture as WebP of at most so many bytes, and its size: as good as it can be, and smaller if need be."""
    area = image.width * image.height
    for pixels, quality in dict.fromkeys((min(pixels, area), quality) for pixels, quality in STEPS):
        small = _at_most_pixels(image, pixels)
        content = encode(small, format="webp", quality=quality, **more)
        if len(content) <= most:
            return content, small.size
    raise ResultsError("This is more than can be shared at once; share it without the pictures it was made from.")


def _card(image: Image.Image, alpha: Image.Image | None) -> bytes:
    """As JPEG, which all chats know."""
    tried = (encode(image, format="jpeg", quality=quality, alpha=alpha) for quality in (85, 70, 50, 30, 15))
    content = next(tried)
    while len(content) > MAX_CARD and (smaller := next(tried, None)):
        content = smaller
    return content


def _at_most(image: Image.Image, size: int) -> Image.Image:
    small = image.copy()
    small.thumbnail((size, size), Image.Resampling.LANCZOS)
    return small


def _at_most_pixels(image: Image.Image, pixels: int) -> Image.Image:
    factor = (pixels / (image.width * image.height)) ** 0.5
    size = max(1, int(image.width * factor)), max(1, int(image.height * factor))
    return image.resize(size, Image.Resampling.LANCZOS) if factor < 1 else image
