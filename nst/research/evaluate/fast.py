"""How well do networks paint in one pass?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from nst.fast import ANY, NAMED, fast_styles, make_painter
from nst.metrics import (
    blob_area,
    color_distance,
    color_fringes,
    flat_blur,
    hatching,
    lattice_energy,
    luminance_ssim,
    speckle_ratio,
    stroke_lines,
    stroke_scale,
)
from nst.registry import load_model
from nst.research.evaluate.grid import GridConfig, Maker, Pair, Row, compared, found_in, others
from nst.research.evaluate.judges import JudgePanel, aim
from nst.research.options import options
from nst.taught import find

WORST = ("closed", "vgg19", "squeezenet", "ssim")  # what must not be low anywhere


@dataclass(frozen=True, kw_only=True)
class FastConfig(GridConfig):
    """The comparison of networks that paint in one pass.

    Args:
        styles: picture files, names of styles, or NAME=FILE where a network knows by name what the file shows, or was
            taught it here.
        model: a network by name or file; or a folder of results, each called STYLE--CONTENT.jpg (or .png); None means
            the network that fits the style.
        against: a folder of such folders, one for each other network, to lay beside: their style `wave` is taken for
            `great_wave`. Those of styles that are named, not files, are shown and not measured: they learned others.
    """

    model: str | None = None
    against: str | None = None
    size: int = 512


@options
def compare_fast(config: FastConfig) -> Iterator[Row]:
    """How well networks that paint in one pass do: a row for each pair of pictures, then the means of each style, and
    of all.

    `closed`, `vgg19` and `squeezenet` are the shares of three judges' style distance, from content to style, that are
    closed; the real VGG-19 looks at relu3_1 alone. With `_worst`, means tell those of the worst pair. `ssim` is
    the structural similarity of the luminance to the content; `color_left` the share of the distance between the
    colors of content and style that is left; `strokes` the size of the result's strokes, `long` their length,
    `straight` their straightness, `speckle` its color noise, `fringes` its color fringes, and `blur` the blur of flat
    areas, relative to the style's; `lattice` (in levels from 0 to 255) and `hatching` are what it has more of than
    style and photo; `blob` is the share of its largest blob in thousandths. `clean` is the pastiche score's part
    cleanness, and `score` the score.
    """
    model, panel, own = config.model, JudgePanel(config), Path(config.model or "ours").stem
    named = {text.partition("=")[0] for text in config.styles if not Path(text.rpartition("=")[2]).is_file()}
    makers = {own: found_in(Path(model)) if model and Path(model).is_dir() else _painting(model, config.size)}
    makers |= {by: make for by, make in others(config.against).items() if by != own}

    def measure(pair: Pair, by: str, image: Tensor) -> Row | None:
        if by != own and pair.style in named:
            return None
        row = panel.closures(image, pair) | _seen(pair, image)
        score = aim(pair).score(image)
        row |= {"clean": score.parts["cleanness"], "score": score.total}
        return row | {f"{name}_worst": row[name] for name in WORST if name in row}

    yield from compared(config, makers, measure)


def _seen(pair: Pair, image: Tensor) -> Row:
    """What an eye sees of a result."""
    content, style = pair.kept, pair.wanted
    (length, straight), (own_length, own_straight) = stroke_lines(image), stroke_lines(style)
    return {
        "ssim": luminance_ssim(image, content),
        "color_left": color_distance(image, style) / color_distance(content, style),
        "strokes": stroke_scale(image) / stroke_scale(style),
        "long": length / max(own_length, 1.0),
        "straight": straight / max(own_straight, 0.1),
        "speckle": speckle_ratio(image, style),
        "fringes": color_fringes(image) / max(color_fringes(style), 0.1),
        "blur": flat_blur(image, content, style),
        "lattice": 255 * max(0.0, lattice_energy(image) - max(lattice_energy(style), lattice_energy(content))),
        "hatching": max(0.0, hatching(image) - max(hatching(style), hatching(content))),
        "blob": 1000 * blob_area(image, content, style),
    }


def _painting(model: str | None, size: int) -> Maker:
    """What paints with a network, or with the one that fits the style."""

    def paint(pair: Pair) -> Tensor:
        if not model and (mine := find(pair.style)):
            return make_painter([mine]).paint(pair.kept, size=size)
        own = model or (NAMED if pair.style in fast_styles() else ANY)
        knows = pair.style in getattr(load_model(own), "styles", ())
        return make_painter([pair.style if knows else pair.wanted], model=own).paint(pair.kept, size=size)

    return paint
