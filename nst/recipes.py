"""What made a picture, in words a file or a link can carry: settings, models, versions."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import torch

import nst
from nst.registry import list_models
from nst.stylize import BOUNDS, CHOICES, style_transfer
from nst.weights import file_sha256

PICTURES = frozenset({"masks", "style_masks", "keep", "content_map", "style_map", "progress"})
"""What a recipe cannot hold: pictures."""

DEFAULTS: dict[str, Any] = {
    name: parameter.default
    for name, parameter in inspect.signature(style_transfer).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY and name not in PICTURES
}
"""Every setting of `style_transfer` and its default."""

WHOLE = frozenset({"size", "num_steps", "seed"})
MAX_LAYERS = 32


def make_recipe(settings: Mapping[str, Any], *, content: str | None = None, style: str | None = None) -> dict[str, Any]:
    """The recipe of a result: simple JSON values only.

    Args:
        settings: keyword arguments of `style_transfer`; an image as `init` is noted as "content".
        content, style: names of the pictures, without their folders.
    """
    kept, hashes = DEFAULTS | valid_settings(settings), {}
    encoder = str(settings.get("encoder", DEFAULTS["encoder"]))
    if encoder in CHOICES["encoder"]:
        hashes = {weights.name: weights.sha256 for weights in list_models("encoder") if weights.name == encoder}
    else:  # a file of the user's own: its name without its folder, which is nobody's business
        kept["encoder"] = Path(encoder).name
        hashes[kept["encoder"]] = file_sha256(Path(encoder))
    versions = {"pastiche": nst.__version__, "torch": torch.__version__}
    recipe = {"task": "style_transfer", "settings": kept, "models": hashes, "versions": versions}
    names = {"content": content, "style": style}
    return recipe | {key: name for key, name in names.items() if name}


def settings_from_recipe(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a recipe from outside: what is unknown is dropped, what is out of range is clamped."""
    settings = recipe.get("settings")
    return DEFAULTS | valid_settings(settings if isinstance(settings, Mapping) else {})


def valid_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those settings that make sense, clamped; strings, as in a link, are read as what they stand for."""
    read = {name: _read(name, settings[name]) for name in DEFAULTS if name in settings}
    return {name: value for name, value in read.items() if value is not None}


def to_query(settings: Mapping[str, Any], *, content: str | None = None, style: str | None = None) -> str:
    """A link's query string: names of pictures, and the settings that differ from the defaults."""
    differing = {name: value for name, value in valid_settings(settings).items() if value != DEFAULTS[name]}
    flat = {name: ",".join(map(_plain, v)) if isinstance(v, list) else _plain(v) for name, v in differing.items()}
    return urlencode({k: v for k, v in {"content": content, "style": style}.items() if v} | flat)


def from_query(query: Mapping[str, str]) -> dict[str, Any]:
    """What a link asks for: `settings`, complete and valid, and the names `content` and `style`, or None."""
    names = {key: str(query[key])[:200] if query.get(key) else None for key in ("content", "style")}
    return {"settings": DEFAULTS | valid_settings(query), **names}


def _plain(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _read(name: str, value: Any) -> Any:
    """The value as its setting wants it, or None where it makes no sense."""
    if name in BOUNDS:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            return None
        low, high = BOUNDS[name]
        if number != number:
            return None
        number = min(max(number, low), high)
        return round(number) if name in WHOLE else number
    if name in CHOICES:
        return value if isinstance(value, str) and value in CHOICES[name] else None
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not 0 < len(items) <= MAX_LAYERS:
        return None
    if name == "style_layer_weights":
        try:
            weights = [float(item) for item in items]
        except (TypeError, ValueError):
            return None
        return weights if all(0 <= w < 1e6 for w in weights) and sum(weights) > 0 else None
    names = [str(item).strip()[:20] for item in items]
    return names if all(item.isidentifier() for item in names) else None
