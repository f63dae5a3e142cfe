"""The tab Gallery: the newest results that were shared with everybody, each to be opened or remixed."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from nst.server import words
from nst.server.address import home, remix_query, result_link
from nst.server.results import Result
from nst.server.results.record import CLIP
from nst.ui import share
from nst.ui.events import QUICK
from nst.ui.markup import html, moved_by

PAGE = 24
"""How many results are shown at first, and how many more each time."""

MOST = 240
EMPTY = (
    "Nothing is here yet. Paint a picture, press <i>Share</i> beneath it, and tick "
    "<i>Show it to everybody in the gallery</i>."
)


def create_tab() -> None:
    """Lay the tab out and wire it; to be called inside a `gr.Tab`."""
    html("<p>What was shared with everybody, the newest first.</p>", classes="line")
    grid = html(element="gallery", js_on_load=moved_by("sighted"))  # then what is newest is asked for
    count = gr.State(PAGE)
    with gr.Row(elem_classes="toolbar"):
        more = gr.Button("Show more", elem_id="gallery-more", size="md", visible=False)
    gr.on([grid.select], show, [count], [grid, more], **QUICK)
    counted = more.click(lambda count: min(count + PAGE, MOST), count, count, **QUICK)
    counted.then(show, [count], [grid, more], **QUICK)


def show(count: int, request: gr.Request) -> list[Any]:
    """The newest results, and the button for more of them."""
    count = min(max(int(count), 1), MOST)
    here = share.desk()
    results = here.store.latest(count + 1) if here.store else []
    return [grid_html(results[:count], home(request), here.why), gr.update(visible=len(results) > count)]


def grid_html(results: list[Result], home: str, why: str = "") -> str:
    """The results as cards; all that is a stranger's is escaped."""
    if not results:
        return f'<div class="nothing"><p>{escape(why) or EMPTY}</p></div>'
    cards = ""
    for result in results:
        title, link = escape(words.title(result.recipe)), escape(result_link(home, result.id))
        cards += (
            f'<li><a href="{link}" target="_blank" rel="noopener"><img src="{link}/thumbnail.webp" alt="{title}" '
            f'loading="lazy" width="{result.width}" height="{result.height}"></a><div><strong>{title}</strong>'
            f"<span>{'Clip. ' * (CLIP in result.files)}{escape(words.summary(result.recipe))}</span>"
            f'<a href="?{escape(remix_query(result))}" aria-label="Remix: {title}">Remix</a></div></li>'
        )
    return f'<ul class="shared-results">{cards}</ul>'
