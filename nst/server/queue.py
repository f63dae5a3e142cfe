"""The line before the device: one computes, the others wait their turn and are told how long.

Who comes first is first, but behind those whose address has had the device for less time lately, and before those who
are not there to see it: so nobody keeps it from others by asking for much, again and again, or for nobody.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from gradio.context import LocalContext

from nst.device import lock
from nst.server.address import client

POLL, TELL, TOLD = 0.2, 1.5, 4
"""Seconds between two looks at something that is waited for, and between two words about it to the visitor; of whom so
many are told in that time: each word costs some 10 ms, in which nobody else is answered.
"""

HALF, ALIKE = 300.0, 5.0
"""Seconds after which half of what an address has had of the device is forgiven, and a difference that makes none."""

ABSENT = 2.0
"""Seconds without anybody there to be told, after which those who are there come first."""

here: Counter[str] = Counter()
heard_of: dict[str, float] = {}
"""By a page's session, or an event that a program asked for: how many requests are there to be told how it goes on; and
when the last one left, by the monotonic clock."""

_stopping = threading.Event()


def stop_all() -> None:
    """Have the run that computes end at its next step, and all that wait give up: the server ends."""
    _stopping.set()
    for visitor in (*_line, *_running, *_elsewhere):
        visitor.stopped = True


def awaited() -> bool:
    """Whether somebody waits, and is there, who is not of the address that has the device now."""
    computes = {_address.get(visitor) for visitor in _running}
    return any(_address.get(visitor) not in computes and not _absent(visitor) for visitor in list(_line))


def is_busy() -> bool:
    """Whether anybody computes."""
    return bool(_running or _elsewhere)


@dataclass(eq=False, kw_only=True)
class Visitor:
    """Who waits, and then computes.

    Attributes:
        stopped: whether they have changed their mind.
        started: when they began, by the monotonic clock.
        work: share of the work that is done.
    """

    stopped: bool = False
    started: float = 0.0
    work: float = 0.0


@contextmanager
def told(name: str) -> Iterator[None]:
    """While a request is there to be told of this session or event."""
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


def claim(painting: object) -> bool:
    """Whether this is still to be painted; from now on it is not: nothing is painted twice."""
    with _claiming:
        fresh = painting not in _claimed
        _claimed.add(painting)
        return fresh


_claimed: WeakSet[object] = WeakSet()
_claiming = threading.Lock()


def wait(visitor: Visitor) -> Generator[tuple[int, float], None, bool]:
    """Wait for the device; yields how many come before and in about how many seconds it is free (0 where nobody can
    tell), and returns whether it is held, which it is unless they were stopped."""
    request = LocalContext.request.get(None)
    _address[visitor] = client(request) if request is not None else ""
    _names[visitor] = tuple(filter(None, (getattr(request, "session_hash", None), LocalContext.event_id.get(None))))
    _line.append(visitor)
    said = 0.0
    try:
        while not (visitor.stopped or _stopping.is_set()):
            first = _turns()[:1] == [visitor]
            if first and lock.acquire(timeout=POLL):
                return True
            if not first:
                time.sleep(POLL)
            if visitor.stopped or time.monotonic() < said + TELL * max(1.0, len(_line) / TOLD):
                continue
            said = time.monotonic()
            ahead = _turns().index(visitor)
            yield ahead, _expected(ahead)
        return False
    finally:
        _line.remove(visitor)


@contextmanager
def computing_elsewhere(visitor: Visitor) -> Iterator[None]:
    """While this visitor computes on a device that nobody here waits for."""
    visitor.started = time.monotonic()
    _elsewhere.append(visitor)
    try:
        yield
    finally:
        _elsewhere.remove(visitor)


_elsewhere: list[Any] = []


@contextmanager
def computing(visitor: Visitor) -> Iterator[None]:
    """While this visitor, who holds the device, computes; lets go of it at the end."""
    visitor.started = time.monotonic()
    _running[:] = [visitor]
    try:
        yield
    finally:
        _running.clear()
        seconds = time.monotonic() - visitor.started
        _spent.append(seconds)
        if address := _address.get(visitor):
            _had[address] = _lately(address) + seconds, time.monotonic()
        lock.release()


_line: list[Any] = []
"""Who waits for the device, in the order in which they came."""

_address: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
"""Where they come from."""

_names: WeakKeyDictionary[Any, tuple[str, ...]] = WeakKeyDictionary()
"""By which they are told how it goes on, see `told`."""

_had: dict[str, tuple[float, float]] = {}
"""Seconds of the device that an address has had, and when that was said; they are forgiven by halves, see `HALF`."""


def _turns() -> list[Any]:
    """Who waits, in the order in which it is their turn."""
    return sorted(_line, key=lambda visitor: (_absent(visitor), _lately(_address.get(visitor, "")) // ALIKE))


def _absent(visitor: Any) -> bool:
    return away(*_names.get(visitor, ())) > ABSENT


def _lately(address: str) -> float:
    """Seconds of the device that still count against an address."""
    seconds, then = _had.get(address, (0.0, 0.0))
    seconds *= 0.5 ** ((time.monotonic() - then) / HALF)
    if 0 < seconds < 1:
        _had.pop(address, None)
    return seconds


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
