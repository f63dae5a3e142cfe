"""Addresses as the outside sees them: of the app, of a result, of a remix.

A request here is starlette's, or gradio's wrapper around one.
"""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Any
from urllib.parse import urlencode

from nst.server.results import Result
from nst.tasks.recipe import names_of, settings_from_recipe, task_of, to_query

HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")


def home(request: Any) -> str:
    """The app's own address, without a slash at the end: GRADIO_ROOT_PATH if that is a whole address (`--root-path`
    sets it), the Space's host on a Space, or what the proxy or else the browser says it asked for, with a root path
    that is only a path behind it."""
    if told := configured():
        return told
    root = os.environ.get("GRADIO_ROOT_PATH", "").rstrip("/")
    asked = _first(request, "x-forwarded-host") or request.headers.get("host", "")
    host = asked if HOST.fullmatch(asked) else str(request.url.hostname or "localhost")
    scheme = _first(request, "x-forwarded-proto") or request.url.scheme
    return f"{'https' if scheme in ('https', 'wss') else 'http'}://{host}{root}"


def configured() -> str:
    """The app's own address where it is known beforehand, and does not hang on what a request says; else ""."""
    root = os.environ.get("GRADIO_ROOT_PATH", "").rstrip("/")
    if root.startswith(("https://", "http://")):
        return root
    space = os.environ.get("SPACE_HOST", "").split(",")[0].strip()
    return f"https://{space}" if space else ""


def result_link(home: str, id: str) -> str:
    """The page of a shared result."""
    return f"{home}/r/{id}"


def remix_query(result: Result) -> str:
    """What follows the app's address to open it as for this result: its inputs where shared, and its settings, so that
    the link does something even when the result is gone."""
    task = task_of(result.recipe)
    content, style = (names_of(result.recipe.get(kind)) for kind in ("content", "style"))
    settings = settings_from_recipe(result.recipe, task)
    query = to_query(settings, task=task, content=content[0] if content else None, style=style)
    return "&".join(filter(None, (query, urlencode({"remix": result.id}))))


def client(request: Any) -> str:
    """Who asks, for counting: the address (see `nst.server.peers`), of IPv6 the network that one household or server
    has."""
    address = request.client.host if request.client else ""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))


def _first(request: Any, header: str) -> str:
    """The outermost proxy's word: each adds its own behind."""
    return request.headers.get(header, "").split(",")[0].strip()
