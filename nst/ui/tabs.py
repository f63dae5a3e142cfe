"""Which tab is whose: where a link leads, and a picture that brings its recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr
from gradio.context import Context

from nst.recipes import names_of, task_of

HOMES = {
    "fast": "Fast styles",
    "mix": "Mix",
    "colors": "Color",
    "survey": "Explore",
    "texture": "Explore",
    "invert": "Explore",
    "doodle": "Explore",
}
"""The tab of each task that has one of its own; all others are at home in the first one."""


def lay_out(listed: Sequence[tuple[str, Callable[[], object]]]) -> None:
    """Lay the tabs out; a link opens the one that it is for.

    Args:
        listed: titles, and the functions that lay the tabs out.
    """
    with gr.Tabs(elem_id="tabs") as bar:
        for title, create_tab in listed:
            with gr.Tab(title, id=title):
                create_tab()
    titles = {title for title, _ in listed}
    turn(bar, {task: home for task, home in HOMES.items() if home in titles})


def turn(bar: gr.Tabs, homes: Mapping[str, str]) -> None:
    """As the page opens, turn to the tab that the link is for.

    Args:
        bar: the tabs.
        homes: the id of the tab by the task that it is home to.
    """

    def turned(request: gr.Request) -> Any:
        home = homes.get(bench_of(request.query_params))
        return gr.Tabs(selected=home) if home else gr.skip()

    gr.on(None, turned, None, bar, queue=False, show_progress="hidden", api_visibility="private")


def current() -> gr.Tab | None:
    """The tab that is being laid out, if it is one within tabs."""
    block = Context.block
    while block is not None and not isinstance(block, gr.Tab):
        block = block.parent
    return block


def bench_of(asked: Mapping[str, Any]) -> str:
    """The task whose controls a recipe or a link is for: what was painted in several styles is for those of a mix."""
    task, settings = task_of(asked), asked.get("settings")
    weights = (settings if isinstance(settings, Mapping) else asked).get("style_weights")
    several = len(weights.split(",") if isinstance(weights, str) else weights or []) > 1
    return "mix" if task == "style_transfer" and (several or len(names_of(asked.get("style"))) > 1) else task
