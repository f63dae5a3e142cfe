"""The tab Doodle: a map of a few colors is drawn, and each color painted as what it stands for."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components import Component
from PIL import Image, ImageColor
from torch import Tensor

from nst import styles, stylize
from nst.images import save, to_pil, to_tensor
from nst.server import inputs, tempfiles
from nst.tasks import TASKS
from nst.tasks.task import MAP
from nst.ui import canvas, pictures, settings
from nst.ui.events import QUICK, TELLING, as_message
from nst.ui.markup import small_print
from nst.ui.painting import Load, Order, Run
from nst.ui.pictures import Choice, Slot, opened
from nst.ui.result_panel import Updates, Values
from nst.ui.task_tab import Workbench

FIRST = "night"
"""The painting that it opens with."""

LARGEST = 1024
"""Long side in pixels at which a painting is looked at for a map."""

BEGINNINGS = [("Example", "example"), ("Its map", "map"), ("Empty", "empty")]
"""What one can draw over: titles and values."""

ABOUT = (
    "Each color stands for a thing in the painting: draw where it is to be. What you draw stays on this page; links "
    "and files do not hold it."
)


class DoodleBench(Workbench):
    """See `nst.ui.task_tab.Workbench`; `style`, `map` and `file` are the slots for the painting, for what is where in
    it, and for a doodle that is there already."""

    def lay_out_inputs(self) -> None:
        with gr.Row(elem_classes="pair"):
            with gr.Column(min_width=140, elem_classes="card"):
                self.style = pictures.slot("style", "Painting", self.id("style"), default=FIRST)
            with gr.Column(min_width=140, elem_classes="card"):
                self.map = pictures.slot("style_map", "Its map", self.id("map"), kind=MAP, needed=False)
                small_print("What is where in it. For a painting of your own one is proposed, by color.")
        with gr.Column(elem_classes="card"):
            self.palette = canvas.palette(self.id("palette"))
            layers = canvas.canvas("Doodle", self.id("canvas"), ["#000000"], opacity=1.0)
            begin = gr.Radio(
                BEGINNINGS, value="example", label="Draw over", elem_classes="segments", elem_id=self.id("begin")
            )
            self.extra = {"layers": layers, "begin": begin}
            small_print(ABOUT)
            with gr.Accordion("A doodle from a file", open=False, elem_id=self.id("files"), elem_classes="more-box"):
                title = "Doodle from a file"
                self.file = pictures.slot("content", title, self.id("content"), kind=MAP, needed=False)
        self.slots = [self.style, self.map, self.file]
        with gr.Column(elem_classes="card"):
            self.controls |= settings.main_controls(self.task)
            self.lay_out_more()

    # What is asked for

    @property
    def restored_parts(self) -> list[Component]:
        return [*super().restored_parts, self.palette, self.extra["layers"]]

    def order(self, values: Values) -> Order:
        (style, map_path, file), (manner, map_name, _), asked = self.read(values)
        layers, begin = (values[self.extra[name]] for name in ("layers", "begin"))
        if not map_path:
            raise ValueError("The painting needs a map of what is where in it: drop one, or choose the painting anew.")
        colors = stylize.map_colors(to_tensor(opened(map_path)))
        drawn = stylize.painted_map(_ground(map_path, map_name, file, begin, colors), canvas.checked(layers), colors)
        path = str(save(tempfiles.new_file("doodle.png"), to_pil(drawn)))
        return self.ordered(asked, {"content": path, "style": str(style), "style_map": map_path}, {"style": manner})

    # What is used

    def _wire_slots(self) -> None:
        super()._wire_slots()
        begin, layers = self.extra["begin"], self.extra["layers"]
        self.style.row.select(self.take_example, None, self.restored_parts, **TELLING)
        given = [self.map.picture, self.map.chosen, self.file.picture, begin]
        self.map.picture.input(self.show_canvas, given, [self.palette, layers], **TELLING)
        gr.on(
            [self.file.picture.input, begin.input],  # type: ignore[attr-defined]
            self.show_ground,
            given,
            layers,
            **TELLING,
        )
        self.palette.select(_dip, self.map.picture, layers, **QUICK)

    def take_example(self, event: gr.EventData) -> Updates:
        """A click on an example: its map comes with it."""
        return self.mapped(self.travels_on(self.style, pictures.choose("style", inputs.word(event, "name"))))

    def take(self, slot: Slot, path: str | None, before: Choice | None) -> Updates:
        updates = super().take(slot, path, before)
        chosen = updates.get(slot.chosen)
        return updates | (self.mapped(chosen) if slot is self.style and isinstance(chosen, Choice) else {})

    def restored(self, recipe: dict[str, Any]) -> Updates:
        updates = super().restored(recipe)
        chosen = updates.get(self.style.chosen)
        return updates | (self.mapped(chosen) if isinstance(chosen, Choice) else {})

    def filled_in(self, slot: Slot, choice: Choice) -> Updates:
        return super().filled_in(slot, choice) | (self.mapped(choice) if slot is self.style else {})

    def open_page(self, opened: bool, told: str | None, request: gr.Request) -> Updates:
        page = super().open_page(opened, told, request)
        style, own, file = (page.get(slot.chosen) for slot in self.slots)
        try:
            if own:
                return page | self.show_canvas(own.path, None, file.path if file else None, "example")
            return page | (self.mapped(style) if style else {})
        except gr.Error as error:
            return page | self.lacking(error.message)

    def mapped(self, style: Choice) -> Updates:
        """The map of a painting, its own or a proposal, and a canvas for it."""
        if style.name in styles.list_maps():
            picture = styles.load_map(style.name)
        else:
            picture = to_pil(stylize.propose_map(to_tensor(opened(style.path, LARGEST))))
        path = str(save(tempfiles.new_file("map.png"), picture))
        chosen = Choice(path, style.name)
        return self.map.filled(chosen) | self.file.filled(None) | self.show_canvas(path, chosen, None, "example")

    def show_canvas(self, map_path: str | None, chosen: Choice | None, file: str | None, begin: str) -> Updates:
        """The palette of a map, and a canvas to draw on in its colors."""
        ground = self.show_ground(map_path, chosen, file, begin)
        if not map_path:
            return {self.palette: "", self.extra["layers"]: ground}
        colors = stylize.map_colors(to_tensor(opened(map_path)))
        name = pictures.name_of(map_path, chosen)
        words = {color: word for word, color in (styles.meanings(name) if name in styles.list_maps() else {}).items()}
        entries = [(color, words.get(color, f"Color {i}")) for i, color in enumerate(colors, 1)]
        brush = gr.update(brush=canvas.brush(colors, colors[0], 1.0), visible=True)
        return {self.palette: canvas.palette_html(entries), self.extra["layers"]: ground | brush}

    def show_ground(self, map_path: str | None, chosen: Choice | None, file: str | None, begin: str) -> dict[str, Any]:
        """A fresh canvas over what one begins with."""
        if not map_path:
            return gr.update(value=None)
        with as_message():
            colors = stylize.map_colors(to_tensor(opened(map_path)))
            under = _ground(map_path, pictures.name_of(map_path, chosen), file, begin, colors)
            ground = stylize.painted_map(under, [], colors)
        return gr.update(value=canvas.upon(str(save(tempfiles.new_file("ground.png"), to_pil(ground)))))


def _ground(map_path: str, name: str | None, file: str | None, begin: str, colors: list[str]) -> Tensor:
    """What is drawn over: a doodle from a file, or what was chosen to begin with."""
    whole = opened(file or map_path).rgb
    whole.thumbnail((canvas.SIZE, canvas.SIZE), Image.Resampling.NEAREST)
    if file:
        return to_tensor(whole)
    if begin == "empty":
        return to_tensor(Image.new("RGB", whole.size, ImageColor.getrgb(colors[0])))
    if begin == "example" and name in styles.list_maps():
        return to_tensor(styles.load_doodle(name, canvas.SIZE))
    return to_tensor(whole)


def _dip(map_path: str | None, event: gr.EventData) -> Any:
    """A click on a color."""
    colors = stylize.map_colors(to_tensor(opened(map_path))) if map_path else []
    number = int(inputs.number(event, "number"))
    if not 0 <= number < len(colors):
        return gr.skip()
    return gr.ImageEditor(brush=canvas.brush(colors, colors[number], 1.0))


def create_tab(run: Run | None = None, load: Load | None = None) -> DoodleBench:
    """Lay the tab out and wire it; to be called inside a `gr.Tab`. See `DoodleBench`."""
    return DoodleBench(TASKS["doodle"], run, load)
