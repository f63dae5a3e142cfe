"""The nodes, called as ComfyUI calls them."""

from __future__ import annotations

import inspect
import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
import torch
from test_teach import style as taught_style
from tiny import picture

from nst import taught
from nst.fast import fast_stylize
from nst.integrations.comfyui import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS
from nst.settings import PRESETS
from nst.stylize import style_transfer

PHOTO = picture(1, 48, 64)
STYLE = picture(2, 40, 40)


def image(*pictures: torch.Tensor) -> torch.Tensor:
    """Pictures as ComfyUI passes them on."""
    return torch.cat(pictures).permute(0, 2, 3, 1)


def called(name: str, **given: Any) -> torch.Tensor:
    """What a node makes of these inputs and of the defaults of all others, by ComfyUI's own steps."""
    node = NODE_CLASS_MAPPINGS[name]
    required = node.INPUT_TYPES()["required"]
    values = {key: default_of(*form) for key, form in required.items() if form[0] != "IMAGE"} | given
    assert set(required) <= values.keys()
    (result,) = getattr(node(), node.FUNCTION)(**values)
    assert node.RETURN_TYPES == ("IMAGE",) and result.dtype == torch.float32
    return result


def default_of(kind: Any, more: dict[str, Any]) -> Any:
    value = more.get("default", kind[0] if isinstance(kind, list) else None)
    if isinstance(kind, list):
        assert value in kind, "or ComfyUI refuses it"
    else:
        assert isinstance(value, {"INT": int, "FLOAT": int | float, "BOOLEAN": bool, "STRING": str}[kind])
        assert kind not in ("INT", "FLOAT") or more["min"] <= value <= more["max"]
    return value


@pytest.mark.parametrize("name", NODE_CLASS_MAPPINGS)
def test_a_node_has_all_that_comfyui_asks_for(name):
    node = NODE_CLASS_MAPPINGS[name]
    assert NODE_DISPLAY_NAME_MAPPINGS[name] and node.CATEGORY and node.DESCRIPTION
    taken = inspect.signature(getattr(node, node.FUNCTION)).parameters
    assert {"content"} <= set(taken) and ("IMAGE",) in node.INPUT_TYPES()["required"].values()


@pytest.fixture(autouse=True)
def short_draft(monkeypatch):
    """A draft that takes a few steps."""
    monkeypatch.setitem(PRESETS, "draft", replace(PRESETS["draft"], num_steps=6))


def test_a_photo_is_optimized_as_by_the_library():
    result = called("PasticheOptimize", content=image(PHOTO), style=image(STYLE), size=64, preset="draft")
    for step in style_transfer(PHOTO, [STYLE], size=64, preset="draft"):
        last = step
    assert torch.equal(result, image(last.image))


def test_photos_are_painted_in_one_pass_one_by_one():
    result = called("PasticheFast", content=image(PHOTO, PHOTO.flip(3)), style="waves", size=64)
    assert result.shape == (2, 48, 64, 3)
    assert torch.equal(result[:1], image(fast_stylize(PHOTO, ["waves"], size=64)))
    other = called("PasticheFast", content=image(PHOTO), style="waves", style_picture=image(STYLE), size=64)
    assert torch.equal(other, image(fast_stylize(PHOTO, [STYLE], size=64)))


def test_a_taught_style_is_among_the_styles(monkeypatch, tmp_path):
    monkeypatch.setenv("PASTICHE_CACHE", str(tmp_path))
    taught.keep(taught_style("mine"))
    result = called("PasticheFast", content=image(PHOTO), style="mine", size=64)
    assert torch.equal(result, image(fast_stylize(PHOTO, [taught.find("mine")], size=64)))


def test_comfyui_is_told_how_far_it_is_and_may_interrupt(monkeypatch):
    seen: list[int] = []

    class Bar:
        def __init__(self, total: int) -> None:
            assert total == 100

        def update_absolute(self, value: int) -> None:
            seen.append(value)

    class Interrupted(Exception):
        pass

    def cancel() -> None:
        if len(seen) == 3:
            raise Interrupted

    utils, management = ModuleType("comfy.utils"), ModuleType("comfy.model_management")
    utils.ProgressBar, management.throw_exception_if_processing_interrupted = Bar, cancel
    monkeypatch.setitem(sys.modules, "comfy.utils", utils)
    monkeypatch.setitem(sys.modules, "comfy.model_management", management)
    with pytest.raises(Interrupted):
        called("PasticheOptimize", content=image(PHOTO), style=image(STYLE), size=64, preset="draft")
    assert seen == sorted(seen) and 0 < seen[0] <= seen[-1] < 100
