"""What goes wrong, as one sentence for the visitor."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from nst.images import ImageError
from nst.server import limits
from nst.styles import StyleNotFound
from nst.weights import WeightsError, WeightsNotFound

log = logging.getLogger(__name__)

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
