"""The tab Horse → Zebra: a picture of one kind through a network that makes it one of another kind, and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from nst import styles, translate
from nst.images import save
from nst.server import tempfiles
from nst.tasks import TASKS
from nst.ui import pictures, settings
from nst.ui.events import TELLING, as_message
from nst.ui.markup import html, prose
from nst.ui.painting import Order, Run
from nst.ui.pictures import Choice
from nst.ui.result_panel import Updates, Values
from nst.ui.task_tab import Workbench

BEGINNING = "photo2vangogh"
"""The direction that the tab opens with."""

ABOUT = """**Horse → zebra** learned from another network, stage by stage, what that one draws; and that in turn
learned from photos of horses and of zebras that do not belong together (CycleGAN). It gives stripes to brown animals,
and leaves the meadow alone, which its teacher darkens. Grey horses get few, dogs may get some, and so may bare arms.
A horse should be seen whole: a head alone stays brown. There is no horse among the examples that lie here; the button
above fetches one.

**Photo → Van Gogh**, and back, was trained here from five of his paintings and 4,000 photos, for twenty minutes.
What **There and back** shows is what the pair is trained for: that the photo can be told from its painting again. The
number is how far off it is.

**Horse → zebra, large**, and its way back are the networks of the CycleGAN paper's size. They are not part of Pastiche:
the first press fetches both from the Hugging Face Hub (kerls/cyclegan-horsetozebra, 91 MB). Under which terms they may
be used is not stated there."""


class TranslateTab(Workbench):
    """See `nst.ui.task_tab.Workbench`; its run is one step long."""

    def lay_out_inputs(self) -> None:
        with gr.Column(elem_classes="card"):
            self.slots.append(pictures.slot("content", "Photo", self.id("content")))
            self.horse = gr.Button("Fetch a photo of a horse", size="sm", elem_id=self.id("horse"))
        with gr.Column(elem_classes="card"):
            self.controls = settings.main_controls(self.task)
            with gr.Accordion("What these networks are", open=False, elem_id=self.id("about"), elem_classes="more-box"):
                html(prose(ABOUT))

    def order(self, values: Values) -> Order:
        (content,), (photo,), asked = self.read(values)
        asked["model"], asked["direction"] = _told(asked.get("direction"))
        return self.ordered(asked, {"content": str(content)}, {"content": photo})

    def order_also(self, values: Values) -> Order:
        """The photo, what becomes of it, and that translated back where the network knows the way, side by side."""
        plain = self.order(values)
        if not translate.comes_back(plain.settings["model"]):
            gr.Warning("This network knows only the way there. Photo → Van Gogh and Horse → zebra, large, come back.")
        return replace(plain, layout=replace(plain.layout, main=None))

    def _wire_slots(self) -> None:
        super()._wire_slots()
        self.horse.click(self.fetch_horse, None, self.slots[0].parts, **TELLING)

    def fetch_horse(self) -> Updates:
        """Press on the button; what is wrong is told."""
        with as_message():
            path = save(tempfiles.new_file("horse.jpg"), styles.open_horse())
        gr.Info(f"{styles.HORSE.title}, by the {styles.HORSE.author} ({styles.HORSE.license}).")
        return self.slots[0].filled(Choice(str(path)))

    def open_page(self, opened: bool, told: str | None, request: gr.Request) -> Updates:
        """Begin with what every photo is good for, where no link asks for something else: no horse is here."""
        page = super().open_page(opened, told, request)
        if not opened and not {"direction", "model", "task", "remix"} & set(request.query_params):
            page |= {self.controls["direction"]: BEGINNING}
        return page

    def set(self, asked: dict[str, Any]) -> Updates:
        """The controls; a link that names a model alone asks for its first direction."""
        ways = translate.directions_of_all().get(asked.get("model") or translate.MODEL, (None,))
        return super().set(asked | {"direction": asked.get("direction") or ways[0]})


def _told(direction: str | None) -> tuple[str, str]:
    """The model that knows a direction, and the direction; what comes first for None."""
    known = translate.model_of_each()
    if direction in known:
        return known[direction], direction
    return translate.MODEL, translate.directions_of_all()[translate.MODEL][0]


def create_tab(run: Run | None = None) -> TranslateTab:
    """Lay the tab out and wire it; to be called inside a `gr.Tab`. See `TranslateTab`."""
    return TranslateTab(TASKS["translate"], run)
