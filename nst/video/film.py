"""A few pictures in, a film out: WebP and GIF by Pillow, MP4 by PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from nst.images import ImageError, written

SUFFIXES = (".webp", ".gif", ".mp4")


def save_film(path: str | Path, pictures: Sequence[Image.Image], rate: float = 20, quality: int = 90) -> Path:
    """Write pictures of one size as a film that plays for ever; whole or not at all.

    Args:
        path: ends in .webp, .gif or .mp4.
        pictures: in their order; for .mp4 their sides should be even, an odd last row or column is left out.
        rate: pictures a second.
        quality: 1 to 100, of WebP.

    Raises:
        ImageError: another suffix, no pictures, or a place that cannot be written to.
    """
    path = Path(path)
    check_film(path)
    if not pictures:
        raise ImageError("A film needs at least one picture.")
    shown = [picture.convert("RGB") for picture in pictures]
    with written(path) as part:
        if path.suffix.lower() == ".mp4":
            _write_mp4(part, shown, rate)
        else:
            _write_animation(part, path.suffix.lower()[1:], shown, 1 / rate, quality)
    return path


def check_film(path: Path) -> None:
    """Raises ImageError where no film of that name could be written."""
    if path.suffix.lower() not in SUFFIXES:
        raise ImageError(f"'{path}' is no name for a film; choose one that ends in .webp, .gif or .mp4.")


def _write_animation(path: Path, kind: str, pictures: Sequence[Image.Image], seconds: float, quality: int = 90) -> None:
    options: dict[str, Any] = {"save_all": True, "duration": round(1000 * seconds), "loop": 0}
    if kind == "gif":
        pictures = [picture.quantize(256, dither=Image.Dither.FLOYDSTEINBERG) for picture in pictures]
    else:
        options |= {"quality": quality, "method": 2}
    pictures[0].save(path, kind, append_images=pictures[1:], **options)


def _write_mp4(path: Path, pictures: Sequence[Image.Image], rate: float) -> None:
    width, height = (n - n % 2 for n in pictures[0].size)  # H.264 with halved colors wants even sides
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as film:
        stream: Any = film.add_stream("libx264", rate=Fraction(rate).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt, stream.options = width, height, "yuv420p", {"crf": "18"}
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.asarray(picture.crop((0, 0, width, height))), format="rgb24")
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
