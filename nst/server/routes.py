"""Pages beside the app, light and without gradio: shared results at /r/ID, deleting them, and the server's health."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable
from datetime import datetime, timezone
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from PIL import Image
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

import nst
from nst.server import cards, log, stylesheet, tempfiles, words
from nst.server.address import client, configured, home, remix_query, result_link
from nst.server.limits import Rate
from nst.server.results import Result, Store
from nst.server.results.record import CLIP
from nst.tasks.recipe import task_of

PAGES = Path(__file__).parent / "pages"
PICTURES = Path(__file__).parents[1] / "pictures"
KINDS = {"webp": "image/webp", "jpg": "image/jpeg", "png": "image/png", "mp4": "video/mp4"}
OWN = {"picture.webp", "card.jpg"}
"""What is at /r/ID.webp and /r/ID.jpg; all else that was shared is at /r/ID/NAME."""

KEEP = "public, max-age=300"
"""Not long, so that a deleted picture is soon gone from caches too."""

HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "SAMEORIGIN"}


class Pages:
    """The routes, and what they answer from the shared results, if there are any; `misses` is how often a client may
    ask for what is not there."""

    def __init__(self, store: Store | None, misses: Rate | None = None) -> None:
        self.store, self.misses = store, misses or Rate(30, 60)

    def routes(self) -> list[BaseRoute]:
        """To be put before the app's own."""
        pages: list[tuple[str, Callable[[Request], Response], list[str]]] = [
            ("/r/{id}.json", self.describe, ["GET"]),
            ("/r/{id}.{kind}", self.picture, ["GET"]),
            ("/r/{id}/delete", self.ask, ["GET"]),
            ("/r/{id}/delete", self.delete, ["POST"]),
            ("/r/{id}/{name}", self.file, ["GET"]),
            ("/r/{id}", self.page, ["GET"]),
            ("/r/{rest:path}", self.missing, ["GET"]),
            ("/r", self.missing, ["GET"]),
        ]
        guarded = [Route(path, self._guarded(answer), methods=methods) for path, answer, methods in pages]
        own = [Route("/healthz", self.health, methods=["GET"]), Route(f"/{cards.PICTURE}", self.card, methods=["GET"])]
        return [*own, Route(f"/{stylesheet.NAME}", self.styles, methods=["GET"]), *guarded]

    def _guarded(self, answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
        """The same, but who guesses too often is told only to wait; what is there is there for all of their network."""

        def guarded(request: Request) -> Response:
            response = answer(request)
            if response.status_code == 404 and not self.misses.spend(client(request)):
                return _message(request, 429, "Too many wrong addresses", "Wait a minute, then try again.")
            return response

        return guarded

    def _result(self, request: Request) -> Result | None:
        return self.store.get(request.path_params["id"]) if self.store else None

    def page(self, request: Request) -> Response:
        """A result to look at."""
        result = self._result(request)
        card = self.store.read(result.id, "card.jpg") if self.store and result else None
        if not self.store or not result or not card or not self.store.read(result.id, "picture.webp"):
            return self.missing(request)
        link, title = result_link(home(request), result.id), words.title(result.recipe)
        created = datetime.fromtimestamp(result.created, timezone.utc)
        rows = [(name, value) for name, value in words.settings(result.recipe)]
        body = _fill(
            "result.html",
            id=result.id,
            title=title,
            picture=_Html(_picture(result, title)),
            hint=_hint(result),
            iso=created.isoformat(timespec="seconds"),
            date=f"{created.day} {created:%B %Y}",
            remix=f"../?{remix_query(result)}",
            download=f"{result.id}/{CLIP}" if CLIP in result.files else f"{result.id}.webp",
            kind="mp4" if CLIP in result.files else "webp",
            json=f"{result.id}.json",
            recipe=_Html("".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)),
        )
        summary = words.summary(result.recipe)
        head = cards.tags(link, title, summary, f"{link}.jpg", Image.open(io.BytesIO(card), formats=["JPEG"]).size)
        head += f'\n<meta name="description" content="{escape(summary)}">\n<link rel="canonical" href="{escape(link)}">'
        if not result.public:
            head += '\n<meta name="robots" content="noindex">'
        return _page(request, f"{title} · Pastiche", body, head=head, size=(result.width, result.height))

    def picture(self, request: Request) -> Response:
        """The picture, or as JPEG a smaller one for preview cards."""
        name = {"webp": "picture.webp", "jpg": "card.jpg"}.get(request.path_params["kind"], "")
        return self._send(request, name)

    def file(self, request: Request) -> Response:
        """Another picture that was shared with it."""
        name = request.path_params["name"]
        return self._send(request, "" if name in OWN else name)

    def _send(self, request: Request, name: str) -> Response:
        result = self._result(request)
        content = self.store.read(result.id, name) if self.store and result else None
        if content is None or result is None:
            return self.missing(request)
        tag = f'"{result.files[name][:32]}"'
        headers = {**HEADERS, "ETag": tag, "Cache-Control": KEEP, "Content-Security-Policy": "default-src 'none'"}
        if not result.public:
            headers["X-Robots-Tag"] = "noindex"
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        kind = KINDS[name.rpartition(".")[2]]
        if name == CLIP and self.store:  # or the part of it that a player asks for
            return FileResponse(self.store.folder / result.id / name, headers=headers, media_type=kind)
        return Response(content, media_type=kind, headers=headers)

    def describe(self, request: Request) -> Response:
        """The result for programs."""
        result = self._result(request)
        if result is None:
            return JSONResponse({"error": "There is no such result."}, 404, HEADERS)
        link = result_link(home(request), result.id)
        shared = {name.partition(".")[0]: f"{link}/{name}" for name in sorted(result.files.keys() - OWN)}
        created = datetime.fromtimestamp(result.created, timezone.utc).isoformat(timespec="seconds")
        facts = {
            "id": result.id,
            "created": created,
            "page": link,
            "remix": f"{home(request)}/?{remix_query(result)}",
            "picture": f"{link}.webp",
            "width": result.width,
            "height": result.height,
            **shared,
            "recipe": result.recipe,
        }
        headers = HEADERS | {"Cache-Control": KEEP, "Access-Control-Allow-Origin": "*"}
        if not configured():  # the links are made of what the request says
            headers["Vary"] = "Host, X-Forwarded-Host, X-Forwarded-Proto"
        return JSONResponse(facts, headers=headers)

    def _deletable(self, request: Request) -> Result | None:
        """The result that is asked for, if whoever asks has the token that deletes it."""
        result, token = self._result(request), request.query_params.get("token", "")
        return result if result and self.store and self.store.may_delete(result.id, token) else None

    def ask(self, request: Request) -> Response:
        """Before deleting: a page with a button, since chats and browsers open links on their own."""
        if (result := self._deletable(request)) is None:
            return self.missing(request)
        title, thumbnail = words.title(result.recipe), f"../{result.id}/thumbnail.webp"
        body = _fill("delete.html", title=title, page=f"../{result.id}", thumbnail=thumbnail)
        return _page(request, "Delete this picture? · Pastiche", body, head=NOINDEX)

    def delete(self, request: Request) -> Response:
        """The button was pressed."""
        if (result := self._deletable(request)) is None or not self.store:
            return self.missing(request)
        if not self.store.delete(result.id, request.query_params["token"]):
            return _message(request, 503, "Not deleted", "The folder for shared results cannot be written just now.")
        log.note("deleted")
        return _message(request, 200, "Deleted", "The picture and all that was shared with it are gone from here.")

    def missing(self, request: Request) -> Response:
        """What is told where nothing is."""
        text = "It was deleted, has grown old, or its address is not whole: check that all of the link was copied."
        return _message(request, 404, "There is no picture here", text)

    def card(self, request: Request) -> Response:
        """The picture of the app's own card."""
        return FileResponse(PICTURES / cards.PICTURE, headers=HEADERS | {"Cache-Control": KEEP})

    def styles(self, request: Request) -> Response:
        """The styles of the app's components."""
        _, css = stylesheet.gathered(part["type"] for part in request.app.get_blocks().config["components"])
        return Response(css, media_type="text/css", headers=HEADERS | {"Cache-Control": "public, max-age=86400"})

    def health(self, request: Request) -> Response:
        """For whoever watches the server: 200 if it works, 503 if one of its disks is full."""
        places = {"disk full": tempfiles.folder(), "results disk full": self.store.folder if self.store else None}
        full = [told for told, place in places.items() if place and not tempfiles.has_room(place)]
        facts = {
            "status": full[0] if full else "ok",
            "version": nst.__version__,
            "sharing": self.store is not None,
            "results full": bool(self.store and self.store.full),
        }
        return JSONResponse(facts, 503 if full else 200, {**HEADERS, "Cache-Control": "no-store"})


class _Html(str):
    """Text that is HTML already."""


NOINDEX = '<meta name="robots" content="noindex">'


@cache
def _asset(name: str) -> str:
    return ((PICTURES if name.endswith(".svg") else PAGES) / name).read_text(encoding="utf-8").strip()


def _fill(name: str, **values: Any) -> _Html:
    """A template with values in it, escaped but for those that are HTML."""
    plain = {key: value if isinstance(value, _Html) else escape(str(value)) for key, value in values.items()}
    return _Html(Template(_asset(name)).substitute(plain))


def _page(
    request: Request, title: str, body: str, *, status: int = 200, head: str = "", size: tuple[int, int] | None = None
) -> Response:
    """A page; with the width and height of the picture on it, if it is one with a picture."""
    nonce = secrets.token_urlsafe(16)
    code = f'<script nonce="{nonce}">{_asset("page.js")}</script>' if size else ""
    style = _asset("page.css")
    if size:  # small pictures are enlarged, but not too much
        style += f"\n:root {{ --ratio: {size[0] / size[1]:.4f}; --most: {3 * size[0]}px; }}"
    html = _fill(
        "page.html",
        title=title,
        head=_Html(head),
        body=_Html(body),
        up=_up(request),
        nonce=nonce,
        style=_Html(style),
        mark=_Html(_asset("mark.svg")),
        wordmark=_Html(_asset("wordmark.svg")),
        script=_Html(code),
    )
    policy = (
        f"default-src 'none'; img-src 'self'; media-src 'self'; font-src 'self'; style-src 'nonce-{nonce}'; "
        f"script-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    )
    return HTMLResponse(html, status, HEADERS | {"Content-Security-Policy": policy, "Cache-Control": "no-store"})


def _message(request: Request, status: int, title: str, text: str) -> Response:
    body = _fill("message.html", title=title, text=text, up=_up(request))
    response = _page(request, f"{title} · Pastiche", body, status=status, head=NOINDEX)
    if status == 429:
        response.headers["Retry-After"] = "60"
    return response


def _up(request: Request) -> str:
    """From this page to the app, relative: right behind any proxy."""
    return "../" * (request.url.path.count("/") - 1)


def _picture(result: Result, title: str) -> str:
    size = {"width": result.width, "height": result.height, "alt": title, "picture": f"{result.id}.webp"}
    if CLIP in result.files:
        return _fill("clip.html", clip=f"{result.id}/{CLIP}", **size)
    if "before.webp" in result.files:
        return _fill("compare.html", before=f"{result.id}/before.webp", **size)
    return Template('<img src="$picture" width="$width" height="$height" alt="$alt">').substitute(
        {name: escape(str(value)) for name, value in size.items()}
    )


def _hint(result: Result) -> str:
    if task_of(result.recipe) != "style_transfer":
        return "Remix opens the app with the same settings, and with what was shared to begin from."
    known = words.input_titles(result.recipe)
    have = {
        "photo": "content" in result.inputs or bool(known[0]),
        "style": any(kind.startswith("style") for kind in result.inputs) or bool(known[1]),
    }
    if all(have.values()):
        return "Remix opens the app with the same photo, style and settings."
    if not any(have.values()):
        return "Remix opens the app with the same settings; bring a photo and a style of your own."
    mine, yours = ("photo", "style") if have["photo"] else ("style", "photo")
    return f"Remix opens the app with the same {mine} and settings; bring a {yours} of your own."
