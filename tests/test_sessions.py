"""What the server remembers of open pages: names and files, and of nobody so much that others are forgotten."""

from __future__ import annotations

import asyncio
import gc
from types import SimpleNamespace

import gradio as gr
import pytest
import torch
from fake_run import FakeRun, no_load
from gradio import routes
from gradio.state_holder import SessionState
from PIL import Image

from nst.images import Picture, encode
from nst.server import inputs, sessions
from nst.server.sessions import Sessions, makes_room
from nst.ui import fast, mix
from nst.ui.optimize import create_tab
from nst.ui.painting import Order, Painting


@pytest.fixture
def holder(monkeypatch) -> Sessions:
    monkeypatch.setattr(SessionState, "__init__", SessionState.__init__)
    monkeypatch.setattr(routes, "StateHolder", routes.StateHolder)
    sessions.look_after()
    held = routes.StateHolder()
    with gr.Blocks() as page:
        gr.State(None)
    page.state_session_capacity = 8
    held.set_blocks(page)
    assert isinstance(held, Sessions)
    return held


def test_sessions_that_are_only_named_push_nobody_out(holder):
    """Seventy trivial posts once dropped everybody's."""
    victim = holder["victim"]
    holder.belongs("victim", "192.0.2.7")
    for i in range(200):
        assert holder[f"nobody {i}"]
    assert holder["victim"] is victim and len(holder.session_data) == 8
    assert len(holder.of) <= 8 and len(holder.time_last_used) <= 9


def test_who_opens_many_pages_gives_up_their_own(holder):
    for address in ("192.0.2.7", "192.0.2.8"):
        holder[address]
        holder.belongs(address, address)
    for i in range(200):
        holder[f"mallory {i}"]
        holder.belongs(f"mallory {i}", "203.0.113.1")
    assert "192.0.2.7" in holder and "192.0.2.8" in holder and "mallory 199" in holder


def test_of_one_visitor_the_page_that_was_quiet_for_longest_goes(holder):
    for i in range(8):
        holder[f"page {i}"]
        holder.belongs(f"page {i}", "192.0.2.7")
    holder["page 0"]
    holder["page 8"]
    assert "page 0" in holder and "page 1" not in holder and len(holder.session_data) == 8


def test_room_is_made_by_whoever_takes_most():
    assert makes_room({"a": ("ann", 1), "b": ("bob", 5), "c": ("ann", 3), "d": ("bob", 1)}) == "b"
    assert makes_room({"a": ("ann", 1), "b": ("bob", 1)}) == "a"
    assert makes_room({"a": ("ann", 1), "b": ("bob", 1), "c": ("bob", 1)}) == "b"


def test_an_event_tells_whose_a_session_is(holder):
    with gr.Blocks() as page:
        text = gr.Textbox()
        text.change(lambda told: told, text, text)
    page.state_holder = holder
    inputs.guard(page)
    holder["mine"]
    request = gr.Request()
    request.request = SimpleNamespace(client=SimpleNamespace(host="192.0.2.7"), headers={})
    asyncio.run(page.process_api(page.fns[0], ["x"], holder["mine"], session_hash="mine", request=request))
    assert holder.of == {"mine": "192.0.2.7"}


def test_a_page_that_was_forgotten_is_told_so_and_can_go_on():
    """What it has as inputs stays: only the button is to be pressed again."""
    with gr.Blocks():
        tab = create_tab(FakeRun(), no_load)
    shown = list(tab.paint(None))[-1]
    assert "forgotten" in shown[tab.status] and "still here" in shown[tab.status]
    assert shown[tab.start]["visible"] and not shown[tab.stop]["visible"]
    assert not set(shown) & set(tab.inputs), "no input is touched"
    assert tab.halt(None) is None and tab.end(None)
    with pytest.raises(gr.Error, match="no longer kept"):
        tab.begin_again(None, {})
    with pytest.raises(gr.Error, match="no finished picture"):
        tab.tell_score(None)


def held_by(painting: Painting) -> list[object]:
    """Pictures and tensors that can be reached from it."""
    seen, waiting, found = set(), [painting.__dict__], []
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, (Image.Image, torch.Tensor, Picture, bytes)):
            found.append(thing)
        elif isinstance(thing, dict | list | tuple) or type(thing).__module__.startswith("nst.ui"):
            waiting += gc.get_referents(thing) if not isinstance(thing, dict) else thing.values()
    return found


@pytest.fixture
def photo(tmp_path, monkeypatch) -> str:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    path = tmp_path / "photo.png"
    path.write_bytes(encode(Image.new("RGB", (600, 400), "teal"), alpha=Image.new("L", (600, 400), 128)))
    return str(path)


@pytest.mark.parametrize("end", ["finished", "stopped", "left", "failed"])
def test_a_session_keeps_names_and_files_and_no_pictures(photo, end):
    with gr.Blocks():
        tab = create_tab(FakeRun(seconds=0.0 if end == "finished" else 0.3, num_steps=30), no_load)
    given = {tab.slots[0].picture: photo, tab.slots[1].picture: photo}
    values = {part: given.get(part, getattr(part, "value", None)) for part in tab.inputs}
    painting = tab.begin(None, values)[tab.painting]
    assert not held_by(painting)
    if end == "failed":

        def fails(*_: object, **__: object):
            yield from list(FakeRun()(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)))[:2]
            raise RuntimeError

        tab.run = fails
    run = tab.paint(painting)
    try:
        for _ in run:
            if end in ("stopped", "left") and painting.latest is not None:
                if end == "stopped":
                    tab.halt(painting)
                break
    except gr.Error:
        assert end == "failed"
    run.close()
    assert not held_by(painting) and painting.latest is None
    assert painting.result, "who loads the page anew finds what there was"
    if end == "stopped":
        assert "Stopped" in tab.end(painting)[tab.status]


def test_an_order_keeps_the_files_of_masks_and_styles(photo):
    with gr.Blocks():
        mixing, quick = mix.create_tab(FakeRun(), no_load), fast.create_tab(FakeRun(), lambda: ("ink",), load=no_load)
    given = {part: photo for part in (mixing.slots[0].picture, mixing.slots[1].picture, mixing.slots[2].picture)}
    given |= {mixing.extra["sharing"]: mix.REGIONS} | {mixing.extra[f"mask-{i}"]: photo for i in (1, 2, 5)}
    given |= {
        quick.slots[0].picture: photo,
        quick.slots[1].picture: photo,
        quick.chosen: [fast.OWN],
        quick.corner: (0.5, 0.5),
    }
    for tab in (mixing, quick):
        order = tab.order({part: given.get(part, getattr(part, "value", None)) for part in tab.inputs})
        assert not held_by(Painting(order)) and order.extras


def test_masks_and_styles_reach_the_run_no_larger_than_it_can_use(photo, tmp_path):
    large = tmp_path / "large.png"
    Image.new("1", (3000, 2000), 1).save(large)
    order = Order(
        {"size": 64}, {"content": photo, "style": [str(large), photo]}, extras={"masks": [large, None], "keep": large}
    )
    (content, styles), settings = Painting(order)._arguments()
    for one in (content, *styles, settings["masks"][0], settings["keep"]):
        assert max(one.shape) <= 600
    assert settings["masks"][1] is None and settings["keep"].shape[1] == 1
