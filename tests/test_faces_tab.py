"""The tab Faces without a browser: what is asked for, what comes next, films, and recipes inside."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
import torch
from fake_run import laid_out, quick_examples
from PIL import Image

from nst.device import lock
from nst.images import decode, read_recipe, resize
from nst.optimize import Step
from nst.tasks import TASKS
from nst.ui import settings
from nst.ui.faces import create_tab
from nst.ui.result_panel import Values


class FakeNetwork:
    """Has the signatures of the functions of `nst.faces` that make pictures; remembers what it is asked for."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, *pictures: torch.Tensor, **given: Any) -> Any:
        self.calls.append(given)
        if pictures:
            for index in range(1, 4):
                yield Step(index, 3, resize(pictures[0], 64), {"content": 1 / index}, None, index / 3)
            return
        count = given.get("count") or given.get("frames") or ("first" in given and 8) or 16
        yield Step(1, 1, torch.linspace(0, 1, count).view(-1, 1, 1, 1).expand(-1, 3, 16, 16), {})


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    quick_examples(monkeypatch)


@pytest.fixture(scope="module")
def shared() -> tuple[FakeNetwork, dict[str, Any]]:
    run = FakeNetwork()

    def lay_out() -> dict[str, Any]:
        with gr.Tabs(), gr.Tab("Faces"):
            return {bench.task.name: bench for bench in create_tab(run)}

    return run, laid_out(lay_out)


@pytest.fixture
def run(shared) -> FakeNetwork:
    shared[0].calls.clear()
    return shared[0]


@pytest.fixture
def benches(run, shared) -> dict[str, Any]:
    return shared[1]


def asked(bench, *before: Any, **changes: Any) -> Values:
    defaults = bench.task.defaults
    values = {name: settings.shown(name, defaults[name], bench.task) for name in bench.controls} | changes
    return dict(zip(bench.inputs, [*before, *values.values()], strict=True))


def pressed(bench, *before: Any, **changes: Any) -> tuple[Any, dict[Any, Any]]:
    painting = bench.begin(None, asked(bench, *before, **changes))[bench.painting]
    return painting, list(bench.paint(painting))[-1]


def test_a_press_samples_faces_with_their_numbers(benches, run):
    bench = benches["faces"]
    painting, last = pressed(bench, seed=7, count=5, truncation=0.5)
    assert run.calls[-1]["seed"] == 7 and run.calls[-1]["truncation"] == 0.5
    shown = last[bench.snapshots]["value"].pictures
    assert [caption for _, caption in shown] == [f"Face {n}" for n in (7, 8, 9, 10, 11)]
    assert decode(shown[0][0]).rgb.size == (16, 16) and not lock.locked()
    recipe = read_recipe(painting.result)
    assert recipe["task"] == "faces" and recipe["settings"]["count"] == 5
    assert painting.result.endswith("pastiche-faces.png")


def test_the_next_faces_follow(benches, run):
    bench = benches["faces"]
    updates = bench.begin_also(None, asked(bench, seed=4, count=9, like=2))
    assert updates[bench.controls["seed"]] == 13 and updates[bench.controls["like"]] is None
    list(bench.paint(updates[bench.painting]))
    assert run.calls[-1]["seed"] == 13 and "like" not in run.calls[-1]


def test_more_like_one(benches, run):
    bench = benches["faces"]
    before, _ = pressed(bench, seed=4, count=9)
    event: Any = SimpleNamespace(number=3)
    updates = bench.begin_alike(before, bench.choose(event), asked(bench, seed=4, count=9))
    assert updates[bench.controls["like"]] == 7 and updates[bench.chosen] is None
    alike = updates[bench.painting]
    assert alike.order.layout.titles[:2] == ("Face 7", "Like 7, 1")
    list(bench.paint(alike))
    assert run.calls[-1]["like"] == 7
    again = bench.begin_alike(alike, 0, asked(bench, seed=4, count=9, like=7))
    assert again[bench.controls["like"]] == 7
    with pytest.raises(gr.Error, match="no number of its own"):
        bench.begin_alike(alike, 2, asked(bench))
    for nothing in ((None, 3), (before, None)):
        with pytest.raises(gr.Error, match="Choose a face first"):
            bench.begin_alike(*nothing, asked(bench))


@pytest.mark.parametrize(("count", "told"), [(1000, "At most 64 faces"), (65, "command line draws up to 1024")])
def test_too_many_faces_are_told(benches, count, told):
    with pytest.raises(gr.Error, match=told):
        benches["faces"].begin(None, asked(benches["faces"], count=count))


def test_no_faces_are_refused_as_every_number_out_of_bounds(benches):
    with pytest.raises(gr.Error, match="Faces: give a number from 1"):
        benches["faces"].begin(None, asked(benches["faces"], count=0))


def test_two_faces_are_mixed(benches, run):
    bench = benches["mix_faces"]
    _, last = pressed(bench, first=3, second=8)
    assert (run.calls[-1]["first"], run.calls[-1]["second"]) == (3, 8)
    captions = [caption for _, caption in last[bench.snapshots]["value"].pictures]
    assert len(captions) == 8 and captions[1] == "The first, with pose and light of the second"


def test_a_film_is_shown_and_can_be_downloaded(benches, run):
    bench = benches["morph"]
    painting, last = pressed(bench, faces="3, 8, 21", frames=12)
    assert run.calls[-1]["faces"] == [3, 8, 21]
    film = Image.open(last[bench.film]["value"])
    assert film.format == "WEBP" and film.n_frames == 12 and film.size == (16, 16)
    assert last[bench.preview]["value"] == last[bench.film]["value"] and last[bench.film]["label"] == "Download film"
    assert read_recipe(painting.result)["settings"]["faces"] == [3, 8, 21]
    mistakes = {"at least two": {"faces": "3"}, "At most 240": {"frames": 500}, "no sense": {"faces": "x"}}
    for told, wrong in mistakes.items():
        with pytest.raises(gr.Error, match=told):
            bench.begin(None, asked(bench, **wrong))


def test_a_photo_is_projected_from_its_middle_square(benches, run, tmp_path):
    bench, path = benches["project"], tmp_path / "me.png"
    Image.linear_gradient("L").convert("RGB").resize((60, 40)).save(path)
    painting = bench.begin(None, asked(bench, str(path), None, num_steps=20))[bench.painting]
    *steps, last = bench.paint(painting)
    assert decode(painting.order.pictures["content"]).rgb.size == (40, 40)
    assert run.calls[-1]["num_steps"] == 20 and "Finished" in last[bench.status]
    assert [decode(picture).rgb.size for picture in last[bench.compare]["value"]] == [(64, 64)] * 2
    assert "polyline" in next(step[bench.curves] for step in steps if bench.curves in step)
    with pytest.raises(gr.Error, match="Choose a face first"):
        bench.begin(None, asked(bench, None, None))


CHANGES = {"faces": {"seed": 9}, "mix_faces": {"second": 9}, "morph": {"faces": "9, 4"}, "project": {"num_steps": 9}}


@pytest.mark.parametrize("task", CHANGES)
def test_a_link_brings_the_settings_back(benches, task, tmp_path):
    bench, path = benches[task], tmp_path / "me.png"
    Image.new("RGB", (20, 20)).save(path)
    photo = [str(path), None] if task == "project" else []
    query = dict(pair.split("=") for pair in bench.make_query(asked(bench, *photo, **CHANGES[task])).split("&"))
    query = {key: value.replace("%2C", ",") for key, value in query.items()}
    request: Any = SimpleNamespace(query_params=query)
    updates = bench.open_page(False, None, request)
    ((name, value),) = CHANGES[task].items()
    assert query["task"] == task and updates[bench.controls[name]] == value


def test_what_is_no_list_of_faces_is_told_how_one_is_written():
    with pytest.raises(ValueError, match="Give numbers with commas between them, as in 3, 8, 21"):
        settings.read({"faces": "a, b"}, TASKS["morph"])
