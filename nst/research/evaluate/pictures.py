"""Pictures of comparisons: read, painted, judged, and side by side on a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from PIL import Image
from torch import Tensor

from nst.encoders import Encoder
from nst.images import decode, resize, save, to_pil, to_tensor
from nst.metrics import luminance_ssim, style_distance
from nst.styles import list_contents, list_styles, load_content, load_style
from nst.stylize import style_transfer


def judged(image: Tensor, content: Tensor, style: Tensor, size: int, judge: Encoder) -> dict[str, float]:
    """Share of the judge's style distance from content to style that is closed, and the content's structure that is
    kept, both at this size."""
    kept, painted = resize(content, size), resize(style, size)
    image = resize(image, (kept.shape[-2], kept.shape[-1]))  # rounded otherwise, if it comes from another size
    closed = 1 - style_distance(image, painted, judge) / style_distance(kept, painted, judge)
    return {"closed": closed, "ssim": luminance_ssim(image, kept)}


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


def open_content(name: str) -> Tensor:
    """A photo (1, 3, H, W): a file, or an example by name."""
    known = {photo.name for photo in list_contents()}
    return to_tensor(load_content(name)) if name in known and not Path(name).exists() else load(name)


def open_style(name: str) -> Tensor:
    """A style picture (1, 3, H, W): a file, or one known by name."""
    known = {style.name for style in list_styles()}
    return to_tensor(load_style(name, 1024)) if name in known and not Path(name).exists() else load(name)
