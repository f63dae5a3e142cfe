"""Show what each layer of the encoder keeps: of a photo's content, and of a style."""

from __future__ import annotations

from dataclasses import replace

from nst.stylize import GRID_LAYERS, layer_grid
from nst.tasks.result import Layout
from nst.tasks.style_transfer import COMPARED, OPTIMIZED, PAINTING, PHOTO
from nst.tasks.task import Panel, Task

SEEN = ("edges and colors", "fine texture", "patterns", "parts of things", "whole things")
"""What the five layers are sensitive to, in plain words."""

GRID = Layout(
    tuple(
        f"{of}: {seen} ({layer})" for of in ("Photo", "Style") for seen, layer in zip(SEEN, GRID_LAYERS, strict=True)
    ),
    len(GRID_LAYERS),
)

TASK = Task(
    "layers",
    layer_grid,
    (PHOTO, replace(PAINTING, most=1)),
    caption="What the layers of a network keep of {content} and of {style}",
    example="photo.jpg --style waves -o layers.png",
    panel=Panel(
        "What layers keep",
        home="Lab",
        line="What each layer of the network keeps of a photo and of a style.",
        verb="Survey",
        hint="Above, the photo as each layer knows it; below, the style from the first layers up to each.",
        main=(("preset", "size"),),
        more=("seed", *OPTIMIZED[:2], *COMPARED, "device"),
        compares=False,
        scored=False,
        traces=False,
        first=("layers.webp",),
        told="Found by Pastiche: what is left of a photo and of a style, layer by layer.",
    ),
    layout=lambda settings: GRID,
    shape=lambda shape, settings: (1, 1) if shape else None,
    times=lambda settings: len(GRID.titles),
)
