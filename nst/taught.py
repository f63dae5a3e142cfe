"""Styles that a network was taught after it had been trained: the files that hold them, and folders of those.

A file is what somebody may have been sent by a stranger, so that all of it is looked at before any of it is used.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, deserialize
from torch import Tensor

from nst import styles
from nst.places import cache_dir
from nst.registry import find_model, list_models, load_model, offered
from nst.weights import WeightsError, metadata, repository, resolve, save_tensors

NETWORK = "cin"  # the network that is taught
MOST_BYTES, MOST_NUMBER, MOST_STYLES = 64_000, 100.0, 64  # of a file, of any scale or shift, and of styles in a folder

KNOWN = 8 * MOST_STYLES
"""Styles that are held in memory: several full folders, which would else be read and shown anew at every click."""

LETTERS = 20
SUFFIX = ".safetensors"
FORMAT = repository.TAUGHT


@dataclass(frozen=True, eq=False)
class Taught:
    """A style, as a point in the space of a network of several styles (see `nst.models.cin`).

    Attributes:
        name: a word, which stands in the file, too.
        table: (B, P) its scales and shifts for each of the network's brushes.
        source: hash of the picture that it was learned from, "" if that is not known.
        steps: that were taken to learn it.
    """

    name: str
    table: Tensor
    source: str = ""
    steps: int = 0


def folder() -> Path:
    """Where this user's styles lie."""
    return cache_dir() / "taught"


def place(name: str, where: Path | None = None) -> Path:
    """The file of a style in a folder, this user's if none is named; it need not be there. Raises ValueError where no
    style can be called so."""
    return (where or folder()) / f"style-{checked_name(name)}{SUFFIX}"  # no name alone: Windows keeps some for itself


def names(where: Path | None = None) -> list[str]:
    """The styles in a folder, in the order of their names."""
    found = (path.stem.removeprefix("style-") for path in (where or folder()).glob(f"style-*{SUFFIX}"))
    return sorted(name for name in found if _is_name(name))[:MOST_STYLES]


def find(name: str, where: Path | None = None) -> Taught | None:
    """The style of this name in a folder; None if there is none. Raises WeightsError where its file is damaged, or of a
    network that was replaced since."""
    try:
        path = place(name, where)
        stat = path.stat()
    except (OSError, ValueError):
        return None
    return _read(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=KNOWN)
def _read(path: Path, *_: int) -> Taught:
    """The style of a file in the state that it is in, the same object each time."""
    return load(path)


def pull(name: str) -> Taught | None:
    """The style that a repository of the Hub holds, "owner/name" or "owner/name@revision", by which it is called then;
    None if this names no repository, or one of something else. Raises WeightsError where it cannot be had, or not used
    here."""
    offer = offered(name)
    if not offer or not offer.taught:
        return None
    if offer.size > MOST_BYTES:
        raise WeightsError(f"{offer.repo} holds no style: such a file has at most {MOST_BYTES // 1000} kB.")
    path = repository.fetch(offer)
    return _named(_read(path, offer.size, path.stat().st_mtime_ns), offer.name)


@lru_cache(maxsize=KNOWN)
def _named(style: Taught, name: str) -> Taught:
    return replace(style, name=name)


def keep(style: Taught, where: Path | None = None) -> Path:
    """Write a style into a folder, in place of one of the same name; gives the file.

    Raises:
        ValueError: no style can be called so, or there are too many.
        WeightsError: it cannot be written.
    """
    path = place(style.name, where)
    if style.name not in (there := names(where)) and len(there) >= MOST_STYLES:
        raise ValueError(f"There are {MOST_STYLES} taught styles already; remove one first.")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_tensors(path, {"table": style.table.half()}, _said(style))
    return path


def network_place(name: str, where: Path | None = None) -> Path:
    """The file of a network that learned one style as a whole."""
    return place(name, where).with_name(f"network-{checked_name(name)}{SUFFIX}")


def keep_network(style: Taught, network: Any, where: Path | None = None) -> Path:
    """Write a network for one style alone, as `nst.registry.load_model` takes it; gives the file. Raises WeightsError
    where it cannot be written."""
    path, entry = network_place(style.name, where), resolve(find_model(NETWORK))
    config = json.loads(metadata(entry)["config"]) | {"styles": [style.name]}
    path.parent.mkdir(parents=True, exist_ok=True)
    alone = network.with_styles([style.name], style.table[:, None])
    tensors = {name: tensor.cpu().half() for name, tensor in alone.state_dict().items()}
    save_tensors(path, tensors, {"architecture": "cin", "config": json.dumps(config)})
    return path


def free_name(text: str, where: Path | None = None, source: str = "") -> str:
    """The name of a style that is to be learned from a picture.

    Args:
        text: as it was typed.
        where: the folder that it is for.
        source: hash of the picture. A style that was learned from it may be learned further.

    Raises:
        ValueError: no style can be called so, or another one is.
    """
    name = checked_name(text)
    known = {"own", *load_model(NETWORK).styles}  # type: ignore[misc]
    known |= {style.name for style in styles.list_styles()} | {entry.name for entry in list_models()}
    try:
        there = find(name, where)
        other = there is not None and (there.source != source or not source)
    except WeightsError:  # it can be used no more
        other = False
    if name in known or other:
        raise ValueError(f'There is a style "{name}" already; choose another name, or remove that one first.')
    return name


def checked_name(text: str) -> str:
    """What a style is called that somebody calls so: a word in small letters. Raises ValueError where no style can be
    called so."""
    name = "_".join(str(text).lower().replace("-", " ").split())
    if not _is_name(name):
        told = f"A style is called by a word of at most {LETTERS} letters and digits that begins with a letter"
        raise ValueError(f"{told}, not {str(text)[:60]!r}.")
    return name


def _is_name(name: str) -> bool:
    return len(name) <= LETTERS and name.isidentifier() and name == name.lower()


def _said(style: Taught) -> dict[str, str]:
    """What a file says of itself."""
    network = find_model(NETWORK).identity
    return {"format": FORMAT, "name": style.name, "network": network, "source": style.source, "steps": str(style.steps)}


def load(source: Path | bytes) -> Taught:
    """A style from a file, or from what a file holds, whoever it comes from. Raises WeightsError, which says why, for
    what is none that can be used here."""
    try:
        data = source if isinstance(source, bytes) else _beginning(source)
    except OSError as error:
        raise WeightsError(f"This style cannot be read ({error.strerror}).") from None
    if len(data) > MOST_BYTES:
        raise WeightsError(f"This is no style: such a file has at most {MOST_BYTES // 1000} kB.")
    try:
        tensors = dict(deserialize(data))
        said = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__") or {}
    except (SafetensorError, ValueError, RecursionError):
        raise WeightsError("This is no style, or the file is damaged or cut short.") from None
    return _made(tensors, said)


def _beginning(path: Path) -> bytes:
    """As much of a file as a style may have, and a byte more if there is more."""
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _made(tensors: dict[str, Any], said: dict[str, str]) -> Taught:
    """The style that a file says it is, if it is one."""
    network: Any = load_model(NETWORK)
    if said.get("format") != FORMAT or set(tensors) != {"table"}:
        raise WeightsError("This is no style of Pastiche's, or one of a later version.")
    if said.get("network") != find_model(NETWORK).identity:
        raise WeightsError("This style belongs to another state of the network: teach it anew, from its picture.")
    shape, found = [len(network.brushes), network.net.num_parameters], tensors["table"]
    if found["shape"] != shape or found["dtype"] != "F16":
        raise WeightsError("This is no style: its numbers are not as many as the network has.")
    table = torch.frombuffer(bytearray(found["data"]), dtype=torch.float16).view(shape).float()
    if not bool((table.abs() <= MOST_NUMBER).all()):  # nor is NaN
        raise WeightsError("This is no style: some of its numbers are none, or out of all bounds.")
    name, source, steps = said.get("name", ""), said.get("source", ""), said.get("steps", "")
    hexadecimal = source == "" or (len(source) == 64 and set(source) <= set("0123456789abcdef"))
    if not (_is_name(name) and hexadecimal and steps.isascii() and steps.isdecimal() and len(steps) < 8):
        raise WeightsError("This is no style: what it says of itself makes no sense.")
    return Taught(name, table, source, int(steps))


def with_taught(network: Any, taught: Sequence[Taught]) -> Any:
    """The network with these styles besides its own."""
    if not taught:
        return network
    own = network.table.view(len(network.brushes), len(network.styles), -1)
    more = torch.stack([style.table for style in taught], 1).to(own)
    return network.with_styles([*network.styles, *(style.name for style in taught)], torch.cat([own, more], 1))
