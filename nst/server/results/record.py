"""What is written down of a shared result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nst.images import MAX_RECIPE

CLIP = "clip.mp4"
OWN = {CLIP, "picture.webp", "card.jpg", "thumbnail.webp", "before.webp"}
"""Files of a result that are no inputs."""


@dataclass(frozen=True)
class Result:
    """A shared result, as its record tells.

    Attributes:
        id: what its address ends with.
        created: seconds since 1970.
        public: whether the gallery shows it.
        recipe: how it was made; a stranger may have written it, so check and escape what is in it.
        width, height: of the picture in pixels.
        files: sha256 of each file by name: picture.webp, card.jpg, thumbnail.webp, and where they were shared
            clip.mp4, before.webp and each input, such as content.png or style-2.webp.
    """

    id: str
    created: float
    public: bool
    recipe: dict[str, Any]
    width: int
    height: int
    files: dict[str, str]

    @property
    def inputs(self) -> dict[str, str]:
        """Names of the files with inputs, by kind."""
        return {name.partition(".")[0]: name for name in self.files if name not in OWN}


def read_record(path: Path) -> dict[str, Any]:
    """What a record's file says; raises OSError, ValueError or RecursionError if there is none, or it is no JSON
    object."""
    with path.open("rb") as file:
        text = file.read(4 * MAX_RECIPE)
    record = json.loads(text)
    if not isinstance(record, dict):
        raise ValueError("not an object")
    return record


def to_result(id: str, record: Mapping[str, Any]) -> Result:
    """A record as a result; raises KeyError, TypeError or ValueError if it makes no sense."""
    files = {str(name): str(sha256) for name, sha256 in dict(record["files"]).items()}
    named = "picture.webp" in files and all(Path(name).name == name for name in files)
    if not named or not isinstance(record["recipe"], dict):
        raise ValueError("not a record")
    size = int(record["width"]), int(record["height"])
    return Result(id, float(record["created"]), record["public"] is True, record["recipe"], *size, files)
