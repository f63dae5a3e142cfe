"""The end of the server: Ctrl-C and SIGTERM alike let a run end at its next step, remove uploads, and exit with 0."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from nst.server import log, queue, tempfiles

PATIENCE = 6.0
"""Seconds that a run may take for the step it is in, and connections to close."""

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]


@contextmanager
def asked() -> Iterator[threading.Event]:
    """What is set once somebody wants the server to end; to be entered on the main thread."""
    wanted = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        wanted.set()

    before = {one: signal.signal(one, note) for one in SIGNALS}
    try:
        yield wanted
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def serve_until(wanted: threading.Event, page: Any) -> None:
    """Serve until then, and then end: the page, the runs, and what lies in the temporary folder."""
    while not wanted.wait(0.5):  # a wait without end would hear no signal on Windows
        if not page.is_running:
            return
    log.note("stopping")
    started = time.monotonic()
    queue.stop_all()
    closing = threading.Thread(target=page.close, kwargs={"verbose": False}, daemon=True)
    closing.start()  # which waits for open connections
    while (closing.is_alive() or queue.is_busy()) and time.monotonic() - started < PATIENCE:
        time.sleep(0.05)
    tempfiles.close_folder()
    log.note("stopped", seconds=round(time.monotonic() - started, 1), busy=queue.is_busy())


def leave(code: int) -> NoReturn:
    """End this process at once: threads that still compute would not survive the interpreter's end, and abort it."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code)
