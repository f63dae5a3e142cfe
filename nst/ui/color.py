"""The tab Color: one photo, one style, and every way of keeping the photo's colors beside the others."""

from __future__ import annotations

from nst.tasks import TASKS
from nst.ui.painting import Load, Run
from nst.ui.task_tab import Workbench


def create_tab(run: Run | None = None, load: Load | None = None) -> Workbench:
    """Lay the tab out and wire it; to be called inside a `gr.Tab`. See `Workbench`."""
    return Workbench(TASKS["colors"], run, load)
