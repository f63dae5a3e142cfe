"""What made a picture, in words a file or a link can carry: settings, models, versions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import torch

import nst
from nst import translate
from nst.faces import BOUNDS as FACE_BOUNDS
from nst.faces import face_grid, mix_faces, morph_sheet, project
from nst.fast import BOUNDS as FAST_BOUNDS
from nst.fast import fast_stylize
from nst.registry import list_models
from nst.stylize import BOUNDS, CHOICES, color_modes, doodle, invert, layer_survey, mix_path, style_transfer, texture
from nst.stylize.settings import split
from nst.weights import file_sha256

PICTURES = frozenset({"masks", "style_masks", "keep", "content_map", "style_map"})
"""Arguments that are pictures: a recipe holds their names at most."""


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    kept = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in PICTURES and p.name != "progress"]
    return {parameter.name: parameter.default for parameter in kept}


DEFAULTS: dict[str, Any] = _defaults(style_transfer)
"""Every setting of `style_transfer` and its default."""

FAST_DEFAULTS = {name: value for name, value in _defaults(fast_stylize).items() if name != "device"}
"""Every setting of `nst.fast.fast_stylize` and its default; where it computes has no part in the picture."""

TASKS: dict[str, dict[str, Any]] = {
    "style_transfer": DEFAULTS,
    "texture": _defaults(texture),
    "invert": _defaults(invert),
    "mix": DEFAULTS | _defaults(mix_path),
    "colors": {name: value for name, value in DEFAULTS.items() if name != "preserve_color"} | _defaults(color_modes),
    "survey": _defaults(layer_survey),
    "doodle": _defaults(doodle),
    "fast": FAST_DEFAULTS | {"weights": None},
    "translate": {name: value for name, value in _defaults(translate.translate).items() if name != "device"},
    "faces": _defaults(face_grid),
    "mix_faces": _defaults(mix_faces),
    "morph": _defaults(morph_sheet),
    "project": _defaults(project),
}
"""What there are recipes of, and every setting of each and its default."""

WHOLE = frozenset(
    {
        "size",
        "num_steps",
        "seed",
        "kernel_degree",
        "patch_size",
        "width",
        "height",
        "starts",
        "pictures",
        "count",
        "like",
        "first",
        "second",
        "frames",
    }
)
ENCODERS = ("encoder", "content_encoder")
PASSES = ("style", "translator", "faces")
"""Kinds of models that make pictures."""
NUMBERS = ("style_layer_weights", "content_layer_weights", "style_weights", "weights")
LIMITS = translate.BOUNDS | FACE_BOUNDS | FAST_BOUNDS | BOUNDS
MAX_ITEMS = 32
SEPARATOR = "|"
"""Between the names of several pictures in a link."""
UNNAMED = "-"
"""What stands for a picture without a name, among several."""


def make_recipe(
    settings: Mapping[str, Any],
    *,
    task: str = "style_transfer",
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
    defaults = TASKS[task]
    kept, hashes = defaults | valid_settings(settings, task), dict[str, str]()
    known = {weights.name: weights.identity for weights in list_models()}
    if model := settings.get("model") or kept.get("model"):  # or a file of the user's own, as below
        kept["model"] = model if model in known else Path(model).name
        hashes[kept["model"]] = known[model] if model in known else file_sha256(Path(model))
    for role in ENCODERS:
        name = str(settings.get(role) or defaults.get(role) or "")
        if name in CHOICES[role]:
            hashes |= {name: known[name]} if name in known else {}
        elif name:  # a file of the user's own: its name without its folder, which is nobody's business
            kept[role] = Path(name).name
            hashes[kept[role]] = file_sha256(Path(name))
    versions = {"pastiche": nst.__version__, "torch": torch.__version__}
    recipe = {"task": task, "settings": kept, "models": hashes, "versions": versions}
    names = {"content": content, "style": style, **others}
    return recipe | {key: name if isinstance(name, str) else list(name) for key, name in names.items() if name}


def make_fast_recipe(
    settings: Mapping[str, Any], *, content: str, style: Sequence[str], weights: Sequence[float], model: str
) -> dict[str, Any]:
    """The recipe of a picture painted in one pass.

    Args:
        settings: keyword arguments of `nst.fast.fast_stylize`.
        content, style: names of the pictures, without their folders.
        weights: of the styles.
        model: the network, by name or file.
    """
    known = {entry.name: entry.identity for entry in list_models("style")}
    name = model if model in known else Path(model).name
    kept = FAST_DEFAULTS | {key: value for key, value in settings.items() if key in FAST_DEFAULTS} | {"model": name}
    hashes = {name: known[name] if model in known else file_sha256(Path(model))}
    versions = {"pastiche": nst.__version__, "torch": torch.__version__}
    recipe = {"task": "fast", "settings": kept | {"weights": list(weights)}, "models": hashes, "versions": versions}
    return recipe | {"content": content, "style": list(style)}


def task_of(asked: Mapping[str, Any]) -> str:
    """The task that a recipe or a link is of; style transfer where it names none that is known."""
    task = asked.get("task")
    return task if isinstance(task, str) and task in TASKS else "style_transfer"


def names_of(value: Any) -> list[str]:
    """The names of one picture or several, as a recipe or a link has them; at most `MAX_ITEMS`."""
    items = value.split(SEPARATOR) if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        return []
    return [str(item)[:200] for item in items[:MAX_ITEMS] if item and isinstance(item, str)]


def settings_from_recipe(recipe: Mapping[str, Any], task: str = "style_transfer") -> dict[str, Any]:
    """All settings of a recipe from outside: what is unknown is dropped, what is out of range is clamped.

    The recipe of another task gives what both have in common.
    """
    settings = recipe.get("settings")
    return TASKS[task] | valid_settings(settings if isinstance(settings, Mapping) else {}, task)


def valid_settings(settings: Mapping[str, Any], task: str = "style_transfer") -> dict[str, Any]:
    """Those settings that make sense, clamped; strings, as in a link, are read as what they stand for."""
    read = {name: _read(name, settings[name]) for name in TASKS[task] if name in settings}
    return {name: value for name, value in read.items() if value is not None}


def to_query(
    settings: Mapping[str, Any],
    *,
    task: str = "style_transfer",
    content: str | None = None,
    style: str | Sequence[str] | None = None,
) -> str:
    """A link's query string: names of pictures, and the settings that differ from the task's defaults."""
    defaults = TASKS[task]
    differing = {name: value for name, value in valid_settings(settings, task).items() if value != defaults[name]}
    flat = {name: ",".join(map(_plain, v)) if isinstance(v, list) else _plain(v) for name, v in differing.items()}
    named = style if isinstance(style, str) else SEPARATOR.join(style or [])
    of = {"task": task if task != "style_transfer" else None, "content": content, "style": named}
    return urlencode({k: v for k, v in of.items() if v} | flat)


def from_query(query: Mapping[str, str], task: str = "style_transfer") -> dict[str, Any]:
    """What a link asks for: `settings`, complete and valid, and the names `content` and `style`, or None.

    `task_of` tells which task it is of, `names_of` the names of several styles.
    """
    names = {key: str(query[key])[:1000] if query.get(key) else None for key in ("content", "style")}
    return {"settings": TASKS[task] | valid_settings(query, task), **names}


def _plain(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _read(name: str, value: Any) -> Any:
    """The value as its setting wants it, or None where it makes no sense."""
    if name == "style_scale" and (many := _items(value)) and len(many) > 1:
        scales = [_number(name, one) for one in many]
        return None if None in scales else scales
    if name in LIMITS:
        return _number(name, value)
    if name == "style_loss":
        return value if isinstance(value, str) and set(split(value)) <= set(CHOICES[name]) else None
    if name in CHOICES:
        return value if isinstance(value, str) and value in CHOICES[name] else None
    if name == "model":
        return value if value in {entry.name for kind in PASSES for entry in list_models(kind)} else None
    if name == "direction":
        return value if value in translate.model_of_each() else None
    if name == "seamless":
        return {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())
    items = _items(value)
    if not items:
        return None
    if name == "faces":
        numbers = [_number("seed", item) for item in items]
        return None if None in numbers else numbers
    if name in NUMBERS:
        try:
            weights = [float(item) for item in items]
        except (TypeError, ValueError):
            return None
        return weights if all(0 <= w < 1e6 for w in weights) and sum(weights) > 0 else None
    names = [str(item).strip()[:20] for item in items]
    if not all(item.isidentifier() for item in names):
        return None
    return names[0] if name == "layer" else names


def _items(value: Any) -> list[Any] | None:
    """The parts of a list, as in a link or not."""
    items = value.split(",") if isinstance(value, str) else value
    return list(items) if isinstance(items, list | tuple) and 0 < len(items) <= MAX_ITEMS else None


def _number(name: str, value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    low, high = LIMITS[name]
    if number != number:
        return None
    number = min(max(number, low), high)
    return round(number) if name in WHOLE else number
