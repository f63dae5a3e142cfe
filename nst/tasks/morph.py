"""Make a film from one face that never existed to the next, and back to the first."""

from __future__ import annotations

import math

from nst.faces import morph, morph_run
from nst.tasks.faces import FACE_ROWS
from nst.tasks.result import Layout
from nst.tasks.task import Panel, Task, Values

RATE = 20  # pictures a second


def film(settings: Values) -> Layout:
    """Pictures that follow each other."""
    frames = settings["frames"]
    titles = tuple(f"Picture {i}" for i in range(1, frames + 1))
    return Layout(titles, math.ceil(math.sqrt(frames)), seconds=1 / RATE, plays=True)


TASK = Task(
    "morph",
    morph_run,
    (),
    caption="From one face that never existed to the next",
    example="--faces 3 8 21 -o morph.webp",
    rows=FACE_ROWS,
    functions=(morph, morph_run),
    panel=Panel(
        "Morph",
        home="Faces",
        verb="Film",
        hint="From each face to the next, and back to the first.",
        main=(("faces",), ("frames", "truncation")),
        compares=False,
        first=("faces/morph.webp",),
        told="Drawn by Pastiche: a film from face to face.",
    ),
    layout=film,
)
