"""The closed section of the tab Fast styles in which a new style is learned, saved, loaded and removed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import gradio as gr
from gradio.components import Component

from nst import fast, taught
from nst.server import inputs, limits, queue, tempfiles, visits
from nst.tasks import TASKS
from nst.taught import Taught
from nst.teach import expected_seconds
from nst.ui import forecast, markup, pictures, progress, viewer
from nst.ui.events import BEGINNING, QUICK, RUNNING, TELLING, as_message, explained, refusal
from nst.ui.painting import Order, Painting, Run
from nst.ui.pictures import Choice
from nst.ui.result_panel import Updates
from nst.ui.task_tab import Workbench
from nst.weights import WeightsError

Picked = Callable[[list[str]], Updates]
"""Chooses styles in the gallery."""


def names() -> list[str]:
    """The styles that were taught, as far as who asks may see them."""
    return taught.names(visits.here().shelf())


def find(name: str) -> Taught | None:
    """One of them; None if there is none of this name, or it can be used no more."""
    try:
        return taught.find(name, visits.here().shelf())
    except WeightsError:
        return None


def thumbnails() -> dict[str, str]:
    """What each paints, as data URIs, by name."""
    return {name: _thumbnail(style) for name in names() if (style := find(name))}


@lru_cache(maxsize=taught.KNOWN)
def _thumbnail(style: Taught) -> str:
    return markup.webp(limits.on_painter(fast.paint_thumbnail, style))


class Teaching:
    """The section, laid out where it is made; `run` learns, in place of the task's run within the limits of this
    host."""

    def __init__(self, prefix: str, run: Run | None = None) -> None:
        self.task = TASKS["teach"]
        self.run = run or limits.limited(self.task.run, self.task.name)
        self.painting = gr.State(None, time_to_live=24 * 3600)
        with gr.Accordion(self.task.panel.title, open=False, elem_id=prefix, elem_classes="more-box") as self.box:
            self.slot = pictures.slot("style", "Painting to learn from", f"{prefix}-style", needed=False)
            self.name = gr.Textbox(label="Name", max_lines=1, max_length=40, elem_id=f"{prefix}-name")
            with gr.Row(elem_classes="actions"):
                self.start = gr.Button(self.task.panel.verb, elem_id=f"{prefix}-start", size="md")
                self.stop = gr.Button("Stop", variant="stop", elem_id=f"{prefix}-stop", size="md", visible=False)
            ready = progress.status("Ready", f"{self.task.panel.line} {_expected()}")
            self.status = markup.html(ready, f"{prefix}-status")
            told = "The photo, painted with what was learned so far"
            self.preview = viewer.picture_view(f"{prefix}-preview", told, height=240, buttons=[])
            with gr.Row(elem_classes="actions"):
                self.save = gr.DownloadButton("Save style", elem_id=f"{prefix}-save", size="md", interactive=False)
                self.load = pictures.UploadButton("Load style", elem_id=f"{prefix}-load", size="md")
                self.remove = gr.Button("Remove style", elem_id=f"{prefix}-remove", size="md", interactive=False)

    def wire(self, photo: Component, chosen: Component, picks: Sequence[Component], picked: Picked) -> list[Any]:
        """Connect the section with the tab: the photo that is shown painted meanwhile, the styles that are chosen, and
        what `picked` updates. Gives the events after which a style has been chosen."""
        slot = self.slot
        self.box.expand(lambda: pictures.row_html("style"), None, slot.row, **QUICK)
        slot.wire()
        shown = [self.painting, self.status, self.preview, self.start, self.stop]
        asked = [photo, slot.picture, slot.chosen, self.name]
        ready = self.start.click(self.begin, asked, shown, **BEGINNING)

        def learn(painting: Painting | None) -> Iterator[Updates]:
            yield from self.learn(painting, picked)

        def load(path: str | None) -> Updates:
            with as_message():
                name = _loaded(path)
            return picked([name])

        def remove(chosen: list[str]) -> Updates:
            return picked(_removed(chosen))

        learned = ready.success(learn, [self.painting], [*shown, *picks], **RUNNING)
        self.stop.click(Workbench.halt, [self.painting], None, **QUICK)
        loaded = self.load.upload(load, [self.load], [*picks], **TELLING)
        self.remove.click(remove, [chosen], [*picks], **TELLING)
        return [learned.success, loaded.success]

    def begin(self, photo: str | None, style: str | None, choice: Choice | None, name: str) -> Updates:
        """Press on Teach."""
        if not style:
            raise refusal("Choose what it learns from: drop a painting, or take an example.")
        with as_message():
            settings = {"name": taught.checked_name(name)}
        given: dict[str, str | list[str]] = {"style": pictures.whole(style)}
        given |= {"photo": pictures.whole(photo)} if photo else {}
        said = {"style": pictures.name_of(style, choice) or "a picture"}
        shelf = str(visits.here().shelf())
        painting = Painting(Order(settings, given, task="teach", names=said, extras={"keep": shelf}))
        painting.forecast = expected_seconds(self.task.defaults["num_steps"])
        told = progress.status("Getting ready", "Looking at the painting.", done=0.0, kind="busy")
        return {self.painting: painting, self.status: told} | self._buttons(running=True)

    def learn(self, painting: Painting | None, picked: Picked) -> Iterator[Updates]:
        """Learn, show it, and choose what was learned; after Stop, too."""
        if painting is None or not queue.claim(painting):
            return
        name = painting.order.settings["name"]
        try:
            for view in painting.paint(self.run, _nothing):
                shown: Updates = (
                    {self.preview: gr.update(value=view["preview"], visible=True)} if "preview" in view else {}
                )
                yield shown | {self.status: view["status"]}
        except Exception as error:
            told = explained(error)
            yield {self.status: progress.status("This did not work", told, kind="error")} | self._buttons()
            raise refusal(told) from None
        if not painting.steps or not find(name):
            yield {self.status: progress.status("Stopped", "Before anything was learned.")} | self._buttons()
            return
        told = f"{painting.steps} steps. It stands among the styles; teach it again under this name to go on."
        done: Updates = {self.status: progress.status(f"Learned {name}", told, done=1.0, kind="done")}
        yield done | self._buttons() | picked([name])

    def chosen(self, names: Sequence[str]) -> Updates:
        """The buttons Save and Remove, given the styles that are chosen."""
        style = find(names[0]) if len(names) == 1 else None
        copied = None
        if style:
            path = taught.place(style.name, visits.here().shelf())
            copied = str(shutil.copyfile(path, tempfiles.new_file(f"{style.name}{path.suffix}")))
        there = bool(copied)
        return {self.save: gr.update(value=copied, interactive=there), self.remove: gr.update(interactive=there)}

    def _buttons(self, *, running: bool = False) -> Updates:
        return {self.start: gr.update(visible=not running), self.stop: gr.update(visible=running)}


def _nothing(_: str, **__: Any) -> None:
    """What learns, and what compares, come with Pastiche."""


def _loaded(path: str | None) -> str:
    """Keep the style of a file, and give its name; raises WeightsError or ValueError if it is none, or its name is
    taken."""
    with inputs.open_file(path or "") as file:
        style = taught.load(file.read(taught.MOST_BYTES + 1))
    shelf = visits.here().shelf()
    taught.free_name(style.name, shelf)
    taught.keep(style, shelf)
    return style.name


def _removed(chosen: list[str]) -> list[str]:
    """Remove those of these styles that were taught; gives what is chosen then."""
    mine = [name for name in chosen if find(name)]
    for name in mine:
        taught.place(name, visits.here().shelf()).unlink(missing_ok=True)
    return [name for name in chosen if name not in mine] or [fast.fast_styles()[0]]


def _expected() -> str:
    seconds = expected_seconds(TASKS["teach"].defaults["num_steps"]) * forecast.pace()
    return f"It takes about {progress.duration(seconds)} here."
