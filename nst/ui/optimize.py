"""The tab Optimize: a photo, a style, and a run of `style_transfer` that one watches, stops and goes on with."""

from __future__ import annotations

from nst.tasks import TASKS
from nst.ui.painting import Load, Run
from nst.ui.task_tab import Workbench


def create_tab(run: Run | None = None, load: Load | None = None) -> Workbench:
    """Lay the tab out and wire it; to be called inside a `gr.Tab`. See `Workbench`."""
    return Workbench(TASKS["style_transfer"], run, load)
