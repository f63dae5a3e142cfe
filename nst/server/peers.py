"""Who is at the other end: what proxies say of it is believed only of those that are known to be ours."""

from __future__ import annotations

import ipaddress
import os

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from nst.server import log
from nst.server.results import on_a_space

LOOPBACK = "127.0.0.1,::1"
PRIVATE = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,127.0.0.0/8,fc00::/7,::1"
"""Where a Space's own proxies are: so the visitor is the last of a chain that has an address of the open net."""


def trusted() -> str:
    """The proxies that are ours, as addresses and networks with commas between them.

    FORWARDED_ALLOW_IPS says; else those of a Space, and this machine where `--root-path` says that there is a proxy.
    """
    if (told := os.environ.get("FORWARDED_ALLOW_IPS")) is not None:
        return told
    if on_a_space():
        return PRIVATE
    return LOOPBACK if os.environ.get("GRADIO_ROOT_PATH") else ""


class Peers:
    """Middleware that puts the true peer into a request, and takes out what strangers say about themselves; for
    `proxies` see `trusted`."""

    def __init__(self, app: ASGIApp, proxies: str) -> None:
        self.app = app
        self.believing = ProxyHeadersMiddleware(app, proxies)  # type: ignore[arg-type]
        self.told = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        peer = (scope.get("client") or ("",))[0]
        if peer in self.believing.trusted_hosts:
            await self.believing(scope, receive, send)  # type: ignore[arg-type]
            return
        plain = [(name, value) for name, value in scope["headers"] if not _of_proxies(name)]
        if len(plain) < len(scope["headers"]) and not self.told and _is_near(peer):
            self.told = True
            log.note("a proxy is not believed: name it in FORWARDED_ALLOW_IPS, or give --root-path")
        await self.app(dict(scope, headers=plain), receive, send)


def _of_proxies(header: bytes) -> bool:
    return header.startswith(b"x-forwarded-") or header in (b"forwarded", b"x-real-ip", b"x-gradio-server")


def _is_near(peer: str) -> bool:
    try:
        return ipaddress.ip_address(peer).is_private
    except ValueError:
        return False
