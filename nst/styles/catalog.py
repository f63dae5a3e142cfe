"""What is known of the example pictures: `nst/pictures/examples.toml`, and what all of a kind have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from nst.places import read_toml

PICTURES = Path(__file__).parents[1] / "pictures"


class StyleNotFound(LookupError):
    """An example that does not exist or cannot be had now; the message is a sentence that says what to do."""


@dataclass(frozen=True)
class Example:
    """A picture to try things with.

    Attributes:
        name: short word that stands for it in links, on the command line and in file names.
        kind: of styles "drawn", which come with Pastiche, or "painting", fetched on demand; of photos "photo", which
            come with scikit-image, or "fetched".
        source: where it comes from: an address, a file of ours, or a function of scikit-image's.
        note: one line on what it looks like and what it does well.
        file: its name there.
        box: left, top, right and bottom of the part that is shown; all where there is none.
    """

    name: str
    kind: str
    title: str
    note: str
    author: str = "Pastiche"
    year: str = "2026"
    license: str = "public domain"
    source: str = ""
    file: str = ""
    box: tuple[int, int, int, int] | None = None


def _read() -> dict[str, dict[str, Example]]:
    kinds: dict[str, dict[str, Example]] = {}
    for kind, tables in read_toml(PICTURES / "examples.toml").items():
        for name, about in tables.items():
            if kind == "drawn":
                about |= {"license": "CC0 1.0", "source": f"nst/pictures/styles/{name}.avif"}
            elif kind == "photo":
                about |= {"source": f"skimage.data.{about['file'].partition('.')[0]}"}
            else:
                about |= {"source": f"https://commons.wikimedia.org/wiki/File:{quote(about['file'])}"}
            box = tuple(about.pop("box", ())) or None
            kinds.setdefault(kind, {})[name] = Example(name, kind, box=box, **about)  # type: ignore[arg-type]
    return kinds


_KINDS = _read()
DRAWN, PAINTINGS, PHOTOS = _KINDS["drawn"], _KINDS["painting"], _KINDS["photo"]
HORSE = _KINDS["fetched"]["horse"]
"""A photo of a horse: none comes with Pastiche."""
