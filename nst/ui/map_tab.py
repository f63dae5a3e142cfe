"""The map of a collection: many pictures in, a page out that shows what resembles what."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from nst import fast, styles
from nst.collection import KINDS, Collection, analyze, map_page, read_collection, write_table
from nst.images import save
from nst.server import limits, queue, tempfiles
from nst.ui import markup, pictures, progress, tabs
from nst.ui.events import QUICK, RUNNING, as_message, refusal

MOST, MOST_OF_STRANGERS = 1000, 200
"""Pictures on a map, at home and where strangers come."""


ABOUT = (
    "Give pictures, by the dozen or by the hundred. A network looks at each once; what resembles what stands "
    "side by side. <i>By style</i> is how they are painted, wherever what is; <i>by content</i> is what stands "
    "where."
)


class Atlas:
    """Pictures in, a map out; `read` has the signature of `nst.collection.read_collection`."""

    def __init__(self, read: Callable[..., Collection] = read_collection) -> None:
        self.read = read
        with gr.Column(elem_classes="card"):
            markup.small_print(ABOUT)
            self.files = pictures.Files(
                label="Pictures",
                file_count="multiple",
                file_types=["image"],
                elem_id="map-files",
                height=140,
                visible=(tab := tabs.around()) is None,  # what it needs is fetched when it is first looked at
            )
            if tab is not None:
                tab.select(lambda: gr.update(visible=True), None, self.files, **QUICK)
            with gr.Row(elem_classes="toolbar"):
                self.start = gr.Button("Draw the map", variant="primary", elem_id="map-draw", min_width=140)
                self.examples = gr.Button("Map the examples", elem_id="map-examples", min_width=140)
            ready = progress.status("Ready", "Without pictures of your own, the examples show what it does.")
            self.status = markup.html(ready, "map-status")
        self.page = markup.html(element="map-page")
        with gr.Row(elem_classes="actions"):
            self.download = gr.DownloadButton("Download the map", visible=False, elem_id="map-download", size="md")
            self.table = gr.DownloadButton("Download the table", visible=False, elem_id="map-table", size="md")
        shown = [self.status, self.page, self.download, self.table]
        self.start.click(self.draw, [self.files], shown, **RUNNING)
        self.examples.click(self.draw_examples, None, shown, **RUNNING)

    def draw(self, files: Sequence[str] | None) -> Iterator[list[Any]]:
        """Press on Draw the map."""
        if not files:
            raise refusal("Choose some pictures first, two at least.")
        most = MOST_OF_STRANGERS if limits.current() is limits.STRICT else MOST
        if len(files) > most:
            raise refusal(f"Here a map holds {most} pictures at most; choose fewer.")
        each = [Path(file) for file in dict.fromkeys(files)]
        yield from self._drawn(each, [file.name for file in each])

    def draw_examples(self) -> Iterator[list[Any]]:
        """Press on Map the examples: photos, drawn styles, and a photo in every fast style."""
        folder = tempfiles.new_file("examples")
        folder.mkdir()
        found: dict[str, Path] = {}
        for kind, listed in (("photo", styles.list_contents()), ("style", styles.list_styles())):
            for entry in listed:
                small = styles.thumbnail(entry.name)
                if small is not None:
                    found[f"{kind} {entry.name}"] = save(folder / f"{kind}-{entry.name}.png", small)
        for name in fast.fast_styles():
            if painted := fast.thumbnail(name):
                path = folder / f"painted-{name}.webp"
                path.write_bytes(painted)
                found[f"painted {name}"] = path
        yield from self._drawn(list(found.values()), list(found))

    def _drawn(self, files: list[Path], names: list[str]) -> Iterator[list[Any]]:
        visitor, found = queue.Visitor(), list[Collection]()
        with closing(queue.wait(visitor)) as waiting:
            for place in waiting:
                yield [progress.waiting(*place), gr.skip(), gr.skip(), gr.skip()]
        with queue.computing(visitor):

            def work(report: progress.Report) -> None:
                found.append(self.read(files, names=names, keep=False, progress=report))

            # Whoever leaves the page lets go of the device.
            check = limits.Deadline().check
            with as_message(), closing(progress.watched(work, 0.3, check, to_its_end=True)) as looks:
                for now, _ in looks:
                    done = visitor.work = now / len(files)
                    told = progress.status("Looking", f"{now} of {len(files)} pictures.", done=done, kind="busy")
                    yield [told, gr.skip(), gr.skip(), gr.skip()]
        yield self._shown(found[0], time.monotonic() - visitor.started)

    def _shown(self, found: Collection, seconds: float) -> list[Any]:
        analyses = {kind: analyze(getattr(found, kind)) for kind in KINDS}
        page = map_page(found, analyses)
        path, table = tempfiles.new_file("map.html"), tempfiles.new_file("map.csv")
        path.write_text(page, encoding="utf-8")
        write_table(table, found, analyses)
        left_out = f" Left out: {'; '.join(f'{n}: {why}' for n, why in found.broken.items())}" if found.broken else ""
        told = f"{len(found.names)} pictures in {progress.duration(seconds)}.{left_out}"
        frame = f'<iframe title="The map" sandbox="allow-scripts" srcdoc="{escape(page, quote=True)}"></iframe>'
        return [
            progress.status("Finished", told, kind="done"),
            frame,
            gr.update(value=str(path), visible=True),
            gr.update(value=str(table), visible=True),
        ]
