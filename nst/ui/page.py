"""The page around the tabs: header, hint and footer, what its own scripts (static/*.js) do for a tab, and how it looks:
day is a white gallery wall, night is a starry one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.themes.utils import sizes

from nst.ui.markup import html

STATIC = Path(__file__).parent / "static"
PICTURES = Path(__file__).parents[1] / "pictures"

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


def hue(name: str, shades: str) -> gr.themes.Color:
    """A hue, from its lightest shade to its darkest."""
    return gr.themes.Color(*shades.split(), name=name)  # type: ignore[misc]


ULTRAMARINE = hue(
    "ultramarine", "#eef1ff #dfe4ff #c3ccff #9fadff #7386f7 #4d61e6 #2f44c8 #2438b4 #1d2c8c #17226a #0f1748"
)
CADMIUM = hue("cadmium", "#fff8e6 #ffefc4 #ffe08a #ffd166 #ffbe2e #f5a800 #d18c00 #a66c00 #7f5200 #5e3d00 #3a2500")
SLATE = hue("slate", "#f4f5f8 #e9ebf0 #d6dae3 #b8bfcd #8f98ab #636d83 #475066 #2f374b #1b2236 #121828 #0b101d")

PLEX, QUICKSAND = gr.themes.LocalFont("IBM Plex Sans", (400, 700)), gr.themes.LocalFont("Quicksand", (700,))
"""Several of gradio's font files hold no Latin letters (Lexend, Lora and Plex's semibold, in 6.31); these do. Quicksand
stands last only to be declared: style.css uses it for labels and buttons."""

COLORS: dict[str, tuple[str, str]] = {
    "body_background_fill": ("*neutral_50", "*neutral_950"),
    "body_text_color": ("*neutral_900", "*neutral_100"),
    "body_text_color_subdued": ("*neutral_600", "*neutral_300"),
    "background_fill_primary": ("white", "*neutral_900"),
    "background_fill_secondary": ("*neutral_50", "*neutral_950"),
    "border_color_primary": ("*neutral_200", "*neutral_700"),
    "border_color_accent": ("*primary_500", "*secondary_300"),
    "color_accent_soft": ("*primary_50", "*neutral_800"),
    "block_background_fill": ("white", "*neutral_900"),
    "block_border_width": ("0px", "0px"),
    "block_info_text_color": ("*neutral_600", "*neutral_300"),
    "block_label_background_fill": ("white", "*neutral_900"),
    "block_label_text_color": ("*neutral_700", "*neutral_200"),
    "block_label_border_width": ("0px", "0px"),
    "block_title_text_color": ("*neutral_800", "*neutral_100"),
    "block_shadow": ("none", "none"),
    "input_background_fill": ("*neutral_50", "*neutral_800"),
    "input_placeholder_color": ("*neutral_500", "*neutral_400"),
    "input_border_color": ("*neutral_300", "*neutral_600"),
    "input_border_color_focus": ("*primary_500", "*secondary_300"),
    "slider_color": ("*primary_600", "*secondary_400"),
    "loader_color": ("*primary_600", "*secondary_400"),
    "button_primary_background_fill": ("*primary_700", "*secondary_400"),
    "button_primary_background_fill_hover": ("*primary_600", "*secondary_300"),
    "button_primary_text_color": ("white", "*neutral_950"),
    "button_secondary_background_fill": ("*neutral_100", "*neutral_800"),
    "button_secondary_background_fill_hover": ("*neutral_200", "*neutral_700"),
    "button_secondary_text_color": ("*neutral_800", "*neutral_100"),
    "button_cancel_background_fill": ("#c8321f", "#ff7d66"),
    "button_cancel_background_fill_hover": ("#ad2716", "#ff9a87"),
    "button_cancel_text_color": ("white", "*neutral_950"),
    "checkbox_border_color": ("*neutral_500", "*neutral_400"),
    "checkbox_label_background_fill_selected": ("*primary_700", "*secondary_400"),
    "checkbox_label_text_color_selected": ("white", "*neutral_950"),
    "link_text_color": ("*primary_600", "*secondary_300"),
}
"""By day and by night, by the names that Gradio has for them."""

ALWAYS = {"color_accent": "*primary_600", "block_info_text_size": "*text_sm"}
ALWAYS |= {"block_label_text_weight": "600", "block_title_text_weight": "600"}
"""What is the same by day and by night."""


def appearance() -> dict[str, Any]:
    """What `Blocks.launch` wants to know about looks."""
    return {
        "theme": theme(),
        "css_paths": STATIC / "style.css",
        "favicon_path": PICTURES / "mark.svg",
        "footer_links": ["settings", "gradio"],
    }


def theme() -> gr.themes.Base:
    """The colors, fonts and radii of the app; its fonts come with gradio and are served from here."""
    base = gr.themes.Base(
        primary_hue=ULTRAMARINE,
        secondary_hue=CADMIUM,
        neutral_hue=SLATE,
        radius_size=sizes.radius_lg,
        font=[PLEX, "ui-sans-serif", "system-ui", "sans-serif", QUICKSAND],
        font_mono=["ui-monospace", "Consolas", "monospace"],
    )
    night = {f"{name}_dark": dark for name, (_, dark) in COLORS.items()}
    return base.set(**{name: light for name, (light, _) in COLORS.items()}, **night, **ALWAYS)
