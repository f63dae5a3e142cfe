"""Finished pictures in the page: one laid over the other, and sheets of them; static/page.js gives them life."""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from gradio.components import Component

from nst.images import ImageError, size_of
from nst.ui.markup import button


def component(name: str, base: type[Component], **own: Any) -> Any:
    """A kind of component with methods of its own. Made without gradio's metaclass, which writes a .pyi beside a
    subclass's source."""
    return ABCMeta.__new__(type(base), name, (base,), own | {"is_template": True, "__module__": __name__})


@dataclass(frozen=True)
class Pair:
    """A photo, if there is one to compare with, and what became of it, as paths or as addresses that begin with r/; and
    what is told beneath."""

    before: str | None
    after: str
    told: str = ""


@dataclass(frozen=True)
class Sheet:
    """Paths and captions of pictures, so many in a row, or in one row to swipe (0); and the place of the one that is
    chosen, where one can be."""

    pictures: Sequence[tuple[str, str]] = field(default_factory=list)
    columns: int = 0
    chosen: int | None = None


def address(path: str) -> str:
    """Where the page finds a file, relative to itself: right behind any proxy."""
    place = path if path.startswith("r/") else f"gradio_api/file={quote(Path(path).as_posix(), safe='/:')}"
    return escape(place)


def _pair(_: Component, value: Any) -> str | None:
    """HTML of a pair, or of two paths."""
    if not value:
        return ""
    pair = value if isinstance(value, Pair) else Pair(*value)
    told = f"<figcaption>{escape(pair.told)}</figcaption>" if pair.told else ""
    shown = f'<img class="after" src="{address(pair.after)}" alt="The result">'
    if pair.before is not None:
        shown += (
            f'<img class="before" src="{address(pair.before)}" alt="The photo it was made from">'
            '<input type="range" min="0" max="100" value="50" aria-label="Before and after: how much of the photo is '
            'shown"><span class="was" aria-hidden="true">Before</span><span class="is" aria-hidden="true">After</span>'
        )
    kind = "frame" if pair.before is None else "frame two"
    shown += _larger("The result")
    return f'<figure class="pair-view{_shape(pair.after)}><div class="{kind}">{shown}</div>{told}</figure>'


def _shape(path: str) -> str:
    """The end of a class and a style by which a picture that lies here, however small, is as large as there is room."""
    try:
        width, height = size_of(path)
    except ImageError:  # it lies elsewhere
        return '"'
    return f' sized" style="--ratio:{width / height:.4f}"'


def _sheet(_: Component, value: Any) -> str | None:
    """HTML of a sheet."""
    if not value or not value.pictures:
        return ""
    sheet = value
    cells = "".join(
        f"<li>{_cell(i, path, caption, sheet.chosen)}<span>{escape(caption)}</span></li>"
        for i, (path, caption) in enumerate(sheet.pictures)
    )
    kind = "strip" if not sheet.columns else "grid"
    return f'<ul class="sheet-view {kind}" style="--columns:{sheet.columns or 1}">{cells}</ul>'


def _cell(number: int, path: str, caption: str, chosen: int | None) -> str:
    """A picture that opens large; where one can be chosen, by a button of its own."""
    picture = f'<img src="{address(path)}" alt="" loading="lazy">'
    if chosen is None:
        return button(picture, data_large="", aria_label=f"{caption}, large")
    choice = button(picture, data_number=number, aria_pressed=number == chosen, aria_label=f"Choose {caption}")
    return choice + _larger(caption)


def _larger(about: str) -> str:
    """A button that shows a picture large."""
    return button("&#x2922;", **{"class": "larger"}, data_large="", aria_label=f"{about}, large")


def picture_view(element: str, about: str, **form: Any) -> gr.Image:
    """Where a picture appears while it is painted; `form` are further arguments of `gr.Image`."""
    form |= {"format": "jpeg", "show_label": False, "interactive": False, "container": False, "visible": False}
    return gr.Image(elem_id=element, alt_text=about, **form)


PairView: type[gr.HTML] = component("PairView", gr.HTML, postprocess=_pair)
SheetView: type[gr.HTML] = component("SheetView", gr.HTML, postprocess=_sheet)
"""Their values are a `Pair` or a `Sheet`; a click on a cell that can be chosen triggers `select` with its number."""
