"""The tab Video: a clip in, a painted clip out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.data_classes import FileData

from nst.fast import fast_styles
from nst.registry import list_models, load_model
from nst.server import limits
from nst.tasks import TASKS
from nst.tasks.recipe import from_query, names_of, settings_from_recipe
from nst.ui import hubrow, markup, page, pictures, settings, teach
from nst.ui.painting import Order, Run, View
from nst.ui.pictures import Slot
from nst.ui.result_panel import Updates, Values
from nst.ui.stylerow import title
from nst.ui.task_tab import Workbench
from nst.ui.viewer import Pair, address, component
from nst.weights import repository

FIRST = "Painted by Pastiche, and nothing flickers: play it."

NONE = ""
"""Nothing is chosen instead of a picture."""

TRIAL = 1.0
"""Seconds that are painted to try the settings out."""


def _file(_: Component, value: str | None) -> FileData | None:
    return FileData(path=value, orig_name=Path(value).name) if value else None


PathVideo: type[gr.Video] = component("PathVideo", gr.Video, preprocess=pictures.path_of, postprocess=_file)
"""Its value is what came in: gradio would hand a stranger's clip to FFmpeg as it is."""


def _players(_: Component, value: Any) -> str:
    """HTML of a pair of clips, the result first."""
    if not value:
        return ""
    shown = f'<video src="{address(value.after)}" controls loop playsinline aria-label="The painted clip"></video>'
    if value.before:
        shown += f'<video src="{address(value.before)}" loop muted playsinline aria-label="The clip before"></video>'
    return f'<figure class="clip-view">{shown}<figcaption>{escape(value.told)}</figcaption></figure>'


PlayersView: type[gr.HTML] = component("PlayersView", gr.HTML, postprocess=_players)


class VideoTab(Workbench):
    """See `nst.ui.task_tab.Workbench`; its result is a file, and what is shown of it while it is painted a frame."""

    def __init__(self, run: Run | None = None) -> None:
        def fetch(name: str, **given: Any) -> object:
            known = {entry.name for entry in list_models("style")}
            return load_model(name, **given) if name in known or repository.parse(name) else None

        super().__init__(TASKS["video"], run, fetch)

    def lay_out_inputs(self) -> None:
        with gr.Column(elem_classes="card"):
            self.slots.append(_clip_slot(self.id("content")))
            if (here := limits.current()) is limits.STRICT:
                markup.small_print(
                    f"On this server the first {here.clip_seconds:g} seconds of a clip are painted, at most "
                    f"{here.clip_frames} frames, {here.clip_size} pixels a side."
                )
        with gr.Column(elem_classes="card"):
            self.slots.append(pictures.slot("style", "Style", self.id("style")))
            self.mine = self.extra["mine"] = gr.Dropdown(value=NONE, elem_id=self.id("mine"), **self._offered())
        with gr.Column(elem_classes="card"):
            self.controls |= settings.main_controls(self.task)
            self.lay_out_more()

    def _lay_out_views(self) -> None:
        super()._lay_out_views()
        first = Pair(None, str(pictures.packed_file(page.PICTURES / "first-video.mp4")), FIRST)
        self.players = PlayersView(
            first, elem_id=self.id("players"), apply_default_css=False, js_on_load=markup.moved_by("together")
        )

    def lay_out_result(self) -> None:
        super().lay_out_result()
        self.shown.append(self.players)

    def open_page(self, opened: bool, told: str | None, request: gr.Request) -> Updates:
        """What the tab shows when it is seen, which is when the browser fetches the player of clips."""
        page, clip = super().open_page(opened, told, request), self.slots[0].picture
        page |= {clip: gr.update(**page.get(clip, {}) | {"visible": True})}
        if opened:
            return page | {self.mine: gr.update(**self._offered())}
        mine, _, missing = self._instead(from_query(self.linked(request), self.task.name))
        if missing:
            page |= self.lacking(missing)
        return page | {self.mine: gr.update(value=mine, **self._offered())}

    def _named(self, asked: dict[str, Any]) -> list[str | None]:
        """The pictures alone: what is chosen instead of one is not looked for among the examples."""
        return super()._named(asked | {"style": self._instead(asked)[1]})

    def arranged(self, recipe: dict[str, Any]) -> Updates:
        asked = {"style": recipe.get("style"), "settings": settings_from_recipe(recipe, self.task.name)}
        mine, _, missing = self._instead(asked)
        if missing:
            gr.Warning(missing)
        return super().arranged(recipe) | {self.mine: mine}

    def _instead(self, asked: Mapping[str, Any]) -> tuple[str, list[str], str]:
        """Of the styles that a link or a recipe names: the one that is chosen instead of a picture, the pictures, and a
        sentence on what is not to be had."""
        names = names_of(asked["style"])
        if names and names[0] in teach.names():
            return names[0], names[1:], ""
        found, missing = hubrow.named(names, asked["settings"]["model"])
        return (found[0], found[1:], missing) if found and hubrow.split(found[0])[0] else (NONE, found, missing)

    @property
    def restored_parts(self) -> list[Component]:
        return [*super().restored_parts, self.mine]

    def _offered(self) -> dict[str, Any]:
        """What can be chosen instead of a picture, by who asks."""
        home, names = limits.current() is not limits.STRICT, teach.names()
        told = "A style that was taught here" + ", or a repository of the Hub as OWNER/NAME." * home
        form = {"label": "Instead of a picture", "info": told, "allow_custom_value": home}
        return form | {
            "choices": [("None", NONE), *((title(name), name) for name in names)],
            "visible": home or bool(names),
        }

    def order(self, values: Values) -> Order:
        (clip, style), (name, manner), asked = self.read(values)
        given: Any = manner if manner in fast_styles() else Path(str(style))
        if mine := str(values[self.mine] or "").strip():
            mine = mine if teach.find(mine) else hubrow.settled(mine)
            network = hubrow.network(mine)
            asked |= {"model": network} if network else {}
            if asked.get("optimize"):
                raise ValueError("Optimizing frames needs a picture as style; choose None instead of it.")
            if not hubrow.any_picture(network):
                given, manner = teach.find(mine) or hubrow.taken(mine, network), hubrow.split(mine)[1] or mine
        named = {"content": name, "style": [manner or "a picture"]}
        return self.ordered(asked, {"content": str(clip)}, named, extras={"style": [given]})

    def order_also(self, values: Values) -> Order:
        """The first second of it."""
        order = self.order(values)
        start = order.settings.get("start", self.task.defaults["start"])
        return replace(order, settings=order.settings | {"end": start + TRIAL})

    def updates(self, view: View, *, seen: bool = False) -> Updates:
        view = dict(view)  # which is shown again after a reload
        clip = view.pop("clip", None)
        updates = super().updates(view, seen=seen)
        if clip is not None:
            updates |= {self.preview: gr.update(visible=False), self.players: gr.update(value=clip, visible=True)}
            updates[self.film] = gr.update(value=clip.after, visible=True, label="Download MP4")
        elif "preview" in view and not seen:
            updates[self.players] = gr.update(visible=False)
        return updates


def _clip_slot(element: str) -> Slot:
    """The slot of a clip."""
    picture: Any = PathVideo(
        label="Clip",
        elem_id=element,
        elem_classes="picture",
        height=270,
        buttons=[],
        sources=["upload", "webcam"],
        visible=False,
    )
    row = pictures.example_row(f"{element}-examples")
    return Slot(
        "content", "clip", "Clip", picture, row, gr.State(None), default=TASKS["video"].input("content").default
    )


def create_tab(run: Run | None = None) -> VideoTab:
    """Lay the tab out and wire it; to be called inside a `gr.Tab`. See `VideoTab`."""
    return VideoTab(run)
