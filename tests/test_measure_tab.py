"""The tab Measure without a browser, and the score of a result in the other tabs."""

from __future__ import annotations

import csv
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from fake_run import FakeRun, laid_out, no_load, quick_examples
from PIL import Image
from tiny import picture, tiny_encoder_file

from nst.collection import read_collection
from nst.device import lock
from nst.images import encode, save, to_pil
from nst.metrics import Score
from nst.server import limits
from nst.styles import load_style as real_load_style
from nst.tasks.recipe import make_recipe
from nst.tasks.result import Layout
from nst.ui import score_view
from nst.ui.map_tab import Atlas
from nst.ui.measure import EXAMPLE, MeasureTab
from nst.ui.optimize import create_tab as create_optimize
from nst.ui.painting import Order, Painting


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    quick_examples(monkeypatch)


@pytest.fixture(scope="module")
def tab() -> MeasureTab:
    return laid_out(MeasureTab)


@pytest.fixture
def files(tmp_path) -> dict[str, str]:
    made = {"photo": picture(1, 48, 64), "style": picture(2, 50, 40), "result": picture(1, 48, 64) * 0.5 + 0.2}
    return {name: str(save(tmp_path / f"{name}.png", to_pil(image))) for name, image in made.items()}


def test_a_result_is_measured_in_words(tab, files):
    status, told = tab.measure(files["result"], files["photo"], files["style"])
    assert "Measured" in status and "of 100." in told and told.count('class="measure"') == 4 + 4
    assert "Brushwork" in told and "The photo is still there" in told
    without = tab.measure(files["result"], None, files["style"])
    assert "not judged" in without[0] and "still there" not in without[1]


def test_what_is_missing_or_does_not_fit_is_told(tab, files, tmp_path):
    with pytest.raises(gr.Error, match="Choose a result first"):
        tab.measure(None, files["photo"], files["style"])
    with pytest.raises(gr.Error, match="Choose a style first"):
        tab.measure(files["result"], files["photo"], None)
    tall = save(tmp_path / "tall.png", to_pil(picture(3, 90, 30)))
    with pytest.raises(gr.Error, match="same proportions"):
        tab.measure(str(tall), files["photo"], files["style"])
    (tmp_path / "no.png").write_text("no picture")
    with pytest.raises(gr.Error, match="not a picture of a known kind"):
        tab.measure(str(tmp_path / "no.png"), files["photo"], files["style"])


def test_grey_and_transparent_pictures_are_measured(tab, files, tmp_path):
    Image.new("LA", (64, 48), (90, 128)).save(tmp_path / "grey.png")
    told = tab.measure(str(tmp_path / "grey.png"), files["photo"], files["style"])[1]
    assert "Hardly a pastiche" in told


def test_the_tab_opens_filled_in(tab):
    updates = tab.open(False)
    assert Path(updates[tab.result]["value"]).read_bytes() == EXAMPLE.read_bytes()
    assert all(updates[slot.chosen].name for slot in tab.slots)
    assert tab.open(True) == {tab.opened: True}


def test_the_tab_opens_with_a_verdict(tab, monkeypatch):
    told = tab.begin("")
    assert "Measured" in told[tab.status] and "of 100." in told[tab.verdict]
    assert tab.begin(told[tab.verdict]).keys() == {tab.status}, "what was measured since stays"
    monkeypatch.setattr(score_view, "judged", None)
    assert tab.begin(None) == told, "judged once for all visitors"


def test_a_picture_of_ours_brings_what_it_was_made_from(tab, tmp_path):
    recipe = make_recipe({}, content="coffee", style="waves")
    path = tmp_path / "ours.png"
    path.write_bytes(encode(to_pil(picture(1)), recipe=recipe))
    updates = tab.take(str(path))
    assert [updates[slot.chosen].name for slot in tab.slots] == ["coffee", "waves"]
    assert tab.take(None) == {tab.result: None}


def painted(files: dict[str, str], **changes: Any) -> Painting:
    order = Order({}, {"content": files["photo"], "style": files["style"]}, **changes)
    return Painting(order, result=files["result"])


def test_every_painting_has_a_score(files):
    assert "of 100." in score_view.of_painting(painted(files))
    with pytest.raises(ValueError, match="paint one first"):
        score_view.of_painting(None)
    with pytest.raises(ValueError, match="no style"):
        score_view.of_painting(Painting(Order({}, {"content": files["photo"]}), result=files["result"]))


def test_a_doodle_is_judged_by_brushwork_and_colors(files):
    told = score_view.of_painting(painted(files, task="doodle"))
    assert "of 100." in told and "Brushwork" in told and "still there" not in told


def test_the_parts_of_a_sheet_have_a_score_each(files, tmp_path):
    two = Layout(("One", "Two"), columns=2)
    singles = [(files["result"], title) for title in two.titles]
    order = Order({}, {"content": files["photo"], "style": files["style"]}, layout=two)
    told = score_view.of_painting(Painting(order, result=files["result"], singles=singles))
    assert told.count('class="measure"') == 2 and "One" in told and "Two" in told
    film = Order(
        {},
        {"content": files["photo"], "style": [files["result"], files["style"]]},
        layout=replace(two, seconds=1.0),
    )
    told = score_view.of_painting(Painting(film, result=files["result"], singles=singles))
    shares = [float(share) for share in re.findall(r"width:(\d+)%", told)]
    assert shares[0] > shares[1], "the first picture is all in the first style, which it is itself"


def test_fast_styles_are_scored_by_their_own_pictures(files, monkeypatch):
    extras = {"style": ["waves", Path(files["style"])]}
    order = Order({"weights": [0.5, 0.5]}, {"content": files["photo"]}, extras=extras)
    assert "of 100." in score_view.of_painting(Painting(order, result=files["result"]))
    monkeypatch.setattr("nst.styles.load_style", real_load_style)  # which is away, and would have to be fetched
    order = Order({}, {"content": files["photo"]}, extras={"style": ["starry_night"]})
    with pytest.raises(ValueError, match="the style's own picture"):
        score_view.of_painting(Painting(order, result=files["result"]))


def test_the_button_tells_the_score_and_a_new_run_takes_it_away(files):
    with gr.Blocks():
        optimize = create_optimize(FakeRun(), no_load)
    assert "of 100." in optimize.tell_score(painted(files))
    with pytest.raises(gr.Error, match="paint one first"):
        optimize.tell_score(None)
    assert optimize.prepared(painted(files))[optimize.verdict] == ""


@pytest.mark.parametrize("total, words", [(90, "excellent"), (61, "good"), (46, "fair"), (30, "weak"), (3, "Hardly")])
def test_grades_and_reasons(total, words):
    parts = {"texture": 0.1, "color": 0.7, "content": 0.9, "cleanness": 1.0}
    told = score_view.html(Score(total, parts, {"scale2": 0.1}, {}, "pyramid"))
    assert words in told and "brushwork: it is still far" in told and "Fine strokes" in told


@pytest.fixture
def atlas(tmp_path) -> Atlas:
    encoder = tiny_encoder_file(tmp_path)

    def read(files: Any, **given: Any) -> Any:
        return read_collection(files, encoder=encoder, **given)

    with gr.Blocks():
        return Atlas(read)


def test_a_map_of_uploads(atlas, files, tmp_path):
    (tmp_path / "no.png").write_text("no picture")
    shown = list(atlas.draw([*files.values(), str(tmp_path / "no.png")]))
    status, frame, page, table = shown[-1]
    assert "3 pictures in" in status and "no.png: This is not a picture" in status
    assert frame.startswith('<iframe title="The map" sandbox="allow-scripts" srcdoc="&lt;!doctype')
    assert Path(page["value"]).suffix == ".html" and not lock.locked()
    listed = csv.DictReader(Path(table["value"]).read_text(encoding="utf-8").splitlines())
    assert [row["file"] for row in listed] == ["photo.png", "style.png", "result.png"]


def test_a_map_says_what_it_cannot_do(atlas, files, monkeypatch):
    with pytest.raises(gr.Error, match="two at least"):
        next(atlas.draw([]))
    with pytest.raises(gr.Error, match="two pictures at least"):
        list(atlas.draw([files["photo"]]))
    assert not lock.locked()
    monkeypatch.setattr(limits, "current", lambda: limits.STRICT)
    with pytest.raises(gr.Error, match="200 pictures at most"):
        next(atlas.draw([files["photo"]] * 201))


def test_a_map_of_the_examples(atlas):
    shown = list(atlas.draw_examples())
    assert "Finished" in shown[-1][0] and "painted mosaic" in shown[-1][1] and "photo chelsea" in shown[-1][1]


def test_a_visitor_who_leaves_lets_go_of_the_device(atlas, files):
    seen, read = threading.Event(), atlas.read
    atlas.read = lambda *given, **named: seen.wait(60) and read(*given, **named)
    drawing = atlas.draw(list(files.values()))
    while "Looking" not in next(drawing)[0]:
        pass
    seen.set()
    drawing.close()
    assert not lock.locked()
