"""The styles drawn by our own generators: the list, and their cache on disk.

A picture is drawn at the next of a few sizes and reduced, so that the cache holds few files; their names
carry a digest of the generators' source, so that a picture is drawn anew when its code changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import os
import secrets
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image

from .catalog import Style

SIZES = (128, 256, 512, 768, 1024, 1536, 2048)


@dataclass(frozen=True)
class Drawn:
    """A drawn style: the module of its name has `draw(size, seed) -> PIL RGB`."""

    style: Style
    seed: int


def _entry(name: str, seed: int, title: str, note: str) -> tuple[str, Drawn]:
    source = f"nst/styles/{name}.py, seed {seed}"
    return name, Drawn(Style(name, title, "Pastiche", "2026", "drawn", "CC0 1.0", source, note), seed)


DRAWN: dict[str, Drawn] = dict(
    (
        _entry("night", 7, "Night Wind", "oil, thick curling strokes: deep blues, lemon and orange lights"),
        _entry(
            "waves",
            7,
            "Tall Sea",
            "woodblock print: ink outlines, striped waves, indigo, cream and a red sun",
        ),
        _entry("meadow", 7, "Poppy Noon", "oil in daylight: wheat, poppies and rolling clouds in short strokes"),
        _entry("glass", 7, "Iris Window", "stained glass: glowing pieces between dark lead lines"),
        _entry("mosaic", 7, "Golden Tree", "mosaic: gold spirals and enamel stones laid along the outlines"),
        _entry("linocut", 7, "Harvest Moon", "linocut: gouge marks in black over orange, ocher and teal"),
        _entry("dots", 7, "Evening Regatta", "pointillism: dots of pure color at sundown"),
        _entry("prism", 3, "Harbor Prism", "cubist planes: faceted strokes in cream, rust and teal"),
        _entry("ink", 3, "Mountain Rain", "ink and mineral colors on silk: peaks, pines and mist"),
        _entry(
            "aquarelle",
            7,
            "Garden after Rain",
            "watercolor: transparent blooms with dark rims, a rainbow ground",
        ),
        _entry("marbling", 7, "Ebru", "marbled paper: combed veins of crimson, navy, ocher and cream"),
    )
)


def open_drawn(name: str, size: int) -> Image.Image:
    """The style `name` of `DRAWN` at long side `size`, 2048 at most: cached, or drawn in seconds."""
    size = min(size, SIZES[-1])
    step = next(one for one in SIZES if one >= size)
    path = _folder() / f"{name}-{step}-{_digest()}.png"
    image = _read(path, step)
    if image is None:
        entry = DRAWN[name]
        image = importlib.import_module(f"{__package__}.{name}").draw(step, entry.seed)
        _write(path, image)
    if step == size:
        return image
    scale = size / step
    return image.resize(
        (max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.LANCZOS
    )


def _folder() -> Path:
    from nst.weights import cache_dir

    return cache_dir() / "styles" / "drawn"


@lru_cache(maxsize=1)
def _digest() -> str:
    """Eight hex digits that change with the source of the generators."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def _read(path: Path, step: int) -> Image.Image | None:
    """The cached picture, or None if there is none or it is damaged."""
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            image.load()
            if image.mode != "RGB" or max(image.size) != step or image.info.get("sha256") != _sum(image):
                return None
            return image.copy()
    except Exception:  # Pillow raises whatever a damaged file leads it to
        return None


def _sum(image: Image.Image) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


def _write(path: Path, image: Image.Image) -> None:
    """Keep the picture, whole or not at all; a folder that cannot be written only costs time."""
    from PIL.PngImagePlugin import PngInfo

    note = PngInfo()
    note.add_text("sha256", _sum(image))
    fresh = path.with_name(f".{path.stem}-{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(fresh, "PNG", compress_level=4, pnginfo=note)
        os.replace(fresh, path)
        for old in path.parent.glob(f"{path.name.rsplit('-', 1)[0]}-*.png"):
            if old != path:
                old.unlink()
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
