"""What the page need not watch.

Gradio's page (6.31, built with Svelte) watches its lists of components and of events for changes, item by item, though
they never change once it is there; with as many as this app has, that is a third of the time until it can be used. It
watches plain arrays only, so that these two are made arrays of a kind of their own, before it looks.
"""

from __future__ import annotations

SCRIPT = """<script>
for (const list of [gradio_config.components, gradio_config.dependencies]) {
	if (list) Object.setPrototypeOf(list, (class extends Array {}).prototype); // who has to log in is told of none
}
</script>
"""


def introduce(page: str) -> str:
    """The app's page, as gradio makes it, with lists that are not watched."""
    return page.replace("</head>", f"{SCRIPT}</head>", 1)
