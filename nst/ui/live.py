"""What the camera sees, painted as it goes: a part of the tab Fast styles."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component
from PIL import Image

from nst import fast
from nst.device import lock
from nst.images import ImageError, Picture, decode, resize, to_tensor
from nst.server import inputs
from nst.ui import pictures, settings, stylerow
from nst.ui.markup import small_print
from nst.video.optimized import to_bytes
from nst.video.steady import Steady

OWN = "own"
"""Stands for the visitor's own picture among the styles that are chosen."""

LIVE, MOST_SEEN = 384, 10_000_000
"""Long side in pixels at which what the camera sees is painted, and the pixels that a camera may have."""


class Live:
    """The closed section, laid out where `lay_out` is called.

    Args:
        look: looks at styles once, to paint in them; has the signature of `nst.fast.make_painter`.
        taken: gives styles by name as that takes them, though `OWN` as it is, and the network that they need, or "".
        is_here: whether what a style needs need not be fetched.
    """

    def __init__(
        self,
        look: Callable[..., Any],
        taken: Callable[[Sequence[str]], tuple[list[Any], str]],
        is_here: Callable[[str], bool],
    ) -> None:
        self.taken, self.is_here = taken, is_here
        self.painter = lru_cache(maxsize=8)(partial(_painter, look))
        self.steady = lru_cache(maxsize=8)(lambda *whose: Steady())

    def lay_out(self) -> None:
        with gr.Accordion("Live from the camera", open=False, elem_id="fast-camera", elem_classes="more-box"):
            with gr.Row():
                self.camera = pictures.Camera(sources="webcam", streaming=True, label="Camera", height=240)
                self.shown = gr.Image(streaming=True, interactive=False, label="Painted", height=240, buttons=[])
            self.rate = small_print("Choose a style above, then start the camera.")

    def wire(self, given: Sequence[Component]) -> None:
        """Have the camera's pictures painted; `given` are the further arguments of `paint`."""
        self.camera.stream(
            self.paint,
            [self.camera, *given],
            [self.shown, self.rate],
            stream_every=0.1,
            time_limit=120,
            concurrency_limit=2,
            show_progress="hidden",
            api_visibility="private",
        )

    def paint(
        self,
        seen: bytes | str | None,
        chosen: list[str],
        corner: tuple[float, float],
        own: str | None,
        strength: float,
        model: str = settings.AUTO,
    ) -> Iterator[list[Any]]:
        """One picture of the camera, painted; while somebody else computes, it is left out."""
        names = [name for name in chosen if name != OWN or own]
        away = [name for name in names if not self.is_here(name)]
        if away:
            yield [gr.skip(), f"<p>Paint a picture in {stylerow.title(away[0])} first: then its network is here.</p>"]
            return
        try:
            frame = to_tensor(_frame(seen)) if seen else None
        except ImageError as error:
            yield [gr.skip(), f"<p>{escape(str(error))}</p>"]
            return
        if frame is None or not names or not lock.acquire(blocking=False):
            yield [gr.skip(), gr.skip()]
            return
        try:
            began = time.monotonic()
            known, network = self.taken(names)
            which = network or (model if OWN in known and model != settings.AUTO else None)
            painter = self.painter(tuple(known), own, tuple(stylerow.weights(len(known), corner)), which)
            painted = painter.paint(frame, size=LIVE, strength=strength)
            steady = self.steady(inputs.session(), tuple(names), tuple(corner))
            shown = steady.fuse(to_bytes(resize(frame, painted.shape[-2:])), to_bytes(painted))
            rate = 1 / max(time.monotonic() - began, 1e-3)
        finally:
            lock.release()
        yield [Image.fromarray(shown), f"<p>{rate:.0f} pictures a second on this machine</p>"]


def _frame(seen: bytes | str) -> Picture:
    """What the camera sees, at the size at which it is painted."""
    return decode(seen, max_pixels=MOST_SEEN, size=LIVE) if isinstance(seen, bytes) else pictures.opened(seen, LIVE)


def _painter(
    look: Callable[..., Any], names: tuple[Any, ...], own: str | None, shares: tuple[float, ...], model: str | None
) -> Any:
    """Styles as a camera's pictures are painted in them: they are looked at once, not with each."""
    given = [to_tensor(pictures.opened(str(own), 2 * fast.STYLE_SIZE)) if name == OWN else name for name in names]
    return look(given, shares, **({"model": model} if model else {}))
