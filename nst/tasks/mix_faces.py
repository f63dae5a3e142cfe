"""Mix two faces that never existed: each with one level of the other's style."""

from __future__ import annotations

from nst.faces import mix_faces
from nst.tasks.faces import FACE_ROWS
from nst.tasks.result import Layout
from nst.tasks.task import Panel, Task

TRAITS = ("pose and light", "features", "fine traits")  # what the levels of `nst.faces.LEVELS` hold, in words

PAIR = Layout(
    (
        "The first face",
        *(f"The first, with {traits} of the second" for traits in TRAITS),
        "The second face",
        *(f"The second, with {traits} of the first" for traits in TRAITS),
    ),
    columns=1 + len(TRAITS),
)

TASK = Task(
    "mix_faces",
    mix_faces,
    (),
    caption="Two faces that never existed, mixed",
    example="--first 3 --second 8 -o mixed.png",
    rows=FACE_ROWS,
    panel=Panel(
        "Mix two",
        home="Faces",
        verb="Mix",
        hint="Each face comes out with the pose, the features or the fine traits of the other.",
        main=(("first", "second"), ("truncation",)),
        compares=False,
        first=("faces/mixed.webp",),
        told="Drawn by Pastiche: two faces, and each with the other's traits.",
    ),
    layout=lambda settings: PAIR,
)
