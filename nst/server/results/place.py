"""Where shared results lie on this machine: through to the platters, and what is said where they cannot be kept."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from nst.places import expanded, user_folder

DATA = Path("/data")
"""Where a Space has its storage bucket mounted, if it has one."""


class ResultsError(RuntimeError):
    """A result cannot be kept; the message is one sentence that says why."""


def results_dir() -> Path:
    """The folder for shared results: `PASTICHE_RESULTS`; on a Space its mounted bucket; else this user's own data.
    Raises ResultsError where there is no durable place, or sharing was switched off."""
    asked = os.environ.get("PASTICHE_RESULTS", "")
    if asked.lower() in {"off", "no", "0"}:
        raise ResultsError("Sharing was switched off by whoever runs this page.")
    if asked:
        return expanded(asked)
    if on_a_space():
        if not DATA.is_dir():
            raise ResultsError("Sharing needs a storage bucket mounted at /data, and this Space has none.")
        return DATA / "results"
    return user_folder("data") / "results"


def on_a_space() -> bool:
    """Whether this runs as a Hugging Face Space, whose own disk lasts only until the next restart."""
    return os.environ.get("SYSTEM") == "spaces" or bool(os.environ.get("SPACE_ID"))


def write_through(path: Path, content: bytes) -> None:
    """Write a new file, and return once it is on the disk; raises OSError if it is there already, or cannot be
    written."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Return once the names in a folder are on the disk, where the system can tell."""
    with suppress(OSError):  # not every system can
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def size_of(folder: Path) -> int:
    """Bytes of the files right in a folder; 0 if there is none."""
    total = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_size
    return total


def disk_trouble(error: OSError) -> str:
    """Why nothing can be kept, in one sentence for people."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "The disk of this server is full, so nothing can be shared now."
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return "The folder for shared results cannot be written on this server."
    return f"The folder for shared results cannot be used on this server ({error.strerror})."
