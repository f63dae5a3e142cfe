"""The tab Optimize: a photo, a style, and a run of `style_transfer` that one watches, stops and goes on with."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from nst import encoders, stylize
from nst.images import ImageError, read_recipe
from nst.recipes import DEFAULTS, from_query, settings_from_recipe, to_query
from nst.ui import forecast, limits, pictures, progress, settings, share, theme, zerogpu
from nst.ui.painting import Load, Painting, Run, View
from nst.ui.pictures import KINDS, Choice
from nst.weights import WeightsError, WeightsNotFound

log = logging.getLogger(__name__)

KIND_ERRORS = (ImageError, ValueError, WeightsNotFound, WeightsError)
"""What is told to the visitor as it stands."""

READY = progress.status("Ready", "Press Paint. The first picture appears within seconds.")
QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""For what answers at once and needs no place in the queue."""

TELLING: dict[str, Any] = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
"""For what may have something to tell: gradio shows messages of queued events only."""

Updates = dict[Component, Any]


class OptimizeTab:
    """The tab's components, and what happens when one of them is used.

    Args:
        run: paints; has the signature of `style_transfer`.
        load: loads an encoder by name; has the signature of `load_encoder`.
    """

    def __init__(self, run: Run, load: Load) -> None:
        self.run, self.load = run, load
        self.painting = gr.State(None, time_to_live=24 * 3600)
        self.chosen = [gr.State(None), gr.State(None)]
        with gr.Row(elem_classes="workbench"):
            with gr.Column(scale=5, min_width=340, elem_classes="inputs"):
                self._lay_out_inputs()
            with gr.Column(scale=7, min_width=340, elem_id="result"):
                self._lay_out_result()
        self.shown: list[Component] = [
            self.status, self.preview, self.curves, self.snapshots, self.compare, self.download,
            self.start, self.stop, self.go_on,
        ]  # fmt: skip
        self._wire_pictures()
        self._wire_run()
        self._wire_recipes()

    def _lay_out_inputs(self) -> None:
        self.pictures, self.rows = [], []
        with gr.Row(elem_classes="pair"):
            for kind, title in zip(KINDS, ("Photo", "Style"), strict=True):
                with gr.Column(min_width=140, elem_classes="card"):
                    self.pictures.append(pictures.picture_input(title, kind))
                    self.rows.append(pictures.example_row(kind))
        with gr.Column(elem_classes="card"):
            self.controls = settings.main_controls()
            with gr.Accordion("More settings", open=False, elem_id="more"):
                self.controls |= settings.more_controls()
                with gr.Row():
                    self.reset = gr.Button("Reset all settings", size="sm", elem_id="reset")
                    self.restore = gr.UploadButton("Restore from a Pastiche picture", size="sm", elem_id="restore")

    def _lay_out_result(self) -> None:
        with gr.Row(elem_classes="toolbar"):
            self.start = gr.Button("Paint", variant="primary", elem_id="paint", min_width=140)
            self.stop = gr.Button("Stop", variant="stop", elem_id="stop", visible=False, min_width=140)
            self.go_on = gr.Button("Continue", elem_id="continue", visible=False, min_width=110)
            self.estimate = gr.HTML("", elem_id="estimate", apply_default_css=False)
        self.status = gr.HTML(READY, elem_id="status", apply_default_css=False)
        with gr.Tabs(elem_classes="stage"):
            with gr.Tab("Picture"):
                self.preview = gr.Image(
                    show_label=False, format="jpeg", interactive=False, height=520, buttons=["fullscreen"],
                    elem_id="preview", alt_text="The painted picture", container=False,
                )  # fmt: skip
            with gr.Tab("Before and after"):
                self.compare = gr.ImageSlider(
                    show_label=False, format="jpeg", interactive=False, max_height=520, buttons=["fullscreen"],
                    elem_id="compare", container=False,
                )  # fmt: skip
        with gr.Row(elem_classes="actions"):
            self.download = gr.DownloadButton("Download PNG", interactive=False, elem_id="download", size="md")
            self.link = gr.Button("Copy link", elem_id="copy-link", size="md")
            self.query = gr.Textbox(visible=False)
        share.create(self.painting, _offer)
        with gr.Row(elem_classes="record"):
            self.curves = gr.HTML(progress.curves([], 0), elem_id="curves", apply_default_css=False)
            self.snapshots = gr.Gallery(
                label="Snapshots", columns=4, height=150, object_fit="cover", buttons=["fullscreen"], interactive=False,
                elem_id="snapshots", visible=False,
            )  # fmt: skip

    def _wire_pictures(self) -> None:
        for kind, picture, row, chosen in zip(KINDS, self.pictures, self.rows, self.chosen, strict=True):
            outputs = [picture, row, chosen]

            def choose(event: gr.EventData, kind: str = kind) -> list[Any]:
                return pictures.choose(kind, str(event.name))

            def take(path: str | None, before: Choice | None, kind: str = kind) -> Updates:
                return self.take(kind, path, before)

            busy = {"show_progress": "minimal", "show_progress_on": picture}  # a painting may have to be fetched
            row.select(choose, None, outputs, **TELLING | busy)
            picture.input(take, [picture, chosen], [*outputs, *self.controls.values()], **TELLING)
        depends = [self.controls[name] for name in forecast.COSTLY]
        changes = [self.pictures[0].change, *(control.change for control in depends)]  # type: ignore[attr-defined]
        gr.on(
            changes,
            forecast.estimate, [self.pictures[0], *depends], self.estimate, trigger_mode="always_last", **QUICK,
        )  # fmt: skip

    def _wire_run(self) -> None:
        runs = []
        inputs = [self.painting, *self.pictures, *self.chosen, *self.controls.values()]
        for button, prepare in ((self.start, self.begin), (self.go_on, self.begin_again)):
            button.click(None, js=theme.SHOW_RESULT)
            ready = button.click(prepare, inputs, [self.painting, *self.shown], **TELLING)
            runs.append(
                ready.success(
                    self.paint, [self.painting], self.shown, show_progress="hidden", concurrency_limit=limits.IN_LINE,
                    concurrency_id="device", api_visibility="private",
                )
            )  # fmt: skip
        # What the run still sends must not cover the result: only once it is cancelled is the result shown.
        halted = self.stop.click(self.halt, [self.painting], None, cancels=runs, **QUICK)
        halted.then(self.end, [self.painting], self.shown, **QUICK)

    def _wire_recipes(self) -> None:
        controls = list(self.controls.values())
        everything = [*self.pictures, *self.rows, *self.chosen, *controls]
        made = self.link.click(self.make_query, [*self.pictures, *self.chosen, *controls], self.query, **TELLING)
        made.success(None, self.query, js=theme.copy_link())
        self.reset.click(lambda: self._set(DEFAULTS), None, controls, **QUICK)
        self.restore.upload(self.open_picture, [self.restore], everything, **TELLING)
        gr.on(None, self.open_page, None, everything, **TELLING)

    # The run

    def begin(self, _: Painting | None, *values: Any) -> Updates:
        """Press on Paint: a new painting from what the page says."""
        return self._prepared(Painting(*self._asked(values)))

    def begin_again(self, before: Painting | None, *values: Any) -> Updates:
        """Press on Continue: go on from the last result, with the settings as they are now."""
        if before is None or not before.last:
            raise gr.Error("The last picture is no longer kept here; press Paint for a new one.", print_exception=False)
        return self._prepared(before.go_on(*self._asked(values)))

    def _asked(self, values: tuple[Any, ...]) -> tuple[str, str, dict[str, Any], dict[str, str | None]]:
        content, style, *chosen = values[:4]
        for path, title in ((content, "photo"), (style, "style")):
            if not path:
                raise gr.Error(f"Choose a {title} first: drop one, or take an example.", print_exception=False)
            if not Path(path).is_file():
                raise gr.Error(f"The {title} was kept for a day and is gone; choose it again.", print_exception=False)
        try:
            asked = settings.read(dict(zip(self.controls, values[4:], strict=True)))
            limits.check(asked)
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from None
        names = {kind: pictures.name_of(path, c) for kind, path, c in zip(KINDS, (content, style), chosen, strict=True)}
        return content, style, asked, names

    def _prepared(self, painting: Painting) -> Updates:
        view = {
            "status": progress.status("Getting ready", "Reading the pictures.", done=0.0, kind="busy"),
            "curves": progress.curves(painting.points, painting.total),
            "snapshots": painting.snapshots,
        }
        return {self.painting: painting, **self._updates(view), **self._buttons(running=True)}

    def paint(self, painting: Painting) -> Iterator[Updates]:
        """Run it, and show it; what goes wrong is told, and the picture so far kept."""
        try:
            for view in painting.paint(self.run, self.load):
                yield self._updates(view)
        except Exception as error:
            told = _explain(error)
            view = painting.finish() | {"status": progress.status("This did not work", told, kind="error")}
            yield self._updates(view) | self._buttons(painting)
            raise gr.Error(told, print_exception=False) from None
        if not painting.stopped:
            yield self._updates(painting.finish()) | self._buttons(painting)

    def halt(self, painting: Painting | None) -> None:
        """Press on Stop: no more steps. Gradio closes the run itself, after the step it is in."""
        if painting is not None:
            painting.stopped = True

    def end(self, painting: Painting | None) -> Updates:
        """After Stop: keep the picture so far, and show it."""
        if painting is None:
            return self._buttons()
        return self._updates(painting.finish()) | self._buttons(painting)

    def _updates(self, view: View) -> Updates:
        updates: Updates = {getattr(self, part): value for part, value in view.items()}
        if "snapshots" in view:
            updates[self.snapshots] = gr.update(value=view["snapshots"], visible=bool(view["snapshots"]))
        if "download" in view:
            updates[self.download] = gr.update(value=view["download"], interactive=True)
        return updates

    def _buttons(self, painting: Painting | None = None, *, running: bool = False) -> Updates:
        more = not running and painting is not None and bool(painting.last)
        return {
            self.start: gr.update(visible=not running),
            self.stop: gr.update(visible=running),
            self.go_on: gr.update(visible=more),
        }

    # Recipes

    def make_query(self, *values: Any) -> str:
        """The query string that opens this page with these settings, and these examples."""
        _, _, asked, names = self._asked(values)
        shared = {name: value for name, value in asked.items() if name != "device"}
        return to_query(shared, content=names["content"], style=names["style"])

    def open_page(self, request: gr.Request) -> Iterator[Updates]:
        """What the page shows when it opens: what its link says, or a photo and a style to begin with."""
        asked, remix = from_query(dict(request.query_params)), None
        try:
            remix = share.remix(share.desk(), dict(request.query_params), request)
        except gr.Error as error:
            gr.Warning(error.message)
        if remix:
            asked |= {"settings": remix.settings, **remix.names}
        names = {kind: asked[kind] or pictures.DEFAULT[kind] for kind in KINDS}
        first: Updates = {row: pictures.row_html(kind, names[kind]) for kind, row in zip(KINDS, self.rows, strict=True)}
        yield first | self._set(asked["settings"])
        for kind in KINDS:
            if remix and kind in remix.files:
                path = remix.files[kind]
                yield self._part(kind, [path, pictures.row_html(kind), Choice(path)])
                continue
            for name in dict.fromkeys((names[kind], pictures.DEFAULT[kind])):
                try:
                    yield self._part(kind, pictures.choose(kind, name))
                    break
                except gr.Error as error:
                    gr.Warning(error.message)

    def open_picture(self, path: str) -> Updates:
        """Restore everything that the recipe in a picture tells."""
        try:
            recipe = read_recipe(path)
        except ImageError as error:
            raise gr.Error(str(error), print_exception=False) from None
        if recipe is None:
            raise gr.Error("This picture carries no recipe; only those saved by Pastiche do.", print_exception=False)
        updates = self._set(settings_from_recipe(recipe))
        for kind in KINDS:
            if recipe.get(kind) in {example.name for example in pictures.list_examples(kind)}:
                updates |= self._part(kind, pictures.choose(kind, recipe[kind]))
        gr.Info("All settings are those of this picture now.")
        return updates

    def take(self, kind: str, path: str | None, before: Choice | None) -> Updates:
        """A picture was dropped, or taken away; one that Pastiche made brings its settings with it."""
        updates = self._part(kind, pictures.take(kind, path, before))
        try:
            recipe = read_recipe(path) if path and kind == "content" else None
        except ImageError:
            recipe = None
        if recipe is not None:
            updates |= self._set(settings_from_recipe(recipe))
            gr.Info("This picture was made by Pastiche: all settings are those in its recipe now.")
        return updates

    def _part(self, kind: str, values: list[Any]) -> Updates:
        """Picture, row and choice of a kind."""
        i, (picture, row, chosen) = KINDS.index(kind), values
        # As an update, since the browser would change a bare value in place when a later yield leaves it alone.
        shown = picture if isinstance(picture, dict) else gr.update(value=picture)
        return {self.pictures[i]: shown, self.rows[i]: row, self.chosen[i]: chosen}

    def _set(self, asked: dict[str, Any]) -> Updates:
        """The controls as these settings have them, but for the device: it belongs to this machine."""
        controls = {name: control for name, control in self.controls.items() if name != "device"}
        return {control: settings.shown(name, asked.get(name)) for name, control in controls.items()}


def create_tab(run: Run | None = None, load: Load = encoders.load_encoder) -> OptimizeTab:
    """Lay the tab out and wire it; to be called inside a `gr.Tab`. See `OptimizeTab`.

    The run that is taken if none is given is `style_transfer`, within the limits of this host.
    """
    return OptimizeTab(run or limits.limited(zerogpu.on_gpu(stylize.style_transfer)), load)


def _offer(painting: Painting | None) -> share.Offer | None:
    """What there is to share of a painting."""
    if painting is None or not painting.result:
        return None
    return share.Offer(painting.result, painting.content, painting.style)


def _explain(error: Exception) -> str:
    """One sentence for the visitor; what nobody foresaw goes to the log whole."""
    if isinstance(error, KIND_ERRORS):
        return str(error)
    if isinstance(error, MemoryError) or "memory" in str(error).lower():
        return "There is not enough memory for this; choose a smaller size, or another encoder."
    log.error("A painting failed", exc_info=error)
    return f"Something went wrong ({type(error).__name__}); the server's log says what."
