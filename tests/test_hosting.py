"""The app served to strangers: what the gate lets in, limits, log, proxies, replicas, endpoints, ZeroGPU."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import pytest
import torch
from fake_run import FakeRun, no_load, quick_examples
from gradio import routes
from gradio.state_holder import SessionState
from gradio_client import Client
from PIL import Image
from tiny import picture
from visitor import Refused, Visitor

import app
from nst.device import Device, free_memory, lock
from nst.encoders import load_encoder
from nst.images import decode, read_recipe
from nst.optimize import Step
from nst.server import limits, log, serving, sessions, tempfiles
from nst.server.results import Store
from nst.stylize import Estimate
from nst.ui import endpoints, gallery, share
from nst.ui.app import launch_options
from nst.ui.optimize import create_tab

ROOT = Path(__file__).resolve().parent.parent
JSON = {"Content-Type": "application/json"}


@contextmanager
def served(folder: Path, run: Any, load: Any = no_load, api: bool = False, **options: Any) -> Iterator[str]:
    """The app, serving on this machine, with a run that only pretends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "served"))
        patch.setenv("PASTICHE_RESULTS", str(folder / "results"))
        patch.setattr(SessionState, "__init__", SessionState.__init__)
        patch.setattr(routes, "StateHolder", routes.StateHolder)
        sessions.look_after()
        quick_examples(patch)
        patch.setattr("nst.ui.forecast.stylize.estimate", lambda shape, **given: Estimate(8.0, 300_000_000))
        page = app.build_app([("Optimize", lambda: create_tab(run, load)), ("Gallery", gallery.create_tab)])
        if api:
            with page:
                endpoints.create({"stylize": limits.limited(run)}, no_load)
        _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options(api=api) | options)
        SERVED[url] = page
        yield url
        page.close()


SERVED: dict[str, gr.Blocks] = {}
"""The pages that `served` serves, by address."""


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("hosting"), FakeRun(seconds=0.01)) as address:
        yield address


@pytest.fixture
def visitor(url) -> Iterator[Visitor]:
    one = Visitor(url, "?size=64&num_steps=5")
    one.open()
    yield one
    one.close()


# What a visitor may do


def test_a_visitor_paints_shares_and_deletes(visitor):
    assert visitor.click("paint") and "Finished" in visitor.show("status")
    visitor.set("share-public", True)
    assert visitor.click("share-create")
    page, gone = re.findall(r'value="([^"]+)"', visitor.show("shared"))
    assert page.startswith(visitor.url) and httpx.get(page).status_code == 200
    facts = httpx.get(f"{page}.json").json()
    assert facts["recipe"]["settings"]["size"] == 64 and facts["recipe"]["content"] == "coffee"
    assert visitor.click("gallery", "select") and facts["id"] in visitor.show("gallery")
    gone = gone.replace("&amp;", "&")
    assert httpx.post(gone).status_code == 200 and httpx.post(gone).status_code == 404
    assert visitor.click("gallery", "select") and facts["id"] not in visitor.show("gallery")


def test_a_remix_opens_with_what_was_shared(url, visitor, tmp_path):
    for kind, color in (("content", "teal"), ("style", "orange")):
        Image.new("RGB", (80, 60), color).save(tmp_path / f"{kind}.png")
        visitor.set(kind, visitor.upload(tmp_path / f"{kind}.png"))
    assert visitor.click("paint")
    visitor.set("share-inputs", True)
    assert visitor.click("share-create")
    id = re.search(r"/r/(\w+)", visitor.show("shared"))[1]
    other = Visitor(url, f"?remix={id}")
    other.open()
    assert other.show("size") == 64 and other.show("num_steps") == 5
    for kind in ("content", "style"):
        mine, theirs = (httpx.get(f"{url}gradio_api/file={one.show(kind)['path']}") for one in (visitor, other))
        assert decode(mine.content).rgb.tobytes() == decode(theirs.content).rgb.tobytes()
    other.close()


def test_a_remix_of_nothing_opens_with_the_link_s_settings(url):
    visitor = Visitor(url, f"?size=96&remix={'0' * 20}")
    visitor.open()
    assert visitor.show("size") == 96 and "no longer there" in visitor.show("status")
    visitor.close()


def test_an_outage_of_the_hub_is_told_and_the_next_run_works(tmp_path, monkeypatch):
    with served(tmp_path, FakeRun(), load=load_encoder) as address:
        visitor = Visitor(address, "?size=64&num_steps=2")
        visitor.open()
        visitor.set("encoder", "vgg19")
        assert not visitor.click("paint") and "weights of vgg19 are not here" in visitor.toasts[-1]
        assert "did not work" in visitor.show("status") and not lock.locked()
        monkeypatch.setenv("PASTICHE_LIMITS", "strict")  # strangers are not told where it was looked for
        assert not visitor.click("paint") and "could not be fetched" in visitor.toasts[-1]
        assert str(ROOT) not in visitor.toasts[-1] and "/" not in visitor.toasts[-1]
        visitor.set("encoder", "compact")
        assert visitor.click("paint") and "Finished" in visitor.show("status")
        visitor.close()


# What a visitor may not do


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../../../etc/passwd",
        "..%2f..%2f..%2fetc%2fpasswd",
        str(ROOT / "app.py"),
        "app.py",
        "/proc/self/environ",
        "https://example.org/x.png",
        "http:%2f%2f169.254.169.254/",
        "//example.org/x.png",
        "file:///etc/passwd",
    ],
)
def test_no_other_file_or_address_is_served(url, path):
    for way in ("file=", "file/"):
        answer = httpx.get(f"{url}gradio_api/{way}{path}")
        assert answer.status_code in (403, 404) and "root:" not in answer.text


def test_results_are_served_only_through_their_pages(url, visitor):
    assert visitor.click("paint") and visitor.click("share-create")
    id = re.search(r"/r/(\w+)", visitor.show("shared"))[1]
    folder = share.desk().store.folder / id
    assert (folder / "result.json").is_file()
    for name in ("result.json", "picture.webp"):
        assert httpx.get(f"{url}gradio_api/file={folder / name}").status_code == 403


def test_no_address_is_fetched_for_a_stranger(url, visitor):
    class Trap(BaseHTTPRequestHandler):
        asked = 0

        def do_GET(self) -> None:
            Trap.asked += 1

    with serving_http(Trap) as trap:
        for address in (
            trap,
            trap.replace("http:", "HTTP:"),
            f" {trap}",
            trap.removeprefix("http:"),
            "file:///etc/passwd",
        ):
            value = {"path": address, "meta": {"_type": "gradio.FileData"}}
            visitor.set("content", value)
            with pytest.raises(Refused, match="not fetched"):
                visitor.click("paint")
            escaped = json.dumps({"data": [value], "fn_index": 0, "session_hash": "x"}).replace("path", "p\\u0061th")
            for way, status in {"queue/join": 400, "run/predict": 400, "call/x": 404, "api/predict": 404}.items():
                for encoding in ("utf-8", "utf-16", "utf-32", "utf-8-sig"):
                    answer = httpx.post(f"{url}gradio_api/{way}", content=escaped.encode(encoding), headers=JSON)
                    assert answer.status_code == status
    assert Trap.asked == 0


def test_a_visitor_s_files_have_names_that_nobody_guesses(url, visitor, tmp_path):
    """A file is served to whoever knows its name, and to nobody else; and no list of names is to be had."""
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "photo.png")
    mine = visitor.upload(tmp_path / "photo.png")["path"]
    assert re.fullmatch(r"[0-9a-f]{32,}", Path(mine).parent.name)
    assert visitor.click("paint")
    result = Path(visitor.show("download")["path"])
    assert re.fullmatch(r"[0-9a-f]{16,}", result.parent.name)
    for folder in (tempfiles.folder(), Path(mine).parent, result.parent, tempfiles.folder() / "deep_links"):
        assert httpx.get(f"{url}gradio_api/file={folder}").status_code == 403
        assert httpx.get(f"{url}gradio_api/file={folder}/").status_code in (403, 404)


def test_another_visitor_s_session_is_of_no_use(url, visitor):
    assert visitor.click("paint")
    assert httpx.get(f"{url}gradio_api/deep_link", params={"session_hash": visitor.session}).status_code == 404
    stranger = Visitor(url)
    number = stranger.events("share-create")[0]
    assert not stranger.call(number, [None, False, False, False])
    assert any("no finished picture" in told for told in stranger.toasts)
    stranger.close()


@pytest.mark.parametrize("door", ["runs", "run-history/records", "vibe-code", "proxy=https://x.org", "dev/reload"])
def test_doors_that_nobody_needs_are_closed(url, door):
    assert httpx.get(f"{url}gradio_api/{door}").status_code == 404
    assert httpx.get(f"{url}monitoring").status_code == 404


def test_the_queue_cannot_be_passed_by(url, visitor):
    """The ways past the queue answer for what needs no place in it, and for nothing else."""
    config = visitor.config["dependencies"]
    for number in visitor.events("paint") + visitor.events("share-create"):
        for name in (config[number]["api_name"], "predict"):
            asked = {"data": [None] * len(config[number]["inputs"]), "fn_index": number, "session_hash": "x"}
            for way in ("run", "api"):
                answer = httpx.post(f"{url}gradio_api/{way}/{name}", json=asked)
                assert answer.status_code in (401, 403, 404, 422, 500) and "data" not in answer.json(), answer.text
    assert not lock.locked()


def test_what_is_too_large_is_refused(url):
    body = json.dumps({"data": ["x" * 3_000_000], "fn_index": 0, "session_hash": "x"})
    answer = httpx.post(f"{url}gradio_api/queue/join", content=body, headers=JSON)
    assert answer.status_code == 413 and "too large" in answer.text


def test_an_upload_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    with served(tmp_path, FakeRun()) as address:
        files = {"files": ("big.png", bytes(32_000_000))}
        answer = httpx.post(f"{address}gradio_api/upload", files=files, timeout=60)
        assert answer.status_code == 413
        left = [path for path in (tmp_path / "served").rglob("*") if path.is_file() and path.stat().st_size > 1_000_000]
        assert not left


def bomb() -> bytes:
    """A PNG of 900 megapixels in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = (30000).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("x.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'></svg>", "This is SVG"),
        ("x.html", b"<html><script>alert(1)</script></html>", "This is HTML"),
        ("x.png", b"<html><script>alert(1)</script></html>", "This is HTML"),
        ("x.png", bomb(), "megapixels"),
        ("x.exe", b"MZ" + bytes(500), "not a picture"),
    ],
    ids=["svg", "html", "html as png", "bomb", "exe"],
)
def test_hostile_files_are_refused_and_never_run_in_a_browser(url, visitor, tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    value = visitor.upload(tmp_path / name)
    answer = httpx.get(f"{url}gradio_api/file={value['path']}")
    inline = "attachment" not in answer.headers.get("content-disposition", "")
    assert not inline or answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    visitor.set("content", value)
    visitor.click("content", "input")
    assert any(told in toast for toast in visitor.toasts), visitor.toasts
    visitor.set("content", value)
    visitor.click("paint")
    assert told in visitor.toasts[-1] and not lock.locked()


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", str(ROOT / "nst" / "pictures" / "hero.jpg")])
def test_a_forged_path_reaches_no_file(visitor, path):
    visitor.set("content", {"path": path, "meta": {"_type": "gradio.FileData"}})
    assert not visitor.click("paint") and not lock.locked()


def test_forged_settings_are_clamped_or_refused(url, monkeypatch):
    forged = "?size=1e99&strength=%00&style_layers=%3Cscript%3E&seed=-7&init=/etc/passwd&encoder=../x&remix=.."
    visitor = Visitor(url, forged)
    visitor.open()
    assert (visitor.show("size"), visitor.show("strength"), visitor.show("seed")) == (16384, 50, 0)
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    assert not visitor.click("paint")
    assert "at most 1024 pixels" in visitor.toasts[-1]
    visitor.close()


def test_headers_for_browsers(url):
    answer = httpx.get(url)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"


def test_the_server_is_well(url, monkeypatch):
    assert httpx.get(f"{url}healthz").json()["status"] == "ok"
    monkeypatch.setattr(tempfiles.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000, total=10**12))
    answer = httpx.get(f"{url}healthz")
    assert answer.status_code == 503 and answer.json()["status"] == "disk full"


def test_the_page_can_be_installed(url):
    manifest = httpx.get(f"{url}manifest.json").json()
    assert manifest["name"] == "Pastiche" and manifest["display"] == "standalone"
    icon = httpx.get(f"{url.rstrip('/')}/{manifest['icons'][0]['src'].lstrip('/')}")
    assert icon.status_code == 200 and "svg" in icon.headers["content-type"]
    assert 'rel="manifest"' in httpx.get(url).text


# Limits


@pytest.fixture
def logged(caplog) -> list[dict[str, Any]]:
    """What is logged, as it is written."""
    lines: list[dict[str, Any]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(log.JsonFormatter().format(record)))

    handler = Keep()
    before = log.LOGGER.level
    log.LOGGER.addHandler(handler)
    log.LOGGER.setLevel(logging.INFO)
    yield lines
    log.LOGGER.removeHandler(handler)
    log.LOGGER.setLevel(before)


@pytest.fixture
def plenty(monkeypatch):
    monkeypatch.setattr(limits.stylize, "estimate", lambda shape, **given: Estimate(1.0, 1_000_000_000))
    monkeypatch.setattr(limits, "free_memory", lambda device: 16_000_000_000)


PAIR = picture(0), picture(1)


def test_the_role_decides_the_limits(monkeypatch):
    for name in ("PASTICHE_LIMITS", "SYSTEM", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    assert limits.current() is limits.LOCAL
    monkeypatch.setenv("SYSTEM", "spaces")
    assert limits.current() is limits.STRICT
    monkeypatch.setenv("PASTICHE_LIMITS", "local")
    assert limits.current() is limits.LOCAL
    monkeypatch.delenv("SYSTEM")
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    assert limits.current() is limits.STRICT


@pytest.mark.parametrize(("given", "told"), [({"size": 1025}, "1024 pixels"), ({"num_steps": 1001}, "1000 steps")])
def test_what_is_too_much_is_refused_before_it_starts(monkeypatch, plenty, given, told):
    run = FakeRun()
    assert next(limits.limited(run)(*PAIR, **given | {"num_steps": 2}))
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    with pytest.raises(ValueError, match=told):
        next(limits.limited(run)(*PAIR, **given))
    assert len(run.calls) == 1


def test_what_does_not_fit_into_memory_is_refused_before_it_starts(monkeypatch, plenty):
    run = FakeRun()
    monkeypatch.setattr(limits, "free_memory", lambda device: 1_050_000_000)
    with pytest.raises(ValueError, match=r"needs 1\.0 GB of memory, and 1\.1 GB are free"):
        next(limits.limited(run)(*PAIR, size=64))
    assert not run.calls


def test_a_run_that_takes_too_long_ends_with_the_picture_so_far(monkeypatch, plenty, logged):
    run = FakeRun(seconds=0.02, num_steps=1000)
    monkeypatch.setattr(limits, "LOCAL", limits.Limits(4096, 5000, 0.1, 0.9))
    monkeypatch.setattr(limits.stylize, "estimate", lambda shape, **given: Estimate(0.005, 1_000))
    steps = list(limits.limited(run)(*PAIR, size=64))
    assert 1 < len(steps) < 30 and "at most" in str(steps[-1].note) and run.open == 0
    assert (
        logged[-1]["event"] == "painted" and logged[-1]["outcome"] == "cut short" and logged[-1]["steps"] == len(steps)
    )


def test_textures_have_the_same_limits(monkeypatch, plenty):
    seen: list[Any] = []

    def estimate(shape: tuple[int, int], **given: Any) -> Estimate:
        seen.append((shape, given))
        return Estimate(1.0, 1)

    monkeypatch.setattr(limits.stylize, "estimate", estimate)

    def texture(styles: Any, **settings: Any) -> Iterator[Step]:
        yield from FakeRun()(styles[0], styles[0], size=32, num_steps=2)

    assert len(list(limits.limited(texture)([PAIR[0]], width=900, height=300))) == 2
    assert [(shape, given["size"]) for shape, given in seen] == [((300, 900), 900)]
    with pytest.raises(ValueError, match="16384 pixels"):
        next(limits.limited(texture)([PAIR[0]], width=90, height=17000))


def test_all_painting_is_done_on_one_thread_in_the_context_of_who_asks(plenty):
    seen: list[tuple[str, str]] = []
    who = ContextVar("who", default="nobody")

    def run(*pictures: Any, **settings: Any) -> Iterator[Step]:
        try:
            for step in FakeRun()(*pictures, **settings):
                seen.append((threading.current_thread().name, who.get()))
                yield step
        finally:
            seen.append((threading.current_thread().name, who.get()))

    def visit(name: str) -> None:
        who.set(name)
        steps = limits.limited(run)(*PAIR, size=64)
        next(steps)
        next(steps)
        steps.close()

    for name in ("anna", "ben"):
        one = threading.Thread(target=visit, args=(name,))
        one.start()
        one.join()
    assert [name for _, name in seen] == ["anna"] * 3 + ["ben"] * 3
    assert {thread for thread, _ in seen} == {"painter_0"}


def test_how_a_run_ends_is_logged(plenty, logged):
    list(limits.limited(FakeRun())(*PAIR, size=64))
    steps = limits.limited(FakeRun())(*PAIR, size=64)
    next(steps)
    steps.close()

    def fails(*_: Any, **__: Any) -> Iterator[Step]:
        yield from FakeRun()(*PAIR, num_steps=2, size=64)
        raise MemoryError

    with pytest.raises(MemoryError):
        list(limits.limited(fails)(*PAIR, size=64))
    assert [line["outcome"] for line in logged] == ["done", "cancelled", "MemoryError"]


def test_free_memory_is_that_of_the_container_too(tmp_path, monkeypatch):
    monkeypatch.setattr("nst.device.CONTAINER", tmp_path)
    device = Device(torch.device("cpu"), None, "CPU")
    machine = free_memory(device)
    assert machine > 100_000_000, "every system tells it, or no guard of memory would act"
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("2000\n")
    assert free_memory(device) == 3000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory(device) != 3000
    (tmp_path / "memory").mkdir()  # as older kernels tell it
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("7000\n")
    (tmp_path / "memory" / "memory.usage_in_bytes").write_text("3000\n")
    assert free_memory(device) == 4000


# The log


def test_the_log_tells_nothing_of_a_visitor(logged):
    log.note("shared", public=True, seconds=0.5)
    try:
        raise ValueError("/tmp/holiday.jpg cannot be read")
    except ValueError as error:
        logging.getLogger("nst.ui.task_tab").error("A painting failed", exc_info=error)
    assert logged[0].items() >= {"event": "shared", "level": "info", "public": True, "seconds": 0.5}.items()
    assert logged[1]["error"] == "ValueError" and logged[1]["at"] and "holiday" not in json.dumps(logged)


def test_what_visitors_do_is_logged_without_what_they_sent(url, visitor, tmp_path, logged):
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "holiday.png")
    visitor.set("content", visitor.upload(tmp_path / "holiday.png"))
    assert visitor.click("paint") and visitor.click("share-create")
    assert [line["event"] for line in logged] == ["shared"]
    assert not re.search(r"holiday|127\.0\.0\.1|/tmp|teal", json.dumps(logged))


# The temporary folder


def test_the_temporary_folder_stays_small(tmp_path):
    for i in range(6):
        path = tmp_path / f"{i:016x}" / "preview.jpg"
        path.parent.mkdir()
        path.write_bytes(bytes(1000))
    (tmp_path / tempfiles.MARK).touch()
    example = tmp_path / tempfiles.EXAMPLES / "style" / "night.jpg"  # in everybody's page, and old
    example.parent.mkdir(parents=True)
    example.touch()
    assert tempfiles.remove_oldest(tmp_path, 3000, youngest=3600) == 0, "what is young is left"
    assert tempfiles.remove_oldest(tmp_path, 3000, youngest=-1) == 3000
    assert len(list(tmp_path.iterdir())) == 5 and (tmp_path / tempfiles.MARK).exists()
    assert tempfiles.remove_oldest(tmp_path, 3000, youngest=-1) == 0
    assert tempfiles.remove_oldest(tmp_path, 0, youngest=-1) == 3000 and example.exists()


def test_uploads_leave_room_on_the_disk_and_the_oldest_go_for_them(tmp_path, monkeypatch):
    """A disk of 70 MB, of which a quarter stays free: the second upload of 29 MB takes the place of the first."""
    total = 70_000_000
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))

    def usage(_: object) -> SimpleNamespace:
        used = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
        return SimpleNamespace(total=total, free=total - used)

    def upload(name: str) -> None:
        with (tmp_path / name).open("wb") as file:
            file.truncate(29_000_000)

    monkeypatch.setattr(tempfiles.shutil, "disk_usage", usage)
    assert tempfiles.make_room(29_000_000)
    upload("first")
    assert not tempfiles.make_room(29_000_000), "what is young is safe"
    assert tempfiles.has_room(tmp_path)
    assert tempfiles.make_room(29_000_000, youngest=-1) and not (tmp_path / "first").exists()
    upload("second")
    assert tempfiles.make_room(10_000_000, youngest=-1) and (tmp_path / "second").exists(), "no more than needed goes"
    assert not tempfiles.make_room(60_000_000, youngest=-1)


def test_a_picture_that_is_gone_is_told_without_its_place(visitor, tmp_path):
    Image.new("RGB", (80, 60), "teal").save(tmp_path / "mine.png")
    visitor.set("content", visitor.upload(tmp_path / "mine.png"))
    begin, paint = visitor.events("paint")
    assert visitor.call(begin)
    Path(visitor.show("content")["path"]).unlink()  # swept away while one waits in line
    assert not visitor.call(paint)
    assert "gone; choose it again" in visitor.toasts[-1] and str(tmp_path.parent) not in visitor.toasts[-1]
    assert "gone; choose it again" in visitor.show("status")


def test_a_thread_looks_after_it(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    (tmp_path / "old").write_bytes(bytes(10))
    real, swept = tempfiles.remove_oldest, threading.Event()

    def sweep(*given, **options):
        real(*given, **options)
        swept.set()

    monkeypatch.setattr(tempfiles, "remove_oldest", sweep)
    done = tempfiles.keep_small(5, youngest=-1, every=0.01)
    assert swept.wait(60)
    done.set()
    assert not (tmp_path / "old").exists()


# Proxies, flags, replicas


@contextmanager
def serving_http(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    handler.log_message = lambda *_: None
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def proxy_to(target: str, prefix: str) -> type[BaseHTTPRequestHandler]:
    """A proxy that has the app under a path."""

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith(prefix):
                self.send_error(404)
                return
            headers = {"Host": self.headers["Host"], "X-Forwarded-Proto": "https", "X-Forwarded-For": "1.2.3.4"}
            answer = httpx.get(target.rstrip("/") + self.path.removeprefix(prefix), headers=headers)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["content-type"])
            self.end_headers()
            self.wfile.write(answer.content)

    return Proxy


def test_links_are_right_behind_a_proxy_with_a_path(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/art")
    with served(tmp_path, FakeRun()) as inner, serving_http(proxy_to(inner, "/art")) as outer:
        id, _ = Store(tmp_path / "results").add(Image.new("RGB", (64, 48)), {}, public=True)
        page = httpx.get(f"{outer}art/r/{id}").text
        told = f"{outer.replace('http:', 'https:')}art/r/{id}"
        assert f'<meta property="og:url" content="{told}">' in page
        for link in re.findall(r'(?:src|href|url)="?\(?([^")\s>]+)', page):
            if not link.startswith(("https:", "?", "../?")):
                assert httpx.get(str(httpx.URL(f"{outer}art/r/{id}").join(link))).status_code == 200, link
        config = httpx.get(f"{outer}art/config").json()
        assert config["root"] == f"{outer.replace('http:', 'https:')}art"


def test_flags_are_heeded(monkeypatch, tmp_path, capsys):
    launched: dict[str, Any] = {}
    for name in ("GRADIO_ROOT_PATH", "PASTICHE_LIMITS", "GRADIO_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(serving, "look_after", lambda: None)
    monkeypatch.setattr(gr.Blocks, "launch", lambda self, **given: launched.update(given, page=self))
    asked = "--host 0.0.0.0 --port 99 --auth a:b:c --auth d:e --root-path /art --strict"
    assert app.main(asked.split()) == 0
    assert launched["auth"] == [("a", "b:c"), ("d", "e")] and launched["server_port"] == 99
    assert os.environ["GRADIO_ROOT_PATH"] == "/art" and limits.current() is limits.STRICT
    assert launched["mcp_server"] is False and launched["run_history"] is False and launched["page"].api_open is False
    with pytest.raises(SystemExit):
        app.main(["--auth", "nobody"])
    assert "colon" in capsys.readouterr().err


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def process(
    folder: Path, *flags: str, script: Path = ROOT / "app.py", **environment: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`python app.py` in a process of its own; yields its address once it answers."""
    port = free_port()
    own = {"PASTICHE_RESULTS": str(folder / "results"), "TMPDIR": str(folder), **environment}
    env = {name: value for name, value in {**os.environ, **own}.items() if name != "GRADIO_TEMP_DIR"}
    command = [sys.executable, str(script), "--port", str(port), *flags]
    output = (folder / f"{port}.log").open("w+")
    given: Any = {"cwd": ROOT, "env": env, "stdout": output, "stderr": subprocess.STDOUT, "text": True}
    server = subprocess.Popen(command, **given, start_new_session=True)  # workers that it forks end with it
    address, deadline = f"http://127.0.0.1:{port}/", time.monotonic() + 180
    try:
        while time.monotonic() < deadline and server.poll() is None:
            try:
                if httpx.get(f"{address}healthz", timeout=5).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        else:
            pytest.fail(f"The app did not start: {Path(output.name).read_text()[-2000:]}")
        yield address, server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        output.close()


@pytest.mark.slow
def test_two_replicas_serve_each_other_s_results(tmp_path):
    with process(tmp_path) as (first, _), process(tmp_path) as (second, _):
        links = []
        for own, other in ((first, second), (second, first)):
            visitor = Visitor(own, "?size=64&num_steps=1")
            visitor.open()
            assert visitor.click("paint") and visitor.click("share-create"), visitor.toasts
            page, gone = (link.replace("&amp;", "&") for link in re.findall(r'value="([^"]+)"', visitor.show("shared")))
            assert httpx.get(page.replace(own, other)).status_code == 200
            links.append(gone.replace(own, other))
            visitor.close()
        assert [httpx.post(link).status_code for link in links] == [200, 200], "and delete them"
        assert not list((tmp_path / "results").iterdir())


@pytest.mark.slow
def test_as_a_space_it_starts_without_secrets_and_says_why_nothing_is_shared(tmp_path):
    space = {"SYSTEM": "spaces", "SPACE_ID": "me/art", "SPACE_HOST": "me-art.hf.space", "PASTICHE_RESULTS": ""}
    with process(tmp_path, **space) as (address, server):
        visitor = Visitor(address)
        html = " ".join(str(value) for value in visitor.values.values())
        assert "bucket" in html
        assert not [one for one in visitor.config["components"] if one["props"].get("elem_id") == "share-create"]
        assert httpx.get(f"{address}r/x").status_code == 404
        visitor.close()
        server.kill()  # and what it leaves behind is removed by the next one
        server.wait()
        assert list(tmp_path.glob("pastiche-app-*"))
        with process(tmp_path, **space):
            assert len(list(tmp_path.glob("pastiche-app-*"))) == 1


# Endpoints for programs


@pytest.fixture(scope="module")
def api(tmp_path_factory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("api"), FakeRun(), api=True, mcp_server=False) as address:
        yield address


def test_there_are_no_endpoints_unless_asked_for(url):
    assert not Client(url, verbose=False).view_api(return_format="dict")["named_endpoints"]
    assert httpx.post(f"{url}gradio_api/mcp/", json={}).status_code in (404, 405)


def enclosed(color: str) -> str:
    file = io.BytesIO()
    Image.new("RGB", (80, 60), color).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def test_a_program_paints(api):
    client = Client(api, verbose=False)
    named = client.view_api(return_format="dict")["named_endpoints"]
    assert set(named) == {f"/{tool.__name__}" for tool in endpoints.TOOLS}
    for content, style in (("chelsea", "waves"), (enclosed("teal"), enclosed("orange"))):
        path = client.predict(content, style, 60, 96, "draft", 3, api_name="/stylize")
        recipe = read_recipe(path)
        assert recipe and recipe["settings"]["strength"] == 60 and max(Image.open(path).size) == 96
        assert recipe.get("content") == (content if content == "chelsea" else None)


def test_a_program_has_fast_styles_translations_and_faces(api):
    client = Client(api, verbose=False)
    for style in ("starry_night", enclosed("orange")):
        path = client.predict("chelsea", style, 80, 64, "luminance", api_name="/paint_fast")
        recipe = read_recipe(path)
        assert recipe["task"] == "fast" and recipe["settings"]["strength"] == 80 and max(Image.open(path).size) == 64
        assert recipe["style"] == ["a picture" if style.startswith("data:") else style]
    path = client.predict("chelsea", "vangogh2photo", 64, api_name="/translate_photo")
    assert read_recipe(path)["settings"]["model"] == "photo2vangogh" and max(Image.open(path).size) == 64
    path = client.predict(3, 7, 0.5, api_name="/make_faces")
    assert read_recipe(path)["settings"]["seed"] == 7 and Image.open(path).size == (256, 256)


@pytest.mark.parametrize(
    ("name", "asked", "told"),
    [
        ("paint_fast", ("chelsea", "data:image/png;base64,aGVsbG8=", 100, 64, "none"), "not a picture"),
        ("paint_fast", ("chelsea", "ink", 100, 100_000, "none"), "size"),
        ("translate_photo", ("chelsea", "cat2dog", 64), "cat2dog"),
        ("translate_photo", ("http://127.0.0.1/x.png", "horse2zebra", 64), "There is no"),
        ("make_faces", (1000, 0, 0.7), "At most 64 faces"),
        ("make_faces", (4, 0, 7.0), "maximum|1"),
    ],
)
def test_every_tool_refuses_with_a_reason(api, name, asked, told):
    with pytest.raises(Exception, match=told):
        Client(api, verbose=False).predict(*asked, api_name=f"/{name}")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("https://example.org/x.png", "waves", 50, 64, "draft", 0), "There is no"),
        (("../../etc/passwd", "waves", 50, 64, "draft", 0), "There is no"),
        (("chelsea", "data:image/png;base64,%%%", 50, 64, "draft", 0), "not base64"),
        (("chelsea", "data:image/png;base64,aGVsbG8=", 50, 64, "draft", 0), "not a picture"),
    ],
)
def test_a_program_is_refused_with_a_reason(api, asked, told):
    with pytest.raises(Exception, match=told):
        Client(api, verbose=False).predict(*asked, api_name="/stylize")


def test_a_program_has_the_same_limits_and_the_same_queue(api, monkeypatch):
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    with pytest.raises(Exception, match="at most 1024 pixels"):
        Client(api, verbose=False).predict("chelsea", "waves", 50, 2048, "draft", 0, api_name="/stylize")
    asked = {"data": ["chelsea", "waves", 50, 64, "draft", 0]}
    with pytest.raises(Exception, match="at most 1024 pixels"):
        Client(api, verbose=False).predict("chelsea", "ink", 100, 2048, "none", api_name="/paint_fast")
    for name, given in {"stylize": asked, "make_faces": {"data": [4, 0, 0.7]}}.items():
        answer = httpx.post(f"{api}gradio_api/run/{name}", json=given)
        assert answer.status_code >= 400 and "data" not in answer.json()


@pytest.mark.slow
def test_a_port_that_is_taken_is_told_in_a_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "app.py", "--port", str(port)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith(f"Port {port} cannot be served on")
    assert "Traceback" not in done.stderr
