"""Twenty hostile visitors, each after the server's memory in another way: it stays under its bound, and goes on."""

from __future__ import annotations

import base64
import io
import secrets
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from test_hosting import process
from visitor import Refused, Visitor

if sys.platform != "linux":
    pytest.skip("reads /proc", allow_module_level=True)

MOST = 1500
"""MB that the process may hold at any time."""

SIDE = 6320
"""Of the largest square picture that is accepted, in pixels."""


@pytest.fixture(scope="module")
def heavy(tmp_path_factory) -> dict[str, Path]:
    """Small files of very large pictures, and a large file of one."""
    folder, made = tmp_path_factory.mktemp("heavy"), {}
    noise = np.random.default_rng(0).integers(0, 256, (SIDE // 4, SIDE // 4, 3), np.uint8)
    photo = Image.fromarray(noise).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    for name, image, options in (
        ("mask.png", Image.new("1", (SIDE, SIDE), 1), {"optimize": True}),
        ("deep.tif", Image.new("I;16", (SIDE, SIDE), 30_000), {"compression": "tiff_deflate"}),
        ("glass.png", Image.new("RGBA", (SIDE, SIDE), (20, 90, 160, 128)), {}),
        ("photo.jpg", photo, {"quality": 40}),
        ("bomb.png", Image.new("1", (13_340, 13_340)), {"optimize": True}),
    ):
        made[name] = folder / name
        image.save(made[name], **options)
    return made


Attack = Callable[[Visitor, dict[str, Path]], Any]


def masks(visitor: Visitor, heavy: dict[str, Path]) -> None:
    """Five masks and two styles, ordered again and again and never painted."""
    mask, photo = visitor.upload(heavy["mask.png"]), visitor.upload(heavy["photo.jpg"])
    for i in range(1, 6):
        visitor.set(f"mix-mask-{i}", mask)
    for name in ("mix-content", "mix-style", "mix-style-2"):
        visitor.set(name, photo)
    visitor.set("mix-sharing", "regions")
    begin, paint, *_ = visitor.events("mix-paint")
    for _ in range(3):
        visitor.call(begin)
    visitor.call(paint)


def measure(visitor: Visitor, heavy: dict[str, Path]) -> None:
    photo = visitor.upload(heavy["photo.jpg"])
    visitor.call(visitor.events("measure")[-1], [photo, photo, photo])


def fast(visitor: Visitor, heavy: dict[str, Path]) -> None:
    """A large style of one's own, which is held for as long as the page is open."""
    photo = visitor.upload(heavy["photo.jpg"])
    visitor.set("fast-content", photo)
    visitor.set("fast-style", photo)
    visitor.call(visitor.events("fast-style", "upload")[0])
    for number in visitor.events("fast-paint"):
        visitor.call(number)


def take(visitor: Visitor, heavy: dict[str, Path]) -> None:
    """Pictures that have to be converted for the page."""
    for name in ("deep.tif", "glass.png", "mask.png"):
        visitor.set("content", visitor.upload(heavy[name]))
        for number in visitor.events("content", "input"):
            visitor.call(number)


def camera(visitor: Visitor, heavy: dict[str, Path]) -> None:
    number = next(
        d["id"] for d in visitor.config["dependencies"] if any(event == "stream" for _, event in d["targets"])
    )
    inside = {"url": "data:image/png;base64," + base64.b64encode(heavy["bomb.png"].read_bytes()).decode()}
    asked = {"data": [inside, ["ink"], None, None, 100, "as preset"], "fn_index": number, "trigger_id": None}
    asked |= {"session_hash": visitor.session, "event_data": None}
    visitor.http.post("/gradio_api/queue/join", json=asked)
    with suppress(httpx.TimeoutException):
        visitor.http.get("/gradio_api/queue/data", params={"session_hash": visitor.session}, timeout=5)


def strokes(visitor: Visitor, heavy: dict[str, Path]) -> None:
    """Layers of a canvas that nobody ever asks for."""
    for i in range(24):
        form = {"type": "layer", "index": str(i % 4), "id": f"{visitor.session}{i}", "fn_name": "accept_blobs"}
        form |= {"component_id": str(visitor.component("mix-canvas")), "session_hash": visitor.session}
        visitor.http.post("/gradio_api/component_server", data=form, files={"file": ("x.png", bytes(3_900_000))})


def doodle(visitor: Visitor, heavy: dict[str, Path]) -> None:
    """A map and a canvas of any size."""
    for name, event in (("doodle-map", "input"), ("doodle-content", "input")):
        visitor.set(name, visitor.upload(heavy["photo.jpg"]))
        for number in visitor.events(name, event):
            visitor.call(number)
    visitor.set("doodle-canvas", {"background": None, "composite": None, "layers": [visitor.upload(heavy["mask.png"])]})
    visitor.call(visitor.events("doodle-paint")[0])


def pages(visitor: Visitor, heavy: dict[str, Path]) -> None:
    """Names of sessions that there are not."""
    asked = {"data": None, "component_id": visitor.component("mix-canvas"), "fn_name": "accept_blobs"}
    for _ in range(200):
        visitor.http.post("/gradio_api/component_server", json=asked | {"session_hash": secrets.token_hex(6)})


ATTACKS: tuple[Attack, ...] = (masks, measure, fast, take, camera, strokes, doodle, pages)


def resident(pid: int) -> float:
    """MB of a process's own memory; what is resident of the libraries' files comes and goes as the system likes."""
    text = (Path("/proc") / str(pid) / "status").read_text()
    return int(text.partition("RssAnon:")[2].split()[0]) / 1024


@pytest.mark.slow
def test_twenty_hostile_visitors_stay_within_the_memory(tmp_path, heavy):
    with process(tmp_path, "--strict", OMP_NUM_THREADS="1") as (url, server):
        before, most, over, told = resident(server.pid), [0.0], threading.Event(), Counter[str]()

        def watch() -> None:
            while not over.wait(0.02):
                most[0] = max(most[0], resident(server.pid))

        def attack(i: int) -> None:
            one = ATTACKS[i % len(ATTACKS)]
            visitor = Visitor(url, "?size=64&num_steps=5&preset=draft", timeout=300, address=f"127.0.1.{i + 1}")
            try:
                one(visitor, heavy)
                told[one.__name__] += 1
            except Refused as refused:
                told[f"{one.__name__}: {refused.status}"] += 1
            finally:
                visitor.close()

        watching = threading.Thread(target=watch)
        watching.start()
        honest = Visitor(url, "?size=64&num_steps=5", timeout=300, address="127.0.2.1")
        honest.open()
        assert honest.call(honest.events("paint")[0])
        started = time.monotonic()
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(attack, range(20)))
        painted = honest.call(honest.events("paint")[1])
        time.sleep(5)
        over.set()
        watching.join()
        after, seconds = resident(server.pid), time.monotonic() - started
        print(f"\n{before:.0f} MB before, {most[0]:.0f} at most, {after:.0f} after {seconds:.0f} s:", dict(told))
        assert most[0] < MOST and after < before + 400
        assert painted and "Finished" in honest.show("status"), "the page of who was here first is remembered"
        honest.close()
        log = "".join(path.read_text() for path in tmp_path.glob("*.log"))
        assert "Traceback" not in log, log[log.index("Traceback") :][:3000]


@pytest.mark.slow
def test_a_file_of_some_kilobytes_is_a_picture_of_forty_megapixels(heavy):
    """Or the test above would show nothing."""
    assert heavy["mask.png"].stat().st_size < 20_000 and heavy["bomb.png"].stat().st_size < 60_000
    with Image.open(io.BytesIO(heavy["mask.png"].read_bytes())) as image:
        assert image.width * image.height > 39_000_000
