"""A stand-in for the Hugging Face Hub on loopback, with the troubles a network has.

with FakeHub() as hub:
    hub.add("owner/name", revision, "model.safetensors", data)
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    hub.statuses = [(500, ""), (500, "")]       # the next two answers
    hub.cuts = [1000]                           # the next body ends after 1000 bytes
    hub.requests                                # what was asked
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    method: str
    path: str
    range: str
    authorization: str


def go_online(monkeypatch: Any, folder: Path) -> None:
    """Let a test reach what `HF_ENDPOINT` will name, with empty caches in `folder`."""
    monkeypatch.setenv("PASTICHE_CACHE", str(folder / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_TELEMETRY", True)
    huggingface_hub.close_session()


class FakeHub:
    """Serves files at `/{owner}/{name}/resolve/{revision}/{file}` as the Hub does.

    Attributes to set, where each entry of a list is used up by one request:
        ranges: False to send whole files only.
        linked: the sha256 to state in X-Linked-Etag; None for the true one, "" for no such header.
        etag: None for the file's sha256.
        redirect: answer with a 302 to another address, as the Hub does for large files.
        statuses: (status, X-Error-Code) instead of an answer; status 200 for an ordinary one.
        cuts: a body is cut off after so many bytes, without a word; -1 for a whole one.
        pauses: seconds to wait in the middle of a body.
        shift: bytes by which a range is answered wrongly.
        drip: (bytes, seconds): bodies come in pieces of so many bytes, with so long a wait between them.
    """

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, str]] = {}
        self.requests: list[Asked] = []
        self.ranges, self.redirect = True, False
        self.linked: str | None = None
        self.etag: str | None = None
        self.statuses: list[tuple[int, str]] = []
        self.cuts: list[int] = []
        self.pauses: list[float] = []
        self.shift = 0
        self.drip: tuple[int, float] | None = None
        self.retry_after = ""

    def add(self, repo: str, revision: str, name: str, data: bytes) -> str:
        """Put a file there; returns its sha256."""
        self.files[f"/{repo}/resolve/{revision}/{name}"] = data, revision
        return hashlib.sha256(data).hexdigest()

    def __enter__(self) -> FakeHub:
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = _Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that hangs up in the middle is what many tests are about


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        hub, span = self.hub, self.headers.get("Range", "")
        hub.requests.append(Asked(self.command, self.path, span, self.headers.get("Authorization", "")))
        status, code = hub.statuses.pop(0) if hub.statuses else (200, "")
        path = self.path.removeprefix("/cdn")
        if status == 200 and path not in hub.files:
            status, code = 404, "EntryNotFound"
        if status != 200:
            return self._refuse(status, code)
        data, revision = hub.files[path]
        sha = hashlib.sha256(data).hexdigest()
        about = {"X-Repo-Commit": revision, "ETag": f'"{sha if hub.etag is None else hub.etag}"'}
        linked = sha if hub.linked is None else hub.linked
        if linked and not self.path.startswith("/cdn"):
            about |= {"X-Linked-Etag": f'"{linked}"', "X-Linked-Size": str(len(data))}
        if hub.redirect and not self.path.startswith("/cdn"):
            return self._head(302, {**about, "Location": f"{hub.endpoint}/cdn{path}", "Content-Length": "0"})
        start, stop, status = 0, len(data), 200
        if hub.ranges and (match := re.fullmatch(r"bytes=(\d+)-(\d*)", span)):
            start = int(match[1])
            stop = min(int(match[2]) + 1 if match[2] else len(data), len(data))
            if start >= len(data):
                return self._refuse(416, "")
            status = 206
            about["Content-Range"] = f"bytes {start + hub.shift}-{stop - 1}/{len(data)}"
        self._head(status, {**about, "Accept-Ranges": "bytes", "Content-Length": str(stop - start)})
        if body:
            self._send(data[start:stop])

    def _send(self, data: bytes) -> None:
        cut = self.hub.cuts.pop(0) if self.hub.cuts else -1
        pause = self.hub.pauses.pop(0) if self.hub.pauses else 0.0
        size, wait = self.hub.drip or (max(1, len(data) // 2), pause)
        try:
            for at in range(0, len(data), size):
                piece = data[at : at + size]
                if 0 <= cut < at + len(piece):
                    self.wfile.write(piece[: max(0, cut - at)])
                    self.close_connection = True
                    return
                self.wfile.write(piece)
                self.wfile.flush()
                time.sleep(wait)
        except OSError:  # the client has gone
            self.close_connection = True

    def _refuse(self, status: int, code: str) -> None:
        headers = {"Content-Length": "0"} | ({"X-Error-Code": code} if code else {})
        if self.hub.retry_after:
            headers["Retry-After"] = self.hub.retry_after
        self._head(status, headers)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
