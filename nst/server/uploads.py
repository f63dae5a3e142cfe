"""Uploads: so much for each address in a day, and never the last of the disk."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from starlette.formparsers import MultiPartException

from nst.server import limits, tempfiles
from nst.server.allowlist import Refusal
from nst.server.limits import Rate

DAY = 24 * 3600.0

OF_ADDRESS, OF_ADDRESS_AT_HOME = 500_000_000, 50_000_000_000
"""Bytes that come from one address in a day. Uploads are kept for a day, so this is also what lies here of it."""

FILES, FILES_AT_HOME = 200, 1000
"""In one upload; each is an open file meanwhile."""

AT_ONCE, AT_ONCE_OF_ADDRESS = 12, 4
"""Uploads under way: of all visitors, and of one address."""

SECONDS = 300.0
"""In which one must have come."""

MAX_FIELD = 100_000
"""Bytes of a part that is no file, which is held in memory."""


class Uploads:
    """What has come from whom, and what is coming."""

    def __init__(self) -> None:
        self.days = {strict: Rate(most, DAY) for strict, most in ((True, OF_ADDRESS), (False, OF_ADDRESS_AT_HOME))}
        self.coming: Counter[str] = Counter()
        self.bytes_coming = 0
        self._lock = threading.Lock()

    @contextmanager
    def place(self, who: str, length: str) -> Iterator[float]:
        """A place for an upload from this address while it comes, of so many bytes as the request says (the server sees
        to it that no more come); the seconds that it may take. Raises Refusal if there is none."""
        strict = limits.current() is limits.STRICT
        if not length.isdecimal() or len(length) > 15:
            raise Refusal(411, "An upload has to say how large it is.")
        size = int(length)
        with self._lock:
            self._check(who, size, strict)
            self.coming[who] += 1
            self.bytes_coming += size
        try:
            yield SECONDS if strict else DAY
        finally:
            with self._lock:
                self.bytes_coming -= size
                self.coming[who] -= 1
                if not self.coming[who]:
                    del self.coming[who]

    def _check(self, who: str, size: int, strict: bool) -> None:
        if strict and (self.coming[who] >= AT_ONCE_OF_ADDRESS or self.coming.total() >= AT_ONCE):
            raise Refusal(429, "Several uploads are coming just now; try again in a moment.")
        day, most = self.days[strict], self.days[strict].times
        if not day.allows(who, size):
            told = f"{most / 1e6:.0f} MB a day can be uploaded from one address, and yours has used that up."
            raise Refusal(413 if size > most else 429, told)
        if not tempfiles.make_room(size + self.bytes_coming):
            raise Refusal(507, "The disk of this server is full just now; try again later.")
        day.spend(who, size)


def few_parts(parser: Any) -> None:
    """Have gradio take few files of an upload, each of which is open meanwhile, and few other parts."""
    parser.max_files = min(parser.max_files, FILES if limits.current() is limits.STRICT else FILES_AT_HOME)
    parser.max_fields = min(parser.max_fields, 50)


def little_text(parser: Any, more: int) -> None:
    """Have gradio take no more of a part that is no file, and is held in memory, than it should."""
    part = parser._current_part
    if part.file is None and len(part.data) + more > MAX_FIELD:
        raise MultiPartException("A part of this upload that is no file is too large.")


def many_open_files() -> None:
    """Have the system allow this process as many open files as it may have."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536) if most > 0 else 65_536, most))
