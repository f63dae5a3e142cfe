"""Picture inputs that take any file, and the rows of examples beneath them."""

from __future__ import annotations

import base64
import shutil
import threading
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from PIL import Image

from nst import styles, video
from nst.images import ImageError, Picture, decode, encode, read_recipe, save, size_of
from nst.server import inputs, limits, memory, tempfiles
from nst.tasks.task import MAP, Input
from nst.ui.events import TELLING, as_message
from nst.ui.markup import button, html, moved_by, webp
from nst.ui.viewer import component

KINDS = ("content", "style")
DEFAULT = {"content": "coffee", "style": "night"}
"""What is filled in when the page opens."""
SECOND_STYLE = "waves"
"""What is filled in beside it where there are two styles."""

SHOWN_BY_BROWSERS = {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".avif", ".bmp"}
SHOWN_FORMATS = {"JPEG", "MPO", "PNG", "WEBP", "GIF", "AVIF", "BMP"}
"""A file is shown that both is of such a format and is called so."""
EXAMPLE_SIZE, SHOWN_SIZE, THUMBNAIL = 1024, 512, 104
"""Long sides in pixels: of an example, of what is shown of it, and of a small square of it."""

_opening = threading.Lock()


@dataclass(frozen=True)
class Choice:
    """What is in a picture input: the file, and its name if it is an example."""

    path: str
    name: str | None = None


@dataclass(frozen=True)
class Example:
    """An example: its name in links, its title, all that is known of it, and a small picture as a data URI, which is
    None if the example is to be fetched."""

    name: str
    title: str
    about: str
    thumbnail: str | None


@dataclass(frozen=True)
class Slot:
    """An input for a picture, the row of examples beneath it, and which of them is in it.

    Attributes:
        role: the argument of the run that it is for.
        kind: of its examples, "content" or "style"; "map" has none.
        default: the example that it begins with, if any.
        needed: whether there must be a picture.
    """

    role: str
    kind: str
    title: str
    picture: gr.Image
    row: gr.HTML
    chosen: gr.State
    default: str | None = None
    needed: bool = True

    @property
    def parts(self) -> list[Component]:
        return [self.picture, self.row, self.chosen]

    def filled(self, choice: Choice | None) -> dict[Component, Any]:
        """Updates by which this picture is in it, or none."""
        path, name = (choice.path, choice.name) if choice else (None, None)
        # As an update, since the browser would change a bare value in place when a later yield leaves it alone.
        return {self.picture: gr.update(value=path), self.row: row_html(self.kind, name), self.chosen: choice}

    def take(self, path: str | None, before: Choice | None) -> dict[Component, Any]:
        """Updates after an upload, which is given up if it is no picture, or after the picture was taken away."""
        if path is None:
            return self.filled(None)
        try:
            shown = accept(path, self.kind)
        except ImageError as error:
            gr.Warning(str(error))
            return {self.picture: gr.update(value=before.path if before else None)}
        return self.filled(Choice(shown)) | ({self.picture: gr.skip()} if shown == path else {})

    def wire(self) -> None:
        """Have an example that is clicked fill it, and a picture that is dropped."""

        def chosen(event: gr.EventData) -> dict[Component, Any]:
            return self.filled(choose(self.kind, inputs.word(event, "name")))

        self.row.select(chosen, None, self.parts, **TELLING)
        self.picture.input(self.take, [self.picture, self.chosen], self.parts, **TELLING)


def slot(
    role: str, title: str, element: str, *, kind: str | None = None, default: str | None = None, needed: bool = True
) -> Slot:
    """Lay a slot out where this is called, with this name in the page; `default` is that of its kind if left out."""
    kind = kind or role
    first = DEFAULT[kind] if default is None and needed else default
    picture = picture_input(title, kind, element)
    row = example_row(f"{element}-examples") if kind != MAP else gr.HTML(visible=False)
    return Slot(role, kind, title, picture, row, gr.State(None), first, needed)


def slot_of(one: Input, element: str) -> Slot:
    """Lay the slot of a task's input out where this is called."""
    return slot(one.name, one.title, element, kind=one.role, default=one.default, needed=one.least > 0)


def path_of(_: Component, payload: Any) -> str | None:
    return payload.path if payload else None


def _paths(_: Component, payload: Any) -> list[str]:
    return [file.path for file in payload] if payload else []


def _frame(_: Component, payload: Any) -> bytes | str | None:
    """What a camera sends: a picture inside the value, or else a file."""
    if payload is None or not (payload.url or "").startswith("data:"):
        return payload.path if payload else None
    try:
        return base64.b64decode(payload.url.partition(",")[2], validate=True)
    except ValueError:
        return b""


# Their value is what came in: gradio would open it with Pillow first, and fail before a kind word can be said.
PathImage: type[gr.Image] = component("PathImage", gr.Image, preprocess=path_of)
Camera: type[gr.Image] = component("Camera", gr.Image, preprocess=_frame)
UploadButton: type[gr.UploadButton] = component("UploadButton", gr.UploadButton, preprocess=path_of)
Files: type[gr.File] = component("Files", gr.File, preprocess=_paths)


def picture_input(title: str, kind: str, element: str | None = None) -> gr.Image:
    """An input for a picture; its value is a path for `nst.images.decode`."""
    return PathImage(
        label=title,
        elem_id=element or kind,
        elem_classes="picture",
        type="filepath",
        image_mode=None,
        height=232,
        buttons=[],
        sources=["upload", "webcam", "clipboard"] if kind == "content" else ["upload", "clipboard"],
        placeholder="Drop a picture here,\nor click to choose one",
        alt_text=f"The chosen {title.lower()}",
    )


def accept(path: str, kind: str = "content") -> str:
    """The path of a file that browsers can show, for an upload; raises ImageError if it is no picture, damaged or too
    large."""
    if kind == "clip":
        limits.open_clip(path)
        return path
    picture = opened(path, 2 * limits.current().size)
    if Path(path).suffix.lower() in SHOWN_BY_BROWSERS and picture.format in SHOWN_FORMATS:
        return path
    suffix = ".png" if picture.alpha else ".jpg"
    return str(save(tempfiles.new_file(f"{Path(path).stem[:80]}{suffix}"), picture.rgb, alpha=picture.alpha))


def opened(path: str, size: int | None = None) -> Picture:
    """The picture that a visitor chose, its long side at most `size` pixels; None is what a run here can use. Raises
    ImageError if it is gone, or none; where it was is nobody's business."""
    with inputs.open_file(whole(path)) as file:
        picture = decode(file, size=size or limits.current().size)
    memory.give_back()  # what a large one took
    return picture


def shape(path: str | None) -> tuple[int, int] | None:
    """Height and width of a picture, without decoding it; None if it has none."""
    try:
        with inputs.open_file(whole(path or "")) as file:
            return size_of(file)[::-1]
    except ImageError:
        return None


def recipe_in(path: str) -> dict[str, Any] | None:
    """The recipe in a picture that a visitor chose, if there is one; raises ImageError if that is gone, or empty."""
    if Path(path).suffix.lower() in video.CLIP_SUFFIXES - {".gif"}:
        return video.read_recipe(Path(path), inputs.open_file)
    with inputs.open_file(path) as file:
        return read_recipe(file)


def name_of(path: str, choice: Choice | None) -> str | None:
    """The example's name, if this path is that of the example chosen."""
    return choice.name if choice and choice.name and Path(path).stem == Path(choice.path).stem else None


def example_row(element: str) -> gr.HTML:
    """A row of thumbnails, empty until `row_html` fills it; a click triggers `select` with the example's name."""
    return html('<div class="thumbs"></div>', element, "example-row", js_on_load=moved_by("named"))


def row_html(kind: str, chosen: str | None = None) -> str:
    """The thumbnails of a kind, then the names of those that are still to be fetched."""
    if kind == MAP:
        return ""
    here = away = ""
    for example in list_examples(kind):
        named = {"data_name": example.name, "title": example.about, "aria_label": example.about}
        if example.thumbnail:
            here += button(f'<img src="{example.thumbnail}" alt="">', **named, aria_pressed=example.name == chosen)
        else:
            away += button(escape(example.title), **named)
    more = f"<details><summary>Paintings to download</summary><div>{away}</div></details>" if away else ""
    return f'<div class="thumbs" role="group" aria-label="Examples: {kind}">{here}</div>{more}'


def list_examples(kind: str) -> list[Example]:
    """The examples of a kind, "content" or "style", that are here or can be fetched; of others there are none."""
    if kind == "content":
        photos = styles.list_contents()
        listed = [Example(p.name, p.title, f"{p.title}, by {p.author}", _thumbnail(p.name)) for p in photos]
        return [example for example in listed if example.thumbnail]
    if kind == "clip":
        named = video.EXAMPLES.items()
        return [Example(name, title, f"{title}, rendered by Pastiche", _poster(name)) for name, title in named]
    if kind != "style":
        return []
    return [
        Example(
            style.name,
            style.title,
            style.title if style.kind == "drawn" else f"{style.title}, {style.author}, {style.year}",
            _thumbnail(style.name) if styles.is_ready(style.name) else None,
        )
        for style in styles.list_styles()
    ]


def example_file(kind: str, name: str) -> Path:
    """A file with an example, opened or fetched if need be; raises nst.styles.StyleNotFound where there is none to be
    had."""
    known = styles.list_contents() if kind == "content" else styles.list_styles()
    folder = tempfiles.folder() / tempfiles.EXAMPLES
    path = folder / kind / f"{Path(name).name}.jpg"
    with _opening:
        _serve_in_place(folder)
        if name not in {entry.name for entry in known} or not path.is_file():  # of what is unknown, loading tells so
            picture = styles.load_content(name) if kind == "content" else styles.load_style(name, EXAMPLE_SIZE)
            path.parent.mkdir(parents=True, exist_ok=True)
            save(path, picture)
    return path


def shown_file(kind: str, name: str) -> Path:
    """A file with an example as it is shown, which is a tenth of what is painted from; see `whole`."""
    path = example_file(kind, name)
    small = path.with_suffix(".webp")
    with _opening:
        if not small.is_file():
            picture = decode(str(path), size=SHOWN_SIZE).rgb
            save(small, picture, quality=80)
    return small


def whole(path: str) -> str:
    """The file that is painted from, of one that is shown."""
    given = Path(path)
    if given.suffix != ".webp" or given.parent.parent != tempfiles.folder() / tempfiles.EXAMPLES:
        return path
    full = given.with_suffix(".jpg")
    return str(full) if full.is_file() else path


def packed_file(picture: Path) -> Path:
    """A file with a picture of our own that is the same for all pages."""
    folder = tempfiles.folder() / tempfiles.EXAMPLES
    path = folder / picture.name
    with _opening:
        _serve_in_place(folder)
        if not path.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(picture, path)
    return path


@lru_cache(maxsize=8)
def _serve_in_place(folder: Path) -> None:
    """Keep gradio from copying what lies here: a copy is made anew for each visitor while another reads it."""
    gr.set_static_paths([folder])


@lru_cache(maxsize=8)
def _poster(name: str) -> str:
    """A small square of the first frame of an example clip, as a data URI."""
    frame = next(video.read_frames(video.probe(video.example_file(name)), (2 * THUMBNAIL, THUMBNAIL)))
    square = Image.fromarray(frame.image).crop((THUMBNAIL // 2, 0, THUMBNAIL * 3 // 2, THUMBNAIL))
    return webp(encode(square, format="webp", quality=72))


@lru_cache(maxsize=256)
def _thumbnail(name: str) -> str | None:
    """A small square of an example that is here, as a data URI."""
    try:
        small = styles.thumbnail(name)
    except styles.StyleNotFound:
        return None
    if small:
        small = small.copy()
        small.thumbnail((THUMBNAIL, THUMBNAIL))
    return webp(encode(small, format="webp", quality=72)) if small else None


def choose(kind: str, name: str) -> Choice:
    """The choice of an example; raises gr.Error where it has to be fetched first and is out of reach."""
    with as_message():
        path = packed_file(video.example_file(name)) if kind == "clip" else shown_file(kind, name)
    return Choice(str(path), name)
