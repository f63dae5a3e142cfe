"""The line before the device: one computes, the others wait in order and are told how long."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, Protocol

from nst.device import lock
from nst.ui import progress

POLL, TELL = 0.2, 1.5
"""Seconds between two looks at something that is waited for, and between two words about it to the visitor."""


class Visitor(Protocol):
    """Who waits, and then computes.

    Attributes:
        stopped: whether they have changed their mind.
        started: when they began, by the monotonic clock.
        work: share of the work that is done.
    """

    stopped: bool
    started: float
    work: float


def wait(visitor: Visitor) -> Generator[str, None, bool]:
    """Wait for the device; yields status lines, returns whether it is held, which it is unless they were stopped."""
    _line.append(visitor)
    told = 0.0
    try:
        while not visitor.stopped:
            first = _line[0] is visitor
            if first and lock.acquire(timeout=POLL):
                return True
            if not first:
                time.sleep(POLL)
            if visitor.stopped or time.monotonic() < told + TELL:
                continue
            told = time.monotonic()
            ahead = _line.index(visitor)
            detail = f"{ahead} more before yours" if ahead else "Yours comes next"
            if seconds := _expected(ahead):
                detail += f", in about {progress.duration(seconds)}"
            yield progress.status("Waiting for the machine", f"It is still busy. {detail}.", done=0.0, kind="busy")
        return False
    finally:
        _line.remove(visitor)


@contextmanager
def computing(visitor: Visitor) -> Iterator[None]:
    """While this visitor, who holds the device, computes; lets go of it at the end."""
    visitor.started = time.monotonic()
    _running[:] = [visitor]
    try:
        yield
    finally:
        _running.clear()
        _spent.append(time.monotonic() - visitor.started)
        lock.release()


_line: list[Any] = []
"""Who waits for the device, in order."""

_running: list[Any] = []
"""Who has it, if anybody."""

_spent: deque[float] = deque(maxlen=8)
"""Seconds that the last ones took."""


def _expected(ahead: int) -> float:
    """Seconds until the device is free for who has so many before them in the line; 0 if nobody can tell yet."""
    usual = median(_spent) if _spent else 0.0
    left = usual
    for visitor in _running[:1]:
        if visitor.work > 0.02:
            left = (time.monotonic() - visitor.started) / visitor.work * (1 - visitor.work)
    return left + ahead * usual if usual or not ahead else 0.0
