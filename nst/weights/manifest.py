"""`pretrained/models.toml`: what models there are, where their weights come from, and their hashes."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from nst.places import replacing, tomllib

_ROOM = Path(__file__).resolve().parents[1]
PRETRAINED = _ROOM / "pretrained" if (_ROOM / "pretrained").is_dir() else _ROOM.parent / "pretrained"
"""Beside the package in a checkout, within it where it was installed."""


@dataclass(frozen=True)
class Weights:
    """One model of `models.toml`: a file that ships in `pretrained/`, or one on the Hub (then it has a repo).

    Attributes:
        name: the name users type.
        kind: "encoder", "style", "faces", ...: what it is for.
        architecture: the name under which its builder is registered.
        file: name in `pretrained/`, or path in the Hub repository.
        license: of the weights.
        source: where they come from, in words.
        sha256: of the whole file, 64 hex digits. Of a file on the Hub it may be left out: its commit fixes what is in
            it, and the sum that the Hub states for it is compared.
        size: of the whole file in bytes (about, for a file on the Hub).
        repo, revision: "owner/name" on the Hub and its commit (40 hex digits); of our own once they are published.
        checkpoint: the same weights as torch.hub keeps them; the name ends in the first digits of the sha256.
        prefix: only tensors whose names begin so are wanted; it is taken off when they are loaded.
        tensors: how many are wanted.
        download: what is to be fetched, in bytes; all of it if 0.
        config: given to the builder, unless the file's own metadata has one.
        shapes: shape by name (without the prefix) of every wanted tensor, where they are known.
        data, command: what it was trained on and by which command, for our own.
    """

    name: str
    kind: str
    architecture: str
    file: str
    license: str
    source: str
    sha256: str = ""
    size: int = 0
    repo: str = ""
    checkpoint: str = ""
    revision: str = ""
    prefix: str = ""
    tensors: int = 0
    download: int = 0
    config: dict[str, Any] = field(default_factory=dict, hash=False)
    shapes: dict[str, list[int]] = field(default_factory=dict, hash=False)
    data: str = ""
    command: str = ""

    @property
    def ours(self) -> bool:
        """Whether it was trained here, and so lies in `pretrained/` unless that was left out."""
        return bool(self.command) or not self.repo

    @property
    def remote_file(self) -> str:
        """Its path in the repository on the Hub, where ours are called as is usual there."""
        return "model.safetensors" if self.ours else self.file

    @property
    def identity(self) -> str:
        """What tells these weights from others of the name: the sha256, or the commit of a file on the Hub without."""
        return self.sha256 or self.revision


def read_manifest() -> dict[str, Weights]:
    """Every entry of `pretrained/models.toml` by name, in the order of the file; raises ValueError, which says where,
    if it is not valid."""
    path = PRETRAINED / "models.toml"
    if not path.exists():
        return {}
    return dict(_parse(path.read_text(encoding="utf-8"), path))


def record(name: str, path: str | Path, **fields: Any) -> Weights:
    """Write (or renew) the entry of a file in `pretrained/`, with its size and sha256.

    The rest of `models.toml`, comments included, stays as it is. Fields not given keep the value they had.

    Args:
        name: of the model; letters, digits, "-" and "_".
        path: the file, in `pretrained/`.
        fields: of `Weights`: kind, architecture, license and source at least, for a new entry.

    Raises:
        ValueError: the file lies elsewhere, or the entry would not be valid.
    """
    import tomlkit  # which listing the models does not need

    path = Path(path).resolve()
    if path.parent != PRETRAINED.resolve() or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise ValueError(f"{name}: give a plain name, and a file in {PRETRAINED}.")
    toml = PRETRAINED / "models.toml"
    text = toml.read_text(encoding="utf-8") if toml.exists() else ""
    tables = tomlkit.parse(text)
    if name not in tables:
        tables.add(name, tomlkit.table())
    told = {**fields, "file": path.name, "sha256": file_sha256(path), "size": path.stat().st_size}
    table: Any = tables[name]
    table.update(told)
    for key in [key for key, value in table.items() if value == ""]:
        del table[key]
    text = tables.as_string()
    entries = _parse(text, toml)  # nothing is written that could not be read again
    with replacing(toml) as part:
        part.write_text(text, encoding="utf-8")
    return entries[name]


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, 64 hex digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@lru_cache(4)  # a page asks hundreds of times as it is built, and a parsing takes 5 ms
def _parse(text: str, path: Path) -> dict[str, Weights]:
    try:
        return {name: _entry(name, table) for name, table in tomllib.loads(text).items()}
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error


def _entry(name: str, table: Any) -> Weights:
    if not isinstance(table, dict):
        raise ValueError(f'"{name}" stands outside every [table]')
    fields = {f.name for f in dataclasses.fields(Weights)} - {"name"}
    for key in table:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, 1)
            raise ValueError(f'[{name}] has the unknown key "{key}"' + (f': "{near[0]}"?' if near else ""))
    weights = Weights(name=name, **table)
    if not re.fullmatch(r"[0-9a-f]{64}", weights.sha256) and (weights.sha256 or not weights.repo or weights.prefix):
        raise ValueError(f"[{name}] sha256 is not 64 hex digits")
    if weights.repo and not re.fullmatch(r"[0-9a-f]{40}", weights.revision):
        raise ValueError(f"[{name}] revision is not a commit of 40 hex digits")
    return weights
