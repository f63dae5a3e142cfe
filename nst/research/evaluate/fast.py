"""How well do networks paint in one pass?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from nst.fast import ANY, NAMED, fast_styles, make_painter
from nst.images import IMAGE_SUFFIXES, ImageError, resize
from nst.metrics import (
    Aim,
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
from nst.research.evaluate.judges import JudgePanel, find_judges
from nst.research.evaluate.pictures import load, means, open_style, side_by_side, write
from nst.taught import find

BETWEEN = "--"

Scores = dict[str, float]

Maker = Callable[[str, str], Tensor | None]
"""Names of a style and of a photo to the result (1, 3, H, W), or to None where there is none."""


def compare_fast(
    *,
    contents: Sequence[str],
    styles: Sequence[str],
    judge: str | None = None,
    vgg19: str | None = None,
    squeezenet: str | None = None,
    model: str | None = None,
    against: str | None = None,
    size: int = 512,
    out: str | None = None,
) -> Iterator[dict[str, Any]]:
    """How well networks that paint in one pass do: a row for each style, means over the contents; then over the styles,
    and the worst pair of all.

    `closed`, `vgg19` and `squeezenet` are the shares of three judges' style distance, from content to style, that are
    closed; the real VGG-19 looks at relu3_1 alone. With `_worst`, they are those of a style's worst photo. `ssim` is
    the structural similarity of the luminance to the content; `color_left` the share of the distance between the
    colors of content and style that is left; `strokes` the size of the result's strokes, `long` their length,
    `straight` their straightness, `speckle` its color noise, `fringes` its color fringes, and `blur` the blur of flat
    areas, relative to the style's; `lattice` (in levels from 0 to 255) and `hatching` are what it has more of than
    style and photo; `blob` is the share of its largest blob in thousandths. `clean` is the pastiche score's part
    cleanness, and `score` the score.

    Args:
        contents: picture files.
        styles: picture files, names of styles, or NAME=FILE where a network knows by name what the file shows, or was
            taught it here.
        judge: an encoder that has trained none of the networks, by name or file; left out is none.
        vgg19: file of the real VGG-19, at least as far as relu3_1; skipped where there is none.
        squeezenet: file of SqueezeNet 1.1; skipped where there is none.
        model: a network by name or file; or a folder of results, each called STYLE--CONTENT.jpg (or .png); None means
            the network that fits the style.
        against: a folder of such folders, one for each other network, to lay beside: their style `wave` is taken for
            `great_wave`. Those of styles that are named, not files, are shown and not measured: they learned others.
        size: long side in pixels.
        out: folder for a contact sheet of each style, sheet-STYLE.png, in original size.
    """
    photos = {Path(path).stem: resize(load(path), size) for path in contents}
    manners, drawn = {}, set()
    for text in styles:
        name, _, file = text.partition("=") if "=" in text else (Path(text).stem, "", text)
        manners[name] = resize(open_style(file), size)
        drawn |= set() if Path(file).is_file() else {name}
    panel = JudgePanel(find_judges(judge, vgg19, squeezenet), manners, photos)
    ours = _found(Path(model)) if model and Path(model).is_dir() else _painting(model, manners, photos, size)
    own = Path(model or "ours").stem
    makers = {own: ours, **{by: make for by, make in others(against).items() if by != own}}
    rows: dict[str, list[Scores]] = {by: [] for by in makers}
    for name, style in manners.items():
        columns = {"photo": photos}
        aims = {photo: Aim(style, content) for photo, content in photos.items()}
        for by, make in makers.items():
            results = {photo: made for photo in photos if (made := make(name, photo)) is not None}
            if not results:
                continue
            columns[by] = results
            if make is not ours and name in drawn:
                continue
            scores = [
                _scored(panel, aims[photo], result, name, style, photo, photos[photo])
                for photo, result in results.items()
            ]
            rows[by] += scores
            yield {"style": name, "by": by, "photos": len(scores), **_summed(scores)}
        if out:
            write(Path(out) / f"sheet-{name}.png", side_by_side(style, columns))
    for by, scores in rows.items():
        if scores:
            yield {"style": "all", "by": by, "photos": len(scores), **_summed(scores)}


def _summed(scores: Sequence[Scores]) -> Scores:
    """Means, and the worst of what must not be low anywhere."""
    found = {}
    for name, value in means(scores).items():
        found[name] = value
        if name in WORST:
            found[f"{name}_worst"] = min(score[name] for score in scores)
    return found


WORST = ("closed", "vgg19", "squeezenet", "ssim")


def _scored(
    panel: JudgePanel, aim: Aim, result: Tensor, name: str, style: Tensor, photo: str, content: Tensor
) -> Scores:
    """All measures of one result, of the style called `name` and the photo called `photo`."""
    result = resize(result, (content.shape[-2], content.shape[-1]))
    score = aim.score(result)
    (length, straight), (own_length, own_straight) = stroke_lines(result), stroke_lines(style)
    return {
        **panel.closures(result, name, photo),
        "ssim": luminance_ssim(result, content),
        "color_left": color_distance(result, style) / color_distance(content, style),
        "strokes": stroke_scale(result) / stroke_scale(style),
        "long": length / max(own_length, 1.0),
        "straight": straight / max(own_straight, 0.1),
        "speckle": speckle_ratio(result, style),
        "fringes": color_fringes(result) / max(color_fringes(style), 0.1),
        "blur": flat_blur(result, content, style),
        "lattice": 255 * max(0.0, lattice_energy(result) - max(lattice_energy(style), lattice_energy(content))),
        "hatching": max(0.0, hatching(result) - max(hatching(style), hatching(content))),
        "blob": 1000 * blob_area(result, content, style),
        "clean": score.parts["cleanness"],
        "score": score.total,
    }


def _painting(model: str | None, styles: Mapping[str, Tensor], photos: Mapping[str, Tensor], size: int) -> Maker:
    """What paints with a network, or with the one that fits the style."""

    def paint(name: str, photo: str) -> Tensor:
        if not model and (mine := find(name)):
            return make_painter([mine]).paint(photos[photo], size=size)
        own = model or (NAMED if name in fast_styles() else ANY)
        knows = name in getattr(load_model(own), "styles", ())
        return make_painter([name if knows else styles[name]], model=own).paint(photos[photo], size=size)

    return paint


def _found(folder: Path) -> Maker:
    """What finds the results of a folder by their names; a style's words are all among those of ours."""
    known: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.iterdir()):
        style, _, photo = path.stem.partition(BETWEEN)
        if photo and path.suffix.lower() in IMAGE_SUFFIXES:
            known[style, photo] = path
    if not known:
        raise ImageError(f"'{folder}' holds no pictures that are called STYLE{BETWEEN}CONTENT.jpg.")

    def find(name: str, photo: str) -> Tensor | None:
        words = set(name.split("_"))
        paths = [path for (style, of), path in known.items() if of == photo and set(style.split("_")) <= words]
        return load(paths[0]) if paths else None

    return find


def others(folder: str | None) -> dict[str, Maker]:
    """What finds the results of each folder in a folder."""
    if folder is None:
        return {}
    inside = [path for path in sorted(Path(folder).iterdir()) if path.is_dir()] if Path(folder).is_dir() else []
    if not inside:
        raise ImageError(f"'{folder}' holds no folders of results.")
    return {path.name: _found(path) for path in inside}
