"""A canvas to paint on with brushes of a few colors: gradio's image editor, on a tight leash."""

from __future__ import annotations

from abc import ABCMeta
from html import escape
from typing import Any

import gradio as gr
from gradio.components.base import server
from gradio.components.image_editor import AcceptBlobs, EditorData

from nst.images import decode, save
from nst.server import tempfiles

SIZE = 640
"""Long side of what is painted on, in pixels: a mask needs no more, and it travels at each press."""

MAX_WAITING, MAX_LAYERS = 64, 4
"""Strokes of how many visitors, and how many layers of each, are kept between their upload and the run."""

OPACITY = 0.7
"""Of a stroke, so that the picture is seen through it."""


def _layers(editor: gr.ImageEditor, payload: EditorData | None) -> list[Any]:
    """The painted layers, as files or as they were encoded: gradio would decode whatever it is sent."""
    sent: Any = payload
    if payload is not None and payload.id is not None:
        sent = editor.blob_storage.pop(payload.id, None)
    layers = sent.layers if sent is not None else []
    return [getattr(layer, "path", layer) for layer in layers[:MAX_LAYERS] if layer is not None]


@server
def _accept(editor: gr.ImageEditor, data: AcceptBlobs) -> None:
    """Keep a layer that was uploaded; of the rest nothing is needed. The oldest make room."""
    index = str(data.data.get("index"))
    if data.data.get("type") != "layer" or index not in map(str, range(MAX_LAYERS)):
        return
    waiting = editor.blob_storage
    while len(waiting) >= MAX_WAITING and data.data.get("id") not in waiting:
        waiting.pop(next(iter(waiting)), None)
    gr.ImageEditor.accept_blobs(editor, data)


# Made without gradio's own metaclass, which writes a .pyi beside a subclass's source.
Canvas: type[gr.ImageEditor] = ABCMeta.__new__(
    type(gr.ImageEditor),
    "Canvas",
    (gr.ImageEditor,),
    {"preprocess": _layers, "accept_blobs": _accept, "is_template": True, "__module__": __name__},
)


def canvas(
    title: str, element: str, colors: list[str], opacity: float = OPACITY, *, visible: bool = True
) -> gr.ImageEditor:
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
        visible=visible,
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
    """A fresh canvas over a picture.

    Raises:
        nst.images.ImageError: it is none.
    """
    if not picture:
        return None
    small = decode(picture).rgb
    small.thumbnail((SIZE, SIZE))
    path = str(save(tempfiles.new_file("canvas.jpg"), small, quality=85))
    return {"background": path, "layers": [], "composite": None}


def palette(element: str) -> gr.HTML:
    """Where `palette_html` goes; a click triggers `select` with the number of the color."""
    return gr.HTML("", elem_id=element, apply_default_css=False, js_on_load=DIP)


def palette_html(entries: list[tuple[str, str]], chosen: int = 0) -> str:
    """The colors that there are, and what they stand for, as buttons.

    Args:
        entries: color and meaning.
        chosen: the one that the brush was dipped in.
    """
    items = "".join(
        f'<button type="button" data-number="{i}" aria-pressed="{str(i == chosen).lower()}">'
        f'<i style="background:{escape(color)}"></i>{escape(text)}</button>'
        for i, (color, text) in enumerate(entries)
    )
    return f'<div class="palette" role="group" aria-label="Paint with">{items}</div>'


DIP = """element.addEventListener('click', event => {
    const button = event.target.closest('button[data-number]');
    if (!button) return;
    for (const one of element.querySelectorAll('button')) one.setAttribute('aria-pressed', String(one === button));
    trigger('select', {number: Number(button.dataset.number)});
});"""
