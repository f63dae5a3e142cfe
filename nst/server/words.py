"""A recipe in words, for the pages of shared results and the gallery.

A recipe may be a stranger's: only plain values are told, cut to length; whoever puts them on a page escapes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nst import styles
from nst.recipes import TASKS, names_of, task_of, valid_settings
from nst.ui.settings import ABOUT, WORDS

TITLES = {"size": "Size", "strength": "Style strength", "preset": "Preset"}
TITLES |= {name: title for name, (title, _) in ABOUT.items()}
HIDDEN = {"device"}
"""What says nothing about the picture."""

LONGEST = 120


def title(recipe: Mapping[str, Any]) -> str:
    """What a result is called, such as "Chelsea the Cat in the manner of Night"."""
    content, style = input_titles(recipe)
    task = task_of(recipe)
    if task == "texture":
        return f"A texture of {style or 'a painting'}"
    if task == "doodle":
        return f"A doodle in the manner of {style or 'a painting'}"
    if task == "invert":
        return f"What a network sees in {content or 'a photo'}"
    if task == "translate":
        return f"{content or 'A photo'}, translated"
    return f"{content or 'A photo'} in the manner of {style or 'a painting'}"


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
    valid, defaults = valid_settings(given if isinstance(given, Mapping) else {}, task), TASKS[task]
    main = ("strength", "preset", "size", "seed", "encoder")
    kept = [name for name in main if name in valid]
    kept += [name for name in valid if name not in main and name not in HIDDEN and valid[name] != defaults[name]]
    told = [(TITLES.get(name, name), _value(name, valid[name])) for name in kept]
    steps = recipe.get("steps")
    if isinstance(steps, int) and "num_steps" not in kept:
        told.append(("Steps taken", str(steps)))
    if recipe.get("continued") is True:
        told.append(("Begun from", "an earlier result"))
    return told


def summary(recipe: Mapping[str, Any]) -> str:
    """The main settings in a line, such as "Style strength 60, preset good, 512 px"."""
    return ", ".join(f"{name} {value}".lower() for name, value in settings(recipe)[:3]).capitalize()


def _value(name: str, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_value("", item) for item in value)[:LONGEST]
    if isinstance(value, float):
        return f"{value:g}"
    word = WORDS.get(value, value) if isinstance(value, str) else value
    return f"{word} px" if name == "size" else str(word)[:LONGEST]
