"""Small squares of the examples, shown before anything is opened or fetched; those of the drawn styles are files."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from .contents import CONTENTS, open_content
from .drawn import DRAWN
from .paintings import PAINTINGS, cached_painting, open_painting

FOLDER = Path(__file__).parents[1] / "pictures" / "thumbnails"
SIDE = 128


def thumbnail(name: str) -> Image.Image | None:
    """The middle of a style or an example photo, 128 × 128 pixels, mode RGB; quick and without network.

    None for a painting that was not fetched yet, and for a name that is unknown.
    """
    if name in DRAWN:
        with Image.open(FOLDER / f"{name}.webp", formats=["WEBP"]) as image:
            return image.convert("RGB")
    if name in CONTENTS:
        return _square(open_content(name))
    if name in PAINTINGS and cached_painting(name):
        return _square(open_painting(name, 4 * SIDE))
    return None


def _square(image: Image.Image) -> Image.Image:
    return ImageOps.fit(image, (SIDE, SIDE), Image.Resampling.LANCZOS)
