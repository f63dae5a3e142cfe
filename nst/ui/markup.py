"""Pieces of HTML: where they stand in the page, and what several of them are made of; static/parts.js moves them."""

from __future__ import annotations

import base64
import re
from html import escape
from typing import Any

import gradio as gr


def html(value: str = "", element: str | None = None, classes: str | None = None, **form: Any) -> gr.HTML:
    """A place for HTML, in no style but the page's own; `element` is its name in the page, `form` more for
    `gr.HTML`."""
    return gr.HTML(value, elem_id=element, elem_classes=classes, apply_default_css=False, **form)


def small_print(text: str) -> gr.HTML:
    """A sentence or two, HTML, where something is to be known and nothing to be done."""
    return html(f"<p>{text}</p>", classes="estimate")


def moved_by(*scripts: str) -> str:
    """JavaScript for `js_on_load` that has these functions of static/parts.js move a piece."""
    return " ".join(f"pastiche.{script}(element, trigger);" for script in scripts)


def button(inner: str, **attributes: str | int | None) -> str:
    """HTML of a button around HTML; attributes by name, with _ for -, as plain text: True and False are words, None is
    left out."""
    told = [f'{name.replace("_", "-")}="{_word(value)}"' for name, value in attributes.items() if value is not None]
    return f'<button type="button" {" ".join(told)}>{inner}</button>'


def _word(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else escape(str(value))


def webp(data: bytes) -> str:
    """A picture as a data URI."""
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"


def prose(text: str) -> str:
    """HTML of paragraphs in which **this** is bold and [this](address) a link."""
    marked = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escape(text, quote=False), flags=re.DOTALL)
    marked = re.sub(r"\[(.+?)\]\((.+?)\)", r'<a href="\2" target="_blank" rel="noopener">\1</a>', marked)
    return "".join(f"<p>{paragraph}</p>" for paragraph in marked.split("\n\n"))
