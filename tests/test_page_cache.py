"""The page is made once for each address, sessions hold little, and memory is given back."""

from __future__ import annotations

import asyncio
import gc
import io
import threading
import weakref
from collections.abc import Iterator
from html.parser import HTMLParser

import httpx
import pytest
from fake_run import FakeRun
from gradio.state_holder import SessionState
from PIL import Image
from test_hosting import served
from visitor import Visitor

from nst.server import cards, memory
from nst.server.page_cache import KEPT, PageCache, completed


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORWARDED_ALLOW_IPS", "127.0.0.1")
        with served(tmp_path_factory.mktemp("ready"), FakeRun(seconds=0.01)) as address:
            yield address


def test_the_page_that_is_kept_is_the_page_that_gradio_makes(url):
    made = httpx.get(url, params={"page": ""})  # passes by
    text = completed(made.text, url.rstrip("/"), httpx.get(f"{url}config").json())
    for _ in range(2):
        kept = httpx.get(url, params={"size": 64})
        assert kept.text == text and kept.headers["content-type"] == made.headers["content-type"]
    assert kept.headers["content-encoding"] == "gzip" and "content-encoding" not in made.headers
    plain = httpx.get(url, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers and plain.text == text
    assert httpx.get(f"{url}config").json()["components"]
    assert httpx.head(url).status_code == 200


def test_each_address_has_a_page_of_its_own(url):
    proxy = {"X-Forwarded-Host": "pastiche.example", "X-Forwarded-Proto": "https"}
    for _ in range(2):
        assert httpx.get(f"{url}config").json()["root"] == url.rstrip("/")
        assert httpx.get(f"{url}config", headers=proxy).json()["root"] == "https://pastiche.example"


def test_who_is_not_logged_in_gets_no_page_of_who_is(tmp_path):
    with served(tmp_path, FakeRun(), auth=[("anna", "secret")]) as url, httpx.Client(base_url=url) as anna:
        assert anna.post("/login", data={"username": "anna", "password": "secret"}).status_code == 200
        for _ in range(2):
            assert '"username":"anna"' in anna.get("/").text.replace(" ", "")
            assert '"auth_required":true' in httpx.get(url).text.replace(" ", "")
            assert anna.get("/config").json()["username"] == "anna"
            assert httpx.get(f"{url}config").status_code == 401


def test_chats_find_a_card_of_the_app(url):
    proxy = {"X-Forwarded-Host": "pastiche.example", "X-Forwarded-Proto": "https"}
    for home, headers in ((url.rstrip("/"), {}), ("https://pastiche.example", proxy)):
        found = Tags(httpx.get(url, params={"style": "night"}, headers=headers).text).found
        assert all(len(values) == 1 for values in found.values()), "and none of gradio's"
        assert found["og:url"] == [f"{home}/"] and found["og:site_name"] == ["Pastiche"]
        assert found["og:image"] == found["twitter:image"] == [f"{home}/card.jpg"]
        assert found["twitter:card"] == ["summary_large_image"]
    card = httpx.get(f"{url}card.jpg")
    assert card.headers["content-type"] == "image/jpeg" and Image.open(io.BytesIO(card.content)).size == cards.SIZE
    assert [found[f"og:image:{side}"] for side in ("width", "height")] == [[str(side)] for side in cards.SIZE]


class Tags(HTMLParser):
    """A page's tags for cards.

    Attributes:
        found: contents by name.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {}
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        facts = dict(attrs)
        name = facts.get("property") or facts.get("name") or ""
        if tag == "meta" and name.startswith(("og:", "twitter:")):
            self.found.setdefault(name, []).append(facts["content"])


class Counting:
    """An app of one page, told what it is made from."""

    def __init__(self) -> None:
        self.config, self.made = {"components": []}, 0

    def get_blocks(self) -> Counting:
        return self

    async def __call__(self, scope, receive, send) -> None:
        self.made += 1
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"page", "more_body": True})
        await send({"type": "http.response.body", "body": b" %d" % self.made})


def test_it_is_made_anew_only_when_it_has_changed():
    app = Counting()
    ready = PageCache(app)

    async def ask(host: str = "here") -> bytes:
        sent = []
        headers = [(b"host", host.encode())]
        scope = {"type": "http", "method": "GET", "path": "/", "scheme": "http", "query_string": b"", "app": app}

        async def send(message) -> None:
            sent.append(message)

        await ready(scope | {"headers": headers}, None, send)
        return b"".join(message.get("body", b"") for message in sent)

    async def many() -> list[bytes]:
        return await asyncio.gather(*(ask() for _ in range(20)))

    assert asyncio.run(many()) == [b"page 1"] * 20, "though all come at once"
    app.config = {"components": []}
    assert asyncio.run(ask()) == b"page 2" == asyncio.run(ask())
    for i in range(3 * KEPT):
        asyncio.run(ask(f"host-{i}"))
    assert len(ready.kept) == KEPT


def test_sessions_describe_no_component(url):
    made = []
    remember = SessionState.__init__

    with pytest.MonkeyPatch.context() as patch:

        def note(session, blocks) -> None:
            remember(session, blocks)
            made.append(session)

        patch.setattr(SessionState, "__init__", note)
        visitor = Visitor(url, "?size=64&num_steps=5")
        visitor.open()
        assert visitor.click("paint") and "Finished" in visitor.show("status")
        visitor.close()
    assert len(made) == 1 and not any(made[0].config_values.values())


def test_memory_is_given_back_when_asked_for(monkeypatch):
    class Ring:
        """Holds itself."""

    monkeypatch.setattr(memory, "SOON", 0.01)
    monkeypatch.setattr(memory, "EVERY", 0.02)
    monkeypatch.setattr(gc, "freeze", lambda: None)  # the other tests go on
    memory.look_after()
    ring = Ring()
    died = threading.Event()
    ring.me, gone = ring, weakref.ref(ring, lambda _: died.set())
    del ring
    gc.disable()
    try:
        memory.give_back()
        assert died.wait(60) and gone() is None
    finally:
        gc.enable()
