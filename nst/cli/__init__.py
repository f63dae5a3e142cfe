"""The command line: one runner for all tasks, and a file for each other command; the only part that prints."""

from __future__ import annotations

import ast
from pathlib import Path

from nst.places import PROGRAM

DESCRIPTION = f"""Pastiche paints a photo in the manner of a painting.

  {PROGRAM} stylize photo.jpg --style painting.jpg -o result.png"""

ROOM = Path(__file__).parent.parent / "tasks"


def _tasks() -> dict[str, str]:
    """The tasks by command, in the order in which `nst.tasks` lists them; read, since to import them takes seconds."""
    body = ast.parse((ROOM / "__init__.py").read_text(encoding="utf-8")).body
    listed = next(node for node in body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LISTED")
    names: list[str] = ast.literal_eval(listed.value).split()
    return {name.replace("_", "-").replace("style-transfer", "stylize"): name for name in names}


TASKS = _tasks()  # the commands that are tasks: each does what the docstring of its file says

OTHERS = {
    "app": "Serve the app on this machine, as `python app.py` does.",
    "map": "Draw a map of a folder of pictures: what resembles what, by style and by content.",
    "models": "List the models: where they lie, size, license, origin; and fetch one.",
    "styles": "List the styles that come with Pastiche.",
    "train": "Train a model of our own.",
    "bench": "Measure speed and memory on this machine.",
    "evaluate": "Measure the quality of results.",
}


def commands() -> dict[str, str]:
    """Every command and what it does."""
    return {name: about(name) for name in TASKS} | OTHERS


def about(command: str) -> str:
    """What the command of a task does: the docstring of its file, which is not imported for it."""
    return ast.get_docstring(ast.parse((ROOM / f"{TASKS[command]}.py").read_text(encoding="utf-8"))) or ""
