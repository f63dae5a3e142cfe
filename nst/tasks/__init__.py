"""What Pastiche can make, a file each: see `nst.tasks.task.Task`."""

from nst.tasks import (
    colors,
    doodle,
    faces,
    fast,
    invert,
    layers,
    mix,
    mix_faces,
    morph,
    project,
    style_transfer,
    teach,
    texture,
    translate,
    video,
)

_MODULES = (
    style_transfer,
    fast,
    teach,
    video,
    mix,
    colors,
    layers,
    texture,
    invert,
    doodle,
    translate,
    faces,
    mix_faces,
    morph,
    project,
)

TASKS = {module.TASK.name: module.TASK for module in _MODULES}
"""Every task by its name in recipes and links."""

FORMER = {"survey": "layers"}
"""What tasks were called in recipes and links of former versions."""
