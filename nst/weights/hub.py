"""Files on the Hugging Face Hub, read in parts.

Quick to give up when nothing answers, patient once bytes flow: a cut is resumed where it happened. Written against
the Hub's documented addresses, headers and range requests. Reading by parts is not left to huggingface_hub (2.4): its
`parse_safetensors_file_metadata` takes a whole file into memory where a server knows no ranges, its `HfFileSystem`
begins anew after a cut, and both try for half a minute where nobody answers. The user's token goes to the Hub that
is asked, over TLS, and to nobody that it redirects to.
"""

from __future__ import annotations

import io
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import httpx
from tqdm import tqdm

from nst.places import cache_dir

Progress = Callable[[int, int], None]

CONNECT_SECONDS = 3.0  # until a connection stands: name lookup and all the host's addresses together
READ_SECONDS = 10.0  # between two pieces of an answer
ANSWER_SECONDS = 30.0  # until an answer begins, redirects included
RETRY_WAITS = (0.5, 1.0, 2.0)  # seconds before each new try of a cut or busy transfer
LONGEST_WAIT = 5.0  # seconds we let a busy server ask for
TRICKLE_BYTES, TRICKLE_SECONDS = 32 * 1024, 20.0  # less than this in that time counts as a cut
MOST_SAID = 4 * 1024 * 1024  # bytes of what the Hub says of a repository
BUSY = {408, 429, 500, 502, 503, 504}


class HubError(RuntimeError):
    """The Hub did not give what was asked; the message says why, as the end of a sentence."""


class RangesRefusedError(HubError):
    """The server sends whole files only."""


def offline() -> bool:
    """Whether the user switched the Hub off, by `HF_HUB_OFFLINE` now or when the library was imported."""
    asked = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    return asked or huggingface_hub.is_offline_mode()


class RemoteFile:
    """One file of a Hub repository at one revision.

    Args:
        repo: "owner/name" of a model repository.
        revision: commit (40 hex digits).
        name: path in the repository.

    Attributes:
        size: of the whole file in bytes; 0 before the first answer.
        tag: what tells this content from another; "" before the first answer or where the server tells none.
        sha256: of the whole file as the Hub states it, or "".
    """

    def __init__(self, repo: str, revision: str, name: str) -> None:
        self.repo, self.revision, self.name = repo, revision, name
        self.size, self.tag, self.sha256 = 0, "", ""

    @property
    def url(self) -> str:
        return huggingface_hub.hf_hub_url(self.repo, self.name, revision=self.revision, endpoint=endpoint())

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from start up to stop (or the end of the file), in pieces as they come.

        A cut, stalled or trickling transfer is taken up again where it was; after several without
        headway, or when nobody answers in the first place, it is given up.

        Raises:
            RangesRefusedError: the server sends whole files only.
            HubError: everything else that can go wrong on the way.
        """
        position, failures = start, 0
        while position < stop:
            before, reason = position, "it stopped short"
            try:
                with self._open(position, stop) as response:
                    stop = min(stop, self.size)
                    for chunk in _steady(response.iter_raw()):
                        chunk = chunk[: stop - position]
                        position += len(chunk)
                        yield chunk
                        if position >= stop:
                            return
            except httpx.RequestError as error:
                reason = _reason(error)
                if not self.size:  # nobody has answered yet: do not keep the user waiting
                    raise HubError(reason) from error
            failures = 1 if position - before >= TRICKLE_BYTES else failures + 1
            if failures > len(RETRY_WAITS):
                raise HubError(f"it broke off again and again ({reason}); the next try goes on from there")
            time.sleep(RETRY_WAITS[failures - 1])

    def reach(self) -> None:
        """Ask for one byte, so that a missing or unreachable file is known at once; raises HubError as `read` does,
        though a server that refuses ranges is fine."""
        with suppress(RangesRefusedError):
            for _ in self.read(0, 1):
                pass

    def cached(self, sha256: str = "") -> Path | None:
        """The whole file in the Hub's own cache, or None; makes no request. By its sha256 it is found at other
        revisions, too, where the library's links say what they link to."""
        found = huggingface_hub.try_to_load_from_cache(self.repo, self.name, cache_dir=cache(), revision=self.revision)
        if isinstance(found, str):
            return Path(found)
        others = repo_folder(self.repo).glob(f"snapshots/*/{self.name}") if sha256 else ()
        return next((path for path in others if path.resolve().name == sha256), None)

    def download(self, progress: Progress | None = None) -> Path:
        """The whole file, into the Hub's own cache, by the Hub's own library (which checks its size only). Raises
        HubError if it is not to be had, and OSError if the cache cannot be written."""
        self.reach()  # the library itself tries for 23 s where nobody answers
        try:
            path = huggingface_hub.hf_hub_download(
                self.repo,
                self.name,
                revision=self.revision,
                token=token() or False,
                endpoint=endpoint(),
                cache_dir=cache(),
                tqdm_class=_bar(progress),
            )
        except HfHubHTTPError as error:
            raise HubError(_complaint(self, error.response)) from error
        except httpx.RequestError as error:
            raise HubError(_reason(error)) from error
        except (EntryNotFoundError, OfflineModeIsEnabled, ValueError) as error:
            raise HubError(str(error).splitlines()[0]) from error
        except OSError as error:
            if error.errno is None:  # the library's own "Consistency check failed", not the disk
                raise HubError(str(error).splitlines()[0]) from error
            raise
        return Path(path)

    @contextmanager
    def _open(self, start: int, stop: int) -> Iterator[httpx.Response]:
        """An open answer that holds this range of the very file met before."""
        response = _ask(self.url, {"Range": f"bytes={start}-{stop - 1}"})
        try:
            packed = response.headers.get("Content-Encoding", "identity") != "identity"
            if response.status_code == 403 and response.history:
                raise RangesRefusedError("the place that it sent us on to refused")
            if response.status_code == 200 or packed:
                raise RangesRefusedError("it sends only whole files")
            if response.status_code != 206:
                raise HubError(_complaint(self, response))
            span = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", "").strip())
            if not span:
                raise RangesRefusedError("it sends parts of a file without telling the size of the whole")
            if int(span[1]) != start:
                raise HubError("it answered with another part of the file than was asked for")
            self._recognize(int(span[3]), response)
            yield response
        finally:
            response.close()

    def _recognize(self, size: int, response: httpx.Response) -> None:
        hops = [hop.headers for hop in (*response.history, response)]
        linked = next((h["X-Linked-Etag"] for h in hops if "X-Linked-Etag" in h), "")
        tag = (linked or hops[-1].get("ETag", "")).removeprefix("W/").strip('"')
        if self.size and (size, tag) != (self.size, self.tag):
            raise HubError("the file changed while it was being fetched")
        self.size, self.tag = size, tag
        # Only this header is documented to be the sha256 of a large file; a plain ETag may be any hash.
        linked = linked.strip('"')
        self.sha256 = linked if re.fullmatch(r"[0-9a-f]{64}", linked) else ""


def describe(repo: str, revision: str) -> dict[str, Any]:
    """What the Hub says of a repository at a revision: its commit, its files, its card's front matter. Raises HubError
    where there is no answer, or none that is a table."""
    address = f"{endpoint() or constants.ENDPOINT}/api/models/{repo}/revision/{quote(revision, safe='')}?blobs=true"
    try:
        response = _ask(address, {})
        with closing(response):
            if response.status_code != 200:
                raise HubError(_complaint(RemoteFile(repo, revision, "of that name"), response))
            data = b""
            for chunk in _steady(response.iter_raw()):
                data += chunk
                if len(data) > MOST_SAID:
                    raise HubError("its answer is far too long")
        said = json.loads(data)
    except httpx.RequestError as error:
        raise HubError(_reason(error)) from error
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise HubError("its answer cannot be read")
    return said


def _ask(url: str, more: dict[str, str]) -> httpx.Response:
    """The answer to a request; a busy server is asked a few times more."""
    # Not build_hf_headers: beside the token it adds only statistics, and may make a request for them.
    headers = {"User-Agent": "pastiche", "Accept-Encoding": "identity", **more}
    if known := token():
        headers["Authorization"] = f"Bearer {known}"
    for pause in (*RETRY_WAITS, None):
        response = _send(url, headers)
        if response.status_code not in BUSY or pause is None:
            break
        response.close()
        asked = response.headers.get("Retry-After", "")
        time.sleep(min(max(pause, float(asked) if asked.isdecimal() else 0.0), LONGEST_WAIT))
    if any(hop.url.scheme == "https" for hop in response.history) and response.url.scheme != "https":
        response.close()
        raise HubError("it sent us on to an address without encryption")
    return response


def _complaint(file: RemoteFile, response: httpx.Response) -> str:
    status, code = response.status_code, response.headers.get("X-Error-Code", "")
    if code == "GatedRepo":
        return f"{file.repo} is open only to people who accepted its terms on the Hub ({status})"
    if code == "RepoNotFound" or status == 401:
        how = "with your token" if token() else "without a token (`hf auth login`, or HF_TOKEN)"
        return f"the Hub shows no repository {file.repo} {how} ({status})"
    if status == 403:
        return f"access to {file.repo} is forbidden ({status})"
    if code == "RevisionNotFound":
        return f"{file.repo} has no revision {file.revision} ({status})"
    if status == 404:
        return f"{file.repo} has no file {file.name} at revision {file.revision[:10]} ({status})"
    if status == 429:
        return f"too many requests were made from here ({status}): wait a few minutes"
    if status >= 500:
        return f"the Hub has trouble of its own ({status}): try again in a while"
    return f"it answered with an unexpected status ({status})"


def _send(url: str, headers: dict[str, str]) -> httpx.Response:
    """One request through the Hub library's client (so with the user's proxies and certificates), in a thread that may
    be left behind: the client's own time limit covers neither the name lookup nor the walk over all of a host's
    addresses, which without a network takes half a minute."""
    if offline():
        raise HubError("HF_HUB_OFFLINE is set, so it is not asked")
    connected = threading.Event()
    answer: Future[httpx.Response] = Future()

    def trace(event: str, info: Any) -> None:
        if event.endswith(".complete"):  # the first is the connection, or a request on one that stands
            connected.set()

    def work() -> None:
        try:
            client = huggingface_hub.get_session()
            timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
            hooks = {"trace": trace}
            request = client.build_request("GET", url, headers=headers, timeout=timeout, extensions=hooks)
            answer.set_result(client.send(request, stream=True, follow_redirects=True))
        except BaseException as error:
            answer.set_exception(error)
        connected.set()

    threading.Thread(target=work, daemon=True, name="hub").start()
    if connected.wait(CONNECT_SECONDS) and wait([answer], ANSWER_SECONDS).done:
        try:
            return answer.result()
        except (httpx.InvalidURL, OfflineModeIsEnabled) as error:
            raise HubError(str(error).splitlines()[0]) from error
    answer.add_done_callback(lambda late: None if late.exception() else late.result().close())
    raise httpx.ConnectTimeout("no answer")


def _steady(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces, until they come at a mere trickle."""
    since, got = time.monotonic(), 0
    for chunk in chunks:
        yield chunk
        got += len(chunk)
        if (now := time.monotonic()) - since > TRICKLE_SECONDS:
            if got < TRICKLE_BYTES:
                return
            since, got = now, 0


def _reason(error: Exception) -> str:
    if "CERTIFICATE" in str(error):
        return "its certificate is not trusted on this machine"
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        return "it cannot be reached: is there a connection?"
    if isinstance(error, httpx.TimeoutException):
        return "it did not answer in time"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def endpoint() -> str | None:
    """The address of the Hub, or of a mirror; None is the library's own."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or None


def token() -> str | None:
    """The user's token for the Hub, if there is one and it would not be sent in the clear."""
    address = endpoint() or constants.ENDPOINT
    safe = re.match(r"https://|http://(127\.0\.0\.1|localhost|\[::1\])(:|/|$)", address)
    return huggingface_hub.get_token() if safe else None


def cache() -> str | None:
    """Where the Hub's library keeps whole files: read when asked, not at import as the library does."""
    home = os.environ.get("HF_HOME")
    return os.environ.get("HF_HUB_CACHE") or (os.path.join(home, "hub") if home else None)


def repo_folder(repo: str) -> Path:
    """Where the Hub's library keeps what it fetched of a repository."""
    return Path(cache() or constants.HF_HUB_CACHE, f"models--{repo.replace('/', '--')}")


def derived_dir() -> Path:
    """Where lies what is made of files of the Hub: `PASTICHE_CACHE`, or the Hub library's own place for such
    (`huggingface_hub.cached_assets_path`, which would make the folder when it is only asked for)."""
    assets = Path(constants.HF_ASSETS_CACHE, "pastiche", "weights", "default")
    return cache_dir() if os.environ.get("PASTICHE_CACHE") else assets


def _bar(progress: Progress | None) -> type[tqdm]:
    """The library reports to a tqdm class: this one draws nothing and tells `progress`."""

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "file": io.StringIO(), "disable": False})

        def update(self, n: float | None = 1) -> bool | None:
            drawn = super().update(n)
            if progress:
                progress(int(self.n), int(self.total or 0))
            return drawn

    return Bar
