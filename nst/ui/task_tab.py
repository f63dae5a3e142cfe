"""What all painting tabs have in common: the pictures they take, the run, and its recipe.

A tab is a subclass that lays out its inputs and says what they ask for (`order`); everything else is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio.components import Component

from nst.images import ImageError
from nst.server import admission, inputs, limits, queue
from nst.tasks.recipe import UNNAMED, from_query, names_of, settings_from_recipe, to_query
from nst.tasks.task import Task
from nst.ui import forecast, pictures, progress, score_view, settings, share, theme
from nst.ui.errors import KIND_ERRORS, explained
from nst.ui.painting import Load, Order, Painting, Run
from nst.ui.pictures import Choice, Slot, UploadButton
from nst.ui.result_panel import Stage, Updates
from nst.ui.tabs import bench_of, look

T = TypeVar("T")

QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""For what answers at once and needs no place in the queue."""

TELLING: dict[str, Any] = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
"""For what may have something to tell: gradio shows messages of queued events only."""

RUNNING: dict[str, Any] = TELLING | {"concurrency_limit": limits.IN_LINE, "concurrency_id": admission.DEVICE}
"""For what computes, all in one line."""


class Workbench(Stage):
    """A tab's components, and what happens when one of them is used.

    Args:
        task: whose tab it is.
        run: paints, in place of the task's run within the limits of this host.
        load: loads the network by name, in place of the task's.
        tab: the `gr.Tab` it is laid out in, if it is to be filled in when first looked at instead of at once.

    Attributes:
        slots: inputs for pictures; controls: those for settings, by name; set in `lay_out_inputs`.
    """

    def __init__(self, task: Task, run: Run | None = None, load: Load | None = None, tab: gr.Tab | None = None) -> None:
        self.task = task
        self.run = run or limits.limited(task.run, task.name)
        self.load = load or task.load
        self.slots: list[Slot] = []
        self.controls: dict[str, Component] = {}
        self.reset: gr.Button | None = None
        self.restore: gr.UploadButton | None = None
        self.looked = look(self.task.name)
        with gr.Row(elem_classes="workbench"):
            with gr.Column(scale=5, min_width=340, elem_classes="inputs"):
                self.lay_out_inputs()
            with gr.Column(scale=7, min_width=340, elem_id=self.id("result"), elem_classes="result-side"):
                self.lay_out_result()
        self._wire_slots()
        self._wire_run()
        if "encoder" in self.controls:
            self._wire_estimate()
        self._wire_recipes(tab)

    # What a tab says for itself

    def lay_out_inputs(self) -> None:
        """Lay out the slots and controls."""
        with gr.Row(elem_classes="pair") if len(self.panel.slots) > 1 else nullcontext():
            for name in self.panel.slots:
                with gr.Column(min_width=140, elem_classes="card"):
                    self.slots.append(pictures.slot_of(self.task.input(name), self.id(name)))
        with gr.Column(elem_classes="card"):
            self.controls |= settings.main_controls(self.task)
            if self.panel.more:
                self.lay_out_more()

    def order(self, *values: Any) -> Order:
        """What the inputs ask for.

        Args:
            values: of `inputs`.

        Raises:
            ValueError: with a sentence that says what is missing or makes no sense.
        """
        paths, names, asked = self.read(values)
        roles = [slot.role for slot in self.slots]
        pictures = {role: path for role, path in zip(roles, paths, strict=True) if path}
        return self.ordered(asked, pictures, dict(zip(roles, names, strict=True)))

    def ordered(self, asked: dict[str, Any], pictures: dict[str, Any], names: dict[str, Any], **more: Any) -> Order:
        """An order of this task."""
        form: dict[str, Any] = {"layout": self.task.layout(self.task.defaults | asked)}
        form |= {"tiled": self.panel.tiles, "continues": self.panel.continues}
        return Order(asked, pictures, task=self.task.name, names=names, **form | more)

    def order_also(self, *values: Any) -> Order:
        """What the inputs ask for when the second button is pressed, if there is one."""
        raise NotImplementedError

    def shape(self, photo: str | None, asked: dict[str, Any]) -> tuple[int, int] | None:
        """Height and width of what is painted, in their proportion; None if there is nothing to paint yet."""
        return self.task.shape(pictures.shape(photo), asked)

    def times(self, asked: dict[str, Any]) -> float:
        """How many plain runs these settings amount to."""
        return self.task.times(asked)

    @property
    def inputs(self) -> list[Component]:
        """What `order` is given the values of."""
        return [*(s.picture for s in self.slots), *(s.chosen for s in self.slots), *self.controls.values()]

    @property
    def restored_parts(self) -> list[Component]:
        """What a link or a recipe may set."""
        return [*(part for slot in self.slots for part in slot.parts), *self.controls.values()]

    def lay_out_more(self) -> None:
        """The closed section: further controls, and two buttons that set all of them."""
        with gr.Accordion("More settings", open=False, elem_id=self.id("more"), elem_classes="more-box"):
            self.controls |= settings.more_controls(self.task)
            self.lay_out_resets()

    def lay_out_resets(self) -> None:
        """Two buttons that set all of the controls."""
        with gr.Row():
            self.reset = gr.Button("Reset all settings", size="sm", elem_id=self.id("reset"))
            self.restore = UploadButton("Restore from a Pastiche picture", size="sm", elem_id=self.id("restore"))

    def read(self, values: Sequence[Any]) -> tuple[list[str | None], list[str | None], dict[str, Any]]:
        """Paths and names of the pictures, by slot, and the settings; from the values of `inputs`.

        Raises:
            ValueError: a picture that is missing or gone, or a setting that makes no sense.
        """
        count = len(self.slots)
        paths, chosen = list(values[:count]), values[count : 2 * count]
        for path, slot in zip(paths, self.slots, strict=True):
            if not path and slot.needed:
                raise ValueError(f"Choose a {slot.title.lower()} first: drop one, or take an example.")
            if path and not Path(path).is_file():
                raise ValueError(f"The {slot.title.lower()} was kept for a day and is gone; choose it again.")
        asked = settings.read(dict(zip(self.controls, values[2 * count :], strict=False)), self.task)
        limits.check(asked, self.task.name)
        names = [pictures.name_of(path, choice) if path else None for path, choice in zip(paths, chosen, strict=True)]
        return paths, names, asked

    def _wire_slots(self) -> None:
        for slot in self.slots:

            def choose(event: gr.EventData, slot: Slot = slot) -> list[Any]:
                return pictures.choose(slot.kind, inputs.word(event, "name"))

            def take(path: str | None, before: Choice | None, slot: Slot = slot) -> Updates:
                return self.take(slot, path, before)

            busy = {"show_progress": "minimal", "show_progress_on": slot.picture}  # a painting may have to be fetched
            slot.row.select(choose, None, slot.parts, **TELLING | busy)
            slot.picture.input(take, [slot.picture, slot.chosen], self.restored_parts, **TELLING)

    # The run

    def _wire_run(self) -> None:
        runs = []
        inputs = [self.painting, *self.inputs]
        presses = ((self.start, self.begin), (self.start_also, self.begin_also), (self.go_on, self.begin_again))
        for button, prepare in presses:
            button.click(None, js=theme.show_result(self.id("result")))
            ready = button.click(prepare, inputs, [self.painting, *self.shown], **TELLING)
            runs.append(ready.success(self.paint, [self.painting], self.shown, **RUNNING))
        if self.panel.scored:
            self.judge.click(self.tell_score, [self.painting], self.verdict, **TELLING | {"show_progress": "minimal"})
        # What the run still sends must not cover the result: only once it is cancelled is the result shown.
        halted = self.stop.click(self.halt, [self.painting], None, cancels=runs, **QUICK)
        halted.then(self.end, [self.painting], self.shown, **QUICK)

    def begin(self, _: Painting | None, *values: Any) -> Updates:
        """Press on the button: a new painting from what the page says."""
        return self.prepared(Painting(self.asked(*values)))

    def begin_also(self, _: Painting | None, *values: Any) -> Updates:
        """Press on the second button."""
        return self.prepared(Painting(self.told(self.order_also, *values)))

    def begin_again(self, before: Painting | None, *values: Any) -> Updates:
        """Press on Continue: go on from the last result, with the settings as they are now."""
        if before is None or not before.last:
            told = f"The last picture is no longer kept here; press {self.panel.verb} for a new one."
            raise gr.Error(told, print_exception=False)
        return self.prepared(before.go_on(self.asked(*values)))

    def asked(self, *values: Any) -> Order:
        """What `order` says, and what is wrong with it as a message."""
        return self.told(self.order, *values)

    def told(self, order: Callable[..., T], *values: Any) -> T:
        """What an order says, or something else of the inputs, and what is wrong with it as a message."""
        try:
            return order(*values)
        except KIND_ERRORS as error:
            raise gr.Error(str(error), print_exception=False) from None

    def prepared(self, painting: Painting) -> Updates:
        """The page as a run begins."""
        view = {
            "status": progress.status("Getting ready", "Reading the pictures.", done=0.0, kind="busy"),
            "curves": progress.curves(painting.points, painting.total),
            "snapshots": painting.snapshots,
        }
        return {
            self.painting: painting,
            self.film: gr.update(visible=False),
            self.verdict: "",
            **self.updates(view),
            **self.buttons(running=True),
        }

    def paint(self, painting: Painting | None) -> Iterator[Updates]:
        """Run it, once, and show it; what goes wrong is told, and the picture so far kept."""
        if painting is None or not queue.claim(painting):
            yield self.forgotten() if painting is None else {}
            return
        try:
            for view in painting.paint(self.run, self.load):
                yield self.updates(view)
        except Exception as error:
            told = explained(error)
            view = painting.finish() | {"status": progress.status("This did not work", told, kind="error")}
            yield self.updates(view) | self.buttons(painting)
            raise gr.Error(told, print_exception=False) from None
        if not painting.stopped:
            yield self.updates(painting.finish()) | self.buttons(painting)

    def halt(self, painting: Painting | None) -> None:
        """Press on Stop: no more steps. Gradio closes the run itself, after the step it is in."""
        if painting is not None:
            painting.stopped = True

    def end(self, painting: Painting | None) -> Updates:
        """After Stop: keep the picture so far, and show it."""
        if painting is None:
            return self.buttons()
        return self.updates(painting.finish()) | self.buttons(painting)

    def tell_score(self, painting: Painting | None) -> str:
        """Press on Score this result: how good a pastiche it is, and why."""
        try:
            return score_view.of_painting(painting)
        except KIND_ERRORS as error:
            raise gr.Error(str(error), print_exception=False) from None

    def _wire_estimate(self) -> None:
        depends = [self.controls[name] for name in self.task.costs if name in self.controls]
        photo = self.slots[0].picture
        gr.on(
            [photo.change, *(control.change for control in depends)],  # type: ignore[attr-defined]
            self.tell_estimate,
            [photo, *self.controls.values()],
            self.estimate,
            trigger_mode="always_last",
            **QUICK,
        )

    def tell_estimate(self, photo: str | None, *values: Any) -> str:
        """What the run will take, in a line."""
        given = dict(zip(self.controls, values, strict=True))
        try:
            asked = self.task.defaults | settings.read(given, self.task)
        except ValueError as error:
            return forecast.line(str(error))
        return forecast.estimate(self.shape(photo, asked), asked, self.times(asked))

    # Recipes

    def _wire_recipes(self, tab: gr.Tab | None) -> None:
        self.opened = gr.State(False)
        made = self.link.click(self.make_query, self.inputs, self.query, **TELLING)
        made.success(None, self.query, js=theme.copy_link(self.id("copy-link")))
        if self.reset and self.restore:
            self.reset.click(lambda: self.set(self.task.defaults), None, self.restored_parts, **QUICK)
            self.restore.upload(self.open_picture, [self.restore], self.restored_parts, **TELLING)
        parts = [self.opened, *self.restored_parts, self.status]
        gr.on(self.looked_at(tab), self.open_page, [self.opened], parts, **QUICK)

    def looked_at(self, tab: gr.Tab | None) -> list[Any] | None:
        """The events at which the tab is seen, maybe for the first time; None is that the page opens."""
        return None if tab is None else [tab.select, self.looked.click]

    def make_query(self, *values: Any) -> str:
        """The query string that opens this page with these settings, and these examples."""
        order = self.asked(*values)
        asked = self.read(values)[2] | order.settings
        asked.pop("device", None)
        return to_query(asked, task=self.task.name, content=order.names.get("content"), style=order.names.get("style"))

    def open_page(self, opened: bool, request: gr.Request) -> Updates:
        """What the tab shows when it is first seen: what the link says, or pictures to begin with.

        It is asked past the queue, so what could not be had is told in the status line.
        """
        if opened:
            return {self.opened: True}
        query, told = dict(request.query_params), list[str]()
        query = query if bench_of(query) == self.task.name else {}
        asked, remix = from_query(query, self.task.name), None
        try:
            remix = share.remix(share.desk(), query, request)
        except gr.Error as error:
            told.append(error.message)
        if remix:
            named = {kind: remix.recipe.get(kind) for kind in pictures.KINDS}
            asked = {"settings": settings_from_recipe(remix.recipe, self.task.name), **named}
        names = self._named(asked)
        rows = [pictures.row_html(slot.kind, name) for slot, name in zip(self.slots, names, strict=True)]
        page: Updates = {slot.row: row for slot, row in zip(self.slots, rows, strict=True)}
        page |= {self.opened: True} | self.set(asked["settings"])
        for slot, wanted in zip(self.slots, names, strict=True):
            if remix and (path := remix.files.pop(slot.role, None)):
                page |= slot.filled([path, pictures.row_html(slot.kind), Choice(path)])
                continue
            for name in filter(None, dict.fromkeys((wanted, slot.default))):
                try:
                    page |= slot.filled(pictures.choose(slot.kind, name))
                    break
                except gr.Error as error:
                    told.append(error.message)
        if told:
            page[self.status] = progress.status("Not all of this link is here", " ".join(told), kind="error")
        return page

    def _named(self, asked: dict[str, Any]) -> list[str | None]:
        """The example for each slot that is asked for, or what it begins with; of several styles in their order."""
        wanted = {slot.kind: names_of(asked.get(slot.kind)) for slot in self.slots}
        begin = {kind for kind, names in wanted.items() if not names}
        found = [
            wanted[s.kind].pop(0) if wanted[s.kind] else s.default if s.needed or s.kind in begin else None
            for s in self.slots
        ]
        return [slot.default if name == UNNAMED else name for slot, name in zip(self.slots, found, strict=True)]

    def restored(self, recipe: dict[str, Any]) -> Updates:
        """The page as a recipe has it."""
        updates = self.arranged(recipe)
        names = {slot.kind: names_of(recipe.get(slot.kind)) for slot in self.slots}
        for slot in self.slots:
            name = names[slot.kind].pop(0) if names[slot.kind] else None
            if name in {example.name for example in pictures.list_examples(slot.kind)}:
                updates |= slot.filled(pictures.choose(slot.kind, str(name)))
            elif name is None and not slot.needed:
                updates |= slot.filled([None, pictures.row_html(slot.kind), None])
        return updates

    def open_picture(self, path: str) -> Updates:
        """Restore everything that the recipe in a picture tells."""
        try:
            recipe = pictures.recipe_in(path)
        except ImageError as error:
            raise gr.Error(str(error), print_exception=False) from None
        if recipe is None:
            raise gr.Error("This picture carries no recipe; only those saved by Pastiche do.", print_exception=False)
        updates = self.restored(recipe)
        gr.Info("All settings are those of this picture now.")
        return updates

    def take(self, slot: Slot, path: str | None, before: Choice | None) -> Updates:
        """A picture was dropped, or taken away; one that Pastiche made brings its settings with it."""
        updates = slot.filled(pictures.take(slot.kind, path, before))
        try:
            recipe = pictures.recipe_in(path) if path and slot is self.slots[0] else None
        except ImageError:
            recipe = None
        if recipe is not None and bench_of(recipe) == self.task.name:
            updates |= self.arranged(recipe)
            gr.Info("This picture was made by Pastiche: all settings are those in its recipe now.")
        return updates

    def arranged(self, recipe: dict[str, Any]) -> Updates:
        """The page as a recipe has it, but for the pictures."""
        return self.set(settings_from_recipe(recipe, self.task.name))

    def set(self, asked: dict[str, Any]) -> Updates:
        """The controls as these settings have them, but for the device: it belongs to this machine."""
        controls = {name: control for name, control in self.controls.items() if name != "device"}
        return {control: settings.shown(name, asked.get(name), self.task) for name, control in controls.items()}
