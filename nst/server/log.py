"""The server's log: one line of JSON an event, without anything that a visitor sent.

No addresses, names of files, pictures or texts: what happened, how large, how long, how it ended.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from datetime import datetime, timezone

LOGGER = logging.getLogger("nst")
Fact = str | int | float | bool | None


def start(level: int = logging.INFO) -> None:
    """Send the log to the standard error stream, as JSON lines; what libraries have to say, too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(level)
    LOGGER.propagate = False
    logging.getLogger().handlers[:] = [handler]
    logging.captureWarnings(True)


def failed(*_: object, **__: object) -> None:
    """Write down that a request failed with the exception that is being handled."""
    LOGGER.error("A request failed", exc_info=True)


def note(event: str, **facts: Fact) -> None:
    """Write down that something happened; the facts must be of the server's own making."""
    LOGGER.info(event, extra={"facts": facts})


class JsonFormatter(logging.Formatter):
    """A record as a line of JSON. Of an exception only its type and the lines of code are told, since its words may
    be a visitor's."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        own = record.name.partition(".")[0] == LOGGER.name  # others put into their words what visitors sent
        event = str(record.msg) if own else f"{record.name}:{record.lineno}"
        line: dict[str, object] = {"time": when, "level": record.levelname.lower(), "event": event}
        line |= getattr(record, "facts", {})
        if record.exc_info and record.exc_info[0]:
            frames = traceback.extract_tb(record.exc_info[2])
            line["error"] = record.exc_info[0].__name__
            line["at"] = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames[-8:]]
        return json.dumps(line)


class Stopwatch:
    """Seconds since it was made, rounded for the log."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self._start, 2)
