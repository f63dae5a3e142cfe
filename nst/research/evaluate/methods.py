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
from typing import Any

import torch
from torch import Tensor

from nst.color import recolor
from nst.device import Device, choose_device, peak_memory
from nst.fast import make_painter
from nst.images import resize, to_pil
from nst.losses import STYLE_LOSSES
from nst.metrics import Aim, find_judge
from nst.registry import list_models, load_model
from nst.research.evaluate.judges import JudgePanel, find_judges
from nst.research.evaluate.ledger import Ledger
from nst.research.evaluate.pictures import contact_sheet, last, load, means, named_style, open_content, write
from nst.settings import PRESETS
from nst.styles import list_styles
from nst.translate import directions_of_all, placed
from nst.weights import WeightsNotFound

CONTENTS = ("chelsea", "coffee", "astronaut")
STYLES = ("glass", "mosaic", "ink", "waves")


@dataclass(frozen=True)
class NamedStyle:
    """A style: its picture (1, 3, H, W), and the name by which a network may know it."""

    name: str
    picture: Tensor


@dataclass(frozen=True, eq=False)
class Pair:
    """A photo (1, 3, H, W), its name, and a style to paint it in."""

    photo: str
    content: Tensor
    style: NamedStyle

    @property
    def name(self) -> str:
        return f"{self.photo}-{self.style.name}"


Paint = Callable[[Tensor, NamedStyle], Tensor]


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

    @property
    def plain(self) -> str:
        """The name for files."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


def compare_methods(
    *,
    out: str = "methods",
    contents: Sequence[str] = CONTENTS,
    styles: Sequence[str] = STYLES,
    methods: Sequence[str] | None = None,
    models: Sequence[str] = (),
    judge: str | None = None,
    vgg19: str | None = None,
    squeezenet: str | None = None,
    encoder: str = "compact",
    size: int = 256,
    retime: bool = False,
) -> Iterator[dict[str, Any]]:
    """Every method that the package holds, on every photo in every style: a row for each, means over the pictures.

    `seconds` (of one core where there is no GPU, whatever else the machine does) and `memory` (MB above what the
    process held before) of one picture on this machine, `styles` and `training` beforehand, then the pastiche score and
    its parts (see `nst.metrics.pastiche_score`). With `judge`, its score as well, the share `closed` of its style
    distance, and a last row with Kendall's tau of both judges' order of the methods. `vgg19` and `squeezenet` are the
    shares that these two find closed. A method that knows certain styles only is judged on those. Pictures and numbers
    are kept in `out`, and found ones not painted again.

    Args:
        out: folder for pictures, numbers (methods.json), and a contact sheet.
        contents: picture files, or names of examples.
        styles: picture files or names of styles; or NAME=FILE where a network knows by name what the file shows.
        methods: those to compare whose names contain one of these words; left out is all.
        models: files of further networks that paint in one pass.
        judge: a second judge, an encoder by name or file that painted none of them; left out is none.
        vgg19: file of the real VGG-19, at least as far as relu3_1, for the column `vgg19`; skipped where there is none.
        squeezenet: file of SqueezeNet 1.1, for the column `squeezenet`; skipped where there is none.
        encoder: to optimize on, by name or file.
        size: long side in pixels.
        retime: time every method anew, on the first photo in the first style that it knows; from then on these are its
            seconds and its memory, and the pictures stay.
    """
    folder, device = Path(out), choose_device()
    photos = {Path(name).stem: resize(open_content(name), size) for name in contents}
    named = [_manner(text, size) for text in styles]
    grid = [Pair(photo, content, style) for photo, content in photos.items() for style in named]
    judges = {"score": find_judge(), **({"judge": find_judge(judge)} if judge else {})}
    aims = {
        pair.name: {name: Aim(pair.style.picture, pair.content, judge=who) for name, who in judges.items()}
        for pair in grid
    }
    panel = JudgePanel(find_judges(judge, vgg19, squeezenet), {m.name: m.picture for m in named}, photos)
    strips = {pair.name: [pair.content, pair.style.picture] for pair in grid}
    wanted = [m for m in find_methods(encoder, models) if not methods or any(word in m.name for word in methods)]
    if not wanted:
        raise ValueError(f"No method is called like that. There are: {', '.join(m.name for m in find_methods())}.")
    known, rows = Ledger(folder / "methods.json"), list[dict[str, Any]]()
    for method in wanted:
        pairs = [pair for pair in grid if method.knows is None or pair.style.name in method.knows]
        if not pairs:
            continue
        found = []
        for pair in grid:
            if pair not in pairs:
                strips[pair.name].append(torch.ones_like(pair.content))
                continue
            path = folder / "pictures" / f"{method.plain}-{pair.name}.png"
            cost = known.get(path.stem, lambda m=method, p=pair, at=path: paint_on_disk(m, p, device, at))  # type: ignore[misc]
            if not path.is_file():  # numbers without their picture
                paint_on_disk(method, pair, device, path)
            image = load(path)
            strips[pair.name].append(image)
            scores = {name: aim.score(image) for name, aim in aims[pair.name].items()}
            closed = panel.closures(image, pair.style.name, pair.photo)
            found.append(cost | {name: one.total for name, one in scores.items()} | scores["score"].parts | closed)
        row = {"method": method.name, "styles": method.styles, "training": method.training, **means(found)}
        if retime:
            row |= known.put(f"{method.plain} alone", timed(method, pairs[0], device)[1])
        row |= known.known.get(f"{method.plain} alone", {})
        rows.append(row)
        yield row
    if judge and len(rows) > 2:
        yield {"method": "tau of both judges", "score": _tau([r["score"] for r in rows], [r["judge"] for r in rows])}
    write(folder / "methods.jpg", contact_sheet(list(strips.values()), cell=192, columns=1))


def find_methods(encoder: str = "compact", models: Sequence[str] = ()) -> list[Method]:
    """Every method there is here: references, optimizing by preset and by style loss, and networks, translators into a
    painter's manner among them.

    Args:
        encoder: to optimize on.
        models: files of further networks.
    """

    def optimizing(**settings: Any) -> Paint:
        return lambda content, style: last(
            content, style.picture, encoder=encoder, size=max(content.shape[-2:]), **settings
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
    for name, ways in directions_of_all().items():
        hand = ways[0].removeprefix("photo2")  # a painter, all of whose works are one manner to it
        knows = tuple(style.name for style in list_styles() if style.author.lower().replace(" ", "").endswith(hand))
        if knows:
            found.append(Method(f"network {name}", "network", "1", _training(name), _translating(name), knows))
    return found


def _passing(model: str, takes: str) -> Paint:
    """In one pass; what a network knows of a style is looked at anew each time, as the others must."""

    def paint(content: Tensor, style: NamedStyle) -> Tensor:
        own: dict[str, list[str | Tensor]] = {"names": [style.name], "pictures": [style.picture]}
        given = own.get(takes, [])
        return make_painter(given, model=model).paint(content)

    return paint


def _translating(model: str) -> Paint:
    """There, in the first direction, and not back."""

    @torch.no_grad()
    def paint(content: Tensor, _: NamedStyle) -> Tensor:
        device = choose_device()
        network = placed(model, device)
        with device.autocast():
            image: Tensor = network(device.place(content), 0)
        return image.float().clamp(0, 1).cpu()

    return paint


def _training(name: str) -> str:
    """What a model of ours was trained for, as its command says."""
    command = next((entry.command for entry in list_models() if entry.name == name), "")
    steps = re.search(r"--steps (\d+)", command)
    return f"{steps[1]} steps" if steps else "?"


def _manner(text: str, size: int) -> NamedStyle:
    name, picture = named_style(text)
    return NamedStyle(name, resize(picture, size))


def timed(method: Method, pair: Pair, device: Device) -> tuple[Tensor, dict[str, float]]:
    """The picture, and the seconds and the memory that it took, after networks are loaded."""
    clock = time.process_time if device.torch_device.type == "cpu" else time.perf_counter
    if method.kind == "network":
        method.paint(pair.content, pair.style)
    with peak_memory(device.torch_device) as peak:
        began = clock()
        image = method.paint(pair.content, pair.style)
        seconds = clock() - began
    return image, {"seconds": seconds, "memory": peak() / 1e6}


def paint_on_disk(method: Method, pair: Pair, device: Device, path: Path) -> dict[str, float]:
    """Paint it and save it; what it took."""
    image, cost = timed(method, pair, device)
    write(path, to_pil(image))
    return cost


def _tau(first: Sequence[float], second: Sequence[float]) -> float:
    from scipy.stats import kendalltau

    return float(kendalltau(first, second).statistic)
