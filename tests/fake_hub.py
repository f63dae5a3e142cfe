"""A stand-in for the Hugging Face Hub on loopback, with the troubles a network has.

with FakeHub() as hub:
    hub.add("owner/name", revision, "model.safetensors", data)
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    hub.statuses = [(500, ""), (500, "")]       # the next two answers
    hub.cuts = [1000]                           # the next body ends after 1000 bytes
    hub.requests                                # what was asked
"""

from __future__ import annotations

import base64
import hashlib
import json
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
        cdn: where it redirects to; another stand-in's endpoint, or its own.
        cdn_refuses_ranges: whether that answers 403 to requests for parts.
        created: what was asked of new repositories.
        said: what is told of a repository in place of the truth.
        private: repositories that are shown only to who sends a token.
        statuses: (status, X-Error-Code) instead of an answer; status 200 for an ordinary one.
        cuts: a body is cut off after so many bytes, without a word; -1 for a whole one.
        pauses: seconds to wait in the middle of a body.
        shift: bytes by which a range is answered wrongly.
        drip: (bytes, seconds): bodies come in pieces of so many bytes, with so long a wait between them.
    """

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, str]] = {}
        self.created: list[dict[str, Any]] = []
        self.said: dict[str, Any] = {}
        self.requests: list[Asked] = []
        self.ranges, self.redirect, self.cdn_refuses_ranges = True, False, False
        self.cdn = ""
        self.private: set[str] = set()
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

    def commit(self, repo: str, files: dict[str, bytes]) -> str:
        """Put files there as a new state of a repository, which is its "main" from now on; returns its revision."""
        kept = {name: self.files[f"/{repo}/resolve/main/{name}"][0] for name in self.names(repo, "main")} | files
        revision = hashlib.sha1(repr((repo, sorted(kept.items()))).encode()).hexdigest()
        for name, data in kept.items():
            self.files[f"/{repo}/resolve/{revision}/{name}"] = self.files[f"/{repo}/resolve/main/{name}"] = (
                data,
                revision,
            )
        return revision

    def names(self, repo: str, revision: str) -> list[str]:
        """What a repository holds at a revision."""
        before = f"/{repo}/resolve/{revision}/"
        return [path.removeprefix(before) for path in self.files if path.startswith(before)]

    def api(self, path: str, body: bytes) -> tuple[int, Any]:
        """The answer to a program: creating a repository, committing to it, and telling what it holds."""
        if path == "/api/repos/create":
            asked = json.loads(body)
            self.created.append(asked)
            return 200, {"url": f"{self.endpoint}/{asked.get('organization', 'me')}/{asked['name']}"}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", path):
            names = [one["path"] for one in json.loads(body)["files"]]
            return 200, {"files": [{"path": n, "uploadMode": "regular", "shouldIgnore": False} for n in names]}
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            lines = [line["value"] for line in map(json.loads, body.splitlines()) if line["key"] == "file"]
            revision = self.commit(found[1], {one["path"]: base64.b64decode(one["content"]) for one in lines})
            return 200, {"commitUrl": f"{self.endpoint}/{found[1]}/commit/{revision}", "commitOid": revision}
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/([^/]+)", path):
            held = {name: self.files[f"/{found[1]}/resolve/{found[2]}/{name}"] for name in self.names(*found.groups())}
            if not held:
                known = any(one.startswith(f"/{found[1]}/") for one in self.files)
                return (404, "RevisionNotFound") if known else (401, "RepoNotFound")
            sums = {name: {"sha256": hashlib.sha256(data).hexdigest()} for name, (data, _) in held.items()}
            siblings = [{"rfilename": n, "size": len(data), "lfs": sums[n]} for n, (data, _) in held.items()]
            text = held.get("README.md", (b"", ""))[0].decode()
            card = dict(re.findall(r"^(license|architecture): (.+)$", text, re.MULTILINE))
            return 200, {"sha": next(iter(held.values()))[1], "siblings": siblings, "cardData": card} | self.said
        return 404, "EntryNotFound"

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

    def do_POST(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        hub, span = self.hub, self.headers.get("Range", "")
        hub.requests.append(Asked(self.command, self.path, span, self.headers.get("Authorization", "")))
        status, code = hub.statuses.pop(0) if hub.statuses else (200, "")
        path = self.path.removeprefix("/cdn") if self.path.removeprefix("/cdn") in hub.files else self.path
        if hub.cdn_refuses_ranges and span and self.path.startswith("/cdn"):
            status = 403
        if status == 200 and any(f"/{repo}/" in path for repo in hub.private):
            status, code = (200, "") if self.headers.get("Authorization") else (401, "RepoNotFound")
        if status == 200 and path.startswith("/api/"):
            return self._program(path.partition("?")[0])
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
            return self._head(302, {**about, "Location": f"{hub.cdn or hub.endpoint}/cdn{path}", "Content-Length": "0"})
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

    def _program(self, path: str) -> None:
        status, answer = self.hub.api(path, self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        if status != 200:
            return self._refuse(status, answer)
        data = json.dumps(answer).encode()
        self._head(200, {"Content-Type": "application/json", "Content-Length": str(len(data))})
        self.wfile.write(data)

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
