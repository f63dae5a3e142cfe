"""Make a texture of any size from a style, or from several mixed, seamless or not."""

from __future__ import annotations

from dataclasses import replace

from nst.losses import StyleOptions
from nst.stylize import texture
from nst.tasks.style_transfer import COMPARED, OPTIMIZED, PAINTING
from nst.tasks.task import Panel, Task

TASK = Task(
    "texture",
    texture,
    (replace(PAINTING, option=""),),
    caption="A texture of {style}",
    example="painting.jpg -o tile.png --width 512 --height 512 --seamless",
    functions=(texture, StyleOptions),
    without=frozenset({"semantic_weight"}),
    panel=Panel(
        "Texture",
        home="Lab",
        line="A style alone, woven to any size.",
        verb="Weave",
        main=(("width", "height"), ("seamless",), ("style_scale",), ("preset",)),
        more=("tv_weight", "seed", *OPTIMIZED, *COMPARED, "style_layers", "style_layer_weights", "device"),
        compares=False,
        tiles=True,
        first=("texture.jpg",),
        told="Woven by Pastiche from one of its styles.",
    ),
    shape=lambda shape, settings: (settings["height"], settings["width"]) if shape else None,
)
