"""Endpoints for programs, where the host switched them on: through the same line and limits as the tabs.

Pictures come as names of examples or inside the request, never as addresses: nothing is fetched for a stranger.
"""

from __future__ import annotations

import base64
import binascii
import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from nst import fast, taught, translate
from nst.images import ImageError, decode
from nst.server import admission, limits, tempfiles
from nst.settings import SETTINGS
from nst.tasks import TASKS
from nst.tasks.recipe import valid_settings
from nst.ui import faces, pictures
from nst.ui.events import as_message
from nst.ui.painting import Load, Order, Painting, Run
from nst.video import EXAMPLES, example_file

DEFAULTS, FAST, VIDEO, TRANSLATE, FACES = (
    TASKS[name].defaults for name in ("style_transfer", "fast", "video", "translate", "faces")
)


def stylize(
    content: str,
    style: str,
    strength: float = DEFAULTS["strength"],
    size: int = DEFAULTS["size"],
    preset: str = DEFAULTS["preset"],
    seed: int = DEFAULTS["seed"],
) -> Order:
    """Repaint a photo in the manner of a painting.

    Args:
        content: the photo: the name of an example, such as "chelsea", or a picture as data:image/...;base64,...
        style: the painting: the name of a style, such as "waves", or a picture as data:image/...;base64,...
        strength: 0 keeps the photo as it is, 100 asks for the style alone.
        size: long side of the result in pixels.
        preset: draft, good or best: how long to paint.
        seed: the same seed gives the same picture on the same machine.

    Returns:
        The result as PNG, with its recipe inside.
    """
    settings = _checked("style_transfer", strength=strength, size=size, preset=preset, seed=seed)
    files: dict[str, str | list[str]] = {"content": _file("content", content), "style": _file("style", style)}
    return Order(settings, files, names={"content": _name(content), "style": _name(style)})


def paint_fast(
    content: str,
    style: str,
    strength: float = FAST["strength"],
    size: int = 512,
    preserve_color: str = FAST["preserve_color"],
) -> Order:
    """Repaint a photo in a blink, by a network that has learned the style, or looks once at any picture.

    Args:
        content: the photo: the name of an example, such as "chelsea", or a picture as data:image/...;base64,...
        style: a style that a network has learned, such as "starry_night", or was taught on this machine, the name of
            another one, such as "night", or a picture as data:image/...;base64,...
        strength: 0 gives the photo back, 100 the style in full.
        size: long side of the result in pixels.
        preserve_color: none, or how the photo's colors are kept.

    Returns:
        The result as PNG, with its recipe inside.
    """
    settings = _checked("fast", strength=strength, size=size, preserve_color=preserve_color)
    alone = style in {entry.name for entry in fast.networks()}
    settings |= {"weights": [1.0]} | ({"model": style} if alone else {})
    return _order("fast", settings, "content", content, style=style, taken=style if alone else _style(style))


def paint_clip(
    content: str,
    style: str,
    consistency: float = VIDEO["consistency"],
    size: int = 512,
    preserve_color: str = VIDEO["preserve_color"],
) -> Order:
    """Repaint a clip in the manner of a painting, without flicker.

    Args:
        content: the clip: the name of an example, such as "river", or a clip as data:video/...;base64,...
        style: a style that a network has learned, such as "starry_night", or was taught on this machine, the name of
            another one, such as "night", or a picture as data:image/...;base64,...
        consistency: from 0 to 100: how much each frame goes on from the one before it.
        size: long side of the result in pixels.
        preserve_color: none, or how the clip's colors are kept.

    Returns:
        The result as MP4, with the clip's sound, and its recipe inside.
    """
    settings = _checked("video", consistency=consistency, size=size, preserve_color=preserve_color)
    return _order("video", settings, "clip", content, style=style, taken=_style(style))


def translate_photo(content: str, direction: str, size: int = TRANSLATE["size"]) -> Order:
    """Make a zebra of a horse, a painting by van Gogh of a photo, or a photo of such a painting.

    Args:
        content: the photo: the name of an example, such as "chelsea", or a picture as data:image/...;base64,...
        direction: what becomes of it.
        size: long side of the result in pixels.

    Returns:
        The result as PNG, with its recipe inside.
    """
    settings = _checked("translate", direction=direction, size=size)
    return _order("translate", settings | {"model": translate.model_of_each()[direction]}, "content", content)


def make_faces(
    count: int = FACES["count"], seed: int = FACES["seed"], truncation: float = FACES["truncation"]
) -> Order:
    """Make faces that never existed, side by side; for research, not for commercial use.

    Args:
        count: how many.
        seed: the number of the first one.
        truncation: how various they are: 0 is the mean face, 1 takes every risk.

    Returns:
        The sheet as PNG, with its recipe inside.
    """
    return faces.order_of(_checked("faces", count=count, seed=seed, truncation=truncation))


TOOLS: dict[Callable[..., Order], str] = {
    stylize: "style_transfer",
    paint_fast: "fast",
    paint_clip: "video",
    translate_photo: "translate",
    make_faces: "faces",
}
"""Every endpoint: what its arguments order, as a function whose name, signature and docstring programs are shown; and
the task that it is of."""


def create(runs: Mapping[str, Run] | None = None, load: Load | None = None) -> None:
    """Add the endpoints `TOOLS` to the page that is being laid out. `runs` by endpoint, and `load`, take the place of
    the recipes within the limits and of what loads their models."""
    for order, name in TOOLS.items():
        task = TASKS[name]
        run = (runs or {}).get(order.__name__) or limits.limited(task.run, name)
        form: dict[str, Any] = {"label": "result", "visible": False}
        given = [_input(p.name, p.default) for p in inspect.signature(order).parameters.values()]
        result = gr.File(**form) if task.paints_clips else gr.Image(type="filepath", format="png", **form)
        gr.Button(visible=False).click(
            _painting(order, run, load or task.load),
            given,
            result,
            api_name=order.__name__,
            api_visibility="public",
            concurrency_limit=limits.IN_LINE,
            concurrency_id=admission.DEVICE,
        )


def _painting(order: Callable[..., Order], run: Run, load: Load) -> Callable[..., str]:
    """A function with the same arguments that paints what they order, and gives the path of the result."""

    @functools.wraps(order)
    def paint(*given: Any, **named: Any) -> str:
        with as_message():
            painting = Painting(order(*given, **named))
            for _ in painting.paint(run, load):
                pass
            painting.finish()
        return str(painting.clip or painting.result)

    return paint


def _input(name: str, default: Any) -> Component:
    """The component, which nobody sees, that says what an argument may be."""
    form: dict[str, Any] = {"label": name, "visible": False}
    if name == "direction":
        ways = list(translate.model_of_each())
        return gr.Dropdown(ways, value=ways[0] if ways else None, **form)
    if SETTINGS.get(name) and (choices := SETTINGS[name].choices):
        return gr.Dropdown(list(choices), value=default, **form)
    if isinstance(default, float):
        return gr.Slider(SETTINGS[name].low, SETTINGS[name].high, default, **form)  # type: ignore[arg-type]
    return gr.Textbox(**form) if isinstance(default, type) else gr.Number(default, precision=0, **form)


def _order(task: str, settings: dict[str, Any], kind: str, content: str, style: str = "", taken: Any = None) -> Order:
    """An order of one pass over a photo or a clip, in a style as it is named and as the network takes it."""
    names: dict[str, Any] = {"content": _name(content)} | ({"style": [_name(style) or "a picture"]} if style else {})
    return Order(
        settings,
        {"content": _file(kind, content)},
        task=task,
        layout=TASKS[task].layout(TASKS[task].defaults | settings),
        names=names,
        extras={"style": [taken]} if style else {},
        continues=False,
    )


def _checked(task: str, **asked: Any) -> dict[str, Any]:
    """These settings; raises ValueError where one makes no sense, or is more than is painted here."""
    settings = valid_settings(asked, task)
    if wrong := sorted(name for name, value in asked.items() if settings.get(name) != value):
        raise ValueError(f"This makes no sense: {', '.join(f'{name} {asked[name]!r:.40}' for name in wrong)}.")
    limits.check(settings, task)
    return settings


def _name(given: str) -> str | None:
    """The name of an example, if that is what is given, and not a picture."""
    return None if given.startswith("data:") else given


def _style(style: str) -> str | taught.Taught | Path:
    """A style as a network takes it: by name, if it was learned; as it was taught by whoever uses this machine, which
    strangers do on their own pages alone; else its picture."""
    if style in fast.fast_styles():
        return style
    own = taught.find(style) if limits.current() is not limits.STRICT else None
    return own or Path(_file("style", style))


def _file(kind: str, given: str) -> str:
    """A file with the picture that is named or enclosed; raises ImageError or StyleNotFound where there is none."""
    if kind == "clip" and given in EXAMPLES:
        return str(pictures.packed_file(example_file(given)))
    if _name(given):
        return str(pictures.example_file(kind, given))
    try:
        data = base64.b64decode(given.partition(",")[2], validate=True)
    except binascii.Error:
        raise ImageError("The picture inside the request is damaged: it is not base64.") from None
    if kind != "clip":
        decode(data, size=limits.current().size)
    path = tempfiles.new_file(f"{kind}.bin")
    path.write_bytes(data)
    if kind == "clip":
        limits.open_clip(str(path))
    return str(path)
