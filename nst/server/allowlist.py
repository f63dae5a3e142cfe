"""Which addresses there are for strangers: those that the page needs, and nothing else that gradio would answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal


class Refusal(Exception):
    """A request is not let in; the status, and a sentence for whoever sent it."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(told)
        self.status, self.told = status, told


Body = Literal["", "json", "upload", "json or upload", "login"]


@dataclass(frozen=True)
class Route:
    """One address, or several alike: with which methods it is asked, the whole path, what comes with it ("" is nothing
    that is looked at here), and whether another site may send a visitor's browser there."""

    methods: frozenset[str]
    path: re.Pattern[str]
    body: Body = ""
    open: bool = False


def route(methods: str, path: str, body: Body = "", *, open: bool = False) -> Route:
    """A route, from words: methods with blanks between them, and a path of gradio's own as `gradio:NAME`."""
    whole = path.replace("gradio:", "/gradio_api/")
    return Route(frozenset(methods.split()), re.compile(whole, re.DOTALL), body, open)


SESSION = r"[\w-]{1,64}"
NAME = r"[\w-]{1,100}"

PAGE = (
    route("GET HEAD", "/"),
    route("GET HEAD", "/config/?"),
    route("GET HEAD", r"/(assets|static|svelte)/.+"),
    route("GET HEAD", r"/(gradio_api/)?theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/pwa_icon"),
    route("POST", "/login/?", "login"),
    route("GET", "/logout"),
    route("GET", "gradio:info/?"),
    route("GET", "gradio:startup-events"),
    route("GET", f"gradio:heartbeat/{SESSION}"),
    route("POST", "gradio:queue/join", "json"),
    route("GET", "gradio:queue/data"),
    route("POST", "gradio:(cancel|reset/?)", "json"),
    route("POST", "gradio:run/predict", "json"),
    route("POST", f"gradio:stream/{SESSION}(/close)?", "json"),
    route("POST", "gradio:component_server/?", "json or upload"),
    route("POST", "gradio:upload", "upload"),
    route("GET", "gradio:upload_progress"),
    route("GET HEAD", "gradio:file=.+"),
)
"""What the page in a browser asks for, in gradio 6.31."""

RESULTS = (
    route("GET HEAD", r"/r(/.*)?", open=True),
    route("POST", r"/r/[^/]+/delete", open=True),  # whoever has the token may, and the page itself tells no origin
    route("GET HEAD", "/healthz|/card\\.jpg|/styles\\.css", open=True),
)
"""Ours, beside the app."""

PROGRAMS = (
    route("POST", f"gradio:call/{NAME}/?", "json"),
    route("GET", f"gradio:call/{NAME}/{SESSION}"),
    route("GET", r"gradio:openapi\.json"),
    route("GET HEAD POST DELETE", r"gradio:mcp(/http)?/?", "json"),
    route("GET", "gradio:mcp/(schema|sse)"),
    route("POST", "gradio:mcp/messages/?", "json"),
)
"""What programs ask for, where the host has switched that on."""

NEEDLESS = frozenset({"page", "deep_link", "all_endpoints"})
"""Parameters that gradio heeds, and this app has no use for: one page, and no copies of sessions."""

ELSEWHERE = re.compile(r"\s*([a-z][a-z0-9+.-]+:|[/\\]{2})", re.IGNORECASE)
"""How an address of another server begins. A scheme of one letter is a drive of this one."""
