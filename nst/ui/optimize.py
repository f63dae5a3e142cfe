"""The tab Optimize: a photo, a style, and a run of `style_transfer` that one watches, stops and goes on with."""

from __future__ import annotations

from nst.tasks import TASKS
from nst.ui import page, pictures
from nst.ui.painting import Load, Run
from nst.ui.task_tab import Workbench
from nst.ui.viewer import Pair

FIRST = "Painted by Pastiche: {} in the manner of {}. Drag the line."


def create_tab(run: Run | None = None, load: Load | None = None) -> Workbench:
    """Lay the tab out and wire it; to be called inside a `gr.Tab`. It opens with a result that Pastiche comes with."""
    page.hint()
    before, after = (str(pictures.packed_file(page.PICTURES / f"first-{name}.webp")) for name in ("before", "after"))
    titles = {entry.name: entry.title for kind in pictures.KINDS for entry in pictures.list_examples(kind)}
    told = FIRST.format(*(titles[pictures.DEFAULT[kind]] for kind in pictures.KINDS))
    return Workbench(TASKS["style_transfer"], run, load, Pair(before, after, told))
