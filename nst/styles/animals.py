"""A photo of a horse in the public domain, fetched from Wikimedia Commons on demand: none comes with Pastiche."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from .catalog import Content
from .paintings import open_fetched

if TYPE_CHECKING:
    from huggingface_hub.utils import httpx

_FILE = "Pryor_Mountains_feral_horse_-_2009.jpg"

HORSE = Content(
    "horse",
    "A Feral Horse in the Pryor Mountains",
    "U.S. Bureau of Land Management",
    "public domain",
    f"https://commons.wikimedia.org/wiki/File:{_FILE}",
    "a wild horse, seen from the side",
)


def open_horse(*, transport: httpx.BaseTransport | None = None) -> Image.Image:
    """The photo `HORSE`, mode RGB, cached or fetched now; `transport` stands in for the network, for tests.

    Raises:
        StyleNotFound: it is not on this machine and cannot be had now; the message says why.
    """
    from nst.weights import cache_dir

    instead = "Any photo of a horse of yours will do."
    place = cache_dir() / "styles" / "photos" / f"{HORSE.name}.image"
    return open_fetched(place, _FILE, HORSE.title, instead=instead, transport=transport)
