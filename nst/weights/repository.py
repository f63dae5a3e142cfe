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
from pathlib import Path, PurePosixPath
from typing import Any

from nst.weights import hub
from nst.weights.hub import HubError, Progress, RemoteFile
from nst.weights.manifest import file_sha256
from nst.weights.tensors import WeightsError, WeightsNotFound

WEIGHTS, CONFIG = "model.safetensors", "config.json"
SUFFIXES = {".safetensors", ".pth", ".pt", ".bin", ".onnx"}
MOST_BYTES, MOST_CONFIG, MOST_NUMBER, MOST_VALUES = 10**9, 100_000, 8192, 1000
"""Of a file; of its configuration, of a number in that, and how many values it may have."""

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
    def told(self) -> str:
        """What one should know before it is fetched."""
        what = self.architecture or "a network of others"
        size = f"{self.size / 1e6:.1f} MB" if self.size else "size not stated"
        address = f"{hub.endpoint() or hub.constants.ENDPOINT}/{self.repo}"
        return f"{self.repo}: {what}, {size}, license {self.license or 'not stated'}; its card: {address}"


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
    return _offered(repo, commit, sizes, sums, card if isinstance(card, dict) else {})


def fetch(offer: Offer, *, progress: Progress | None = None, download: bool = True) -> Path:
    """The file of an offer, in the Hub's own cache, and its sha256 compared where the Hub states one.

    Raises:
        WeightsNotFound: it is not to be had.
        WeightsError: it is not what was offered.
    """
    path = _get(offer, offer.file, progress, download)
    if offer.sha256 and file_sha256(path) != offer.sha256:
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise WeightsError(f"What was sent of {offer.repo} has the wrong sha256 and was deleted: try again.")
    return path


def check_config(offer: Offer) -> dict[str, Any]:
    """The configuration of an offer, if it is one that a network of a usual size could have.

    Raises:
        WeightsError: it is not.
    """
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
    return replace(offer, config=_read(_get(offer, CONFIG))) if file == WEIGHTS and CONFIG in sizes else offer


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
