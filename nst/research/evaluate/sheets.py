"""Pictures of comparisons: opened, and side by side on a sheet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from nst.images import decode, save, to_pil, to_tensor
from nst.styles import load_content, load_style, open_named

LABEL = 32  # height in pixels of a line of text on a sheet


def load(path: str | Path) -> Tensor:
    """The picture (1, 3, H, W) of a file."""
    return to_tensor(decode(path))


def write(path: Path, picture: Image.Image) -> None:
    """Save a picture, and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, picture)


def named_content(text: str) -> tuple[str, Tensor]:
    """A photo's name and its picture: NAME=FILE, a file that is called so, or an example."""
    name, picture = open_named(text, load_content)
    return name, to_tensor(picture)


def named_style(text: str) -> tuple[str, Tensor]:
    """A style's name and its picture: NAME=FILE, a file that is called so, or one known by name."""
    name, picture = open_named(text, load_style, 1024)
    return name, to_tensor(picture)


def side_by_side(columns: Mapping[str, Mapping[str, Tensor]], style: Tensor | None = None) -> Image.Image:
    """A sheet in original size: a column for each maker under its name, a row for each photo, all of which the first
    column has, of the results by photo; above, a style (1, 3, H, W) in [0, 1] if there is one."""
    names, first = list(columns), next(iter(columns.values()))
    rows: list[list[Tensor | None]] = [[columns[by].get(photo) for by in names] for photo in first]
    width = max(image.shape[-1] for row in rows for image in row if image is not None)
    heights = [max(image.shape[-2] for image in row if image is not None) for row in rows]
    above = (0, 0) if style is None else (LABEL + style.shape[-2], style.shape[-1])
    sheet = Image.new("RGB", (max(width * len(names), above[1]), above[0] + LABEL + sum(heights)), "white")
    draw, top = ImageDraw.Draw(sheet), above[0] + LABEL
    if style is not None:
        draw.text((4, 2), "style", fill="black", font=_font("style", width))
        sheet.paste(to_pil(style), (0, LABEL))
    for x, by in enumerate(names):
        draw.text((4 + x * width, above[0] + 2), by, fill="black", font=_font(by, width))
    for row, height in zip(rows, heights, strict=True):
        for x, image in enumerate(row):
            if image is not None:
                sheet.paste(to_pil(image), (x * width, top))
        top += height
    return sheet


def _font(text: str, width: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """In which a text is no wider than a column."""
    largest = ImageFont.load_default(size=LABEL - 8)
    return ImageFont.load_default(size=min(LABEL - 8, (LABEL - 8) * (width - 8) / largest.getlength(text)))
