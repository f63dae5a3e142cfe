"""The files of a command: what it reads and what it writes, settled once before anything is painted."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image
from torch import Tensor

from nst import images, styles
from nst.cli.progress import download_bar, tell
from nst.images import IMAGE_SUFFIXES, ImageError, Picture, decode, save, to_tensor
from nst.places import PROGRAM
from nst.registry import offered
from nst.stylize import open_mask
from nst.tasks.result import Layout, Result
from nst.tasks.task import CONTENT, MASK, REST, STYLE, Input, Task
from nst.video import CLIP_SUFFIXES, EXAMPLES, Clip, check_film, example_file, is_unfinished, probe
from nst.video import read_recipe as clip_recipe
from nst.weights import repository

STYLE_SIZE = 1024
"""Long side in pixels at which a style known by name is opened, unless the result is larger; as in the app."""

T = TypeVar("T")


# ---- what is read


def pulled(text: str) -> str:
    """The name of the very state of a repository of the Hub that is meant, which is told and fetched; "" if none is."""
    offer = offered(text) if Path(text).suffix.lower() not in IMAGE_SUFFIXES else None
    if offer and not offer.here:
        tell([offer.told], sys.stderr)
        with download_bar(offer.repo) as progress:
            repository.fetch(offer, progress=progress)
    return offer.name if offer else ""


def open_content(content: str) -> Picture:
    """A picture file, or an example photo by name."""
    path = Path(content).expanduser()
    if not path.exists() and content in {example.name for example in styles.list_contents()}:
        return Picture(styles.load_content(content))
    return decode(path)


def open_painted(task: Task, content: str) -> Picture | Clip:
    """What a task paints over: a clip, or a picture as above; each also an example by name."""
    if not task.paints_clips:
        return open_content(content)
    return probe(example_file(content) if content in EXAMPLES and not Path(content).exists() else content)


def read_recipe(path: Path) -> dict[str, Any] | None:
    """The recipe in a picture or a clip that Pastiche wrote."""
    films = CLIP_SUFFIXES - IMAGE_SUFFIXES
    return clip_recipe(path) if path.suffix.lower() in films else images.read_recipe(path)


def open_style(style: str, size: int) -> tuple[str, Tensor]:
    """The name and the picture (1, 3, H, W) of a style: a file, or one known by name, at this size."""
    if is_file(style):
        path = Path(style).expanduser()
        return path.name, to_tensor(decode(path))
    return style, to_tensor(styles.load_style(style, max(STYLE_SIZE, min(size, styles.LARGEST))))


def is_file(text: str) -> bool:
    """Whether a word is meant as a file: it is one, or looks like one; a folder of a style's name is none."""
    path = Path(text).expanduser()
    return path.is_file() or bool(path.suffix) or len(path.parts) > 1


def open_input(one: Input, given: Sequence[str], size: int) -> tuple[list[str], Any]:
    """The names of what was given for an input, and the pictures, as the task takes them. Raises ImageError where they
    are too few or too many, or one cannot be opened."""
    if not max(one.least, 1 if given else 0) <= len(given) <= one.most:
        if not given:
            raise ImageError(f"Which {one.title.lower()}? Give {_how(one)}.")
        times = {1: "once", 2: "twice"}.get(one.most, f"{one.most} times")
        raise ImageError(f"Give {f'--{one.option}' if one.option else one.title} {times}, not {len(given)} times.")
    if not given:
        return [], [] if one.by_name else None
    pairs = [_open_one(one, text, size) for text in given]
    names, opened = [name for name, _ in pairs], [picture for _, picture in pairs]
    return names, opened if one.most > 1 else opened[0]


def _open_one(one: Input, text: str, size: int) -> tuple[str, Any]:
    if one.role == STYLE and one.by_name and (name := pulled(text)):
        return name, name
    if one.role == STYLE:  # a name that the run knows is left to it
        return (text, text) if one.by_name and not is_file(text) else open_style(text, size)
    if text == REST:
        return text, None
    path = Path(text).expanduser()
    if one.role == MASK:
        return path.name, open_mask(path)
    return path.name, to_tensor(open_content(text) if one.role == CONTENT else decode(path))


def _how(one: Input) -> str:
    what = f"a picture, or a name that `{PROGRAM} styles` lists" if one.role == STYLE else "a picture"
    return f"--{one.option} {what}" if one.option else what


# ---- where it is written


@dataclass(frozen=True)
class Target:
    """Where a result goes: a picture, a film, a look-up table of colors, or a folder of single pictures; a clip is
    written by the run itself. Or nowhere, if only what the run itself keeps is wanted."""

    path: Path
    kind: str = "picture"

    def write(self, result: Result, rate: float | None = None) -> list[Path]:
        """Write the result; if that fails after all, into a temporary place that the ImageError then names."""
        ways: dict[str, Callable[[Path], list[Path]]] = {
            "picture": lambda path: [result.save(path)],
            "film": lambda path: [result.save_film(path, rate)],
            "folder": lambda path: list(result.save_each(path)),
            "table": lambda path: [result.save_table(path)],
            "nothing": lambda path: [],
        }
        return kept(ways[self.kind], self.path)


def kept(write: Callable[[Path], T], path: Path) -> T:
    """Write to a path; if that fails, to a temporary one that the ImageError then names."""
    try:
        return write(path)
    except (ImageError, OSError) as error:
        spare = Path(tempfile.mkdtemp(prefix="pastiche-")) / path.name
        if not path.suffix:
            spare.mkdir()
        try:
            write(spare)
        except (ImageError, OSError):
            raise error from None
        raise ImageError(f"{error} What was painted is kept in '{spare}'.") from error


def settle(output: str, layout: Layout, stem: str) -> Target:
    """Where a result goes, tried out: folders are made, and what could not be written later is refused now.

    Args:
        output: as it was typed.
        layout: of the result.
        stem: of the file's name where a folder is given.

    Raises:
        ImageError: nothing can be written there.
    """
    path, several = Path(output).expanduser(), bool(layout.titles) and layout.main is None
    if layout.clip:
        if path.suffix and path.suffix.lower() not in layout.films:
            raise ImageError(f"'{path}' is no name for a clip; choose {', '.join(layout.films)}, or a folder.")
        check_writable(path.with_suffix(".png") if path.suffix else path / "any.png")
        return Target(path, "clip")
    if layout.table and not several:
        if path.suffix.lower() != ".cube":
            raise ImageError(f"'{path}' is no name for a look-up table of colors; it ends in .cube.")
        check_writable(path.with_suffix(".png"))
        return Target(path, "table")
    folder = output.endswith(("/", os.sep)) or path.is_dir()
    if several and not layout.plays and (folder or not path.suffix):
        target = Target(path, "folder")
        check_writable(path / f"any{layout.suffix}")
        return target
    if folder:
        path = path / f"{stem}{layout.films[0] if layout.plays else '.png'}"
    if path.suffix.lower() in layout.films or (layout.plays and path.suffix.lower() not in (".png", ".jpg", ".jpeg")):
        check_film(path)
        check_writable(path.with_suffix(".png"))
        return Target(path, "film")
    check_writable(path)
    return Target(path)


def check_writable(out: Path) -> None:
    """Make the result's folder, and refuse now what `save` would refuse after the painting."""
    out.parent.mkdir(parents=True, exist_ok=True)
    trial = out.with_name(f".trial-{os.getpid()}{out.suffix}")
    try:
        save(trial, Image.new("RGB", (1, 1)))
    except ImageError as error:
        raise ImageError(str(error).replace(str(trial), str(out))) from error
    finally:
        trial.unlink(missing_ok=True)


def check_apart(out: Path, inputs: Sequence[str]) -> None:
    """Refuse, by an ImageError, to write over a picture that is read."""
    for text in inputs:
        source = Path(text).expanduser()
        if source.is_file() and out.exists() and out.samefile(source):
            raise ImageError(f"'{out}' is the photo itself; give the result another name.")


# ---- a folder of photos


@dataclass(frozen=True)
class Job:
    """One picture to paint: a file, or the name of an example, or None for nothing; and where the result goes."""

    content: str | None
    target: Target


def plan_folder(source: Path, output: str, overwrite: bool, clips: bool = False) -> tuple[list[Job], int]:
    """What of a folder is to be painted, and how many pictures, or clips, are done already.

    A result has its photo's name and the suffix .png, or .jpg.png where names would be the same but for suffix or case;
    a clip .mp4.

    Raises:
        ImageError: a folder without pictures, or results that would lie among the photos.
    """
    out = Path(output).expanduser()
    if out.exists() and (not out.is_dir() or out.samefile(source)):
        what = "the folder of the photos" if out.is_dir() else "a file"
        raise ImageError(f"'{output}' is {what}; give the results a folder of their own.")
    files = (path for path in sorted(source.iterdir()) if path.is_file() and not path.name.startswith("."))
    known, kind, suffix = (CLIP_SUFFIXES, "clip", ".mp4") if clips else (IMAGE_SUFFIXES, "picture", ".png")
    photos = [path for path in files if path.suffix.lower() in known]
    if not photos:
        raise ImageError(f"No {kind}s in '{source}'; name a folder that holds some.")
    named = zip(photos, unique_names(photos, suffix), strict=True)
    jobs = [Job(str(path), Target(out / name, kind)) for path, name in named]
    wanted = [job for job in jobs if overwrite or not job.target.path.exists() or is_unfinished(job.target.path)]
    if wanted:
        check_writable(wanted[0].target.path.with_suffix(".png"))
    return wanted, len(jobs) - len(wanted)


def unique_names(photos: Sequence[Path], suffix: str = ".png") -> list[str]:
    """The name of each photo's result; no two are the same, even where case does not count."""
    shared, used, names = Counter(photo.stem.lower() for photo in photos), set[str](), list[str]()
    for photo in photos:
        stem = photo.stem if shared[photo.stem.lower()] == 1 else photo.name
        tries = [stem, *(f"{stem}-{i}" for i in range(2, len(photos) + 2))]
        name = next(f"{one}{suffix}" for one in tries if f"{one}{suffix}".lower() not in used)
        used.add(name.lower())
        names.append(name)
    return names
