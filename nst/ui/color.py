"""The tab Color: one photo, one style, and every way of keeping the photo's colors beside the others."""

from __future__ import annotations

from typing import Any

import gradio as gr

from nst import encoders, stylize
from nst.color import COLOR_MODES
from nst.server import limits, zerogpu
from nst.ui import pictures, settings, tabs
from nst.ui.painting import Load, Order, Run
from nst.ui.task_tab import Workbench

MORE: settings.Sections = {
    "": ["style_scale", "tv_weight", "init", "seed"],
    "How it is optimized": ["encoder", "num_steps", "optimizer", "learning_rate"],
    "What is compared": ["style_loss", "pooling", "content_layers", "style_layers"],
    "Where it is computed": ["device"],
}
"""The settings in the closed section."""


class ColorTab(Workbench):
    """See `nst.ui.task_tab.Workbench`."""

    task = "colors"
    prefix = "color"
    compares = False
    scored = True
    parts = ("The photo", *(settings.WORDS.get(mode, mode.capitalize()) for mode in COLOR_MODES))
    columns = stylize.COLOR_COLUMNS
    hint = "One press paints with the photo's colors kept in every way there is."

    def lay_out_inputs(self) -> None:
        with gr.Row(elem_classes="pair"):
            for kind, title in zip(pictures.KINDS, ("Photo", "Style"), strict=True):
                with gr.Column(min_width=140, elem_classes="card"):
                    self.slots.append(pictures.slot(kind, title, self.id(kind)))
        with gr.Column(elem_classes="card"):
            self.controls["color_when"] = settings.control("color_when", self.task, self.prefix, segments=True)
            self.controls |= settings.main_controls(self.task, self.prefix)
            self.lay_out_more(MORE)

    def times(self, asked: dict[str, Any]) -> float:
        return len(COLOR_MODES) if asked["color_when"] == "before" else 1.5  # recoloring, the other way

    def order(self, *values: Any) -> Order:
        (content, style), (photo, manner), asked = self.read(values)
        return Order(
            asked,
            {"content": str(content), "style": str(style)},
            task=self.task,
            names={"content": photo, "style": manner},
            parts=self.parts,
            columns=self.columns,
            continues=False,
        )


def create_tab(run: Run | None = None, load: Load = encoders.load_encoder) -> ColorTab:
    """Lay the tab out and wire it; to be called inside a `gr.Tab`. See `ColorTab`."""
    return ColorTab(run or limits.limited(zerogpu.on_gpu(stylize.color_modes), ColorTab.task), load, tabs.current())
