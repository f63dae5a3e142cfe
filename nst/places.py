"""Where this user's files lie on this machine, and what Pastiche is called there."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

PROGRAM = "pastiche" if Path(sys.argv[0]).stem == "pastiche" else "python -m nst"
"""What was typed to start the command line, which is what messages tell one to type."""


def home() -> Path:
    """This user's home folder; for one who has none, as in containers without HOME and without an entry in passwd, a
    temporary folder that goes when the process ends. Other libraries, which ask the environment, are told of it."""
    try:
        return Path.home()
    except RuntimeError:
        made = tempfile.mkdtemp(prefix="pastiche-home-")
        atexit.register(shutil.rmtree, made, ignore_errors=True)
        os.environ["USERPROFILE" if sys.platform == "win32" else "HOME"] = made
        return Path(made)


def expanded(path: str | Path) -> Path:
    """The path with "~" resolved; that of an unknown user is a name like any other."""
    home()
    return Path(os.path.expanduser(path))


def cache_dir() -> Path:
    """The folder for what was fetched: `PASTICHE_CACHE`, or this system's place for such files."""
    if asked := os.environ.get("PASTICHE_CACHE"):
        return expanded(asked)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home() / "AppData" / "Local") / "pastiche"
    if sys.platform == "darwin":
        return home() / "Library" / "Caches" / "pastiche"
    return Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache") / "pastiche"
