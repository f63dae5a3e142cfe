"""What was found already, in a JSON file: an evaluation that was interrupted goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nst.places import write_json


class Ledger:
    """Values by key, in a file that is written whole or not at all.

    Args:
        path: of the file; what is in it is known.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.known = {}

    def get(self, key: str, find: Callable[[], Any]) -> Any:
        """The value of a key, found now if it is not known."""
        return self.known[key] if key in self.known else self.put(key, find())

    def put(self, key: str, value: Any) -> Any:
        """The value, which from now on is that of the key."""
        self.known[key] = value
        write_json(self.path, self.known)
        return value
