"""Example pictures: styles of our own, paintings fetched on demand, and photos.

Our own styles come with Pastiche. Paintings come from a fixed list of addresses at Wikimedia Commons. Photos are those
that scikit-image ships.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path

from PIL import Image

from .catalog import DRAWN, HORSE, PAINTINGS, PHOTOS, Example, StyleNotFound
from .fetched import is_here, open_fetched, open_horse
from .maps import list_maps, load_doodle, load_map, meanings
from .shipped import open_drawn, open_photo, thumbnail

SMALLEST, LARGEST = 16, 4096
STYLES = DRAWN | PAINTINGS


def list_styles() -> list[Example]:
    """Every style that can be asked for by name: the drawn ones first, then the paintings."""
    return list(STYLES.values())


def list_contents() -> list[Example]:
    """The example photos."""
    return list(PHOTOS.values())


def is_ready(name: str) -> bool:
    """Whether this style can be had without network: it comes with Pastiche, or was fetched before.

    Raises:
        StyleNotFound: no style of this name.
    """
    style = _found("style", name, STYLES)
    return style.kind == "drawn" or is_here(style)


def load_style(name: str, size: int = 1024) -> Image.Image:
    """A style picture, mode RGB.

    Args:
        name: one of the names of `list_styles`.
        size: long side in pixels, 16 to 4096. It may come smaller: nothing is enlarged, and the drawn ones have 1024.

    Raises:
        StyleNotFound: no style of this name, or a painting that is not on this machine and cannot be had now;
            the message says what to do.
        ValueError: `size` out of range.
    """
    if isinstance(size, bool) or not isinstance(size, int) or not SMALLEST <= size <= LARGEST:
        raise ValueError(f"The size of a style is a whole number from {SMALLEST} to {LARGEST}, not {size!r:.40}.")
    style = _found("style", name, STYLES)
    picture = open_drawn(name) if style.kind == "drawn" else open_fetched(style)
    picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    return picture


def load_content(name: str) -> Image.Image:
    """An example photo, mode RGB, in its own size (300 to 1000 pixels).

    Raises:
        StyleNotFound: no photo of this name, or scikit-image is not installed with its pictures.
    """
    return open_photo(_found("example photo", name, PHOTOS).name)


def open_named(text: str, load: Callable[..., Image.Image], *size: int) -> tuple[str, Image.Image]:
    """The name and the picture, mode RGB, that a word stands for: NAME=FILE, a file, or else the name of an example.

    Args:
        text: the word; a file that is there goes before an example of the same name.
        load: `load_style` or `load_content`.
        size: what else it takes.

    Raises:
        ImageError: the file is no picture.
        StyleNotFound: see `load`.
    """
    from nst.images import decode  # only now, as torch comes with it

    name, _, file = text.rpartition("=")
    path = Path(file or text).expanduser()
    if path.is_file():
        return name or path.stem, decode(path).rgb
    return name or text, load(file or text, *size)


def _found(what: str, name: str, known: Mapping[str, Example]) -> Example:
    """The example of this name.

    Raises:
        StyleNotFound: there is none; the nearest names are told.
    """
    if name in known:
        return known[name]
    shown = str(name)[:60]
    near = difflib.get_close_matches(shown.lower().replace(" ", "_"), known, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(known)}."
    raise StyleNotFound(f'There is no {what} "{shown}". {hint}')
