"""One photo, or a folder of photos: what is to be painted, and where each result goes."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from nst.images import IMAGE_SUFFIXES, ImageError


@dataclass(frozen=True)
class Job:
    """One picture to paint: a file, or the name of an example, and where the result goes."""

    content: str
    out: Path


def plan(content: str, output: str, overwrite: bool) -> tuple[list[Job], int]:
    """What is to be painted, and how many pictures of a folder are done already.

    A result has its photo's name and the suffix .png, or .jpg.png where two photos differ in the suffix only.
    """
    source, out = Path(content), Path(output)
    if not source.is_dir():
        if output.endswith(("/", os.sep)) or out.is_dir():
            out = out / f"{source.stem}.png"
        if source.exists() and out.exists() and out.samefile(source):
            raise ImageError(f"'{out}' is the photo itself; give the result another name.")
        return [Job(content, out)], 0
    if out.exists() and (not out.is_dir() or out.samefile(source)):
        what = "the folder of the photos" if out.is_dir() else "a file"
        raise ImageError(f"'{output}' is {what}; give the results a folder of their own.")
    files = (path for path in sorted(source.iterdir()) if path.is_file() and not path.name.startswith("."))
    photos = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    if not photos:
        raise ImageError(f"No pictures in '{content}'; name a folder that holds some.")
    shared = Counter(photo.stem for photo in photos)
    jobs = [Job(str(p), out / f"{p.stem if shared[p.stem] == 1 else p.name}.png") for p in photos]
    wanted = [job for job in jobs if overwrite or not job.out.exists()]
    return wanted, len(jobs) - len(wanted)
