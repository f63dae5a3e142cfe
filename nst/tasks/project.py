"""Find the face that never existed which comes nearest to a photo."""

from __future__ import annotations

from dataclasses import replace

from nst.faces import project
from nst.tasks.faces import FACE_ROWS
from nst.tasks.style_transfer import PHOTO
from nst.tasks.task import Panel, Task

TASK = Task(
    "project",
    project,
    (replace(PHOTO, title="Face", default="portrait"),),
    caption="The face that never existed nearest to {content}",
    example="portrait.jpg -o found.png",
    rows=FACE_ROWS,
    panel=Panel(
        "Project",
        home="Faces",
        verb="Find it",
        hint="The network's own face that is most like the photo, step by step from the mean face.",
        main=(("num_steps", "pixel_weight"),),
        first=("faces/photo.webp", "faces/found.webp"),
        told="Found by Pastiche: the face that its network comes nearest with. Drag the line.",
    ),
)
