"""Every method that the package holds, beside each other: speed, flexibility, quality.

The three that the survey weighs against each other (Jing et al., "Neural Style Transfer: A Review", 2017,
arXiv:1705.04058, section 6).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from torch import Tensor

from nst.color import recolor
from nst.device import choose_device, peak_memory
from nst.evaluate.chart import chart
from nst.evaluate.ledger import Ledger
from nst.evaluate.pictures import contact_sheet, last, load, open_content, open_style, write
from nst.fast import make_painter
from nst.images import resize, save, to_pil
from nst.losses import STYLE_LOSSES
from nst.metrics import Aim, find_judge
from nst.registry import list_models, load_model
from nst.stylize import PRESETS
from nst.weights import WeightsNotFound

CONTENTS = ("chelsea", "coffee", "astronaut")
STYLES = ("glass", "mosaic", "ink", "waves")


@dataclass(frozen=True)
class Manner:
    """A style: its picture (1, 3, H, W), and the name by which a network may know it."""

    name: str
    picture: Tensor


Paint = Callable[[Tensor, Manner], Tensor]


@dataclass(frozen=True)
class Method:
    """A way to paint.

    Attributes:
        name: for the table.
        kind: "optimized", "network" or "neither".
        styles: how many it can paint in, in words.
        training: what it had to learn beforehand, in words.
        paint: photo and style to result, all (1, 3, H, W) in [0, 1]; at the photo's size.
        knows: the styles it can paint in; None means any.
    """

    name: str
    kind: str
    styles: str
    training: str
    paint: Paint
    knows: tuple[str, ...] | None = None


def compare_methods(
    *,
    out: str = "methods",
    contents: Sequence[str] = CONTENTS,
    styles: Sequence[str] = STYLES,
    methods: Sequence[str] | None = None,
    models: Sequence[str] = (),
    judge: str | None = None,
    encoder: str = "compact",
    size: int = 256,
) -> Iterator[dict[str, Any]]:
    """Every method that the package holds, on every photo in every style: a row for each, means over the pictures.

    `seconds` (of one core where there is no GPU, whatever else the machine does) and `memory` (MB above what the
    process held before) of one picture on this machine, `styles` and `training` beforehand, then the pastiche score and
    its parts (see `nst.metrics.pastiche_score`). With `judge`, its score as well, and a last row with Kendall's tau of
    both judges' order of the methods. A method that knows certain styles only is judged on those. Pictures and numbers
    are kept in `out`, and found ones not painted again.

    Args:
        out: folder for pictures, numbers (methods.json), a contact sheet and a chart.
        contents: picture files, or names of examples.
        styles: picture files or names of styles; or NAME=FILE where a network knows by name what the file shows.
        methods: those to compare whose names contain one of these words; left out is all.
        models: files of further networks that paint in one pass.
        judge: a second judge, an encoder by name or file that painted none of them; left out is none.
        encoder: to optimize on, by name or file.
        size: long side in pixels.
    """
    folder, where = Path(out), choose_device()
    photos = {Path(name).stem: resize(open_content(name), size) for name in contents}
    manners = [_manner(text, size) for text in styles]
    judges = {"score": find_judge(), **({"judge": find_judge(judge)} if judge else {})}
    aims = {
        (photo, manner.name, name): Aim(manner.picture, content, judge=who)
        for photo, content in photos.items() for manner in manners for name, who in judges.items()
    }  # fmt: skip
    known, rows, strips = Ledger(folder / "methods.json"), [], dict[tuple[str, str], list[Tensor]]()
    for (photo, content), manner in ((p, m) for p in photos.items() for m in manners):
        strips[photo, manner.name] = [content, manner.picture]
    wanted = [m for m in find_methods(encoder, models) if not methods or any(word in m.name for word in methods)]
    if not wanted:
        raise ValueError(f"No method is called like that. There are: {', '.join(m.name for m in find_methods())}.")
    for method in wanted:
        found = []
        for (photo, content), manner in ((p, m) for p in photos.items() for m in manners):
            if method.knows is not None and manner.name not in method.knows:
                continue
            path = folder / "pictures" / f"{_plain(method.name)}-{photo}-{manner.name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cost = known.get(str(path.stem), lambda m=method, c=content, s=manner, p=path: _timed(m, c, s, p, where))  # type: ignore[misc]
            if not path.is_file():  # numbers without their picture
                save(path, to_pil(method.paint(content, manner)))
            image = load(path)
            strips[photo, manner.name].append(image)
            row = dict(cost)
            for name in judges:
                score = aims[photo, manner.name, name].score(image)
                row |= {name: score.total} | (score.parts if name == "score" else {})
            found.append(row)
        if found:
            facts = {"method": method.name, "styles": method.styles, "training": method.training}
            rows.append(facts | {"kind": method.kind} | {name: mean(row[name] for row in found) for name in found[0]})
            yield {name: value for name, value in rows[-1].items() if name != "kind"}
    if judge and len(rows) > 2:
        yield {"method": "tau of both judges", "score": _tau([r["score"] for r in rows], [r["judge"] for r in rows])}
    write(folder / "methods.jpg", contact_sheet(list(strips.values()), cell=192, columns=1))
    (folder / "methods.svg").write_text(chart(rows), encoding="utf-8")


def find_methods(encoder: str = "compact", models: Sequence[str] = ()) -> list[Method]:
    """Every method there is here: references, optimizing by preset and by style loss, and networks.

    Args:
        encoder: to optimize on.
        models: files of further networks.
    """

    def optimizing(**settings: Any) -> Paint:
        return lambda content, manner: last(
            content, manner.picture, encoder=encoder, size=max(content.shape[-2:]), **settings
        )

    found = [
        Method("the photo itself", "neither", "-", "-", lambda content, _: content),
        Method("the style itself", "neither", "-", "-", lambda c, s: resize(s.picture, (c.shape[-2], c.shape[-1]))),
        Method("its colors alone", "neither", "any", "none", lambda c, s: recolor(c, s.picture, "pca")),
    ]
    found += [Method(f"optimized, {p}", "optimized", "any", "none", optimizing(preset=p)) for p in PRESETS]
    found += [
        Method(f"optimized, draft, {loss}", "optimized", "any", "none", optimizing(preset="draft", style_loss=loss))
        for loss in STYLE_LOSSES
        if loss != "wasserstein"
    ]
    for name in [*(entry.name for entry in list_models("style")), *models]:
        try:
            network = load_model(name, download=False)
        except WeightsNotFound:
            continue
        if (takes := getattr(network, "takes", "")) not in ("names", "pictures", "photo"):
            continue
        learned = tuple(getattr(network, "styles", ())) if takes == "names" else None
        knows = (Path(name).stem,) if takes == "photo" else learned
        many = "any" if knows is None else str(len(knows))
        paint = _passing(name, takes)
        found.append(Method(f"network {Path(name).stem}", "network", many, _training(name), paint, knows))
    return found


def _passing(model: str, takes: str) -> Paint:
    """In one pass; what a network knows of a style is looked at anew each time, as the others must."""

    def paint(content: Tensor, manner: Manner) -> Tensor:
        own: dict[str, list[str | Tensor]] = {"names": [manner.name], "pictures": [manner.picture]}
        given = own.get(takes, [])
        return make_painter(given, model=model).paint(content)

    return paint


def _training(name: str) -> str:
    """What a model of ours was trained for, as its command says."""
    command = next((entry.command for entry in list_models() if entry.name == name), "")
    steps = re.search(r"--steps (\d+)", command)
    return f"{steps[1]} steps" if steps else "?"


def _manner(text: str, size: int) -> Manner:
    name, _, file = text.partition("=") if "=" in text else (Path(text).stem, "", text)
    return Manner(name, resize(open_style(file), size))


def _timed(method: Method, content: Tensor, manner: Manner, path: Path, where: Any) -> dict[str, float]:
    """Paint it and save it; the seconds and the memory that it took, after networks are loaded."""
    clock = time.process_time if where.device.type == "cpu" else time.perf_counter
    if method.kind == "network":
        method.paint(content, manner)
    with peak_memory(where.device) as peak:
        began = clock()
        image = method.paint(content, manner)
        seconds = clock() - began
    save(path, to_pil(image))
    return {"seconds": seconds, "memory": peak() / 1e6}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _tau(first: Sequence[float], second: Sequence[float]) -> float:
    from scipy.stats import kendalltau

    return float(kendalltau(first, second).statistic)
