"""Stand-ins for what the tab Optimize is given: a run that only pretends, and examples that are there at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import pytest
from PIL import Image
from torch import Tensor

from nst import styles
from nst.images import resize
from nst.optimize import Step


class FakeRun:
    """A run with the signature of `style_transfer` that fades from the content to the style.

    Attributes:
        calls: the settings of every call.
        open: how many runs are under way.
    """

    def __init__(self, seconds: float = 0.0, num_steps: int = 10) -> None:
        self.seconds, self.num_steps = seconds, num_steps
        self.calls: list[dict[str, Any]] = []
        self.open = 0

    def __call__(self, content: Tensor, style: Tensor, **settings: Any) -> Iterator[Step]:
        self.calls.append(settings)
        self.open += 1
        try:
            init = settings.get("init", "content")
            start = resize(content if isinstance(init, str) else init, int(settings.get("size", 64)))
            target = resize(style, (start.shape[-2], start.shape[-1]))
            total = settings.get("num_steps") or self.num_steps
            for index in range(1, total + 1):
                time.sleep(self.seconds)
                share = index / total
                losses = {"content": 0.1 * share, "style": 1.1 - share, "tv": 0.01}
                yield Step(index, total, start * (1 - share / 2) + target * share / 2, losses, None, share)
        finally:
            self.open -= 1


def no_load(name: str, **_: object) -> None:
    """An encoder that is there at once, and is not needed."""


def laid_out(lay_out: Callable[[], Any]) -> Any:
    """What a function lays out, among quick examples; a module's tests share it, as visitors do."""
    with pytest.MonkeyPatch.context() as patch, gr.Blocks():
        quick_examples(patch)
        return lay_out()


def quick_examples(patch: pytest.MonkeyPatch) -> None:
    """Plain small pictures in place of the styles, the paintings too, which would have to be fetched."""

    def plain(name: str, size: int = 64) -> Image.Image:
        return Image.new("RGB", (96, 64), tuple(hash(name) >> i & 255 for i in (0, 8, 16)))

    patch.setattr(styles, "load_style", plain)
    patch.setattr(styles, "thumbnail", lambda name: plain(name).resize((16, 16)))
