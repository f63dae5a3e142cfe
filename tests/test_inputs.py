"""What a page sends: whatever a stranger puts in the place of any value, no file is read but one of their own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from fake_run import quick_examples
from gradio.route_utils import GradioUploadFile
from gradio.state_holder import SessionState
from PIL import Image

import app
from nst.images import ImageError
from nst.server import inputs, tempfiles
from nst.ui import pictures

META = {"_type": "gradio.FileData"}
MINE, OTHER = "a" * 64, "b" * 64
"""Folders of two uploads."""


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Iterator[gr.Blocks]:
    """The whole page as it is served, but for the network; no handler is to be reached in these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("inputs") / "served"))
        patch.setattr(GradioUploadFile, "__init__", GradioUploadFile.__init__)
        quick_examples(patch)
        yield app.build_app(api=True)


@pytest.fixture
def folder(page, tmp_path) -> Path:
    """The folder of uploads, with one of this visitor's and one of another's; secrets lie outside of it."""
    place = tempfiles.folder()
    for owner in (MINE, OTHER):
        (place / owner).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), "teal").save(place / owner / "photo.png")
    Image.new("RGB", (8, 8), "red").save(tmp_path / "secret.png")
    link, folders = place / MINE / "link.png", place / MINE / "linked"
    for name, target in ((link, tmp_path / "secret.png"), (folders, tmp_path)):
        if not name.is_symlink():
            name.symlink_to(target)
        else:
            name.unlink()
            name.symlink_to(target)
    if not (pipe := place / MINE / "pipe.png").exists():
        os.mkfifo(pipe)
    assert inputs.is_own(str(place / OTHER / "photo.png"), "somebody") and not inputs.is_own(str(link), "mallory")
    return place


def forged(folder: Path, tmp_path: Path) -> list[Any]:
    """Values that name what is not the visitor's, in every way there is, and values of no sense."""
    mine = folder / MINE / "photo.png"
    paths = [
        str(tmp_path / "secret.png"),
        "/etc/passwd",
        "/etc/nonesuch",
        "/proc/self/environ",
        "/proc/self/fd/0",
        "/dev/zero",
        str(mine.parent / ".." / ".." / ".." / "secret.png"),
        f"{mine.parent}/../{OTHER}/photo.png",
        "../secret.png",
        str(folder / OTHER / "photo.png"),
        str(mine.parent / "link.png"),
        str(mine.parent / "linked" / "secret.png"),
        str(mine.parent / "pipe.png"),
        str(mine.parent),
        str(folder),
        str(folder / "in-use.lock"),
        "",
        ".",
        "\0",
        "x" * 9000,
        "http://127.0.0.1:1/x.png",
        "https://example.org/x.png",
        "file:///etc/passwd",
        "//example.org/x",
    ]
    with_meta = [{"path": path, "meta": META} for path in paths]
    without = [{"path": path} for path in (str(mine), str(tmp_path / "secret.png"), "/etc/passwd")]
    wrong = [{"path": str(mine), "meta": meta} for meta in (None, "gradio.FileData", [], {}, {"_type": "x"})]
    wrong += [{"path": path, "meta": META} for path in (7, ["/etc/passwd"], {"path": "/etc/passwd"}, True)]
    nested = [[[value]] for value in with_meta[:3]] + [
        {"background": value, "layers": [value]} for value in with_meta[:3]
    ]
    deep: Any = None
    for _ in range(50):
        deep = [deep]
    return [*with_meta, *without, *wrong, *nested, deep, {"url": "http://127.0.0.1/x", "x": {"y": with_meta[0]}}]


def test_no_value_of_any_event_names_a_file_that_is_not_the_visitor_s_own(page, folder, tmp_path, monkeypatch):
    reached = []

    async def call(function: Any, *_: Any, **__: Any) -> Any:
        reached.append(function)
        raise AssertionError("a handler was reached")

    monkeypatch.setattr(page, "call_function", call)
    asyncio.run(refuse_all(page, forged(folder, tmp_path), str(tmp_path)))
    assert not reached


async def refuse_all(page: gr.Blocks, values: list[Any], secret: str) -> None:
    state, asked = SessionState(page), 0
    for function in page.fns.values():
        for i, block in enumerate(function.inputs):
            if block.stateful:
                continue
            for value in values:
                sent = [None] * len(function.inputs)
                sent[i] = value
                with pytest.raises(gr.Error) as refusal:
                    await page.process_api(function, sent, state, session_hash="mallory")
                told = str(refusal.value)
                assert secret not in told and "/etc" not in told and len(told) < 200 and "\n" not in told
                asked += 1
    assert asked > 40 * 300


def test_what_a_file_is_refused_for_is_not_told(folder, tmp_path):
    """Or whoever asks could tell which files there are."""
    block = pictures.PathImage(label="Photo")
    told = set()
    for path in (
        tmp_path / "secret.png",
        "/etc/passwd",
        "/etc/nonesuch",
        folder / OTHER / "photo.png",
        folder / "none.png",
    ):
        with pytest.raises(gr.Error) as refusal:
            inputs.admit(block, {"path": str(path), "meta": META}, "mallory")
        told.add(str(refusal.value))
    assert told == {f"'Photo: {inputs.GONE}'"}


def test_every_component_that_takes_files_hands_them_on_unopened(page):
    """Gradio's own would open them with Pillow, in any format and at any size, past `nst.images.decode`."""
    seen = set()
    for function in page.fns.values():
        for block in function.inputs:
            if getattr(block, "data_model", None) is not None:
                assert type(block).preprocess.__module__.startswith("nst."), block
                seen.add(type(block).__name__)
    assert seen == {"PathImage", "PathVideo", "Camera", "Canvas", "UploadButton", "Files"}


def test_a_visitor_s_own_upload_and_the_examples_are_let_in(page, folder):
    block, mine = pictures.PathImage(), {"path": str(folder / MINE / "photo.png"), "meta": META}
    inputs.admit(block, mine, "bob")
    inputs.admit(block, mine, "bob")
    with pytest.raises(gr.Error):
        inputs.admit(block, mine, "mallory")
    with pytest.raises(gr.Error):
        inputs.admit(block, mine, "")
    example = pictures.example_file("style", "night")
    for session in ("bob", "mallory", ""):
        inputs.admit(block, {"path": str(example), "meta": META}, session)


def test_what_a_page_was_given_it_may_send_back_and_nobody_else_may(page):
    """As a picture that was converted for it, which the server has made."""
    path = tempfiles.new_file("converted.png")
    Image.new("RGB", (8, 8)).save(path)
    shown = next(block for function in page.fns.values() for block in function.inputs if isinstance(block, gr.Image))
    assert not inputs.is_own(str(path), "bob")
    answer = {"__type__": "update", "value": {"path": str(path), "meta": META}}
    inputs._give([(shown, answer)], "bob", {shown._id})
    assert inputs.is_own(str(path), "bob") and not inputs.is_own(str(path), "mallory")


def test_the_same_picture_of_two_visitors_lies_in_two_places(page):
    uploads = [GradioUploadFile(SimpleNamespace(), filename="x.png") for _ in range(2)]  # type: ignore[arg-type]
    for upload in uploads:
        upload.sha.update(b"the same")
    assert uploads[0].sha.hexdigest() != uploads[1].sha.hexdigest()


def test_a_file_is_opened_once_and_never_through_a_link(folder):
    with inputs.open_file(str(folder / MINE / "photo.png")) as file:
        assert file.read(4) == b"\x89PNG"
    for name in ("link.png", "none.png", "pipe.png", "", "\0"):
        with pytest.raises(ImageError, match="is gone"):
            inputs.open_file(str(folder / MINE / name))


@pytest.mark.parametrize(
    "data", [None, [], "x", 7, {}, {"name": None}, {"name": ["x"]}, {"name": {"path": "/etc/passwd"}}]
)
def test_an_event_that_tells_nonsense_is_told_so(data):
    event = gr.EventData(None, data)
    assert inputs.word(event, "name") == ""
    with pytest.raises(gr.Error, match="makes no sense"):
        inputs.number(event, "name")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300, True, "7", None])
def test_an_event_s_number_is_one(value):
    with pytest.raises(gr.Error, match="makes no sense"):
        inputs.number(gr.EventData(None, {"x": value}), "x")
    assert inputs.number(gr.EventData(None, {"x": 0.25}), "x") == 0.25


@pytest.mark.parametrize("name", ["../content/chelsea", "/etc/passwd", "content/../chelsea", "chelsea\0", "..", ""])
def test_an_example_is_asked_for_by_its_name_alone(page, name):
    pictures.choose("content", "chelsea")
    with pytest.raises(gr.Error, match="no example photo"):
        pictures.choose("content", name)


def test_a_camera_s_picture_goes_through_the_one_decoder():
    camera = pictures.Camera(sources="webcam", streaming=True)
    frame = SimpleNamespace(url="data:image/jpeg;base64,aGVsbG8=", path=None)
    assert camera.preprocess(frame) == b"hello"
    assert camera.preprocess(SimpleNamespace(url="data:image/jpeg;base64,*", path=None)) == b""
    assert camera.preprocess(None) is None
