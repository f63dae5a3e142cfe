"""The app under load: many visitors on one process, runs cancelled by the hundred.

The default suite has a few seconds of each; the whole of it is `pytest -m slow tests/test_load.py -s`, which prints
what was measured. Times are those of the machine at that moment; memory, files and threads are not.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import linear_regression, quantiles

import httpx
import pytest
from test_hosting import process
from visitor import Refused, Visitor

QUERY = "?size=64&num_steps=8&preset=draft"
MOST, YOUNGEST = 12_000_000, 15
"""Bytes of the temporary folder, and seconds for which a file is safe in it, in these tests."""

if sys.platform != "linux":
    pytest.skip("reads /proc", allow_module_level=True)

SMALL = f"""
import sys
sys.path.insert(0, ".")
import app
from nst.server import tempfiles
keep = tempfiles.keep_small
tempfiles.keep_small = lambda: keep({MOST}, youngest={YOUNGEST}, every=2)
sys.exit(app.main(sys.argv[1:]))
"""


class Server:
    """A server process, seen from outside."""

    def __init__(self, url: str, server: subprocess.Popen[str], folder: Path) -> None:
        self.url, self.folder, self.proc = url, folder, Path("/proc") / str(server.pid)

    def status(self, name: str) -> int:
        """A number from the process's status, such as VmRSS in kB or Threads."""
        text = (self.proc / "status").read_text()
        return int(text.partition(f"{name}:")[2].split()[0])

    def memory(self) -> float:
        """MB of its own; what is resident of the libraries' files comes and goes as the system likes."""
        return self.status("RssAnon") / 1024

    def open_files(self) -> int:
        return len(list((self.proc / "fd").iterdir()))

    def bytes(self) -> int:
        """Of the temporary folder."""
        total = 0
        for folder, _, names in (found for own in self.folder.glob("pastiche-app-*") for found in os.walk(own)):
            for name in names:
                with suppress(OSError):  # just removed
                    total += os.lstat(os.path.join(folder, name)).st_size
        return total


@contextmanager
def serving(folder: Path, *flags: str) -> Iterator[Server]:
    script = folder / "serve.py"
    script.write_text(SMALL)
    with process(folder, *flags, script=script) as (url, server):
        yield Server(url, server, folder)


class Crowd:
    """Visitors who paint again and again; now and then one presses Stop, closes the page, or finds the queue full.

    Attributes:
        told: how often each thing happened.
        done: seconds of each visitor's runs, waiting included.
        pages: seconds until a page answered meanwhile.
    """

    def __init__(self, url: str, visitors: int) -> None:
        self.url, self.told, self.pages = url, Counter[str](), list[float]()
        self.done: list[list[float]] = [[] for _ in range(visitors)]
        self.over = threading.Event()

    def stay(self, seconds: float) -> Iterator[float]:
        """Let them in, and yield the seconds spent about ten times a second, until it is over."""
        threads = [threading.Thread(target=self._visit, args=(i,)) for i in range(len(self.done))]
        threads.append(threading.Thread(target=self._look))
        started = time.monotonic()
        for thread in threads:
            thread.start()
        while (spent := time.monotonic() - started) < seconds:
            yield spent
            time.sleep(0.1)
        self.over.set()
        for thread in threads:
            thread.join(180)
        assert not any(thread.is_alive() for thread in threads), "a request was starved"

    def _visit(self, i: int) -> None:
        chance, visitor = random.Random(i), None
        while not self.over.is_set():
            try:
                if visitor is None:
                    visitor = Visitor(self.url, QUERY)
                    visitor.open()
                started = time.monotonic()
                if chance.random() < 0.2:
                    stop(visitor, chance.random() < 0.5)
                    self.told["stopped"] += 1
                elif visitor.click("paint"):
                    self.done[i].append(time.monotonic() - started)
                    self.told["painted"] += 1
                else:
                    self.told[f"error: {visitor.toasts[-1:]}"] += 1
                if chance.random() < 0.1:
                    visitor.close()
                    visitor = None
            except Refused as refused:
                self.told["queue full" if "full" in str(refused).lower() else f"error: {refused}"] += 1
                time.sleep(chance.uniform(0.2, 0.6))
            except Exception as error:
                self.told[f"error: {error!r}"] += 1
                visitor = None
                time.sleep(0.5)
        if visitor:
            visitor.close()

    def _look(self) -> None:
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while not self.over.is_set():
                for page in ("/", "/healthz", "/r/nothing-here"):
                    started = time.monotonic()
                    try:
                        answer = client.get(page)
                    except httpx.HTTPError as error:
                        self.told[f"error: {page} {error!r}"] += 1
                        continue
                    self.pages.append(time.monotonic() - started)
                    if answer.status_code not in (200, 404, 429):
                        self.told[f"error: {page} {answer.status_code}"] += 1
                time.sleep(0.2)

    def errors(self) -> dict[str, int]:
        return {what: count for what, count in self.told.items() if what.startswith("error")}


def stop(visitor: Visitor, leave: bool) -> None:
    """Begin a run, and stop it when it has shown something, or leave the page instead."""
    begin, paint = visitor.events("paint")
    assert visitor.call(begin)
    for message in visitor.watch(paint):
        if message["msg"] == "process_generating":
            if not leave:
                for number in visitor.events("stop")[:1]:
                    visitor.call(number)
            visitor.cancel(paint)
            break
    if not leave:
        for number in visitor.events("stop")[1:]:
            visitor.call(number)


def weather(server: Server, crowd: Crowd, seconds: float, warm: float) -> tuple[float, int, int]:
    """Let the crowd stay; the slope of the memory in MB a minute after `warm` seconds, its most in MB, and the most
    bytes of the temporary folder. Every ten seconds, the memory is printed.

    The slope is that of the floor, the least of each fifteenth of that time, which what is kept for good raises: above
    it, a picture that is being painted comes and goes with some hundred megabytes."""
    floor: dict[int, float] = {}
    folder, most, window = 0, 0.0, (seconds - warm) / 15
    for i, spent in enumerate(crowd.stay(seconds)):
        size = server.memory()
        if i % 10 == 0:
            folder = max(folder, server.bytes())
        if i % 100 == 0:
            print(f"{spent:.0f} s: {size:.0f} MB", end="; ", flush=True)
        if spent > warm:
            most, number = max(most, size), int((spent - warm) / window)
            floor[number] = min(size, floor.get(number, size))
    print("\nfloor:", [round(size) for size in floor.values()])
    slope = linear_regression(list(floor), list(floor.values())).slope * 60 / window
    return slope, round(most), folder


def report(crowd: Crowd, **facts: object) -> float:
    """Print what was measured; the seconds in which 95 of 100 pages answered."""
    waits = [seconds for runs in crowd.done for seconds in runs]
    worst = {"runs": len(waits), "longest": round(max(waits), 1), "fewest runs of a visitor": min(map(len, crowd.done))}
    p95 = round(quantiles(crowd.pages, n=20)[-1], 3)
    print("\n", dict(crowd.told), worst, {"pages p95": p95, "pages": len(crowd.pages)}, facts)
    return p95


@pytest.mark.slow
def test_some_visitors_at_once(tmp_path):
    with serving(tmp_path) as server:
        crowd = Crowd(server.url, 6)
        _, _, folder = weather(server, crowd, seconds=20, warm=5)
        report(crowd, folder=folder)
        assert not crowd.errors() and all(crowd.done), "nobody is starved"
        assert folder < MOST + 10_000_000


@pytest.mark.slow
def test_fifty_visitors_for_twelve_minutes(tmp_path):
    """Memory grows until as many pages are remembered as ever will be, which takes some minutes; and five minutes after
    that would be too short to tell a megabyte a minute from what comes and goes."""
    with serving(tmp_path) as server:
        crowd = Crowd(server.url, 50)
        slope, most, folder = weather(server, crowd, seconds=720, warm=240)
        p95 = report(crowd, slope=round(slope, 2), most=most, folder=folder)
        assert not crowd.errors() and all(crowd.done), "nobody is starved"
        assert p95 < 0.3, "seconds"
        assert slope < 1, "MB a minute"
        assert folder < MOST + 20_000_000


def cancelled(server: Server, count: int) -> dict[str, tuple[int, int]]:
    """Cancel so many runs in a row; threads, open files and bytes before and after."""
    visitor = Visitor(server.url, QUERY)
    visitor.open()
    for i in range(12):  # warm up: pools of threads fill, weights are loaded
        stop(visitor, leave=i % 2 == 0)
    before = measured(server)
    for i in range(count):
        stop(visitor, leave=i % 2 == 0)
    visitor.close()
    after = measured(server)
    last = Visitor(server.url, QUERY)
    last.open()
    assert last.click("paint") and "Finished" in last.show("status"), "no lock is left behind"
    last.close()
    print("\n", count, "cancelled:", {name: (before[name], after[name]) for name in before})
    return {name: (before[name], after[name]) for name in before}


def measured(server: Server) -> dict[str, int]:
    time.sleep(YOUNGEST + 5)  # runs end, connections close, the folder is swept
    return {"threads": server.status("Threads"), "open files": server.open_files(), "bytes": server.bytes()}


@pytest.mark.slow
def test_five_hundred_cancelled_runs_leave_nothing_behind(tmp_path):
    with serving(tmp_path) as server:
        found = cancelled(server, 500)
        assert found["threads"][1] <= found["threads"][0] + 4
        assert found["open files"][1] <= found["open files"][0] + 4
        assert found["bytes"][1] <= MOST
