"""What is known of an example picture: its name, title, author, year, license and source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


class StyleNotFound(LookupError):
    """An example that does not exist or cannot be had now; the message is a sentence that says what to do."""


@dataclass(frozen=True)
class Style:
    """A style picture of the list.

    Attributes:
        name: short word that stands for it in links, on the command line and in file names.
        kind: "drawn" by generators of our own, always ready; or a "painting", fetched on demand.
        source: where it comes from, an address or a file of ours.
        note: one line on what it looks like and what it does well.
    """

    name: str
    title: str
    author: str
    year: str
    kind: Literal["drawn", "painting"]
    license: str
    source: str
    note: str


@dataclass(frozen=True)
class Content:
    """An example photo to stylize; the attributes are those of `Style`."""

    name: str
    title: str
    author: str
    license: str
    source: str
    note: str
