"""The tabs Mix, Color, Doodle and Lab without a browser: what they ask of a run, and what they show of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
import pytest
import torch
from fake_run import no_load, quick_examples
from PIL import Image, ImageDraw
from tiny import picture, tiny_encoder_file
from torch import Tensor

import app
from nst.color import COLOR_MODES
from nst.device import lock
from nst.images import decode, read_recipe, save_cube, to_tensor
from nst.optimize import Step
from nst.stylize import Estimate, color_table
from nst.tasks import TASKS
from nst.tasks.recipe import UNNAMED, make_recipe
from nst.ui import (
    canvas,
    color,
    doodle,
    faces,
    forecast,
    gallery,
    lab,
    mix,
    optimize,
    page,
    pictures,
    result_panel,
    settings,
    tabs,
)
from nst.ui.painting import Painting
from nst.ui.result_panel import Values
from nst.ui.task_tab import Workbench


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    quick_examples(monkeypatch)


class FakeSheet:
    """A run of any task that paints several pictures, brighter with each step."""

    def __init__(self, rows: int = 1, columns: int = 1) -> None:
        self.shape = (rows * columns, 3, 24, 32)
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __call__(self, *pictures: Any, **given: Any) -> Iterator[Step]:
        self.calls.append((pictures, given))
        for index in range(1, 5):
            each = torch.arange(1, self.shape[0] + 1).view(-1, 1, 1, 1) / self.shape[0]
            image = torch.linspace(0, 1, self.shape[-1]).expand(self.shape) * each * index / 4
            yield Step(index, 4, image, {"style": 1 / index}, None, index / 4)


@pytest.fixture(scope="module")
def benches() -> dict[str, Workbench]:
    with gr.Blocks():
        made = [mix.create_tab(), color.create_tab(), *lab.create_tab(), doodle.create_tab()]
    return {bench.task.name: bench for bench in made}


@pytest.fixture
def photo(tmp_path) -> str:
    path = tmp_path / "photo.png"
    Image.linear_gradient("L").convert("RGB").resize((48, 32)).save(path)
    return str(path)


def inputs(bench: Workbench, photo: str, styles: int = 2, chosen: dict[int, Any] | None = None, **given: Any) -> Values:
    """What the page sends on a press; `given` are settings, and with a dash in them inputs of a tab's own."""
    count = len(bench.slots)
    paths = [photo if slot.needed or i <= styles else None for i, slot in enumerate(bench.slots)]
    choices = [(chosen or {}).get(i) for i in range(count)]
    task = bench.task
    told = {name: settings.shown(name, task.defaults[name], task) for name in bench.controls} | given
    own = getattr(bench, "extra", {})
    extra = {name: part.value for name, part in own.items()} | {"layers": []}
    extra |= {name.replace("__", "-"): value for name, value in given.items() if name.replace("__", "-") in own}
    values = [*paths, *choices, *(told[name] for name in bench.controls), *(extra[name] for name in own)]
    return dict(zip(bench.inputs, values, strict=True))


def press(bench: Workbench, run: Any, values: Values, *, also: bool = False) -> tuple[Painting, dict[Any, Any]]:
    """The painting, and the last that the page is told."""
    bench.run, bench.load = run, no_load
    first = (bench.begin_also if also else bench.begin)(None, values)
    updates = list(bench.paint(first[bench.painting]))
    assert not lock.locked()
    return first[bench.painting], updates[-1]


def opened(bench: Workbench, query: dict[str, str]) -> dict[Any, Any]:
    request: Any = SimpleNamespace(query_params=query)
    return bench.open_page(False, None, request)


def names(updates: dict[Any, Any], bench: Workbench) -> list[str | None]:
    found = (updates.get(slot.chosen) for slot in bench.slots)
    return [choice.name if choice else None for choice in found]


# ---- every tab


def test_every_control_is_of_the_task_and_explained(benches):
    for task, bench in benches.items():
        assert bench.controls.keys() <= TASKS[task].settings.keys()
        assert all(control.info for control in bench.controls.values())
        read = settings.read({name: control.value for name, control in bench.controls.items()}, TASKS[task])
        assert TASKS[task].defaults | read == TASKS[task].defaults, "what is shown first are the recipe's own defaults"


def test_every_tab_opens_with_a_result():
    own = {"style_transfer", "video", "teach"}  # the first two show theirs, the last one is no tab
    panels = {name: task.panel for name, task in TASKS.items() if task.panel.first}
    assert panels.keys() == TASKS.keys() - own
    for panel in panels.values():
        assert all((page.PICTURES / name).is_file() for name in panel.first) and panel.told.endswith(".")


def test_no_two_elements_have_one_name():
    page = app.build_app()
    found = [block.elem_id for block in page.blocks.values() if getattr(block, "elem_id", None)]
    assert len(found) > 100 and not {name for name in found if found.count(name) > 1}


@pytest.mark.parametrize(
    ("task", "rows", "columns", "given"),
    [("colors", 2, 3, {}), ("layers", 2, 5, {}), ("texture", 1, 1, {}), ("invert", 1, 3, {"starts": 3})],
)
def test_the_first_press_gives_each_picture_and_the_whole_with_its_recipe(benches, photo, task, rows, columns, given):
    bench, run = benches[task], FakeSheet(rows, columns)
    painting, last = press(bench, run, inputs(bench, photo, **given))
    result = last[bench.download]["value"]
    assert decode(result).rgb.size == (32 * columns, 24 * rows)
    recipe = read_recipe(result)
    assert tabs.bench_of(recipe) == task and recipe["steps"] == 4
    assert "Finished" in last[bench.status]
    if rows * columns > 1:
        singles = last[bench.snapshots]["value"].pictures
        assert [title for _, title in singles] == list(painting.order.layout.titles) and len(singles) == rows * columns
        assert all(decode(path).rgb.size == (32, 24) for path, _ in singles)
        assert Path(singles[0][0]).name.startswith("01-") and not last[bench.go_on]["visible"]


@pytest.mark.parametrize("task", ["mix", "colors", "layers", "texture", "invert"])
def test_a_link_opens_the_tab_as_it_was(benches, photo, task, monkeypatch):
    bench, changed = benches[task], {"seed": 7, "preset": "best", "num_steps": 9}
    example = {i: pictures.Choice(photo, "meadow") for i, slot in enumerate(bench.slots) if slot.kind == "style"}
    query = dict(parse_qsl(bench.make_query(inputs(bench, photo, chosen=example, **changed))))
    assert tabs.bench_of(query) == task
    monkeypatch.setattr(pictures, "choose", lambda kind, name: pictures.Choice(photo, name))
    updates = opened(bench, query)
    assert updates[bench.opened] is True
    for name, value in changed.items():
        assert updates[bench.controls[name]] == settings.shown(name, value, TASKS[task])
    styles = [name for name, slot in zip(names(updates, bench), bench.slots, strict=True) if slot.kind == "style"]
    assert [name for name in styles if name] == ["meadow"] * min(2, len(styles))
    others = opened(bench, {"task": "style_transfer", "seed": "7"})
    assert others[bench.controls["seed"]] == 0, "what is for another tab is not for this one"


@pytest.mark.parametrize("task", ["colors", "layers", "texture", "invert"])
def test_a_picture_brings_its_settings_back_to_its_own_tab_only(benches, photo, task):
    bench = benches[task]
    painting, _ = press(bench, FakeSheet(), inputs(bench, photo, seed=11))
    assert bench.open_picture(painting.result)[bench.controls["seed"]] == 11
    assert bench.take(bench.slots[0], painting.result, None)[bench.controls["seed"]] == 11
    other = benches["invert" if task != "invert" else "texture"]
    assert other.controls["seed"] not in other.take(other.slots[0], painting.result, None)


@pytest.mark.parametrize("task", ["mix", "colors", "layers", "texture", "invert"])
def test_stop_keeps_what_there_is(benches, photo, task):
    bench = benches[task]
    bench.run, bench.load = FakeSheet(), no_load
    painting = bench.begin(None, inputs(bench, photo))[bench.painting]
    steps = bench.paint(painting)
    next(steps)
    bench.halt(painting)
    steps.close()
    last = bench.end(painting)
    assert "Stopped" in last[bench.status] and last[bench.download]["value"] and not lock.locked()
    assert ("Continue" in last[bench.status]) == painting.order.continues == last[bench.go_on]["visible"]


def test_a_missing_picture_is_asked_for(benches, photo):
    for bench in benches.values():
        values = inputs(bench, photo)
        with pytest.raises(gr.Error, match=f"Choose a {bench.slots[0].title.lower()} first"):
            bench.begin(None, values | {bench.slots[0].picture: None})


def test_the_estimate_counts_all_that_is_painted(benches, photo, monkeypatch):
    asked = []
    monkeypatch.setattr(forecast.stylize, "is_measured", lambda **_: True)
    monkeypatch.setattr(
        forecast.stylize, "estimate", lambda shape, **given: asked.append(shape) or Estimate(10.0, 10**8)
    )

    def told(task: str, **given: Any) -> str:
        bench = benches[task]
        known = TASKS[task]
        values = {name: settings.shown(name, known.defaults[name], known) for name in bench.controls} | given
        given = {control: values[name] for name, control in bench.controls.items()}
        return bench.tell_estimate({bench.slots[0].picture: photo} | given)

    assert "<b>10 s" in told("mix") and "<b>10 s" in told("colors") and "<b>50 s" in told("colors", color_when="before")
    assert "<b>2 min" in told("layers") and "<b>40 s" in told("invert", starts=4)
    assert "<b>10 s" in told("texture", width=640, height=320) and asked[-1] == (320, 640)


# ---- which tab


@pytest.mark.parametrize(
    ("asked", "task"),
    [
        ({}, "style_transfer"),
        ({"style": "waves"}, "style_transfer"),
        ({"style": "waves|night"}, "mix"),
        ({"style_weights": "1,1"}, "mix"),
        ({"task": "mix"}, "mix"),
        ({"task": "survey", "style": "a|b"}, "layers"),
        ({"settings": {"style_weights": [1, 2]}}, "mix"),
        ({"settings": {"style_weights": None}}, "style_transfer"),
        ({"settings": {"style_weights": 3}}, "style_transfer"),
        ({"style": ["a", "b"]}, "mix"),
    ],
)
def test_what_was_painted_in_several_styles_is_for_the_tab_mix(asked, task):
    assert tabs.bench_of(asked) == task


def test_every_task_with_a_tab_of_its_own_has_that_tab():
    with gr.Blocks() as page:
        listed = [("Optimize", optimize.create_tab), ("Mix", mix.create_tab), ("Color", color.create_tab)]
        listed += [
            ("Lab", lab.create_tab),
            ("Doodle", doodle.create_tab),
            ("Faces", faces.create_tab),
            ("Gallery", gallery.create_tab),
        ]
        tabs.lay_out(listed)
    titles = {block.id for block in page.blocks.values() if isinstance(block, gr.Tab)}
    assert set(tabs.HOMES.values()) - {"Fast styles", "Video", "Horse → Zebra"} <= titles
    (turned,) = (fn.fn for fn in page.fns.values() if fn.name == "turned")

    def asked(task: str) -> tuple[list[str], str]:
        *bars, told = turned(SimpleNamespace(query_params={"task": task})).values()
        return [bar.selected for bar in bars], told

    assert asked("texture") == (["Lab", "texture"], "texture") and asked("morph") == (["Faces", "morph"], "morph")
    looked = {block.elem_id for block in page.blocks.values() if isinstance(block, gr.Button)}
    assert {"look-texture", "look-morph"} <= looked, "what the page presses then"
    assert asked("style_transfer") == ([], "") and tabs.around() is None


# ---- Mix

STROKE = canvas.OPACITY


def strokes(*painted: tuple[int, tuple[int, int, int, int]]) -> bytes:
    """A layer of the canvas, 60 by 40, with rectangles in the colors of these numbers."""
    layer = Image.new("RGBA", (60, 40))
    for number, box in painted:
        ImageDraw.Draw(layer).rectangle(box, fill=f"{mix.COLORS[number]}{round(255 * STROKE):02x}")
    path = pictures.tempfiles.new_file("layer.png")
    layer.save(path)
    return str(path)


def test_styles_are_mixed_by_weight_and_brush_size(benches, photo):
    bench, run = benches["mix"], FakeSheet()
    given = {"weight__1": 25, "weight__3": 75, "scale__3": 0.5}
    painting, last = press(bench, run, inputs(bench, photo, styles=3, **given))
    (content, styles), asked = run.calls[0]
    assert isinstance(content, Tensor) and len(styles) == 3
    assert asked["style_weights"] == [25.0, 50.0, 75.0] and asked["style_scale"] == [1.0, 1.0, 0.5]
    assert "masks" not in asked and "pictures" not in asked
    recipe = read_recipe(last[bench.download]["value"])
    assert recipe["task"] == "style_transfer" and recipe["style"] == [UNNAMED] * 3, "so that a command understands it"
    assert tabs.bench_of(recipe) == "mix" and last[bench.go_on]["visible"]
    shown = bench.open_picture(painting.result)
    assert [shown[bench.extra[f"weight-{i}"]] for i in (1, 2, 3, 4)] == [25, 50, 75, mix.WEIGHT]
    assert shown[bench.extra["scale-3"]] == 0.5 and shown[bench.slots[4].picture]["value"] is None


def test_weights_from_elsewhere_fit_the_sliders(benches):
    bench = benches["mix"]
    for weights, shown in (([1.0, 3.0], [1.0, 3.0]), ([200.0, 50.0], [100.0, 25.0])):
        updates = bench.set(TASKS["mix"].defaults | {"style_weights": weights})
        assert [updates[bench.extra[f"weight-{i}"]] for i in (1, 2)] == shown


def test_a_path_is_a_strip_its_pictures_and_a_film(benches, photo):
    bench, run = benches["mix"], FakeSheet(1, 3)
    given = {"pictures": 3, "scale__2": 2}
    painting, last = press(bench, run, inputs(bench, photo, styles=3, **given), also=True)
    (_, styles), asked = run.calls[0]
    assert len(styles) == 2 and asked["pictures"] == 3 and asked["style_scale"] == [1.0, 2.0]
    assert "style_weights" not in asked
    assert [title for _, title in last[bench.snapshots]["value"].pictures][1] == "50 % style 1, 50 % style 2"
    film = Image.open(last[bench.film]["value"])
    assert film.format == "GIF" and film.size == (32, 24) and film.n_frames == 4
    assert read_recipe(painting.result)["task"] == "mix" and last[bench.film]["visible"]


def test_painted_regions_become_masks(benches, photo):
    bench, run = benches["mix"], FakeSheet()
    layer = strokes((1, (0, 0, 29, 39)), (4, (50, 0, 59, 39)))
    press(bench, run, inputs(bench, photo, styles=3, sharing="regions", layers=[layer], softness=0))
    asked = run.calls[0][1]
    first, second, third = asked["masks"]
    assert first is None and third is None, "they share what is left"
    assert second[..., :30].min() > 0.99 and second[..., 30:].max() == 0
    assert asked["keep"][..., 50:].min() > 0.99 and asked["keep"].mean() == pytest.approx(1 / 6, abs=0.01)


def test_where_each_style_has_a_region_the_first_takes_the_rest(benches, photo):
    bench, run = benches["mix"], FakeSheet()
    layer = strokes((0, (0, 0, 9, 39)), (1, (30, 0, 59, 39)))
    press(bench, run, inputs(bench, photo, sharing="regions", layers=[layer], softness=0))
    first, second = run.calls[0][1]["masks"]
    assert first is None and second is not None


def test_a_mask_from_a_file_takes_the_place_of_what_is_painted(benches, photo, tmp_path):
    bench, run = benches["mix"], FakeSheet()
    Image.new("L", (10, 10), 255).save(tmp_path / "mask.png")
    layer = strokes((1, (0, 0, 29, 39)))
    given = {"mask__2": str(tmp_path / "mask.png"), "sharing": "regions", "layers": [layer]}
    press(bench, run, inputs(bench, photo, **given))
    assert run.calls[0][1]["masks"][1].shape == (1, 1, 10, 10)


@pytest.mark.parametrize(
    ("given", "also", "told"),
    [
        ({"sharing": "regions"}, False, "No region is painted yet"),
        ({"weight__1": 0, "weight__2": 0}, False, "All styles have the weight 0"),
        ({"styles": 1}, True, "A path leads from one style to another"),
        ({"sharing": "regions"}, True, "mixed everywhere"),
        ({"styles": 0}, False, "Choose a style first"),
    ],
)
def test_what_cannot_be_mixed_is_told(benches, photo, given, also, told):
    bench = benches["mix"]
    with pytest.raises(gr.Error, match=told):
        (bench.begin_also if also else bench.begin)(None, inputs(bench, photo, **given))


def test_the_real_run_heeds_painted_masks_and_tells_of_odd_ones(tmp_path):
    encoder = tiny_encoder_file(tmp_path)
    content, styles = picture(1, 48, 64), [picture(2), picture(3)]
    drawn, odd = torch.zeros(1, 1, 24, 32), torch.zeros(1, 1, 20, 20)
    drawn[..., :16] = odd[..., :10] = 1
    plain = {"encoder": encoder, "size": 64, "num_steps": 2, "device": "cpu"}
    silent = list(mix.paint(content, styles, masks=[None, drawn], **plain))
    assert silent[0].note is None and silent[-1].image.shape == content.shape
    kept = list(mix.paint(content, styles, keep=drawn, **plain))[-1].image
    assert torch.allclose(kept[..., :32], content[..., :32], atol=0.02)
    assert "Mask 2 was resized" in next(mix.paint(content, styles, masks=[None, odd], **plain)).note
    strip = list(mix.paint(content, styles, pictures=2, **plain))[-1].image
    assert strip.shape == (2, 3, 48, 64)


def test_styles_are_added_up_to_four(benches):
    added = mix._add(2, "a", "b", None, None)
    assert added[0] == 3 and [update["visible"] for update in added[2:]] == [True, True, True, False]
    added = mix._add(2, "a", "b", "c", None)
    assert added[0] == 4 and added[1]["visible"] is False
    assert mix._reveal("x")["visible"] and mix._reveal(None) == gr.skip()


def test_the_canvas_lies_over_the_photo_only_while_regions_are_painted(benches, photo):
    bench = benches["mix"]
    assert bench.show_regions("everywhere", photo)[bench.regions]["visible"] is False
    shown = bench.show_regions("regions", photo)
    assert decode(shown[bench.extra["layers"]]["value"]["background"]).rgb.size == (48, 32)
    assert shown[bench.palette].count("<button") == len(mix.COLORS)
    assert bench.show_regions("regions", None)[bench.extra["layers"]]["value"] is None
    dipped = mix._dip(SimpleNamespace(number=2)).brush
    assert dipped.default_color == (mix.COLORS[2], canvas.OPACITY) and dipped.color_mode == "fixed"


# ---- the canvas


def test_the_canvas_passes_layers_on_undecoded_and_bounds_what_waits():
    made = canvas.canvas("Regions", "x", mix.COLORS)
    sent: Any = SimpleNamespace(id=None, layers=[SimpleNamespace(path="/a.png"), None, SimpleNamespace(path="/b.png")])
    assert made.preprocess(sent) == ["/a.png", "/b.png"] and made.preprocess(None) == []
    for kind, index in (("layer", "1"), ("layer", "0"), ("background", "null"), ("layer", str(10**9)), ("layer", "-1")):
        send(made, b"stroke " + index.encode(), kind=kind, index=index)
    send(made, bytes(canvas.MAX_LAYER + 1), index="2")
    assert made.preprocess(SimpleNamespace(id="v", layers=[])) == [b"stroke 0", b"stroke 1"]
    assert made.preprocess(SimpleNamespace(id="v", layers=[])) == [], "it was taken"
    for nonsense in (None, [], {"type": "layer"}, SimpleNamespace(data=None, files=[("f", b"x")])):
        made.accept_blobs(nonsense, SimpleNamespace(client=None))
    assert made.get_block_name() == "imageeditor"


def send(
    made: Any, layer: bytes, name: str = "v", address: str = "192.0.2.1", kind: str = "layer", index: str = "0"
) -> None:
    """A layer, as the page sends it ahead of the event that it is for."""
    asks: Any = SimpleNamespace(client=SimpleNamespace(host=address), headers={})
    made.accept_blobs(SimpleNamespace(data={"type": kind, "index": index, "id": name}, files=[("f", layer)]), asks)


def test_nobody_s_strokes_are_pushed_out_by_somebody_else_s(monkeypatch):
    monkeypatch.setattr(canvas, "KEPT", 1_000_000)
    made = canvas.canvas("Regions", "x", mix.COLORS)
    send(made, b"mine", name="mine", address="192.0.2.7")
    for i in range(50):
        send(made, bytes(100_000), name=f"flood {i}")
    assert sum(one.size for one in canvas._waiting._held.values()) <= canvas.KEPT
    assert made.preprocess(SimpleNamespace(id="mine", layers=[])) == [b"mine"]


def test_strokes_that_nobody_asks_for_are_dropped(monkeypatch):
    monkeypatch.setattr(canvas, "SECONDS", 0.0)
    made = canvas.canvas("Regions", "x", mix.COLORS)
    send(made, b"old", name="old")
    assert made.preprocess(SimpleNamespace(id="old", layers=[])) == []
    send(made, b"older", name="older")
    send(made, b"new", name="new")
    assert len(canvas._waiting._held) == 1


# ---- Color, texture, inversion, sharing


def test_the_sheet_of_colors_names_every_mode(benches, photo):
    bench, run = benches["colors"], FakeSheet(2, 3)
    _, last = press(bench, run, inputs(bench, photo, color_when="before"))
    assert run.calls[0][1]["color_when"] == "before" and "preserve_color" not in run.calls[0][1]
    assert len(bench.task.layout(bench.task.defaults).titles) == 1 + len(COLOR_MODES)
    assert last[bench.snapshots]["value"].pictures[0][1] == "The photo"


def test_a_photo_real_sheet_comes_with_the_table_that_it_shows(benches, photo):
    bench = benches["colors"]
    painting, last = press(bench, TASKS["colors"].run, inputs(bench, photo, photoreal=True, size=64, strength=70))
    titles = [title for _, title in last[bench.snapshots]["value"].pictures]
    assert titles == ["The photo", "One change for the whole", "A change for each region"]
    shown, file = last[bench.film], Path(last[bench.film]["value"])
    assert shown["visible"] and shown["label"] == "Download LUT" and file.suffix == ".cube"
    given = {role: to_tensor(decode(str(path))) for role, path in painting.order.pictures.items()}
    wanted = save_cube(file.with_name("wanted.cube"), color_table(given["content"], given["style"], 70))
    assert file.read_text() == wanted.read_text()
    assert not last[bench.preview]["visible"], "pictures that stand still are shown as a sheet"
    _, last = press(bench, FakeSheet(2, 3), inputs(bench, photo))
    assert bench.film not in last


def test_a_texture_is_shown_tiled_while_it_is_woven_and_after(benches, photo):
    bench = benches["texture"]
    bench.run, bench.load = FakeSheet(), no_load
    updates = list(bench.paint(bench.begin(None, inputs(bench, photo, width=32, height=24))[bench.painting]))
    once, twice = decode(updates[-1][bench.download]["value"]).rgb, decode(updates[-1][bench.tiled]["value"]).rgb
    assert updates[0][bench.tiled]["value"].size == twice.size == (64, 48)
    assert all(twice.getpixel((x + 32, y + 24)) == once.getpixel((x, y)) for x, y in ((0, 0), (31, 5), (17, 23)))


def test_one_start_is_one_picture_that_links_hold(benches, photo):
    painting, last = press(benches["invert"], FakeSheet(), inputs(benches["invert"], photo))
    assert painting.order.layout.titles == () and benches["invert"].compare in last


def test_what_is_shared_beside_a_mix_are_the_pictures_that_have_no_name(benches, photo):
    bench = benches["mix"]
    waves = {2: pictures.Choice(photo, "waves")}
    painting, _ = press(bench, FakeSheet(), inputs(bench, photo, styles=3, chosen=waves))
    assert painting.order.names["style"] == [UNNAMED, "waves", UNNAMED]
    offer = result_panel._offer(painting)
    assert set(offer.inputs) == {"content", "style", "style-3"} and offer.before == photo
    assert result_panel._offer(None) is None


def test_a_remixed_mix_has_its_pictures_in_their_places(benches, photo, monkeypatch):
    bench, slots = benches["mix"], benches["mix"].slots
    recipe = make_recipe({"style_weights": [1.0, 2.0]}, content="chelsea", style=["-", "waves"])
    remix = SimpleNamespace(recipe=recipe, files={"style": photo}, shown=None)
    monkeypatch.setattr("nst.ui.arrival.share.remix", lambda *_: remix)
    monkeypatch.setattr(pictures, "choose", lambda kind, name: pictures.Choice(f"/{name}.jpg", name))
    updates = opened(bench, {"style": "-|waves", "remix": "x"})
    shown = [updates[slot.picture]["value"] if slot.picture in updates else None for slot in slots]
    assert shown == ["/chelsea.jpg", photo, "/waves.jpg", None, None]
    assert updates[bench.extra["weight-2"]] == 2.0
