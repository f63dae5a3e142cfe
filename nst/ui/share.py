"""Sharing a result: the part of a tab that gives it an address, and what the address brings back."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from nst.images import ImageError, decode
from nst.server import limits, log, tempfiles
from nst.server.address import client, home, result_link
from nst.server.results import Result, ResultsError, Store
from nst.server.results.desk import Desk, desk
from nst.ui.events import TELLING, refusal
from nst.ui.markup import html, moved_by

REMEMBERED = 10_000
"""Shared pictures of which it is known that they are."""


@dataclass(frozen=True)
class Offer:
    """What a visitor has to share.

    Attributes:
        result: path of the finished picture, with its recipe inside.
        before: path of what may be shown beside it.
        inputs: paths of what it was made from, by kind, such as "content", "style" or "mask-2"; examples that the
            recipe names need not be there.
        clip: path of the MP4 that the picture is the poster of.
    """

    result: str
    before: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    clip: str | None = None


@dataclass(frozen=True)
class Remix:
    """What the address of a result brings back: the recipe, files of the inputs that were shared, by kind, where
    the picture itself is, and what may be shown beside it."""

    recipe: dict[str, Any]
    files: dict[str, str]
    shown: tuple[str | None, str] | None = None


def create(source: Component, offer: Callable[[Any], Offer | None], element: str = "share") -> None:
    """Lay out and wire the part that shares, where this is called.

    Args:
        source: a component, usually a `gr.State`, whose value knows the result.
        offer: from that value to what can be shared now; None if there is nothing yet.
    """
    here = desk()
    if here.why or here.store is None:
        html(f'<p class="no-share">{escape(here.why)}</p>')
        return
    html(f"<p><b>A link to the picture.</b> {about(here.store)}</p>")
    asked = [
        gr.Checkbox(label="With the photo beside it", elem_id=f"{element}-before"),
        gr.Checkbox(label="With photo and style, for remixes", elem_id=f"{element}-inputs"),
        gr.Checkbox(label="Show it to everybody in the gallery", elem_id=f"{element}-public"),
    ]
    button = gr.Button("Create link", elem_id=f"{element}-create", size="md")
    told = html(element=f"{element}d", classes="shared", js_on_load=moved_by("copied"))

    def share(value: Any, before: bool, inputs: bool, public: bool, request: gr.Request) -> str:
        return add(here, offer(value), request, before=before, inputs=inputs, public=public)

    button.click(share, [source, *asked], told, **TELLING | {"show_progress": "minimal"})


def about(store: Store) -> str:
    """What becomes of a shared picture, in plain words, as HTML."""
    told = (
        "Whoever has the link sees the picture and its settings, without logging in. It stays on this server for at "
        f"most {store.max_days:g} days, or until you delete it with the link that you get."
    )
    if dataset := os.environ.get("PASTICHE_DATASET"):
        told += f" What the gallery shows is also published in the dataset {escape(dataset)} on the Hugging Face Hub."
    return told


def add(here: Desk, offer: Offer | None, request: Any, *, before: bool, inputs: bool, public: bool) -> str:
    """Share what is offered; the links, as HTML. Raises gr.Error with a sentence that says why not."""
    if offer is None or not Path(offer.result).is_file():
        raise refusal("There is no finished picture to share yet: press Paint first.")
    if here.store is None or not _claim(here, here.store, offer.result):
        raise refusal("This picture was shared already; it can be again once that was deleted.")
    clock = log.Stopwatch()
    try:
        if not (here.shares.spend(client(request)) and here.daily.spend(client(request))):
            raise ResultsError("That was a lot of sharing: wait some minutes, then try again.")
        picture = decode(offer.result)
        recipe = picture.recipe or {}
        beside = decode(offer.before).rgb if before and offer.before and Path(offer.before).is_file() else None
        given = {kind: path for kind, path in offer.inputs.items() if inputs and not isinstance(recipe.get(kind), str)}
        kept = {
            kind: decode(path, size=2 * limits.current().size).rgb
            for kind, path in given.items()
            if Path(path).is_file()
        }
        clip = Path(offer.clip).read_bytes() if offer.clip else None
        more: dict[str, Any] = {"before": beside, "inputs": kept, "clip": clip, "public": public}
        id, token = here.store.add(picture.rgb, recipe, alpha=picture.alpha, **more)
    except Exception as error:
        here.shared.pop(offer.result, None)
        log.note("share failed", reason=type(error).__name__)
        if isinstance(error, (ImageError, ResultsError)):
            raise refusal(str(error)) from None
        raise
    here.shared[offer.result] = id
    result = here.store.get(id)
    kept_smaller = result is not None and any(name.endswith(".webp") for name in result.inputs.values())
    log.note("shared", public=public, before=before, inputs=len(kept), seconds=clock.seconds)
    return _links(result_link(home(request), id), token, kept_smaller)


def _claim(here: Desk, store: Store, path: str) -> bool:
    """Whether this picture may be shared: it is not already, and nobody is about to."""
    with _claiming:
        if path in here.shared and (not here.shared[path] or store.get(here.shared[path])):
            return False
        here.shared[path] = ""  # until it has an id
        while len(here.shared) > REMEMBERED:
            here.shared.popitem(last=False)
        return True


_claiming = threading.Lock()


def remix(here: Desk, query: Mapping[str, str], request: Any) -> Remix | None:
    """What `?remix=ID` asks for; None if it does not ask. Raises gr.Error if there is no such result."""
    if not (id := query.get("remix", "")):
        return None
    result = here.store.get(id) if here.store else None
    if here.store is None or result is None:
        here.misses.spend(client(request))
        raise refusal("The picture to remix is no longer there; the settings are those in the link.")
    if result.inputs and not here.remixes.spend(client(request)):
        raise refusal("That was a lot of remixes: wait some minutes, then try again.")
    beside = f"r/{result.id}/before.webp" if "before.webp" in result.files else None
    return Remix(result.recipe, _files(here.store, result), (beside, f"r/{result.id}.webp"))


def _files(store: Store, result: Result) -> dict[str, str]:
    """The shared inputs, copied to where the app may use them."""
    found = {}
    for kind, name in result.inputs.items():
        if content := store.read(result.id, name):
            path = tempfiles.new_file(name)
            path.write_bytes(content)
            found[kind] = str(path)
    return found


def _links(link: str, token: str, kept_smaller: bool) -> str:
    page, gone = escape(link), escape(f"{link}/delete?token={token}")
    smaller = "<p>A picture that large is kept smaller: a remix will be alike, not the same.</p>"
    smaller = smaller if kept_smaller else ""
    return (
        f'<div class="links"><label>The link<input readonly value="{page}" data-link></label>'
        f'<p><button type="button" data-copy>Copy</button> <a href="{page}" target="_blank" rel="noopener">Open</a></p>'
        f'<label>To delete it, keep this link to yourself<input readonly value="{gone}"></label>'
        f'<p><a href="{gone}" target="_blank" rel="noopener noreferrer">Delete it now</a></p>{smaller}</div>'
    )
