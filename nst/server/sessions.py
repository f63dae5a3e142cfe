"""What the server remembers of an open page: what its visitor changed, not what is the same for everybody.

By itself gradio (6.31, which the requirements pin) describes every component anew for each page that opens, for deep
links alone: a tenth of a second in which the server does nothing else, and two megabytes. The gate is shut for deep
links, so nobody ever reads that.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from gradio.blocks import Blocks
from gradio.state_holder import SessionState

_remember_all = SessionState.__init__


def remember_little() -> None:
    """Have gradio's sessions, from now on, describe no components."""
    SessionState.__init__ = _remember_little  # type: ignore[assignment, method-assign]


def _remember_little(session: SessionState, blocks: Blocks) -> None:
    nothing_to_describe: Any = SimpleNamespace(default_config=blocks.default_config, blocks=())
    _remember_all(session, nothing_to_describe)
    session.blocks_config.config_for_block = lambda *_, **__: {}  # type: ignore[assignment, method-assign]
