"""The side of a tab where the picture appears: buttons, views, status, curves, and what becomes of the picture."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component

from nst.tasks.recipe import UNNAMED
from nst.tasks.task import Panel, Task
from nst.ui import page, pictures, progress, share, viewer
from nst.ui.markup import button, html, moved_by
from nst.ui.painting import Painting, View
from nst.ui.viewer import Pair, PairView, Sheet, SheetView

Updates = dict[Component, Any]
Values = dict[Component, Any]
"""What components are to show, and what they hold."""

FILMS = {"gif": "GIF", "webp": "film", "cube": "LUT"}
"""What a film is called, or a table of colors in its place, by the end of its name."""

TRIED = ("Optimize", "Fast styles", "Mix", "Color", "Horse → Zebra", "Lab")
"""The tabs that take the photo and the style of another."""


class Stage:
    """The components of that side, and how they show a painting of `task`; `first` is what is to be seen before."""

    task: Task
    first: Pair | None = None

    @property
    def panel(self) -> Panel:
        """How the task is laid out."""
        return self.task.panel

    def id(self, name: str) -> str:
        """The name of an element in the page, which no other tab has."""
        return f"{self.task.prefix}-{name}" if self.task.prefix else name

    def lay_out_result(self) -> None:
        """Lay all of it out where this is called."""
        self.painting = gr.State(None, time_to_live=24 * 3600)
        self._lay_out_buttons()
        with gr.Column(elem_classes="stage"):
            self._lay_out_views()
        ready = progress.status("Ready", f"Press {self.panel.verb}. {self.panel.hint}".strip())
        self.status = html(ready, self.id("status"))
        form: dict[str, Any] = {"apply_default_css": False, "js_on_load": moved_by("numbered"), "visible": False}
        self.snapshots = SheetView(None, elem_id=self.id("snapshots"), elem_classes="snapshots", **form)
        with gr.Row(elem_classes="actions"):
            self.share = gr.Button("Share", elem_id=self.id("share"), elem_classes="share", size="md")
            self.judge = gr.Button(
                "Score", interactive=False, elem_id=self.id("score"), size="md", visible=self.task.scored
            )
            html(self._tries(), classes="try-it")
        with gr.Column(elem_id=self.id("sheet"), elem_classes="share-sheet"):
            self._lay_out_sharing()
        self.verdict = html(element=self.id("verdict"))
        self.curves = html(element=self.id("curves"), classes="record", visible=self.task.traces)
        self.shown: list[Component] = [self.status, self.preview, self.curves, self.snapshots, self.compare, self.tiled]
        self.shown += [self.download, self.film, self.start, self.start_also, self.stop, self.go_on, self.estimate]
        self.shown += [self.judge, self.verdict]

    def _lay_out_buttons(self) -> None:
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
            self.estimate = html(element=self.id("estimate"), classes="estimate")

    def _lay_out_views(self) -> None:
        """The picture while it is painted, and what is shown once it is."""
        first = self.first
        if first is None and self.panel.first:
            *before, after = (str(pictures.packed_file(page.PICTURES / name)) for name in self.panel.first)
            first = Pair(before[0] if before else None, after, self.panel.told)
        form: dict[str, Any] = {"apply_default_css": False, "visible": first is not None}
        self.compare = PairView(first, elem_id=self.id("compare"), elem_classes="compared", **form)
        if self.panel.tiles:
            with gr.Tabs():
                with gr.Tab("Picture"):
                    self.preview = self._view("preview", "The painted picture")
                with gr.Tab("Tiled"):
                    self.tiled = self._view("tiled", "The texture, repeated twice each way")
        else:
            self.preview = self._view("preview", "The painted picture")
            self.tiled = gr.Image(visible=False)

    def _view(self, name: str, about: str) -> gr.Image:
        return viewer.picture_view(self.id(name), about, height=520, buttons=["fullscreen"], elem_classes="painted")

    def _tries(self) -> str:
        own = self.panel.home or self.panel.title
        buttons = "".join(button(escape(tab), data_tab=tab) for tab in TRIED if tab != own)
        takes = self.task.slots and self.task.prefix != "doodle"
        return f'<nav aria-label="Try it in another tab"><span>Try it in</span>{buttons}</nav>' if takes else ""

    def _lay_out_sharing(self) -> None:
        """Three ways of giving it away, each with what it holds."""
        close = '<button type="button" class="close" aria-label="Close">&times;</button>'
        html(f"<h3>Share</h3>{close}", classes="sheet-head")
        html(
            "<p><b>A link to the settings.</b> It opens this page with the same settings, and with the same examples. "
            "Pictures of your own are not in it.</p>"
        )
        self.link = gr.Button("Copy link", elem_id=self.id("copy-link"), elem_classes="copy-link", size="md")
        self.query = gr.Textbox(visible=False)
        share.create(self.painting, _offer, self.id("share"))
        html("<p><b>The picture itself.</b> A PNG with its settings inside.</p>")
        self.download = gr.DownloadButton(
            "Download PNG", interactive=False, elem_id=self.id("download"), elem_classes="download", size="md"
        )
        self.film = gr.DownloadButton("Download GIF", visible=False, elem_id=self.id("film"), size="md")

    def updates(self, view: View, *, seen: bool = False) -> Updates:
        """What the page is to show anew of this view. `seen` says whether previews are in sight already: to say so each
        time has gradio look through the whole page."""
        updates: Updates = {getattr(self, part): value for part, value in view.items()}
        sheet = view.get("snapshots")
        sheet = sheet if isinstance(sheet, Sheet) else Sheet(sheet or ())
        if "snapshots" in view:
            updates[self.snapshots] = gr.update(value=sheet, visible=bool(sheet.pictures))
        if "download" in view:
            updates[self.download] = gr.update(value=view["download"], interactive=True)
        if "film" in view:
            kind = str(view["film"]).rpartition(".")[2]
            updates[self.film] = gr.update(value=view["film"], visible=True, label=f"Download {FILMS.get(kind, kind)}")
        if "preview" in view and not seen:
            if "tiled" in view:
                updates[self.tiled] = gr.update(value=view["tiled"], visible=True)
            animated = "film" in view and not str(view["film"]).endswith(".cube")
            whole = "compare" in view or (sheet.columns > 0 and not animated)
            updates[self.preview] = gr.update(value=view["preview"], visible=not whole or self.panel.tiles)
            if "compare" in view:
                updates[self.compare] = gr.update(value=view["compare"], visible=True)
            else:
                updates[self.compare] = gr.update(visible=False)
        return updates

    def forgotten(self) -> Updates:
        """The page where the server no longer knows what is to be painted; what it has as inputs stays."""
        told = "There were too many visitors to remember them all. Your pictures and settings are still here."
        status = progress.status(f"This page was forgotten; press {self.panel.verb} again", told, kind="error")
        return {self.status: status} | self.buttons()

    def buttons(self, painting: Painting | None = None, *, running: bool = False) -> Updates:
        """The buttons as they are while a painting runs, or after it."""
        more = not running and painting is not None and painting.order.continues and bool(painting.last)
        there = not running and painting is not None and bool(painting.result)
        return {
            self.start: gr.update(visible=not running),
            self.start_also: gr.update(visible=bool(self.panel.also) and not running),
            self.stop: gr.update(visible=running),
            self.go_on: gr.update(visible=more),
            self.judge: gr.update(interactive=there),
            self.estimate: gr.update(visible=not running),
        }


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
    clip = str(painting.clip) if painting.clip and painting.clip.is_file() else None
    if clip:
        before, inputs = None, {role: path for role, path in inputs.items() if role != "content"}
    return share.Offer(painting.result, before if isinstance(before, str) else None, inputs, clip)
