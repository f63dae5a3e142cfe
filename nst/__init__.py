"""Pastiche: neural style transfer for people."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_ROOMS = {
    "images": "decode encode save to_pil to_tensor",
    "encoders": "load_encoder",
    "registry": "list_models load_model",
    "styles": "list_styles load_style",
    "optimize": "Step optimize throttle",
    "stylize": "estimate style_transfer texture invert mix_path",
    "tasks.recipe": "make_recipe",
    "metrics": "style_distance",
}
_HOMES = {name: module for module, names in _ROOMS.items() for name in names.split()}
"""The public names, and the module that each lives in; imported when first asked for, since torch takes seconds."""

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"nst.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
