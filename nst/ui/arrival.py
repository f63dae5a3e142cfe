"""What a tab shows when it is looked at: what a link says, what was there before a reload, what came along from another
tab, or pictures to begin with; and what a picture of Pastiche's own brings with it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from nst.images import ImageError
from nst.server import queue, visits
from nst.tasks.recipe import UNNAMED, from_query, names_of, settings_from_recipe, to_query
from nst.ui import page, pictures, progress, settings, share
from nst.ui.events import QUICK, TELLING, as_message, refusal
from nst.ui.painting import Order, Painting
from nst.ui.pictures import Choice, Slot
from nst.ui.result_panel import Stage, Updates, Values
from nst.ui.tabs import around, bench_of
from nst.ui.viewer import Pair

LONGEST_KEPT, PATIENCE = 20_000, 5.0
"""Letters of what a page keeps, and seconds that a run has to end when its page is loaded anew."""

OWN_LEFT_OUT = (
    "Your own {} not in this link: whoever opens it sees an example. A link to the picture can take it along."
)


class Arrival(Stage):
    """The part of a workbench that fills it in; see `nst.ui.task_tab.Workbench`."""

    slots: list[Slot]
    controls: dict[str, Component]
    reset: gr.Button | None
    restore: gr.UploadButton | None
    looked: gr.Button

    @property
    def inputs(self) -> list[Component]:
        raise NotImplementedError

    def order(self, values: Values) -> Order:
        raise NotImplementedError

    def read(self, values: Values) -> tuple[list[str | None], list[str | None], dict[str, Any]]:
        raise NotImplementedError

    @property
    def restored_parts(self) -> list[Component]:
        """What a link or a recipe may set."""
        return [*(part for slot in self.slots for part in slot.parts), *self.controls.values()]

    @property
    def kept(self) -> dict[str, Component]:
        """The inputs that a page keeps over a reload, by name."""
        return dict(self.controls)

    def _wire_recipes(self, tab: gr.Tab | None) -> None:
        self.opened = gr.State(False)
        made = self.link.click(self.make_query, {*self.inputs}, self.query, **TELLING)
        made.success(None, self.query, js=page.copy_link(self.id("copy-link")))
        if self.reset and self.restore:
            self.reset.click(lambda: self.set(self.task.defaults), None, self.restored_parts, **QUICK)
            self.restore.upload(self.open_picture, [self.restore], self.restored_parts, **TELLING)
        parts = dict.fromkeys([self.opened, *self.restored_parts, self.painting, *self.shown])
        looking = f"(first) => [first, pastiche.told({json.dumps(self.task.name)})]"
        seen = None if tab is None else [tab.select, self.looked.click]  # without tabs, once the page opens
        gr.on(seen, self.open_page, [self.opened, self.query], [*parts], js=looking, **QUICK)
        if tab is not None and tab.parent is not None and (outer := around(tab.parent)):
            outer.select(self.come_back, self.opened, [self.opened, *self.restored_parts], **QUICK)
        changed = [control.change for control in self.kept.values()]  # type: ignore[attr-defined]
        if changed:
            told = f"{json.dumps(self.task.name)}, {json.dumps(list(self.kept))}"
            gr.on(changed, None, [*self.kept.values()], js=f"(...values) => pastiche.keep({told}, values)")

    # Links

    @as_message()
    def make_query(self, values: Values) -> str:
        """The query string that opens this page with these settings, and these examples."""
        order = self.order(values)
        asked = self.read(values)[2] | order.settings
        asked.pop("device", None)
        own = [role for role in order.pictures if role in pictures.KINDS and not _all_named(order.names.get(role))]
        if own:
            titles = " and ".join(dict(content="photo", style="style")[role] for role in own)
            gr.Warning(OWN_LEFT_OUT.format(f"{titles} {'is' if len(own) == 1 else 'are'}"))
        return to_query(asked, task=self.task.name, content=order.names.get("content"), style=order.names.get("style"))

    def open_page(self, opened: bool, told: str | None, request: gr.Request) -> Updates:
        """What the tab shows when it is seen, for the first time or `opened` before. It is asked past the queue, so
        what could not be had is told in the status line. `told` is what the page keeps, as JSON: `visit`, its word;
        `again`, whether it was loaded before; and `settings`."""
        kept = _kept(told)
        visit = visits.here() if opened else visits.enter(str(kept.get("visit")), request)
        if opened:
            return {self.opened: True} | self.arrive(visit)
        query = self.linked(request)
        if kept.get("again"):
            query.pop("remix", None)
        page, missing = self._linked(query, request)
        if kept.get("again") and isinstance(kept.get("settings"), Mapping):
            page |= self.put_back(kept["settings"])
        page |= {self.opened: True} | self.arrive(visit, query if not kept.get("again") else {})
        if missing:
            page |= self.lacking(" ".join(missing))
        return page | self._returned(visit.results.get(self.task.name))

    def linked(self, request: gr.Request) -> dict[str, str]:
        """What the page's link asks of this tab."""
        query = dict(request.query_params)
        return query if bench_of(query) == self.task.name else {}

    def lacking(self, told: str) -> Updates:
        """The page where not all that a link asks for can be had."""
        return {self.status: progress.status("Not all of this link is here", told, kind="error")}

    def _linked(self, query: dict[str, str], request: gr.Request) -> tuple[Updates, list[str]]:
        """The tab as a link has it, and sentences on what was not to be had."""
        told = list[str]()
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
        shown: Updates = {slot.row: row for slot, row in zip(self.slots, rows, strict=True)}
        shown |= self.set(asked["settings"])
        if remix and remix.shown:
            shown |= {self.compare: gr.update(value=Pair(*remix.shown), visible=True)}
            shown |= {self.preview: gr.update(visible=False)} if not self.panel.tiles else {}
        for slot, wanted in zip(self.slots, names, strict=True):
            if remix and (path := remix.files.pop(slot.role, None)):
                shown |= slot.filled(Choice(path))
                continue
            for name in filter(None, dict.fromkeys((wanted, slot.default))):
                try:
                    shown |= slot.filled(pictures.choose(slot.kind, name))
                    break
                except gr.Error as error:
                    told.append(error.message)
        return shown, told

    def _named(self, asked: dict[str, Any]) -> list[str | None]:
        """The example for each slot that is asked for, or what it begins with; of several styles in their order."""
        wanted = {slot.kind: names_of(asked.get(slot.kind)) for slot in self.slots}
        begin = {kind for kind, names in wanted.items() if not names}
        found = [
            wanted[s.kind].pop(0) if wanted[s.kind] else s.default if s.needed or s.kind in begin else None
            for s in self.slots
        ]
        return [slot.default if name == UNNAMED else name for slot, name in zip(self.slots, found, strict=True)]

    # From tab to tab, and over a reload

    def traveling(self) -> dict[str, Slot]:
        """The inputs whose picture is that of the whole app, by kind: the first of each."""
        slots = {slot.kind: slot for slot in reversed(self.slots) if slot.kind in pictures.KINDS}
        return slots if self.panel.home != "Faces" else {}

    def travels_on(self, slot: Slot, choice: Choice) -> Choice:
        """Note that a visitor chose this."""
        visit = visits.here()
        if self.traveling().get(slot.kind) is slot:
            visit.chosen[slot.kind] = visit.seen[self._place(slot)] = choice
        return choice

    def arrive(self, visit: visits.Visit, query: Mapping[str, str] | None = None) -> Updates:
        """What the visitor chose in other tabs, but for what a link names."""
        updates: Updates = {}
        for kind, slot in self.traveling().items():
            choice = visit.chosen.get(kind)
            linked = bool(query and (query.get(kind) or query.get("remix")))
            there = query is None and visit.seen.get(self._place(slot)) is choice
            if linked or there or not isinstance(choice, Choice) or not Path(choice.path).is_file():
                continue
            visit.seen[self._place(slot)] = choice
            updates |= self.filled_in(slot, choice)
        return updates

    def come_back(self, opened: bool) -> Updates:
        """The tab around this one is seen; what was not looked at yet is filled in when it is."""
        return {self.opened: opened} | (self.arrive(visits.here()) if opened else {})

    def filled_in(self, slot: Slot, choice: Choice) -> Updates:
        """A slot with what came along."""
        return slot.filled(choice)

    def _place(self, slot: Slot) -> str:
        return f"{self.task.name} {slot.role}"

    def put_back(self, values: Mapping[str, Any]) -> Updates:
        """The controls as the page had them; what makes no sense is left."""
        known = {name: value for name, value in values.items() if name in self.controls and name != "device"}
        try:
            asked = settings.read(known, self.task)
        except (ValueError, TypeError):  # what a page keeps, it may have changed
            return {}
        return self.set(self.task.defaults | asked)

    def _returned(self, painting: Painting | None) -> Updates:
        """The last result, as it was left; a run that is under way ends here, and what it has come to is kept."""
        if painting is None or queue.claim(painting):
            return {}
        painting.stopped = True
        until = time.monotonic() + PATIENCE
        while not painting.closed and time.monotonic() < until:
            time.sleep(queue.POLL / 2)
        view = painting.finish()
        if not painting.last or not painting.result:
            return {}
        return {self.painting: painting} | self.updates(view) | self.buttons(painting)

    # Pictures that bring a recipe

    def restored(self, recipe: dict[str, Any]) -> Updates:
        """The page as a recipe has it."""
        updates = self.arranged(recipe)
        names = {slot.kind: names_of(recipe.get(slot.kind)) for slot in self.slots}
        for slot in self.slots:
            name = names[slot.kind].pop(0) if names[slot.kind] else None
            if name in {example.name for example in pictures.list_examples(slot.kind)}:
                updates |= slot.filled(self.travels_on(slot, pictures.choose(slot.kind, str(name))))
            elif name is None and not slot.needed:
                updates |= slot.filled(None)
        return updates

    @as_message()
    def open_picture(self, path: str) -> Updates:
        """Restore everything that the recipe in a picture tells."""
        recipe = pictures.recipe_in(path)
        if recipe is None:
            raise refusal("This picture carries no recipe; only those saved by Pastiche do.")
        updates = self.restored(recipe)
        gr.Info("All settings are those of this picture now.")
        return updates

    def take(self, slot: Slot, path: str | None, before: Choice | None) -> Updates:
        """A picture was dropped, or taken away; one that Pastiche made brings all of its recipe with it."""
        updates = slot.take(path, before)
        if choice := updates.get(slot.chosen):
            self.travels_on(slot, choice)
        try:
            recipe = pictures.recipe_in(path) if path and slot is self.slots[0] else None
        except ImageError:
            recipe = None
        if recipe is not None and bench_of(recipe) == self.task.name:
            updates |= self.restored(recipe)
            gr.Info("This picture was made by Pastiche: all settings are those in its recipe now.")
        return updates

    def arranged(self, recipe: dict[str, Any]) -> Updates:
        """The page as a recipe has it, but for the pictures."""
        return self.set(settings_from_recipe(recipe, self.task.name))

    def set(self, asked: dict[str, Any]) -> Updates:
        """The controls as these settings have them, but for the device: it belongs to this machine."""
        controls = {name: control for name, control in self.controls.items() if name != "device"}
        return {control: settings.shown(name, asked.get(name), self.task) for name, control in controls.items()}


def _kept(told: str | None) -> dict[str, Any]:
    """What a page says that it keeps."""
    try:
        kept = json.loads((told or "")[:LONGEST_KEPT])
    except (ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _all_named(names: Any) -> bool:
    """Whether these are names of examples."""
    each = names if isinstance(names, list) else [names]
    return bool(each) and all(name and name != UNNAMED for name in each)
