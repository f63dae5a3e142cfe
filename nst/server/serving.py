"""How the page is served: the gate, the pages of shared results, looks, and what gradio is not to do."""

from __future__ import annotations

import os
from typing import Any

from starlette.middleware import Middleware

from nst.server import gradio_internals as internals
from nst.server import limits, log, memory, peers, sessions, tempfiles, uploads
from nst.server.admission import Listening
from nst.server.firewall import Firewall, is_near
from nst.server.page_cache import PageCache
from nst.server.results import on_a_space, publish
from nst.server.results.desk import desk
from nst.server.routes import Pages

PAGES = 2 * limits.IN_LINE
"""How many visitors' pages the server remembers: some megabytes each, which gradio never gives back by itself. Who
comes back to a page that was quiet for longest finds it as it was, but for what *Continue* would go on from."""


def look_after() -> None:
    """Begin what a server does on its own while it runs: its log, its folders, publishing."""
    log.start()
    uploads.many_open_files()
    memory.look_after()
    sessions.look_after()
    tempfiles.keep_small()
    shared = desk()
    if shared.store is not None and not shared.why:
        shared.store.tidy()
        publish.start(shared.store)


def options(*, api: bool = False, host: str | None = None, shared: bool = False) -> dict[str, Any]:
    """Keyword arguments of `Blocks.launch`: whether programs are let in too, by gradio's API and as an MCP server; the
    address that it is served on (None is this machine only); and whether there is a public link besides."""
    here = desk()
    proxies = peers.LOOPBACK if shared and not peers.trusted() else peers.trusted()
    near = (
        not shared
        and not proxies
        and not on_a_space()
        and is_near(host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1")
    )
    internals.let_the_firewall_judge_other_sites()
    # Of proxies, `Peers` knows more; and what uvicorn has to say goes to the log like all else.
    internals.configure_uvicorn(proxy_headers=False, server_header=False, log_config=None)
    internals.log_failures(log.failed)
    internals.watch_uploads(uploads.few_parts, uploads.little_text)
    return {
        "run_history": False,
        "mcp_server": api,
        "max_file_size": "30mb" if limits.current() is limits.STRICT else "100mb",
        "max_threads": 4 * limits.IN_LINE,  # who waits in line takes one each
        "state_session_capacity": PAGES,
        "pwa": True,
        "ssr_mode": False,
        "enable_monitoring": False,
        **internals.LAUNCH,
        "app_kwargs": {
            "routes": Pages(here.store, here.misses).routes(),
            "middleware": [
                Middleware(peers.Peers, proxies=proxies),
                Middleware(Firewall, api=api, near=near),
                Middleware(Listening),
                Middleware(PageCache),
            ],
        },
    }
