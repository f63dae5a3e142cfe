"""Which tab is whose: where a link leads, and a picture that brings its recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import gradio as gr
from gradio.context import Context

from nst.tasks import TASKS
from nst.tasks.recipe import FIRST, names_of, task_of, valid_settings
from nst.tasks.task import Task

HOMES = {name: task.panel.home or task.panel.title for name, task in TASKS.items() if name != FIRST}
"""The tab of each task that has one of its own; all others are at home in the first one."""


def lay_out(listed: Sequence[tuple[str, Callable[[], object]]]) -> None:
    """Lay the tabs out; a link opens the one that it is for, and a tab that hands its results on knows the first.

    Args:
        listed: titles, and the functions that lay the tabs out.
    """
    made = []
    with gr.Tabs(elem_id="tabs") as bar:
        for title, create_tab in listed:
            with gr.Tab(title, id=title):
                made.append(create_tab())
    for tab in made[1:]:
        if isinstance(tab, HandsOn):
            tab.connect(made[0], bar, listed[0][0])
    titles = {title for title, _ in listed}
    turn(bar, {task: home for task, home in HOMES.items() if home in titles})


@runtime_checkable
class HandsOn(Protocol):
    """A tab whose results can be gone on from in another."""

    def connect(self, other: Any, bar: gr.Tabs, title: str) -> None:
        """Wire that, for the other tab and its title in the bar."""


def inner(home: str, element: str, create: Callable[[Task, gr.Tab | None], Any]) -> tuple[gr.Tabs, list[Any]]:
    """A tab for each task that is at home in this one, and what is created in it.

    Args:
        home: title of the tab that is being laid out.
        element: name of the tabs in the page.
        create: lays out the bench of a task, within the tab given.
    """
    made = []
    with gr.Tabs(elem_id=element, elem_classes="inner") as bar:
        for name, task in TASKS.items():
            if task.panel.home == home:
                with gr.Tab(task.panel.title, id=name):
                    made.append(create(task, current()))
    turn(bar, {name: name for name, task in TASKS.items() if task.panel.home == home})
    return bar, made


def turn(bar: gr.Tabs, homes: Mapping[str, str]) -> None:
    """As the page opens, turn to the tab that the link is for, and look at it.

    Args:
        bar: the tabs.
        homes: the id of the tab by the task that it is home to.
    """
    asked = gr.Textbox(visible=False)

    def turned(request: gr.Request) -> list[Any]:
        task = bench_of(request.query_params)
        return [gr.Tabs(selected=homes[task]), task] if task in homes else [gr.skip(), gr.skip()]

    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    gr.on(None, turned, None, [bar, asked], **quiet).then(None, asked, js=LOOK)


def look(task: str) -> gr.Button:
    """What is pressed, by no hand, when a link has turned the page to a tab: the tab itself does not always tell."""
    return gr.Button(elem_id=f"look-{task}", elem_classes="look")


LOOK = """(task) => {
    const look = (tries) => {
        const button = document.getElementById('look-' + task);
        if (button && !button.dataset.looked) { button.dataset.looked = 'yes'; button.click(); }
        else if (!button && tries) setTimeout(() => look(tries - 1), 50);
    };
    if (task) look(400);
}"""
"""Presses it, once the tab is laid out."""


def current() -> gr.Tab | None:
    """The tab that is being laid out, if it is one within tabs."""
    block = Context.block
    while block is not None and not isinstance(block, gr.Tab):
        block = block.parent
    return block


def bench_of(asked: Mapping[str, Any]) -> str:
    """The task whose controls a recipe or a link is for: what was painted in several styles is for those of a mix."""
    task, settings = task_of(asked), asked.get("settings")
    weights = valid_settings(settings if isinstance(settings, Mapping) else asked).get("style_weights") or []
    several = len(weights) > 1 or len(names_of(asked.get("style"))) > 1
    return "mix" if task == "style_transfer" and several else task
