"""The styles of gradio's components in one file: by itself the page asks for some forty small ones, one after another.

Gradio's script (6.31, built by Vite) fetches the styles of a component unless the page has a link to them already. So
the page is given one file with all of them, and such links, which are switched off. Where a build of gradio is not
understood, nothing is changed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import gradio

NAME = "styles.css"
"""Where the page finds it."""

ASSETS = Path(gradio.__file__).parent / "templates" / "frontend" / "assets"
LINK = re.compile(r'<link rel="stylesheet"[^>]* href="\./assets/([^"]+)">')
NEEDED = re.compile(r"m\.f=(\[.*?\])")
"""What a script names the files that parts of it need in."""


def introduce(page: str, types: Iterable[str]) -> str:
    """The app's page, as gradio makes it, with one stylesheet for components of these types."""
    names, css = gathered(types)
    if not names:
        return page
    version = hashlib.sha256(css.encode()).hexdigest()[:12]
    page = LINK.sub(lambda link: "" if link[1] in names else link[0], page)  # the one that is there already
    links = f'<link rel="stylesheet" href="./{NAME}?{version}">\n'
    links += "\n".join(f'<link rel="stylesheet" href="./assets/{name}" disabled>' for name in names)
    return page.replace("</head>", f"{links}\n</head>", 1)


def gathered(types: Iterable[str]) -> tuple[tuple[str, ...], str]:
    """The names of the files for components of these types, and all that is in them."""
    return _gathered(tuple(sorted(set(types))))


@lru_cache(maxsize=4)
def _gathered(types: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    found: dict[str, None] = {}
    for script in (*ASSETS.glob("index-*.js"), *ASSETS.glob("Index-*.js")):
        needed = _needed(text := script.read_text(encoding="utf-8"))
        if any(name.startswith("Blocks-") for name in needed) or "gradio_config" in text:  # the app itself
            found |= dict.fromkeys(name for name in needed if name.endswith(".css"))
    for script in ASSETS.glob("core-*.js"):
        needed = _needed(text := script.read_text(encoding="utf-8"))
        for kind in types:
            part = re.search(rf"\b{re.escape(kind)}:\{{(.*?import\.meta\.url\))\}}", text)
            numbers = re.search(r"\[([\d,]*)\]", part[1].rpartition("component:")[2]) if part else None
            each = map(int, numbers[1].split(",")) if numbers and numbers[1] else ()
            found |= dict.fromkeys(needed[i] for i in each if i < len(needed) and needed[i].endswith(".css"))
    files = {name: (ASSETS / name).read_text(encoding="utf-8") for name in found if (ASSETS / name).is_file()}
    kept = {name: css for name, css in files.items() if "url(" not in css}  # what it points to is found from its place
    return tuple(kept), "\n".join(kept.values())


def _needed(script: str) -> list[str]:
    listed = NEEDED.search(script)
    return [name.removeprefix("./") for name in json.loads(listed[1])] if listed else []
