"""The line before the device: whose turn it is, and what those who wait are told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from fresh import fresh
from gradio.context import LocalContext

from nst.device import lock
from nst.ui import progress


class Waiting:
    """A visitor in a line, of this address and session."""

    def __init__(self, line: ModuleType, address: str, session: str | None = None) -> None:
        self.stopped, self.started, self.work = False, 0.0, 0.0
        self.request = SimpleNamespace(client=SimpleNamespace(host=address), headers={}, session_hash=session)
        self.words = line.wait(self)

    def told(self) -> tuple[int, float] | None:
        """How many come before, and in about how many seconds the device is free; None where it is theirs."""
        before = LocalContext.request.set(self.request)
        try:
            return next(self.words, None)
        finally:
            LocalContext.request.reset(before)


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(time, "monotonic", lambda: now.seconds)
    return now


@pytest.fixture
def line(monkeypatch) -> Iterator[ModuleType]:
    """A line that nobody has stood in."""
    made = fresh("nst.server.queue")
    made.POLL = 0.001
    yield made
    assert not lock.locked() and not made.is_busy()


def had(line: ModuleType, clock: Any, address: str, seconds: float) -> None:
    """Somebody of this address has the device for so long."""
    one = Waiting(line, address)
    assert one.told() is None
    with line.computing(one):
        clock.seconds += seconds


def places(clock: Any, *waiting: Waiting) -> list[int]:
    """The place of each, once all stand in the line."""
    for one in waiting:
        one.told()
    clock.seconds += 10  # by when they are told anew
    return [one.told()[0] for one in waiting]


def leave(*waiting: Waiting) -> None:
    for one in waiting:
        one.stopped = True
        assert one.told() is None


def test_who_waits_is_told_their_place_and_about_how_long(line, clock):
    first, second, third = (Waiting(line, "192.0.2.1") for _ in range(3))
    lock.acquire()
    assert [second.told(), third.told()] == [(0, 0.0), (1, 0.0)], "nobody can tell yet"
    with line.computing(first):
        clock.seconds, first.work = first.started + 20, 0.5
        assert [second.told(), third.told()] == [(0, 20), (1, 0.0)]
    leave(second, third)
    for seconds in (50, 70, 90):
        had(line, clock, "192.0.2.2", seconds)  # with the 20 of the first, 60 in the middle
    second, third = (Waiting(line, "192.0.2.1") for _ in range(2))
    lock.acquire()
    with line.computing(first):
        clock.seconds = first.started + 20
        assert second.told() == (0, 20)
        told = third.told()
        assert told == (1, 80) and "1 more before yours, in about 80 s" in progress.waiting(*told)
        leave(second)
        clock.seconds += 10
        assert third.told()[0] == 0
        leave(third)


def test_whose_address_has_had_the_device_for_long_waits_behind_the_others(line, clock):
    had(line, clock, "192.0.2.1", 300)
    had(line, clock, "192.0.2.2", 3)
    waiting = [Waiting(line, f"192.0.2.{last}") for last in (1, 1, 2, 3)]
    with lock:
        assert places(clock, *waiting) == [2, 3, 0, 1]
        clock.seconds += 6 * line.HALF
        assert places(clock, *waiting) == [0, 1, 2, 3], "it is forgiven with time"
        leave(*waiting)


def test_who_is_there_to_see_it_comes_before_who_is_not(line, clock, monkeypatch):
    had(line, clock, "192.0.2.3", 300)
    monkeypatch.setattr(line, "heard_of", dict.fromkeys(("one", "two", "three"), clock.seconds))
    waiting = [Waiting(line, f"192.0.2.{last}", name) for last, name in enumerate(("one", "two", "three"), 1)]
    with lock, line.told("two"), line.told("three"):
        assert places(clock, *waiting) == [2, 0, 1]
        leave(*waiting)
    assert line.away("two") < 1 < line.away("one"), "and it is known when they left"
