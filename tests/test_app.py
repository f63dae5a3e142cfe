"""The app without a browser: what happens when something is used, with a run that only pretends."""

from __future__ import annotations

import re
import threading
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from fake_run import FakeRun, no_load, quick_examples
from gradio_client import Client
from PIL import Image

import app
from nst.device import lock
from nst.images import decode, encode, read_recipe
from nst.server import tempfiles
from nst.styles import StyleNotFound
from nst.stylize import Estimate
from nst.tasks import TASKS
from nst.ui import forecast, page, pictures, progress, settings
from nst.ui.app import launch_options
from nst.ui.optimize import create_tab
from nst.ui.painting import Painting
from nst.ui.result_panel import Values
from nst.ui.task_tab import Workbench
from nst.weights import WeightsNotFound

OPTIMIZED = TASKS["style_transfer"]
DEFAULTS = OPTIMIZED.defaults


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    quick_examples(monkeypatch)


@pytest.fixture
def run() -> FakeRun:
    return FakeRun()


@pytest.fixture(scope="module")
def laid_out() -> Workbench:
    with gr.Blocks():
        return create_tab()


@pytest.fixture
def tab(laid_out, run) -> Workbench:
    laid_out.run, laid_out.load = run, no_load
    return laid_out


@pytest.fixture
def photo(tmp_path) -> str:
    path = tmp_path / "photo.png"
    Image.linear_gradient("L").convert("RGB").resize((48, 32)).save(path)
    return str(path)


def asked(tab: Workbench, photo: str, **changes: Any) -> Values:
    """What the page sends on Paint: pictures, choices and controls."""
    values = {name: settings.shown(name, DEFAULTS[name], OPTIMIZED) for name in tab.controls} | {"size": 64} | changes
    return dict(zip(tab.inputs, [photo, photo, None, None, *values.values()], strict=True))


def begun(tab: Workbench, photo: str, **changes: Any) -> Painting:
    return tab.begin(None, asked(tab, photo, **changes))[tab.painting]


def painted(tab: Workbench, photo: str, **changes: Any) -> Painting:
    painting = begun(tab, photo, **changes)
    list(tab.paint(painting))
    return painting


def visible(updates: dict[Any, Any], tab: Workbench) -> dict[str, bool]:
    return {name: updates[getattr(tab, name)]["visible"] for name in ("start", "stop", "go_on")}


def texts(updates: list[dict[Any, Any]], tab: Workbench) -> str:
    return " ".join(re.sub("<[^>]*>", " ", u[tab.status]) for u in updates if tab.status in u)


# The settings


ELSEWHERE = {"style_weights", "mixing", "guide", "semantic_weight", "content_encoder", "content_layer_weights"}
"""What this tab has no control for: what is of use with several styles, regions or maps."""


def test_every_setting_has_a_control_with_the_recipe_s_own_default(tab):
    assert set(tab.controls) == DEFAULTS.keys() - ELSEWHERE
    read = settings.read({name: control.value for name, control in tab.controls.items()}, OPTIMIZED)
    assert DEFAULTS | read == DEFAULTS
    assert all(control.info for control in tab.controls.values()), "each has a line of help"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"size": "700"}, {"size": 700}),
        ({"num_steps": None, "pooling": settings.AUTO}, {}),
        (
            {"style_layers": ["relu1_1", "relu2_1"], "style_layer_weights": "2, 1"},
            {"style_layers": ["relu1_1", "relu2_1"], "style_layer_weights": [2.0, 1.0]},
        ),
    ],
)
def test_controls_are_read_as_settings(given, wanted):
    assert settings.read(given, OPTIMIZED) == wanted
    told = {name: settings.shown(name, value, OPTIMIZED) for name, value in wanted.items()}
    assert settings.read(told, OPTIMIZED) == wanted


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": "banana"},
        {"size": 99999},
        {"size": None},
        {"style_layer_weights": "1, 2"},
        {"style_layer_weights": "x"},
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(tab, photo, wrong):
    with pytest.raises(gr.Error, match=r"Size|weights") as caught:
        tab.begin(None, asked(tab, photo, **wrong))
    assert not caught.value.print_exception


# A run


def test_paint_shows_the_run_and_ends_with_a_picture(tab, run, photo):
    first = tab.begin(None, asked(tab, photo))
    assert visible(first, tab) == {"start": False, "stop": True, "go_on": False}
    updates = list(tab.paint(first[tab.painting]))
    assert "Painting, 10%" in texts(updates, tab) and "Step 1 of 10, 64 px" in texts(updates, tab)
    assert "polyline" in updates[0][tab.curves] and len(updates[0][tab.snapshots]["value"].pictures) == 1
    last = updates[-1]
    assert visible(last, tab) == {"start": True, "stop": False, "go_on": True}
    assert "Finished" in last[tab.status]
    result = Image.open(last[tab.download]["value"])
    assert result.size == (64, 43) and result.format == "PNG"
    before, after = (Image.open(path) for path in last[tab.compare]["value"])
    assert before.size == after.size == result.size
    assert run.open == 0 and not lock.locked()


def test_what_is_painted_already_changes_nothing_and_is_no_error(tab, run, photo):
    """As after a double click, of whose events each finds the second painting."""
    painting = painted(tab, photo)
    again = list(tab.paint(painting))
    assert len(run.calls) == 1 and all(again), "gradio refuses an answer in which there is nothing"
    assert all(value == gr.skip() for updates in again for value in updates.values())


def test_previews_are_small(tab, photo):
    updates = list(tab.paint(begun(tab, photo, size=700)))
    assert max(updates[0][tab.preview]["value"].size) == 512
    assert Image.open(updates[-1][tab.download]["value"]).width == 700


def test_stop_keeps_the_picture_so_far(tab, run, photo):
    painting = begun(tab, photo)
    steps = tab.paint(painting)
    next(steps)
    tab.halt(painting)
    steps.close()  # as gradio does
    last = tab.end(painting)
    assert run.open == 0 and not lock.locked()
    assert "Stopped" in last[tab.status] and "After 1 of 10" in last[tab.status]
    assert visible(last, tab) == {"start": True, "stop": False, "go_on": True}
    assert decode(last[tab.download]["value"]).rgb.size == (64, 43)


def test_stop_shows_the_result_even_if_the_run_notices_first(tab, photo):
    painting = begun(tab, photo)
    steps = tab.paint(painting)
    next(steps)
    tab.halt(painting)
    assert not list(steps)
    assert tab.end(painting)[tab.download]["value"]


def test_a_closed_page_lets_go_of_the_device(tab, run, photo):
    steps = tab.paint(begun(tab, photo))
    next(steps)
    assert lock.locked()
    steps.close()
    assert run.open == 0 and not lock.locked()


def test_one_waits_for_the_other_and_can_stop_meanwhile(tab, run, photo):
    first, second = begun(tab, photo), begun(tab, photo)
    running, waiting = tab.paint(first), tab.paint(second)
    next(running)
    assert "Waiting" in texts([next(waiting)], tab)
    tab.halt(second)
    assert not list(waiting)
    assert "Before the first step" in tab.end(second)[tab.status]
    assert run.open == 1
    list(running)
    assert "Finished" in texts(list(tab.paint(begun(tab, photo))), tab)
    assert not lock.locked()


def test_continue_goes_on_from_the_result(tab, run, photo):
    first = painted(tab, photo)
    updates = tab.begin_again(first, asked(tab, photo))
    second = updates[tab.painting]
    assert len(updates[tab.snapshots]["value"].pictures) > 1 and "polyline" in updates[tab.curves]
    last = list(tab.paint(second))[-1]
    assert run.calls[-1]["init"].shape == (1, 3, 43, 64)
    assert "20 steps" in last[tab.status]
    assert read_recipe(last[tab.download]["value"])["continued"] is True


def test_continue_stopped_too_early_leaves_the_last_result(tab, photo):
    first = painted(tab, photo)
    second = tab.begin_again(first, asked(tab, photo))[tab.painting]
    tab.halt(second)
    assert visible(tab.end(second), tab)["go_on"]
    assert tab.begin_again(second, asked(tab, photo))[tab.painting].start == first.result


def test_nothing_to_go_on_from_is_told(tab, photo):
    for before in (None, begun(tab, photo)):
        with pytest.raises(gr.Error, match="press Paint"):
            tab.begin_again(before, asked(tab, photo))


def test_a_missing_picture_is_asked_for(tab, photo):
    values = asked(tab, photo)
    with pytest.raises(gr.Error, match="Choose a photo first"):
        tab.begin(None, values | {tab.slots[0].picture: None})
    with pytest.raises(gr.Error, match="Choose a style first"):
        tab.begin(None, values | {tab.slots[1].picture: None})
    with pytest.raises(gr.Error, match="choose it again"):
        tab.begin(None, values | {tab.slots[0].picture: f"{photo}.gone"})


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("size must be a number from 64 to 16384, not 9."), "size must be"),
        (WeightsNotFound("The weights of vgg19 are not here."), "weights of vgg19"),
        (RuntimeError("CUDA out of memory. Tried to allocate 20 MiB"), "smaller size"),
        (MemoryError(), "smaller size"),
        (ZeroDivisionError("secret/path"), "ZeroDivisionError"),
    ],
)
def test_what_goes_wrong_is_told_and_the_picture_so_far_kept(tab, photo, error, told):
    def fails(*pictures: Any, **given: Any) -> Any:
        yield from list(FakeRun()(*pictures, **given))[:2]
        raise error

    tab.run = fails
    painting, updates = begun(tab, photo), []
    with pytest.raises(gr.Error, match=told) as caught:
        for update in tab.paint(painting):
            updates.append(update)
    assert not caught.value.print_exception and "secret" not in str(caught.value)
    assert told in updates[-1][tab.status] and updates[-1][tab.download]["value"]
    assert visible(updates[-1], tab)["start"] and not lock.locked()


def test_a_download_is_shown_and_can_be_stopped(tab, photo, run):
    halted = threading.Event()

    def slow(name: str, progress: Any) -> None:
        progress(10**6, 10**9)
        assert halted.wait(60)
        progress(2 * 10**6, 10**9)
        pytest.fail("it went on")

    tab.load = slow
    painting = begun(tab, photo)
    steps = tab.paint(painting)
    assert re.search(r"\d+ of 1000 MB", texts([next(steps)], tab))
    assert not lock.locked(), "a download does not hold the device"
    tab.halt(painting)
    halted.set()
    assert not list(steps) and not run.calls


def test_a_download_that_fails_is_told(tab, photo):
    def fails(name: str, progress: Any) -> None:
        raise WeightsNotFound("The weights are not here: run the command.")

    tab.load = fails
    with pytest.raises(gr.Error, match="run the command"):
        list(tab.paint(begun(tab, photo)))


# Recipes

CHANGED = {
    "size": 96,
    "strength": 80,
    "preset": "best",
    "num_steps": 7,
    "tv_weight": 0.5,
    "pooling": "max",
    "seed": 5,
    "style_layers": ["relu1_1"],
    "style_layer_weights": "3",
    "optimizer": "lbfgs",
    "init": "noise",
}


def controls_of(updates: dict[Any, Any], tab: Workbench) -> dict[str, Any]:
    return settings.read(
        {name: updates[control] for name, control in tab.controls.items() if control in updates}, OPTIMIZED
    )


def test_a_link_opens_with_the_same_settings_and_examples(tab, photo):
    waves = str(pictures.example_file("style", "waves"))
    style = tab.slots[1]
    values = asked(tab, photo, **CHANGED) | {style.picture: waves, style.chosen: pictures.Choice(waves, "waves")}
    query = tab.make_query(values)
    assert "content" not in query, "an upload's name stays here"
    request: Any = SimpleNamespace(query_params=dict(pair.split("=") for pair in query.split("&")))
    updates = tab.open_page(False, None, request)
    wanted = settings.read({name: values[control] for name, control in tab.controls.items()}, OPTIMIZED)
    assert controls_of(updates, tab) | {"device": "auto"} == wanted
    assert updates[tab.slots[1].chosen].name == "waves"
    assert updates[tab.slots[0].chosen].name == pictures.DEFAULT["content"]


@pytest.mark.parametrize(
    "query", [{}, {"size": "<script>", "style": "../../etc/passwd", "strength": "nan", "encoder": "/etc/passwd"}]
)
@pytest.mark.filterwarnings("ignore:There is no style")  # how gradio tells outside of an event
def test_a_link_that_makes_no_sense_opens_with_the_defaults(tab, query, monkeypatch):
    def known(name: str, size: int = 64) -> Image.Image:
        if name not in {style.name for style in pictures.styles.list_styles()}:
            raise StyleNotFound(f'There is no style "{name}".')
        return Image.new("RGB", (8, 8))

    monkeypatch.setattr(pictures.styles, "load_style", known)
    request: Any = SimpleNamespace(query_params=query)
    updates = tab.open_page(False, None, request)
    restored = tab.controls.keys() - {"device"}
    assert controls_of(updates, tab) == settings.read(
        {name: settings.shown(name, value, OPTIMIZED) for name, value in DEFAULTS.items() if name in restored},
        OPTIMIZED,
    )
    assert [choice.name for choice in (updates[s.chosen] for s in tab.slots)] == list(pictures.DEFAULT.values())


def test_a_result_brings_its_settings_back(tab, photo):
    result = painted(tab, photo, **CHANGED).result
    wanted = settings.read(CHANGED, OPTIMIZED)
    for updates in (tab.open_picture(result), tab.take(tab.slots[0], result, None)):
        found = controls_of(updates, tab)
        assert {name: found[name] for name in wanted} == wanted
    assert tab.controls["device"] not in updates, "the device belongs to the machine"
    assert not controls_of(tab.take(tab.slots[1], result, None), tab), "only a photo, or the button, restores"


def test_a_picture_without_a_recipe_is_told(tab, photo):
    with pytest.raises(gr.Error, match="no recipe"):
        tab.open_picture(photo)


# Pictures


def test_a_file_that_is_no_picture_leaves_the_one_before(tab, tmp_path, photo):
    (tmp_path / "bad.png").write_text("hello")
    with pytest.warns(UserWarning, match="not a picture"):
        updates = tab.take(tab.slots[0], str(tmp_path / "bad.png"), pictures.Choice(photo))
    assert updates[tab.slots[0].picture]["value"] == photo
    assert tab.slots[0].chosen not in updates or updates[tab.slots[0].chosen] == gr.skip()


def test_what_browsers_cannot_show_is_converted(tmp_path):
    """Whatever it is called: telephones send HEIC as IMG_1.jpg, and scanners TIFF as scan.png."""
    pytest.importorskip("pillow_heif").register_heif_opener()
    for name, format in (("scan.tiff", "TIFF"), ("scan.png", "TIFF"), ("IMG_1.jpg", "HEIF")):
        Image.new("RGB", (64, 64), "red").save(tmp_path / name, format)
        shown = pictures.accept(str(tmp_path / name))
        assert shown != str(tmp_path / name) and shown.endswith(f"{name.partition('.')[0]}.jpg")
        with Image.open(shown) as image:
            assert image.format == "JPEG" and image.getpixel((4, 4))[0] > 240
    Image.new("RGB", (8, 8), "red").save(tmp_path / "photo.jpg", "PNG")  # which browsers see for themselves
    assert pictures.accept(str(tmp_path / "photo.jpg")) == str(tmp_path / "photo.jpg")


def test_transparency_is_kept(tab, tmp_path):
    alpha = Image.linear_gradient("L").resize((48, 32))
    (tmp_path / "logo.png").write_bytes(encode(Image.new("RGB", (48, 32), "teal"), alpha=alpha))
    result = Image.open(painted(tab, str(tmp_path / "logo.png")).result)
    assert result.mode == "RGBA"
    difference = np.asarray(result.getchannel("A"), float) - np.asarray(alpha.resize(result.size), float)
    assert np.abs(difference).mean() < 3


def test_examples_are_named_only_while_they_are_in_place(photo):
    choice = pictures.Choice("/x/chelsea.jpg", "chelsea")
    assert pictures.name_of("/cache/abc/chelsea.jpg", choice) == "chelsea"
    assert pictures.name_of(photo, choice) is None and pictures.name_of(photo, None) is None


def test_examples_that_cannot_be_had_are_told(monkeypatch):
    def away(name: str, size: int = 64) -> Image.Image:
        raise StyleNotFound("The Starry Night could not be fetched: connect, or take a drawn style.")

    monkeypatch.setattr(pictures.styles, "load_style", away)
    with pytest.raises(gr.Error, match="take a drawn style"):
        pictures.choose("style", "starry_night")


def test_rows_are_buttons_with_names():
    html = pictures.row_html("style", "waves")
    buttons = re.findall(r"<button [^>]*>", html)
    assert len([b for b in buttons if "aria-label=" in b]) >= 5
    assert len([b for b in buttons if 'aria-pressed="true"' in b]) == 1


# What is shown


def test_curves_stand_zeros_and_nothing():
    assert not progress.curves([], 10)
    assert not progress.curves([(1, {"style": 0.0, "content": float("nan")})], 10)
    assert progress.curves([(1, {"style": 0.0, "content": 1e-9}), (2, {"style": 1e9, "content": 1.0})], 2)


def test_a_long_history_is_thinned_but_keeps_its_end():
    points: list[tuple[int, dict[str, float]]] = []
    for i in range(5000):
        points.append((i, {"style": 1.0}))
        progress.thin(points)
    assert len(points) <= 2 * progress.MAX_POINTS and points[-1][0] == 4999


def test_times_and_sizes_are_for_people():
    assert [progress.duration(s) for s in (0.2, 59.6, 300, 7300)] == ["1 s", "60 s", "5 min", "2 h 2 min"]
    assert progress.memory(250_000_000) == "250 MB" and progress.memory(1_240_000_000) == "1.2 GB"


def test_the_estimate_does_not_wait_for_a_busy_device(monkeypatch):
    measured = set()
    monkeypatch.setattr(forecast.stylize, "is_measured", lambda **given: given["style_loss"] in measured)
    monkeypatch.setattr(forecast.settings, "is_here", lambda name: name == "compact")
    took = Estimate(8.2, 300_000_000)
    monkeypatch.setattr(forecast.stylize, "estimate", lambda shape, **given: measured.add(given["style_loss"]) or took)
    given = (32, 48), DEFAULTS
    with lock:
        assert "when the machine is free" in forecast.estimate(*given)
    assert "8 s" in forecast.estimate(*given) and not lock.locked()
    with lock:
        assert "41 s" in forecast.estimate(*given, times=5), "measured once is enough"
        assert "when the machine is free" in forecast.estimate((32, 48), DEFAULTS | {"style_loss": "patches"})
    assert "downloaded first" in forecast.estimate((32, 48), DEFAULTS | {"encoder": "vgg19"})
    assert forecast.estimate(None, DEFAULTS) == ""


def test_the_estimate_is_of_this_machine_as_it_is_now(monkeypatch):
    monkeypatch.setattr(forecast.stylize, "is_measured", lambda **given: True)
    monkeypatch.setattr(forecast.settings, "is_here", lambda name: True)
    monkeypatch.setattr(forecast.stylize, "estimate", lambda shape, **given: Estimate(10.0, 300_000_000))
    given = (32, 48), DEFAULTS
    assert forecast.seconds(*given) == 10 and "10 s" in forecast.estimate(*given)
    forecast.learn(10.0 * 0.1, 5.0)
    assert "50 s" in forecast.estimate(*given), "a tenth of a run took half of the time that was told for the whole"
    now = forecast.time.monotonic()
    monkeypatch.setattr(forecast.time, "monotonic", lambda: now + 100 * forecast.LATELY)
    assert "10 s" in forecast.estimate(*given), "others have left it since"


def test_the_estimate_is_of_what_the_controls_say(tab, photo, monkeypatch):
    told = []
    monkeypatch.setattr(forecast, "estimate", lambda *asked: told.append(asked) or "")
    tab.tell_estimate(asked(tab, photo, size=96))
    assert told[0][0] == (32, 48) and told[0][1]["size"] == 96 and told[0][2] == 1
    assert "Size" in tab.tell_estimate(asked(tab, photo, size="banana"))


# The server


def test_leftovers_of_crashed_servers_are_removed_and_no_others(tmp_path, monkeypatch):
    monkeypatch.delenv("GRADIO_TEMP_DIR")
    monkeypatch.setattr(tempfiles.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(tempfiles.tempfile, "tempdir", str(tmp_path))
    at_exit: list[Any] = []
    monkeypatch.setattr(tempfiles.atexit, "register", lambda *call: at_exit.append(call))
    for name in ("pastiche-app-crashed", "pastiche-app-strange", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "pastiche-app-crashed" / tempfiles.MARK).touch()
    (tmp_path / "pastiche-app-crashed" / "upload.png").touch()
    running = tempfiles.open_folder()
    monkeypatch.delenv("GRADIO_TEMP_DIR")
    tempfiles.open_folder()
    left = {path.name for path in tmp_path.iterdir()}
    assert "pastiche-app-crashed" not in left and {"pastiche-app-strange", "other", running.name} <= left
    for close, *given in at_exit:
        close(*given)
    assert {path.name for path in tmp_path.iterdir()} == {"pastiche-app-strange", "other"}


def test_the_page_asks_nothing_of_other_servers():
    looks = page.appearance()
    sources = [looks["css_paths"].read_text(), page.head(), page.copy_link("x")]
    sources += [looks["favicon_path"].read_text(), looks["theme"]._get_theme_css(), *looks["theme"]._stylesheets]
    assert not re.findall(r"https?://(?!www\.w3\.org)[^\s\"']+", " ".join(sources))


def test_on_a_space_the_link_is_the_space_s_own(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/pastiche")
    assert "https://huggingface.co/spaces/someone/pastiche" in page.copy_link("x")


def test_flags_are_explained(capsys):
    with pytest.raises(SystemExit) as stop:
        app.main(["--help"])
    assert stop.value.code == 0
    told = capsys.readouterr().out
    assert all(flag in told for flag in ("--host", "--port", "--share"))


def test_the_server_offers_no_endpoints_and_keeps_no_history(run):
    page = app.build_app([("Optimize", lambda: create_tab(run, no_load))])
    assert page.title == "Pastiche" and page.api_open is False and not page.analytics_enabled
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    try:
        client = Client(url, verbose=False)
        assert not client.view_api(return_format="dict")["named_endpoints"]
        config = client.config
        assert config["title"] == "Pastiche" and "runs" not in config["footer_links"]
    finally:
        page.close()


def test_a_picture_file_reaches_the_handlers_undecoded(tmp_path):
    payload: Any = SimpleNamespace(path=str(tmp_path / "x.heic"))
    picture = pictures.picture_input("Photo", "content")
    assert picture.preprocess(payload) == payload.path and picture.preprocess(None) is None
    assert picture.get_block_name() == "image"
    assert type(picture)(**picture.constructor_args).preprocess(payload) == payload.path  # gradio makes copies
