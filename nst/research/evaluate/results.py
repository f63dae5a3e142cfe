"""Pictures that were made elsewhere, each with its photo and its style: how good a pastiche each is."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nst.images import IMAGE_SUFFIXES, ImageError
from nst.metrics import PARTS, find_judge, pastiche_score
from nst.research.evaluate.grid import BETWEEN, Row, averaged
from nst.research.evaluate.sheets import load, named_content, named_style
from nst.styles import StyleNotFound

LIST = "results.csv"
HOW = (
    f"name each picture CONTENT{BETWEEN}STYLE.png or CONTENT{BETWEEN}STYLE{BETWEEN}METHOD.png, or write a {LIST} with "
    "the columns result, content, style and, if you like, method"
)


@dataclass(frozen=True)
class Entry:
    """A result, what it was made from, and by what."""

    result: Path
    content: str
    style: str
    method: str = ""


def compare_results(
    *, folder: str, contents: Sequence[str] = (), styles: Sequence[str] = (), judge: str = "pyramid"
) -> Iterator[Row]:
    """Score pictures made elsewhere: a row for each, then the means of each method.

    Each result says what it was made from: it is called CONTENT--STYLE.png or CONTENT--STYLE--METHOD.png, or stands in
    a file results.csv with the columns result, content, style and method. Names are those of files in the folder's own
    folders `contents` and `styles`, of `contents` and `styles` given here, of examples, or in the CSV file paths.

    Args:
        folder: with the results.
        contents, styles: picture files that results are named after.
        judge: "pyramid", or an encoder by name or file.
    """
    root, who = Path(folder), find_judge(judge)
    rows = list[Row]()
    for entry in list(entries(root)):
        row: Row = {"result": entry.result.name, "method": entry.method}
        try:
            content = named_content(_file(entry.content, root, "contents", contents))[1]
            style = named_style(_file(entry.style, root, "styles", styles))[1]
            score = pastiche_score(load(entry.result), style, content, judge=who)
        except (ValueError, StyleNotFound) as error:  # named, and the others go on
            yield row | {"score": None} | dict.fromkeys(PARTS) | {"note": str(error)}
            continue
        rows.append(row | {"score": score.total, **score.parts, "note": ""})
        yield rows[-1]
    yield from averaged(rows, "method", told="result")


def entries(root: Path) -> Iterator[Entry]:
    """The results of a folder, by its list or by their names. Raises ImageError where there are none."""
    if not root.is_dir():
        raise ImageError(f"'{root}' is no folder; name one that holds results.")
    listed = root / LIST
    if listed.is_file():
        with listed.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        if not rows or not {"result", "content", "style"} <= rows[0].keys():
            raise ImageError(f"'{listed}' needs the columns result, content and style, and a row at least.")
        for row in rows:
            yield Entry(root / row["result"], row["content"], row["style"], row.get("method") or "")
        return
    count = 0
    for path in sorted(root.iterdir()):
        words = path.stem.split(BETWEEN)
        if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES and len(words) in (2, 3):
            count += 1
            yield Entry(path, *words)
    if not count:
        raise ImageError(f"'{root}' does not say what its pictures were made from: {HOW}.")


def _file(name: str, root: Path, kind: str, given: Sequence[str]) -> str:
    """The file that a name stands for, or the name itself where it may be an example's."""
    for path in (root / name, Path(name)):
        if path.is_file():
            return str(path)
    inside = sorted((root / kind).iterdir()) if (root / kind).is_dir() else []
    for path in [*map(Path, given), *inside]:
        if path.stem == name or path.name == name:
            return str(path)
    return name
