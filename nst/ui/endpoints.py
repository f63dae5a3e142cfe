"""Endpoints for programs, where the host switched them on: through the same line and limits as the tabs.

Pictures come as names of examples or inside the request, never as addresses: nothing is fetched for a stranger.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import gradio as gr

from nst import encoders
from nst.images import ImageError, decode
from nst.recipes import DEFAULTS, valid_settings
from nst.styles import StyleNotFound
from nst.stylize import BOUNDS, CHOICES, style_transfer
from nst.ui import limits, pictures, scratch, zerogpu
from nst.ui.painting import Load, Order, Painting, Run

TOLD = (ImageError, StyleNotFound, ValueError)


def create(run: Run | None = None, load: Load = encoders.load_encoder) -> None:
    """Add the endpoint `stylize` to the page that is being laid out.

    Args:
        run: paints; has the signature of `nst.stylize.style_transfer`, which is taken if left out.
        load: loads an encoder by name.
    """
    run = run or limits.limited(zerogpu.on_gpu(style_transfer))

    def stylize(
        content: str, style: str, strength: float = 50, size: int = 512, preset: str = "good", seed: int = 0
    ) -> str:
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
        try:
            asked = {"strength": strength, "size": size, "preset": preset, "seed": seed}
            settings = valid_settings(asked)
            if wrong := sorted(name for name, value in asked.items() if settings.get(name) != value):
                raise ValueError(f"This makes no sense: {', '.join(f'{name} {asked[name]!r:.40}' for name in wrong)}.")
            limits.check(settings)
            files: dict[str, str | list[str]] = {"content": _file("content", content), "style": _file("style", style)}
            painting = Painting(Order(settings, files, names={"content": _name(content), "style": _name(style)}))
            for _ in painting.paint(run, load):
                pass
            painting.finish()
        except TOLD as error:
            raise gr.Error(str(error), print_exception=False) from None
        return str(painting.result)

    low, high = BOUNDS["strength"]
    inputs: list[Any] = [
        gr.Textbox(label="content", visible=False),
        gr.Textbox(label="style", visible=False),
        gr.Slider(low, high, DEFAULTS["strength"], label="strength", visible=False),
        gr.Number(DEFAULTS["size"], label="size", precision=0, visible=False),
        gr.Dropdown(list(CHOICES["preset"]), value=DEFAULTS["preset"], label="preset", visible=False),
        gr.Number(DEFAULTS["seed"], label="seed", precision=0, visible=False),
    ]
    result = gr.Image(label="result", type="filepath", format="png", visible=False)
    gr.Button(visible=False).click(
        stylize, inputs, result, api_name="stylize", api_visibility="public", concurrency_limit=limits.IN_LINE,
        concurrency_id="device",
    )  # fmt: skip


def _name(given: str) -> str | None:
    """The name of an example, if that is what is given, and not a picture."""
    return None if given.startswith("data:") else given


def _file(kind: str, given: str) -> str:
    """A file with the picture that is named or enclosed.

    Raises:
        ImageError: it is no picture. StyleNotFound: no example of this name.
    """
    if _name(given):
        return str(pictures.example_file(kind, given))
    try:
        data = base64.b64decode(given.partition(",")[2], validate=True)
    except binascii.Error:
        raise ImageError("The picture inside the request is damaged: it is not base64.") from None
    decode(data)
    path = scratch.new_file(f"{kind}.bin")
    path.write_bytes(data)
    return str(path)
