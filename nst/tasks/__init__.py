"""What Pastiche can make, a file each: see `nst.tasks.task.Task`."""

from importlib import import_module

from nst.tasks.task import Task

LISTED = (
    "style_transfer fast teach video mix colors layers texture invert doodle translate faces mix_faces morph project"
)
"""The files, in the order in which tasks are shown."""

TASKS: dict[str, Task] = {name: import_module(f"nst.tasks.{name}").TASK for name in LISTED.split()}
"""Every task by its name in recipes and links."""

FORMER = {"survey": "layers"}  # what tasks were called in recipes and links of former versions
