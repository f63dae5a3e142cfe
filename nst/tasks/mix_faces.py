"""Mix two faces that never existed: each with one level of the other's style."""

from __future__ import annotations

from nst.faces import LEVELS, mix_faces
from nst.registry import load_model
from nst.tasks.faces import FACE_ROWS
from nst.tasks.result import Layout
from nst.tasks.task import Panel, Task

PAIR = Layout(
    (
        "first",
        *(f"first, {level} of the second" for level in LEVELS),
        "second",
        *(f"second, {level} of the first" for level in LEVELS),
    ),
    columns=1 + len(LEVELS),
)

TASK = Task(
    "mix_faces",
    mix_faces,
    (mix_faces,),
    (),
    caption="Two faces that never existed, mixed",
    example="--first 3 --second 8 -o mixed.png",
    rows=FACE_ROWS,
    panel=Panel(
        "Mix two",
        "mix-faces",
        home="Faces",
        verb="Mix",
        hint="Coarse is light, colors and pose, middle the features, fine the details.",
        slots=(),
        main=(("first", "second"), ("truncation",)),
        compares=False,
        traces=False,
        continues=False,
    ),
    layout=lambda settings: PAIR,
    optimizes=False,
    load=load_model,
)
