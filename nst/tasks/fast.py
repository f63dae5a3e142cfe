"""Paint a photo, or a folder of photos, in a blink, by a network that has learned to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nst import styles
from nst.fast import MAX_STYLES, NAMED, ROWS, Painter, any_style_models, fast_run, make_painter
from nst.registry import list_models, load_model
from nst.settings.setting import STYLES
from nst.tasks.result import ONE, Layout
from nst.tasks.style_transfer import PAINTING, PHOTO
from nst.tasks.task import Panel, Task, Values
from nst.taught import find

COLUMNS = 4  # pictures in a row where all styles are shown

WORDS = {"predictor": "Predicted", "adain": "AdaIN"}


def networks() -> Mapping[str, str]:
    """The networks, those for any style first, and what each is called."""
    names = dict.fromkeys([*any_style_models(), *(entry.name for entry in list_models("style"))])
    return {name: WORDS.get(name, name.capitalize()) for name in names}


def title(name: str) -> str:
    """What a style is called."""
    titles = {style.name: style.title for style in styles.list_styles()}
    return titles.get(name, name.replace("_", " ").replace("-", " ").capitalize())


def every_style(settings: Values) -> Layout:
    """One picture, or one for each style that is learned."""
    if not settings["all"]:
        return ONE
    names = tuple(load_model(settings["model"] or NAMED).styles)  # type: ignore[arg-type]
    return Layout(tuple(map(title, names)), COLUMNS, stems=names, suffix=".webp")


def known(style: Any) -> Any:
    """A style as a network takes it: a name may be that of one which this machine was taught."""
    return (isinstance(style, str) and find(style)) or style


def with_network(inputs: dict[str, Any], names: Values, settings: dict[str, Any]) -> None:
    """Look at the styles once for all photos, by the network that they need."""
    if not settings.get("all"):
        inputs["style"] = [known(style) for style in inputs.get("style") or []]
        chosen = {name: settings[name] for name in ("model", "device") if settings.get(name)}
        inputs["style"] = make_painter(inputs["style"], settings.get("weights"), **chosen)
        settings["model"] = inputs["style"].name


TASK = Task(
    "fast",
    fast_run,
    (PHOTO, replace(PAINTING, help="a name, or any picture; up to four", least=0, most=MAX_STYLES, by_name=True)),
    example="photo.jpg --style starry_night:2 --style waves:1 -o result.png",
    rows={
        **ROWS,
        "keep_faces": replace(ROWS["keep_faces"], help="How much gentler faces are painted."),
        "model": replace(
            ROWS["model"],
            title="Any other style",
            help="Which network paints in it.",
            listed=networks,
            unset="the one that fits the styles",
        ),
        "weights": replace(ROWS["weights"], group=STYLES),
    },
    functions=(make_painter, Painter.paint, fast_run),
    panel=Panel(
        "Fast styles",
        line="One tap, one painting: networks that have learned a style.",
        main=(("strength", "keep_faces"), ("size", "preserve_color"), ("brush",)),
        first=("first-before.webp", "first-fast.webp"),
        told="Painted by Pastiche in one pass, by a network that has learned a style. Drag the line.",
    ),
    layout=every_style,
    prepare=with_network,
)
