"""Models on the Hub that no manifest lists: `owner/name`, or `owner/name@revision`.

Ours have the layout of huggingface_hub's `PyTorchModelHubMixin`: `model.safetensors`, whose metadata names the
architecture, and `config.json` with the arguments of the network. Of others a single file of weights is offered to the
importers. Nothing that a repository says is believed before it is checked, and nothing in it is run.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from nst.weights import hub
from nst.weights.hub import HubError, Progress, RemoteFile
from nst.weights.manifest import file_sha256
from nst.weights.tensors import WeightsError, WeightsNotFound, metadata

WEIGHTS, CONFIG = "model.safetensors", "config.json"
SUFFIXES = {".safetensors", ".pth", ".pt", ".bin", ".onnx"}
MOST_BYTES, MOST_CONFIG, MOST_NUMBER, MOST_VALUES = 10**9, 100_000, 8192, 1000
"""Of a file; of its configuration, of a number in that, and how many values it may have."""

TAUGHT = "pastiche style 1"
"""What a file, and a configuration, say that hold a style which a network was taught; see `nst.taught`."""

MOST_STYLES, STYLE = 64, re.compile(r"\w[\w-]{0,39}")
"""How many styles a network may tell of, and how one may be called."""

MOST_KNOWN, MOST_FETCHED = 256, 8
"""Offers that are remembered, and how many of those that were fetched are listed."""

NAME = r"[A-Za-z0-9](?:[\w.-]{0,94}\w)?"
REFERENCE = re.compile(rf"({NAME}/{NAME})(?:@([\w][\w./-]{{0,199}}))?")


@dataclass(frozen=True)
class Offer:
    """What a repository has to offer.

    Attributes:
        repo, revision: "owner/name", and the commit that was found.
        file: of the weights; `size` in bytes, and its `sha256` where the Hub states it.
        license, architecture: as its card says, "" for nothing.
        config: what stands in its configuration, not checked yet; None for nothing that can be read.
    """

    repo: str
    revision: str
    file: str
    size: int = 0
    sha256: str = ""
    license: str = ""
    architecture: str = ""
    config: Any = None

    @property
    def name(self) -> str:
        """By which this very state is asked for."""
        return f"{self.repo}@{self.revision}"

    @property
    def here(self) -> bool:
        """Whether it was fetched already."""
        return RemoteFile(self.repo, self.revision, self.file).cached() is not None

    @property
    def card(self) -> str:
        """Where its card can be read."""
        return f"{hub.endpoint() or hub.constants.ENDPOINT}/{self.repo}"

    @property
    def terms(self) -> str:
        """Its size, and its license."""
        size = f"{self.size / 1e6:.1f} MB" if self.size > 50_000 else f"{self.size / 1e3:.0f} kB"
        return f"{size if self.size else 'size not stated'}, license {self.license or 'not stated'}"

    @property
    def told(self) -> str:
        """What one should know before it is fetched."""
        return f"{self.repo}: {self.architecture or 'a network of others'}, {self.terms}; its card: {self.card}"

    @property
    def taught(self) -> bool:
        """Whether it is a style that a network was taught, and no network."""
        return isinstance(self.config, dict) and self.config.get("format") == TAUGHT

    @property
    def styles(self) -> tuple[str, ...]:
        """The styles that it knows by name, as its configuration has them; () for none."""
        said = self.config.get("styles") if isinstance(self.config, dict) else None
        if not isinstance(said, list) or len(said) > MOST_STYLES:
            return ()
        return tuple(said) if all(isinstance(name, str) and STYLE.fullmatch(name) for name in said) else ()


_known: dict[str, Offer] = {}
"""What was told of a commit, which is not asked for again: it stays as it is."""


def parse(name: str | Path) -> tuple[str, str] | None:
    """ "owner/name" and the revision ("" for none) that are meant, or None: a file, or a name of the manifest."""
    found = REFERENCE.fullmatch(name) if isinstance(name, str) else None
    if not found or ".." in str(name) or PurePosixPath(found[1]).suffix.lower() in SUFFIXES or Path(str(name)).exists():
        return None
    return found[1], found[2] or ""


def look(repo: str, revision: str = "", *, download: bool = True) -> Offer:
    """What the repository offers: by the Hub, or, where that is not asked or does not answer, by the Hub's own cache.

    Raises:
        WeightsNotFound: no such repository or revision, or it is not to be had.
        WeightsError: it holds nothing that could be used here.
    """
    if known := _known.get(f"{repo}@{revision}"):
        return known
    here = _snapshot(repo, revision or "main")
    if here and (not download or here.name == revision):
        return _offered(repo, here.name, {path.name: path.stat().st_size for path in here.iterdir()}, {}, {})
    try:
        if not download:
            raise HubError("not asked")
        said = hub.describe(repo, revision or "main")
        commit, siblings = str(said["sha"]), said.get("siblings") or []
        sizes = {str(one["rfilename"]): int(one.get("size") or 0) for one in siblings}
        sums = {str(one["rfilename"]): str((one.get("lfs") or {}).get("sha256") or "") for one in siblings}
        card = said.get("cardData") or {}
    except HubError as error:
        if here:
            return look(repo, here.name, download=False)
        raise WeightsNotFound(f"There is no file {repo} here, and on the Hub: {error}.") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsNotFound(f"{repo}: the Hub's answer cannot be read.") from error
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise WeightsNotFound(f"{repo}: the Hub's answer names no commit.")
    _remember(repo, revision or "main", commit)
    offer = _offered(repo, commit, sizes, sums, card if isinstance(card, dict) else {})
    _known[offer.name] = offer
    while len(_known) > MOST_KNOWN:
        _known.pop(next(iter(_known)), None)
    return offer


def fetched() -> list[Offer]:
    """What was fetched before, on the command line too, and was published by Pastiche; the newest first."""
    folder = hub.repo_folder("*/*").parent
    return list(_fetched(folder, folder.stat().st_mtime_ns if folder.is_dir() else 0))


@lru_cache(maxsize=1)
def _fetched(folder: Path, changed: int) -> tuple[Offer, ...]:
    """The same of the Hub's own cache, looked through anew once a repository is new in it, or one was fetched here."""
    found = dict[str, tuple[float, Offer]]()
    for path in folder.glob(f"models--*--*/snapshots/*/{WEIGHTS}"):
        repo = path.parts[-4].removeprefix("models--").replace("--", "/", 1)
        try:
            stat = path.stat()
            said = _said(str(path), stat.st_mtime_ns) if stat.st_size <= MOST_BYTES else {}
            ours = said.get("architecture") or said.get("format") == TAUGHT
            if ours and stat.st_mtime > found.get(repo, (0.0, None))[0]:
                found[repo] = stat.st_mtime, look(repo, path.parent.name, download=False)
        except (OSError, WeightsError):
            continue
    newest = sorted(found.values(), key=lambda one: one[0], reverse=True)[:MOST_FETCHED]
    return tuple(offer for _, offer in newest)


def fetch(offer: Offer, *, progress: Progress | None = None, download: bool = True) -> Path:
    """The file of an offer, in the Hub's own cache, and its sha256 compared where the Hub states one. Raises
    WeightsNotFound if it is not to be had, and WeightsError if it is not what was offered."""
    path = _get(offer, offer.file, progress, download)
    _fetched.cache_clear()
    if offer.sha256 and file_sha256(path) != offer.sha256:
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise WeightsError(f"What was sent of {offer.repo} has the wrong sha256 and was deleted: try again.")
    return path


def check_config(offer: Offer) -> dict[str, Any]:
    """The configuration of an offer; raises WeightsError if it is not one that a network of a usual size could have."""
    if not isinstance(offer.config, dict) or not _is_modest(offer.config):
        raise WeightsError(f"{offer.repo} was refused: its {CONFIG} is not one that a model for Pastiche could have.")
    return offer.config


def _offered(repo: str, commit: str, sizes: dict[str, int], sums: dict[str, str], card: dict[str, Any]) -> Offer:
    files = [name for name in sizes if PurePosixPath(name).suffix.lower() in SUFFIXES]
    file = WEIGHTS if {WEIGHTS, CONFIG} <= sizes.keys() else files[0] if len(files) == 1 else ""
    if not file:
        held = f"several networks ({_printable(', '.join(files[:4]))}): fetch one and make it ours with `models import`"
        raise WeightsError(f"{repo} holds {held if files else 'no weights that can be read here'}.")
    terms, architecture = (_printable(card.get(key) or "") for key in ("license", "architecture"))
    offer = Offer(repo, commit, file, sizes[file], sums.get(file, ""), terms, architecture)
    if offer.size > MOST_BYTES:
        raise WeightsError(f"{repo} was refused: its file has {offer.size / 1e9:.1f} GB, and at most 1 GB is fetched.")
    if file != WEIGHTS or not 0 < sizes.get(CONFIG, 0) <= MOST_CONFIG:
        return offer
    offer = replace(offer, config=_read(_get(offer, CONFIG)))
    return offer if offer.architecture or not offer.here else replace(offer, architecture=_architecture(offer))


def _architecture(offer: Offer) -> str:
    """What a file that is here says that it is."""
    path = _get(offer, offer.file, download=False)
    with suppress(WeightsError):
        return _printable(_said(str(path), path.stat().st_mtime_ns).get("architecture", ""))
    return ""


@lru_cache(maxsize=MOST_KNOWN)
def _said(path: str, changed: int) -> dict[str, str]:
    """What a file says of itself, read once."""
    return metadata(path)


def _get(offer: Offer, name: str, progress: Progress | None = None, download: bool = True) -> Path:
    remote = RemoteFile(offer.repo, offer.revision, name)
    try:
        if path := remote.cached():
            return path
        if not download:
            raise HubError("not asked")
        return remote.download(progress)
    except HubError as error:
        raise WeightsNotFound(f"{name} of {offer.repo} is not to be had: {error}.") from error


def _printable(text: object) -> str:
    """A few words from outside, with nothing in them that a terminal would obey."""
    return "".join(character for character in str(text)[:100] if character.isprintable())


def _read(path: Path) -> Any:
    """What stands in a configuration, or None."""
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size <= MOST_CONFIG else None
    except (OSError, ValueError, RecursionError):
        return None


def _is_modest(config: object) -> bool:
    waiting, seen = [config], 0
    while waiting and seen <= MOST_VALUES:
        one = waiting.pop()
        seen += 1
        if isinstance(one, dict | list):
            waiting += one.values() if isinstance(one, dict) else one
        elif isinstance(one, int | float) and not -MOST_NUMBER <= one <= MOST_NUMBER:
            return False
    return not waiting


def _remember(repo: str, revision: str, commit: str) -> None:
    """Note for later, without network, what a branch was, where the Hub's library keeps that."""
    note = hub.repo_folder(repo) / "refs" / revision
    with suppress(OSError):
        if revision != commit:
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(commit)


def _snapshot(repo: str, revision: str) -> Path | None:
    """The folder in the Hub's own cache that holds what was fetched of this revision, if weights are among it."""
    folder = hub.repo_folder(repo)
    try:
        commit = (
            revision if re.fullmatch(r"[0-9a-f]{40}", revision) else (folder / "refs" / revision).read_text().strip()
        )
    except OSError:
        return None
    found = folder / "snapshots" / commit
    held = found.iterdir() if commit and found.is_dir() else ()
    return found if any(path.suffix.lower() in SUFFIXES for path in held) else None
