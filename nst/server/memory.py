"""The server's memory under load: what is held, though nobody has any use of it.

With dozens of threads glibc's malloc makes eight pools a core, and after many pictures of many sizes each has holes:
the process then grows by hundreds of megabytes. Other systems have no such calls, and need none. And Python looks for
what is held only by itself, such as requests that are over, the more seldom the more there is to look through, which
with torch and gradio is half a million objects.
"""

from __future__ import annotations

import gc
import threading
import time

from nst.device import ask_glibc, trim_memory

M_ARENA_MAX = -8  # as malloc.h numbers it
SOON, EVERY = 0.5, 2.0
"""Seconds after a run, in which its last pictures are let go of, and between two times that memory is given back: that
takes some milliseconds, and some page faults after."""

_wanted = threading.Event()


def look_after() -> None:
    """Have two pools in place of many, and begin to give the system back what is free whenever that is asked for, on a
    thread of its own; to be called before there are many threads."""
    ask_glibc("mallopt", M_ARENA_MAX, 2)
    threading.Thread(target=_work, daemon=True, name="memory").start()


def give_back() -> None:
    """Have what is free given back to the system, soon."""
    _wanted.set()


def _work() -> None:
    settled = False
    while _wanted.wait():
        time.sleep(SOON)
        _wanted.clear()
        gc.collect()
        if not settled:  # all that is there after the first run stays, and need not be looked through again
            gc.freeze()
            settled = True
        trim_memory()
        time.sleep(EVERY - SOON)
