"""Example photos: those pictures of scikit-image that lie in its package and are free of any condition."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files

from PIL import Image

from .catalog import Content, StyleNotFound

PART = 360
"""Side in pixels of what is part of a photo."""


@dataclass(frozen=True)
class Photo:
    """A photo, its file among scikit-image's data, and the part if it is not all: left, top, right, bottom."""

    content: Content
    file: str
    box: tuple[int, int, int, int] | None = None


def _entry(
    name: str,
    file: str,
    title: str,
    author: str,
    license: str,
    note: str,
    box: tuple[int, int, int, int] | None = None,
) -> tuple[str, Photo]:
    source = f"skimage.data.{file.partition('.')[0]}"
    return name, Photo(Content(name, title, author, license, source, note), file, box)


# Licenses as given in the notes of scikit-image's own functions (skimage/data/_fetchers.py, 0.26).
CONTENTS: dict[str, Photo] = dict(
    (
        _entry(
            "chelsea",
            "chelsea.png",
            "Chelsea the Cat",
            "Stéfan van der Walt",
            "CC0 1.0",
            "fur, whiskers and a calm face",
        ),
        _entry("coffee", "coffee.png", "A Cup of Coffee", "Rachel Michetti", "CC0 1.0", "round shapes on grained wood"),
        _entry(
            "astronaut",
            "astronaut.png",
            "Eileen Collins",
            "NASA",
            "public domain",
            "a portrait with a flag and a shuttle",
        ),
        _entry(
            "portrait",
            "astronaut.png",
            "Eileen Collins, Her Face",
            "NASA",
            "public domain",
            "a face that looks ahead",
            (157, 50, 291, 184),
        ),
        _entry(
            "rocket", "rocket.jpg", "Falcon 9 Lifts Off", "SpaceX", "public domain", "fire and smoke under a dark sky"
        ),
        _entry(
            "hubble_deep_field",
            "hubble_deep_field.jpg",
            "Hubble Deep Field",
            "NASA",
            "public domain",
            "hundreds of galaxies on black",
        ),
        _entry(
            "camera", "camera.png", "Photographer", "Lav Varshney", "CC0 1.0", "black and white: a man and his tripod"
        ),
    )
)


def open_content(name: str) -> Image.Image:
    """The photo `name` of `CONTENTS`, mode RGB.

    Raises:
        StyleNotFound: scikit-image or its picture is missing.
    """
    try:
        with (
            as_file(files("skimage").joinpath("data", CONTENTS[name].file)) as path,
            Image.open(path, formats=["PNG", "JPEG"]) as image,
        ):
            photo, box = image.convert("RGB"), CONTENTS[name].box
            return photo.resize((PART, PART), Image.Resampling.LANCZOS, box) if box else photo
    except (ImportError, OSError) as error:
        raise StyleNotFound(f'The example photo "{name}" comes with scikit-image: pip install scikit-image.') from error
