"""Fifty visitors, ten of them hostile: no honest one is refused, or waits more than twice as long as without those.

Twelve minutes, after as long without the hostile ones as is needed to compare; PASTICHE_LOAD_MINUTES makes it shorter.
Each visitor comes from an address of its own of this machine. What was measured is printed (`-s`).
"""

from __future__ import annotations

import os
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median

import httpx
import pytest
from test_hosting import bomb
from test_load import MOST, Server, serving
from visitor import Refused, Visitor

MINUTES = float(os.environ.get("PASTICHE_LOAD_MINUTES", "12"))
HONEST, HOSTILE = 40, 10
QUERY = "?size=64&num_steps=8&preset=draft"
LONG = "?size=1024&num_steps=1000"
MOST_MEMORY = 1500
"""MB."""


class Crowd:
    """Honest visitors who paint, look, and paint again.

    Attributes:
        waits: seconds of each painting, from the press to the result, the wait included.
        told: what went wrong for them.
    """

    def __init__(self, url: str) -> None:
        self.url, self.waits, self.told, self.over = url, list[float](), Counter[str](), threading.Event()
        self.threads = [threading.Thread(target=self.visit, args=(i,)) for i in range(HONEST)]

    def visit(self, i: int) -> None:
        chance = random.Random(i)
        time.sleep(chance.uniform(0, 5))
        visitor = None
        while not self.over.is_set():
            try:
                if visitor is None:
                    visitor = Visitor(self.url, QUERY, timeout=600, address=f"127.0.1.{i + 1}")
                    visitor.open()
                started = time.monotonic()
                if not visitor.click("paint"):
                    self.told[f"failed: {visitor.toasts[-1:]}"] += 1
                elif not self.over.is_set():
                    self.waits.append(time.monotonic() - started)
                time.sleep(chance.uniform(0.5, 3))
            except Refused as refused:
                self.told[f"refused: {refused}"] += 1
                time.sleep(1)
            except Exception as error:
                self.told[f"error: {error!r:.200}"] += 1
                visitor = None
                time.sleep(1)
        if visitor:
            visitor.close()

    def stay(self, seconds: float, server: Server) -> tuple[float, int]:
        """Let them in; the most MB of the server, and the most bytes of its temporary folder."""
        memory, disk, until = 0.0, 0, time.monotonic() + seconds
        for thread in self.threads:
            thread.start()
        while time.monotonic() < until:
            memory, disk = max(memory, server.memory()), max(disk, server.bytes())
            time.sleep(0.2)
        self.over.set()
        for thread in self.threads:
            thread.join(600)
        assert not any(thread.is_alive() for thread in self.threads), "a request was starved"
        return memory, disk


def flood(url: str, address: str) -> Counter[int]:
    """Begin, and ask for the painting seventy times, and for clicks by the hundred; listen to none."""
    visitor, codes = Visitor(url, LONG, address=address), Counter[int]()
    visitor.open()
    begin, paint = visitor.events("paint")
    visitor.call(begin)
    click = visitor.events("copy-link")[0]
    for i in range(170):
        number = paint if i < 70 else click
        data = [None] * len(visitor.config["dependencies"][number]["inputs"])
        asked = {"data": data, "fn_index": number, "session_hash": visitor.session if i % 2 else secrets.token_hex(6)}
        codes[visitor.http.post("/gradio_api/queue/join", json=asked).status_code] += 1
    visitor.close()
    return codes


def vanish(url: str, address: str) -> Counter[int]:
    """Begin the longest painting there is, and go."""
    visitor = Visitor(url, LONG, address=address)
    visitor.open()
    begin, paint = visitor.events("paint")
    visitor.call(begin)
    asked = {"data": [None], "fn_index": paint, "session_hash": visitor.session}
    answer = visitor.http.post("/gradio_api/queue/join", json=asked)
    visitor.close()
    return Counter([answer.status_code])


def burden(url: str, address: str) -> Counter[int]:
    """Upload what is huge, or becomes so, and have it looked at."""
    visitor, codes = Visitor(url, QUERY, address=address), Counter[int]()
    visitor.open()
    for name, content in (("bomb.png", bomb()), ("large.png", secrets.token_bytes(2_000_000)), ("x.eps", b"%!PS" * 99)):
        answer = visitor.http.post("/gradio_api/upload", files={"files": (name, content)})
        codes[answer.status_code] += 1
        if answer.status_code == 200:
            visitor.set("content", {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}})
            for press in (("content", "input"), ("paint", "click")):
                with suppress(Refused):
                    visitor.click(*press)
    visitor.close()
    return codes


def publish(url: str, address: str) -> Counter[int]:
    """Paint once, share it again and again, and fetch it as often."""
    visitor, codes = Visitor(url, "?size=64&num_steps=2", address=address), Counter[int]()
    visitor.open()
    if visitor.click("paint"):
        for _ in range(20):
            codes[200 if visitor.click("share-create") else 429] += 1
    visitor.close()
    return codes


def pry(url: str, address: str) -> Counter[int]:
    """Knock at every door."""
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(base_url=url, transport=transport, timeout=60) as client:
        paths = [
            "gradio_api/token",
            "gradio_api/process_recording",
            "?page=x",
            "pwa_icon/64",
            "gradio_api/file=/etc/passwd",
        ]
        codes = Counter(client.get(path).status_code for path in paths)
        codes += Counter(client.get(f"r/{secrets.token_hex(10)}").status_code for _ in range(60))
        bodies = (b"{", b"[" * 9999, "x".encode("utf-16"), b"0" * 2_500_000)
        for body in bodies:
            codes[client.post("gradio_api/queue/join", content=body).status_code] += 1
    return codes


WAYS: list[Callable[[str, str], Counter[int]]] = [flood, vanish, burden, publish, pry]


def hostile(url: str, i: int, over: threading.Event, seen: Counter[str]) -> None:
    while not over.is_set():
        way = WAYS[i % len(WAYS)]
        try:
            for code, count in way(url, f"127.0.2.{i + 1}").items():
                seen[f"{way.__name__} {code}"] += count
        except (Refused, httpx.HTTPError) as error:
            seen[f"{way.__name__} {type(error).__name__}"] += 1
        over.wait(1)


@pytest.mark.slow
def test_hostile_visitors_keep_nobody_out(tmp_path: Path) -> None:
    with serving(tmp_path, "--strict") as server:
        first = Visitor(server.url, QUERY)
        first.open()
        assert first.click("paint")  # weights are loaded
        first.close()
        alone = Crowd(server.url)
        alone.stay(60 * MINUTES / 3, server)
        together, over, seen = Crowd(server.url), threading.Event(), Counter[str]()
        enemies = [threading.Thread(target=hostile, args=(server.url, i, over, seen)) for i in range(HOSTILE)]
        for enemy in enemies:
            enemy.start()
        memory, disk = together.stay(60 * MINUTES, server)
        over.set()
        for enemy in enemies:
            enemy.join(120)
        waits = {"without": median(alone.waits), "with": median(together.waits)}
        print(
            "\n", {name: round(seconds, 2) for name, seconds in waits.items()}, "seconds a painting, waiting included"
        )
        print({"paintings": (len(alone.waits), len(together.waits)), "MB": round(memory), "disk": disk})
        print("hostile:", dict(sorted(seen.items())), "honest:", dict(together.told))
        assert not together.told, "no honest visitor is refused"
        assert waits["with"] <= 2 * waits["without"]
        assert memory < MOST_MEMORY and disk < MOST + 40_000_000
        assert httpx.get(f"{server.url}healthz").json()["status"] == "ok"
