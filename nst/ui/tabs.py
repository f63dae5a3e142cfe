"""Which tab is whose: where a link leads, and a picture that brings its recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr
from gradio.context import Context

from nst.tasks import TASKS
from nst.tasks.recipe import FIRST, names_of, task_of, valid_settings
from nst.tasks.task import Task
from nst.ui.events import QUICK

HOMES = {name: task.panel.home or task.panel.title for name, task in TASKS.items() if name != FIRST}
"""The tab of each task that has one of its own; all others are at home in the first one."""


def lay_out(listed: Sequence[tuple[str, Callable[[], object]]]) -> None:
    """Lay out the tabs with these titles; a link opens the one that it is for, and a tab that hands its results on
    knows the first."""
    made = []
    with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as bar:
        for title, create_tab in listed:
            with gr.Tab(title, id=title):
                made.append(create_tab())
    for tab in made[1:]:
        if connect := getattr(tab, "connect", None):  # its results can be gone on from in the first
            connect(made[0], bar, listed[0][0])
    titles = {title for title, _ in listed}
    bars = {bar: {task: home for task, home in HOMES.items() if home in titles}}
    for block in list(Context.root_block.blocks.values()) if Context.root_block else ():
        if isinstance(block, gr.Tabs) and "inner" in block.elem_classes:
            bars[block] = {tab.id: tab.id for tab in block.children if isinstance(tab, gr.Tab) and tab.id in TASKS}
    turn(bars)


def inner(home: str, element: str, create: Callable[[Task], Any]) -> tuple[gr.Tabs, list[Any]]:
    """A tab for each task that is at home in the one of this title, and what `create` lays out in it."""
    made = []
    with gr.Tabs(elem_id=element, elem_classes="inner", overflow_behavior="wrap") as bar:
        for name, task in TASKS.items():
            if task.panel.home == home:
                with gr.Tab(task.panel.title, id=name):
                    made.append(create(task))
    return bar, made


def turn(bars: Mapping[gr.Tabs, Mapping[str, str]]) -> None:
    """Have a page that is opened by a link turn to the tab that it is for, and look at it; static/page.js asks for it.
    `bars` are the tabs, and in each the id of the tab by the task that it is home to."""
    asked, turner = gr.Textbox(visible=False), gr.Button(elem_id="turn", elem_classes="look")

    def turned(request: gr.Request) -> dict[Any, Any]:
        task = bench_of(request.query_params)
        found = {bar: gr.Tabs(selected=homes[task]) for bar, homes in bars.items() if task in homes}
        return found | {asked: task if found else ""}

    turner.click(turned, None, [*bars, asked], **QUICK).then(None, asked, js="(task) => pastiche.look(task)")


def look(task: str) -> gr.Button:
    """What is pressed, by no hand, when a link has turned the page to a tab: the tab itself does not always tell."""
    return gr.Button(elem_id=f"look-{task}", elem_classes="look")


def around(block: Any = None) -> gr.Tab | None:
    """The tab that a block is, or stands in; without one, what is being laid out. None where there is none."""
    block = block or Context.block
    while block is not None and not isinstance(block, gr.Tab):
        block = block.parent
    return block


def bench_of(asked: Mapping[str, Any]) -> str:
    """The task whose controls a recipe or a link is for: what was painted in several styles is for those of a mix."""
    task, settings = task_of(asked), asked.get("settings")
    weights = valid_settings(settings if isinstance(settings, Mapping) else asked).get("style_weights") or []
    several = len(weights) > 1 or len(names_of(asked.get("style"))) > 1
    return "mix" if task == "style_transfer" and several else task
