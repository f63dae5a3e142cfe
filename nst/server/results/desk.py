"""Where results are shared on this server, and how often each address may."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from nst.server.limits import Rate
from nst.server.results import ResultsError, Store, results_dir


@dataclass(frozen=True)
class Desk:
    """What sharing needs on this server.

    Attributes:
        store, why: the shared results, or why nothing can be shared here, in one sentence.
        shares, daily: how often a client may share, in ten minutes and in a day; each share takes 3 MB at most.
        remixes, misses: how often one may fetch what was shared, and ask for what is not there.
        shared: ids of the results that were shared last, by the path of their picture.
    """

    store: Store | None
    why: str = ""
    shares: Rate = field(default_factory=lambda: Rate(10, 600, overall=200))
    daily: Rate = field(default_factory=lambda: Rate(50, 86400))
    remixes: Rate = field(default_factory=lambda: Rate(30, 600))
    misses: Rate = field(default_factory=lambda: Rate(30, 60))
    shared: OrderedDict[str, str] = field(default_factory=OrderedDict)


def desk() -> Desk:
    """This server's, by the folder for results as it is set now; looked at once."""
    try:
        return _desk(results_dir())
    except ResultsError as error:
        return Desk(None, str(error))


@lru_cache(maxsize=8)
def _desk(folder: Path) -> Desk:
    store = Store(folder)
    return Desk(store, store.trouble() or "")
