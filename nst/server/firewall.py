"""The gate before gradio: what is on the list of `nst.server.allowlist` comes in, and everything else is turned away.

Bodies are parsed here and passed on as they were understood, so that nobody behind the gate can understand them
otherwise. This page is for its own address: other sites can neither act for a visitor nor read what is theirs.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
from gradio.route_utils import FnIndexInferError
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nst.server import limits, log
from nst.server.address import client, configured
from nst.server.allowlist import ELSEWHERE, NEEDLESS, PAGE, PROGRAMS, RESULTS, Refusal, Route
from nst.server.limits import Rate
from nst.server.passwords import Passwords
from nst.server.uploads import Uploads

MAX_BODY = 2_000_000
"""Bytes of a request that is no upload; with endpoints for programs, which send pictures in them, `API_BODY`."""

API_BODY = 60_000_000

SLOWEST = 60.0
"""Seconds in which a request that is no upload must have come."""

AT_ONCE, POSTS = 256, (400, 60.0)
"""For one address: requests under way, streams included, and posts in so many seconds; all of them may come at once,
since it may be a whole school.
"""

MISSES, SLOWLY = (40, 60.0), 1.0
"""For one address: refused requests in so many seconds, after which it is answered so many seconds late. Whoever knocks
again and again then waits most of the time, and the others are answered meanwhile.
"""

FILE = "/gradio_api/file="
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
NOTHING = "There is nothing here."


class Firewall:
    """Middleware: see above. `api` says whether there are endpoints for programs, `near` whether it is served to this
    machine only, and asked by its names."""

    def __init__(self, app: ASGIApp, *, api: bool = False, near: bool = False) -> None:
        self.app, self.api, self.near = app, api, near
        self.routes: Sequence[Route] = (*PAGE, *RESULTS, *(PROGRAMS if api else ()))
        self.max_body = API_BODY if api else MAX_BODY
        self.here: Counter[str] = Counter()
        self.posts, self.misses = Rate(*POSTS), Rate(*MISSES)
        self.uploads, self.passwords = Uploads(), Passwords()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, sending = _watched(send, scope)
        who = peer(scope)
        self.here[who] += 1
        try:
            if limits.current() is limits.STRICT and not self.misses.allows(who):
                await asyncio.sleep(SLOWLY)
            await self._let_in(scope, receive, sending, who)
        except Refusal as refusal:
            if not started:
                await JSONResponse({"detail": refusal.told}, refusal.status)(scope, receive, sending)
        except FnIndexInferError:
            await JSONResponse({"detail": "There is no endpoint of this name."}, 404)(scope, receive, sending)
        except Exception:
            log.LOGGER.error("A request failed", exc_info=True)
            if not started:
                await JSONResponse({"detail": "This did not work."}, 500)(scope, receive, sending)
        finally:
            self.here[who] -= 1
            if not self.here[who]:
                del self.here[who]
            if started and started[0] >= 400:
                self.misses.spend(who)
                known = scope["method"] in ("GET", "HEAD", "POST", "OPTIONS", "DELETE", "PUT")
                log.note("refused", status=started[0], method=scope["method"] if known else "other")

    async def _let_in(self, scope: Scope, receive: Receive, send: Send, who: str) -> None:
        """Look at a request, and pass it on; raises Refusal if it is not let in."""
        path, headers, method = local_path(scope), Headers(scope=scope), scope["method"]
        route = next((one for one in self.routes if method in one.methods and one.path.fullmatch(path)), None)
        if route is None or NEEDLESS & parse_qs(scope.get("query_string", b"").decode("latin-1")).keys():
            raise Refusal(404, NOTHING)
        self._check_sender(scope, headers, route)
        if limits.current() is limits.STRICT:
            slow = method == "POST" and "/stream/" not in path and not self.posts.spend(who)
            if slow or self.here[who] > AT_ONCE:
                raise Refusal(429, "That was a lot at once; wait a moment, then try again.")
        if path.startswith(FILE) and ELSEWHERE.match(path.removeprefix(FILE)):
            raise Refusal(403, "Nothing is fetched from other addresses; upload the file.")
        files = headers.get("content-type", "").startswith("multipart/form-data")
        if method != "POST":
            await self.app(scope, receive, send)
        elif route.body == "upload" or (route.body == "json or upload" and files):
            await self._take_upload(scope, receive, send, who)
        elif route.body == "login":
            body = await self._body(receive, 10_000)
            if not await self.passwords.tried(self.app, scope, _again(body, receive), send, who):
                raise Refusal(429, "Too many wrong passwords; wait some minutes, then try again.")
        else:
            body = await self._body(receive, self.max_body)
            body = understood(body) if route.body else b""
            await self.app(_with_length(scope, len(body)), _again(body, receive), send)

    def _check_sender(self, scope: Scope, headers: Headers, route: Route) -> None:
        """See who sent this; raises Refusal where another site sent the visitor's browser here, or goes by our address
        under its own name."""
        if self.near and not is_near(headers.get("host", "")):
            told = "This app does not go by that name; whoever runs it can tell it so by --root-path."
            raise Refusal(421, told)
        origin = headers.get("origin")
        if origin is None or route.open or scope["method"] in ("GET", "HEAD"):
            return
        if not _is_host(origin.partition("://")[2]) or urlsplit(origin).netloc not in _names(scope, headers):
            raise Refusal(403, "This app answers its own page only.")

    async def _take_upload(self, scope: Scope, receive: Receive, send: Send, who: str) -> None:
        with self.uploads.place(who, Headers(scope=scope).get("content-length", "")) as seconds:
            try:
                with anyio.fail_after(seconds):
                    await self.app(scope, receive, send)
            except TimeoutError:
                raise Refusal(408, "This upload took too long; try again, or send a smaller picture.") from None

    async def _body(self, receive: Receive, most: int) -> bytes:
        """The whole request; raises Refusal if it is too large, or too slow."""
        pieces, size, more = [], 0, True
        try:
            with anyio.fail_after(SLOWEST):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        break
                    pieces.append(message.get("body", b""))
                    size += len(pieces[-1])
                    if size > most:
                        raise Refusal(413, "This request is too large; upload the picture instead.")
                    more = message.get("more_body", False)
        except TimeoutError:
            raise Refusal(408, "This request took too long.") from None
        return b"".join(pieces)


def peer(scope: Scope) -> str:
    """Who asks, for counting."""
    return client(Request(scope))


def local_path(scope: Scope) -> str:
    """The path within the app, without what a proxy has before it."""
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


def is_near(host: str) -> bool:
    """Whether a name, with or without a port, is one of this machine's own, which no name server can give away."""
    name = (urlsplit(f"//{host}").hostname or "") if _is_host(host) else ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _is_host(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").netloc == host
    except ValueError:
        return False


def _names(scope: Scope, headers: Headers) -> set[str]:
    """By which names, with their ports, this app is asked; a proxy's word is here only if it is believed."""
    told = {headers.get("host", ""), headers.get("x-forwarded-host", "").split(",")[0].strip()}
    shared = getattr(scope["app"].get_blocks(), "share_url", None) if "app" in scope else None
    return {*told, urlsplit(configured()).netloc, urlsplit(shared or "").netloc} - {""}


def understood(body: bytes) -> bytes:
    """A JSON object as it was understood here, written anew; raises Refusal if it is none, or names a file that would
    have to be fetched from another server."""
    try:
        value = json.loads(body.decode("utf-8") or "{}")
        plain = json.dumps(value).encode()
    except (ValueError, RecursionError):
        raise Refusal(400, "This request makes no sense: it is not JSON in UTF-8.") from None
    if not isinstance(value, (dict, list)):
        raise Refusal(400, "This request makes no sense: it is no JSON object.")
    if any(ELSEWHERE.match(path) for path in _paths(value)):
        raise Refusal(400, "Pictures are not fetched from addresses; upload the file.")
    return plain


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


def _with_length(scope: Scope, length: int) -> Scope:
    """A request that says how long its body is now."""
    kept = [(name, value) for name, value in scope["headers"] if name not in (b"content-length", b"transfer-encoding")]
    return dict(scope, headers=[*kept, (b"content-length", str(length).encode())])


def _again(body: bytes, receive: Receive) -> Receive:
    """What hands out a body that was read already, and then whatever else comes."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return left.pop() if left else await receive()

    return replay


def _watched(send: Send, scope: Scope) -> tuple[list[int], Send]:
    """The status of the answer, once it has begun, and what sends it with headers that browsers heed."""
    started: list[int] = []

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.append(message["status"])
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if headers.get("access-control-allow-origin") != "*":  # what may be read by all says so itself
                del headers["access-control-allow-origin"]
            del headers["access-control-allow-credentials"]
            _keep_cookies_here(headers, scope["scheme"] == "https")
        await send(message)

    return started, sending


def _keep_cookies_here(headers: MutableHeaders, secure: bool) -> None:
    """Have browsers send the cookies of an answer to this site alone, and not where another one sends them."""
    cookies = headers.getlist("set-cookie")
    del headers["set-cookie"]
    for cookie in cookies:
        parts = [part.strip() for part in cookie.split(";")]
        kept = [part for part in parts if not part.lower().startswith("samesite")]
        if secure and "secure" not in map(str.lower, kept):
            kept.append("Secure")
        headers.append("set-cookie", "; ".join([*kept, "SameSite=Lax"]))
