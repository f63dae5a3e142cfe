"""Does painting on one encoder serve another as well?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from torch import Tensor

from nst.encoders import load_encoder
from nst.images import resize
from nst.metrics import luminance_ssim, style_distance
from nst.research.evaluate.pictures import contact_sheet, last, load, write


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
        content = load(content_path)
        small = resize(content, size)
        for style_path in styles:
            style = load(style_path)
            painted = resize(style, size)
            results = [last(content, style, encoder=name, **settings) for name in (judge, encoder)]
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
        write(Path(out) / "encoders.jpg", contact_sheet(strips))
