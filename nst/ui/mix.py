"""The tab Mix: several styles in one picture, everywhere or in regions of their own, or on a path between two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from torch import Tensor

from nst import stylize
from nst.images import resize, save, to_pil
from nst.optimize import Step
from nst.server import inputs, limits, tempfiles
from nst.tasks import TASKS
from nst.tasks.recipe import UNNAMED
from nst.ui import canvas, pictures, settings
from nst.ui.events import QUICK, TELLING, as_message
from nst.ui.markup import small_print
from nst.ui.painting import Load, Order, Run
from nst.ui.result_panel import Updates, Values
from nst.ui.task_tab import Workbench

STYLES, AT_FIRST = 4, 2
"""How many styles there can be, and how many are in sight at first."""

DEFAULTS = (pictures.DEFAULT["style"], pictures.SECOND_STYLE, None, None)
"""What the slots begin with."""

COLORS = ["#2f44c8", "#e0442e", "#139a5b", "#f5a800", "#14161f"]
"""Of the brushes: one for each style, and one for what is left untouched."""

EVERYWHERE, REGIONS = "everywhere", "regions"
WEIGHT = 50
"""What the weight of a style begins with, from 0 to 100."""

ABOUT_REGIONS = (
    "What you leave unpainted goes to the styles without a region of their own, or else to the first one. Regions stay "
    "on this page: links and files do not hold them."
)


class MixTab(Workbench):
    """See `nst.ui.task_tab.Workbench`."""

    def lay_out_inputs(self) -> None:
        with gr.Column(elem_classes="card wide-slot"):
            self.slots.append(pictures.slot("content", "Photo", self.id("content")))
        with gr.Column(elem_classes="card"):
            self.columns_of_styles = []
            for first in range(0, STYLES, 2):
                with gr.Row(elem_classes="styles"):
                    self.columns_of_styles += [self._lay_out_style(i) for i in (first, first + 1)]
            self.add = gr.Button("Add a style", size="sm", elem_id=self.id("add"))
        with gr.Column(elem_classes="card"):
            self._lay_out_regions()
        with gr.Column(elem_classes="card"):
            self.controls = settings.main_controls(self.task)
            self.lay_out_more()

    def _lay_out_style(self, i: int) -> gr.Column:
        role, default = f"style-{i + 1}" if i else "style", DEFAULTS[i]
        with gr.Column(min_width=140, visible=i < AT_FIRST) as column:
            self.slots.append(
                pictures.slot(role, f"Style {i + 1}", self.id(role), kind="style", default=default, needed=False)
            )
            for name, title, slider in (("weight", "How much", (0, 100, WEIGHT)), ("scale", "Brush size", (0.1, 4, 1))):
                self.extra[f"{name}-{i + 1}"] = gr.Slider(
                    *slider, label=title, step=1 if name == "weight" else 0.05, elem_id=self.id(f"{name}-{i + 1}")
                )
        return column

    def _lay_out_regions(self) -> None:
        self.extra["sharing"] = gr.Radio(
            [("Everywhere", EVERYWHERE), ("In painted regions", REGIONS)],
            value=EVERYWHERE,
            elem_classes="segments",
            label="How the styles share the picture",
            elem_id=self.id("sharing"),
        )
        with gr.Column(visible=False) as self.regions:
            self.palette = canvas.palette(self.id("palette"))
            self.extra["layers"] = canvas.canvas("Regions", self.id("canvas"), COLORS)
            self.extra["softness"] = gr.Slider(
                0,
                10,
                1,
                step=0.5,
                label="Soft edges",
                info="How far a region fades, in percent of the picture.",
                elem_id=self.id("softness"),
            )
            small_print(ABOUT_REGIONS)
            with gr.Accordion("Masks from files", open=False, elem_id=self.id("masks"), elem_classes="more-box masks"):
                small_print("White where it goes. A file takes the place of what is painted.")
                with gr.Row():
                    for i, title in enumerate([*(f"Style {n + 1}" for n in range(STYLES)), "Untouched"]):
                        self.extra[f"mask-{i + 1}"] = pictures.picture_input(title, "style", self.id(f"mask-{i + 1}"))

    # What is asked for

    def times(self, asked: dict[str, Any]) -> float:
        return 1.0  # a path is told of by its own button

    @property
    def sliders(self) -> dict[str, Component]:
        """Those of weight and brush size."""
        return {name: part for name, part in self.extra.items() if name.startswith(("weight", "scale"))}

    @property
    def kept(self) -> dict[str, Component]:
        return super().kept | self.sliders

    def put_back(self, values: Mapping[str, Any]) -> Updates:
        updates = super().put_back(values)
        for name, slider in self.sliders.items():
            if isinstance(value := values.get(name), int | float) and value == value:
                updates[slider] = min(max(value, slider.minimum), slider.maximum)  # type: ignore[attr-defined]
        return updates

    @property
    def restored_parts(self) -> list[Component]:
        return [*super().restored_parts, *self.sliders.values()]

    def order(self, values: Values) -> Order:
        order = self._mixed(values)
        del order.settings["pictures"]
        extra = self._extra(values)
        if extra["sharing"] == REGIONS:
            order.extras.update(self._masks(extra, [values[slot.picture] for slot in self.slots[1:]]))
        return order

    def order_also(self, values: Values) -> Order:
        """A path from the first style to the second."""
        mixed, extra = self._mixed(values), self._extra(values)
        styles, names = mixed.pictures["style"][:2], mixed.names["style"][:2]
        if len(styles) < 2:
            raise ValueError("A path leads from one style to another: choose two.")
        if extra["sharing"] == REGIONS:
            raise ValueError("On a path the styles are mixed everywhere: choose so, and press again.")
        asked = {name: value for name, value in mixed.settings.items() if name != "style_weights"}
        asked["style_scale"] = asked["style_scale"][:2]
        pictures, names = mixed.pictures | {"style": styles}, mixed.names | {"style": names}
        return Order(asked, pictures, task="mix", names=names, layout=self.task.layout(asked), continues=False)

    def _extra(self, values: Values) -> dict[str, Any]:
        return {name: values[part] for name, part in self.extra.items()}

    def _mixed(self, values: Values) -> Order:
        """Several styles, all over the picture, and how many pictures a path has."""
        (content, *styles), (photo, *manners), asked = self.read(values)
        extra = self._extra(values)
        given = [i for i, path in enumerate(styles) if path]
        if not given:
            raise ValueError("Choose a style first: drop one, or take an example.")
        weights = [float(extra[f"weight-{i + 1}"]) for i in given]
        if not any(weights):
            raise ValueError("All styles have the weight 0: give more to one of them.")
        asked["style_weights"], asked["style_scale"] = weights, [float(extra[f"scale-{i + 1}"]) for i in given]
        asked.setdefault("pictures", self.task.defaults["pictures"])
        return Order(
            asked,
            {"content": str(content), "style": [str(styles[i]) for i in given]},
            names={"content": photo, "style": [manners[i] or UNNAMED for i in given]},
        )

    def _masks(self, extra: dict[str, Any], styles: list[Any]) -> dict[str, Any]:
        """Which style goes where, as arguments of `nst.stylize.style_transfer`."""
        layers, softness = canvas.checked(extra["layers"]), float(extra["softness"]) / 100
        painted = stylize.painted_masks(layers, COLORS, softness, canvas.OPACITY)
        files = [extra[f"mask-{i + 1}"] for i in range(len(COLORS))]
        *masks, keep = [Path(file) if file else _kept(mask) for file, mask in zip(files, painted, strict=True)]
        masks = [mask for mask, style in zip(masks, styles, strict=True) if style]
        if keep is None and not any(mask is not None for mask in masks):
            raise ValueError("No region is painted yet: paint one with a brush, or let the styles share it everywhere.")
        if all(mask is not None for mask in masks) and len(masks) > 1:
            masks[0] = None
        return {"masks": masks, "keep": keep}

    # What is used

    def _wire_slots(self) -> None:
        super()._wire_slots()
        styles = self.slots[1:]
        for slot, column in zip(styles[AT_FIRST:], self.columns_of_styles[AT_FIRST:], strict=True):
            slot.picture.change(_reveal, slot.picture, column, **QUICK)
        in_sight = gr.State(AT_FIRST)
        self.add.click(
            _add, [in_sight, *(slot.picture for slot in styles)], [in_sight, self.add, *self.columns_of_styles], **QUICK
        )
        sharing, layers, photo = self.extra["sharing"], self.extra["layers"], self.slots[0].picture
        gr.on(
            [sharing.input, photo.change],  # type: ignore[attr-defined]
            self.show_regions,
            [sharing, photo],
            [self.regions, self.palette, layers],
            **TELLING,
        )
        self.palette.select(_dip, None, layers, **QUICK)

    def show_regions(self, sharing: str, photo: str | None) -> Updates:
        """The canvas, over this photo; or nothing."""
        if sharing != REGIONS:
            return {self.regions: gr.update(visible=False)}
        with as_message():
            under = canvas.upon(photo)
        meanings = [*(f"Style {i + 1}" for i in range(STYLES)), "Left untouched"]
        shown = canvas.palette_html(list(zip(COLORS, meanings, strict=True)))
        return {
            self.regions: gr.update(visible=True),
            self.palette: shown,
            self.extra["layers"]: gr.update(value=under, brush=canvas.brush(COLORS, COLORS[0]), visible=True),
        }

    def set(self, asked: dict[str, Any]) -> Updates:
        weights, scales = asked.get("style_weights") or [], asked.get("style_scale") or 1.0
        scales = scales if isinstance(scales, list) else [scales] * STYLES
        most = max(weights, default=0) if max(weights, default=0) > 100 else 100
        told = {f"weight-{i}": 100 * weight / most for i, weight in enumerate(weights[:STYLES], 1)}
        told |= {f"scale-{i}": scale for i, scale in enumerate(scales[:STYLES], 1)}
        defaults = {name: WEIGHT if name.startswith("weight") else 1.0 for name in self.sliders}
        return super().set(asked) | {self.extra[name]: value for name, value in (defaults | told).items()}


def _kept(mask: Tensor | None) -> Path | None:
    """A painted mask as a file: a session holds no pictures."""
    return None if mask is None else save(tempfiles.new_file("mask.png"), to_pil(mask.expand(-1, 3, -1, -1)))


def _dip(event: gr.EventData) -> Any:
    """A click on a color."""
    number = int(inputs.number(event, "number"))
    return gr.ImageEditor(brush=canvas.brush(COLORS, COLORS[number if 0 <= number < len(COLORS) else 0]))


def _reveal(path: str | None) -> Any:
    """Show what has a picture in it."""
    return gr.update(visible=True) if path else gr.skip()


def _add(in_sight: int, *paths: str | None) -> list[Any]:
    """One more style."""
    filled = max((i + 1 for i, path in enumerate(paths) if path), default=0)
    now = min(max(in_sight, filled) + 1, STYLES)
    return [now, gr.update(visible=now < STYLES), *(gr.update(visible=i < now) for i in range(STYLES))]


def paint(content: Tensor, styles: list[Tensor], **given: Any) -> Iterator[Step]:
    """`style_transfer`, or `mix_path` where a number of pictures is given; painted masks are fitted to the photo."""
    if "pictures" in given:
        return TASKS["mix"].run(content, styles, **given)
    if given.get("masks"):
        given["masks"] = [_fitted(mask, content) for mask in given["masks"]]
    if given.get("keep") is not None:
        given["keep"] = _fitted(given["keep"], content)
    return stylize.style_transfer(content, styles, **given)


def _fitted(mask: Tensor | None, content: Tensor) -> Tensor | None:
    """A mask of the content's proportions at its size; one of others is left, so that the run tells of it."""
    if mask is None:
        return None
    tall, wide = content.shape[-2:]
    alike = abs(mask.shape[-2] / mask.shape[-1] * wide / tall - 1) < 0.01
    return resize(mask, (tall, wide)) if alike else mask


def create_tab(run: Run | None = None, load: Load | None = None) -> MixTab:
    """Lay the tab out and wire it; to be called inside a `gr.Tab`. See `MixTab`."""
    return MixTab(TASKS["mix"], run or limits.limited(paint, "mix"), load)
