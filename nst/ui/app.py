"""The app: its page, and the program that serves it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import gradio as gr

CLEAN_EVERY, KEEP = 3600, 24 * 3600
"""Seconds between two cleanings of the temporary folder, and how long a file stays in it."""


def build_app(tabs: Sequence[tuple[str, Callable[[], object]]] | None = None, *, api: bool = False) -> gr.Blocks:
    """The page, not yet served; `launch_options` tells `launch` the rest. `tabs` are titles, and the functions that lay
    the tabs out (None means all there are); with `api` there are endpoints for programs."""
    import gradio as gr

    from nst.server import admission, inputs
    from nst.ui import color, doodle, endpoints, faces, fast, gallery, lab, mix, optimize, page, translate, video
    from nst.ui import tabs as bar

    cleaning = (CLEAN_EVERY, KEEP)
    with gr.Blocks(title="Pastiche", analytics_enabled=False, delete_cache=cleaning, fill_width=True) as blocks:
        page.header()
        all_tabs: list[tuple[str, Callable[[], object]]] = [
            ("Optimize", optimize.create_tab),
            ("Fast styles", fast.create_tab),
            ("Mix", mix.create_tab),
            ("Color", color.create_tab),
            ("Doodle", doodle.create_tab),
            ("Video", video.create_tab),
            ("Faces", faces.create_tab),
            ("Horse → Zebra", translate.create_tab),
            ("Lab", lab.create_tab),
            ("Gallery", gallery.create_tab),
        ]
        bar.lay_out(tabs or all_tabs)
        page.footer()
        if api:
            endpoints.create()
    inputs.guard(blocks)
    blocks.queue(api_open=False, max_size=admission.MOST)  # else anybody could pass the queue by
    admission.guard(blocks._queue)
    return blocks


def launch_options(**served: Any) -> dict[str, Any]:
    """Keyword arguments of `launch`: how the page is served, see `nst.server.serving.options`, and how it looks."""
    from nst.server import serving
    from nst.ui import page

    return serving.options(**served) | page.appearance() | {"head": page.head()}


def main(arguments: Sequence[str] | None = None, *, prog: str = "python app.py") -> int:
    """Serve the page until Ctrl-C or SIGTERM; 0 at the end, 2 where it cannot be served. `arguments` are what was typed
    (None means the process's own), and `prog` what was typed before them, for the help."""
    parser = argparse.ArgumentParser(prog=prog, description="Pastiche: a photo in the manner of a painting.")
    parser.add_argument("--host", help="address to serve on (default: this machine only; 0.0.0.0 is every network)")
    parser.add_argument("--port", type=int, help="port to serve on (default: the first free one from 7860)")
    parser.add_argument("--share", action="store_true", help="also make a public link, for a week")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument("--auth", metavar="NAME:PASSWORD", action="append", help="let only these in (may be repeated)")
    parser.add_argument("--root-path", metavar="PATH", help="path or whole address that a proxy has this app under")
    parser.add_argument("--strict", action="store_true", help="the limits of a Space, for serving strangers")
    parser.add_argument("--api", action="store_true", help="also answer programs: Gradio's API, and MCP")
    options = parser.parse_args(arguments)
    if any(":" not in pair for pair in options.auth or ()):
        parser.error("--auth is a name and a password with a colon between them")

    environment = {"GRADIO_ROOT_PATH": options.root_path, "PASTICHE_LIMITS": "strict" if options.strict else None}
    os.environ.update({name: value for name, value in environment.items() if value})
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    from nst.places import home
    from nst.server import tempfiles, zerogpu
    from nst.threads import settle

    home()  # before others ask for it
    settle()
    zerogpu.prepare()  # before torch
    tempfiles.open_folder()  # before gradio asks where to put files
    from nst.server import serving, stopping

    with stopping.asked() as wanted:
        serving.look_after()
        page = build_app(api=options.api)
        try:
            page.launch(
                server_name=options.host,
                server_port=options.port,
                share=options.share or None,
                inbrowser=options.open,
                auth=[tuple(pair.split(":", 1)) for pair in options.auth or ()] or None,
                prevent_thread_lock=True,
                **launch_options(api=options.api, host=options.host, shared=options.share),
            )
        except (OSError, OverflowError):  # gradio's word for a port that is taken, and Python's for none at all
            port = options.port or os.environ.get("GRADIO_SERVER_PORT") or "from 7860 to 7959"
            sys.stderr.write(f"Port {port} cannot be served on: it is taken. Name another with --port.\n")
            return 2
        stopping.serve_until(wanted, page)
    return 0
