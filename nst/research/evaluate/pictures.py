"""Pictures of comparisons: read, painted, and side by side on a sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from nst.images import decode, resize, save, to_pil, to_tensor
from nst.styles import load_content, load_style, open_named
from nst.stylize import style_transfer

LABEL = 32
"""Height in pixels of a line of text on a sheet."""


def means(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each number."""
    return {name: mean(score[name] for score in scores) for name in scores[0]}


def write(path: Path, picture: Image.Image) -> None:
    """Save a picture, and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, picture)


def load(path: str | Path) -> Tensor:
    """The picture (1, 3, H, W) of a file."""
    return to_tensor(decode(path))


def last(content: Tensor, style: Tensor, **settings: Any) -> Tensor:
    """The picture that a run of `style_transfer` ends with."""
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


def side_by_side(style: Tensor, columns: Mapping[str, Mapping[str, Tensor]]) -> Image.Image:
    """A sheet in original size: a column for each maker under its name, a row for each photo; first the style.

    Args:
        style: (1, 3, H, W) in [0, 1].
        columns: results by photo, by maker; the first has every photo.
    """
    names, first = list(columns), next(iter(columns.values()))
    rows: list[list[Tensor | None]] = [[columns[by].get(photo) for by in names] for photo in first]
    width = max(image.shape[-1] for row in rows for image in row if image is not None)
    heights = [max(image.shape[-2] for image in row if image is not None) for row in rows]
    top = LABEL + style.shape[-2]
    sheet = Image.new("RGB", (max(width * len(names), style.shape[-1]), top + LABEL + sum(heights)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=LABEL - 8)
    draw.text((4, 2), "style", fill="black", font=font)
    sheet.paste(to_pil(style), (0, LABEL))
    for x, by in enumerate(names):
        draw.text((4 + x * width, top + 2), by, fill="black", font=font)
    top += LABEL
    for row, height in zip(rows, heights, strict=True):
        for x, image in enumerate(row):
            if image is not None:
                sheet.paste(to_pil(image), (x * width, top))
        top += height
    return sheet


def open_content(name: str) -> Tensor:
    """A photo (1, 3, H, W): a file, or an example by name."""
    return to_tensor(open_named(name, load_content)[1])


def named_style(text: str) -> tuple[str, Tensor]:
    """A style's name and its picture: NAME=FILE, a file that is called so, or one known by name."""
    name, picture = open_named(text, load_style, 1024)
    return name, to_tensor(picture)


def open_style(name: str) -> Tensor:
    """A style picture (1, 3, H, W): a file, or one known by name."""
    return named_style(name)[1]
