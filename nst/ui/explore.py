"""The tab Explore: what the layers of an encoder keep, textures, and pictures that look the same to a layer."""

from __future__ import annotations

from nst.ui import tabs
from nst.ui.doodle import DoodleBench
from nst.ui.painting import Load, Run
from nst.ui.task_tab import Workbench

SPECIAL: dict[str, type[Workbench]] = {"doodle": DoodleBench}
"""The benches that lay more out than their task says."""


def create_tab(run: Run | None = None, load: Load | None = None) -> list[Workbench]:
    """Lay the tab out and wire it; to be called inside a `gr.Tab`. Each bench stands in a tab of its own.

    Args:
        run: paints for all of them, in place of the tasks' own runs.
        load: loads an encoder by name.
    """
    return tabs.inner("Explore", "explore", lambda task, tab: SPECIAL.get(task.name, Workbench)(task, run, load, tab))[
        1
    ]
