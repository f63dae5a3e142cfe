"""What one run may take: asked of every run of every task, in one place, after its defaults are resolved."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
import torch
from clips import make_clip
from fake_run import FakeRun, no_load
from PIL import Image

from nst.collection import Collection
from nst.device import lock
from nst.images import ImageError, encode
from nst.optimize import Step
from nst.server import inputs, limits, log
from nst.settings import PRESETS
from nst.stylize import Estimate
from nst.tasks import TASKS
from nst.ui import color, doodle, endpoints, faces, fast, lab, live, mix, optimize, pictures, translate, video
from nst.ui.map_tab import Atlas
from nst.ui.painting import Order, Painting
from nst.video import read_frames

PHOTO = torch.zeros(1, 3, 1200, 1600)


@pytest.fixture(autouse=True)
def _strict(tmp_path, monkeypatch):
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    monkeypatch.setattr(limits.stylize, "estimate", lambda shape, **given: Estimate(0.1, 1_000_000))
    monkeypatch.setattr(limits, "free_memory", lambda device: 16_000_000_000)


def one_step(*pictures: Any, **settings: Any) -> Iterator[Step]:
    one_step.given = settings  # type: ignore[attr-defined]
    yield Step(1, 1, torch.zeros(1, 3, 8, 8), {})


def test_every_run_that_the_page_and_its_endpoints_have_is_within_the_limits(monkeypatch):
    """A task that forgot to ask would be a way around all of them."""
    asked: list[str] = []
    real = limits.limited

    def noted(run: Any, task: str = "style_transfer") -> Any:
        asked.append(task)
        return real(run, task)

    monkeypatch.setattr(limits, "limited", noted)
    with gr.Blocks():
        for part in (optimize, fast, video, mix, color, doodle, lab, faces, translate):
            part.create_tab()
        endpoints.create()
    assert set(asked) == set(TASKS), "and each by its own defaults"


@pytest.mark.parametrize("task", [name for name, task in TASKS.items() if "size" in task.settings])
def test_a_size_that_is_left_open_is_the_photo_s_own_up_to_the_limit(task):
    """Left out, or sent as null, it was what the network takes: 4,096 pixels, under a limit of 1,024."""
    most = limits.current().clip_size if TASKS[task].paints_clips else 1024
    list(limits.limited(one_step, task)(PHOTO, size=None))
    assert one_step.given["size"] == most  # type: ignore[attr-defined]
    list(limits.limited(one_step, task)(PHOTO[..., :300, :400], size=None))
    assert one_step.given["size"] == 400  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=f"at most {most} pixels"):
        next(limits.limited(one_step, task)(PHOTO, size=most + 1))


@pytest.mark.parametrize("task", [name for name, task in TASKS.items() if "num_steps" in task.settings])
def test_the_steps_of_the_preset_count_as_if_they_were_asked_for(task, monkeypatch):
    with pytest.raises(ValueError, match="at most 1000 steps"):
        limits.check({"num_steps": 1001}, task)
    most = PRESETS["draft"].num_steps
    monkeypatch.setattr(limits, "STRICT", limits.Limits(1024, most, 300, 0.6))
    if "preset" in TASKS[task].settings:
        with pytest.raises(ValueError, match=f"at most {most} steps"):
            limits.check({"preset": "best"}, task)
        limits.check({"preset": "draft"}, task)


@pytest.mark.parametrize("task", ["fast", "translate", "style_transfer", "mix", "doodle"])
def test_what_does_not_fit_into_memory_is_refused_whatever_paints_it(task, monkeypatch):
    monkeypatch.setattr(limits, "free_memory", lambda device: 300_000_000)
    monkeypatch.setattr(limits.stylize, "estimate", lambda shape, **given: Estimate(0.1, 400 * given["size"] ** 2))
    limits.check({"size": 256}, task, [(256, 256)])
    with pytest.raises(ValueError, match="GB of memory"):
        limits.check({"size": 1024}, task, [(1024, 1024)])


def test_a_style_that_is_looked_at_at_four_times_the_size_is_counted(monkeypatch):
    monkeypatch.setattr(limits, "free_memory", lambda device: 3_000_000_000)
    monkeypatch.setattr(limits.stylize, "estimate", lambda shape, **given: Estimate(0.1, 400 * given["size"] ** 2))
    shapes = [(1024, 1024), (4096, 4096)]
    limits.check({"size": 1024, "style_scale": 1.0}, shapes=shapes)
    limits.check({"size": 1024, "style_scale": 4.0}, shapes=[shapes[0], (800, 800)])
    for scale in (4.0, [1.0, 4.0]):
        with pytest.raises(ValueError, match="GB of memory"):
            limits.check({"size": 1024, "style_scale": scale}, shapes=shapes)


def test_a_step_that_would_hold_the_device_for_minutes_is_refused(monkeypatch):
    """A run is ended between its steps, and not within one."""
    monkeypatch.setattr(limits.stylize, "estimate", lambda shape, **given: Estimate(600.0, 1_000, 60.0))
    with pytest.raises(ValueError, match="A single step of this takes about 60 s"):
        next(limits.limited(FakeRun())(PHOTO, PHOTO, size=1024))


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0


@pytest.fixture
def hurried(monkeypatch):
    """A server on which a run may take 0.2 or 0.6 seconds, by a clock of its own."""
    clock = Clock()
    monkeypatch.setattr(limits, "STRICT", limits.Limits(1024, 1000, 0.2, 0.6))
    monkeypatch.setattr(log.Stopwatch, "seconds", property(lambda _: clock.now))
    return clock


@pytest.mark.parametrize("limits_here", ["local", "strict"])
def test_who_waits_never_makes_the_time_of_a_run_longer(monkeypatch, limits_here):
    monkeypatch.setenv("PASTICHE_LIMITS", limits_here)
    monkeypatch.setattr(limits.queue, "awaited", lambda: True)
    deadline = limits.Deadline()
    assert not deadline.passed
    deadline.clock = SimpleNamespace(seconds=limits.current().seconds + 1)
    assert deadline.passed


def files(folder: Path, count: int) -> list[str]:
    made = [folder / f"{i}.png" for i in range(count)]
    for path in made:
        path.write_bytes(encode(Image.new("RGB", (16, 16))))
    return [str(path) for path in made]


def test_a_map_ends_in_time_too(tmp_path, hurried):
    looked_at = []

    def read(paths: list[Path], *, names: list[str], keep: bool, progress: Any) -> Collection:
        for i, path in enumerate(paths):
            hurried.now += 0.05
            looked_at.append(path)
            progress(i + 1, len(paths))
        raise AssertionError("it was not ended")

    with gr.Blocks():
        atlas = Atlas(read)
    with pytest.raises(gr.Error, match="This took more than"):
        list(atlas.draw(files(tmp_path, 100)))
    assert 1 <= len(looked_at) < 100 and not lock.locked()


def test_a_map_of_one_file_named_two_hundred_times_is_a_map_of_one(tmp_path):
    given: list[Path] = []

    def read(paths: list[Path], **_: Any) -> Collection:
        given.extend(paths)
        raise ImageError("enough")

    with gr.Blocks():
        atlas = Atlas(read)
    with pytest.raises(gr.Error, match="enough"):
        list(atlas.draw(files(tmp_path, 1) * 200))
    assert len(given) == 1


def test_pictures_that_take_long_to_read_do_not_hold_the_device_either(tmp_path, monkeypatch, hurried):
    real = pictures.decode

    def slow(*given: Any, **named: Any) -> Any:
        hurried.now += 0.15
        return real(*given, **named)

    monkeypatch.setattr(pictures, "decode", slow)
    content, *styles = files(tmp_path, 6)
    painting = Painting(Order({"size": 64}, {"content": content, "style": styles}))
    with pytest.raises(ValueError, match="This took more than"):
        list(painting.paint(FakeRun(), no_load))
    assert not lock.locked()


@pytest.mark.parametrize("format", ["JPEG", "TIFF", "AVIF", "HEIF"])
def test_a_picture_of_any_format_has_a_shape_to_tell_its_size_by(tmp_path, format):
    if format == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    buffer = io.BytesIO()
    Image.new("RGB", (640, 480)).save(buffer, format)
    path = tmp_path / "photo"
    path.write_bytes(buffer.getvalue())
    assert pictures.shape(str(path)) == (480, 640)
    assert [pictures.shape(none) for none in (None, "", ".", "/", "\0.webp")] == [None] * 5, "where there is none"
    with gr.Blocks():
        tab = fast.create_tab(one_step, lambda: ("ink",), load=no_load)
    values = {tab.slots[0].picture: str(path), tab.chosen: ["ink"], tab.corner: (0.5, 0.5)}
    defaults = {control: getattr(control, "value", None) for control in tab.controls.values()}
    order = tab.order({part: values.get(part, defaults.get(part)) for part in tab.inputs})
    assert order.settings.get("size", 640) == 640


def test_a_camera_s_picture_has_a_bound_and_what_is_wrong_with_it_is_told(tmp_path):
    with gr.Blocks():
        tab = fast.create_tab(
            one_step, lambda: ("ink",), lambda *_, **__: SimpleNamespace(paint=lambda photo, **_: photo), no_load
        )
    bomb = io.BytesIO()
    Image.new("1", (4000, 4000)).save(bomb, "PNG")
    for seen, told in (
        (bomb.getvalue(), "megapixels"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "EPS"),
        (b"no picture", "known kind"),
    ):
        assert told in next(tab.live.paint(seen, ["ink"], (0.5, 0.5), None, 100))[1]
    small = encode(Image.new("RGB", (2000, 1000), "teal"))
    painted, _ = next(tab.live.paint(small, ["ink"], (0.5, 0.5), None, 100))
    assert painted.size == (live.LIVE, live.LIVE // 2) and not lock.locked()


def test_the_limits_at_home_are_those_at_home(monkeypatch):
    monkeypatch.setenv("PASTICHE_LIMITS", "local")
    assert limits.check({"size": None}, "fast", [(2000, 3000)])["size"] == 3000
    assert SimpleNamespace(**limits.check({"size": 2048, "num_steps": 3000})).num_steps == 3000


def test_a_strangers_clip_is_painted_as_far_as_is_told(tmp_path, monkeypatch):
    path = make_clip(tmp_path / "long.mp4", count=30, rate=2)
    monkeypatch.setattr(inputs, "open_file", lambda path: io.BytesIO(Path(path).read_bytes()))
    clip = limits.open_clip(str(path))
    assert (clip.seconds, clip.frames) == (10, 20)

    assert sum(1 for _ in read_frames(clip)) == 20
    given = {}

    def one_frame(clip, **settings):
        given.update(settings)
        yield Step(1, 1, PHOTO, {})

    list(limits.limited(one_frame, "video")(clip, size=None))
    assert given["size"] == 64
    with pytest.raises(ValueError, match="a clip has at most 640 pixels"):
        next(limits.limited(one_frame, "video")(clip, size=641))
