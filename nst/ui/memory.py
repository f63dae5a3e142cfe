"""The server's memory under load: what glibc's malloc keeps to itself, of which nobody has any use.

With dozens of threads it makes eight pools a core, and after many pictures of many sizes each has holes: the process
then grows by hundreds of megabytes, though nothing is held. Other systems have no such calls, and need none.
"""

from __future__ import annotations

import ctypes
import threading
import time
from contextlib import suppress

M_ARENA_MAX = -8  # as malloc.h numbers it
EVERY = 5.0
"""Seconds between two times that memory is given back, which takes a few milliseconds and some page faults after."""

_given = [0.0]
_giving = threading.Lock()


def few_pools() -> None:
    """Have two pools in place of many; to be called before there are many threads."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def give_back() -> None:
    """Give the system back what is free, if that was not done just now."""
    with _giving:
        if time.monotonic() < _given[0] + EVERY:
            return
        _given[0] = time.monotonic()
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
