"""Passwords, where only certain people are let in: whoever guesses has to wait."""

from __future__ import annotations

import asyncio
import hashlib

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nst.server.limits import Rate

GUESSES, GUESSES_OF_PEER, MINUTES = 10, 40, 10.0
"""Wrong passwords for one name from one address, and for all names from it, in so many minutes. A name alone is never
locked, or whoever knows it could keep its owner out."""


class Passwords:
    """Counts wrong passwords, by name and address."""

    def __init__(self) -> None:
        self.of_name, self.of_peer = Rate(GUESSES, MINUTES * 60), Rate(GUESSES_OF_PEER, MINUTES * 60)
        self.one_by_one = asyncio.Lock()

    async def tried(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, peer: str) -> bool:
        """Pass a try on; False if there were too many wrong ones before it, and it was not."""
        messages: list[Message] = [await receive()]

        async def again() -> Message:
            return messages[0]

        try:
            form = await Request(scope, again).form(max_files=0, max_fields=20)
            name = str(form.get("username", "")).strip()
        except HTTPException:  # gradio will say so
            name = ""
        name = f"{peer} {hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()}"
        answers: list[int] = []

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                answers.append(message["status"])
            await send(message)

        async with self.one_by_one:  # or many tries at once would all come before the first is counted
            if not (self.of_name.allows(name) and self.of_peer.allows(peer)):
                return False
            await app(scope, again, watched)
            if answers[:1] == [400]:
                self.of_name.spend(name)
                self.of_peer.spend(peer)
        return True
