"""The styles that come with Pastiche as pictures, 1,024 pixels along the long side.

Generators of our own drew them (oil strokes, woodblock, lead and glass, tesserae, gouges, dots, ink, washes, combed
color), which the project's history keeps: `git log -- nst/styles/night.py`.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from .catalog import Style, StyleNotFound

FOLDER = Path(__file__).parents[1] / "pictures" / "styles"


def _entry(name: str, title: str, note: str) -> tuple[str, Style]:
    return name, Style(name, title, "Pastiche", "2026", "drawn", "CC0 1.0", f"nst/pictures/styles/{name}.avif", note)


DRAWN: dict[str, Style] = dict(
    (
        _entry("night", "Night Wind", "oil, thick curling strokes: deep blues, lemon and orange lights"),
        _entry("waves", "Tall Sea", "woodblock print: ink outlines, striped waves, indigo, cream and a red sun"),
        _entry("meadow", "Poppy Noon", "oil in daylight: wheat, poppies and rolling clouds in short strokes"),
        _entry("glass", "Iris Window", "stained glass: glowing pieces between dark lead lines"),
        _entry("mosaic", "Golden Tree", "mosaic: gold spirals and enamel stones laid along the outlines"),
        _entry("linocut", "Harvest Moon", "linocut: gouge marks in black over orange, ocher and teal"),
        _entry("dots", "Evening Regatta", "pointillism: dots of pure color at sundown"),
        _entry("prism", "Harbor Prism", "cubist planes: faceted strokes in cream, rust and teal"),
        _entry("ink", "Mountain Rain", "ink and mineral colors on silk: peaks, pines and mist"),
        _entry("aquarelle", "Garden after Rain", "watercolor: transparent blooms with dark rims, a rainbow ground"),
        _entry("marbling", "Ebru", "marbled paper: combed veins of crimson, navy, ocher and cream"),
    )
)


def open_drawn(name: str, size: int) -> Image.Image:
    """The style `name` of `DRAWN`, mode RGB, at long side `size`, or its own 1,024 pixels where that is larger.

    Raises:
        StyleNotFound: the picture is missing, or this Pillow reads no AVIF.
    """
    try:
        with Image.open(FOLDER / f"{name}.avif", formats=["AVIF"]) as image:
            picture = image.convert("RGB")
    except (OSError, KeyError) as error:
        raise StyleNotFound(
            f'The picture of the style "{name}" cannot be read; restore nst/pictures, and have a Pillow that reads AVIF'
            ' (`pip install --force-reinstall "pillow>=12"`).'
        ) from error
    picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    return picture
