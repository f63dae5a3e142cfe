"""Networks of others, fetched from a stand-in for the Hub when a visitor of the tab Fast styles chooses one."""

from __future__ import annotations

import io
from typing import Any

import gradio as gr
import huggingface_hub
import pytest
import torch
from fake_hub import FakeHub, go_online
from fake_run import quick_examples
from PIL import Image
from test_fast_tab import asked
from test_stylizers import example, onnx_bytes  # noqa: F401  (a fixture)

from nst import fast, weights
from nst.fast import fast_stylize, model_for, networks
from nst.images import decode, read_recipe, to_tensor
from nst.registry import find_model, forget_models, load_model
from nst.ui import hubrow, stylerow
from nst.ui.fast import FastTab, create_tab

PTH, ONNX = "starry-night-512", "candy"


@pytest.fixture
def hub(example, tmp_path, monkeypatch):  # noqa: F811
    """One of the networks as a .pth file, and one as an .onnx file that is not the one asked for."""
    _, tensors = example
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    go_online(monkeypatch, tmp_path)
    quick_examples(monkeypatch)
    file = io.BytesIO()
    torch.save(tensors, file)
    with FakeHub() as server:
        for name, data in ((PTH, file.getvalue()), (ONNX, onnx_bytes(tensors))):
            entry = find_model(name)
            server.add(entry.repo, entry.revision, entry.file, data)
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server
    huggingface_hub.close_session()
    forget_models()


@pytest.fixture
def tab(hub) -> FastTab:
    with gr.Blocks():
        return create_tab(fast.fast_run, lambda: ("ink", "waves"))


@pytest.fixture
def photo(tmp_path) -> str:
    path = tmp_path / "photo.png"
    Image.linear_gradient("L").convert("RGB").resize((48, 32)).save(path)
    return str(path)


def views(tab: FastTab, photo: str, chosen: list[str]) -> tuple[Any, list[Any]]:
    painting = tab.begin(None, asked(tab, photo, chosen))[tab.painting]
    return painting, list(tab.paint(painting))


def test_one_is_fetched_when_chosen_and_painted_with_as_where_it_was_trained(tab, hub, photo, example):  # noqa: F811
    assert not hub.requests, "nothing is asked for before"
    hub.drip = (500_000, 0.1)
    painting, seen = views(tab, photo, [PTH])
    assert any("Getting the model" in view.get(tab.status, "") for view in seen)
    image = to_tensor(decode(photo))
    expected = (example[0](image * 255) / 255).clamp(0, 1)
    assert (to_tensor(decode(painting.result)) - expected).abs().mean() < 0.03
    recipe = read_recipe(painting.result)
    assert recipe["style"] == [PTH] and recipe["settings"]["model"] == PTH and len(recipe["models"][PTH]) in (40, 64)
    count = len(hub.requests)
    assert views(tab, photo, [PTH])[0].result and len(hub.requests) == count, "only once"
    assert tab.open_picture(painting.result)[tab.chosen] == [PTH]
    assert torch.equal(fast_stylize(image, [PTH]), fast_stylize(image, model=PTH))


def test_another_file_than_the_one_that_is_known_is_refused(tab, hub, photo):
    with pytest.raises(gr.Error, match="candy"):
        views(tab, photo, [ONNX])
    assert weights.find(find_model(ONNX)) is None


def test_without_network_it_says_so(tab, photo, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(gr.Error, match="HF_HUB_OFFLINE"):
        views(tab, photo, [PTH])
    live = next(tab.live.paint(Image.new("RGB", (8, 8)), [PTH], stylerow.MIDDLE, None, 100))
    assert "first" in live[1]
    with pytest.raises(weights.WeightsNotFound):
        load_model(PTH, download=False)


def test_they_are_told_with_size_and_license_and_stand_alone(tab, photo):
    shown = hubrow.html(networks(), [PTH])
    for entry in networks():
        assert f'data-name="{entry.name}"' in shown and f"MB, {entry.license}" in shown and len(entry.revision) == 40
    assert "<details" in shown and " open>" in shown and " open>" not in hubrow.html(networks(), [])
    event: Any = type("Event", (), {"name": PTH})
    assert tab.pick(event, ["ink", "waves"], True)[tab.chosen] == [PTH]
    assert tab.pick(type("Event", (), {"name": "ink"}), [PTH], True)[tab.chosen] == ["ink"]  # type: ignore[arg-type]
    assert model_for([PTH]) == PTH
    with pytest.raises(ValueError, match="cannot be blended"):
        fast_stylize(to_tensor(decode(photo)), [PTH, "ink"])
    painting = tab.begin_all(None, asked(tab, photo, [PTH]))[tab.painting]
    assert not {entry.name for entry in networks()} & set(painting.order.names["style"])
