"""Pictures in the public domain, many from the source papers, fetched from Wikimedia Commons on demand.

Only the files of our own list can be fetched. What comes is kept only if it decodes and is of reasonable size.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from nst.places import cache_dir, replacing

from .catalog import HORSE, Example, StyleNotFound

if TYPE_CHECKING:
    from huggingface_hub.utils import httpx

SMALLEST_SIDE = 200  # pixels; anything smaller is an icon or a placeholder
FOLDERS = {"painting": "paintings", "fetched": "photos"}


def is_here(example: Example) -> bool:
    """Whether it lies on this machine. Makes no request."""
    return _place(example).is_file()


def open_horse() -> Image.Image:
    """The photo `HORSE`, mode RGB, cached or fetched now.

    Raises:
        StyleNotFound: see `open_fetched`.
    """
    return open_fetched(HORSE)


def open_fetched(example: Example, *, transport: httpx.BaseTransport | None = None) -> Image.Image:
    """A picture of Wikimedia Commons, mode RGB, from where it is kept or fetched now.

    Args:
        example: one that is fetched.
        transport: stands in for the network, for tests.

    Raises:
        StyleNotFound: it is not on this machine and cannot be had now; the message says why.
    """
    from nst.weights.hub import offline

    from .commons import CommonsError, fetch

    path = _place(example)
    with contextlib.suppress(OSError):
        if image := _decode(path.read_bytes()):
            return image
    try:
        if offline():
            raise CommonsError("the network is switched off (HF_HUB_OFFLINE)")
        data = fetch(example.file, transport=transport)
        image = _decode(data)
        if image is None:
            raise CommonsError("what Wikimedia sent is not a whole picture")
    except CommonsError as error:
        ready = example.kind == "painting"
        instead = "The drawn styles are always ready." if ready else "Any photo of a horse of yours will do."
        raise StyleNotFound(f'"{example.title}" is not on this machine, and {error}. {instead}') from error
    with contextlib.suppress(OSError):  # a folder that cannot be written only costs a new download
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            part.write_bytes(data)
    return image


def _place(example: Example) -> Path:
    return cache_dir() / "styles" / FOLDERS[example.kind] / f"{example.name}.image"


def _decode(data: bytes) -> Image.Image | None:
    """The picture; None where the bytes are none, or only a thumbnail."""
    from nst.images import ImageError, decode

    try:
        image = decode(data).rgb
    except ImageError:
        return None
    return image if min(image.size) >= SMALLEST_SIDE else None
