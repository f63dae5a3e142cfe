"""What most evaluations are: pairs of a photo and a style, painted by several makers, measured, laid side by side.

An evaluation says who paints and what is measured; pairs, pictures on disk, rows, means and sheets are here.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import Any, ClassVar

from torch import Tensor

from nst.device import choose_device, peak_memory
from nst.images import IMAGE_SUFFIXES, ImageError, resize, to_pil
from nst.places import write_json
from nst.research.evaluate.sheets import load, named_content, named_style, side_by_side, write
from nst.stylize import style_transfer

BETWEEN = "--"  # a result's file is called STYLE--CONTENT
SHORT = 2.0  # seconds within which a picture is painted once more to be timed, so that networks are loaded before

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Pair:
    """A photo and a style to paint it in.

    Attributes:
        photo, style: their names.
        content, painting: their pictures (1, 3, H, W) in [0, 1].
        kept, wanted: the same with the long side at which results are compared.
    """

    photo: str
    style: str
    content: Tensor
    painting: Tensor
    kept: Tensor
    wanted: Tensor

    @property
    def name(self) -> str:
        """What its results' files are called."""
        return f"{self.style}{BETWEEN}{self.photo}"


Maker = Callable[[Pair], Tensor | None]  # a pair to a result (1, 3, H, W) of any size; None where there is none

Measure = Callable[[Pair, str, Tensor], Row | None]
"""A pair, its maker's name, and a result as large as the photo, to numbers; None for what is shown and not measured."""


@dataclass(frozen=True, kw_only=True)
class GridConfig:
    """An evaluation of pairs of a photo and a style.

    Args:
        contents: picture files, NAME=FILE, or names of examples.
        styles: picture files, NAME=FILE, or names of styles; each photo is painted in every one.
        judge: an encoder that made none of the pictures, by name or file, for the column `closed`; left out is none.
        vgg19: file of the real VGG-19, at least as far as relu3_1, where alone it looks, for the column `vgg19`;
            skipped where there is none.
        squeezenet: file of SqueezeNet 1.1, for the column `squeezenet`; skipped where there is none.
        size: long side in pixels.
        out: folder for a sheet of each style in original size, sheet-STYLE.png.
    """

    contents: Sequence[str]
    styles: Sequence[str]
    judge: str | None = None
    vgg19: str | None = None
    squeezenet: str | None = None
    size: int = 256
    out: str | None = None

    every: ClassVar[bool] = True

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every photo in every style, or one in one. Raises ValueError if there are then not as many photos as
        styles."""
        photos, manners = (
            [(name, picture, resize(picture, self.size)) for name, picture in map(open_, words)]
            for open_, words in ((named_content, self.contents), (named_style, self.styles))
        )
        chosen = ((c, s) for s in manners for c in photos) if self.every else zip(photos, manners, strict=True)
        return [Pair(c[0], s[0], c[1], s[1], c[2], s[2]) for c, s in chosen]


def optimizing(size: int, **settings: Any) -> Maker:
    """What paints by `style_transfer`."""
    return lambda pair: last(pair.content, pair.painting, size=size, **settings)


def last(content: Tensor, style: Tensor, **settings: Any) -> Tensor:
    """The picture that a run of `style_transfer` ends with."""
    for step in style_transfer(content, style, **settings):
        image = step.image
    return image.cpu()


def found_in(folder: Path) -> Maker:
    """What finds the results of a folder by their names; a style's words are all among those of ours. Raises ImageError
    where there are none."""
    known: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.iterdir()):
        style, _, photo = path.stem.partition(BETWEEN)
        if photo and path.suffix.lower() in IMAGE_SUFFIXES:
            known[style, photo] = path
    if not known:
        raise ImageError(f"'{folder}' holds no pictures that are called STYLE{BETWEEN}CONTENT.jpg.")

    def find(pair: Pair) -> Tensor | None:
        words = set(pair.style.split("_"))
        paths = [path for (style, of), path in known.items() if of == pair.photo and set(style.split("_")) <= words]
        return load(paths[0]) if paths else None

    return find


def others(folder: str | None) -> dict[str, Maker]:
    """What finds the results of each folder in a folder. Raises ImageError where there are none."""
    if folder is None:
        return {}
    inside = [path for path in sorted(Path(folder).iterdir()) if path.is_dir()] if Path(folder).is_dir() else []
    if not inside:
        raise ImageError(f"'{folder}' holds no folders of results.")
    return {path.name: found_in(path) for path in inside}


class Ledger:
    """What was found already, by key, in a JSON file: an evaluation that was interrupted goes on where it was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.known = {}

    def get(self, key: str, find: Callable[[], Any]) -> Any:
        """The value of a key, found now if it is not known."""
        if key not in self.known:
            self.known[key] = find()
            write_json(self.path, self.known)
        return self.known[key]


def keeping(folder: Path, makers: Mapping[str, Maker]) -> dict[str, Maker]:
    """The same makers, whose pictures are kept as FOLDER/MAKER/STYLE--CONTENT.png and found there the next time; what
    each took stands in FOLDER/costs.json, see `costs`."""
    ledger = Ledger(folder / "costs.json")

    def kept(by: str, make: Maker) -> Maker:
        def paint(pair: Pair) -> Tensor | None:
            path = folder / by / f"{pair.name}.png"
            if not path.is_file():
                image, cost = timed(lambda: make(pair))
                if image is None:
                    return None
                write(path, to_pil(image))
                ledger.get(f"{by}/{pair.name}", lambda: cost)
            return load(path)

        return paint

    return {by: kept(by, make) for by, make in makers.items()}


def costs(folder: Path, by: str, pair: Pair) -> Row:
    """The `seconds` and the `memory` that a kept picture took; None for what was not painted here."""
    known: Row = Ledger(folder / "costs.json").known.get(f"{by}/{pair.name}", {})
    return {"seconds": known.get("seconds"), "memory": known.get("memory")}


def timed(paint: Callable[[], Tensor | None]) -> tuple[Tensor | None, dict[str, float]]:
    """A picture, and what it took: seconds of one core where there is no GPU, whatever else the machine does, and
    megabytes above what the process held before."""
    device = choose_device().torch_device
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    for _ in range(2):
        with peak_memory(device) as peak:
            began = clock()
            image = paint()
            seconds = clock() - began
        if seconds > SHORT:
            break
    return image, {"seconds": seconds, "memory": peak() / 1e6}


def compared(config: GridConfig, makers: Mapping[str, Maker], measure: Measure) -> Iterator[Row]:
    """A row for each pair and maker, then the means of each maker: for each style, if there are several rows of one,
    and for all; a pair that a maker does not know is left out. In the folder `out` lies a sheet of each style, with its
    photos and results."""
    pairs, out = config.pairs, config.out
    rows, styles = list[Row](), dict[str, list[Pair]]()
    for pair in pairs:
        styles.setdefault(pair.style, []).append(pair)
    for style, alike in styles.items():
        columns: dict[str, dict[str, Tensor]] = {"photo": {pair.photo: pair.kept for pair in alike}}
        for pair, (by, make) in itertools.product(alike, makers.items()):
            made = make(pair)
            if made is None:
                continue
            image = resize(made, (pair.kept.shape[-2], pair.kept.shape[-1]))
            columns.setdefault(by, {})[pair.photo] = image
            if (scores := measure(pair, by, image)) is not None:
                rows.append({"photo": pair.photo, "style": style, "by": by, **scores})
                yield rows[-1]
        if out:
            write(Path(out) / f"sheet-{style}.png", side_by_side(columns, alike[0].wanted))
    if len(pairs) > len(styles):
        yield from averaged(rows, "style", "by")
    yield from averaged([row | {"style": "all"} for row in rows], "style", "by")


def averaged(rows: Sequence[Row], *keys: str, told: str = "photo") -> Iterator[Row]:
    """The means of the numbers of the rows that agree in these entries, of what is called `worst` the least; and what
    else they agree in. The entry `told` says of how many rows they are."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for one in rows:
        groups.setdefault(tuple(one[key] for key in keys), []).append(one)
    for of, group in groups.items():
        row: Row = {told: f"mean of {len(group)}", **dict(zip(keys, of, strict=True))}
        for name in (name for name in group[0] if name not in row):
            values = [one[name] for one in group if one[name] is not None]
            if all(isinstance(value, int | float) for value in values):
                row[name] = (min if name.endswith("_worst") else mean)(values) if values else None
            elif len(set(values)) == 1:
                row[name] = values[0]
        yield row
