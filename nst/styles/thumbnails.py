"""Small squares of the examples, shown before anything is drawn or fetched.

Those of the drawn styles lie in the package; ``python -m nst.styles`` draws them anew.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from .contents import CONTENTS, open_content
from .drawn import DRAWN, SIZES, open_drawn
from .paintings import PAINTINGS, cached_painting, open_painting

SIDE = 128


def thumbnail(name: str) -> Image.Image | None:
    """The middle of a style or an example photo, 128 × 128 pixels, mode RGB; quick and without network.

    None for a painting that was not fetched yet, and for a name that is unknown.
    """
    if name in DRAWN:
        path = _file(name)
        if path.is_file():
            with Image.open(path) as image:
                return image.convert("RGB")
        return _square(open_drawn(name, SIZES[1]))
    if name in CONTENTS:
        return _square(open_content(name))
    if name in PAINTINGS and cached_painting(name):
        return _square(open_painting(name, 4 * SIDE))
    return None


def _file(name: str) -> Path:
    return Path(__file__).parents[1] / "pictures" / "styles" / f"{name}.webp"


def _square(image: Image.Image) -> Image.Image:
    return ImageOps.fit(image, (SIDE, SIDE), Image.Resampling.LANCZOS)


def draw_all() -> None:
    """Draw the thumbnails of the package anew."""
    _file("any").parent.mkdir(exist_ok=True)
    for name in DRAWN:
        _square(open_drawn(name, 512)).save(_file(name), "WEBP", quality=82, method=6)
