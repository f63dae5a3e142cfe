"""Who may join the queue: so much for each visitor and for each address, whoever else is there.

What computes and what answers at once are counted apart, so that a line before the device never keeps anybody from
clicking. Nothing is noted down for this: who waits and who runs stands in gradio's queue (6.31, which the
requirements pin), and is looked at whenever somebody asks to join. So nothing that ends badly stays counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import Any

from gradio.queueing import Event, Queue
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from nst.server import limits, log
from nst.server import queue as device_line
from nst.server.address import client
from nst.server.gradio_internals import wrap

DEVICE = "device"
"""The `concurrency_id` of what computes; all else answers at once."""

PAINTINGS, CLICKS, CAMERAS = 2, 12, 1
"""For one visitor: one painting that runs and one that waits; what else is under way; live pictures of a camera."""

CLICKS_OF_ADDRESS = 48
"""What answers at once and is under way, of all visitors of one address."""

MOST_PAINTINGS, MOST_CLICKS = 8 * limits.IN_LINE, 16 * limits.IN_LINE
"""Under way of all visitors together."""

MOST = MOST_PAINTINGS + MOST_CLICKS

GONE, AWAITED, LOOK = 15.0, 5.0, 2.0
"""Seconds after which a visitor to whom nothing can be told any more has left; after which one has left who computes
while others wait for the device; and between two looks at that."""

FULL = "A great many visitors are here just now; try again in a minute."
PAINTS_ALREADY = "One of your paintings is under way and another one waits; stop one of them, or wait until it is done."
ADDRESS_PAINTS_ALREADY = (
    "From your network one painting is under way and another one waits; yours can begin when one of them is done."
)
TOO_FAST = "That was a lot at once; wait a moment, then try again."
ONE_CAMERA = "There is a live picture for you already; stop that camera first."


def guard(queue: Queue) -> None:
    """Have a queue take in no more than is allowed, and let go of those who have left."""

    async def pushed(push: Any, body: Any, request: Any, username: str | None) -> Any:
        admit(queue, body, request)
        device_line.heard_of[body.session_hash or ""] = time.monotonic()
        return await push(body, request, username)

    wrap(queue, "push", pushed)


def admit(queue: Queue, body: Any, request: Any) -> None:
    """Whether this may join; raises HTTPException where it may not, 429 with a sentence that says why, or 404."""
    asked = queue.blocks.fns.get(body.fn_index)
    if asked is None:
        raise HTTPException(404, "There is nothing here.")
    waiting = [event for event in under_way(queue) if kind(event.fn) == kind(asked)]
    own = [event for event in waiting if event.session_hash == body.session_hash]
    near = [event for event in waiting if client(event.request) == client(request)]
    refusal = refused(kind(asked), len(own), 0 if _from_itself(queue, request) else len(near), len(waiting))
    if refusal:
        log.note("not admitted", kind=kind(asked))
        raise HTTPException(429, refusal)


def refused(what: str, own: int, near: int, all_together: int) -> str:
    """Why one more of a kind (see `kind`) cannot be taken in beside those under way: the visitor's own, those of their
    address, everybody's; "" if it can."""
    strict = limits.current() is limits.STRICT
    if what == "painting":
        if all_together >= MOST_PAINTINGS:
            return FULL
        if own >= PAINTINGS:
            return PAINTS_ALREADY
        return ADDRESS_PAINTS_ALREADY if strict and near >= PAINTINGS else ""
    if what == "camera":
        return ONE_CAMERA if own >= CAMERAS or (strict and near >= CAMERAS) else ""
    if all_together >= MOST_CLICKS:
        return FULL
    return TOO_FAST if own >= CLICKS or (strict and near >= CLICKS_OF_ADDRESS) else ""


def kind(function: Any) -> str:
    """Of an event, by its function: "painting", "camera" or "click"."""
    if function.connection == "stream":
        return "camera"
    return "painting" if function.concurrency_id == DEVICE else "click"


def _from_itself(queue: Queue, request: Any) -> bool:
    """Whether this server asks itself, as it does for tools of MCP, whoever it is that uses them."""
    asks = queue.blocks.mcp_server_obj is not None and request.headers.get("x-gradio-user") == "mcp"
    return asks and client(request) in ("127.0.0.1", "::/64")


def under_way(queue: Queue) -> Iterator[Event]:
    """All that waits or runs."""
    for line in list(queue.event_queue_per_concurrency_id.values()):
        yield from list(line.queue)
    for job in list(queue.active_jobs):
        yield from job or ()


class Listening:
    """Middleware that knows who is still there: to whom the server can tell how their events go on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.watch: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.watch is None or self.watch.done():
            self.watch = asyncio.create_task(self._watch(scope["app"]))
        who = _listener(scope)
        with device_line.told(who) if who else nullcontext():
            await self.app(scope, receive, send)

    async def _watch(self, app: Any) -> None:
        while True:
            await asyncio.sleep(LOOK)
            with suppress(AttributeError):  # the app is being replaced
                await self.let_go(app.get_blocks()._queue)

    async def let_go(self, queue: Queue) -> None:
        """End what belongs to visitors who have left, and forget them."""
        now = time.monotonic()
        ended, awaited = 0, device_line.awaited()
        for event in list(under_way(queue)):
            patience = AWAITED if awaited and kind(event.fn) == "painting" else GONE
            if event.alive and device_line.away(event.session_hash or "", event._id) > patience:
                await queue.clean_events(event_id=event._id)
                ended += 1
        if ended:
            log.note("left", events=ended)
        busy = {event.session_hash for event in under_way(queue)}
        heard_of = device_line.heard_of
        for session in [*queue.pending_event_ids_session]:
            gone = now - heard_of.setdefault(session, now) > GONE
            if gone and session not in busy and not device_line.here[session]:
                queue.pending_event_ids_session.pop(session, None)
                queue.pending_messages_per_session.pop(session, None)
        known = queue.pending_event_ids_session.keys() | busy
        for who in [who for who, when in heard_of.items() if who not in known and now - when > GONE]:
            del heard_of[who]


def _listener(scope: Scope) -> str:
    """The session or event that a request asks to be told of; "" if it is none of that kind."""
    path, query = scope["path"], scope.get("query_string", b"").decode("latin-1")
    if path == "/gradio_api/queue/data":
        return next((part.partition("=")[2] for part in query.split("&") if part.startswith("session_hash=")), "")
    if scope["method"] == "GET" and path.startswith("/gradio_api/call/"):
        return str(path.rpartition("/")[2])
    return ""
