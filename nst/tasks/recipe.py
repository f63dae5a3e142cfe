"""What made a picture, in words a file or a link can carry: settings, models, versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import torch

import nst
from nst.registry import list_models, offered
from nst.settings.setting import MOST_ITEMS
from nst.tasks import FORMER, TASKS
from nst.weights import file_sha256

SEPARATOR = "|"  # between the names of several pictures in a link
UNNAMED = "-"  # what stands for a picture without a name, among several
FIRST = "style_transfer"  # the task of recipes and links that name none


def make_recipe(
    settings: Mapping[str, Any],
    *,
    task: str = FIRST,
    content: str | None = None,
    style: str | Sequence[str] | None = None,
    **others: str | Sequence[str] | None,
) -> dict[str, Any]:
    """The recipe of a result: simple JSON values only.

    Args:
        settings: keyword arguments of the task's function; an image as `init` is noted as its default.
        task: one of `TASKS`.
        content, style: names of the pictures, without their folders; of several styles a list.
        others: names of masks and maps, by argument.
    """
    kept, hashes = TASKS[task].defaults | valid_settings(settings, task), dict[str, str]()
    known = {weights.name: weights.identity for weights in list_models()}
    for name, setting in TASKS[task].settings.items():
        model = str(settings.get(name) or setting.default or "") if setting.free == "FILE" else ""
        if model in known or model in setting.options:
            hashes |= {model: known[model]} if model in known else {}
        elif model and (
            offer := offered(model, download=False)
        ):  # of the Hub, where a name says not which of its states
            kept[name] = offer.name
            hashes[kept[name]] = offer.sha256 or offer.revision
        elif model:  # a file of the user's own: its name without its folder, which is nobody's business
            kept[name] = Path(model).name
            hashes[kept[name]] = file_sha256(Path(model))
    versions = {"pastiche": nst.__version__, "torch": torch.__version__}
    recipe = {"task": task, "settings": kept, "models": hashes, "versions": versions}
    names = {"content": content, "style": style, **others}
    return recipe | {key: name if isinstance(name, str) else list(name) for key, name in names.items() if name}


def task_of(asked: Mapping[str, Any]) -> str:
    """The task that a recipe or a link is of; style transfer where it names none that is known."""
    task = asked.get("task")
    task = FORMER.get(task, task) if isinstance(task, str) else FIRST
    return task if task in TASKS else FIRST


def names_of(value: Any) -> list[str]:
    """The names of one picture or several, as a recipe or a link has them; at most `MOST_ITEMS`."""
    items = value.split(SEPARATOR) if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        return []
    return [str(item)[:200] for item in items[:MOST_ITEMS] if item and isinstance(item, str)]


def settings_from_recipe(recipe: Mapping[str, Any], task: str = FIRST) -> dict[str, Any]:
    """All settings of a recipe from outside: what is unknown is dropped, what is out of range is clamped.

    The recipe of another task gives what both have in common.
    """
    settings = recipe.get("settings")
    return TASKS[task].defaults | valid_settings(settings if isinstance(settings, Mapping) else {}, task)


def valid_settings(settings: Mapping[str, Any], task: str = FIRST) -> dict[str, Any]:
    """Those settings that make sense, clamped; strings, as in a link, are read as what they stand for."""
    read = {name: row.read(settings[name]) for name, row in TASKS[task].settings.items() if name in settings}
    return {name: value for name, value in read.items() if value is not None}


def to_query(
    settings: Mapping[str, Any],
    *,
    task: str = FIRST,
    content: str | None = None,
    style: str | Sequence[str] | None = None,
) -> str:
    """A link's query string: names of pictures, and the settings that differ from the task's defaults."""
    defaults = TASKS[task].defaults
    differing = {name: value for name, value in valid_settings(settings, task).items() if value != defaults[name]}
    flat = {name: ",".join(map(_plain, v)) if isinstance(v, list) else _plain(v) for name, v in differing.items()}
    named = style if isinstance(style, str) else SEPARATOR.join(style or [])
    of = {"task": task if task != FIRST else None, "content": content, "style": named}
    return urlencode({k: v for k, v in of.items() if v} | flat)


def from_query(query: Mapping[str, str], task: str = FIRST) -> dict[str, Any]:
    """What a link asks for: `settings`, complete and valid, and the names `content` and `style`, or None.

    `task_of` tells which task it is of, `names_of` the names of several styles.
    """
    names = {key: str(query[key])[:1000] if query.get(key) else None for key in ("content", "style")}
    return {"settings": TASKS[task].defaults | valid_settings(query, task), **names}


def _plain(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)
