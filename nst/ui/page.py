"""The page around the tabs: header, hint and footer, and what its own scripts (static/*.js) do for a tab."""

from __future__ import annotations

import json
import os

import gradio as gr

from nst.ui.markup import html
from nst.ui.theme import PICTURES, STATIC

HEAD = ("head.html", "stream.js", "page.js", "parts.js")
"""What goes into the head of the page: tags, and then scripts."""

PRIVACY = (
    "Your pictures stay on the machine that runs this page. They are used for your own runs only and deleted after a "
    "day, but for what you share. No history of runs is kept."
)


def head() -> str:
    """What goes into the head of the page: the scripts among it, so that it is there before gradio."""
    tags, *scripts = ((STATIC / name).read_text(encoding="utf-8") for name in HEAD)
    return "\n".join([tags, *(f"<script>\n{script}</script>" for script in scripts)])


def header() -> gr.HTML:
    """The mark, the wordmark and what this is, in one sentence."""
    mark, word = ((PICTURES / name).read_text(encoding="utf-8") for name in ("mark.svg", "wordmark.svg"))
    return html(
        '<a class="skip" href="#paint">Skip to Paint</a>'
        f"<header><span class='mark' aria-hidden='true'>{mark}</span><h1>{word}</h1>"
        "<p>A photo, repainted in the manner of a painting.</p></header>",
        "masthead",
    )


def hint() -> gr.HTML:
    """A word for who is here for the first time; goes away when it is closed, or with the first press anywhere."""
    return html(
        "<aside hidden><p><strong>New here?</strong> Drag the line, then press <b>Paint</b>.</p>"
        "<button type='button' aria-label='Close this hint'>&times;</button></aside>",
        "hint",
        js_on_load="pastiche.hint(element)",
    )


def footer() -> gr.HTML:
    """The privacy line."""
    return html(f"<p>{PRIVACY}</p>", "privacy")


def copy_link(element: str) -> str:
    """JavaScript that puts a query into the address bar and the whole link on the clipboard, and says so on the button
    of this name. On a Space the page lives in a frame, so that the link to share is the Space's own."""
    space = os.environ.get("SPACE_ID")
    home = json.dumps(f"https://huggingface.co/spaces/{space}" if space else None)
    return f"(query) => pastiche.copyLink(query, {json.dumps(element)}, {home})"
