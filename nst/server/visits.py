"""What visitors have on their pages, so that it is there again after a reload and in the next tab.

A page names its visit by a word that only its own browser knows, which that makes up and keeps beside the page's place
in its history. Kept are names and files, never pictures; files are gone after a day by themselves.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nst import taught
from nst.server import inputs, limits, tempfiles
from nst.server.address import client
from nst.server.sessions import makes_room
from nst.weights.repository import Offer

WORD = re.compile(r"[\w-]{20,64}")
"""How a visit may be called: long enough that nobody guesses it."""

MOST, RESULTS = 200, 3
"""Visits that are remembered, and results of each."""


@dataclass(eq=False)
class Visit:
    """See above.

    Attributes:
        address: where it comes from.
        chosen: what the visitor chose for the whole app, by kind: a photo, a style, or names of fast styles.
        seen: what of that stands in which input, by the name of its element.
        results: paintings by task, the newest last.
        offers: what was looked up on the Hub, by repository.
        styles: folder of the styles that were taught here, where they are for this visit alone.
    """

    address: str = ""
    chosen: dict[str, Any] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)
    results: OrderedDict[str, Any] = field(default_factory=OrderedDict)
    offers: dict[str, Offer] = field(default_factory=dict)
    styles: Path | None = None

    def shelf(self) -> Path:
        """The folder of the styles that are taught on this page: at home this user's, where strangers come its own."""
        if limits.current() is not limits.STRICT:
            return taught.folder()
        if self.styles is None:
            self.styles = tempfiles.folder() / secrets.token_hex(16)
        return self.styles

    def paint(self, task: str, painting: Any) -> None:
        """Note what is painted."""
        self.results[task] = painting
        self.results.move_to_end(task)
        while len(self.results) > RESULTS:
            self.results.popitem(last=False)


_visits: OrderedDict[str, Visit] = OrderedDict()
_words: OrderedDict[str, str] = OrderedDict()
"""The word of each session."""
_lock = threading.Lock()


def enter(word: str, request: Any) -> Visit:
    """The visit of this name, begun or gone on with by the page that asks."""
    session = inputs.session()
    if not session or not WORD.fullmatch(word):
        return Visit()
    with _lock:
        visit = _visits.setdefault(word, Visit(client(request)))
        _visits.move_to_end(word)
        _words[session] = word
        while len(_visits) > MOST:
            del _visits[makes_room({name: (one.address, 1) for name, one in _visits.items()})]
        while len(_words) > 2 * MOST:
            _words.popitem(last=False)
        return visit


def here() -> Visit:
    """The visit of the page whose event is being answered; one that nobody remembers if it named none."""
    with _lock:
        return _visits.get(_words.get(inputs.session(), ""), Visit())
