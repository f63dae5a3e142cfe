"""The side of a tab where the picture appears: buttons, status, views, curves, and what becomes of the picture."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component

from nst.tasks.recipe import UNNAMED
from nst.tasks.result import ONE
from nst.tasks.task import Panel, Task
from nst.ui import progress, share
from nst.ui.painting import Painting, View

Updates = dict[Component, Any]

FILMS = {"gif": "GIF", "webp": "film"}
"""What a film is called, by the end of its name."""


class Stage:
    """The components of that side, and how they show a painting.

    Attributes:
        task: whose results they show, as its panel says.
    """

    task: Task

    @property
    def panel(self) -> Panel:
        """How the task is laid out."""
        return self.task.panel

    def id(self, name: str) -> str:
        """The name of an element in the page, which no other tab has."""
        return f"{self.panel.prefix}-{name}" if self.panel.prefix else name

    def lay_out_result(self) -> None:
        """Lay all of it out where this is called."""
        self.painting = gr.State(None, time_to_live=24 * 3600)
        with gr.Row(elem_classes="toolbar"):
            self.start = gr.Button(self.panel.verb, variant="primary", elem_id=self.id("paint"), min_width=140)
            self.start_also = gr.Button(
                self.panel.also,
                elem_id=self.id("also"),
                elem_classes="also",
                visible=bool(self.panel.also),
                min_width=110,
            )
            self.stop = gr.Button("Stop", variant="stop", elem_id=self.id("stop"), visible=False, min_width=140)
            self.go_on = gr.Button(
                "Continue", elem_id=self.id("continue"), elem_classes="go-on", visible=False, min_width=110
            )
            self.estimate = gr.HTML("", elem_id=self.id("estimate"), elem_classes="estimate", apply_default_css=False)
        ready = progress.status(
            "Ready", f"Press {self.panel.verb}. The first picture appears within seconds. {self.panel.hint}"
        )
        self.status = gr.HTML(ready, elem_id=self.id("status"), apply_default_css=False)
        layout = self.task.layout(self.task.defaults) if self.panel.captions else ONE
        kinds = [
            "stage",
            *(["sheet"] if layout.titles else []),
            *([] if self.panel.compares or self.panel.tiles else ["single"]),
        ]
        with gr.Tabs(elem_classes=kinds):
            self._lay_out_views()
        if layout.titles:
            gr.HTML(_captions(layout.titles, layout.columns), apply_default_css=False)
        with gr.Row(elem_classes="actions"):
            self.download = gr.DownloadButton(
                "Download PNG", interactive=False, elem_id=self.id("download"), elem_classes="download", size="md"
            )
            self.film = gr.DownloadButton("Download GIF", visible=False, elem_id=self.id("film"), size="md")
            self.link = gr.Button("Copy link", elem_id=self.id("copy-link"), elem_classes="copy-link", size="md")
            self.judge = gr.Button(
                "Score this result",
                elem_id=self.id("score"),
                elem_classes="score",
                size="md",
                visible=self.panel.scored,
            )
            self.query = gr.Textbox(visible=False)
        self.verdict = gr.HTML("", elem_id=self.id("verdict"), apply_default_css=False)
        share.create(self.painting, _offer, self.id("share"))
        with gr.Row(elem_classes="record"):
            self.curves = gr.HTML(
                progress.curves([], 0), elem_id=self.id("curves"), apply_default_css=False, visible=self.panel.traces
            )
            self.snapshots = gr.Gallery(
                label=self.panel.several or ("One by one" if layout.titles else "Snapshots"),
                columns=4,
                height=150,
                object_fit="cover",
                buttons=["download", "fullscreen"],
                interactive=False,
                elem_id=self.id("snapshots"),
                elem_classes="snapshots",
                visible=False,
            )
        self.shown: list[Component] = [
            self.status,
            self.preview,
            self.curves,
            self.snapshots,
            self.compare,
            self.tiled,
            self.download,
            self.film,
            self.start,
            self.start_also,
            self.stop,
            self.go_on,
            self.verdict,
        ]

    def _lay_out_views(self) -> None:
        """The views of the picture, each in a tab of its own."""
        with gr.Tab("Picture"):
            self.preview = self._view("preview", "The painted picture")
        with gr.Tab("Before and after", visible=self.panel.compares):
            self.compare = gr.ImageSlider(
                show_label=False,
                format="jpeg",
                interactive=False,
                max_height=520,
                buttons=["fullscreen"],
                elem_id=self.id("compare"),
                elem_classes="compared",
                container=False,
            )
        with gr.Tab("Tiled", visible=self.panel.tiles):
            self.tiled = self._view("tiled", "The texture, repeated twice each way")

    def _view(self, name: str, about: str) -> gr.Image:
        return gr.Image(
            show_label=False,
            format="jpeg",
            interactive=False,
            height=520,
            buttons=["fullscreen"],
            elem_id=self.id(name),
            elem_classes="painted",
            alt_text=about,
            container=False,
        )

    def updates(self, view: View) -> Updates:
        """What the page is to show anew."""
        updates: Updates = {getattr(self, part): value for part, value in view.items()}
        if "snapshots" in view:
            updates[self.snapshots] = gr.update(value=view["snapshots"], visible=bool(view["snapshots"]))
        if "download" in view:
            updates[self.download] = gr.update(value=view["download"], interactive=True)
        if "film" in view:
            kind = str(view["film"]).rpartition(".")[2]
            updates[self.film] = gr.update(value=view["film"], visible=True, label=f"Download {FILMS.get(kind, kind)}")
        return updates

    def forgotten(self) -> Updates:
        """The page where the server no longer knows what is to be painted; what it has as inputs stays."""
        told = "There were too many visitors to remember them all. Your pictures and settings are still here."
        status = progress.status(f"This page was forgotten; press {self.panel.verb} again", told, kind="error")
        return {self.status: status} | self.buttons()

    def buttons(self, painting: Painting | None = None, *, running: bool = False) -> Updates:
        """The buttons as they are while a painting runs, or after it."""
        more = not running and painting is not None and painting.order.continues and bool(painting.last)
        return {
            self.start: gr.update(visible=not running),
            self.start_also: gr.update(visible=bool(self.panel.also) and not running),
            self.stop: gr.update(visible=running),
            self.go_on: gr.update(visible=more),
        }


def _captions(parts: tuple[str, ...], columns: int) -> str:
    """What the pictures of a result are, arranged as they are."""
    items = "".join(f"<li>{escape(part)}</li>" for part in parts)
    return f'<ol class="captions" style="--columns:{columns}" aria-label="The pictures, row by row">{items}</ol>'


def _offer(painting: Painting | None) -> share.Offer | None:
    """What there is to share of a painting: the result, and those of its pictures that are no examples."""
    if painting is None or not painting.result:
        return None
    order, inputs = painting.order, dict[str, str]()
    for role, given in order.pictures.items():
        paths, names = (one if isinstance(one, list) else [one] for one in (given, order.names.get(role)))
        own = [name in (None, UNNAMED) for name in names]
        inputs |= {f"{role}-{i + 1}" if i else role: path for i, path in enumerate(paths) if own[i]}
    before = order.pictures.get("content") if not order.several else None
    return share.Offer(painting.result, before if isinstance(before, str) else None, inputs)
