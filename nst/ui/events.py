"""How the page asks: what answers at once, what may have something to tell, and what computes."""

from __future__ import annotations

from typing import Any

from nst.server import admission, limits

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
