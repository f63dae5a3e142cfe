"""Doodle, in the tab Explore, without a browser."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from fake_run import no_load, quick_examples
from PIL import Image, ImageChops, ImageDraw
from test_tabs import FakeSheet, names, opened

from nst import styles
from nst.images import decode, read_recipe, to_tensor
from nst.server import tempfiles, words
from nst.stylize import map_colors
from nst.tasks import TASKS
from nst.ui import doodle, pictures, result_panel, settings, tabs
from nst.ui.pictures import Choice
from nst.ui.result_panel import Values

FIRST = "night"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    quick_examples(monkeypatch)


@pytest.fixture(scope="module")
def bench() -> doodle.DoodleBench:
    with gr.Blocks():
        return doodle.DoodleBench(TASKS["doodle"], FakeSheet(), no_load)


def first_look(bench: doodle.DoodleBench, **query: str) -> dict[Any, Any]:
    return opened(bench, {"task": "doodle", **query})


def inputs(bench: doodle.DoodleBench, shown: dict[Any, Any], layers: tuple[Any, ...] = (), **given: Any) -> Values:
    """What the page sends on a press, after what it was told."""
    paths = [shown[slot.picture]["value"] if slot.picture in shown else None for slot in bench.slots]
    task = TASKS["doodle"]
    told = {name: settings.shown(name, task.defaults[name], task) for name in bench.controls} | given
    begin = given.get("begin", "example")
    chosen = [shown.get(slot.chosen) for slot in bench.slots]
    values = [*paths, *chosen, *(told[name] for name in bench.controls), list(layers), begin]
    return dict(zip(bench.inputs, values, strict=True))


def press(bench: doodle.DoodleBench, values: Values) -> tuple[tuple[Any, ...], dict[str, Any], dict[Any, Any]]:
    """What the run is given, and the last that the page is told."""
    updates = list(bench.paint(bench.begin(None, values)[bench.painting]))
    return *bench.run.calls[-1], updates[-1]


def colors(picture: Any) -> set[str]:
    return set(map_colors(to_tensor(decode(picture))))


def test_it_opens_with_a_map_an_example_and_a_palette_of_words(bench):
    shown = first_look(bench)
    assert names(shown, bench) == [FIRST, FIRST, None]
    known = styles.meanings(FIRST)
    assert colors(shown[bench.map.picture]["value"]) == set(known.values())
    palette = shown[bench.palette]
    assert palette.count("<button") == len(known) and all(word in palette for word in known)
    canvas = shown[bench.extra["layers"]]
    assert decode(canvas["value"]["background"]).rgb.size == (640, 512)
    assert {color for color, _ in canvas["brush"].colors} == set(known.values()), "opaque ones"
    assert {opacity for _, opacity in canvas["brush"].colors} == {1.0}


def test_the_first_press_paints_the_example(bench):
    (drawn, style, style_map), asked, last = press(bench, inputs(bench, first_look(bench), seed=3))
    assert drawn.shape == (1, 3, 512, 640) and style_map.shape[1] == style.shape[1] == 3
    assert set(map_colors(drawn)) == set(map_colors(style_map)) and asked["seed"] == 3
    recipe = read_recipe(last[bench.download]["value"])
    assert tabs.bench_of(recipe) == "doodle" and recipe["style"] == FIRST
    assert words.title(recipe) == "A doodle in the manner of Night Wind"
    assert bench.open_picture(last[bench.download]["value"])[bench.controls["seed"]] == 3


@pytest.mark.parametrize("begin", ["map", "empty"])
def test_strokes_are_painted_over_what_one_begins_with(bench, begin):
    shown, tree = first_look(bench), styles.meanings(FIRST)["Trees"]
    layer = Image.new("RGBA", (640, 512))
    ImageDraw.Draw(layer).rectangle((0, 0, 319, 511), fill=tree)
    path = tempfiles.new_file("layer.png")
    layer.save(path)
    (drawn, _, style_map), _, _ = press(bench, inputs(bench, shown, (str(path),), begin=begin))
    left, right = drawn[..., : drawn.shape[-1] // 2 - 2], drawn[..., drawn.shape[-1] // 2 + 2 :]
    assert map_colors(left) == [tree]
    wanted = style_map[..., style_map.shape[-1] // 2 + 2 :]
    assert set(map_colors(right)) == (set(map_colors(wanted)) if begin == "map" else {map_colors(style_map)[0]})


def test_a_painting_of_ones_own_gets_a_proposal_and_keeps_it_when_shared(bench, tmp_path):
    own = tmp_path / "own.png"
    picture = Image.new("RGB", (60, 40), "#c03020")
    ImageDraw.Draw(picture).rectangle((0, 20, 59, 39), fill="#2040c0")
    picture.save(own)
    shown = first_look(bench) | bench.take(bench.style, str(own), None)
    shown[bench.style.picture] = {"value": str(own)}
    assert len(colors(shown[bench.map.picture]["value"])) == 2 and "Color 2" in shown[bench.palette]
    painting = bench.begin(None, inputs(bench, shown))[bench.painting]
    for _ in bench.paint(painting):
        pass
    offer = result_panel._offer(painting)
    assert set(offer.inputs) == {"content", "style", "style_map"} and offer.before == painting.order.pictures["content"]


def test_a_shared_doodle_comes_back_with_its_map(bench, tmp_path, monkeypatch):
    files = {}
    for role, color in (("content", "#c03020"), ("style_map", "#2040c0"), ("style", "#808080")):
        files[role] = str(tmp_path / f"{role}.png")
        Image.new("RGB", (60, 40), color).save(files[role])
    remix = SimpleNamespace(recipe={"task": "doodle", "settings": {"seed": 5}}, files=dict(files), shown=None)
    monkeypatch.setattr("nst.ui.arrival.share.remix", lambda *_: remix)
    shown = first_look(bench, remix="x")
    assert [shown[slot.picture]["value"] for slot in bench.slots] == [
        files["style"],
        files["style_map"],
        files["content"],
    ]
    assert shown[bench.palette].count("<button") == 1 and shown[bench.controls["seed"]] == 5


def test_a_doodle_from_a_file_is_read_in_the_colors_of_the_map(bench, tmp_path):
    shown, path = first_look(bench), tmp_path / "mine.jpg"
    own = styles.load_doodle(FIRST, 320).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    own.save(path, quality=80)
    shown[bench.file.picture] = {"value": str(path)}
    (drawn, _, _), _, _ = press(bench, inputs(bench, shown))
    made = Image.open(bench.begin(None, inputs(bench, shown))[bench.painting].order.pictures["content"])
    assert drawn.shape[-1] == 320 and made.size == own.size
    wrong = ImageChops.difference(made.convert("RGB"), own).convert("L").point(lambda v: 255 * (v > 8))
    assert sum(wrong.histogram()[255:]) < 0.02 * own.width * own.height


def test_what_is_no_map_is_told(bench, tmp_path):
    shown, noise = first_look(bench), tmp_path / "noise.png"
    Image.effect_noise((64, 64), 90).convert("RGB").save(noise)
    shown[bench.map.picture], shown[bench.map.chosen] = {"value": str(noise)}, Choice(str(noise))
    with pytest.raises(gr.Error, match="no map"):
        bench.begin(None, inputs(bench, shown))
    with pytest.raises(gr.Error, match="no map"):
        bench.show_canvas(str(noise), None, None, "map")
    shown[bench.map.picture] = {"value": None}
    with pytest.raises(gr.Error, match="needs a map"):
        bench.begin(None, inputs(bench, shown))


def test_the_brush_is_dipped_in_a_color_of_the_map(bench):
    path = first_look(bench)[bench.map.picture]["value"]
    known = map_colors(to_tensor(decode(path)))
    assert doodle._dip(path, SimpleNamespace(number=1)).brush.default_color == (known[1], 1.0)
    assert doodle._dip(path, SimpleNamespace(number=99)) == gr.skip() and doodle._dip(None, SimpleNamespace(number=0))


def test_another_example_brings_its_own_map(bench):
    shown = bench.take_example(SimpleNamespace(name="meadow"))
    assert "Wheat" in shown[bench.palette] and shown[bench.map.chosen].name == "meadow"
    assert pictures.list_examples("map") == []
