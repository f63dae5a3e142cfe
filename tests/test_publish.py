"""Publishing shared results to a dataset, against a stand-in for the Hub that keeps what is committed."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nst.images import read_recipe
from nst.server.results import Store, publish

ROOT = Path(__file__).resolve().parent.parent
RECIPE = {"settings": {"seed": 5}}


class Dataset:
    """One dataset on the stand-in: its files, how many commits it had, and whether the Hub is down."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.commits, self.down = 0, False

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if self.down:
            return 500, {"error": "out of order"}
        if path == "/api/repos/create":
            return 200, {"url": "https://huggingface.co/datasets/me/art", "name": "me/art"}
        if path.startswith("/api/datasets/me/art/tree/"):
            return 200, [
                {"type": "file", "path": name, "size": len(data), "oid": "0" * 40} for name, data in self.files.items()
            ]
        if path.startswith("/api/datasets/me/art/preupload/"):
            names = [file["path"] for file in json.loads(body)["files"]]
            return 200, {"files": [{"path": n, "uploadMode": "regular", "shouldIgnore": False} for n in names]}
        if path.startswith("/api/datasets/me/art/commit/"):
            self.commits += 1
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                elif line["key"] == "deletedFile":
                    del self.files[line["value"]["path"]]
            url = f"https://huggingface.co/datasets/me/art/commit/{'0' * 40}"
            return 200, {"commitUrl": url, "commitOid": "0" * 40}
        return 404, {"error": path}


@contextmanager
def hub(dataset: Dataset) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = dataset.answer(self.command, self.path, body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


PUBLISH = """
import sys
from pathlib import Path
from nst.server.results import Store
from nst.server.results.publish import Publisher
publisher = Publisher(Store(Path(sys.argv[1])), "me/art", "hf_secret", minutes=1e6)
try:
    publisher.trigger().result()  # after the round that begins by itself
finally:
    publisher.stop()
"""


def published(store: Store, endpoint: str) -> subprocess.CompletedProcess[str]:
    """One round in a process of its own, since the Hub's library reads its settings once."""
    away = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    away |= {"NO_PROXY": "127.0.0.1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PUBLISH, str(store.folder)]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **away}, capture_output=True, text=True, timeout=120)


def add(store: Store, public: bool) -> tuple[str, str]:
    return store.add(Image.new("RGB", (64, 48), "teal"), RECIPE, before=Image.new("RGB", (64, 48)), public=public)


@pytest.mark.slow
def test_public_results_are_published_and_deleted_ones_taken_back(tmp_path):
    store, dataset = Store(tmp_path / "results"), Dataset()
    dataset.files["README.md"] = b"of the dataset's owner"
    (mine, token), _ = add(store, public=True), add(store, public=False)
    with hub(dataset) as endpoint:
        first = published(store, endpoint)
        assert first.returncode == 0, first.stderr
        assert dataset.files.keys() == {"README.md", f"results/{mine}.webp", f"results/{mine}.json"}
        assert read_recipe(dataset.files[f"results/{mine}.webp"]) == RECIPE
        told = json.loads(dataset.files[f"results/{mine}.json"])
        assert told["recipe"] == RECIPE and not re.search("token|hf_secret", json.dumps(told))
        commits = dataset.commits
        assert published(store, endpoint).returncode == 0 and dataset.commits == commits, "nothing new, no commit"
        other, _ = add(store, public=True)
        store.remember_deleted = True
        assert store.delete(mine, token)
        dataset.down = True
        assert published(store, endpoint).returncode != 0 and store.get(other), "an outage loses nothing"
        dataset.down = False
        assert published(store, endpoint).returncode == 0
        assert dataset.files.keys() == {"README.md", f"results/{other}.webp", f"results/{other}.json"}
        assert not store.deleted()


def test_nothing_is_published_unless_asked_for(tmp_path, monkeypatch):
    for given in ({}, {"PASTICHE_DATASET": "me/art"}, {"HF_TOKEN": "x"}):
        for name in ("PASTICHE_DATASET", "HF_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        assert publish.start(Store(tmp_path)) is None


def test_the_hub_is_tried_again_until_it_answers(tmp_path, monkeypatch):
    tries, done = [], threading.Event()

    def publisher(*given: object) -> None:
        tries.append(given)
        if len(tries) < 3:
            raise OSError("no answer")
        done.set()

    monkeypatch.setenv("PASTICHE_DATASET", "me/art")
    monkeypatch.setenv("HF_TOKEN", "x")
    monkeypatch.setattr(publish, "Publisher", publisher)
    over = publish.start(Store(tmp_path), minutes=1e-4)
    assert done.wait(5) and over is not None and len(tries) == 3
    over.set()


@pytest.mark.parametrize("remember", [True, False])
def test_what_is_deleted_is_noted_only_where_it_matters(tmp_path, remember):
    store = Store(tmp_path)
    id, token = add(store, public=True)
    store.remember_deleted = remember
    assert store.delete(id, token) and store.deleted() == [id] * remember
    store.forget_deleted(id)
    assert not store.deleted()
