"""The server's own temporary folder: uploads, previews and results lie there, and nothing else."""

from __future__ import annotations

import atexit
import math
import os
import secrets
import shutil
import stat
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "pastiche-app-"
MARK = "in-use.lock"
"""The file that a running server holds locked in its folder; the system lets go of it when the server dies."""

EXAMPLES = "examples"
"""Its subfolder that stays: what all visitors have in their pages, and no more of it than there are examples."""

MOST, YOUNGEST = 4_000_000_000, 900
"""Bytes that the folder may hold, and seconds for which a file is safe all the same."""

FLOOR, LEAST = 200_000_000, 50_000_000
"""Bytes of the disk that uploads leave free, for what the app writes itself, and below which the app is unwell; of a
small disk a quarter, and a sixteenth."""


def open_folder() -> Path:
    """Make a fresh folder for this server, tell gradio of it, and have it removed at exit; one that GRADIO_TEMP_DIR
    names is used as it is, and left alone. What crashed servers left is removed first: folders that this user may write
    and whose mark nobody holds."""
    if asked := os.environ.get("GRADIO_TEMP_DIR"):
        return Path(asked)
    _purge(Path(tempfile.gettempdir()))
    fresh = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = FileLock(fresh / MARK)
    lock.acquire()
    os.environ["GRADIO_TEMP_DIR"] = str(fresh)
    _own.append((fresh, lock))
    atexit.register(close_folder)
    return fresh


_own: list[tuple[Path, FileLock]] = []
"""The folder that is this server's own, if it made one."""


def close_folder() -> None:
    """Remove the folder that `open_folder` made, and all that is in it."""
    while _own:
        fresh, lock = _own.pop()
        lock.release()
        shutil.rmtree(fresh, ignore_errors=True)


def folder() -> Path:
    """The folder that gradio serves temporary files from."""
    from gradio.utils import get_upload_folder  # gradio must not be imported before it knows its folder

    return Path(get_upload_folder())


def new_file(name: str) -> Path:
    """A path for a file of this name in a fresh subfolder, from where gradio may serve it."""
    fresh = folder() / secrets.token_hex(8)
    fresh.mkdir(parents=True)
    return fresh / name


def keep_small(most: int = MOST, youngest: float = YOUNGEST, every: float = 60.0) -> threading.Event:
    """Look after the folder on a thread of its own, until the event that is returned is set; see `remove_oldest`."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(every):
            remove_oldest(folder(), most, youngest)

    threading.Thread(target=work, daemon=True, name="scratch").start()
    return done


def make_room(size: int, youngest: float = YOUNGEST) -> bool:
    """Whether there is room on the disk for so many bytes above the floor; the oldest files go to make it."""
    place = folder()
    place.mkdir(parents=True, exist_ok=True)
    disk = shutil.disk_usage(place)
    missing = size + min(FLOOR, disk.total // 4) - disk.free
    if missing <= 0:
        return True
    return remove_oldest(place, 0, youngest, enough=missing) >= missing


def has_room(place: Path) -> bool:
    """Whether there is room left on the disk of a folder, which need not be there yet, for what the app writes."""
    there = next((one for one in (place, *place.parents) if one.exists()), Path(place.anchor or "."))
    disk = shutil.disk_usage(there)
    return disk.free > min(LEAST, disk.total // 16)


def remove_oldest(place: Path, most: int, youngest: float, enough: float = math.inf) -> int:
    """Remove the oldest files of a folder, but the examples, until it holds at most `most` bytes, or `enough` bytes are
    gone, and subfolders left empty; the bytes that went. What was used in the last `youngest` seconds is left, since a
    run may be waiting to read it."""
    found, staying = [], place / EXAMPLES
    for path in place.rglob("*"):
        with suppress(OSError):
            about = path.lstat()
            if stat.S_ISREG(about.st_mode) and path.name != MARK and staying not in path.parents:
                found.append((max(about.st_mtime, about.st_ctime), about.st_size, path))
    total, removed = sum(size for _, size, _ in found), 0
    for used, size, path in sorted(found):
        if total - removed <= most or removed >= enough or used > time.time() - youngest:
            break
        with suppress(OSError):
            path.unlink()
            removed += size
            if path.parent != place:
                path.parent.rmdir()  # fails unless it is empty
    return removed


def _purge(parent: Path) -> None:
    for old in parent.glob(f"{PREFIX}*"):
        mark = old / MARK
        with suppress(OSError, Timeout):
            if old.is_symlink() or not mark.is_file() or not os.access(old, os.W_OK):
                continue
            with FileLock(mark, timeout=0):  # nobody's; nobody makes an old folder anew, so it need not be held
                pass
            shutil.rmtree(old, ignore_errors=True)  # on Windows what is held cannot be removed
