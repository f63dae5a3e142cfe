"""Teach a new style to the network of fast styles, from its picture; from then on `fast` knows it by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from nst.settings import SETTINGS
from nst.tasks.style_transfer import PAINTING, PHOTO
from nst.tasks.task import Panel, Task, Values
from nst.taught import network_place, place
from nst.teach import teach

MEMORY = 800_000_000  # bytes that the crops of a step take on their way through the networks and back


def named(inputs: dict[str, Any], names: Values, settings: dict[str, Any]) -> None:
    """Without a name it is called as its picture."""
    settings["name"] = settings.get("name") or Path(names["style"]).stem


TASK = Task(
    "teach",
    teach,
    (
        replace(PAINTING, option="", most=1),
        replace(PHOTO, name="photo", option="photo", help="what is shown while it learns", least=0),
    ),
    caption="{style}, learned",
    example="painting.jpg --name mine",
    rows={
        **SETTINGS,
        "all": replace(SETTINGS["all"], title="Everything", help="Then the whole network learns, for it alone."),
        "learning_rate": replace(SETTINGS["learning_rate"], unset=""),
    },
    panel=Panel(
        "Teach a new style",
        "fast-teach",
        home="Fast styles",
        line="A network learns a style from its picture, and paints in it from then on.",
        verb="Teach",
        compares=False,
    ),
    prepare=named,
    memory=MEMORY,
    keeps=lambda settings: (network_place if settings["all"] else place)(settings["name"]),
)
