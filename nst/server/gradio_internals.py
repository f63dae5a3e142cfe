"""What is changed inside gradio, where it offers no public way. Made for gradio 6.31, which the requirements pin.

`RESTS_ON` names all of gradio's own that this app rests on beyond its documentation. A test compares their source with
what was read when this was written, and says which of ours has to be read again when gradio changes one of them. No
other file of ours puts anything of its own in the place of something of gradio's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial, update_wrapper
from types import SimpleNamespace
from typing import Any

import gradio as gr
import gradio.http_server
import gradio.queueing
import gradio.route_utils
import gradio.routes
import uvicorn
from gradio.route_utils import GradioMultiPartParser, GradioUploadFile
from gradio.state_holder import SessionState, StateHolder

VERSION = "6.31.0"

RESTS_ON = {
    "gradio.route_utils.CustomCORSMiddleware": ("serving", "2acff670026e"),
    "gradio.http_server.Server": ("serving, stopping", "0ee1d654bc85"),
    "gradio.http_server.start_server": ("serving", "266da769f01a"),
    "gradio.blocks.Blocks.launch": ("serving", "ed8a16254e2d"),
    "gradio.route_utils.GradioMultiPartParser": ("uploads", "26110d85a616"),
    "gradio.route_utils.GradioUploadFile": ("inputs", "5c81039caee4"),
    "gradio.route_utils.FnIndexInferError": ("firewall", "16649458da58"),
    "gradio.state_holder.StateHolder": ("sessions", "7a180698da51"),
    "gradio.state_holder.SessionState": ("sessions", "cf7fe4610080"),
    "gradio.blocks.Blocks.process_api": ("inputs", "cb2ef4a0ec0b"),
    "gradio.blocks.Blocks.preprocess_data": ("inputs", "6848b88bd303"),
    "gradio.queueing.Queue.push": ("admission", "c7b4091f41b8"),
    "gradio.queueing.Queue.clean_events": ("admission", "ee8f9ecc8240"),
    "gradio.queueing.Event": ("admission", "3f200ce6a594"),
    "gradio.context.LocalContext": ("queue", "21876c9cd71f"),
    "gradio.context.Context": ("ui.tabs", "6b59b0cc7669"),
    "gradio.utils.get_upload_folder": ("tempfiles", "ab346c441715"),
    "gradio.components.image_editor.ImageEditor": ("ui.canvas", "e279e6503cd9"),
}
"""What of gradio, which files of ours rest on it, and the beginning of the SHA-256 of its source as it was read."""

LAUNCH: dict[str, Any] = {"_frontend": False}
"""Private arguments of `launch`. Gradio's look at whether the page answers gives up after three seconds, and the server
with it, which may well pass where visitors already wait for it to start."""


def let_the_firewall_judge_other_sites() -> None:
    """Take out gradio's middleware that lets other sites in: it cannot be switched off, only widened."""
    gradio.routes.CustomCORSMiddleware = lambda app, **_: app  # type: ignore[assignment,misc]


def configure_uvicorn(**settings: Any) -> None:
    """Have gradio's web server take these settings, of which `launch` lets nobody set any."""
    config = partial(uvicorn.Config, **settings)
    gradio.http_server.uvicorn = SimpleNamespace(Config=config, Server=uvicorn.Server)  # type: ignore[assignment]


def log_failures(failed: Callable[..., None]) -> None:
    """Have this called where gradio would print a traceback: the words of an exception may be a visitor's."""
    modules: tuple[Any, ...] = gradio.queueing, gradio.routes, gradio.route_utils
    for module in modules:
        module.traceback = SimpleNamespace(print_exc=failed, format_exc=module.traceback.format_exc)


def watch_uploads(
    begin: Callable[[GradioMultiPartParser], None], more: Callable[[GradioMultiPartParser, int], None]
) -> None:
    """Be told when a part of an upload begins, and before bytes are added to one; either may refuse by raising."""

    def began(parser: GradioMultiPartParser) -> None:
        begin(parser)
        _PART_BEGINS(parser)

    def grew(parser: GradioMultiPartParser, data: bytes, start: int, end: int) -> None:
        more(parser, end - start)
        _PART_GROWS(parser, data, start, end)

    GradioMultiPartParser.on_headers_finished = began  # type: ignore[method-assign,assignment]
    GradioMultiPartParser.on_part_data = grew  # type: ignore[method-assign,assignment]


def salt_uploads(salt: Callable[[], bytes]) -> None:
    """Have the same file of two visitors lie in two places: gradio names it by its content alone."""

    def begun(made: GradioUploadFile, /, *given: Any, **named: Any) -> None:
        _FILE_BEGINS(made, *given, **named)
        made.sha.update(salt())

    GradioUploadFile.__init__ = begun  # type: ignore[method-assign,assignment]


def remember_sessions(kind: type[StateHolder]) -> None:
    """Have pages' sessions kept by this class, and described no more: gradio describes every component anew for each
    page that opens, for deep links alone, which takes a tenth of a second and two megabytes."""

    def begun(session: SessionState, blocks: gr.Blocks) -> None:
        nothing: Any = SimpleNamespace(default_config=blocks.default_config, blocks=())
        _SESSION_BEGINS(session, nothing)
        session.blocks_config.config_for_block = lambda *_, **__: {}  # type: ignore[assignment, method-assign]

    SessionState.__init__ = begun  # type: ignore[assignment, method-assign]
    gradio.routes.StateHolder = kind  # type: ignore[misc]


def wrap(owner: Any, name: str, around: Callable[..., Awaitable[Any]]) -> None:
    """Have a method called through `around`, which is given the method itself and then its arguments."""
    own = getattr(owner, name)
    setattr(owner, name, update_wrapper(partial(around, own), own))


_PART_BEGINS, _PART_GROWS = GradioMultiPartParser.on_headers_finished, GradioMultiPartParser.on_part_data
_FILE_BEGINS, _SESSION_BEGINS = GradioUploadFile.__init__, SessionState.__init__
