"""What was found out about pictures, kept between runs: a cache, without which all goes on as before."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

VERSION = "1"
"""Of what is kept; another one makes what was kept before worthless."""

Entry = tuple[bytes, bytes, bytes]
"""Style and content as float16, and the thumbnail."""


class EmbeddingCache:
    """What is known of pictures, by key. A broken file is made anew, and where nothing can be written or the disk is
    full, nothing is kept."""

    def __init__(self, place: Path | None) -> None:
        self.store: sqlite3.Connection | None = None
        if place is None:
            return
        for _ in range(2):
            with suppress(sqlite3.Error, OSError):
                self.store = _opened(place)
                return
            with suppress(OSError):
                place.unlink()  # it is no database, or a damaged one

    def get(self, key: str) -> Entry | None:
        """What is known under this key."""
        if self.store:
            with suppress(sqlite3.Error):
                found = self.store.execute("select style, content, small from looks where key = ?", (key,)).fetchone()
                if found and all(isinstance(part, bytes) for part in found):
                    return found  # type: ignore[no-any-return]
        return None

    def keep(self, key: str, entry: Entry) -> None:
        """Remember it, if that can be."""
        if self.store:
            with suppress(sqlite3.Error), self.store:
                self.store.execute("insert or replace into looks values (?, ?, ?, ?)", (key, *entry))

    def close(self) -> None:
        """Let go of the file."""
        if self.store:
            self.store.close()


def key_of(path: Path, encoder: str) -> str:
    """A key that changes when the file, or what looks at it, does."""
    try:
        about = path.stat()
    except OSError:
        return str(path)
    told = (VERSION, encoder, str(path.resolve()), str(about.st_size), str(about.st_mtime_ns))
    return hashlib.sha256(os.fsencode("\0".join(told))).hexdigest()  # names need not be UTF-8


def _opened(place: Path) -> sqlite3.Connection:
    place.parent.mkdir(parents=True, exist_ok=True)
    store = sqlite3.connect(place, timeout=60)
    try:
        store.execute("create table if not exists looks (key text primary key, style blob, content blob, small blob)")
        if store.execute("pragma quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("damaged")
    except sqlite3.Error:
        store.close()
        raise
    return store
