"""Every method that the package holds, beside each other: speed, flexibility, quality.

The three that the survey weighs against each other (Jing et al., "Neural Style Transfer: A Review", 2017,
arXiv:1705.04058, section 6).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nst.color import recolor
from nst.device import choose_device
from nst.fast import make_painter
from nst.losses import STYLE_LOSSES
from nst.registry import list_models, load_model
from nst.research.evaluate.grid import Maker, Pair, Row, compared, costs, keeping, optimizing, read_pairs
from nst.research.evaluate.judges import JudgePanel, aim, find_judges
from nst.settings import PRESETS
from nst.styles import list_styles
from nst.translate import directions_of_all, placed
from nst.weights import WeightsNotFound

CONTENTS = ("chelsea", "coffee", "astronaut")
STYLES = ("glass", "mosaic", "ink", "waves")


@dataclass(frozen=True)
class Method:
    """A way to paint.

    Attributes:
        paint: what paints.
        styles: how many it can paint in, in words.
        training: what it had to learn beforehand, in words.
    """

    paint: Maker
    styles: str = "any"
    training: str = "none"


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
) -> Iterator[Row]:
    """Every method that the package holds, on every photo in every style: a row for each picture, then the means.

    `seconds` (of one core where there is no GPU, whatever else the machine does) and `memory` (MB above what the
    process held before) of one picture on this machine, `styles` and `training` beforehand, then the pastiche score and
    its parts (see `nst.metrics.pastiche_score`); `closed`, `vgg19` and `squeezenet` are the shares of these judges'
    style distances that are closed. A method that knows certain styles only is judged on those. Pictures and what they
    took are kept in `out`, and found ones not painted again.

    Args:
        out: folder for pictures, what they took (costs.json), and a sheet of each style.
        contents: picture files, or names of examples.
        styles: picture files or names of styles; or NAME=FILE where a network knows by name what the file shows.
        methods: those to compare whose names contain one of these words; left out is all.
        models: files of further networks that paint in one pass.
        judge: an encoder by name or file that painted none of them, for the column `closed`; left out is none.
        vgg19: file of the real VGG-19, at least as far as relu3_1, for the column `vgg19`; skipped where there is none.
        squeezenet: file of SqueezeNet 1.1, for the column `squeezenet`; skipped where there is none.
        encoder: to optimize on, by name or file.
        size: long side in pixels.
    """
    known = find_methods(encoder, models, size)
    wanted = {name: one for name, one in known.items() if not methods or any(word in name for word in methods)}
    if not wanted:
        raise ValueError(f"No method is called like that. There are: {', '.join(known)}.")
    pairs = read_pairs(contents, styles, size)
    panel, makers = JudgePanel(find_judges(judge, vgg19, squeezenet), pairs), {n: m.paint for n, m in wanted.items()}

    def measure(pair: Pair, by: str, image: Tensor) -> Row:
        told, score = {"styles": wanted[by].styles, "training": wanted[by].training}, aim(pair).score(image)
        return {
            **costs(Path(out), by, pair),
            **told,
            "score": score.total,
            **score.parts,
            **panel.closures(image, pair),
        }

    yield from compared(pairs, keeping(Path(out), makers), measure, out)


def find_methods(encoder: str = "compact", models: Sequence[str] = (), size: int = 256) -> dict[str, Method]:
    """Every method there is here, by name: references, optimizing by preset and by style loss, and networks,
    translators into a painter's manner among them.

    Args:
        encoder: to optimize on.
        models: files of further networks.
        size: long side in pixels.
    """
    found = {
        "the photo itself": Method(lambda pair: pair.kept, "-", "-"),
        "the style itself": Method(lambda pair: pair.wanted, "-", "-"),
        "its colors alone": Method(lambda pair: recolor(pair.kept, pair.wanted, "pca")),
    }
    found |= {f"optimized {preset}": Method(optimizing(size, encoder=encoder, preset=preset)) for preset in PRESETS}
    for loss in STYLE_LOSSES:
        if loss != "wasserstein":
            paint = optimizing(size, encoder=encoder, preset="draft", style_loss=loss)
            found[f"optimized draft {loss}"] = Method(paint)
    for name in [*(entry.name for entry in list_models("style")), *models]:
        try:
            network = load_model(name, download=False)
        except WeightsNotFound:
            continue
        takes, stem = getattr(network, "takes", ""), Path(name).stem
        learned = {"names": tuple(getattr(network, "styles", ())), "photo": (stem,), "pictures": None}
        if takes in learned:
            knows = learned[takes]
            many = "any" if knows is None else str(len(knows))
            found[f"network {stem}"] = Method(_passing(name, takes, knows), many, _training(name))
    for name, ways in directions_of_all().items():
        hand = ways[0].removeprefix("photo2")  # a painter, all of whose works are one manner to it
        knows = tuple(style.name for style in list_styles() if style.author.lower().replace(" ", "").endswith(hand))
        if knows:
            found[f"network {name}"] = Method(_translating(name, knows), "1", _training(name))
    return found


def _passing(model: str, takes: str, knows: Sequence[str] | None) -> Maker:
    """In one pass; what a network knows of a style is looked at anew each time, as the others must."""

    def paint(pair: Pair) -> Tensor | None:
        if knows is not None and pair.style not in knows:
            return None
        own: dict[str, list[str | Tensor]] = {"names": [pair.style], "pictures": [pair.wanted], "photo": []}
        return make_painter(own[takes], model=model).paint(pair.kept)

    return paint


def _translating(model: str, knows: Sequence[str]) -> Maker:
    """There, in the first direction, and not back."""

    @torch.no_grad()
    def paint(pair: Pair) -> Tensor | None:
        if pair.style not in knows:
            return None
        device = choose_device()
        network = placed(model, device)
        with device.autocast():
            image: Tensor = network(device.place(pair.kept), 0)
        return image.float().clamp(0, 1).cpu()

    return paint


def _training(name: str) -> str:
    """What a model of ours was trained for, as its command says."""
    command = next((entry.command for entry in list_models() if entry.name == name), "")
    steps: Any = re.search(r"--steps (\d+)", command)
    return f"{steps[1]} steps" if steps else "?"
