"""How the page is served: the gate, the pages of shared results, looks, and what gradio is not to do."""

from __future__ import annotations

from typing import Any

from starlette.middleware import Middleware

from nst.server import limits, log, memory, sessions, tempfiles
from nst.server.firewall import API_BODY, MAX_BODY, Gate
from nst.server.page_cache import Ready
from nst.server.results import publish
from nst.server.routes import Pages
from nst.ui import share, theme

PAGES = 2 * limits.IN_LINE
"""How many visitors' pages the server remembers: some megabytes each, which gradio never gives back by itself. Who
comes back to a page that was quiet for longest finds it as it was, but for what *Continue* would go on from."""


def look_after() -> None:
    """Begin what a server does on its own while it runs: its log, its folders, publishing."""
    log.start()
    memory.few_pools()
    memory.look_after()
    sessions.look_after()
    tempfiles.keep_small()
    desk = share.desk()
    if desk.store is not None and not desk.why:
        desk.store.tidy()
        publish.start(desk.store)


def options(*, api: bool = False) -> dict[str, Any]:
    """Keyword arguments of `Blocks.launch`.

    Args:
        api: let programs in too, by gradio's API and as an MCP server.
    """
    desk = share.desk()
    return {
        "run_history": False,
        "mcp_server": api,
        "max_file_size": "30mb" if limits.current() is limits.STRICT else "100mb",
        "max_threads": 2 * limits.IN_LINE,  # who waits in line takes one each
        "state_session_capacity": PAGES,
        "pwa": True,
        "ssr_mode": False,
        "enable_monitoring": False,
        # Gradio's look at whether the page answers gives up after three seconds, and the server with it, which may well
        # pass where visitors already wait for it to start.
        "_frontend": False,
        "app_kwargs": {
            "routes": Pages(desk.store, desk.misses).routes(),
            "middleware": [Middleware(Gate, max_body=API_BODY if api else MAX_BODY), Middleware(Ready)],
        },
        **theme.appearance(),
    }
