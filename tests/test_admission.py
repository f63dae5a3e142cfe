"""The queue: one visitor never shuts it for others, nothing is painted twice, and who has left leaves nothing."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_run import FakeRun
from test_hosting import SERVED, process, served
from visitor import Refused, Visitor

from nst.device import lock
from nst.server import admission, limits, queue

QUERY = "?size=64&num_steps=2000"


class Held(FakeRun):
    """A run that takes no second step until it may."""

    def __init__(self) -> None:
        super().__init__(seconds=0.02)
        self.may, self.waits = threading.Event(), False

    def __call__(self, *pictures: Any, **settings: Any) -> Iterator[Any]:
        for step in super().__call__(*pictures, **settings):
            yield step
            self.waits = True
            self.may.wait(120)
            self.waits = False


RUNS: dict[str, Held] = {}
"""What a server runs, by its address."""


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PASTICHE_LIMITS", "strict")
        patch.setenv("FORWARDED_ALLOW_IPS", "127.0.0.1")
        patch.setattr(admission, "LOOK", 0.1)
        with served(tmp_path_factory.mktemp("admission"), run := Held()) as address:
            RUNS[address] = run
            yield address


@pytest.fixture
def url(server, monkeypatch) -> Iterator[str]:
    monkeypatch.setattr(limits, "STRICT", limits.Limits(size=1024, num_steps=5000, seconds=300, memory=0.6))
    patience(monkeypatch, 600)  # however busy this machine is, nobody is taken to have gone
    RUNS[server].may.set()
    yield server
    patience(monkeypatch, 0.5)
    RUNS[server].may.set()
    assert soon(lambda: not list(admission.under_way(queue_of(server)))), "all have gone"


def patience(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """For how long whoever does not listen may still come back."""
    for name in ("GONE", "AWAITED"):
        monkeypatch.setattr(admission, name, seconds)


def visitor(url: str, address: str, query: str = QUERY) -> Visitor:
    """One who comes from this address."""
    one = Visitor(url, query)
    one.http.headers["X-Forwarded-For"] = address
    one.open()
    return one


def joined(who: Visitor, number: int) -> httpx.Response:
    """Ask for an event, and do not listen."""
    data = [who.values.get(i) for i in who.config["dependencies"][number]["inputs"]]
    asked = {"data": data, "fn_index": number, "session_hash": who.session}
    return who.http.post("/gradio_api/queue/join", json=asked)


def begun(who: Visitor) -> int:
    """Press Paint, and do not listen; the number of the event that paints."""
    begin, paint = who.events("paint")
    assert who.call(begin)
    assert joined(who, paint).status_code == 200
    return paint


def soon(what: Callable[[], bool], seconds: float = 40.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.05)
    return False


def listening(who: Visitor) -> threading.Thread:
    """Stay there, and listen."""

    def stay() -> None:
        try:
            with who.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": who.session}) as stream:
                for _ in stream.iter_lines():
                    pass
        except httpx.HTTPError:
            pass  # closed from here

    thread = threading.Thread(target=stay, daemon=True)
    thread.start()
    return thread


def queue_of(url: str) -> Any:
    return SERVED[url]._queue


def test_one_visitor_never_shuts_the_queue_for_others(url, monkeypatch):
    flood = visitor(url, "203.0.113.1")
    paint = begun(flood)
    codes = {joined(flood, paint).status_code for _ in range(70)}
    assert codes <= {200, 429}, "200 where it ends at once, since it is painted already"
    alive = [event for event in admission.under_way(queue_of(url)) if admission.kind(event.fn) == "painting"]
    assert len(alive) <= admission.PAINTINGS
    other = visitor(url, "203.0.113.2", "?size=64&num_steps=3")
    assert other.call(other.events("copy-link")[0]), "a click is answered though the device is busy"
    flood.close()
    patience(monkeypatch, 1.5)
    assert other.click("paint") and "Finished" in other.show("status")
    other.close()


def test_of_one_visitor_one_painting_runs_and_one_waits(url):
    who = visitor(url, "203.0.113.3")
    RUNS[url].may.clear()  # to press again overtakes the first, which is in a long step
    begun(who)
    assert soon(lambda: RUNS[url].waits)
    second = begun(who)
    refused = joined(who, second)
    assert refused.status_code == 429 and "another one waits" in refused.json()["detail"]
    who.close()


def test_of_one_address_one_painting_runs_and_one_waits_whatever_the_sessions(url):
    crowd = [visitor(url, "203.0.113.4") for _ in range(3)]
    begun(crowd[0])
    begun(crowd[1])
    refused = joined(crowd[2], crowd[2].events("paint")[1])
    assert refused.status_code == 429 and "From your network" in refused.json()["detail"]
    assert joined(visitor(url, "203.0.113.5"), crowd[2].events("paint")[1]).status_code == 200
    for one in crowd:
        one.close()


def test_at_home_several_paint_from_one_address(url, monkeypatch):
    monkeypatch.setenv("PASTICHE_LIMITS", "local")
    crowd = [visitor(url, "203.0.113.4") for _ in range(4)]
    for one in crowd:
        begun(one)
        one.close()


def test_a_painting_is_painted_once(url):
    who = visitor(url, "203.0.113.6", "?size=64&num_steps=3")
    begin, paint = who.events("paint")
    assert who.call(begin) and who.call(paint) and "Finished" in who.show("status")
    before = who.show("download")["path"]
    again = list(who.watch(paint))
    assert sum(message["msg"] == "process_generating" for message in again) <= 1, "no step"
    assert who.show("download")["path"] == before and not lock.locked()
    assert who.call(begin) and who.call(paint) and who.show("download")["path"] != before, "but pressing paints anew"
    who.close()


def test_of_many_who_claim_a_painting_one_gets_it():
    painting, got = type("Painting", (), {})(), list[bool]()
    threads = [threading.Thread(target=lambda: got.append(queue.claim(painting))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(got) == 1 and queue.claim(type("Painting", (), {})())


@pytest.mark.parametrize("leave", ["never listened", "listened, and closed the page"])
def test_the_job_of_a_visitor_who_has_gone_ends_and_leaves_nothing(url, leave, monkeypatch):
    who = visitor(url, "203.0.113.7")
    begun(who)
    assert soon(lock.locked)
    if leave != "never listened":
        listening(who)
        assert soon(lambda: queue.here[who.session])
    who.close()
    patience(monkeypatch, 1.5)
    assert soon(lambda: not lock.locked())
    assert soon(lambda: not list(admission.under_way(queue_of(url))))
    assert soon(lambda: who.session not in queue_of(url).pending_event_ids_session)
    assert soon(lambda: who.session not in queue_of(url).pending_messages_per_session)
    assert not queue._line and not queue._running


def test_the_job_of_a_visitor_who_stays_goes_on(url, monkeypatch):
    who = visitor(url, "203.0.113.8", "?size=64&num_steps=5000")
    begun(who)
    listening(who)
    assert soon(lambda: queue.here[who.session] and lock.locked())
    patience(monkeypatch, 1.5)
    time.sleep(3 * admission.GONE)
    assert lock.locked(), "a run outlasts any pause of a visitor who is there"
    who.close()
    assert soon(lambda: not lock.locked())


def test_who_waits_and_has_gone_is_not_waited_for(url, monkeypatch):
    first = visitor(url, "203.0.113.9", "?size=64&num_steps=5000")
    begun(first)
    listening(first)
    assert soon(lambda: queue.here[first.session] and lock.locked())
    for i in range(5):
        gone = visitor(url, f"203.0.113.{20 + i}")
        begun(gone)
        gone.close()
    patience(monkeypatch, 1.5)
    assert soon(lambda: len(queue._line) == 0 and lock.locked()), "only the first is there still"
    first.close()


def test_a_long_run_ends_with_the_picture_so_far_while_others_wait(tmp_path, monkeypatch):
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "127.0.0.1")
    monkeypatch.setattr(limits, "STRICT", limits.Limits(1024, 5000, seconds=300, memory=0.6, shared=0.5))
    with served(tmp_path, limits.limited(FakeRun(seconds=0.02))) as url:
        first, second = visitor(url, "203.0.113.60"), visitor(url, "203.0.113.61", "?size=64&num_steps=3")
        painting = threading.Thread(target=first.click, args=("paint",))
        painting.start()
        assert soon(lambda: bool(queue._running))
        assert second.click("paint") and "Finished" in second.show("status")
        painting.join(20)
        status = first.show("status")
        assert "Stopped" in status and "while others wait" in status and "Continue goes on from it" in status
        assert first.show("download")["path"]
        first.close()
        second.close()


def test_device_time_counts_for_the_address_that_had_it(url):
    who = visitor(url, "203.0.113.50", "?size=64&num_steps=20")
    assert who.click("paint")
    assert 0.2 < queue._lately("203.0.113.50") < 60
    who.close()


@pytest.mark.parametrize("number", [-1, 10**6])
def test_what_is_no_event_is_not_taken_in(url, number):
    asked = {"data": [], "fn_index": number, "session_hash": "x"}
    assert httpx.post(f"{url}gradio_api/queue/join", json=asked).status_code == 404
    assert "x" not in queue_of(url).pending_event_ids_session


@pytest.mark.parametrize(
    ("what", "own", "near", "everybody", "told"),
    [
        ("painting", 1, 1, 200, ""),
        ("painting", 2, 2, 2, admission.PAINTS_ALREADY),
        ("painting", 0, 2, 2, admission.ADDRESS_PAINTS_ALREADY),
        ("painting", 0, 0, admission.MOST_PAINTINGS, admission.FULL),
        ("click", admission.CLICKS - 1, admission.CLICKS - 1, admission.MOST_PAINTINGS, ""),
        ("click", admission.CLICKS, admission.CLICKS, 20, admission.TOO_FAST),
        ("click", 0, admission.CLICKS_OF_ADDRESS, 50, admission.TOO_FAST),
        ("click", 0, 0, admission.MOST_CLICKS, admission.FULL),
        ("camera", 0, 1, 1, admission.ONE_CAMERA),
        ("camera", 0, 0, 30, ""),
    ],
)
def test_what_is_taken_in(monkeypatch, what, own, near, everybody, told):
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    assert admission.refused(what, own, near, everybody) == told


def test_what_answers_at_once_shares_no_bound_with_what_computes(url):
    lines: dict[str, set[str]] = {}
    for function in SERVED[url].fns.values():
        lines.setdefault(admission.kind(function), set()).add(function.concurrency_id)
    assert lines["painting"] == {admission.DEVICE} and not lines["painting"] & lines["click"]


def test_a_visitor_who_is_refused_can_paint_later(url, monkeypatch):
    one, two, three = (visitor(url, "203.0.113.40") for _ in range(3))
    begun(one)
    begun(two)
    with pytest.raises(Refused, match="From your network"):
        three.click("paint")
    one.close()
    two.close()
    patience(monkeypatch, 1.5)
    assert soon(lambda: not list(admission.under_way(queue_of(url))))
    patience(monkeypatch, 600)
    three.query = "?size=64&num_steps=3"
    paint = begun(three)
    assert paint and soon(lock.locked)
    three.close()


# The end


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_server_ends_well(tmp_path, number):
    with process(tmp_path, "--strict") as (address, server):
        who = Visitor(address, "?size=256&num_steps=900&preset=draft")
        who.open()
        (tmp_path / "photo.png").write_bytes(b"x" * 100)
        assert Path(who.upload(tmp_path / "photo.png")["path"]).is_file()
        begun(who)
        listening(who)
        server.send_signal(number)
        assert server.wait(20) == 0
        who.close()
    told = next(tmp_path.glob("*.log")).read_text()
    assert not list(tmp_path.glob("pastiche-app-*")), "uploads are removed"
    assert "Traceback" not in told and "terminate" not in told and '"event": "stopped"' in told


# The log


def test_no_request_leaves_a_traceback_or_its_own_words_in_the_log(tmp_path, monkeypatch):
    evil = 'evil\n{"event": "forged"}\x1b[31m'
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "127.0.0.1")
    with process(tmp_path, "--strict") as (address, _):
        who = Visitor(address, "?size=64&num_steps=1")
        who.open()
        dependencies = who.config["dependencies"]
        for number in range(0, len(dependencies), 23):
            asked = {"data": [evil] * 3, "fn_index": number, "session_hash": "x", "event_data": {evil: evil}}
            who.http.headers["X-Forwarded-For"] = f"203.0.113.{number % 250}"  # who is refused often is answered late
            for way in ("queue/join", "run/predict", "stream/x", "component_server", "cancel", "reset"):
                who.http.post(f"/gradio_api/{way}", json=asked)
        for path in ("gradio_api/file=/tmp/evil%0Aforged", "evil%0aforged", "?page=evil%0aforged", "r/evil%0aforged"):
            who.http.get(f"/{path}")
        who.http.post("/gradio_api/queue/join", content=evil.encode("utf-16"))
        who.http.post("/gradio_api/upload", files={"files": (evil, b"x")})
        who.http.post("/login", data={"username": evil, "password": evil})
        written = next(tmp_path.glob("*.log"))
        assert soon(lambda: '"event": "refused"' in written.read_text())
        who.close()
    lines = written.read_text().splitlines()
    assert not [line for line in lines if "evil" in line or "forged" in line or "Traceback" in line]
    events = [json.loads(line) for line in lines if line.startswith("{")]
    assert any(one["event"] == "refused" for one in events)
    strange = [line for line in lines if line and not line.startswith(("{", "* "))]
    assert not strange, strange
