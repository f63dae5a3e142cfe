"""The tab Fast styles: a click on a style paints the photo, in one pass of a network that has learned it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from nst import fast, weights
from nst.registry import load_model
from nst.server import inputs, limits, visits
from nst.tasks import TASKS
from nst.tasks.recipe import SEPARATOR, from_query, names_of, settings_from_recipe
from nst.tasks.result import Layout
from nst.ui import hubrow, pictures, progress, settings, stylerow, teach
from nst.ui.events import QUICK, TELLING, as_message, refusal
from nst.ui.live import OWN, Live
from nst.ui.markup import html, moved_by
from nst.ui.painting import Load, Order, Painting, Run
from nst.ui.pictures import Choice, Slot
from nst.ui.result_panel import Updates, Values
from nst.ui.task_tab import Workbench
from nst.weights import Weights, repository

COLUMNS = 4
"""Pictures in a row of the sheet of all styles."""


class FastTab(Workbench):
    """See `nst.ui.task_tab.Workbench`; its run is one step long.

    Args:
        run: has the signature of `nst.fast.fast_run`.
        names: tells the names of the styles that a network has learned.
        look: looks at styles once, to paint in them; has the signature of `nst.fast.make_painter`.
        load: fetches and loads a model by name, as `nst.registry.load_model` does.
        learn: learns a style, in place of the task's run within the limits of this host.
    """

    def __init__(
        self,
        run: Run | None,
        names: Callable[[], Sequence[str]],
        look: Callable[..., Any],
        load: Load,
        learn: Run | None = None,
    ) -> None:
        self.names, self.learn = names, learn
        self.live = Live(look, self.taken, self.is_here)
        self.chosen, self.corner = gr.State([]), gr.State(stylerow.MIDDLE)

        def fetch(name: str, **given: Any) -> object:
            return load(name, **given) if name in self.networks() or repository.parse(name) else None

        super().__init__(TASKS["fast"], run, fetch)

    def networks(self) -> dict[str, Weights]:
        """Those of others, by name: each is a style, which blends with no other."""
        return {entry.name: entry for entry in fast.networks()}

    def network(self, name: str) -> str:
        """The network of others that a style is of, by its name; "" for what comes with Pastiche, or was taught."""
        return name if name in self.networks() else hubrow.network(name)

    def blends(self, name: str, other: str) -> bool:
        """Whether both can be chosen together: styles of one network, but a picture and one that was taught."""
        network, mine = self.network(name), {one for one in (name, other) if teach.find(one) or hubrow.split(one)[0]}
        if network != self.network(other) or (network and " " not in name):
            return False
        return bool(network) or not (mine and OWN in (name, other))

    def taken(self, names: Sequence[str]) -> tuple[list[Any], str]:
        """Styles as the run takes them, though `OWN` as it is, and the network of others that they need, or ""."""
        network = self.network(names[0])
        if hubrow.any_picture(hubrow.split(network)[0]):
            return [OWN], network
        return [teach.find(name) or hubrow.taken(name, network) for name in names], network

    def lay_out_inputs(self) -> None:
        with gr.Column(elem_classes="card"):
            # A click triggers `select` with the style's name, and what is typed `submit`; the pad with x and y.
            self.gallery = html(element="fast-styles", js_on_load=moved_by("named", "typed"))
            self.blending = gr.Checkbox(False, label="Blend up to four styles", elem_id="fast-blending")
            self.pad = html(element="fast-pad", js_on_load=moved_by("pad"))
            self.teaching = teach.Teaching("fast-teach", self.learn)
            self.extra = {"chosen": self.chosen, "corner": self.corner}
        with gr.Row(elem_classes="pair"):
            with gr.Column(min_width=140, elem_classes="card"):
                self.slots.append(pictures.slot("content", "Photo", "fast-content"))
            with gr.Column(min_width=140, elem_classes="card"):
                self.slots.append(pictures.slot("style", "Any other style", "fast-style", needed=False))
        with gr.Column(elem_classes="card"):
            self.controls = settings.main_controls(self.task)
            titles, (first, *others) = self.task.settings["model"].options, fast.any_style_models()
            self.controls["model"] = gr.Radio(
                [(titles[first], settings.AUTO), *((titles[other], other) for other in others)],
                value=settings.AUTO,
                label="Any other style",
                info="Which network paints in it.",
                visible=bool(others),
                elem_id=self.id("model"),
            )
            self.lay_out_resets()

    def lay_out_result(self) -> None:
        super().lay_out_result()
        with gr.Row(elem_classes="actions"):
            self.every = gr.Button("All styles at once", elem_id="fast-every", elem_classes="brings", size="md")
            self.refine = gr.Button("Refine in Optimize", elem_id="fast-refine", size="md")
        self.live.lay_out()

    def order(self, values: Values) -> Order:
        chosen, corner = values[self.chosen], values[self.corner]
        (content, own), (photo, manner), asked = self.read(values)
        names = [name for name in chosen if name != OWN or own]
        if not names:
            raise ValueError("Choose a style first: click on one, or drop a picture as any other style.")
        given, network = self.taken(names)
        if OWN in given and not own:
            raise ValueError(f"{network} paints in the manner of a picture: drop one as any other style first.")
        said = [name if one != OWN else manner or "a picture" for one, name in zip(given, names, strict=False)]
        said = [hubrow.split(name)[1] or name for name in said]
        asked["weights"] = stylerow.weights(len(given), corner)
        if OWN not in given:
            asked.pop("model", None)
        if network:
            asked["model"] = network
        given = [Path(str(own)) if one == OWN else one for one in given]
        shape = pictures.shape(content)
        if "size" not in asked and shape:
            asked["size"] = min(max(shape), limits.current().size, fast.MAX_SIZE)
        names_of_all = {"content": photo, "style": said}
        return self.ordered(asked, {"content": str(content)}, names_of_all, extras={"style": given})

    def order_all(self, values: Values) -> Order:
        """The sheet of all styles."""
        (content, _), (photo, _), asked = self.read(values)
        names = list(self.names())
        kept = {name: asked[name] for name in ("strength",) if name in asked}
        asked = kept | {"size": fast.SHEET_SIZE, "all": True}
        layout = Layout(tuple(map(stylerow.title, names)), COLUMNS)
        return self.ordered(asked, {"content": str(content)}, {"content": photo, "style": names}, layout=layout)

    # Which styles

    @as_message()
    def pick(self, event: gr.EventData, chosen: list[str], blending: bool) -> Updates:
        """A click on a style."""
        name = inputs.word(event, "name")
        blends = self.blends(name, name)
        others = [other for other in chosen if self.blends(name, other)]
        if any(example.name == name and example.thumbnail for example in pictures.list_examples("style")):
            self.travels_on(self.slots[1], pictures.choose("style", name))
        return self.picked(stylerow.toggled(others, name, blending and blends))

    @as_message()
    def look_up(self, event: gr.EventData, chosen: list[str]) -> Updates:
        """A repository of the Hub was typed."""
        hubrow.look_up(inputs.word(event, "name"))
        return self.picked(chosen)

    def pick_own(self, chosen: list[str], blending: bool) -> Updates:
        """A picture of the visitor's own was given as style."""
        if any(hubrow.any_picture(hubrow.split(name)[0]) for name in chosen):
            return self.picked(chosen)
        others = [name for name in chosen if name != OWN and self.blends(name, OWN)] if blending else []
        return self.picked([*others[: fast.MAX_STYLES - 1], OWN])

    def blend(self, chosen: list[str], blending: bool) -> Updates:
        """Blending was switched on or off."""
        return self.picked(chosen if blending else chosen[:1])

    def picked(self, chosen: list[str], corner: tuple[float, float] = stylerow.MIDDLE) -> Updates:
        """The page with these styles chosen."""
        visits.here().chosen["fast"] = chosen
        shown = stylerow.gallery_html(self.names(), chosen, teach.thumbnails()) + hubrow.html(fast.networks(), chosen)
        updates: Updates = {self.chosen: chosen, self.corner: corner, self.gallery: shown}
        return updates | {self.pad: stylerow.pad_html(chosen, corner)} | self.teaching.chosen(chosen)

    @property
    def picks(self) -> list[Component]:
        return [self.chosen, self.corner, self.gallery, self.pad, self.teaching.save, self.teaching.remove]

    @property
    def restored_parts(self) -> list[Component]:
        return [*super().restored_parts, *self.picks, self.blending]

    def is_here(self, name: str) -> bool:
        """Whether what a style needs need not be fetched."""
        network, (repo, _) = self.networks().get(name), hubrow.split(name)
        return hubrow.find(repo).here if repo else not network or weights.find(network) is not None

    # What is used

    def _wire_run(self) -> None:
        super()._wire_run()
        own, choice = self.slots[1], [self.chosen, self.blending]
        mine = gr.on([own.picture.upload, own.row.select], self.pick_own, choice, self.picks, **TELLING)
        chosen = self.gallery.select(self.pick, choice, self.picks, **QUICK)
        self.blending.input(self.blend, choice, self.picks, **QUICK)
        self.gallery.submit(self.look_up, self.chosen, self.picks, **TELLING | {"show_progress": "minimal"})
        moved = self.pad.select(_place, None, self.corner, **QUICK)
        dragged = [self.controls[name].release for name in ("strength", "brush")]  # type: ignore[attr-defined]
        taught = self.teaching.wire(self.slots[0].picture, self.chosen, self.picks, self.picked)
        for event in (mine.success, chosen.success, moved.success, *dragged, *taught):
            self.paints(event, self.begin_quietly)
        self.paints(self.every.click, self.begin_all)
        how = [self.controls[name] for name in ("strength", "model")]
        self.live.wire([self.chosen, self.corner, own.picture, *how])

    def begin_quietly(self, before: Painting | None, values: Values) -> Updates:
        """After a click on a style: paint, unless there is no photo yet."""
        ready = values[self.slots[0].picture] and values[self.chosen]
        return self.begin(before, values) if ready else {self.painting: before}

    @as_message()
    def begin_all(self, before: Painting | None, values: Values) -> Updates:
        """Press on All styles at once."""
        return self.prepared(Painting(self.order_all(values)), before)

    # Recipes

    def _named(self, asked: dict[str, Any]) -> list[str | None]:
        """The photo alone: styles that a link names are chosen in the gallery."""
        return super()._named(asked | {"style": None})

    def open_page(self, opened: bool, told: str | None, request: gr.Request) -> Updates:
        page = super().open_page(opened, told, request)
        if opened:
            return page
        asked = from_query(self.linked(request), self.task.name)
        if not asked["style"]:
            if self.chosen in page:  # it came along from another tab
                return page
            asked["style"] = SEPARATOR.join(visits.here().chosen.get("fast") or ())
        styled, lost = self.styled(names_of(asked["style"]), asked["settings"])
        if lost and self.status not in page:
            page |= self.lacking(lost)
        return page | styled

    def filled_in(self, slot: Slot, choice: Choice) -> Updates:
        """A style that a network has learned is chosen in the gallery, any other as a picture."""
        if slot is not self.slots[1]:
            return super().filled_in(slot, choice)
        known = choice.name in self.names()
        picks = self.picked([str(choice.name) if known else OWN])
        return picks if known else picks | super().filled_in(slot, choice)

    def restored(self, recipe: dict[str, Any]) -> Updates:
        return super().restored(recipe | {"style": []}) | self.arranged(recipe)

    def arranged(self, recipe: dict[str, Any]) -> Updates:
        updates, names = super().arranged(recipe), names_of(recipe.get("style"))
        if not names:
            return updates
        styled, lost = self.styled(names, settings_from_recipe(recipe, self.task.name))
        if lost:
            gr.Warning(lost)
        return updates | styled

    def set(self, asked: dict[str, Any]) -> Updates:
        known = asked.get("model") if asked.get("model") in fast.any_style_models()[1:] else None
        return super().set(asked | {"model": known})

    def styled(self, names: Sequence[str], asked: Mapping[str, Any]) -> tuple[Updates, str]:
        """Styles, their weights and their network as a link or a recipe has them, and a sentence on what is not to be
        had. One may be an example among the other styles, which a network knows as a picture."""
        learned = [*self.names(), *self.networks(), *teach.names()]
        examples = {example.name for example in pictures.list_examples("style")}
        other, chosen, shares = None, list[str](), list[float]()
        names, missing = hubrow.named(names, asked["model"])
        for name, share in zip(names, [*(asked["weights"] or ()), *([1.0] * len(names))], strict=False):
            if name not in learned and not hubrow.split(name)[0]:
                if name not in examples or OWN in chosen:
                    continue
                try:
                    other, name = pictures.choose("style", name), OWN
                except gr.Error:  # it cannot be fetched now
                    continue
            chosen.append(name)
            shares.append(share)
        lost = len(names) - len(chosen)
        chosen, shares = chosen[: fast.MAX_STYLES], shares[: fast.MAX_STYLES]
        if chosen and not self.blends(chosen[0], chosen[0]):
            chosen, shares = chosen[:1], shares[:1]
        updates = self.picked(chosen or list(learned[:1]), stylerow.corner(shares)) | self.slots[1].filled(other)
        if lost and not missing:
            how = "One of its styles is" if lost == 1 else f"{lost} of its styles are"
            missing = f"{how} not known here by name: drop the picture as any other style."
        return updates | {self.blending: len(chosen) > 1}, missing

    def connect(self, other: Workbench, bar: gr.Tabs, title: str) -> None:
        """Let the result be gone on from in another tab, whose title is this, by its own button."""
        photo, manner, *_ = other.slots

        def hand_over(painting: Painting | None) -> dict[Any, Any]:
            if painting is None or not painting.last or painting.order.several:
                raise refusal("Paint a picture first; then it can be refined.")
            path, name = str(painting.order.pictures["content"]), painting.order.names["content"]
            updates: dict[Any, Any] = photo.filled(Choice(path, name))
            try:
                updates |= manner.filled(pictures.choose("style", painting.order.names["style"][0]))
            except gr.Error as error:  # a painting that is not on this machine, or the visitor's own picture
                gr.Warning(f"{error.message} Choose the style once more here.")
            told = progress.status("Ready to refine", "Press Continue: it goes on from the fast picture.", kind="done")
            return updates | {
                other.painting: painting,
                other.preview: gr.update(value=painting.last),
                other.status: told,
                other.go_on: gr.update(visible=True),
                bar: gr.Tabs(selected=title),
            }

        outputs = [*photo.parts, *manner.parts, other.painting, other.preview, other.status, other.go_on, bar]
        self.refine.click(hand_over, [self.painting], outputs, **TELLING)


def _place(event: gr.EventData) -> tuple[float, float]:
    return inputs.number(event, "x"), inputs.number(event, "y")


def create_tab(
    run: Run | None = None,
    names: Callable[[], Sequence[str]] = fast.fast_styles,
    look: Callable[..., Any] = fast.make_painter,
    load: Load = load_model,
    learn: Run | None = None,
) -> FastTab:
    """Lay the tab out and wire it; to be called inside a `gr.Tab`. See `FastTab`."""
    return FastTab(run, names, look, load, learn)
