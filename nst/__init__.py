"""Pastiche: neural style transfer for people."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "decode": "images",
    "encode": "images",
    "save": "images",
    "to_pil": "images",
    "to_tensor": "images",
    "load_encoder": "encoders",
    "list_models": "registry",
    "load_model": "registry",
    "list_styles": "styles",
    "load_style": "styles",
    "Step": "optimize",
    "optimize": "optimize",
    "throttle": "optimize",
    "estimate": "stylize",
    "style_transfer": "stylize",
    "texture": "stylize",
    "invert": "stylize",
    "mix_path": "stylize",
    "make_recipe": "tasks.recipe",
    "style_distance": "metrics",
}
"""The public names, and the module that each lives in; imported when first asked for, since torch takes seconds."""

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"nst.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
