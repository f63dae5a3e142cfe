"""Maps of drawn styles, what is where in them; and a doodle in the colors of each.

For painting by meaning: Champandard, "Semantic Style Transfer and Turning Two-Bit Doodles into Fine Artwork", 2016,
arXiv:1603.01768.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from .catalog import StyleNotFound
from .shipped import FOLDER

MEANINGS: dict[str, dict[str, str]] = {
    "meadow": {
        "Sky": "#6fb6e0",
        "Clouds": "#fbf3e0",
        "Hills": "#7a6fb8",
        "Wheat": "#f0c33c",
        "Meadow": "#63a63f",
        "Path": "#d98f9c",
        "Trees": "#1f5a44",
    },
    "night": {"Sky": "#4f8fd8", "Stars": "#ffd84a", "Hills": "#7a5fb0", "River": "#1f3f96", "Trees": "#1f5a3a"},
}
"""What is in each style that has a map, and the color that each thing has there."""

Shape = tuple[str, str]
"""What it is, and the places "x,y x,y ..." that its outline goes through, in units of the picture's long side."""

DOODLES: dict[str, Sequence[Shape]] = {
    "meadow": (
        ("Clouds", ".06,.13 .15,.07 .25,.09 .33,.05 .44,.08 .5,.13 .4,.17 .2,.18"),
        ("Clouds", ".72,.06 .82,.03 .93,.06 .9,.11 .78,.11"),
        ("Hills", "-.1,.36 .1,.27 .26,.31 .44,.2 .58,.26 .74,.17 .9,.25 1.1,.21 1.1,.5 -.1,.5"),
        ("Wheat", "-.1,.42 .2,.36 .5,.39 .8,.35 1.1,.38 1.1,.9 -.1,.9"),
        ("Meadow", "-.1,.6 .1,.52 .3,.55 .42,.64 .6,.68 .72,.57 .88,.5 1.1,.52 1.1,.9 -.1,.9"),
        ("Path", ".61,.38 .64,.38 .62,.45 .52,.51 .53,.58 .66,.68 .7,.85 .42,.85 .45,.7 .4,.6 .43,.51 .57,.44"),
        ("Trees", ".18,.07 .235,.2 .25,.38 .21,.49 .15,.48 .12,.38 .135,.2"),
        ("Trees", ".31,.22 .345,.31 .35,.41 .31,.46 .27,.41 .275,.31"),
        ("Trees", ".76,.33 .81,.25 .88,.24 .94,.3 .92,.38 .86,.42 .79,.4"),
    ),
    "night": (
        ("Stars", ".2,.05 .29,.09 .33,.18 .28,.27 .19,.3 .1,.26 .07,.17 .11,.08"),
        ("Stars", ".5,.07 .54,.1 .53,.15 .48,.16 .45,.12"),
        ("Stars", ".72,.17 .75,.2 .73,.24 .68,.24 .67,.19"),
        ("Stars", ".88,.05 .93,.08 .92,.14 .87,.15 .84,.1"),
        ("Hills", "-.1,.46 .1,.4 .28,.44 .48,.33 .62,.38 .8,.3 1.1,.36 1.1,.9 -.1,.9"),
        ("River", "-.1,.62 .14,.56 .36,.58 .52,.5 .62,.5 .56,.58 .7,.66 1.1,.62 1.1,.9 -.1,.9"),
        ("Trees", ".84,.18 .89,.32 .92,.5 .91,.66 .86,.78 .78,.74 .75,.58 .78,.36"),
        ("Trees", ".66,.4 .7,.5 .71,.62 .67,.7 .62,.64 .62,.5"),
    ),
}
"""Of each style that has a map: what is painted over what it has most of, in its sky."""


def list_maps() -> list[str]:
    """The styles that come with a map."""
    return list(MEANINGS)


def meanings(name: str) -> dict[str, str]:
    """What is in a style that has a map: words, and their colors in the map, such as "#6fb6e0".

    Raises:
        StyleNotFound: a style that has no map.
    """
    if name not in MEANINGS:
        raise StyleNotFound(f'The style "{name}" has no map; there is one of {" and of ".join(MEANINGS)}.')
    return dict(MEANINGS[name])


def load_map(name: str, size: int = 512) -> Image.Image:
    """What is where in a drawn style, flat colors, mode RGB, at long side `size`.

    Raises:
        StyleNotFound: a style that has no map.
    """
    meanings(name)
    with Image.open(FOLDER / f"{name}-map.png", formats=["PNG"]) as image:
        whole = image.convert("RGB")
    return whole.resize((size, round(size * whole.height / whole.width)), Image.Resampling.NEAREST)


def load_doodle(name: str, size: int = 512) -> Image.Image:
    """A doodle in the colors of a style's map: another picture of the same things.

    Raises:
        StyleNotFound: a style that has no map.
    """
    colors = meanings(name)
    picture = Image.new("RGB", load_map(name, size).size, colors["Sky"])
    brush = ImageDraw.Draw(picture)
    for what, outline in DOODLES[name]:
        brush.polygon([(size * x, size * y) for x, y in _smooth(outline)], fill=colors[what])
    return picture


def _smooth(outline: str) -> list[tuple[float, float]]:
    """A closed Catmull-Rom curve through the places."""
    places = np.array([[float(value) for value in place.split(",")] for place in outline.split()])
    before, after, next_but_one = (np.roll(places, -shift, 0)[:, None] for shift in (-1, 1, 2))
    t = np.linspace(0, 1, 12, endpoint=False)[:, None]
    here = places[:, None]
    curve = here + 0.5 * t * (
        after
        - before
        + t * (2 * before - 5 * here + 4 * after - next_but_one + t * (3 * (here - after) + next_but_one - before))
    )
    return [(float(x), float(y)) for x, y in curve.reshape(-1, 2)]
