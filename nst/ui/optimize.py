"""The tab Optimize: a photo, a style, and a run of `style_transfer` that one watches, stops and goes on with."""

from __future__ import annotations

from typing import Any

import gradio as gr

from nst import encoders, stylize
from nst.server import limits, zerogpu
from nst.tasks import TASKS
from nst.ui import pictures, settings
from nst.ui.painting import Load, Order, Run
from nst.ui.task_tab import Workbench


class OptimizeTab(Workbench):
    """See `nst.ui.task_tab.Workbench`."""

    scored = True

    def lay_out_inputs(self) -> None:
        with gr.Row(elem_classes="pair"):
            for kind, title in zip(pictures.KINDS, ("Photo", "Style"), strict=True):
                with gr.Column(min_width=140, elem_classes="card"):
                    self.slots.append(pictures.slot(kind, title, kind))
        with gr.Column(elem_classes="card"):
            self.controls = settings.main_controls(TASKS[self.task])
            self.lay_out_more()

    def order(self, *values: Any) -> Order:
        (content, style), (photo, manner), asked = self.read(values)
        return Order(asked, {"content": content, "style": style}, names={"content": photo, "style": manner})  # type: ignore[dict-item]


def create_tab(run: Run | None = None, load: Load = encoders.load_encoder) -> OptimizeTab:
    """Lay the tab out and wire it; to be called inside a `gr.Tab`. See `OptimizeTab`.

    The run that is taken if none is given is `style_transfer`, within the limits of this host.
    """
    return OptimizeTab(run or limits.limited(zerogpu.on_gpu(stylize.style_transfer)), load)
