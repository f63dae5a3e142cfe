"""The app: `python app.py` serves it on this machine; on a Hugging Face Space it is started the same way."""

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


SERVING: dict[str, Any] = {"run_history": False, "mcp_server": False, "max_file_size": "100mb"}
"""No history of runs in the browser, no endpoints for programs, and no huge uploads."""


def build_app(tabs: Sequence[tuple[str, Callable[[], object]]] | None = None) -> gr.Blocks:
    """The page, not yet served.

    Args:
        tabs: titles, and the functions that lay the tabs out; None means all there are.
    """
    import gradio as gr

    from nst.ui import optimize, theme

    cleaning = (CLEAN_EVERY, KEEP)
    with gr.Blocks(title="Pastiche", analytics_enabled=False, delete_cache=cleaning, fill_width=True) as page:
        theme.header()
        with gr.Tabs(elem_id="tabs"):
            for title, create_tab in tabs or [("Optimize", optimize.create_tab)]:
                with gr.Tab(title):
                    create_tab()
        theme.footer()
    # Without api_open=False anybody could pass the queue by.
    return page.queue(api_open=False, max_size=32)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until Ctrl-C; 0 at the end."""
    parser = argparse.ArgumentParser(prog="python app.py", description="Pastiche: a photo in the manner of a painting.")
    parser.add_argument("--host", help="address to serve on (default: this machine only; 0.0.0.0 is every network)")
    parser.add_argument("--port", type=int, help="port to serve on (default: the first free one from 7860)")
    parser.add_argument("--share", action="store_true", help="also make a public link, for a week")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    options = parser.parse_args(arguments)

    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    from nst.ui import scratch

    scratch.open_folder()  # before gradio asks where to put files
    from nst.ui import pictures, theme

    pictures.draw_ahead()
    build_app().launch(
        server_name=options.host, server_port=options.port, share=options.share or None, inbrowser=options.open,
        **SERVING, **theme.appearance(),
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
