"""Paint a photo with its own colors kept in every way there is, side by side; or only take the style's colors."""

from __future__ import annotations

from dataclasses import replace

from nst.color import COLOR_MODES
from nst.settings import SETTINGS
from nst.stylize import color_modes
from nst.tasks.result import Layout
from nst.tasks.style_transfer import COMPARED, LAYERS, LUT, MOMENT, OPTIMIZED, PAINTED_BY, PAINTING, PHOTO
from nst.tasks.task import Panel, Task, Values

MODES = Layout(("The photo", *SETTINGS["preserve_color"].choices.values()), columns=3)

PHOTOREAL = Layout(("The photo", "One change for the whole", "A change for each region"), columns=3, table=True)


def runs(settings: Values) -> float:
    """How many plain runs such settings amount to."""
    if settings["photoreal"]:
        return MOMENT
    return len(COLOR_MODES) if settings["color_when"] == "before" else 1.0


TASK = Task(
    "colors",
    color_modes,
    (PHOTO, replace(PAINTING, most=1)),
    example="photo.jpg --style waves -o colors.png",
    without=frozenset({"preserve_color"}),
    functions=(*PAINTED_BY, color_modes),
    panel=Panel(
        "Color",
        "color",
        line="Keep the colors of your photo, in every way there is; or take only the style's.",
        hint="One press paints with the photo's colors kept in every way there is.",
        main=(("strength", "photoreal"), ("preset", "size"), ("color_when", "style_scale")),
        more=("tv_weight", "init", "seed", *OPTIMIZED, *COMPARED, *LAYERS, "device"),
        compares=False,
        continues=False,
        first=("first-colors.webp",),
        told="Painted by Pastiche: a photo, and its colors kept in every way there is.",
    ),
    layout=lambda settings: PHOTOREAL if settings["photoreal"] else MODES,
    times=runs,
    extras=(LUT,),
)
