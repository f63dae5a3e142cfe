"""Comparisons over whole grids of pictures, judged by a network that made none of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from PIL import Image
from torch import Tensor

from nst.encoders import Encoder, load_encoder
from nst.fast import ANY, NAMED, fast_styles, make_painter
from nst.images import decode, resize, save, to_pil, to_tensor
from nst.metrics import color_distance, luminance_ssim, stroke_scale, style_distance
from nst.registry import load_model
from nst.sheets import SHEETS
from nst.styles import list_contents, list_maps, list_styles, load_content, load_doodle, load_map, load_style
from nst.stylize import PRESETS, style_transfer


def compare_encoders(
    *,
    judge: str,
    contents: Sequence[str],
    styles: Sequence[str],
    encoder: str = "compact",
    size: int = 256,
    num_steps: int = 200,
    preset: str = "draft",
    strength: float = 50.0,
    out: str | None = None,
) -> Iterator[dict[str, Any]]:
    """How well optimizing on one encoder serves another: a row for each pair of pictures, and their mean.

    `closure` is the share of the judge's style distance, from content to style, that optimizing on `encoder`
    closes, relative to the share that optimizing on the judge itself closes; `ssim` is the structural
    similarity of the luminance to the content, for both.

    Args:
        judge: an encoder, by name or file, that is never the one compared.
        contents, styles: picture files; every pair is tried.
        encoder: the encoder compared, by name or file.
        size: long side in pixels.
        num_steps: steps of each run.
        preset: see `nst.stylize.PRESETS`.
        strength: see `nst.stylize.style_transfer`.
        out: folder for a contact sheet: content, style, on the judge, on the encoder.
    """
    network = load_encoder(judge)
    settings: dict[str, Any] = {"size": size, "num_steps": num_steps, "preset": preset, "strength": strength}
    rows: list[dict[str, Any]] = []
    strips: list[list[Tensor]] = []
    for content_path in contents:
        content = _load(content_path)
        small = resize(content, size)
        for style_path in styles:
            style = _load(style_path)
            painted = resize(style, size)
            results = [_last(content, style, encoder=name, **settings) for name in (judge, encoder)]
            start, own, other = (style_distance(x, painted, network) for x in (small, *results))
            row: dict[str, Any] = {"content": Path(content_path).stem, "style": Path(style_path).stem}
            row |= {"start": start, "judge": own, "encoder": other, "closure": (start - other) / (start - own)}
            row |= {"judge_ssim": luminance_ssim(results[0], small), "ssim": luminance_ssim(results[1], small)}
            rows.append(row)
            strips.append([small, painted, *results])
            yield row
    numbers = [name for name in rows[0] if name not in ("content", "style")]
    yield {"content": "mean", "style": ""} | {name: mean(row[name] for row in rows) for name in numbers}
    if out:
        _write(Path(out) / "encoders.jpg", contact_sheet(strips))


def compare_sizes(
    *,
    judge: str,
    contents: Sequence[str],
    styles: Sequence[str],
    encoders: Sequence[str] = ("compact",),
    sizes: Sequence[int] = (256, 512, 1024),
    strengths: Sequence[float] = (25.0, 50.0, 75.0),
    preset: str = "draft",
    num_steps: int | None = None,
    out: str | None = None,
) -> Iterator[dict[str, Any]]:
    """Does one strength give the same look at every size and on every encoder? A row for each.

    Every result is judged at the smallest size: `closed` is the share of the judge's style distance, from content
    to style, that is closed; `ssim` the structural similarity of the luminance to the content. Means over the pairs.

    Args:
        judge: an encoder, by name or file.
        contents, styles: picture files, in pairs.
        encoders: to optimize on, by name or file.
        sizes: long sides in pixels.
        strengths: see `nst.stylize.style_transfer`.
        preset, num_steps: see `nst.stylize.style_transfer`.
        out: folder for a contact sheet: a row for each strength of the first pair, sizes side by side.
    """
    network, common = load_encoder(judge), min(sizes)
    pairs = [(_load(c), _load(s)) for c, s in zip(contents, styles, strict=True)]
    strips: list[list[Tensor]] = []
    for strength in strengths:
        strips.append([])
        for encoder in encoders:
            for size in sizes:
                settings = {"encoder": encoder, "size": size, "preset": preset, "strength": strength}
                settings["num_steps"] = num_steps
                results = [resize(_last(c, s, **settings), common) for c, s in pairs]
                scores = [_scores(x, c, s, common, network) for x, (c, s) in zip(results, pairs, strict=True)]
                strips[-1].append(results[0])
                yield {"strength": strength, "encoder": Path(encoder).stem, "size": size} | _means(scores)
    if out:
        _write(Path(out) / "sizes.jpg", contact_sheet(strips, columns=1))


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
    content and style that is left; `strokes` the size of the result's strokes relative to the style's.

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
    network, photos = load_encoder(judge), [resize(_load(path), size) for path in contents]
    rows, strips = [], []
    for text in styles:
        name, _, file = text.partition("=") if "=" in text else (Path(text).stem, "", text)
        known = file not in {style.name for style in list_styles()}
        style = resize(_load(file) if known else to_tensor(load_style(file, 1024)), size)
        own = model or (NAMED if name in fast_styles() else ANY)
        takes_name = name in getattr(load_model(own), "styles", ())
        painter = make_painter([name if takes_name else style], model=own)
        results = [painter.paint(photo, size=size) for photo in photos]
        scores = []
        for photo, result in zip(photos, results, strict=True):
            start, left = style_distance(photo, style, network), style_distance(result, style, network)
            best = 1.0
            if num_steps:
                painted = _last(photo, style, encoder=judge, size=size, num_steps=num_steps, preset="draft")
                best = 1 - style_distance(painted, style, network) / start
            score = {"closed": 1 - left / start, "closure": (1 - left / start) / best}
            score |= {"ssim": luminance_ssim(result, photo)}
            score |= {"color_left": color_distance(result, style) / color_distance(photo, style)}
            scores.append(score | {"strokes": stroke_scale(result) / stroke_scale(style)})
        rows.append(_means(scores) | {"worst": min(score["closure"] for score in scores)})
        strips.append([style, *results])
        yield {"style": name, "model": Path(own).stem, **rows[-1]}
        if out:
            save(Path(out) / "fast.jpg", contact_sheet(strips, columns=1))
    yield {"style": "mean", "model": "", **_means(rows), "worst": min(row["worst"] for row in rows)}


VARIANTS: dict[str, dict[str, Any]] = {
    "best": {},
    "Gram instead of Wasserstein": {"style_loss": "gram"},
    "layer weights 256:64:16:4:1": {"style_layer_weights": (256, 64, 16, 4, 1)},
    "scales by 2 instead of the root of 2": {"factor": 2.0},
    "one scale": {"factor": 1e9},
    "best iterate instead of the average": {"average": 0.0},
    "no total variation": {"tv_weight": 0.0},
    "ten times the total variation": {"tv_weight": 10 * PRESETS["best"].tv_weight},
}
"""The quality tricks of the preset *best*, each left out or exchanged alone."""


def compare_tricks(
    *,
    judge: str,
    contents: Sequence[str],
    styles: Sequence[str],
    encoder: str = "compact",
    size: int = 384,
    num_steps: int = 300,
    strength: float = 50.0,
    out: str | None = None,
) -> Iterator[dict[str, Any]]:
    """What each quality trick of the preset *best* is worth: a row for each, left out or exchanged alone.

    Args:
        judge: an encoder, by name or file.
        contents, styles: picture files, in pairs.
        encoder: to optimize on, by name or file.
        size: long side in pixels.
        num_steps: of each run, over all scales.
        strength: see `nst.stylize.style_transfer`.
        out: folder for a contact sheet: a row for each pair, variants side by side.
    """
    network = load_encoder(judge)
    pairs = [(_load(c), _load(s)) for c, s in zip(contents, styles, strict=True)]
    strips: list[list[Tensor]] = [[] for _ in pairs]
    fields = {"factor", "average", "tv_weight"}
    for name, change in VARIANTS.items():
        preset = replace(PRESETS["best"], **{k: v for k, v in change.items() if k in fields})
        settings = {"encoder": encoder, "size": size, "num_steps": num_steps, "strength": strength, "preset": preset}
        settings |= {k: v for k, v in change.items() if k not in fields}
        began = time.perf_counter()
        results = [_last(c, s, **settings) for c, s in pairs]
        seconds = (time.perf_counter() - began) / len(pairs)
        scores = [_scores(x, c, s, size, network) for x, (c, s) in zip(results, pairs, strict=True)]
        for strip, result in zip(strips, results, strict=True):
            strip.append(result)
        yield {"variant": name, **_means(scores), "seconds": seconds}
    if out:
        _write(Path(out) / "tricks.jpg", contact_sheet(strips, columns=1))


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
        sheets: which ones, of `nst.sheets.SHEETS`.
        encoder: to optimize on, by name or file.
        size: long side in pixels.
        preset: see `nst.stylize.PRESETS`.
    """
    pairs = [(_load(c), _load(s)) for c, s in zip(contents, styles, strict=True)]
    known = [name for name in doodles if name in list_maps()]
    pictures = [_load(path) for path in doodles if path not in known]
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
        _write(path, contact_sheet(rows, columns=1))
        seconds = time.perf_counter() - began
        yield {"sheet": name, "seconds": seconds, "file": str(path), "shows": summary(SHEETS[name])}


def summary(function: Callable[..., object]) -> str:
    """What a function's docstring says first."""
    return (function.__doc__ or "").partition("\n")[0]


def _scores(image: Tensor, content: Tensor, style: Tensor, size: int, judge: Encoder) -> dict[str, float]:
    kept, painted = resize(content, size), resize(style, size)
    image = resize(image, (kept.shape[-2], kept.shape[-1]))  # rounded otherwise, if it comes from another size
    closed = 1 - style_distance(image, painted, judge) / style_distance(kept, painted, judge)
    return {"closed": closed, "ssim": luminance_ssim(image, kept)}


def _means(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: mean(score[name] for score in scores) for name in scores[0]}


def _write(path: Path, picture: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, picture)


def _load(picture: str) -> Tensor:
    """A picture file, or an example photo or a style by name."""
    if picture in {photo.name for photo in list_contents()}:
        return to_tensor(load_content(picture))
    if picture in {style.name for style in list_styles()}:
        return to_tensor(load_style(picture, 1024))
    return to_tensor(decode(picture))


def _last(content: Tensor, style: Tensor, **settings: Any) -> Tensor:
    for step in style_transfer(content, style, **settings):
        image = step.image
    return image.cpu()


def contact_sheet(rows: Sequence[Sequence[Tensor]], cell: int = 256, columns: int = 2) -> Image.Image:
    """The images (1, 3, H, W) of each row side by side, each within `cell` pixels; `columns` rows abreast."""
    strips = [[to_pil(resize(image, cell)) for image in row] for row in rows]
    width, lines = cell * max(map(len, strips)), -(-len(strips) // columns)
    sheet = Image.new("RGB", (width * columns, cell * lines), "white")
    for i, strip in enumerate(strips):
        for j, picture in enumerate(strip):
            sheet.paste(picture, (width * (i % columns) + cell * j, cell * (i // columns)))
    return sheet
