"""The tab Explore: what the layers of an encoder keep, textures, and pictures that look the same to a layer."""

from __future__ import annotations

from typing import Any

import gradio as gr

from nst import encoders, stylize
from nst.server import limits, zerogpu
from nst.tasks import TASKS, layers
from nst.ui import pictures, settings, tabs
from nst.ui.doodle import DoodleBench
from nst.ui.painting import Load, Order, Run
from nst.ui.task_tab import Workbench


class LayersBench(Workbench):
    """What each layer keeps of a photo, and of a style; see `nst.ui.task_tab.Workbench`."""

    task = "layers"
    prefix = "layers"
    verb = "Survey"
    compares = False
    traces = False
    parts, columns = layers.GRID.titles, layers.GRID.columns
    hint = "Above, the photo as each layer knows it; below, the style from the first layers up to each."

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
            layout=layers.GRID,
            continues=False,
        )


class TextureBench(Workbench):
    """A texture of any size from a style, shown tiled as well; see `nst.ui.task_tab.Workbench`."""

    task = "texture"
    prefix = "texture"
    verb = "Weave"
    compares = False
    scored = True
    tiles = True

    def lay_out_inputs(self) -> None:
        with gr.Column(elem_classes="card"):
            self.slots.append(pictures.slot("style", "Style", self.id("style")))
        with gr.Column(elem_classes="card"):
            self.controls |= settings.main_controls(TASKS[self.task])
            self.lay_out_more()

    def order(self, *values: Any) -> Order:
        (style,), (manner,), asked = self.read(values)
        return Order(asked, {"style": str(style)}, task=self.task, names={"style": manner}, tiled=True)


class InvertBench(Workbench):
    """Pictures that look the same to a layer; see `nst.ui.task_tab.Workbench`."""

    task = "invert"
    prefix = "invert"
    verb = "Invert"
    compares = False
    several = "From each start"
    hint = "From noise it finds a picture that this layer takes for the photo."

    def lay_out_inputs(self) -> None:
        with gr.Column(elem_classes="card"):
            self.slots.append(pictures.slot("content", "Photo", self.id("content")))
        with gr.Column(elem_classes="card"):
            self.controls |= settings.main_controls(TASKS[self.task])
            self.lay_out_more()

    def order(self, *values: Any) -> Order:
        (content,), (photo,), asked = self.read(values)
        return Order(
            asked,
            {"content": str(content)},
            task=self.task,
            names={"content": photo},
            layout=TASKS[self.task].layout(TASKS[self.task].defaults | asked),
            continues=False,
        )


def create_tab(run: Run | None = None, load: Load = encoders.load_encoder) -> list[Workbench]:
    """Lay the tab out and wire it; to be called inside a `gr.Tab`. Each bench stands in a tab of its own.

    Args:
        run: paints for all of them, in place of the functions of `nst.stylize`.
        load: loads an encoder by name.
    """

    def bench(kind: type[Workbench], paint: Run) -> Workbench:
        return kind(run or limits.limited(zerogpu.on_gpu(paint), kind.task), load, tabs.current())

    with gr.Tabs(elem_id="explore", elem_classes="inner") as bar:
        with gr.Tab("What layers keep", id="layers"):
            grid = bench(LayersBench, stylize.layer_grid)
        with gr.Tab("Texture", id="texture"):
            texture = bench(TextureBench, stylize.texture)
        with gr.Tab("Inversion", id="invert"):
            invert = bench(InvertBench, stylize.invert)
        with gr.Tab("Doodle", id="doodle"):
            doodle = bench(DoodleBench, stylize.doodle)
    benches = [grid, texture, invert, doodle]
    tabs.turn(bar, {bench.task: bench.task for bench in benches})
    return benches
