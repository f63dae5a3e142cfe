"""The gate before gradio: what must not come in is turned away, and answers get headers that browsers heed.

Gradio fetches any address that a request names as a picture, and serves any address after `/file=`. It does so with
care for private networks; but this app fetches from its pinned list alone, so neither gets past here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 2_000_000
"""Bytes of a request that is no upload; with endpoints for programs, which send pictures in them, `API_BODY`."""

API_BODY = 60_000_000

CLOSED = re.compile(r"/gradio_api/(deep_link|proxy=|runs|run-history|monitoring|vibe|dev)|/monitoring", re.IGNORECASE)
"""Doors of gradio that this app has no use for; a deep link would copy a visitor's session to the disk."""

ELSEWHERE = re.compile(r"\s*(https?:|ftp:|file:)?//", re.IGNORECASE)
FILE = "/gradio_api/file="


class Gate:
    """Middleware: see above.

    Args:
        app: what is behind the gate.
        max_body: bytes of a request that is no upload.
    """

    def __init__(self, app: ASGIApp, max_body: int = MAX_BODY) -> None:
        self.app, self.max_body = app, max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = None
        path = scope["path"]
        if CLOSED.search(path):
            refusal = 404, "There is nothing here."
        elif FILE in path and ELSEWHERE.match(path.partition(FILE)[2]):
            refusal = 403, "Nothing is fetched from other addresses; upload the file."
        elif scope["method"] == "POST" and not path.rstrip("/").endswith("/upload"):
            body = await self._body(receive)
            if body is None:
                refusal = 413, "This request is too large; upload the picture instead."
            elif names_an_address(body):
                refusal = 400, "Pictures are not fetched from addresses; upload the file."
            else:
                receive = _again(body, receive)
        if refusal:
            await JSONResponse({"detail": refusal[1]}, refusal[0])(scope, receive, _with_headers(send))
        else:
            await self.app(scope, receive, _with_headers(send))

    async def _body(self, receive: Receive) -> bytes | None:
        """The whole request; None if it is too large."""
        pieces, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > self.max_body:
                return None
            more = message.get("more_body", False)
        return b"".join(pieces)


def names_an_address(body: bytes) -> bool:
    """Whether JSON from outside names a file that would have to be fetched from another server."""
    if b"path" not in body and b"\\u" not in body:
        return False
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return False  # gradio will not understand it either
    return any(ELSEWHERE.match(path) for path in _paths(value))


def _paths(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(path := value.get("path"), str):
                yield path
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _again(body: bytes, receive: Receive) -> Receive:
    """What hands out a body that was read already, and then whatever else comes."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return left.pop() if left else await receive()

    return replay


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("Referrer-Policy", "same-origin")
        await send(message)

    return sending
