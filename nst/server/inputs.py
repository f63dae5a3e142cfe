"""What a page sends: the one place where every component's value is looked at, before gradio or a handler sees it.

Gradio (6.31, which the requirements pin) asks where a file lies only if the value says of itself that it is one, and
lets everybody use what anybody has uploaded. Here a value may name a file only where a component takes files, and only
one that this page itself has uploaded or was given.
"""

from __future__ import annotations

import math
import os
import re
import secrets
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, BinaryIO

import gradio as gr

from nst.images import ImageError
from nst.server import log, tempfiles
from nst.server.address import client
from nst.server.gradio_internals import salt_uploads, wrap
from nst.server.sessions import Sessions

META = {"_type": "gradio.FileData"}
"""What a file says of itself."""

GONE = "This picture is not on this page, or no longer; choose it again."
NONSENSE = "What was sent makes no sense here: reload the page, or look which arguments there are, and try again."

DEPTH, MOST_PARTS = 8, 10_000
"""How deep a value may be, and how many parts it may have."""

FLAGS = os.O_RDONLY
for _name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):  # where the system has them; a pipe would be waited on for ever
    FLAGS |= getattr(os, _name, 0)

KNOWN = 50_000
"""Of how many files it is known whose they are."""

UPLOADED = re.compile(r"[0-9a-f]{64}")
"""How gradio names the folder of an upload, by its content and a salt."""

_session: ContextVar[str] = ContextVar("session", default="")


def guard(page: gr.Blocks) -> None:
    """Have a page look at everything that it is sent, and remember which files it gave to whom."""
    sent_back = {block._id for function in page.fns.values() for block in function.inputs}
    salt_uploads(lambda: secrets.token_bytes(16))  # so that each has an owner

    async def process_api(process: Any, *given: Any, **named: Any) -> dict[str, Any]:
        session = named.get("session_hash") or ""
        holder, request = page.state_holder, named.get("request")
        if session and isinstance(holder, Sessions) and isinstance(request, gr.Request):
            holder.belongs(session, client(request))
        before = _session.set(session)
        try:
            answer: dict[str, Any] = await process(*given, **named)
        finally:
            _session.reset(before)
        block_fn = given[0] if given else named["block_fn"]
        function = page.fns[block_fn] if isinstance(block_fn, int) else block_fn
        if session:
            _give(zip(function.outputs, answer["data"], strict=False), session, sent_back)
        return answer

    async def preprocess_data(
        preprocess: Any, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> list[Any]:
        try:
            for block, value in zip(block_fn.inputs, inputs, strict=True):
                if not block.stateful:  # what a session holds does not come from outside
                    admit(block, value, _session.get())
            found: list[Any] = await preprocess(block_fn, inputs, state, explicit_call)
            return found
        except Exception as error:  # or gradio's own, over a value of another type or a list of another length
            log.note("input refused", reason=type(error).__name__)
            raise error if isinstance(error, gr.Error) else gr.Error(NONSENSE, print_exception=False) from None

    wrap(page, "process_api", process_api)
    wrap(page, "preprocess_data", preprocess_data)


def admit(block: Any, value: Any, session: str) -> None:
    """Look at one value that a session's page has sent for a component. Raises gr.Error where it makes no sense, or
    names a file that is not this page's; the sentence tells nothing of the file."""
    takes_files = _takes_files(block)
    for part in _parts(value):
        if isinstance(part, dict):
            if not takes_files:
                raise gr.Error(NONSENSE, print_exception=False)
            if part.get("path") is None:
                continue
            if part.get("meta") != META or not is_own(part["path"], session):
                title = getattr(block, "label", None)
                raise gr.Error(f"{title}: {GONE}" if title else GONE, print_exception=False)
        elif isinstance(part, float) and not math.isfinite(part):
            raise gr.Error(NONSENSE, print_exception=False)


def is_own(path: object, session: str) -> bool:
    """Whether this names a file that a page may use: an example, or what it has uploaded or was given; and only if it
    is a regular file within the temporary folder, named without links and detours."""
    if not isinstance(path, str) or (inside := _inside(path)) is None:
        return False
    if inside.parts[0] == tempfiles.EXAMPLES:
        return True
    return bool(session) and _owners.may(str(inside), session, bool(UPLOADED.fullmatch(inside.parts[0])))


def session() -> str:
    """Of the page whose event is being answered; "" outside of one."""
    return _session.get()


def open_file(path: str) -> BinaryIO:
    """A file that `is_own` was said of, opened once and never through a link. Raises ImageError if it is no longer
    there, or no file; the sentence does not tell its place."""
    try:
        number = os.open(path, FLAGS)
        file = os.fdopen(number, "rb")
    except (OSError, ValueError):
        raise ImageError("A picture was kept too long and is gone; choose it again.") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ImageError("A picture was kept too long and is gone; choose it again.")
    return file


def word(event: gr.EventData, name: str) -> str:
    """What an event tells, as a short text; "" if it does not."""
    told = _told(event, name)
    return str(told)[:200] if isinstance(told, str | int | float) else ""


def number(event: gr.EventData, name: str) -> float:
    """What an event tells, as a number; raises gr.Error if it is none."""
    told = _told(event, name)
    if isinstance(told, bool) or not isinstance(told, int | float) or not abs(told) < 1e9:
        raise gr.Error(NONSENSE, print_exception=False)
    return told


def _told(event: gr.EventData, name: str) -> Any:
    try:
        return getattr(event, name)
    except (AttributeError, KeyError, TypeError):  # it may be anything
        return None


def _takes_files(block: Any) -> bool:
    return getattr(block, "data_model", None) is not None


def _parts(value: Any) -> Iterator[Any]:
    """A value and all that is in it; raises gr.Error if there is too much in it."""
    waiting, count = [(value, 0)], 0
    while waiting:
        part, depth = waiting.pop()
        count += 1
        if depth > DEPTH or count > MOST_PARTS:
            raise gr.Error(NONSENSE, print_exception=False)
        yield part
        inner = part.values() if isinstance(part, dict) else part if isinstance(part, list | tuple) else ()
        waiting += [(one, depth + 1) for one in inner]


def _inside(path: str) -> Path | None:
    """A regular file's place within the temporary folder; None if it is none, or named by links or detours."""
    try:
        folder, given = Path(os.path.abspath(tempfiles.folder())), Path(path)
        if ".." in given.parts:
            return None
        inside = Path(os.path.abspath(given)).relative_to(folder)
        real = given.resolve(strict=True)
        straight = real == folder.resolve() / inside and stat.S_ISREG(real.lstat().st_mode)
    except (OSError, ValueError, RuntimeError):  # none, too long a name, a null in it, a circle of links
        return None
    return inside if straight and len(inside.parts) > 1 else None


class _Owners:
    """Whose the files are: by place in the temporary folder, the sessions of the pages that may use them."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, set[str]] = OrderedDict()
        self._lock = threading.Lock()

    def give(self, inside: str, session: str) -> None:
        with self._lock:
            self._of.setdefault(inside, set()).add(session)
            self._of.move_to_end(inside)
            while len(self._of) > KNOWN:
                self._of.popitem(last=False)

    def may(self, inside: str, session: str, uploaded: bool) -> bool:
        """Whether this session may use it. An upload, whose name nobody can guess, is whose page names it first."""
        with self._lock:
            owners = self._of.get(inside)
            if owners is None and uploaded:
                self._of[inside] = owners = {session}
            return session in (owners or ())


_owners = _Owners()


def _give(shown: Iterable[tuple[Any, Any]], session: str, sent_back: set[int]) -> None:
    """Note that a page was given the files in an answer: those that it can send back."""
    for block, value in shown:
        if not _takes_files(block) or block._id not in sent_back:
            continue
        for part in _parts(value):
            path = part.get("path") if isinstance(part, dict) else None
            if isinstance(path, str) and (inside := _inside(path)) is not None:
                _owners.give(str(inside), session)
