"""Where this user's files lie on this machine, how one is replaced, and what Pastiche is called there."""

from __future__ import annotations

import atexit
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

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
    return user_folder("cache")


def user_folder(kind: str) -> Path:
    """This system's place for files of ours that are this user's: "cache", or "data", which is to last."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home() / "AppData" / "Local") / "pastiche"
    if sys.platform == "darwin":
        return home() / "Library" / {"cache": "Caches", "data": "Application Support"}[kind] / "pastiche"
    usual = {"cache": ".cache", "data": ".local/share"}[kind]
    return Path(os.environ.get(f"XDG_{kind.upper()}_HOME") or home() / usual) / "pastiche"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place in one step at the end; of what fails, nothing is left.
    Raises OSError where nothing can be written."""
    part = path.with_name(f".{secrets.token_hex(8)}.part")  # beside it, as os.replace does not cross file systems
    try:
        yield part
        os.replace(part, path)
    finally:
        with suppress(OSError):
            part.unlink()


def write_json(path: Path, value: object) -> None:
    """Write JSON for people, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_toml(path: Path) -> dict[str, Any]:
    """What a file of our own says."""
    return tomllib.loads(path.read_text(encoding="utf-8"))
