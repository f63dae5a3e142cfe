"""The tab Lab: what the layers of an encoder keep, textures, pictures that look the same to a layer, and measures."""

from __future__ import annotations

import gradio as gr

from nst.ui import map_tab, measure, tabs
from nst.ui.painting import Load, Run
from nst.ui.task_tab import Workbench


def create_tab(run: Run | None = None, load: Load | None = None) -> list[Workbench]:
    """Lay the tab out and wire it; to be called inside a `gr.Tab`. Each bench stands in a tab of its own."""
    bar, made = tabs.inner("Lab", "lab", lambda task: Workbench(task, run, load))
    with bar:
        with gr.Tab("Measure", id="measure"):
            measure.MeasureTab()
        with gr.Tab("Map", id="map"):
            map_tab.Atlas()
    return made
