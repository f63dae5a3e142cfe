"""The tab Fast styles without a browser: which styles are chosen, how they blend, what is painted."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch
from fake_run import laid_out, quick_examples
from PIL import Image

from nst import fast
from nst.device import lock
from nst.images import decode, encode, read_recipe, resize, to_pil
from nst.optimize import Step
from nst.tasks import TASKS
from nst.ui import pictures, settings, stylerow
from nst.ui.fast import OWN, FastTab, create_tab
from nst.ui.painting import Painting
from nst.ui.result_panel import Values

NAMES = ("great_wave", "mosaic", "ink", "waves", "glass")


class FakePaint:
    """Has the signatures of `fast_run` and of `make_painter`; remembers what it is asked for."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, content: torch.Tensor, **given: Any) -> Any:
        self.calls.append(given)
        cell = resize(content, given.get("size") or max(content.shape[-2:]))
        yield Step(1, 1, cell.repeat(len(NAMES) if given.get("all") else 1, 1, 1, 1), {})

    def look(self, styles: Any, weights: Any, **given: Any) -> Any:
        self.calls.append({"styles": styles, "weights": weights, **given})
        return self

    def paint(self, content: torch.Tensor, **given: Any) -> torch.Tensor:
        self.calls.append(given)
        return resize(content, 32)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    quick_examples(monkeypatch)


@pytest.fixture(scope="module")
def shared() -> tuple[FakePaint, FastTab]:
    run = FakePaint()
    return run, laid_out(lambda: create_tab(run, lambda: NAMES, run.look))


@pytest.fixture
def run(shared) -> FakePaint:
    shared[0].calls.clear()
    return shared[0]


@pytest.fixture
def tab(run, shared) -> FastTab:
    return shared[1]


@pytest.fixture
def photo(tmp_path) -> str:
    path = tmp_path / "photo.png"
    Image.linear_gradient("L").convert("RGB").resize((48, 32)).save(path)
    return str(path)


def asked(
    tab: FastTab, photo: str | None, chosen: list[str], corner=stylerow.MIDDLE, own=None, **changes: Any
) -> Values:
    defaults = TASKS["fast"].defaults
    values = {name: settings.shown(name, defaults[name], TASKS["fast"]) for name in tab.controls} | changes
    return dict(zip(tab.inputs, [photo, own, None, None, *values.values(), chosen, corner], strict=True))


def painted(tab: FastTab, *given: Any, **changes: Any) -> tuple[Painting, dict[Any, Any]]:
    painting = tab.begin(None, asked(tab, *given, **changes))[tab.painting]
    return painting, list(tab.paint(painting))[-1]


def test_a_press_paints_in_one_pass_with_the_recipe_inside(tab, run, photo):
    painting, last = painted(tab, photo, ["mosaic"], strength=70)
    assert run.calls[-1]["style"] == ["mosaic"] and run.calls[-1]["weights"] == [1.0]
    assert "Finished" in last[tab.status] and "steps" not in last[tab.status]
    recipe = read_recipe(painting.result)
    assert recipe["task"] == "fast" and recipe["style"] == ["mosaic"] and recipe["settings"]["strength"] == 70
    assert decode(painting.result).rgb.size == (48, 32) and not lock.locked()


def test_a_style_must_be_chosen(tab, photo):
    with pytest.raises(gr.Error, match="Choose a style first"):
        tab.begin(None, asked(tab, photo, []))
    with pytest.raises(gr.Error, match="Choose a style first"):
        tab.begin(None, asked(tab, photo, [OWN]))
    assert tab.begin_quietly(None, asked(tab, None, ["ink"])) == {tab.painting: None}


def test_an_own_picture_is_a_style_like_any(tab, run, photo):
    painting, _ = painted(tab, photo, ["ink", OWN], (0.25, 0.5), own=photo)
    name, picture = run.calls[-1]["style"]
    assert name == "ink" and picture.shape == (1, 3, 32, 48) and run.calls[-1]["weights"] == [0.75, 0.25]
    assert painting.order.names["style"] == ["ink", "a picture"], "an upload's name stays here"


def test_a_blend_with_a_painting_that_cannot_be_fetched_says_so(photo):
    with gr.Blocks():
        tab = create_tab()  # with networks that blend by looking at the painting, which is not here
    painting, shown = tab.begin(None, asked(tab, photo, ["great_wave", OWN], own=photo))[tab.painting], []
    with pytest.raises(gr.Error, match='"The Great Wave off Kanagawa" is not on this machine'):
        shown.extend(tab.paint(painting))
    assert "drawn styles are always ready" in shown[-1][tab.status] and not lock.locked()


def test_which_network_paints_in_a_picture_can_be_chosen(tab, run, photo):
    for chosen, model in (([OWN], "adain"), (["ink", OWN], "adain"), (["ink"], None)):
        painting, _ = painted(tab, photo, chosen, own=photo, model="adain")
        assert run.calls[-1].get("model") == model
        assert read_recipe(painting.result)["settings"]["model"] == model
        assert tab.open_picture(painting.result)[tab.controls["model"]] == (model or settings.AUTO)
    painting, _ = painted(tab, photo, [OWN], own=photo)
    assert "model" not in run.calls[-1], "left out, it is the default one"
    next(tab.live.paint(encode(Image.new("RGB", (8, 8))), [OWN], stylerow.MIDDLE, photo, 100, "adain"))
    assert run.calls[-2]["model"] == "adain"


def test_a_camera_looks_at_an_own_style_once(tab, run, photo):
    seen = encode(Image.new("RGB", (8, 8)))
    for _ in range(3):
        next(tab.live.paint(seen, [OWN], stylerow.MIDDLE, photo, 100))
    assert len([call for call in run.calls if "styles" in call]) == 1
    next(tab.live.paint(seen, [OWN, "ink"], stylerow.MIDDLE, photo, 100))
    assert len([call for call in run.calls if "styles" in call]) == 2, "others are looked at anew"


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("corner", [(0.0, 0.0), (1.0, 0.0), (0.3, 0.7), (1.0, 1.0)])
def test_weights_on_the_pad_sum_to_one(count, corner):
    found = stylerow.weights(count, corner)
    assert len(found) == count and sum(found) == pytest.approx(1) and min(found) >= 0


def test_the_corners_of_the_pad_are_the_pure_styles():
    corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
    assert [stylerow.weights(4, corner).index(1.0) for corner in corners] == [0, 1, 2, 3]
    assert stylerow.weights(3, (0.4, 1.0)) == [0.0, 0.0, 1.0]


def test_clicks_choose_one_style_or_up_to_four(tab):
    event: Any = SimpleNamespace(name="ink")
    assert tab.pick(event, ["mosaic"], False)[tab.chosen] == ["ink"]
    assert tab.pick(event, ["mosaic"], True)[tab.chosen] == ["mosaic", "ink"]
    assert tab.pick(event, ["mosaic", "ink"], True)[tab.chosen] == ["mosaic"]
    assert tab.pick(event, ["ink"], True)[tab.chosen] == ["ink"], "one remains"
    assert tab.pick(event, ["a", "b", "c", "d"], True)[tab.chosen] == ["b", "c", "d", "ink"]
    chosen, _, gallery, pad, *_ = tab.pick(event, ["mosaic"], True).values()
    assert gallery.count('aria-pressed="true"') == 2 and pad.count("<i ") == 2
    assert tab.blend(chosen, False)[tab.pad] == ""


def test_all_styles_at_once_are_a_sheet_and_single_pictures(tab, run, photo):
    painting = tab.begin_all(None, asked(tab, photo, ["ink"]))[tab.painting]
    last = list(tab.paint(painting))[-1]
    assert run.calls[-1]["all"] is True
    shown = last[tab.snapshots]["value"].pictures
    assert [caption for _, caption in shown] == [stylerow.title(name) for name in NAMES]
    assert decode(shown[0][0]).rgb.size == (256, 171)


def test_a_link_brings_styles_and_settings_back(tab, photo):
    query = tab.make_query(asked(tab, photo, ["ink", "waves"], (0.25, 0.5), strength=40))
    asked_for = dict(pair.split("=") for pair in query.replace("%7C", "|").replace("%2C", ",").split("&"))
    assert asked_for["task"] == "fast" and asked_for["strength"] == "40" and asked_for["style"] == "ink|waves"
    request: Any = SimpleNamespace(query_params=asked_for)
    updates = tab.open_page(False, None, request)
    assert updates[tab.chosen] == ["ink", "waves"] and updates[tab.corner] == (0.25, 0.5) and updates[tab.blending]
    assert updates[tab.controls["strength"]] == 40 and tab.status not in updates
    assert tab.open_page(True, None, request) == {tab.opened: True}
    strange: Any = SimpleNamespace(query_params={"task": "fast", "style": "<b>|../x"})
    updates = tab.open_page(False, None, strange)
    assert updates[tab.chosen] == [NAMES[0]] and "2 of its styles are not known here" in updates[tab.status]


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("place", [(0.0, 0.0), (1.0, 0.5), (0.3, 0.7), (0.5, 1.0)])
def test_a_corner_is_found_again_by_its_weights(count, place):
    shares = stylerow.weights(count, place)
    assert stylerow.weights(count, stylerow.corner(shares)) == pytest.approx(shares)


@pytest.mark.parametrize("chosen", [["ink"], ["ink", "waves"], ["mosaic", "ink", "glass"], list(NAMES[:4])])
def test_a_picture_brings_styles_and_weights_back(tab, photo, chosen):
    painting, _ = painted(tab, photo, chosen, (0.2, 0.6), strength=70)
    for updates in (tab.open_picture(painting.result), tab.take(tab.slots[0], painting.result, None)):
        assert updates[tab.controls["strength"]] == 70 and updates[tab.chosen] == chosen
        shares = stylerow.weights(len(chosen), updates[tab.corner])
        assert shares == pytest.approx(stylerow.weights(len(chosen), (0.2, 0.6)))
        assert updates[tab.blending] == (len(chosen) > 1) and updates[tab.gallery].count('"true"') == len(chosen)
        assert updates.keys() <= set(tab.restored_parts)


def test_an_example_among_its_styles_comes_back_and_what_was_an_upload_is_told(tab, photo, monkeypatch):
    name, told = pictures.list_examples("style")[0].name, list[str]()
    monkeypatch.setattr(gr, "Warning", told.append)
    monkeypatch.setattr(pictures, "example_file", lambda kind, name: Path(photo))
    values = asked(tab, photo, ["ink", OWN], (0.75, 0.5), own=photo)
    values[tab.slots[1].chosen] = pictures.Choice(photo, name)
    painting = tab.begin(None, values)[tab.painting]
    list(tab.paint(painting))
    updates = tab.open_picture(painting.result)
    assert read_recipe(painting.result)["style"] == ["ink", name]
    assert updates[tab.chosen] == ["ink", OWN] and updates[tab.slots[1].chosen].name == name and not told
    assert updates[tab.corner] == pytest.approx((0.75, 0.5))

    painting, _ = painted(tab, photo, ["ink", OWN], own=photo)
    updates = tab.open_picture(painting.result)
    assert updates[tab.chosen] == ["ink"] and updates[tab.slots[1].chosen] is None
    assert told == ["One of its styles is not known here by name: drop the picture as any other style."]


def test_the_camera_waits_for_nobody(tab, run):
    seen = encode(Image.new("RGB", (40, 30), "teal"))
    with lock:
        assert next(tab.live.paint(seen, ["ink"], stylerow.MIDDLE, None, 100)) == [gr.skip(), gr.skip()]
    picture, rate = next(tab.live.paint(seen, ["ink"], stylerow.MIDDLE, None, 60))
    assert picture.size == (32, 24) and "a second" in rate and not lock.locked()
    assert run.calls[-1]["strength"] == 60


def test_titles_are_escaped_and_known():
    assert stylerow.title("mosaic") != "mosaic" and stylerow.title("my_style") == "My style"
    assert "<script" not in stylerow.gallery_html(['"><script>'], [])
    assert pictures.KINDS == ("content", "style") and fast.MAX_STYLES == 4


def test_a_camera_s_pictures_are_held_steady(tab, monkeypatch):
    """What flickers in a scene that stands still is mostly gone; another visitor starts anew."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 6, 8, generator=generator)
    scene = torch.nn.functional.interpolate(coarse, (96, 128), mode="bicubic").clamp(0, 1)
    noises = [0.2 * torch.rand(scene.shape, generator=generator) for _ in range(4)]
    painter = SimpleNamespace(paint=lambda frame, **_: (0.8 * scene + noises.pop()).clamp(0, 1))
    monkeypatch.setattr(tab.live, "painter", lambda *_: painter)
    seen = encode(to_pil(scene))
    shown = [
        np.asarray(next(tab.live.paint(seen, ["ink"], stylerow.MIDDLE, None, 100))[0]).astype(float) for _ in range(3)
    ]
    assert np.abs(shown[2] - shown[1]).mean() < 0.5 * np.abs(0.2 * 255 / 3)
    monkeypatch.setattr("nst.server.inputs.session", lambda: "another")
    other = np.asarray(next(tab.live.paint(seen, ["ink"], stylerow.MIDDLE, None, 100))[0]).astype(float)
    assert np.abs(other - shown[2]).mean() > np.abs(shown[2] - shown[1]).mean()
