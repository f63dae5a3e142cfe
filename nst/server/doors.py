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
class Door:
    """One address, or several alike.

    Attributes:
        methods: with which it is asked.
        path: the whole of it.
        body: what comes with it; "" is nothing that is looked at here.
        open: whether another site may send a visitor's browser here.
    """

    methods: frozenset[str]
    path: re.Pattern[str]
    body: Body = ""
    open: bool = False


def door(methods: str, path: str, body: Body = "", *, open: bool = False) -> Door:
    """A door, from words: methods with blanks between them, and a path of gradio's own as `gradio:NAME`."""
    whole = path.replace("gradio:", "/gradio_api/")
    return Door(frozenset(methods.split()), re.compile(whole, re.DOTALL), body, open)


SESSION = r"[\w-]{1,64}"
NAME = r"[\w-]{1,100}"

PAGE = (
    door("GET HEAD", "/"),
    door("GET HEAD", "/config/?"),
    door("GET HEAD", r"/(assets|static|svelte)/.+"),
    door("GET HEAD", r"/(gradio_api/)?theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/pwa_icon"),
    door("POST", "/login/?", "login"),
    door("GET", "/logout"),
    door("GET", "gradio:info/?"),
    door("GET", "gradio:startup-events"),
    door("GET", f"gradio:heartbeat/{SESSION}"),
    door("POST", "gradio:queue/join", "json"),
    door("GET", "gradio:queue/data"),
    door("POST", "gradio:(cancel|reset/?)", "json"),
    door("POST", "gradio:run/predict", "json"),
    door("POST", f"gradio:stream/{SESSION}(/close)?", "json"),
    door("POST", "gradio:component_server/?", "json or upload"),
    door("POST", "gradio:upload", "upload"),
    door("GET", "gradio:upload_progress"),
    door("GET HEAD", "gradio:file=.+"),
)
"""What the page in a browser asks for, in gradio 6.31."""

RESULTS = (
    door("GET HEAD", r"/r(/.*)?", open=True),
    door("POST", r"/r/[^/]+/delete", open=True),  # whoever has the token may, and the page itself tells no origin
    door("GET HEAD", "/healthz|/card\\.jpg", open=True),
)
"""Ours, beside the app."""

PROGRAMS = (
    door("POST", f"gradio:call/{NAME}/?", "json"),
    door("GET", f"gradio:call/{NAME}/{SESSION}"),
    door("GET", r"gradio:openapi\.json"),
    door("GET HEAD POST DELETE", r"gradio:mcp(/http)?/?", "json"),
    door("GET", "gradio:mcp/(schema|sse)"),
    door("POST", "gradio:mcp/messages/?", "json"),
)
"""What programs ask for, where the host has switched that on."""

NEEDLESS = frozenset({"page", "deep_link", "all_endpoints"})
"""Parameters that gradio heeds, and this app has no use for: one page, and no copies of sessions."""

ELSEWHERE = re.compile(r"\s*([a-z][a-z0-9+.-]+:|[/\\]{2})", re.IGNORECASE)
"""How an address of another server begins. A scheme of one letter is a drive of this one."""
