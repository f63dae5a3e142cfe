"""Where shared results lie on this machine, and what is said where they cannot be kept."""

from __future__ import annotations

import os
from pathlib import Path

from nst.places import expanded, user_folder

DATA = Path("/data")
"""Where a Space has its storage bucket mounted, if it has one."""


class ResultsError(RuntimeError):
    """A result cannot be kept; the message is one sentence that says why."""


def results_dir() -> Path:
    """The folder for shared results: `PASTICHE_RESULTS`; on a Space its mounted bucket; else this user's own data.

    Raises:
        ResultsError: there is no durable place, or sharing was switched off.
    """
    asked = os.environ.get("PASTICHE_RESULTS", "")
    if asked.lower() in {"off", "no", "0"}:
        raise ResultsError("Sharing was switched off by whoever runs this page.")
    if asked:
        return expanded(asked)
    if on_a_space():
        if not DATA.is_dir():
            raise ResultsError("Sharing needs a storage bucket mounted at /data, and this Space has none.")
        return DATA / "results"
    return user_folder("data") / "results"


def on_a_space() -> bool:
    """Whether this runs as a Hugging Face Space, whose own disk lasts only until the next restart."""
    return os.environ.get("SYSTEM") == "spaces" or bool(os.environ.get("SPACE_ID"))
