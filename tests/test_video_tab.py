"""The tab Video without a browser: what is asked for, what is refused, and what is shown and shared of a clip."""

from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl

import gradio as gr
import pytest
from clips import make_clip
from fake_run import laid_out, quick_examples
from test_teach import style

from nst import taught
from nst.server import inputs, tempfiles
from nst.tasks import TASKS
from nst.ui import endpoints, pictures, result_panel
from nst.ui.painting import Painting
from nst.ui.pictures import Choice
from nst.ui.video import create_tab
from nst.video import probe, read_frames, read_recipe


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    monkeypatch.setenv("PASTICHE_CACHE", str(tmp_path / "cache"))
    quick_examples(monkeypatch)


@pytest.fixture(scope="module")
def tab():
    return laid_out(create_tab)


def upload(name: str = "clip.mp4", **form) -> str:
    path = tempfiles.new_file(name)
    return str(make_clip(path, **form))


def values(tab, clip: str, style: str = "waves", **asked):
    """Of the inputs: paths, choices and controls."""
    manner = str(pictures.example_file("style", style))
    given = {name: asked.get(name, control.value) for name, control in tab.controls.items()}
    values = [clip, manner, Choice(clip, None), Choice(manner, style), *given.values(), asked.get("mine", "")]
    return dict(zip(tab.inputs, values, strict=True))


def painted(order) -> Painting:
    painting = Painting(order)
    for view in painting.paint(TASKS["video"].run, lambda *_, **__: None):
        painting.views = [*getattr(painting, "views", []), view]  # type: ignore[attr-defined]
    return painting


def test_a_clip_is_painted_shown_beside_itself_and_offered_to_share(tab):
    painting = painted(tab.order(values(tab, upload(count=5, sound="aac"))))
    assert any("Frame 1 of 5" in view.get("status", "") for view in painting.views)
    view = painting.finish()
    clip = view["clip"].after
    assert probe(clip).frames == 5 and probe(clip).sound and read_recipe(Path(clip))["style"] == ["waves"]
    assert "5 frames" in view["status"]
    updates = tab.updates(dict(view))
    assert updates[tab.players]["visible"] and not updates[tab.preview]["visible"]
    html = tab.players.postprocess(updates[tab.players]["value"])
    assert html.count("<video") == 2 and clip.rpartition("/")[2] in html
    assert updates[tab.film]["label"] == "Download MP4"
    offer = result_panel._offer(painting)
    assert (offer.clip, offer.before) == (clip, None) and "content" not in offer.inputs


def test_the_player_comes_with_the_tab_and_a_painted_clip_is_there_before(tab):
    clip, request = tab.slots[0].picture, SimpleNamespace(query_params={}, client=None, headers={})
    assert not clip.visible and "first-video.mp4" in tab.players.value
    shown = tab.open_page(False, None, request)[clip]
    assert shown["visible"] and Path(shown["value"]).stem == "river"


def test_a_taught_style_paints_a_clip_and_comes_back_by_link_and_recipe(tab):
    taught.keep(style("mine"))
    order = tab.order(values(tab, clip := upload(count=3), mine="mine"))
    assert order.names["style"] == ["mine"] and order.extras["style"] == [taught.find("mine")]
    path = painted(order).clip
    recipe = read_recipe(path)
    assert recipe["style"] == ["mine"] and tab.restored(recipe)[tab.mine] == "mine"
    query = dict(parse_qsl(tab.make_query(values(tab, clip, mine="mine"))))
    shown = tab.open_page(False, None, SimpleNamespace(query_params=query, client=None, headers={}))
    assert shown[tab.mine]["value"] == "mine" and ("Mine", "mine") in shown[tab.mine]["choices"]
    assert tab.status not in shown, "nothing of it is missing"
    for order in (endpoints.paint_clip("river", "mine"), endpoints.paint_fast("chelsea", "mine")):
        assert order.extras["style"] == [taught.find("mine")], "and for programs of one's own"
    with pytest.raises(ValueError, match="needs a picture"):
        tab.order(values(tab, clip, mine="mine", optimize="draft"))


def test_strangers_paint_clips_in_their_own_taught_styles_only(tab, monkeypatch):
    taught.keep(style("mine"))
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    with pytest.raises(ValueError, match="chosen from the list"):
        tab.order(values(tab, upload(count=3), mine="mine"))
    for order in (endpoints.paint_clip("river", "mine"), endpoints.paint_fast("chelsea", "mine")):
        assert isinstance(order.extras["style"][0], Path), "no program of a stranger's has what the host was taught"
    assert not tab._offered()["visible"] and not tab._offered()["allow_custom_value"]


def test_the_first_second_is_a_second(tab):
    order = tab.order_also(values(tab, upload(count=30)))
    assert order.settings["end"] == 1
    assert probe(painted(order).finish()["clip"].after).frames == 12


def test_what_is_stopped_is_a_clip_of_what_is_done(tab):
    painting = Painting(tab.order(values(tab, upload(count=60))))
    for view in painting.paint(TASKS["video"].run, lambda *_, **__: None):
        painting.stopped = painting.stopped or "Frame" in view.get("status", "")
    assert 1 <= probe(painting.finish()["clip"].after).frames < 60


def test_what_strangers_may_have_is_told_and_kept_to(monkeypatch):
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    with gr.Blocks() as page:
        tab = create_tab()
    assert any("first 10 seconds" in str(block.value) for block in page.blocks.values() if hasattr(block, "value"))
    with pytest.raises(ValueError, match="at most 640 pixels"):
        tab.order(values(tab, upload(), size=1024))


@pytest.mark.parametrize("name", ["list.mp4", "rare.nut"])
def test_what_is_no_clip_for_strangers_leaves_the_one_before(tab, monkeypatch, name):
    told = []
    monkeypatch.setattr(gr, "Warning", told.append)
    path = tempfiles.new_file(name)
    if name == "rare.nut":
        make_clip(path)
    else:
        path.write_text("#EXTM3U\nfile:///etc/passwd\n")
    before = Choice(upload(), None)
    assert tab.slots[0].take(str(path), before) == {tab.slots[0].picture: gr.update(value=before.path)}
    assert "no clip of a known kind" in told[0]


def test_an_upload_is_shown_as_it_is_and_never_handed_to_a_program(tab):
    path = upload()
    shown = tab.slots[0].picture.postprocess(path)
    assert shown.path == path and tab.slots[0].picture.preprocess(shown) == path
    assert tab.slots[0].take(path, None)[tab.slots[0].chosen].path == path


def test_the_example_is_there(tab):
    choice = pictures.choose("clip", "river")
    row = tab.slots[0].filled(choice)[tab.slots[0].row]
    assert choice.name == "river" and probe(choice.path).frames == 96 and 'data-name="river"' in row
    assert inputs.is_own(choice.path, "")


def test_programs_get_a_clip_for_a_clip(tmp_path):
    data = base64.b64encode(make_clip(tmp_path / "clip.mp4", count=3).read_bytes()).decode()
    order = endpoints.paint_clip(f"data:video/mp4;base64,{data}", "waves", size=64)
    clip = painted(order).clip
    assert sum(1 for _ in read_frames(probe(clip))) == 3
    with pytest.raises(ValueError, match="no clip"):
        endpoints.paint_clip("data:video/mp4;base64,aGVsbG8=", "waves", size=64)
