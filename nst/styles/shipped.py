"""Pictures that are here at once: the drawn styles, photos of scikit-image, and the thumbnails of all.

Generators of our own drew the styles (oil strokes, woodblock, lead and glass, tesserae, gouges, dots, ink, washes,
combed color), which the project's history keeps: `git log -- nst/styles/night.py`.
"""

from __future__ import annotations

from importlib.resources import as_file, files

from PIL import Image, ImageOps

from .catalog import DRAWN, PAINTINGS, PHOTOS, PICTURES, StyleNotFound
from .fetched import is_here, open_fetched

FOLDER = PICTURES / "styles"
PART, SIDE = 360, 128
"""Sides in pixels of what is part of a photo, and of a thumbnail."""


def open_drawn(name: str) -> Image.Image:
    """The style `name` of `DRAWN`, mode RGB, 1,024 pixels along the long side.

    Raises:
        StyleNotFound: the picture is missing, or this Pillow reads no AVIF.
    """
    try:
        with Image.open(FOLDER / f"{name}.avif", formats=["AVIF"]) as image:
            return image.convert("RGB")
    except (OSError, KeyError) as error:
        raise StyleNotFound(
            f'The picture of the style "{name}" cannot be read; restore nst/pictures, and have a Pillow that reads AVIF'
            ' (`pip install --force-reinstall "pillow>=12"`).'
        ) from error


def open_photo(name: str) -> Image.Image:
    """The photo `name` of `PHOTOS`, mode RGB.

    Raises:
        StyleNotFound: scikit-image or its picture is missing.
    """
    photo = PHOTOS[name]
    try:
        with (
            as_file(files("skimage").joinpath("data", photo.file)) as path,
            Image.open(path, formats=["PNG", "JPEG"]) as image,
        ):
            whole = image.convert("RGB")
    except (ImportError, OSError) as error:
        raise StyleNotFound(f'The example photo "{name}" comes with scikit-image: pip install scikit-image.') from error
    return whole.resize((PART, PART), Image.Resampling.LANCZOS, photo.box) if photo.box else whole


def thumbnail(name: str) -> Image.Image | None:
    """The middle of a style or an example photo, 128 × 128 pixels, mode RGB; quick and without network.

    None for a painting that was not fetched yet, and for a name that is unknown.
    """
    if name in DRAWN:
        with Image.open(PICTURES / "thumbnails" / f"{name}.webp", formats=["WEBP"]) as image:
            return image.convert("RGB")
    if name in PHOTOS:
        picture = open_photo(name)
    elif name in PAINTINGS and is_here(PAINTINGS[name]):
        picture = open_fetched(PAINTINGS[name])
        picture.thumbnail((4 * SIDE, 4 * SIDE), Image.Resampling.LANCZOS)
    else:
        return None
    return ImageOps.fit(picture, (SIDE, SIDE), Image.Resampling.LANCZOS)
