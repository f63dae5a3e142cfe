"""Comparisons over whole grids of pictures, judged by a network that made none of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from PIL import Image
from torch import Tensor

from nst.encoders import load_encoder
from nst.images import decode, resize, save, to_pil, to_tensor
from nst.metrics import luminance_ssim, style_distance
from nst.stylize import style_transfer


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
        content = to_tensor(decode(content_path))
        small = resize(content, size)
        for style_path in styles:
            style = to_tensor(decode(style_path))
            painted = resize(style, size)
            results = [_last(content, style, encoder=name, **settings) for name in (judge, encoder)]
            start, own, other = (style_distance(x, painted, network) for x in (small, *results))
            row: dict[str, Any] = {"content": Path(content_path).stem, "style": Path(style_path).stem}
            row |= {"start": start, "judge": own, "encoder": other, "closure": (start - other) / (start - own)}
            row |= {"judge_ssim": luminance_ssim(results[0], small), "ssim": luminance_ssim(results[1], small)}
            rows.append(row)
            strips.append([small, painted, *results])
            yield row
    yield {"content": "mean", "style": ""} | {k: mean(r[k] for r in rows) for k in rows[0] if k not in ("content", "style")}
    if out:
        save(Path(out) / "encoders.jpg", contact_sheet(strips))


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
