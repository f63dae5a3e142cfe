"""What was found out about pictures, kept between runs in a file for each, without which all goes on as before."""

from __future__ import annotations

import hashlib
import os
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np

from nst.places import cache_dir, replacing

VERSION = "2"
"""Of what is kept; another one makes what was kept before worthless."""

Entry = tuple[bytes, bytes, bytes]
"""Style and content as float16, and the thumbnail."""


def place_of(path: Path, encoder: str) -> Path:
    """Where it is kept what this encoder finds in a picture: elsewhere once either of them changes."""
    try:
        about = path.stat()
        told = (VERSION, encoder, str(path.resolve()), str(about.st_size), str(about.st_mtime_ns))
    except OSError:
        told = (VERSION, encoder, str(path), "", "")
    key = hashlib.sha256(os.fsencode("\0".join(told))).hexdigest()  # names need not be UTF-8
    return cache_dir() / "collections" / f"{key}.npz"


def recall(place: Path) -> Entry | None:
    """What is kept there; None for nothing that can be used."""
    with suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile), np.load(place) as file:
        return file["style"].tobytes(), file["content"].tobytes(), file["small"].tobytes()
    return None


def remember(place: Path, entry: Entry) -> None:
    """Keep it there, if that can be: not where nothing can be written, or the disk is full."""
    style, content, small = (np.frombuffer(part, np.uint8) for part in entry)
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place) as part, part.open("wb") as file:
            np.savez(file, style=style, content=content, small=small)
