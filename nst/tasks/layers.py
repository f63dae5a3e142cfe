"""Show what each layer of the encoder keeps: of a photo's content, and of a style."""

from __future__ import annotations

from dataclasses import replace

from nst.stylize import GRID_LAYERS, layer_grid
from nst.tasks.result import Layout
from nst.tasks.style_transfer import PAINTING, PHOTO
from nst.tasks.task import Panel, Task

GRID = Layout(tuple(f"{layer}, {what}" for what in ("photo", "style") for layer in GRID_LAYERS), len(GRID_LAYERS))

TASK = Task(
    "layers",
    layer_grid,
    (layer_grid,),
    (PHOTO, replace(PAINTING, most=1)),
    caption="What the layers of a network keep of {content} and of {style}",
    example="photo.jpg --style waves -o layers.png",
    panel=Panel(
        "What layers keep",
        "layers",
        home="Explore",
        verb="Survey",
        hint="Above, the photo as each layer knows it; below, the style from the first layers up to each.",
        main=(("preset", "size"),),
        more=("seed", "num_steps", "style_loss", "pooling", "encoder", "device"),
        compares=False,
        captions=True,
        traces=False,
        continues=False,
    ),
    layout=lambda settings: GRID,
    shape=lambda shape, settings: (1, 1) if shape else None,
    times=lambda settings: len(GRID.titles),
)
