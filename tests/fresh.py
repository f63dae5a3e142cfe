"""Modules that keep something, as they are before anything is kept."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType


def fresh(name: str) -> ModuleType:
    """A module of the test's own: what it keeps is nobody else's, and nobody else's is in it."""
    own = f"fresh.{name}"
    spec = importlib.util.spec_from_file_location(own, importlib.util.find_spec(name).origin)
    sys.modules[own] = made = importlib.util.module_from_spec(spec)  # where data classes look for their module
    spec.loader.exec_module(made)
    return made
