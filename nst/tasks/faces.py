"""Make faces that never existed, in rows. A face has a number, and is always the same for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from nst.faces import ROWS, face_grid, sample_faces
from nst.registry import list_models
from nst.tasks.result import ONE, Layout
from nst.tasks.task import Panel, Task, Values

WORDS = {"faces": "Ours, 128 pixels", "faces_1024": "PGGAN, 1,024 pixels"}


def generators() -> Mapping[str, str]:
    """The generators of faces, and what each is called."""
    return {entry.name: WORDS.get(entry.name, entry.name.capitalize()) for entry in list_models("faces")}


FACE_ROWS = {**ROWS, "model": replace(ROWS["model"], listed=generators)}


def numbered(settings: Values) -> Layout:
    """A face with each number, or variations of one."""
    count, seed, like = settings["count"], settings["seed"], settings["like"]
    if count == 1:
        return ONE
    titles = [f"Face {seed + i}" for i in range(count)]
    if like is not None:
        titles = [f"Face {like}", *(f"Like {like}, {i}" for i in range(1, count))]
    return Layout(tuple(titles), math.ceil(math.sqrt(count)))


TASK = Task(
    "faces",
    face_grid,
    (),
    caption="Faces that never existed",
    example="--seed 3 --count 25 --truncation 0.7 -o grid.png",
    rows=FACE_ROWS,
    functions=(sample_faces, face_grid),
    panel=Panel(
        "Sample",
        home="Faces",
        verb="Sample",
        also="Next faces",
        hint="A face has a number, and is always the same for it.",
        main=(("seed", "count"), ("truncation",), ("like", "likeness"), ("model",)),
        compares=False,
        several="One by one",
        first=("faces/sample.webp",),
        told="Drawn by Pastiche: twelve people who do not exist.",
    ),
    layout=numbered,
)
