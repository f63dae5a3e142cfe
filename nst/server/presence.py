"""Who is there: to whom the server can tell how what they asked for goes on.

A name here is a page's session, or an event that a program asked for.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Scope

here: Counter[str] = Counter()
"""How many requests of each name are there to be told."""

heard_of: dict[str, float] = {}
"""When those were there last who are not there now, by the monotonic clock."""


@contextmanager
def told(name: str) -> Iterator[None]:
    """While a request is there to be told of this name."""
    here[name] += 1
    try:
        yield
    finally:
        here[name] -= 1
        if not here[name]:
            del here[name]
            heard_of[name] = time.monotonic()


def away(*names: str) -> float:
    """For how many seconds nobody has been there to be told of these names; 0 if somebody is, or none is known."""
    if any(here[name] for name in names):
        return 0.0
    last = max((heard_of[name] for name in names if name in heard_of), default=None)
    return 0.0 if last is None else time.monotonic() - last


def listener(scope: Scope) -> str:
    """The name that a request asks to be told of; "" if it is none of that kind."""
    path, query = scope["path"], scope.get("query_string", b"").decode("latin-1")
    if path == "/gradio_api/queue/data":
        return next((part.partition("=")[2] for part in query.split("&") if part.startswith("session_hash=")), "")
    if scope["method"] == "GET" and path.startswith("/gradio_api/call/"):
        return str(path.rpartition("/")[2])
    return ""
