"""ZeroGPU, with the package `spaces` as it is and a stand-in for the service that hands out GPUs.

The GPU itself is not here: a worker that would move what it has to it is spared that, and computes on the processor.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import torch
from test_hosting import process
from visitor import Visitor

from nst.optimize import Step
from nst.server import zerogpu
from nst.tasks import TASKS

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked, and found in /proc")

WITHOUT_A_GPU = """
import spaces.zero.torch as of_workers
of_workers.init = of_workers.move = lambda *given, **named: None
from nst.server import zerogpu
zerogpu.prepare()
import torch
assert torch.cuda.is_available(), "so it says on ZeroGPU, everywhere"
"""

APP = f"""
import sys
sys.path.insert(0, ".")
{WITHOUT_A_GPU}
from nst.ui import app
sys.exit(app.main(sys.argv[1:]))
"""


class Scheduler:
    """The service that hands out GPUs: whom it served, and how it answers.

    Attributes:
        asked: of every request to it, the path's end and what was given.
        quota: if set, seconds that are left to everybody, and no GPU is given.
        free: no GPU is given until it is set.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.quota: int | None = None
        self.free = threading.Event()
        self.free.set()

    def answer(self, path: str, given: dict[str, str]) -> tuple[int, Any]:
        self.asked.append((path, given))
        if path != "schedule":
            return 200, {}
        assert self.free.wait(60)
        if self.quota is not None:
            return 429, {"left": self.quota, "wait": "PT1H"}
        return 200, {"idle": False, "nvidiaIndex": 0, "nvidiaUUID": "none", "allowToken": f"{len(self.asked)}"}

    @property
    def durations(self) -> list[int]:
        """Seconds that were asked for."""
        return [int(given["durationSeconds"]) for path, given in self.asked if path == "schedule"]


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scheduler, dict[str, str]]]:
    """The service, and the environment of a Space that has it."""
    scheduler = Scheduler()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = urlsplit(self.path)
            given = {name: values[0] for name, values in parse_qs(asked.query).items()}
            if asked.path == "/control":  # of a script, for itself
                scheduler.quota = int(given["quota"]) if "quota" in given else None
                (scheduler.free.clear if "wait" in given else scheduler.free.set)()
                status, answer = 200, {}
            else:
                status, answer = scheduler.answer(asked.path.strip("/"), given)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    cgroup = tmp_path_factory.mktemp("space") / "cgroup"
    cgroup.write_text("0::/space\n")
    yield (
        scheduler,
        {
            "SPACES_ZERO_GPU": "true",
            "SPACES_ZERO_DEVICE_API_URL": f"http://127.0.0.1:{server.server_port}",
            "ZEROGPU_PROC_SELF_CGROUP_PATH": str(cgroup),
            "PASTICHE_LIMITS": "strict",
            "PYTHONPATH": str(ROOT),
            "NO_PROXY": "127.0.0.1",
        },
    )
    server.shutdown()
    server.server_close()


SCENES = f"""
{WITHOUT_A_GPU}
import json, os, threading
from concurrent.futures import ThreadPoolExecutor
import httpx
from nst import faces, fast, metrics, translate
from nst.device import choose_device
from nst.server import limits
from nst.tasks import TASKS
from nst.ui import forecast

said = {{}}
others = ThreadPoolExecutor(4)
photo, style = torch.rand(2, 1, 3, 64, 64)
run = limits.limited(TASKS["style_transfer"].run, "style_transfer")
brief = {{"size": 64, "num_steps": 6, "preset": "draft"}}

def on_a_thread(call, *given, **named):
    return others.submit(call, *given, **named).result(120)

def control(**given):
    httpx.post(os.environ["SPACES_ZERO_DEVICE_API_URL"] + "/control", params=given).raise_for_status()

def steps(**settings):
    return list(run(photo, style, **(brief | settings)))

said["device"] = on_a_thread(choose_device).torch_device.type
said["estimate"] = on_a_thread(forecast.estimate, (64, 64), TASKS["style_transfer"].defaults)
said["score"] = on_a_thread(metrics.pastiche_score, photo, style, photo).total
said["fast"] = list(on_a_thread(fast.fast_stylize, photo, ["waves"]).shape)
said["translated"] = list(on_a_thread(translate.translate, photo, model="horse2zebra", size=64).image.shape)
said["faces"] = list(on_a_thread(faces.sample_faces, count=1).shape)
said["pid"] = os.getpid()
made = on_a_thread(steps)
said["steps"], said["kind"] = [step.index for step in made], made[-1].image.device.type
try:
    on_a_thread(steps, masks=[torch.zeros(1, 1, 9, 9), torch.zeros(1, 1, 9, 9)])
except ValueError as error:
    said["wrong"] = str(error)
control(quota=7)
try:
    on_a_thread(steps)
except ValueError as error:
    said["quota"] = str(error)
control(wait=1)
waiting = others.submit(steps)
said["meanwhile"] = list(on_a_thread(limits.on_painter, fast.fast_stylize, photo, ["waves"]).shape)
said["waited"] = not waiting.done()
control()
said["after"] = len(waiting.result(120))
zerogpu.END, zerogpu.LONGEST, zerogpu.SHORTEST = 15, 15, 15
said["note"] = on_a_thread(steps, num_steps=500)[-1].note
steps_left = run(photo, style, **(brief | {{"num_steps": 900}}))
next(steps_left)
steps_left.close()
said["painters"] = threading.active_count() < 20
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(space: tuple[Scheduler, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the scenes came to, all in one process, since starting one takes seconds."""
    scheduler, environment = space
    script = tmp_path_factory.mktemp("scenes") / "scenes.py"
    script.write_text(SCENES)
    done = subprocess.run(
        [sys.executable, str(script)], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {"durations": scheduler.durations}


@pytest.mark.slow
def test_what_answers_at_once_computes_on_the_processor_on_whatever_thread(said: dict[str, Any]) -> None:
    assert said["device"] == "cpu" and "s of a GPU" in said["estimate"] and 0 <= said["score"] <= 100
    assert said["fast"] == said["translated"] == [1, 3, 64, 64] and said["faces"][:2] == [1, 3]


@pytest.mark.slow
def test_a_run_is_given_the_gpu_step_by_step(said: dict[str, Any]) -> None:
    assert said["steps"][0] == 1 and said["steps"][-1] == 6 and said["kind"] == "cpu"


@pytest.mark.slow
def test_what_goes_wrong_in_the_worker_is_told_in_its_own_words(said: dict[str, Any]) -> None:
    assert "mask" in said["wrong"].lower() and "quota" in said["quota"].lower() + "gpu limit quota"


@pytest.mark.slow
def test_who_waits_for_a_gpu_keeps_nobody_waiting(said: dict[str, Any]) -> None:
    assert said["waited"] and said["meanwhile"] == [1, 3, 64, 64] and said["after"] > 1


@pytest.mark.slow
def test_a_run_ends_before_the_gpu_is_taken_away(said: dict[str, Any]) -> None:
    assert said["note"].startswith("Ended here")


@pytest.mark.slow
def test_whoever_has_56_seconds_left_is_not_asked_for_a_minute(said: dict[str, Any]) -> None:
    assert said["durations"] and all(zerogpu.SHORTEST <= one <= zerogpu.LONGEST for one in said["durations"])
    assert said["durations"][0] == zerogpu.SHORTEST


def test_seconds_are_asked_for_by_what_a_run_takes() -> None:
    large = {"size": 1024, "preset": "best"}
    assert zerogpu.SHORTEST < zerogpu.duration(large) < zerogpu.duration(large, times=20) == zerogpu.LONGEST
    few = {"size": 64, "preset": "draft", "num_steps": 4}
    assert zerogpu.duration(few) == zerogpu.SHORTEST < zerogpu.duration({"size": 512, "preset": "good"})


def test_elsewhere_nothing_of_it_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert not any(map(zerogpu.serves, TASKS))
    zerogpu.prepare()
    script = (
        "import app, sys, nst.server.zerogpu as z; z.prepare(); sys.exit(bool({'torch', 'spaces'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0


def test_seconds_are_asked_for_by_what_such_runs_took_before() -> None:
    asked = {"size": 333, "preset": "draft", "num_steps": 100, "encoder": "one of a test"}
    before, clock = zerogpu.duration(asked), zerogpu.Clock(asked)
    for index, now in ((1, 50.0), (60, 80.0), (101, 100.0)):  # half a second each, after whatever was waited for
        clock.note(Step(index, 101, torch.zeros(1, 3, 4, 4), {}), now)
    after = zerogpu.duration(asked)
    assert before < after == round(zerogpu.START + zerogpu.END + zerogpu.SPARE * 0.5 * 100)
    assert zerogpu.duration(asked | {"size": 334}) == before, "of such runs only"


@pytest.mark.slow
def test_the_first_press_of_every_tab_works(space: tuple[Scheduler, dict[str, str]], tmp_path: Path) -> None:
    scheduler, environment = space
    script = tmp_path / "app_without_a_gpu.py"
    script.write_text(APP)
    with process(tmp_path, script=script, **environment) as (url, _):
        visitor = Visitor(url, "?size=64&num_steps=4&preset=draft", timeout=300)
        visitor.open()
        before = len(scheduler.durations)
        for number in visitor.first_looks():
            visitor.call(number)
        presses = [f"{task.prefix}-paint".lstrip("-") for task in TASKS.values()]
        for press in filter(visitor.has, presses):
            assert visitor.click(press), f"{press}: {visitor.toasts}"
        painted = ROOT / "nst" / "pictures" / "fast" / "waves.webp"
        for kind in ("style", "result"):
            visitor.set(f"measure-{kind}", visitor.upload(painted))
        for press in ("measure", "map-examples"):
            assert visitor.click(press), f"{press}: {visitor.toasts}"
        assert sum(map(visitor.has, presses)) >= 12, "all but what has a page of its own"
        assert len(scheduler.durations) - before >= sum(
            zerogpu.serves(name) for name, task in TASKS.items() if not task.keeps
        )
