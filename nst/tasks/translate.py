"""Make a zebra of a horse, a painting of a photo, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from nst.settings import SETTINGS
from nst.tasks.result import Layout
from nst.tasks.style_transfer import PHOTO
from nst.tasks.task import Extra, Panel, Task, Values
from nst.translate import (
    MODEL,
    ROWS,
    comes_back,
    directions_of_all,
    load_translator,
    model_of_each,
    translate,
    translate_run,
)

WORDS = {
    "horse2zebra": "Horse → zebra",
    "photo2vangogh": "Photo → Van Gogh",
    "vangogh2photo": "Van Gogh → photo",
    "horse2zebra_large": "Horse → zebra, large",
    "zebra2horse": "Zebra → horse, large",
}


def directions() -> Mapping[str, str]:
    """What there is to translate, and what each is called."""
    return {way: WORDS.get(way, way.capitalize()) for way in model_of_each()}


def models() -> Mapping[str, str]:
    """The networks."""
    return {name: WORDS.get(name, name.capitalize()) for name in directions_of_all()}


def with_direction(inputs: dict[str, Any], names: Values, settings: dict[str, Any]) -> None:
    """A direction alone tells the network, and a network its first direction."""
    known, model = model_of_each(), settings.get("model")
    if not model:
        settings["model"] = known.get(settings.get("direction") or "", MODEL)
    ways = directions_of_all().get(settings["model"])
    if ways and not settings.get("direction"):
        settings["direction"] = ways[0]


def there_and_back(settings: Values) -> Layout:
    """The photo, what became of it, and that translated back where the network knows the way."""
    model = settings.get("model") or MODEL
    made = WORDS.get(settings.get("direction") or "", "Translated")
    back = ("And back",) if model in directions_of_all() and comes_back(model) else ()
    titles = ("Photo", made, *back)
    return Layout(titles, columns=len(titles), main=1)


def back(images: Tensor) -> Tensor:
    """What came back. Raises ValueError where the network does not know the way."""
    if len(images) < 3:
        raise ValueError("This model knows one direction only, so there is nothing to write to --back.")
    return images[2:]


TASK = Task(
    "translate",
    translate_run,
    (PHOTO,),
    caption="{content}, translated",
    example="horse.jpg -o zebra.png",
    rows={
        **ROWS,
        "model": replace(SETTINGS["model"], help="By name or file.", listed=models),
        "direction": replace(SETTINGS["direction"], listed=directions, unset="the network's first"),
    },
    functions=(translate,),
    panel=Panel(
        "Horse → Zebra",
        line="Give a horse its stripes, or a photo the hand of Van Gogh.",
        verb="Translate",
        also="There and back",
        main=(("direction",), ("size",)),
        several="One by one",
        first=("first-before.webp", "first-translate.webp"),
        told="Made by Pastiche: a photo as if by Van Gogh. Drag the line.",
    ),
    layout=there_and_back,
    prepare=with_direction,
    loads=load_translator,
    extras=(Extra("back", "also write what comes back from translating it back", of_result=back),),
)
