"""The page, made once and kept ready.

Gradio makes it anew for each visitor, more than a megabyte in a tenth of a second during which nobody else is served;
but it is the same for everybody who comes by the same address.
"""

from __future__ import annotations

import asyncio
import gzip
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nst.server import cards, stylesheet
from nst.server.address import home

PATHS = ("/", "/config")
ADDRESS = ("host", "x-forwarded-host", "x-forwarded-proto", "x-gradio-server")
"""Headers that tell by which address the visitor comes, which stands in the page."""

CHANGING = ("page", "deep_link", "all_endpoints")
"""Parameters that gradio heeds when it makes the page; all others, such as a recipe's, are read later."""

UNWATCHED = """<script>
for (const list of [gradio_config.components, gradio_config.dependencies]) {
	if (list) Object.setPrototypeOf(list, (class extends Array {}).prototype); // who has to log in is told of none
}
</script>
"""
"""Gradio's page (6.31, built with Svelte) watches its lists of components and of events for changes, item by item,
though they never change; with as many as this app has, that is a third of the time until it can be used. It watches
plain arrays only, so these two are made arrays of a kind of their own."""

KEPT = 16
"""How many addresses the page is kept for, a tenth of a megabyte each."""


@dataclass(frozen=True)
class CachedPage:
    """An answer, compressed, and what the page was made from; when that is another, the answer is out of date."""

    config: Any
    media_type: str
    body: bytes


class PageCache:
    """Middleware around gradio, which makes the page: see above. Who is logged in is not given anybody else's page."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.kept: OrderedDict[tuple[str, ...], CachedPage] = OrderedDict()
        self.making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope) if scope["type"] == "http" else None
        if request is None or not _alike(request):
            await self.app(scope, receive, send)
            return
        address = (scope["path"], scope["scheme"], scope.get("root_path", ""))
        address += tuple(request.headers.get(name, "") for name in ADDRESS)
        kept = self._found(address, scope)
        if kept is None:
            async with self.making:  # many may come at once before it is first made
                kept = self._found(address, scope) or await self._make(request, receive, send)
        if kept is None:  # and answered
            return
        self.kept[address] = kept
        self.kept.move_to_end(address)
        while len(self.kept) > KEPT:
            self.kept.popitem(last=False)
        await _answer(request, kept)(scope, receive, send)

    def _found(self, address: tuple[str, ...], scope: Scope) -> CachedPage | None:
        """What is kept for an address, if it is up to date."""
        kept = self.kept.get(address)
        return kept if kept and kept.config is scope["app"].get_blocks().config else None

    async def _make(self, request: Request, receive: Receive, send: Send) -> CachedPage | None:
        """Have the page made; what is not to be kept, such as a refusal, is sent as it is, and None returned."""
        config = request.scope["app"].get_blocks().config
        start: Message = {}
        pieces: list[bytes] = []

        async def collect(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            elif message["type"] == "http.response.body":
                pieces.append(message.get("body", b""))

        await self.app(request.scope, receive, collect)
        headers = dict(start["headers"])
        body = b"".join(pieces)
        if start["status"] == 200 and headers.keys() <= {b"content-type", b"content-length"}:
            media_type = headers[b"content-type"].decode()
            if media_type.startswith("text/html"):
                body = completed(body.decode(), home(request), config).encode()
            return CachedPage(config, media_type, gzip.compress(body, 9))
        await send(start)
        await send({"type": "http.response.body", "body": body})
        return None


def completed(page: str, home: str, config: Mapping[str, Any]) -> str:
    """The app's page, as gradio makes it from this, with a card and one stylesheet, and with lists that are not
    watched."""
    page = cards.introduce(page, home).replace("</head>", f"{UNWATCHED}</head>", 1)
    return stylesheet.introduce(page, (part["type"] for part in config["components"]))


def _alike(request: Request) -> bool:
    """Whether this asks for what everybody gets."""
    return (
        request.method == "GET"
        and request.scope["path"] in PATHS
        and not any(name in request.query_params for name in CHANGING)
        and not any(name.startswith("access-token") for name in request.cookies)
    )


def _answer(request: Request, kept: CachedPage) -> Response:
    headers = {"Content-Type": kept.media_type, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(kept.body, headers=headers | {"Content-Encoding": "gzip"})
    return Response(gzip.decompress(kept.body), headers=headers)
