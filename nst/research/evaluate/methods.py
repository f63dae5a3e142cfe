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
from nst.research.evaluate.grid import GridConfig, Maker, Pair, Row, compared, costs, keeping, optimizing
from nst.research.evaluate.judges import JudgePanel, aim
from nst.research.options import options
from nst.settings import PRESETS
from nst.styles import list_styles
from nst.translate import directions_of_all, placed
from nst.weights import WeightsNotFound


@dataclass(frozen=True)
class Method:
    """A way to paint; in words, how many styles it can paint in, and what it had to learn beforehand."""

    paint: Maker
    styles: str = "any"
    training: str = "none"


@dataclass(frozen=True, kw_only=True)
class MethodsConfig(GridConfig):
    """The comparison of all methods.

    Args:
        methods: those to compare whose names contain one of these words; left out is all.
        models: files of further networks that paint in one pass.
        encoder: to optimize on, by name or file.
        out: folder for pictures, what they took (costs.json), and a sheet of each style.
    """

    contents: Sequence[str] = ("chelsea", "coffee", "astronaut")
    styles: Sequence[str] = ("glass", "mosaic", "ink", "waves")
    methods: Sequence[str] | None = None
    models: Sequence[str] = ()
    encoder: str = "compact"
    out: str = "methods"


@options
def compare_methods(config: MethodsConfig) -> Iterator[Row]:
    """Every method that the package holds, on every photo in every style: a row for each picture, then the means.

    `seconds` (of one core where there is no GPU, whatever else the machine does) and `memory` (MB above what the
    process held before) of one picture on this machine, `styles` and `training` beforehand, then the pastiche score and
    its parts (see `nst.metrics.pastiche_score`); `closed`, `vgg19` and `squeezenet` are the shares of these judges'
    style distances that are closed. A method that knows certain styles only is judged on those. Pictures and what they
    took are kept in `out`, and found ones not painted again.
    """
    known, out = find_methods(config.encoder, config.models, config.size), Path(config.out)
    asked = config.methods or [""]
    wanted = {name: one for name, one in known.items() if any(word in name for word in asked)}
    if not wanted:
        raise ValueError(f"No method is called like that. There are: {', '.join(known)}.")
    panel = JudgePanel(config)

    def measure(pair: Pair, by: str, image: Tensor) -> Row:
        told, score = {"styles": wanted[by].styles, "training": wanted[by].training}, aim(pair).score(image)
        return {**costs(out, by, pair), **told, "score": score.total, **score.parts, **panel.closures(image, pair)}

    makers = {name: method.paint for name, method in wanted.items()}
    yield from compared(config, keeping(out, makers), measure)


def find_methods(encoder: str = "compact", models: Sequence[str] = (), size: int = 256) -> dict[str, Method]:
    """Every method there is here, by name: references, optimizing on an encoder by preset and by style loss, and
    networks, also of further files, translators into a painter's manner among them."""
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
