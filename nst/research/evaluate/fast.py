"""How well do networks paint in one pass?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nst.encoders import load_encoder
from nst.fast import ANY, NAMED, fast_styles, make_painter
from nst.images import resize, save, to_tensor
from nst.metrics import color_distance, luminance_ssim, speckle_ratio, stroke_scale, style_distance
from nst.registry import load_model
from nst.research.evaluate.pictures import contact_sheet, last, load, means
from nst.styles import list_styles, load_style


def compare_fast(
    *,
    judge: str,
    contents: Sequence[str],
    styles: Sequence[str],
    model: str | None = None,
    size: int = 384,
    num_steps: int = 200,
    out: str | None = None,
) -> Iterator[dict[str, Any]]:
    """How well networks that paint in one pass do: a row for each style, means over the contents, and the mean of all.

    `closed` is the share of the judge's style distance, from content to style, that is closed; `closure` the same
    relative to what optimizing on the judge itself closes; `worst` the least of a style's closures; `ssim` the
    structural similarity of the luminance to the content; `color_left` the share of the distance between the colors of
    content and style that is left; `strokes` the size of the result's strokes, and `speckle` its color noise, relative
    to the style's.

    Args:
        judge: an encoder that has trained none of the networks, by name or file.
        contents: picture files.
        styles: picture files, names of styles, or NAME=FILE where a network knows by name what the file shows.
        model: a network by name or file; None means the one that fits the style.
        size: long side in pixels.
        num_steps: steps of optimizing on the judge, for each pair; 0 leaves it out, and `closure` is then `closed`.
        out: folder for a contact sheet: a row for each style, which stands first.
    """
    if out:
        Path(out).mkdir(parents=True, exist_ok=True)
    network, photos = load_encoder(judge), [resize(load(path), size) for path in contents]
    rows, strips = [], []
    for text in styles:
        name, _, file = text.partition("=") if "=" in text else (Path(text).stem, "", text)
        known = file not in {style.name for style in list_styles()}
        style = resize(load(file) if known else to_tensor(load_style(file, 1024)), size)
        own = model or (NAMED if name in fast_styles() else ANY)
        takes_name = name in getattr(load_model(own), "styles", ())
        painter = make_painter([name if takes_name else style], model=own)
        results = [painter.paint(photo, size=size) for photo in photos]
        scores = []
        for photo, result in zip(photos, results, strict=True):
            start, left = style_distance(photo, style, network), style_distance(result, style, network)
            best = 1.0
            if num_steps:
                painted = last(photo, style, encoder=judge, size=size, num_steps=num_steps, preset="draft")
                best = 1 - style_distance(painted, style, network) / start
            score = {"closed": 1 - left / start, "closure": (1 - left / start) / best}
            score |= {"ssim": luminance_ssim(result, photo)}
            score |= {"color_left": color_distance(result, style) / color_distance(photo, style)}
            score |= {"strokes": stroke_scale(result) / stroke_scale(style)}
            scores.append(score | {"speckle": speckle_ratio(result, style)})
        rows.append(means(scores) | {"worst": min(score["closure"] for score in scores)})
        strips.append([style, *results])
        yield {"style": name, "model": Path(own).stem, **rows[-1]}
        if out:
            save(Path(out) / "fast.jpg", contact_sheet(strips, columns=1))
    yield {"style": "mean", "model": "", **means(rows), "worst": min(row["worst"] for row in rows)}
