"""Weights: found in `pretrained/`, in the local cache or on the Hub, and checked.

One file per idea: `manifest` (what there is), `tensors` (what a file holds), `partial_download` (part of a file),
`hub` (files on the Hub), `repository` (models there that no manifest lists). Here is the way from an entry of the
manifest to a file on this machine.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from nst.places import PROGRAM, cache_dir, replacing
from nst.places import home as home_dir
from nst.weights import manifest, partial_download
from nst.weights.hub import HubError, Progress, RangesRefusedError, RemoteFile, derived_dir
from nst.weights.manifest import Weights, file_sha256, read_manifest, record
from nst.weights.partial_download import HeaderError, Span
from nst.weights.tensors import (
    WeightsError,
    WeightsNotFound,
    check_finite,
    load_tensors,
    metadata,
    read_safetensors,
    save_tensors,
)

WEIGHT_TYPES = {"F64", "F32", "F16", "BF16", "I64"}  # I64: the counters of batch normalization


def find(weights: Weights) -> Path | None:
    """Where these weights lie on this machine, or None. Checks nothing and makes no request."""
    for place in (*_shipped(weights), *([_excerpt_path(weights)] if weights.prefix else [])):
        if place.is_file():
            return place
    return (_remote(weights).cached(weights.sha256) or _checkpoint(weights)) if weights.repo else None


def resolve(weights: Weights, *, progress: Progress | None = None, download: bool = True) -> Path:
    """A checked file that holds these weights: from `pretrained/`, the local cache, or the Hub.

    What is here already costs no request. Of an entry with a prefix only the wanted tensors are fetched,
    unless the server sends whole files only. A whole file has its sha256 compared with `models.toml`,
    or with what the Hub states where that has none: once, then its size and date are remembered. An
    excerpt, whose hash nobody can tell beforehand, is checked by names, shapes, types and finiteness;
    its own hash is then remembered and compared at every later call.

    Args:
        weights: an entry of `models.toml`.
        progress: called with (bytes done, bytes in all) during a download.
        download: False to make do with what is here.

    Raises:
        WeightsNotFound: neither here nor to be had; with the reason at each place tried.
        WeightsError: the file in `pretrained/` is not the one `models.toml` describes.
    """
    tried: list[str] = []
    for path in _shipped(weights):
        if path.is_file():
            return _check_shipped(weights, path)
        tried.append(f"{path} (not there)")
    if weights.repo:
        try:
            if here := _cached(weights, tried):
                return here
            if not download:
                raise HubError("not asked")
            return _pull(weights, progress)
        except (HubError, HeaderError) as error:
            reason = str(error)
        except OSError as error:
            reason = _disk_trouble(error)
        tried.append(f"the Hub, {weights.repo} ({reason})")
    raise _not_found(weights, tried)


def _not_found(weights: Weights, tried: list[str]) -> WeightsNotFound:
    target = _shipped(weights)[0]
    if weights.repo:
        mend = f"Run `{PROGRAM} models pull {weights.name}` when online, or put the file at {target}"
    else:
        mend = f"Restore it with `git checkout -- {target.parent.name}`"
        mend += f", or make it anew: `{weights.command}`" if weights.command else ""
    return WeightsNotFound(f"The weights of {weights.name} are not here. Tried: {'; '.join(tried)}. {mend}.")


def _disk_trouble(error: OSError) -> str:
    where = error.filename or derived_dir()
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"the disk is full at {where}: free some space, or set PASTICHE_CACHE to a folder elsewhere"
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
        return f"{where} cannot be written: set PASTICHE_CACHE to a folder that can"
    return f"{error.strerror or error} at {where}"


def _remote(weights: Weights) -> RemoteFile:
    return RemoteFile(weights.repo, weights.revision, weights.remote_file)


def _shipped(weights: Weights) -> list[Path]:
    """Where in `pretrained/` it may lie. A user may put a model of the Hub there too, under its own name."""
    folder = manifest.PRETRAINED
    if weights.ours:
        return [folder / weights.file]
    return [folder / f"{weights.name}{suffix}" for suffix in (".safetensors", ".pth")]


def _check_shipped(weights: Weights, path: Path) -> Path:
    # A model of the Hub that the user put there may be any file with the right tensors: loading it
    # strictly is its check.
    if weights.ours and file_sha256(path) != weights.sha256:
        raise WeightsError(
            f"{path} is not the file that models.toml describes (its sha256 differs). Restore it with"
            f" `git checkout -- {path.parent.name}`; if it was trained anew, record it in models.toml."
        )
    return path


def _excerpt_path(weights: Weights) -> Path:
    return derived_dir() / f"{weights.name}-{weights.revision[:10]}.safetensors"


def _cached(weights: Weights, tried: list[str]) -> Path | None:
    """Our excerpt, or a whole file that the Hub's own library or torch.hub has fetched, if sound."""
    if weights.prefix:
        path = _excerpt_path(weights)
        if (state := _state(path)) == "sound":
            return path
        tried.append(f"{path} ({state})")
    whole = _remote(weights).cached(weights.sha256)
    if whole and _is_pinned(weights, whole):
        return whole
    if (other := _checkpoint(weights)) and _is_pinned(weights, other, other.stem.rpartition("-")[2]):
        return other
    tried.append(f"{whole} (damaged: its sha256 is wrong)" if whole else "the Hub's own cache (not there)")
    return None


def _state(path: Path) -> str:
    """How an excerpt fares against the hash remembered when it was fetched: "sound", or what is wrong."""
    if not path.is_file():
        return "not there"
    try:
        remembered = json.loads(path.with_suffix(".json").read_text())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return "its hash is not remembered"
    return "sound" if file_sha256(path) == remembered else "damaged: its hash changed since it was fetched"


def _checkpoint(weights: Weights) -> Path | None:
    """Where torch.hub keeps the same weights, if it has fetched them."""
    home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or home_dir() / ".cache", "torch")
    path = Path(home, "hub", "checkpoints", weights.checkpoint)
    return path if weights.checkpoint and path.is_file() else None


def _expected(weights: Weights, path: Path) -> str:
    """The sha256 of a whole file: that of `models.toml`, or the Hub's, whose library names files in its cache after it;
    "" where neither is told (the library has then compared the size)."""
    blob = path.resolve().name
    return weights.sha256 or (blob if re.fullmatch(r"[0-9a-f]{64}", blob) else "")


def _is_pinned(weights: Weights, path: Path, expected: str | None = None) -> bool:
    """Whether a whole file has the sha256 that is expected, or one that begins so; once it has, its size and date are
    enough."""
    stat, expected = path.stat(), _expected(weights, path) if expected is None else expected
    seen = {"path": str(path), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": expected}
    note = derived_dir() / f"{weights.name}-{weights.revision[:10]}.whole.json"
    with suppress(OSError, ValueError):
        if json.loads(note.read_text()) == seen:
            return True
    if expected and not file_sha256(path).startswith(expected):
        return False
    with suppress(OSError):  # a cache that cannot be written only means that the file is read again next time
        note.parent.mkdir(parents=True, exist_ok=True)
        _write(note, seen)
    return True


def _write(path: Path, note: dict[str, object]) -> None:
    with replacing(path) as part:
        part.write_text(json.dumps(note))


def _pull(weights: Weights, progress: Progress | None) -> Path:
    remote = _remote(weights)
    if weights.prefix:
        path = _excerpt_path(weights)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path, weights.download, progress):
            if _state(path) == "sound":  # another process was faster
                return path
            path.unlink(missing_ok=True)
            try:
                _fetch_excerpt(weights, remote, path, progress)
                return path
            except RangesRefusedError:
                path.with_suffix(".partial").unlink(missing_ok=True)
    whole = remote.download(progress)
    if not _is_pinned(weights, whole):
        whole.resolve().unlink(missing_ok=True)  # the cache's entry is a link to it
        whole.unlink(missing_ok=True)
        raise HubError("what it sent has the wrong sha256 and was deleted: try again, or on another network")
    return whole


@contextmanager
def _alone(path: Path, total: int, progress: Progress | None) -> Iterator[None]:
    """Hold the lock on this file; while waiting for it, show how far the process that holds it has come."""
    lock = FileLock(path.with_suffix(".lock"))
    while True:
        try:
            lock.acquire(timeout=0.5)
            break
        except Timeout:
            partial = path.with_suffix(".partial")
            if progress and partial.exists():
                progress(min(partial.stat().st_size, total), total)
    try:
        yield
    finally:
        lock.release()


def _fetch_excerpt(weights: Weights, remote: RemoteFile, path: Path, progress: Progress | None) -> None:
    spans = partial_download.read_header(remote)
    if remote.sha256 and remote.sha256 != weights.sha256:
        raise HubError("it holds another file than models.toml describes: its sha256 differs")
    spans = [span for span in spans if span.name.startswith(weights.prefix)]
    _check_spans(weights, spans)
    partial = path.with_suffix(".partial")
    have = partial.stat().st_size if partial.exists() else 0
    if sum(span.stop - span.start for span in spans) > have + shutil.disk_usage(path.parent).free:
        raise OSError(errno.ENOSPC, "not enough room", str(path.parent))
    notes = {
        "format": "pt",
        "architecture": weights.architecture,
        "config": json.dumps(weights.config),
        "prefix": weights.prefix,
        "license": weights.license,
        "source": f"{weights.repo}@{weights.revision}/{weights.file}",
    }
    partial_download.copy(remote, spans, notes, partial, progress)
    try:
        check_finite(read_safetensors(partial), partial)
    except WeightsError as error:
        partial.unlink()  # or the next try would go on from it
        raise HeaderError(f"what it sent is no use and was deleted: {error}") from error
    # The note goes first: without the file it means nothing, but the file without it would not be trusted.
    _write(path.with_suffix(".json"), {"sha256": file_sha256(partial), "source": notes["source"]})
    os.replace(partial, path)


def _check_spans(weights: Weights, spans: list[Span]) -> None:
    """See that the file offers just the tensors that are wanted, before they are fetched."""
    offered = {span.name[len(weights.prefix) :]: list(span.shape) for span in spans}
    if weights.shapes and offered != weights.shapes:
        wrong = sorted(k for k in {*offered, *weights.shapes} if offered.get(k) != weights.shapes.get(k))
        raise HeaderError(f"its tensors are not those of {weights.name}: {', '.join(wrong[:3])}")
    if weights.tensors and len(spans) != weights.tensors:
        raise HeaderError(f"it has {len(spans)} tensors named {weights.prefix}* instead of {weights.tensors}")
    if odd := {span.dtype for span in spans} - WEIGHT_TYPES:
        raise HeaderError(f"its tensors have the type {', '.join(sorted(odd))}")
    size = sum(span.stop - span.start for span in spans)
    if weights.download and size > 2 * weights.download:  # float64 would be twice the float32 expected
        raise HeaderError(f"it offers {size:,} bytes where {weights.download:,} were expected")
