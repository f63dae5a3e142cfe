"""What all painting tabs have in common: the pictures they take, the run, and its recipe.

A tab is a subclass that lays out its inputs and says what they ask for (`order`); everything else is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from nst.server import inputs, limits, queue, visits
from nst.tasks import TASKS
from nst.tasks.task import Task
from nst.ui import forecast, pictures, progress, score_view, settings
from nst.ui.arrival import Arrival
from nst.ui.events import BEGINNING, QUICK, RUNNING, TELLING, as_message, explained, refusal
from nst.ui.markup import html
from nst.ui.painting import Load, Order, Painting, Run
from nst.ui.pictures import Choice, Slot, UploadButton
from nst.ui.result_panel import Updates, Values
from nst.ui.tabs import around, look
from nst.ui.viewer import Pair


class Workbench(Arrival):
    """A tab's components, and what happens when one of them is used.

    Args:
        task: whose tab it is.
        run: paints, in place of the task's run within the limits of this host.
        load: loads the network by name, in place of the task's.
        first: what is to be seen before anything is painted.

    Attributes:
        slots: inputs for pictures; controls: those for settings, by name; extra: further ones; set in `lay_out_inputs`.
    """

    def __init__(self, task: Task, run: Run | None = None, load: Load | None = None, first: Pair | None = None) -> None:
        self.task, self.first = task, first
        self.run = run or limits.limited(task.run, task.name)
        self.load = load or task.load
        self.slots: list[Slot] = []
        self.controls: dict[str, Component] = {}
        self.extra: dict[str, Component] = {}
        self.reset: gr.Button | None = None
        self.restore = None
        self.looked = look(self.task.name)
        if self.panel.line:
            html(f"<p>{self.panel.line}</p>", classes="line")
        with gr.Row(elem_classes="workbench"):
            with gr.Column(scale=5, min_width=340, elem_classes="inputs"):
                self.lay_out_inputs()
            with gr.Column(scale=7, min_width=340, elem_id=self.id("result"), elem_classes="result-side"):
                self.lay_out_result()
        self._wire_slots()
        self._wire_run()
        if "encoder" in self.controls:
            self._wire_estimate()
        self._wire_recipes(around())

    # What a tab says for itself

    def lay_out_inputs(self) -> None:
        """Lay out the slots and controls."""
        with gr.Row(elem_classes="pair") if len(self.task.slots) > 1 else nullcontext():
            for one in self.task.slots:
                with gr.Column(min_width=140, elem_classes="card"):
                    self.slots.append(pictures.slot_of(one, self.id(one.name)))
        with gr.Column(elem_classes="card"):
            self.controls |= settings.main_controls(self.task)
            if self.panel.more:
                self.lay_out_more()

    def order(self, values: Values) -> Order:
        """What the inputs, by their values, ask for; raises ValueError with a sentence that says what is missing or
        makes no sense."""
        paths, names, asked = self.read(values)
        roles = [slot.role for slot in self.slots]
        pictures = {role: path for role, path in zip(roles, paths, strict=True) if path}
        return self.ordered(asked, pictures, dict(zip(roles, names, strict=True)))

    def ordered(self, asked: dict[str, Any], pictures: dict[str, Any], names: dict[str, Any], **more: Any) -> Order:
        """An order of this task."""
        form: dict[str, Any] = {"layout": self.task.layout(self.task.defaults | asked)}
        form |= {"tiled": self.panel.tiles, "continues": self.task.continues}
        return Order(asked, pictures, task=self.task.name, names=names, **form | more)

    def order_also(self, values: Values) -> Order:
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
        slots = [*(slot.picture for slot in self.slots), *(slot.chosen for slot in self.slots)]
        return [*slots, *self.controls.values(), *self.extra.values()]

    def lay_out_more(self) -> None:
        """The closed section: further controls, and two buttons that set all of them."""
        with gr.Accordion("Research settings", open=False, elem_id=self.id("more"), elem_classes="more-box"):
            self.controls |= settings.more_controls(self.task)
            self.lay_out_resets()

    def lay_out_resets(self) -> None:
        """Two buttons that set all of the controls."""
        with gr.Row():
            self.reset = gr.Button("Reset all settings", size="sm", elem_id=self.id("reset"))
            self.restore = UploadButton("Restore from a Pastiche picture", size="sm", elem_id=self.id("restore"))

    def read(self, values: Values) -> tuple[list[str | None], list[str | None], dict[str, Any]]:
        """Paths and names of the pictures, by slot, and the settings; raises ValueError where a picture is missing or
        gone, or a setting makes no sense."""
        paths = [values[slot.picture] for slot in self.slots]
        for path, slot in zip(paths, self.slots, strict=True):
            if not path and slot.needed:
                raise ValueError(f"Choose a {slot.title.lower()} first: drop one, or take an example.")
            if path and not Path(path).is_file():
                raise ValueError(f"The {slot.title.lower()} was kept for a day and is gone; choose it again.")
        asked = settings.read({name: values[control] for name, control in self.controls.items()}, self.task)
        limits.check(asked, self.task.name)
        named = zip(paths, self.slots, strict=True)
        names = [pictures.name_of(path, values[slot.chosen]) if path else None for path, slot in named]
        return [pictures.whole(path) if path else None for path in paths], names, asked

    def _wire_slots(self) -> None:
        for slot in self.slots:

            def choose(event: gr.EventData, slot: Slot = slot) -> Updates:
                return slot.filled(self.travels_on(slot, pictures.choose(slot.kind, inputs.word(event, "name"))))

            def take(path: str | None, before: Choice | None, slot: Slot = slot) -> Updates:
                return self.take(slot, path, before)

            busy = {"show_progress": "minimal", "show_progress_on": slot.picture}  # a painting may have to be fetched
            slot.row.select(choose, None, slot.parts, **TELLING | busy)
            slot.picture.input(take, [slot.picture, slot.chosen], self.restored_parts, **TELLING)

    # The run

    def _wire_run(self) -> None:
        self.runs: list[Any] = []
        for button, prepare in (
            (self.start, self.begin),
            (self.start_also, self.begin_also),
            (self.go_on, self.begin_again),
        ):
            self.paints(button.click, prepare)
        if self.task.scored:
            self.judge.click(self.tell_score, [self.painting], self.verdict, **TELLING | {"show_progress": "minimal"})
        # What the run still sends must not cover the result: only once it is cancelled is the result shown.
        halted = self.stop.click(self.halt, [self.painting], None, cancels=self.runs, **QUICK)
        ended = halted.then(self.end, [self.painting], self.shown, **QUICK)
        # A page that is behind may still have had steps to show, and shows them over the result.
        later = ended.then(None, js="() => new Promise(done => setTimeout(done, 1500))")
        later.then(self.end_again, [self.painting], self.shown, **QUICK)

    def paints(self, event: Callable[..., Any], prepare: Callable[..., Updates], *more: Component) -> None:
        """Have an event of a component begin a run. `prepare` is given the painting before, the values of `more` and
        those of `inputs`, and tells the page as it begins."""

        def begin(values: Values) -> Updates:
            return prepare(values[self.painting], *(values[one] for one in more), values)

        ready = event(begin, {self.painting, *more, *self.inputs}, [self.painting, *self.shown], **BEGINNING)
        self.runs.append(ready.success(self.paint, [self.painting], self.shown, **RUNNING))

    @as_message()
    def begin(self, before: Painting | None, values: Values) -> Updates:
        """Press on the button: a new painting from what the page says."""
        return self.prepared(Painting(self.order(values)), before)

    @as_message()
    def begin_also(self, before: Painting | None, values: Values) -> Updates:
        """Press on the second button."""
        return self.prepared(Painting(self.order_also(values)), before)

    @as_message()
    def begin_again(self, before: Painting | None, values: Values) -> Updates:
        """Press on Continue: go on from the last result, with the settings as they are now."""
        if before is None or not before.last:
            raise refusal(f"The last picture is no longer kept here; press {self.panel.verb} for a new one.")
        order = self.order(values)
        if order.pictures.get("content") != before.order.pictures.get("content"):
            verb = self.panel.verb
            raise refusal(f"The photo is another one now: press {verb} to begin with it, or choose the former again.")
        return self.prepared(before.go_on(order), before)

    def prepared(self, painting: Painting, before: Painting | None = None) -> Updates:
        """The page as a run begins, which overtakes the one before."""
        if before is not None and not before.closed:
            before.stopped = True
        visits.here().paint(self.task.name, painting)
        order, asked = painting.order, self.task.defaults | painting.order.settings
        if self.task.optimizes:
            path = order.pictures.get("content", order.pictures.get("style"))
            path = path[0] if isinstance(path, list) else path
            times = TASKS[order.task].times(asked) if order.layout.titles else 1.0
            painting.forecast = forecast.seconds(self.shape(path, asked), asked, times)
        view = {
            "status": progress.status("Getting ready", done=0.0, kind="busy"),
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
            yield self.forgotten() if painting is None else {self.status: gr.skip()}  # gradio takes no empty answer
            return
        try:
            seen = False
            for view in painting.paint(self.run, self.load):
                yield self.updates(view, seen=seen)
                seen = seen or "preview" in view
        except Exception as error:
            told = explained(error)
            view = painting.finish() | {"status": progress.status("This did not work", told, kind="error")}
            yield self.updates(view) | self.buttons(painting)
            raise refusal(told) from None
        if not painting.stopped:
            yield self.updates(painting.finish()) | self.buttons(painting)

    @staticmethod
    def halt(painting: Painting | None) -> None:
        """Press on Stop: no more steps. Gradio closes the run itself, after the step it is in."""
        if painting is not None:
            painting.stopped = True

    def end(self, painting: Painting | None) -> Updates:
        """After Stop: keep the picture so far, and show it."""
        if painting is None:
            return self.buttons()
        return self.updates(painting.finish()) | self.buttons(painting)

    def end_again(self, painting: Painting | None) -> Updates:
        """A moment after Stop: the same once more, unless something else is painted by now."""
        return self.end(painting) if painting is not None and painting.stopped else {self.status: gr.skip()}

    @as_message()
    def tell_score(self, painting: Painting | None) -> str:
        """Press on Score this result: how good a pastiche it is, and why."""
        return score_view.of_painting(painting)

    def _wire_estimate(self) -> None:
        depends = [self.controls[name] for name in self.task.costs if name in self.controls]
        photo = self.slots[0].picture
        gr.on(
            [photo.change, *(control.change for control in depends)],  # type: ignore[attr-defined]
            self.tell_estimate,
            {photo, *self.controls.values()},
            self.estimate,
            trigger_mode="always_last",
            **QUICK,
        )

    def tell_estimate(self, values: Values) -> str:
        """What the run will take, in a line."""
        given = {name: values[control] for name, control in self.controls.items()}
        try:
            asked = self.task.defaults | settings.read(given, self.task)
        except ValueError as error:
            return forecast.line(str(error))
        return forecast.estimate(self.shape(values[self.slots[0].picture], asked), asked, self.times(asked))
