"""What the server remembers of open pages: little of each, and of nobody so many that others are forgotten for them.

By itself gradio forgets the page that was quiet for longest, whoever opened the many others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import TypeVar

from gradio.state_holder import StateHolder

from nst.server import gradio_internals

K = TypeVar("K", bound=Hashable)

NOBODY = ""
"""Who a session is of as long as it has done nothing but be named: all of these together count as one."""


def look_after() -> None:
    """Have gradio's sessions, from now on, describe no components, and give way fairly."""
    gradio_internals.remember_sessions(Sessions)


class Sessions(StateHolder):
    """The sessions of all pages, `of` each its address; where there are too many, whoever has most of them gives up the
    oldest."""

    def __init__(self) -> None:
        super().__init__()
        self.of: dict[str, str] = {}

    def belongs(self, session: str, address: str) -> None:
        """Note whose a session is, which is so from its first event on."""
        with self.lock:
            if session in self.session_data:
                self.of.setdefault(session, address)

    def update(self, session_id: str) -> None:
        """Note that a session is used, and make room; in place of gradio's own."""
        with self.lock:
            if session_id in self.session_data:
                self.session_data.move_to_end(session_id)
            while len(self.session_data) > self.capacity:
                gone = makes_room({name: (self.of.get(name, NOBODY), 1) for name in self.session_data})
                self.session_data.pop(gone)
                self.time_last_used.pop(gone, None)
                self.of.pop(gone, None)


def makes_room(held: Mapping[K, tuple[str, int]]) -> K:
    """Which entry is to go: the oldest of whoever takes most, so that nobody can push anybody else out. `held` are the
    owner and the size of each, from the oldest to the newest."""
    taken = Counter[str]()
    for owner, size in held.values():
        taken[owner] += size
    most = max(taken.values())
    return next(name for name, (owner, _) in held.items() if taken[owner] == most)
