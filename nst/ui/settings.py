"""The settings of a task as controls: how one chooses, and what the choices say."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import gradio as gr
from gradio.components import Component

from nst import translate, weights
from nst.encoders import KEPT_LAYERS, STYLE_LAYERS, VGG_DEPTHS
from nst.registry import list_models, offered
from nst.server import limits
from nst.settings.setting import COMPARED, COMPUTED, OPTIMIZED, SINGLE, Setting
from nst.tasks.recipe import valid_settings
from nst.tasks.task import Task
from nst.ui.markup import html, prose
from nst.weights import repository

SIZES = (256, 384, 512, 768, 1024, 1536, 2048)
AUTO = "as preset"
"""What a choice says while the preset decides; stands for None."""

HEADED = (OPTIMIZED, COMPARED, SINGLE, COMPUTED)
"""The groups that have a heading; the others stand together on top."""

LAYER_DEFAULTS = {"content_layers": KEPT_LAYERS, "style_layers": STYLE_LAYERS}

EXAMPLES = {"faces": "3, 8, 21"}
"""What stands where several numbers are to be typed."""


def main_controls(task: Task) -> dict[str, Component]:
    """Those that are always in sight, in rows, by the name of their setting; to be called where they are laid out."""
    made: dict[str, Component] = {}
    for row in task.panel.main:
        if len(row) == 1:
            made[row[0]] = control(row[0], task)
            continue
        with gr.Row():
            made |= {name: control(name, task) for name in row}
    return made


def more_controls(task: Task) -> dict[str, Component]:
    """Those of the closed section, by the name of their setting, group by group and two in a row."""
    made: dict[str, Component] = {}
    rows = task.settings
    order = {name: i for i, name in enumerate(task.panel.more)}
    listed = sorted(task.panel.more, key=lambda name: (_place(rows[name].group), order[name]))
    for place, group in groupby(listed, key=lambda name: _place(rows[name].group)):
        names = list(group)
        if place >= 0:
            html(f"<h3>{HEADED[place]}</h3>")
        for i in range(0, len(names), 2):
            with gr.Row():
                made |= {name: control(name, task) for name in names[i : i + 2]}
        for paper in filter(None, (rows[name].paper for name in names)):
            html(prose(paper), classes="papers")
    return made


def _place(group: str) -> int:
    return HEADED.index(group) if group in HEADED else -1


def control(name: str, task: Task) -> Component:
    """The control of one setting."""
    row, prefix = task.settings[name], task.prefix
    default = shown(name, row.default, task)
    form: dict[str, Any] = {"label": row.title, "info": row.help, "elem_id": f"{prefix}-{name}" if prefix else name}
    if row.options or name in LAYER_DEFAULTS or name == "layer":
        return _choice(row, default, form, alone=(name,) in task.panel.main)
    if name == "size":
        own: list[Any] = [("The photo's", AUTO)] if row.default is None else []
        return gr.Dropdown(own + list(SIZES), value=default, allow_custom_value=True, min_width=120, scale=2, **form)
    if row.kind is bool:
        return gr.Checkbox(default, **form)
    if row.many == "list":
        return gr.Textbox(default, placeholder=_example(name), max_lines=1, **form)
    if row.step:
        return gr.Slider(row.low, row.high, default, step=row.step, **form)  # type: ignore[arg-type]
    whole = row.kind is int
    form |= {"placeholder": row.unset or "automatic", "precision": 0 if whole else None, "step": 1 if whole else 0.01}
    return gr.Number(default, **form)


def _choice(row: Setting, default: Any, form: dict[str, Any], alone: bool) -> Component:
    """Of words: all in sight where there are few and they stand alone, or a list to open."""
    if row.name in LAYER_DEFAULTS or row.name == "layer":
        return gr.Dropdown(_layers(), value=default, multiselect=row.name != "layer", **form)
    titles = [(_titled(title, value), value) for value, title in row.options.items()]
    if row.default is None and row.listed is None:
        said = row.unset[:1].upper() + row.unset[1:] if row.name == "pooling" else "As the preset"
        titles.insert(0, (said, AUTO))
    if row.listed and row.default is None:
        return gr.Radio(titles, value=default or titles[0][1], **form)
    if row.name == "preset" or (alone and row.listed is None):
        return gr.Radio(titles, value=default, **form, elem_classes="segments", min_width=220, scale=3)
    own = row.free == "FILE" and limits.current() is not limits.STRICT  # then a repository of the Hub can be typed
    return gr.Dropdown(titles, value=default, multiselect=row.joined or None, allow_custom_value=own, **form)


def read(values: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """What the controls say, as keyword arguments of the task; those left to the preset are not in it. Raises
    ValueError, with a sentence that names it, where a value makes no sense."""
    for name, value in values.items():
        if name in task.settings and not isinstance(value, list | bool):
            _in_bounds(task.settings[name], value)
    given = {name: value for name, value in values.items() if value not in (None, "", AUTO) and value != []}
    for name, default in LAYER_DEFAULTS.items():
        if list(given.get(name, [])) == list(default):
            del given[name]
    if isinstance(given.get("style_loss"), list):
        given["style_loss"] = "+".join(given["style_loss"])
    valid = valid_settings(given, task.name)
    for name in given.keys() - valid.keys():
        row = task.settings.get(name)
        hint = f" Give numbers with commas between them, as in {_example(name)}." if row and row.many == "list" else ""
        raise ValueError(f"{row.title if row else name.capitalize()}: {given[name]!r} makes no sense here.{hint}")
    layers, layer_weights = valid.get("style_layers", STYLE_LAYERS), valid.get("style_layer_weights")
    if layer_weights and len(layer_weights) != len(layers):
        raise ValueError(f"There are {len(layers)} style layers, but {len(layer_weights)} weights: give one a layer.")
    return valid


def _in_bounds(row: Setting, value: Any) -> None:
    """Refuse a number that was typed out of bounds, or left out where there must be one, by a ValueError that tells
    which numbers there are."""
    if row.low is None or row.high is None or row.many == "list" or row.choices or value == AUTO:
        return
    wanted = f"{row.title}: give a number from {row.low:,.10g} to {row.high:,.10g}."
    if value in (None, ""):
        if row.default is not None:
            raise ValueError(wanted)
        return
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(wanted) from None
    if not row.low <= number <= row.high:
        raise ValueError(wanted)


def _example(name: str) -> str:
    """How several numbers are typed."""
    return EXAMPLES.get(name, ", ".join("1" * len(STYLE_LAYERS)))


def shown(name: str, value: Any, task: Task) -> Any:
    """The value that the control of this setting shows for it; the inverse of `read`."""
    row = task.settings[name]
    if row.free == "FILE" and limits.current() is limits.STRICT and repository.parse(value):
        value = row.default  # of a link, whose network nobody may have fetched here
    if name in LAYER_DEFAULTS:
        return list(value or LAYER_DEFAULTS[name])
    if row.many == "list":
        return ", ".join(f"{number:g}" for number in value or [])
    if row.joined:
        return str(value or row.default).split("+")
    if row.many and isinstance(value, list):
        return value[0]
    if row.listed and row.free and row.default is None:
        return value or AUTO
    return AUTO if value is None and (row.choices or name == "size") else value


def is_here(encoder: str) -> bool:
    """Whether the weights of this encoder lie on this machine; makes no request."""
    if repository.parse(encoder):
        try:
            offer = offered(encoder, download=False)
        except weights.WeightsError:
            return False
        return offer is not None and offer.here
    entry = next((model for model in list_models("encoder") if model.name == encoder), None)
    return entry is None or weights.find(entry) is not None


def away(encoder: str) -> str:
    """What is to be known of an encoder that is not here, before it is fetched; of the Hub it is asked there."""
    then = "is downloaded first; the time is known after that."
    if limits.current() is limits.STRICT or not repository.parse(encoder):
        return f"The encoder {then}"
    try:
        offer = offered(encoder)
    except weights.WeightsError as error:
        return str(error)
    return f"{offer.told}. It {then}" if offer else ""


def _titled(title: str, value: str) -> str:
    """What a choice is called; of a network that is to be fetched, how large and under which terms, too."""
    known = {entry.name: entry for entry in list_models()}
    name = value if value in known else translate.model_of_each().get(value, "")
    parts = [known[one] for one in (name, translate.OTHER_WAY.get(name)) if one in known]
    if parts and parts[0].kind == "encoder":
        if not parts[0].repo:
            return f"{title} (built in)"
        return title if weights.find(parts[0]) else f"{title} ({parts[0].download / 1e6:.0f} MB download)"
    away = [entry for entry in parts if entry.repo and not weights.find(entry)]
    if not away:
        return title
    return f"{title} ({sum(entry.size for entry in away) / 1e6:.0f} MB download, license {away[0].license})"


def _layers() -> list[str]:
    return [f"relu{stage}_{i}" for stage, depth in enumerate(VGG_DEPTHS["vgg19"], 1) for i in range(1, depth + 1)]
