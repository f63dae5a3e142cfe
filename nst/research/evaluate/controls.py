"""What does each control look like?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nst.images import to_tensor
from nst.research.evaluate.pictures import contact_sheet, load, open_content, open_style, write
from nst.research.evaluate.sheets import SHEETS
from nst.styles import list_maps, load_doodle, load_map, load_style


def compare_controls(
    *,
    contents: Sequence[str],
    styles: Sequence[str],
    out: str,
    doodles: Sequence[str] = (),
    sheets: Sequence[str] = tuple(SHEETS),
    encoder: str = "compact",
    size: int = 256,
    preset: str = "draft",
) -> Iterator[dict[str, Any]]:
    """Contact sheets of every control, to be looked at: a row for each, with its file and what is to be seen.

    Args:
        contents, styles: picture files, or examples by name, in pairs.
        out: folder for the sheets.
        doodles: picture files by threes: a doodle, a style, and the style's map; or a drawn style that has all three.
        sheets: which ones, of `nst.research.evaluate.sheets.SHEETS`.
        encoder: to optimize on, by name or file.
        size: long side in pixels.
        preset: see `nst.settings.PRESETS`.
    """
    pairs = [(open_content(c), open_style(s)) for c, s in zip(contents, styles, strict=True)]
    known = [name for name in doodles if name in list_maps()]
    pictures = [load(path) for path in doodles if path not in known]
    triples = [tuple(map(to_tensor, (load_doodle(n), load_style(n, 1024), load_map(n)))) for n in known]
    triples += list(zip(pictures[::3], pictures[1::3], pictures[2::3], strict=True))
    for name in sheets:
        if name not in SHEETS:
            raise ValueError(f'There is no sheet "{name}": choose of {", ".join(SHEETS)}.')
        of = triples if name == "doodles" else pairs
        if not of:
            continue
        began, path = time.perf_counter(), Path(out) / f"{name}.jpg"
        rows = SHEETS[name](of, encoder=encoder, size=size, preset=preset)
        write(path, contact_sheet(rows, columns=1))
        seconds = time.perf_counter() - began
        yield {"sheet": name, "seconds": seconds, "file": str(path), "shows": summary(SHEETS[name])}


def summary(function: Callable[..., object]) -> str:
    """What a function's docstring says first."""
    return (function.__doc__ or "").partition("\n")[0]
