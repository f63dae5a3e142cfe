"""Nodes for ComfyUI: one that optimizes, and one that paints in one pass.

ComfyUI (https://github.com/comfyanonymous/ComfyUI) takes them once a folder in its `custom_nodes` has a file
`__init__.py` with this line, and Pastiche is installed in its environment:

    from nst.integrations.comfyui import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

Its pictures are float tensors (N, H, W, 3) in [0, 1], ours (1, 3, H, W).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import torch
from torch import Tensor

from nst import taught
from nst.fast import fast_styles, make_painter
from nst.optimize import Step
from nst.settings.setting import Setting
from nst.tasks import TASKS
from nst.tasks.fast import known

SIZE = 512
"""Long side of a result in pixels, unless another one is chosen."""


def _choice(setting: Setting, default: Any = None) -> tuple[Any, dict[str, Any]]:
    """A setting as ComfyUI has it: its type or its choices, and what more there is to say."""
    default = setting.default if default is None else default
    told: dict[str, Any] = {"default": default, "tooltip": setting.help}
    if setting.options:
        return list(setting.options), told
    kinds = {int: "INT", float: "FLOAT", bool: "BOOLEAN", str: "STRING"}
    if setting.kind in (int, float):
        told |= {"min": setting.low, "max": setting.high, "step": 1 if setting.kind is int else setting.step or 0.01}
    return kinds[setting.kind], told


def _ours(images: Tensor) -> list[Tensor]:
    return [image.permute(2, 0, 1)[None, :3].float().cpu().contiguous() for image in images]


def _theirs(pictures: list[Tensor]) -> Tensor:
    return torch.cat([picture.permute(0, 2, 3, 1).clamp(0, 1).contiguous() for picture in pictures])


def _watched(steps: Iterator[Step]) -> Tensor:
    """The last picture of a run; ComfyUI is told how far it is, and may interrupt it."""
    with closing(steps):  # type: ignore[type-var]
        told = _telling()
        for step in steps:
            told(step)
    return step.image.cpu()


def _telling() -> Callable[[Step], None]:
    """What shows a step in ComfyUI, and raises if its user has pressed Cancel; elsewhere it does nothing."""
    shown, management = (sys.modules.get(f"comfy.{name}") for name in ("utils", "model_management"))
    if not shown or not management:
        return lambda step: None
    bar = shown.ProgressBar(100)

    def tell(step: Step) -> None:
        bar.update_absolute(round(100 * step.work))
        management.throw_exception_if_processing_interrupted()

    return tell


class Node:
    """What both nodes have in common: pictures in, pictures out."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "paint"
    CATEGORY = "image/style transfer"


class PasticheOptimize(Node):
    """A photo in the manner of a painting, step by step."""

    DESCRIPTION = "Repaints a photo in the manner of a painting, by optimizing it (Gatys et al. 2016)."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:
        """What the node takes, in ComfyUI's form."""
        rows = TASKS["style_transfer"].settings
        pictures: dict[str, Any] = {"content": ("IMAGE",), "style": ("IMAGE",)}
        more = {name: _choice(rows[name]) for name in ("strength", "preset", "seed", "preserve_color", "encoder")}
        return {"required": pictures | {"size": _choice(rows["size"], SIZE)} | more}

    def paint(self, content: Tensor, style: Tensor, **settings: Any) -> tuple[Tensor]:
        """The results (N, H, W, 3) of photos and a style (1 or N, H, W, 3) in [0, 1]; of several styles a mixture."""
        run, styles = TASKS["style_transfer"].run, _ours(style)
        return (_theirs([_watched(run(content=photo, style=styles, **settings)) for photo in _ours(content)]),)


class PasticheFast(Node):
    """A photo in a style that a network has learned, or in any, in one pass."""

    DESCRIPTION = "Repaints photos in one pass of a network: in a style by name, or in that of a picture."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:
        """What the node takes, in ComfyUI's form."""
        rows = TASKS["fast"].settings
        more = {name: _choice(rows[name]) for name in ("strength", "brush", "preserve_color")}
        names = [*fast_styles(), *taught.names()]
        named = {"style": (names, {"tooltip": "Not heeded where a picture is given as the style."})}
        required = {"content": ("IMAGE",)} | named | {"size": _choice(rows["size"], SIZE)} | more
        return {"required": required, "optional": {"style_picture": ("IMAGE",)}}

    def paint(self, content: Tensor, style: str, style_picture: Tensor | None = None, **settings: Any) -> tuple[Tensor]:
        """The results (N, H, W, 3) of photos (N, H, W, 3) in [0, 1]."""
        painter = make_painter([known(style)] if style_picture is None else _ours(style_picture)[:4])
        return (_theirs([painter.paint(photo, **settings) for photo in _ours(content)]),)


NODE_CLASS_MAPPINGS = {"PasticheOptimize": PasticheOptimize, "PasticheFast": PasticheFast}
NODE_DISPLAY_NAME_MAPPINGS = {"PasticheOptimize": "Pastiche: optimize", "PasticheFast": "Pastiche: fast style"}
