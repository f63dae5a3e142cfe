"""The cards that chats make of a link: Open Graph and Twitter tags, with a picture.

The app's page comes from gradio with tags of gradio's own, twice over, and an advertisement for a picture.
"""

from __future__ import annotations

import re
from html import escape

PICTURE, SIZE = "card.jpg", (1200, 630)
"""The app's own picture, beside its page, and its width and height."""

TITLE = "Pastiche: a photo, repainted in the manner of a painting"
TEXT = "Bring a photo and a painting, and watch the one turn into the manner of the other."

FOREIGN = re.compile(r"\s*<meta\s+(?:property=\"og:|name=\"twitter:)[^>]*>")


def tags(link: str, title: str, text: str, picture: str, size: tuple[int, int]) -> str:
    """The tags of a page at this address, with a title and a text, plain, and a JPEG of this width and height."""
    graph = {
        "og:type": "website",
        "og:site_name": "Pastiche",
        "og:title": title,
        "og:description": text,
        "og:url": link,
        "og:image": picture,
        "og:image:type": "image/jpeg",
        "og:image:width": size[0],
        "og:image:height": size[1],
        "og:image:alt": title,
    }
    twitter = {
        "twitter:card": "summary_large_image",
        "twitter:title": title,
        "twitter:description": text,
        "twitter:image": picture,
        "twitter:image:alt": title,
    }
    lines = [f'<meta property="{name}" content="{escape(str(value))}">' for name, value in graph.items()]
    lines += [f'<meta name="{name}" content="{escape(value)}">' for name, value in twitter.items()]
    return "\n".join(lines)


def introduce(page: str, home: str) -> str:
    """The app's page, as gradio makes it, with a card of its own; `home` is the app's address, without a slash at the
    end."""
    head, end, rest = page.partition("</head>")
    own = tags(f"{home}/", TITLE, TEXT, f"{home}/{PICTURE}", SIZE)
    return f"{FOREIGN.sub('', head)}{own}\n{end}{rest}" if end else page
