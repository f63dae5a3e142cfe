"""The store of shared results: a folder, one subfolder a result, no database to run.

A result exists once its record is there. The record is written last and put in place in one go, and goes first
when a result is deleted: so a crash at any moment leaves a whole result or none, and several processes can share
one folder. Each picture's hash stands in the record; what does not match it is not served.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import Image

from nst.server.results.place import (
    ResultsError,
    disk_trouble,
    on_a_space,
    results_dir,
    size_of,
    sync_folder,
    write_through,
)
from nst.server.results.record import CLIP, Result, read_record, to_result
from nst.server.results.smaller import MAX_CLIP, MAX_SHARE, files

RECORD, DELETED = "result.json", "deleted"
ID = re.compile(r"[0-9a-hjkmnp-tv-z]{20}")
"""What an id looks like: 100 random bits in Crockford's base 32, which no file system confuses."""

KIND = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")

MAX_BYTES, MAX_DAYS = 2_000_000_000, 365
"""What a store keeps unless told otherwise; the oldest results go first."""

SAFE_SECONDS = 86400.0
"""For so long nothing that others share can take the place of a result."""

LEFTOVER_SECONDS = 3600
TIDY_SECONDS = 30
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"


class Store:
    """Shared results in a folder.

    Args:
        folder: where they lie; made when the first one is added.
        max_bytes, max_days: what is kept; the oldest results go first, but none that is younger than a day.

    Attributes:
        remember_deleted: note the ids of what goes, for whoever published it elsewhere.
        full: whether the last result found no room.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES, max_days: float = MAX_DAYS) -> None:
        self.folder, self.max_bytes, self.max_days = folder, max_bytes, max_days
        self.remember_deleted = self.full = False
        self._tidied, self._tidying, self._adding = -math.inf, threading.Lock(), threading.Lock()
        self._used = 0
        self._records: dict[str, tuple[int, Result]] = {}

    def add(
        self,
        picture: Image.Image,
        recipe: Mapping[str, Any],
        *,
        alpha: Image.Image | None = None,
        before: Image.Image | None = None,
        inputs: Mapping[str, Image.Image] | None = None,
        clip: bytes | None = None,
        public: bool = False,
    ) -> tuple[str, str]:
        """Keep a result; once this returns, it is on the disk.

        Args:
            picture: the result; of its metadata nothing is kept.
            recipe: a dict of JSON values, which also goes into the picture.
            alpha: the picture's transparency, mode L.
            before: what it was made from, shown beside it.
            inputs: pictures for remixes by kind, such as "content", "style" or "mask-2"; large ones are kept smaller.
            clip: an MP4 of our own, of which the picture is the poster.
            public: show it in the gallery.

        Returns:
            The id, and the token that deletes it: it is told here only, since the store keeps its hash.

        Raises:
            ResultsError: it cannot be kept.
            ValueError: a kind that is no name for a file.
        """
        if wrong := [kind for kind in inputs or {} if not KIND.fullmatch(kind)]:
            raise ValueError(f"Kinds of inputs are of small letters, digits, - and _, not {wrong[0]!r}.")
        data, (width, height) = files(picture, recipe, alpha, before, inputs or {})
        if clip is not None:
            if len(clip) > MAX_CLIP:
                raise ResultsError(
                    f"Clips of up to {MAX_CLIP / 1e6:g} MB can be shared; paint a shorter one, or a smaller."
                )
            data[CLIP] = clip
        token = secrets.token_urlsafe(24)
        record = {
            "created": time.time(),
            "public": bool(public),
            "recipe": dict(recipe),
            "width": width,
            "height": height,
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in data.items()},
            "token": hashlib.sha256(token.encode()).hexdigest(),
        }
        written = json.dumps(record).encode()
        size = sum(map(len, data.values())) + len(written)
        self._make_room(size)
        try:
            return self._write(data, written), token
        except ResultsError:
            self._used -= size
            raise

    def _make_room(self, size: int) -> None:
        """See to it that so many bytes more may be kept; raises ResultsError if all that is kept is too young to go."""
        if size > self.max_bytes:
            raise ResultsError("This result is larger than all that is kept here; share it without the photo.")
        self.tidy(TIDY_SECONDS, size)
        with self._adding:
            if self._used + size > self.max_bytes:
                self.tidy(reserve=size)
            self.full = self._used + size > self.max_bytes
            if self.full:
                raise ResultsError("The place for shared results is full just now; try again tomorrow.")
            self._used += size

    def _write(self, data: Mapping[str, bytes], record: bytes) -> str:
        id = "".join(secrets.choice(_DIGITS) for _ in range(20))
        own = self.folder / id
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            own.mkdir()  # fails if the id is taken
            for name, content in data.items():
                write_through(own / name, content)
            part = own / f"{RECORD}.part"
            write_through(part, record)
            os.replace(part, own / RECORD)
            sync_folder(own)
            sync_folder(self.folder)
        except OSError as error:
            shutil.rmtree(own, ignore_errors=True)
            raise ResultsError(disk_trouble(error)) from error
        return id

    def get(self, id: str) -> Result | None:
        """The result with this id; None where there is none, or its record makes no sense."""
        if not ID.fullmatch(id):
            return None
        path = self.folder / id / RECORD
        try:
            stamp = path.stat().st_mtime_ns
            known = self._records.get(id)
            if known is None or known[0] != stamp:
                known = stamp, to_result(id, read_record(path))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            self._records.pop(id, None)
            return None
        if len(self._records) > 2000:
            self._records.clear()
        self._records[id] = known
        return known[1]

    def read(self, id: str, name: str) -> bytes | None:
        """A file of a result, such as "picture.webp"; None where there is none, or it is damaged."""
        result = self.get(id)
        if result is None or name not in result.files:
            return None
        try:
            content = (self.folder / id / name).read_bytes()
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == result.files[name] else None

    def may_delete(self, id: str, token: str) -> bool:
        """Whether this token deletes this result."""
        if self.get(id) is None:
            return False
        try:
            kept = str(read_record(self.folder / id / RECORD)["token"])
        except (OSError, ValueError, KeyError):
            return False
        return hmac.compare_digest(hashlib.sha256(token.encode()).hexdigest(), kept)

    def delete(self, id: str, token: str) -> bool:
        """Delete a result; False if it is gone already, or the token is not its own."""
        return self.may_delete(id, token) and self._remove(id)

    def _remove(self, id: str) -> bool:
        try:
            if self.remember_deleted:
                (self.folder / DELETED).mkdir(exist_ok=True)
                (self.folder / DELETED / id).touch()
            (self.folder / id / RECORD).unlink()  # of two that try, one succeeds
        except OSError:
            return False
        shutil.rmtree(self.folder / id, ignore_errors=True)
        self._records.pop(id, None)
        return True

    def deleted(self) -> list[str]:
        """The ids that `remember_deleted` noted."""
        with suppress(OSError):
            return [name for name in os.listdir(self.folder / DELETED) if ID.fullmatch(name)]
        return []

    def forget_deleted(self, id: str) -> None:
        """Take an id from that list."""
        (self.folder / DELETED / id).unlink(missing_ok=True)

    def latest(self, count: int, skip: int = 0) -> list[Result]:
        """The newest public results, newest first."""
        found: list[Result] = []
        for _, id in sorted(self._stamps(), reverse=True):
            result = self.get(id)
            if result is not None and result.public:
                found.append(result)
                if len(found) == count + skip:
                    break
        return found[skip:]

    def tidy(self, unless_within: float = 0.0, reserve: int = 0) -> int:
        """Remove what is too old or too much (with so many bytes kept free), the oldest first, and leftovers of
        crashes, unless this process did so in the last seconds; how many results went."""
        if time.monotonic() - self._tidied < unless_within or not self._tidying.acquire(blocking=False):
            return 0
        try:
            self._tidied = time.monotonic()
            self._remove_leftovers()
            now = time.time()
            sizes = {id: size_of(self.folder / id) for _, id in self._stamps()}
            self._used, gone = sum(sizes.values()), 0
            for stamp, id in sorted(self._stamps()):
                too_much = self._used + reserve > self.max_bytes and stamp < now - SAFE_SECONDS
                if (too_much or stamp < now - self.max_days * 86400) and self._remove(id):
                    self._used -= sizes.get(id, 0)
                    gone += 1
            return gone
        finally:
            self._tidying.release()

    def trouble(self) -> str | None:
        """Why nothing can be kept here, in one sentence; None if all is well. Writes a small file to see."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            probe = self.folder / f".{secrets.token_hex(8)}.part"
            try:
                write_through(probe, bytes(4096))
            finally:
                probe.unlink(missing_ok=True)
        except OSError as error:
            return disk_trouble(error)
        return None

    def _stamps(self) -> Iterator[tuple[float, str]]:
        """When each result was put in place, and its id."""
        for id in self._folders():
            with suppress(OSError):
                yield (self.folder / id / RECORD).stat().st_mtime, id

    def _folders(self) -> list[str]:
        try:
            return [name for name in os.listdir(self.folder) if ID.fullmatch(name)]
        except OSError:
            return []

    def _remove_leftovers(self) -> None:
        limit = time.time() - LEFTOVER_SECONDS
        for id in self._folders():
            own = self.folder / id
            with suppress(OSError):
                if own.stat().st_mtime < limit and not (own / RECORD).exists():
                    shutil.rmtree(own, ignore_errors=True)
        for probe in self.folder.glob(".*.part"):
            with suppress(OSError):
                if probe.stat().st_mtime < limit:
                    probe.unlink()
