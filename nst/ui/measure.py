"""The tab Measure: how good a pastiche a picture is, wherever it was made; and a map of many pictures."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from nst.images import ImageError
from nst.metrics import pastiche_score
from nst.tasks.recipe import names_of
from nst.ui import page, pictures, progress, score_view, tabs
from nst.ui.events import QUICK, TELLING, as_message
from nst.ui.markup import html, small_print
from nst.ui.pictures import Slot
from nst.ui.result_panel import Updates

EXAMPLE = page.PICTURES / "first-after.webp"
"""What is in the place of the result when the tab opens: the first photo in the first style."""


ABOUT = (
    "Give a result, and the photo and the style that it was made from. The judge looks at brushwork, colors and "
    "shapes with fixed filters; no network that paints has any part in it."
)


class MeasureTab:
    """Three pictures in, a score with its reasons out; within a `gr.Tab` it is filled in when that is first looked at.
    `score` has the signature of `nst.metrics.pastiche_score`."""

    def __init__(self, score: score_view.Scoring = pastiche_score) -> None:
        self.score = score
        self.of_example = cache(self._of_example)
        with gr.Row(elem_classes="workbench"):
            with gr.Column(scale=5, min_width=340, elem_classes="inputs"):
                self._lay_out_inputs()
            with gr.Column(scale=7, min_width=340, elem_id="measured", elem_classes="result-side"):
                with gr.Row(elem_classes="toolbar"):
                    self.start = gr.Button("Measure", variant="primary", elem_id="measure", min_width=140)
                ready = progress.status("Ready", "Press Measure: it takes a second.")
                self.status = html(ready, "measure-status")
                self.verdict = html(element="measure-verdict")
        self._wire(tabs.around())

    def _lay_out_inputs(self) -> None:
        with gr.Column(elem_classes="card"):
            self.result = pictures.picture_input("Result", "result", "measure-result")
            small_print(ABOUT)
        self.slots: list[Slot] = []
        with gr.Row(elem_classes="pair"):
            for kind, title in zip(pictures.KINDS, ("Photo", "Style"), strict=True):
                with gr.Column(min_width=140, elem_classes="card"):
                    self.slots.append(pictures.slot(kind, title, f"measure-{kind}", needed=kind == "style"))

    def _wire(self, tab: gr.Tab | None) -> None:
        self.opened = gr.State(False)
        parts = [part for slot in self.slots for part in slot.parts]
        for slot in self.slots:
            slot.wire()
        self.result.input(self.take, [self.result], [self.result, *parts], **TELLING)
        given = [self.result, *(slot.picture for slot in self.slots)]
        self.start.click(self.measure, given, [self.status, self.verdict], **TELLING | {"show_progress": "minimal"})
        shown = [self.opened, self.result, *parts]
        seen = gr.on(None if tab is None else [tab.select], self.open, [self.opened], shown, **QUICK)
        seen.then(self.begin, [self.verdict], [self.status, self.verdict], **TELLING)

    def open(self, opened: bool) -> Updates:
        """What the tab shows when it is first seen: a photo, a style and what was made of them."""
        if opened:
            return {self.opened: True}
        updates: Updates = {self.opened: True, self.result: gr.update(value=str(pictures.packed_file(EXAMPLE)))}
        for slot in self.slots:
            updates |= slot.filled(pictures.choose(slot.kind, pictures.DEFAULT[slot.kind]))
        return updates

    def begin(self, verdict: str | None) -> Updates:
        """What the judge says of the pictures that the tab opens with, unless it has said something already."""
        if verdict:
            return {self.status: gr.skip()}
        told = "The picture that the app opens with. Give a result of your own, and press Measure."
        return {self.status: progress.status("Measured", told, kind="done"), self.verdict: self.of_example()}

    def _of_example(self) -> str:
        photo, style = (str(pictures.example_file(kind, pictures.DEFAULT[kind])) for kind in pictures.KINDS)
        return score_view.html(score_view.judged(self.score, str(EXAMPLE), [style], photo))

    def take(self, path: str | None) -> Updates:
        """A result was dropped; one that Pastiche made tells which examples it was made from."""
        if path is None:
            return {self.result: None}
        try:
            updates: Updates = {self.result: pictures.accept(path)}
            recipe = pictures.recipe_in(path) or {}
        except ImageError as error:
            gr.Warning(str(error))
            return {self.result: None}
        for slot in self.slots:
            name = "".join(names_of(recipe.get(slot.kind))[:1])
            if name in {example.name for example in pictures.list_examples(slot.kind)}:
                updates |= slot.filled(pictures.choose(slot.kind, name))
        return updates

    @as_message()
    def measure(self, result: str | None, photo: str | None, style: str | None) -> list[Any]:
        """Press on Measure."""
        for path, what in ((result, "result"), (style, "style")):
            if not path or not Path(path).is_file():
                raise ValueError(f"Choose a {what} first: drop a picture.")
        found = score_view.judged(self.score, str(result), [str(style)], photo)
        about = "" if photo else "Without a photo, what was kept of it is not judged."
        return [progress.status("Measured", about, kind="done"), score_view.html(found)]
