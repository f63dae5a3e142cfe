"""The tab Color: one photo, one style, and every way of keeping the photo's colors beside the others."""

from __future__ import annotations

from typing import Any

import gradio as gr

from nst import encoders, stylize
from nst.server import limits, zerogpu
from nst.tasks import TASKS, colors
from nst.ui import pictures, settings, tabs
from nst.ui.painting import Load, Order, Run
from nst.ui.task_tab import Workbench


class ColorTab(Workbench):
    """See `nst.ui.task_tab.Workbench`."""

    task = "colors"
    prefix = "color"
    compares = False
    scored = True
    parts, columns = colors.MODES.titles, colors.MODES.columns
    hint = "One press paints with the photo's colors kept in every way there is."

    def lay_out_inputs(self) -> None:
        with gr.Row(elem_classes="pair"):
            for kind, title in zip(pictures.KINDS, ("Photo", "Style"), strict=True):
                with gr.Column(min_width=140, elem_classes="card"):
                    self.slots.append(pictures.slot(kind, title, self.id(kind)))
        with gr.Column(elem_classes="card"):
            self.controls |= settings.main_controls(TASKS[self.task])
            self.lay_out_more()

    def order(self, *values: Any) -> Order:
        (content, style), (photo, manner), asked = self.read(values)
        return Order(
            asked,
            {"content": str(content), "style": str(style)},
            task=self.task,
            names={"content": photo, "style": manner},
            layout=colors.MODES,
            continues=False,
        )


def create_tab(run: Run | None = None, load: Load = encoders.load_encoder) -> ColorTab:
    """Lay the tab out and wire it; to be called inside a `gr.Tab`. See `ColorTab`."""
    return ColorTab(run or limits.limited(zerogpu.on_gpu(stylize.color_modes), ColorTab.task), load, tabs.current())
