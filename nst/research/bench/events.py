"""What happens beside a measurement: what the library logs, and what goes wrong."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from nst.capture import LOGGER


@contextmanager
def heard() -> Iterator[list[str]]:
    """What the library logs meanwhile: why something ran without a graph."""
    said: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(f"{record.msg}: {getattr(record, 'facts', '')}")

    ear = Ear()
    level = LOGGER.level
    LOGGER.addHandler(ear)
    LOGGER.setLevel(logging.INFO)
    try:
        yield said
    finally:
        LOGGER.removeHandler(ear)
        LOGGER.setLevel(level)


def told(error: Exception) -> str:
    """The error with the end of its traceback, in one line."""
    last = traceback.extract_tb(error.__traceback__)[-4:]
    places = " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in reversed(last))
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]} ({places})"
