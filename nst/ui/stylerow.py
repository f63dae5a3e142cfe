"""The gallery of styles that are a click away, and the pad on which they blend: parts of the tab Fast styles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape

from nst import fast
from nst.tasks.fast import title as learned_title
from nst.ui.markup import button, webp

MIDDLE = (0.5, 0.5)
"""Where a blend begins."""

ORDER = ("top left", "top right", "bottom left", "bottom right")
THREE = ("top left", "top right", "bottom middle")
"""Where on the pad each of up to four styles is, or of up to three."""


def gallery_html(names: Sequence[str], chosen: Sequence[str], taught: Mapping[str, str] | None = None) -> str:
    """Every style that a network has learned, as a picture that this network painted; first those that were taught
    here, with their pictures."""
    cells = ""
    for name, picture in {**(taught or {}), **{name: _thumbnail(name) for name in names}}.items():
        shown = f'<img src="{picture}" alt="" width="96" height="96">' if picture else ""
        shown += f"<span>{escape(title(name))}</span>"
        cells += button(shown, data_name=name, aria_pressed=name in chosen, title=title(name))
    return f'<div class="gallery-of-styles" role="group" aria-label="Styles">{cells}</div>'


def title(name: str) -> str:
    """What a style is called."""
    if "/" in name:  # of the Hub, see `nst.ui.hubrow`
        repo, _, name = name.partition(" ")
        return name.replace("_", " ").capitalize() or repo.partition("@")[0]
    return learned_title(name)


def toggled(chosen: Sequence[str], name: str, blending: bool) -> list[str]:
    """The styles that are chosen after a click on one; of those that blend, the oldest makes room for a fifth."""
    if not blending:
        return [name]
    rest = [other for other in chosen if other != name]
    return rest if name in chosen and rest else [*rest, name][-fast.MAX_STYLES :]


@lru_cache(maxsize=64)
def _thumbnail(name: str) -> str | None:
    data = fast.thumbnail(name)
    return webp(data) if data else None


def pad_html(names: Sequence[str], corner: tuple[float, float]) -> str:
    """A square whose corners are styles; nothing for fewer than two of them."""
    if len(names) < 2:
        return ""
    marks, places = "", ORDER if len(names) > 3 else THREE
    for name, where in zip(names, places, strict=False):
        picture = _thumbnail(name)
        face = f' style="background-image:url({picture})"' if picture else ""
        marks += f'<i class="{where}" title="{escape(title(name))}"{face}></i>'
    x, y = (round(100 * at) for at in corner)
    return (
        f'<div class="pad" tabindex="0" role="slider" aria-label="Blend: drag towards a style, or use the arrow keys" '
        f'aria-valuenow="{x}" aria-valuetext="{x} % to the right, {y} % down">{marks}'
        f'<b style="left:{x}%;top:{y}%"></b></div>'
    )


def weights(count: int, corner: tuple[float, float]) -> list[float]:
    """How much of each of `count` styles at a point of the pad: bilinear between four, three or two of them."""
    x, y = (min(max(at, 0.0), 1.0) for at in corner)
    if count < 2:
        return [1.0] * count
    if count == 2:
        return [1 - x, x]
    top = [(1 - x) * (1 - y), x * (1 - y)]
    return [*top, y] if count == 3 else [*top, (1 - x) * y, x * y]


def corner(shares: Sequence[float]) -> tuple[float, float]:
    """The point of the pad where styles have these weights, or the nearest: the inverse of `weights`."""
    total = sum(shares)
    if len(shares) < 2 or len(shares) > 4 or total <= 0:
        return MIDDLE
    w = [share / total for share in shares]
    if len(w) == 2:
        return w[1], 0.5
    if len(w) == 3:
        return (w[1] / (w[0] + w[1]) if w[0] + w[1] else 0.5), w[2]
    return w[1] + w[3], w[2] + w[3]
