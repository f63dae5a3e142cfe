"""How the page asks: what answers at once, what may have something to tell, and what computes; and what is told the
visitor where something goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from nst.images import ImageError
from nst.server import admission, limits
from nst.styles import StyleNotFound
from nst.weights import WeightsError, WeightsNotFound

log = logging.getLogger(__name__)

QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""For what answers at once and needs no place in the queue."""

TELLING: dict[str, Any] = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
"""For what may have something to tell: gradio shows messages of queued events only."""

BEGINNING: dict[str, Any] = TELLING | {"trigger_mode": "multiple"}
"""For what begins a run: the last press counts, whatever is under way."""

RUNNING: dict[str, Any] = TELLING | {
    "concurrency_limit": limits.IN_LINE,
    "concurrency_id": admission.DEVICE,
    "trigger_mode": "always_last",
}
"""For what computes, all in one line."""

KIND_ERRORS = (ImageError, StyleNotFound, ValueError, WeightsNotFound, WeightsError)
"""What is told to the visitor as it stands."""


def refusal(told: str) -> gr.Error:
    """What is told to a visitor as a message, and is no fault of the program's."""
    return gr.Error(told, print_exception=False)


@contextmanager
def as_message() -> Iterator[None]:
    """What is wrong here is shown to the visitor as a message."""
    try:
        yield
    except KIND_ERRORS as error:
        raise refusal(str(error)) from None


def explained(error: Exception) -> str:
    """One sentence for the visitor; what nobody foresaw goes to the log whole."""
    if isinstance(error, WeightsNotFound) and limits.current() is limits.STRICT:
        log.error(str(error))  # places on this server, and a command to be given there
        return "This network is not on the server, and could not be fetched now; choose another, or try again later."
    if isinstance(error, KIND_ERRORS):
        return str(error)
    if isinstance(error, MemoryError) or "memory" in str(error).lower():
        return "There is not enough memory for this; choose a smaller size, or another encoder."
    log.error("A painting failed", exc_info=error)
    return f"Something went wrong ({type(error).__name__}); the server's log says what."
