"""The tab Horse → Zebra without a browser: what is asked of the network, what is shown, and links."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
import torch
from fake_run import quick_examples
from PIL import Image

from nst import styles, translate
from nst.device import lock
from nst.images import decode, read_recipe, resize
from nst.optimize import Step
from nst.tasks import recipe as recipes
from nst.ui import tabs
from nst.ui.painting import Painting
from nst.ui.result_panel import Values
from nst.ui.translate import TranslateTab, create_tab

MODELS = {"horse2zebra": ("horse2zebra",), "photo2vangogh": ("photo2vangogh", "vangogh2photo")}


class FakeTranslation:
    """Has the signature of `translate_run`; remembers what it is asked for."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, photo: torch.Tensor, **given: Any) -> Any:
        self.calls.append(given)
        cell = resize(photo, given.get("size", 384))
        yield Step(1, 1, cell.repeat(1 + len(MODELS[given["model"]]), 1, 1, 1), {}, "Hardly anything was changed.")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    quick_examples(monkeypatch)
    monkeypatch.setattr(translate, "directions_of_all", lambda: MODELS)
    known = [SimpleNamespace(name=name, identity="0" * 64) for name in MODELS]
    monkeypatch.setattr(recipes, "list_models", lambda kind=None: known)


@pytest.fixture
def run() -> FakeTranslation:
    return FakeTranslation()


@pytest.fixture
def tab(run) -> TranslateTab:
    with gr.Blocks():
        return create_tab(run)


@pytest.fixture
def photo(tmp_path) -> str:
    path = tmp_path / "photo.png"
    Image.linear_gradient("L").convert("RGB").resize((96, 64)).save(path)
    return str(path)


def asked(tab: TranslateTab, photo: str | None, **changes: Any) -> Values:
    values = {"direction": "horse2zebra", "size": 64} | changes
    return dict(zip(tab.inputs, [photo, None, *(values[name] for name in tab.controls)], strict=True))


def test_a_press_translates_and_tells_what_is_to_be_told(tab, run, photo):
    painting = tab.begin(None, asked(tab, photo))[tab.painting]
    last = list(tab.paint(painting))[-1]
    assert run.calls == [{"model": "horse2zebra", "direction": "horse2zebra", "size": 64}]
    assert "Finished" in last[tab.status] and "Hardly anything was changed." in last[tab.status]
    before, after = (decode(path).rgb for path in last[tab.compare]["value"])
    assert before.size == after.size == (64, 43) and not lock.locked()
    recipe = read_recipe(painting.result)
    assert recipe["task"] == "translate" and recipe["settings"]["direction"] == "horse2zebra"


def test_there_and_back_is_a_sheet_and_single_pictures(tab, run, photo):
    painting = tab.begin_also(None, asked(tab, photo, direction="vangogh2photo"))[tab.painting]
    last = list(tab.paint(painting))[-1]
    assert run.calls[-1]["model"] == "photo2vangogh"
    shown = last[tab.snapshots]["value"].pictures
    assert [caption for _, caption in shown] == ["Photo", "Van Gogh → photo", "And back"]
    assert decode(shown[2][0]).rgb.size == (64, 43)
    one_way: Painting = tab.begin_also(None, asked(tab, photo))[tab.painting]
    assert one_way.order.layout.titles == ("Photo", "Horse → zebra") and one_way.order.layout.columns == 2


def test_a_photo_must_be_chosen(tab):
    with pytest.raises(gr.Error, match="Choose a photo first"):
        tab.begin(None, asked(tab, None))


def test_a_link_brings_direction_and_size_back(tab, photo):
    query = tab.make_query(asked(tab, photo, direction="vangogh2photo", size=256))
    asked_for = dict(pair.split("=") for pair in query.split("&"))
    assert asked_for["task"] == "translate" and tabs.HOMES[tabs.bench_of(asked_for)] == "Horse → Zebra"
    request: Any = SimpleNamespace(query_params=asked_for)
    updates = tab.open_page(False, None, request)
    assert updates[tab.controls["direction"]] == "vangogh2photo" and updates[tab.controls["size"]] == 256
    named: Any = SimpleNamespace(query_params={"task": "translate", "model": "photo2vangogh"})
    updates = tab.open_page(False, None, named)
    assert updates[tab.controls["direction"]] == "photo2vangogh", "a model alone asks for its first direction"
    strange: Any = SimpleNamespace(query_params={"task": "translate", "direction": "../x", "model": "<b>"})
    updates = tab.open_page(False, None, strange)
    assert updates[tab.controls["direction"]] == "horse2zebra"


def test_a_horse_is_fetched_or_it_is_told_why_not(tab, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(gr.Error, match=r"network is switched off .* Any photo of a horse of yours will do"):
        tab.fetch_horse()
    monkeypatch.setattr(styles, "open_horse", lambda: Image.new("RGB", (300, 200), "brown"))
    choice = tab.fetch_horse()[tab.slots[0].chosen]
    assert decode(choice.path).rgb.size == (300, 200) and choice.name is None
