"""Paint a doodle: each of its colors stands for a thing in the style, and is painted as that is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nst import styles
from nst.images import to_tensor
from nst.stylize import DEARER, doodle, propose_map
from nst.tasks.style_transfer import COMPARED, OPTIMIZED, PAINTING
from nst.tasks.task import MAP, Extra, Input, Panel, Task, Values


def with_map(inputs: dict[str, Any], names: Values, settings: dict[str, Any]) -> None:
    """A style without a map gets its own, where it comes with one, or one proposed by color."""
    if inputs.get("style_map") is None:
        name = names.get("style")
        own = to_tensor(styles.load_map(str(name))) if name in styles.list_maps() else None
        inputs["style_map"] = propose_map(inputs["style"]) if own is None else own


TASK = Task(
    "doodle",
    doodle,
    (
        Input("content", MAP, "Doodle", "a picture in the colors of the style's map", least=0),
        replace(PAINTING, title="Painting", most=1),
        Input(
            "style_map",
            MAP,
            "Its map",
            "what is where in the style, a flat color for each thing; left out is the map that a style comes with, or "
            "one proposed by color",
            "map",
            0,
        ),
    ),
    caption="A doodle in the manner of {style}",
    example="drawn.png --style night -o lake.png",
    panel=Panel(
        "Doodle",
        line="Draw patches of color; each is painted as what it stands for.",
        hint="It paints what is drawn, in the manner of the painting.",
        main=(("preset", "size"), ("style_scale",)),
        more=("tv_weight", "semantic_weight", "init", "seed", *OPTIMIZED, *COMPARED, "patch_size", "device"),
        first=("doodle.webp", "first-doodle.webp"),
        told="Painted by Pastiche: a doodle, and what became of it. Drag the line.",
    ),
    prepare=with_map,
    times=lambda settings: DEARER,
    extras=(
        Extra(
            "write-map", "write the style's map, to take the colors from", of_inputs=lambda inputs: inputs["style_map"]
        ),
    ),
)
