"""A canvas to paint on with brushes of a few colors: gradio's image editor, on a tight leash."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
from gradio.components.base import server
from gradio.components.image_editor import AcceptBlobs, EditorData

from nst.images import ImageError, save, size_of
from nst.server import inputs, tempfiles
from nst.server.address import client
from nst.server.sessions import makes_room
from nst.ui.markup import button, html, moved_by
from nst.ui.pictures import opened
from nst.ui.viewer import component

SIZE = 640
"""Long side of what is painted on, in pixels: a mask needs no more, and it travels at each press."""

MAX_LAYERS, MAX_LAYER = 4, 4_000_000
"""Layers of a canvas that are heeded, and bytes of each."""

KEPT, SECONDS = 32_000_000, 120.0
"""Bytes of strokes, of all visitors and canvases, that are kept between their upload and the run; and for how long."""

OPACITY = 0.7
"""Of a stroke, so that the picture is seen through it."""


@dataclass
class _Strokes:
    """What one page has painted on a canvas, and sent ahead of the event that it is for."""

    address: str
    sent: float
    layers: dict[int, bytes]

    @property
    def size(self) -> int:
        return sum(map(len, self.layers.values()))


class _Waiting:
    """The strokes of all pages, by session and by the name that the page gave them."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], _Strokes] = {}
        self._lock = threading.Lock()

    def keep(self, session: str, name: str, index: int, layer: bytes, address: str) -> None:
        """Keep a layer; what is old is dropped, and whoever has sent most makes room."""
        now = time.monotonic()
        with self._lock:
            self._held = {key: one for key, one in self._held.items() if now - one.sent < SECONDS}
            strokes = self._held.setdefault((session, name), _Strokes(address, now, {}))
            strokes.layers[index] = layer
            while sum(one.size for one in self._held.values()) > KEPT:
                del self._held[makes_room({key: (one.address, one.size) for key, one in self._held.items()})]

    def take(self, session: str, name: str) -> list[bytes]:
        """The layers that a page has sent under a name, from the lowest up; they are kept no longer."""
        with self._lock:
            strokes = self._held.pop((session, name), None)
        if strokes is None or time.monotonic() - strokes.sent > SECONDS:
            return []
        return [layer for _, layer in sorted(strokes.layers.items())]


_waiting = _Waiting()


def _layers(_: gr.ImageEditor, payload: EditorData | None) -> list[Any]:
    """The painted layers, as files or as they were encoded: gradio would decode whatever it is sent."""
    if payload is None:
        return []
    if payload.id is not None:
        return list(_waiting.take(inputs.session(), payload.id))
    return [layer.path for layer in payload.layers[:MAX_LAYERS] if layer is not None]


@server
def _accept(_: gr.ImageEditor, data: AcceptBlobs, request: gr.Request) -> None:
    """Keep a layer that was uploaded; of the rest nothing is needed."""
    told, files = getattr(data, "data", None), getattr(data, "files", None)
    if not isinstance(told, dict) or not files or told.get("type") != "layer":
        return
    index, layer = str(told.get("index")), files[0][1]
    if index in map(str, range(MAX_LAYERS)) and len(layer) <= MAX_LAYER:
        session, name = (str(told.get(key) or "")[:100] for key in ("session_hash", "id"))
        _waiting.keep(session, name, int(index), layer, client(request))


def checked(layers: Sequence[str | bytes] | None) -> list[str | bytes]:
    """Painted layers; raises `nst.images.ImageError` where one is no picture, or larger than the canvas could make
    it."""
    for layer in layers or ():
        if max(size_of(layer)) > 2 * SIZE:
            raise ImageError("What was painted is larger than the canvas; clear it, and paint again.")
    return list(layers or ())


Canvas: type[gr.ImageEditor] = component("Canvas", gr.ImageEditor, preprocess=_layers, accept_blobs=_accept)


def canvas(title: str, element: str, colors: list[str], opacity: float = OPACITY) -> gr.ImageEditor:
    """A canvas; its value is a list of layers for `nst.stylize.painted_masks`."""
    return Canvas(
        label=title,
        elem_id=element,
        elem_classes="canvas",
        sources=(),
        transforms=(),
        layers=False,
        buttons=[],
        brush=brush(colors, opacity=opacity),
        visible=False,  # what it needs is large: it is fetched when the canvas is first shown
        height=420,
        canvas_size=(SIZE, SIZE),
        type="filepath",
    )


def brush(colors: list[str], color: str | None = None, opacity: float = OPACITY) -> gr.Brush:
    """A brush of these colors and no others, dipped in one of them."""
    dips = {shade: (shade, opacity) for shade in colors}
    return gr.Brush(
        colors=list(dips.values()), default_color=dips.get(color or ""), color_mode="fixed", default_size=28
    )


def upon(picture: str | None) -> dict[str, Any] | None:
    """A fresh canvas over a picture; raises `nst.images.ImageError` where it is none."""
    if not picture:
        return None
    small = opened(picture, SIZE).rgb
    path = str(save(tempfiles.new_file("canvas.jpg"), small, quality=85))
    return {"background": path, "layers": [], "composite": None}


def palette(element: str) -> gr.HTML:
    """Where `palette_html` goes; a click triggers `select` with the number of the color."""
    return html(element=element, js_on_load=moved_by("numbered"))


def palette_html(entries: list[tuple[str, str]], chosen: int = 0) -> str:
    """Colors and what they stand for, as buttons; `chosen` is the one that the brush was dipped in."""
    items = "".join(
        button(f'<i style="background:{escape(color)}"></i>{escape(text)}', data_number=i, aria_pressed=i == chosen)
        for i, (color, text) in enumerate(entries)
    )
    return f'<div class="palette" role="group" aria-label="Paint with">{items}</div>'
