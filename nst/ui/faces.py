"""The tab Faces: faces that never existed, two of them mixed, a film between them, a photo among them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from nst import faces
from nst.images import save
from nst.server import inputs, tempfiles
from nst.settings import LAST, SETTINGS
from nst.tasks import TASKS
from nst.ui import markup, pictures, settings, tabs
from nst.ui.events import TELLING, as_message, refusal
from nst.ui.painting import Order, Painting, Run, View
from nst.ui.result_panel import Updates, Values
from nst.ui.task_tab import Workbench
from nst.ui.viewer import Sheet

MOST = 64
"""Faces in one grid here."""

LARGE, SEVERAL = {"faces_1024": 1024}, 4
"""Networks whose faces are as many pixels a side, and how many of those in one grid."""

LINE = "<p>People who do not exist, drawn by a small network; for research, not for commercial use.</p>"

ABOUT = """These people do not exist. A small style-based network (StyleGAN) draws them, 128 pixels a side. It was
trained here, in seven minutes of a GPU, with 9,500 photos of faces (UTKFace): for **research, non-commercial use**
only, as its photos are. It knows what they have, in the shares they have it, and says nothing about any person. A
larger network, with 1,024 pixels a side (huggan/pggan-celebahq-1024, Apache 2.0; its photos, CelebA-HQ, are for
research alone), can be chosen when faces are sampled; it is fetched from the Hugging Face Hub then, 92 MB."""

STAGES = """From the left to the right, the same eight faces while a network learned, a smaller one than that which
draws here: first at 32 pixels, from noise; then 64 pixels are faded in, and details settle."""


def order_of(asked: dict[str, Any]) -> Order:
    """The order of a sheet of faces with these settings; raises ValueError if they are too many."""
    whole = TASKS["faces"].defaults | asked
    count = whole["count"]
    side = LARGE.get(whole["model"])
    if count > (SEVERAL if side else MOST):
        most = f"{SEVERAL} faces of {side:,} pixels" if side else f"{MOST} faces"
        raise ValueError(f"At most {most} at once here; the command line draws up to {SETTINGS['count'].high:g}.")
    asked = asked | {"size": side} if side else asked
    return Order(asked, {}, task="faces", layout=TASKS["faces"].layout(whole | asked), continues=False)


class SampleBench(Workbench):
    """Faces in rows, each with its number; see `nst.ui.task_tab.Workbench`."""

    def lay_out_result(self) -> None:
        super().lay_out_result()
        self.chosen = gr.State(None)
        with gr.Row(elem_classes="actions"):
            self.alike = gr.Button(
                "More like the chosen one", elem_id=self.id("alike"), elem_classes="brings", size="md"
            )
        self.shown += [self.controls["seed"], self.controls["like"], self.chosen]

    def order(self, values: Values) -> Order:
        return order_of(self.read(values)[2])

    @as_message()
    def begin_also(self, before: Painting | None, values: Values) -> Updates:
        """Press on Next faces."""
        asked = self.read(values)[2]
        whole = self.task.defaults | asked
        seed = min(whole["seed"] + whole["count"], LAST - MOST)
        asked = {name: value for name, value in asked.items() if name != "like"} | {"seed": seed}
        updates = self.prepared(Painting(order_of(asked)), before)
        return updates | {self.controls["seed"]: seed, self.controls["like"]: None}

    @as_message()
    def begin_alike(self, before: Painting | None, chosen: int | None, values: Values) -> Updates:
        """Press on More like the chosen one."""
        if before is None or chosen is None:
            raise refusal("Choose a face first: click on one.")
        whole = self.task.defaults | before.order.settings
        if whole["like"] is not None and chosen:
            raise refusal("That one is a variation, and has no number of its own; choose one with a number.")
        number = whole["like"] if whole["like"] is not None else whole["seed"] + chosen
        asked = self.read(values)[2] | {"like": number}
        return self.prepared(Painting(order_of(asked)), before) | {self.controls["like"]: number}

    def prepared(self, painting: Painting, before: Painting | None = None) -> Updates:
        return super().prepared(painting, before) | {self.chosen: None}

    def updates(self, view: View, *, seen: bool = False) -> Updates:
        sheet = view.get("snapshots")
        view = view | {"snapshots": replace(sheet, chosen=-1)} if isinstance(sheet, Sheet) else view
        return super().updates(view, seen=seen)

    def choose(self, event: gr.EventData) -> int:
        """A click on a face: its place."""
        return max(0, int(inputs.number(event, "number")))

    def _wire_run(self) -> None:
        super()._wire_run()
        self.snapshots.select(self.choose, None, self.chosen, **TELLING)
        self.paints(self.alike.click, self.begin_alike, self.chosen)


class MorphBench(Workbench):
    """A film from each face to the next; see `nst.ui.task_tab.Workbench`."""

    def order(self, values: Values) -> Order:
        _, _, asked = self.read(values)
        frames = (self.task.defaults | asked)["frames"]
        if len((self.task.defaults | asked)["faces"]) < 2:
            raise ValueError("A film needs at least two faces: give their numbers, as in 3, 8, 21.")
        if frames > 240:
            raise ValueError("At most 240 pictures here; the command line makes longer films.")
        return self.ordered(asked, {}, {})


class ProjectBench(Workbench):
    """The face that comes nearest to a photo; see `nst.ui.task_tab.Workbench`."""

    def lay_out_inputs(self) -> None:
        told = "The face should fill the middle square, from the forehead to the chin, and look ahead."
        with gr.Column(elem_classes="card"):
            self.slots.append(pictures.slot_of(self.task.input("content"), self.id("content")))
            markup.small_print(told)
        with gr.Column(elem_classes="card"):
            self.controls |= settings.main_controls(self.task)

    def order(self, values: Values) -> Order:
        (content,), (photo,), asked = self.read(values)
        image = pictures.opened(str(content)).rgb
        short = min(image.size)
        left, top = (image.width - short) // 2, (image.height - short) // 2
        square = save(tempfiles.new_file("face.png"), image.crop((left, top, left + short, top + short)))
        return self.ordered(asked, {"content": str(square)}, {"content": photo})


SPECIAL: dict[str, type[Workbench]] = {"faces": SampleBench, "morph": MorphBench, "project": ProjectBench}
"""The benches that do more than their task says."""


def create_tab(run: Run | None = None) -> list[Workbench]:
    """Lay the tab out and wire it; to be called inside a `gr.Tab`. Each bench stands in a tab of its own."""
    markup.html(LINE, classes="line")
    bar, made = tabs.inner(
        "Faces",
        "faces-tabs",
        lambda task: SPECIAL.get(task.name, Workbench)(task, run, None if task.name == "faces" else _nothing),
    )
    with bar, gr.Tab("How it learned", id="learned"), gr.Column(elem_classes="card prose"):
        markup.html(markup.prose(ABOUT), "faces-about")
        markup.html(_strip(), "faces-strip")
    return made


def _nothing(*_: object, **__: object) -> None:
    """Nothing is to be fetched."""


def _strip() -> str:
    """The same latents through the training."""
    if not faces.STRIP.is_file():
        return f"<p>{STAGES}</p>"
    alt = "Eight faces, one a row, at several moments of the training, from the left to the right"
    strip = markup.webp(faces.STRIP.read_bytes())
    return f'<p>{STAGES}</p><img src="{strip}" alt="{alt}" style="width:640px;max-width:100%">'
