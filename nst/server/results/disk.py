"""Files of the store on the disk: through to the platters, and what is wrong when that fails."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path


def write_through(path: Path, content: bytes) -> None:
    """Write a new file, and return once it is on the disk.

    Raises:
        OSError: it is there already, or cannot be written.
    """
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
