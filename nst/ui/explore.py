"""The tab Explore: what the layers of an encoder keep, textures, and pictures that look the same to a layer."""

from __future__ import annotations

from typing import Any

import gradio as gr

from nst import encoders, stylize
from nst.server import limits, zerogpu
from nst.ui import pictures, settings, tabs
from nst.ui.doodle import DoodleBench
from nst.ui.painting import Load, Order, Run
from nst.ui.task_tab import Workbench

COMPUTED: settings.Sections = {"Where it is computed": ["encoder", "device"]}


class SurveyBench(Workbench):
    """What each layer keeps of a photo, and of a style; see `nst.ui.task_tab.Workbench`."""

    task = "survey"
    prefix = "survey"
    verb = "Survey"
    compares = False
    traces = False
    columns = len(stylize.SURVEY_LAYERS)
    parts = (
        *(f"{layer}, photo" for layer in stylize.SURVEY_LAYERS),
        *(f"{layer}, style" for layer in stylize.SURVEY_LAYERS),
    )
    hint = "Above, the photo as each layer knows it; below, the style from the first layers up to each."

    def lay_out_inputs(self) -> None:
        with gr.Row(elem_classes="pair"):
            for kind, title in zip(pictures.KINDS, ("Photo", "Style"), strict=True):
                with gr.Column(min_width=140, elem_classes="card"):
                    self.slots.append(pictures.slot(kind, title, self.id(kind)))
        with gr.Column(elem_classes="card"):
            with gr.Row():
                self.controls |= {name: self.control(name) for name in ("preset", "size")}
            self.lay_out_more({"": ["style_loss", "pooling", "num_steps", "seed"], **COMPUTED})

    def shape(self, photo: str | None, asked: dict[str, Any]) -> tuple[int, int] | None:
        return (1, 1) if photo else None

    def times(self, asked: dict[str, Any]) -> float:
        return len(self.parts)

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
            with gr.Row():
                self.controls |= {name: self.control(name) for name in ("width", "height")}
            self.controls |= {name: self.control(name) for name in ("seamless", "style_scale", "preset")}
            self.lay_out_more(
                {
                    "": ["tv_weight", "seed"],
                    "How it is optimized": ["num_steps", "optimizer", "learning_rate"],
                    "What is compared": ["style_loss", "pooling", "style_layers", "style_layer_weights"],
                    **COMPUTED,
                }
            )

    def shape(self, photo: str | None, asked: dict[str, Any]) -> tuple[int, int] | None:
        return (asked["height"], asked["width"]) if photo else None

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
            with gr.Row():
                self.controls |= {name: self.control(name) for name in ("layer", "starts")}
            with gr.Row():
                self.controls |= {name: self.control(name) for name in ("preset", "size")}
            self.lay_out_more(
                {
                    "": ["tv_weight", "tv_exponent", "norm_weight", "norm_exponent"],
                    "How it is optimized": ["num_steps", "optimizer", "learning_rate", "pooling", "seed"],
                    **COMPUTED,
                }
            )

    def times(self, asked: dict[str, Any]) -> float:
        return float(asked["starts"])

    def order(self, *values: Any) -> Order:
        (content,), (photo,), asked = self.read(values)
        starts = asked.get("starts", 1)
        parts = tuple(f"Start {i}" for i in range(1, starts + 1)) if starts > 1 else ()
        return Order(
            asked,
            {"content": str(content)},
            task=self.task,
            names={"content": photo},
            parts=parts,
            columns=starts,
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
        with gr.Tab("What layers keep", id="survey"):
            survey = bench(SurveyBench, stylize.layer_survey)
        with gr.Tab("Texture", id="texture"):
            texture = bench(TextureBench, stylize.texture)
        with gr.Tab("Inversion", id="invert"):
            invert = bench(InvertBench, stylize.invert)
        with gr.Tab("Doodle", id="doodle"):
            doodle = bench(DoodleBench, stylize.doodle)
    benches = [survey, texture, invert, doodle]
    tabs.turn(bar, {bench.task: bench.task for bench in benches})
    return benches
