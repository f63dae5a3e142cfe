"""A recipe in words, for the pages of shared results and the gallery.

A recipe may be a stranger's: only plain values are told, cut to length; whoever puts them on a page escapes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nst import styles
from nst.settings.setting import Setting
from nst.tasks import TASKS
from nst.tasks.recipe import names_of, task_of, valid_settings

MAIN = ("strength", "preset", "size", "seed", "encoder")
"""What is told in any case, and first."""

HIDDEN = {"device"}
"""What says nothing about the picture."""

LONGEST = 120


def title(recipe: Mapping[str, Any]) -> str:
    """What a result is called, such as "Chelsea the Cat in the manner of Night"."""
    content, style = input_titles(recipe)
    told = TASKS[task_of(recipe)].caption.format(content=content or "a photo", style=style or "a painting")
    return told[:1].upper() + told[1:]


def input_titles(recipe: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """What the photo and the style or styles are called, if they are examples that we know."""
    photos = {photo.name: photo.title for photo in styles.list_contents()}
    manners = {style.name: style.title for style in styles.list_styles()}
    content, named = (names_of(recipe.get(kind)) for kind in ("content", "style"))
    known = [manners[name] for name in named if name in manners]
    whole = known if len(known) == len(named) else []
    return photos.get("".join(content)), " and ".join(whole)[:LONGEST] or None


def settings(recipe: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was set, as titles and values: the main settings, and the others where they are not the defaults."""
    given, task = recipe.get("settings"), task_of(recipe)
    valid = valid_settings(given if isinstance(given, Mapping) else {}, task)
    rows, defaults = TASKS[task].settings, TASKS[task].defaults
    kept = [name for name in MAIN if name in valid]
    kept += [name for name in valid if name not in MAIN and name not in HIDDEN and valid[name] != defaults[name]]
    told = [(rows[name].title, _value(rows[name], valid[name])) for name in kept]
    steps = recipe.get("steps")
    if isinstance(steps, int) and "num_steps" not in kept:
        told.append(("Steps taken", str(steps)))
    if recipe.get("continued") is True:
        told.append(("Begun from", "an earlier result"))
    return told


def summary(recipe: Mapping[str, Any]) -> str:
    """The main settings in a line, such as "Style strength 60, preset good, 512 px"."""
    return ", ".join(f"{name} {value}".lower() for name, value in settings(recipe)[:3]).capitalize()


def _value(row: Setting, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_value(row, item) for item in value)[:LONGEST]
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        return row.options.get(value, value)[:LONGEST]
    return f"{value} px" if row.name == "size" else str(value)[:LONGEST]
