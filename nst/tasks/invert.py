"""Show what a layer of the encoder knows of a picture: others, from noise, that look the same to it."""

from __future__ import annotations

from nst.stylize import invert
from nst.tasks.result import ONE, Layout
from nst.tasks.style_transfer import OPTIMIZED, PHOTO, SMOOTHNESS
from nst.tasks.task import Panel, Task, Values


def starts(settings: Values) -> Layout:
    """A picture for each start."""
    count = settings["starts"]
    return Layout(tuple(f"Start {i}" for i in range(1, count + 1)), columns=count) if count > 1 else ONE


TASK = Task(
    "invert",
    invert,
    (PHOTO,),
    caption="What a network sees in {content}",
    example="photo.jpg --layer relu4_1 --starts 3 -o known.png",
    panel=Panel(
        "Inversion",
        home="Lab",
        line="Pictures that look the same to a layer of the network.",
        verb="Invert",
        hint="From noise it finds a picture that this layer takes for the photo.",
        main=(("layer", "starts"), ("preset", "size")),
        more=(*SMOOTHNESS, "seed", *OPTIMIZED, "pooling", "device"),
        compares=False,
        several="From each start",
        first=("inversions.webp",),
        told="Found by Pastiche: what layers take for a photo.",
    ),
    layout=starts,
    times=lambda settings: float(settings["starts"]),
)
