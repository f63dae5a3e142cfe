"""Paint a photo, or a folder of photos, in the manner of a painting, or of several."""

from __future__ import annotations

from typing import Any

from nst.losses import STATISTICS, STYLE_LOSSES, StyleOptions
from nst.settings.setting import split
from nst.stylize import color_table, style_transfer
from nst.stylize.transfer import one_style
from nst.tasks.result import Layout
from nst.tasks.task import CONTENT, MANY, MAP, MASK, REST, STYLE, Extra, Input, Panel, Task, Values

BY_MEANING = "patches+histogram"
"""The style loss where there are maps: the first heeds them, the second keeps their colors from paling."""

PHOTO = Input("content", CONTENT, "Photo", default="coffee")
PAINTING = Input(
    "style", STYLE, "Style", "a picture, or a name that `styles` lists", option="style", most=MANY, default="night"
)
EACH = f"once for each --style; '{REST}'"
MAPS = (
    "a map of what is where in the content, then one for each style, a color for each meaning; the style loss is then "
    f"{BY_MEANING}, or patches beside what --loss says"
)
REGIONS = (
    Input("masks", MASK, "Mask", f"white where this style goes, {EACH} for all that the others leave", "mask", 0, MANY),
    Input(
        "style_masks",
        MASK,
        "Style mask",
        f"white where this style may be taken, {EACH} for all of it",
        "style-mask",
        0,
        MANY,
    ),
    Input("keep", MASK, "Untouched", "white where the photo is left untouched", "keep", 0),
    Input("care", MASK, "Care", "white where the photo is kept best; else faces, and what stands out", "care", 0),
    Input("content_map", MAP, "Map of the photo", MAPS, "semantic", 0),
    Input("style_map", MAP, "Map of the style", MAPS, "semantic", 0, MANY),
)


def by_meaning(inputs: dict[str, Any], names: Values, settings: dict[str, Any]) -> None:
    """Maps of meaning are heeded by patches."""
    if inputs.get("content_map") is not None:
        asked = settings.get("style_loss")
        heeding = [kind for kind in STYLE_LOSSES if STATISTICS[kind].matches]
        if not set(heeding) & set(split(asked)):
            settings["style_loss"] = f"{asked}+{heeding[0]}" if asked else BY_MEANING


SMOOTHNESS = ("tv_weight", "tv_exponent", "norm_weight", "norm_exponent")
OPTIMIZED = ("encoder", "num_steps", "optimizer", "learning_rate")
COMPARED, LAYERS = ("style_loss", "pooling"), ("content_layers", "style_layers")
SINGLE = ("kernel_degree", "kernel_offset", "kernel_bandwidth", "patch_size")
COLORED, BEGUN = ("color_when", "photoreal"), ("init", "seed")
OF_LAYERS, SHIFTED = ("style_layer_weights",), ("activation_shift", "correlations")
"""Settings that stand together in the closed sections of several tabs."""

LUT = Extra(
    "lut",
    "also write what becomes of colors where the style's are taken for the whole photo, as a look-up table (.cube)",
    of_inputs=lambda given: color_table(given["content"], one_style(given["style"]), given["strength"]),
    layout=Layout(table=True),
)

MOMENT = 0.05  # how many plain runs a photo-real picture amounts to, about
PAINTED_BY = (style_transfer, StyleOptions)  # what the settings of a run are the arguments of

TASK = Task(
    "style_transfer",
    style_transfer,
    (PHOTO, PAINTING, *REGIONS),
    example="photo.jpg --style painting.jpg -o result.png --preset best --size 1024",
    functions=PAINTED_BY,
    panel=Panel(
        "Optimize",
        "",
        line="The most beautiful way and the slowest: watch your photo become a painting.",
        main=(("strength", "keep_faces"), ("preset", "size"), ("preserve_color", "style_scale")),
        more=(
            *SMOOTHNESS,
            *COLORED,
            *BEGUN,
            *OPTIMIZED,
            *COMPARED,
            *LAYERS,
            *OF_LAYERS,
            *SINGLE,
            *SHIFTED,
            "device",
        ),
    ),
    prepare=by_meaning,
    times=lambda settings: MOMENT if settings["photoreal"] else 1.0,
    extras=(LUT,),
)
