"""Paintings in the public domain, many from the source papers, fetched from Wikimedia Commons on demand.

Only the files of this list can be fetched. What comes is kept only if it decodes and is of reasonable size.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from PIL import Image

from nst.places import replacing

from .catalog import Style, StyleNotFound

if TYPE_CHECKING:
    from huggingface_hub.utils import httpx

SMALLEST_SIDE = 200  # pixels; anything smaller is an icon or a placeholder


@dataclass(frozen=True)
class Painting:
    """A painting and the name of its file at Wikimedia Commons."""

    style: Style
    file: str


def _entry(
    name: str, title: str, author: str, year: str, file: str, note: str, terms: str = ""
) -> tuple[str, Painting]:
    page = f"https://commons.wikimedia.org/wiki/File:{quote(file)}"
    return name, Painting(Style(name, title, author, year, "painting", f"public domain{terms}", page, note), file)


_GOGH = "Vincent van Gogh"
_LATE = " in the USA and where copyright ends 70 years after the author's death"  # Picabia 1953, Matisse 1954
_MUNCH = (
    "Edvard_Munch,_1893,_The_Scream,_oil,_tempera_and_pastel_on_cardboard,_91_x_73_cm,_National_Gallery_of_Norway.jpg"
)
_PICABIA = (
    "Francis_Picabia,_1913,_Udnie_(Young_American_Girl,_The_Dance),_oil_on_canvas,_290_x_300_cm,_"
    "Musée_National_d\u2019Art_Moderne,_Centre_Georges_Pompidou,_Paris..jpg"
)
_KANDINSKY = "Vassily_Kandinsky,_1923_-_Composition_8,_huile_sur_toile,_140_cm_x_201_cm,_Musée_Guggenheim,_New_York.jpg"

PAINTINGS: dict[str, Painting] = dict(
    (
        _entry(
            "starry_night",
            "The Starry Night",
            _GOGH,
            "1889",
            "Van_Gogh_-_Starry_Night_-_Google_Art_Project.jpg",
            "turning strokes of blue and yellow; Gatys et al. 2016",
        ),
        _entry(
            "great_wave",
            "The Great Wave off Kanagawa",
            "Katsushika Hokusai",
            "c. 1831",
            "Great_Wave_off_Kanagawa2.jpg",
            "woodblock print in Prussian blue and cream",
        ),
        _entry(
            "composition_vii",
            "Composition VII",
            "Wassily Kandinsky",
            "1913",
            "Vassily_Kandinsky,_1913_-_Composition_7.jpg",
            "a storm of colors and dark lines; Gatys et al. 2016",
        ),
        _entry(
            "shipwreck",
            "The Shipwreck of the Minotaur",
            "J. M. W. Turner",
            "c. 1810",
            "Shipwreck_turner.jpg",
            "brown and white spray of a storm; Gatys et al. 2016",
        ),
        _entry(
            "scream", "The Scream", "Edvard Munch", "1893", _MUNCH, "long waves of orange and blue; Gatys et al. 2016"
        ),
        _entry(
            "udnie",
            "Udnie (Young American Girl, The Dance)",
            "Francis Picabia",
            "1913",
            _PICABIA,
            "folded planes of cream, rust and gray",
            _LATE,
        ),
        _entry(
            "woman_with_a_hat",
            "Woman with a Hat",
            "Henri Matisse",
            "1905",
            "Matisse-Woman-with-a-Hat.jpg",
            "wild patches of green, violet and orange",
            _LATE,
        ),
        _entry(
            "wheat_field",
            "Wheat Field with Cypresses",
            _GOGH,
            "1889",
            "Wheat-Field-with-Cypresses-(1889)-Vincent-van-Gogh-Met.jpg",
            "rolling strokes in daylight; Gatys et al. 2017",
        ),
        _entry(
            "cafe_terrace",
            "Café Terrace at Night",
            _GOGH,
            "1888",
            "Vincent_Willem_van_Gogh_-_Cafe_Terrace_at_Night_(Yorck).jpg",
            "yellow light against a blue night",
        ),
        _entry(
            "self_portrait",
            "Self-Portrait",
            _GOGH,
            "1889",
            "Vincent_van_Gogh_-_Self-Portrait_-_Google_Art_Project_(454045).jpg",
            "short directed strokes of blue, green and ocher",
        ),
        _entry(
            "grande_jatte",
            "A Sunday on La Grande Jatte",
            "Georges Seurat",
            "1884",
            "A_Sunday_on_La_Grande_Jatte,_Georges_Seurat,_1884.jpg",
            "pointillism in green, violet and cream",
        ),
        _entry(
            "impression",
            "Impression, Sunrise",
            "Claude Monet",
            "1872",
            "Monet_-_Impression,_Sunrise.jpg",
            "thin broken strokes in gray-blue and orange",
        ),
        _entry(
            "kiss",
            "The Kiss",
            "Gustav Klimt",
            "1908",
            "The_Kiss_-_Gustav_Klimt_-_Google_Cultural_Institute.jpg",
            "gold leaf and small ornaments",
        ),
        _entry(
            "composition_viii",
            "Composition VIII",
            "Wassily Kandinsky",
            "1923",
            _KANDINSKY,
            "circles, lines and angles on cream",
        ),
    )
)


def cached_painting(name: str) -> Path | None:
    """Where the painting lies on this machine, or None. Makes no request."""
    path = _place(name)
    return path if path.is_file() else None


def open_painting(name: str, size: int, *, transport: httpx.BaseTransport | None = None) -> Image.Image:
    """The painting `name` of `PAINTINGS`, mode RGB, at most `size` pixels long, cached or fetched now.

    `transport` stands in for the network, for tests.

    Raises:
        StyleNotFound: it is not on this machine and cannot be had now; the message says why.
    """
    painting = PAINTINGS[name]
    image = open_fetched(_place(name), painting.file, painting.style.title, transport=transport)
    image.thumbnail((size, size), Image.Resampling.LANCZOS)
    return image


def open_fetched(
    path: Path,
    file: str,
    title: str,
    *,
    instead: str = "The drawn styles are always ready.",
    transport: httpx.BaseTransport | None = None,
) -> Image.Image:
    """A picture of Wikimedia Commons, mode RGB, from where it is kept or fetched now.

    Args:
        path: where it is kept.
        file: its name there.
        title: what it is called.
        instead: what is told where it cannot be had.
        transport: stands in for the network, for tests.

    Raises:
        StyleNotFound: it is not on this machine and cannot be had now; the message says why.
    """
    from nst.weights.hub import offline

    from .commons import CommonsError, fetch

    with contextlib.suppress(OSError):
        if image := _decode(path.read_bytes()):
            return image
    try:
        if offline():
            raise CommonsError("the network is switched off (HF_HUB_OFFLINE)")
        data = fetch(file, transport=transport)
        image = _decode(data)
        if image is None:
            raise CommonsError("what Wikimedia sent is not a whole picture")
    except CommonsError as error:
        raise StyleNotFound(f'"{title}" is not on this machine, and {error}. {instead}') from error
    _keep(path, data)
    return image


def _place(name: str) -> Path:
    from nst.weights import cache_dir

    return cache_dir() / "styles" / "paintings" / f"{name}.image"


def _decode(data: bytes) -> Image.Image | None:
    """The painting; None where the bytes are no picture, or only a thumbnail."""
    from nst.images import ImageError, decode

    try:
        image = decode(data).rgb
    except ImageError:
        return None
    return image if min(image.size) >= SMALLEST_SIDE else None


def _keep(path: Path, data: bytes) -> None:
    """Write the file whole or not at all; a folder that cannot be written only costs a new download."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            part.write_bytes(data)
