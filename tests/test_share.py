"""Shared results: their pages, the part of a tab that shares, the gallery, and what strangers may try."""

from __future__ import annotations

import json
import re
import shutil
import threading
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import gradio as gr
import pytest
from fake_run import quick_examples
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from nst.images import decode, read_recipe, save
from nst.server import address, routes, words
from nst.server.limits import Rate
from nst.server.results import ResultsError, Store
from nst.server.routes import Pages
from nst.tasks import TASKS
from nst.tasks.recipe import from_query, make_recipe
from nst.ui import gallery, share

RECIPE = make_recipe({"strength": 72.0, "size": 96, "seed": 5}, content="chelsea", style="waves")
EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
POISON = {
    "task": EVIL,
    "content": EVIL,
    "style": EVIL,
    "steps": EVIL,
    "settings": {"strength": EVIL, "preset": EVIL, "encoder": EVIL, EVIL: EVIL, "style_layers": [EVIL], "size": 64},
    "models": {EVIL: EVIL},
    EVIL: [EVIL],
}

DEFAULTS = TASKS["style_transfer"].defaults


def drawn(seed: int = 0, size: tuple[int, int] = (48, 32)) -> Image.Image:
    return Image.effect_noise(size, 40 + seed).convert("RGB")


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture
def client(store) -> TestClient:
    return TestClient(Starlette(routes=Pages(store).routes()), base_url="https://pastiche.example")


@pytest.fixture
def shared(store) -> tuple[str, str]:
    return store.add(drawn(), RECIPE, before=drawn(1), inputs={"style": drawn(2)}, public=True)


class Page(HTMLParser):
    """The tags of a page with their attributes, by name; and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def meta(self) -> dict[str, str]:
        pairs = ((m.get("property") or m.get("name"), m.get("content")) for m in self.all("meta"))
        return {str(name): str(content) for name, content in pairs if name}


# The page of a result


def test_the_page_shows_picture_recipe_and_what_one_may_do(client, shared):
    answer = client.get(f"/r/{shared[0]}")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    page = Page(answer.text)
    pictures = [image["src"] for image in page.all("img")]
    assert pictures == [f"{shared[0]}.webp", f"{shared[0]}/before.webp"]
    assert all(image["alt"] for image in page.all("img"))
    assert all(client.get(f"/r/{source}").status_code == 200 for source in pictures)
    assert [one["type"] for one in page.all("input")] == ["range"] and page.all("input")[0]["aria-label"]
    told = " ".join(page.text.split())
    assert "Chelsea the Cat in the manner of" in told and "Style strength72" in told.replace(" 72", "72")
    links = {link["href"] for link in page.all("a")}
    assert f"{shared[0]}.webp" in links and f"{shared[0]}.json" in links
    remix = next(link for link in links if "remix=" in str(link))
    query = dict(parse_qsl(urlsplit(remix).query))
    assert query.pop("remix") == shared[0]
    assert from_query(query) == {
        "settings": DEFAULTS | {"strength": 72.0, "size": 96, "seed": 5},
        "content": "chelsea",
        "style": "waves",
    }


def test_a_page_without_a_photo_has_no_slider(client, store):
    id, _ = store.add(drawn(), {})
    page = Page(client.get(f"/r/{id}").text)
    assert len(page.all("img")) == 1 and not page.all("input") and "bring a photo and a style" in page.text


def test_chats_find_a_card(client, shared):
    meta = Page(client.get(f"/r/{shared[0]}").text).meta()
    link = f"https://pastiche.example/r/{shared[0]}"
    assert meta["og:url"] == link and meta["og:image"] == meta["twitter:image"] == f"{link}.jpg"
    assert meta["twitter:card"] == "summary_large_image" and meta["og:site_name"] == "Pastiche"
    for name in ("og:title", "og:description", "og:image:alt", "twitter:title", "twitter:description", "description"):
        assert 5 < len(meta[name]) < 200
    card = client.get(urlsplit(meta["og:image"]).path)
    assert card.headers["content-type"] == meta["og:image:type"] == "image/jpeg"
    assert decode(card.content).rgb.size == (int(meta["og:image:width"]), int(meta["og:image:height"]))


def test_only_public_results_are_for_search_engines(client, store, shared):
    assert "robots" not in Page(client.get(f"/r/{shared[0]}").text).meta()
    id, _ = store.add(drawn(), RECIPE)
    assert Page(client.get(f"/r/{id}").text).meta()["robots"] == "noindex"
    assert client.get(f"/r/{id}.webp").headers["x-robots-tag"] == "noindex"


def test_the_picture_carries_its_recipe(client, shared):
    answer = client.get(f"/r/{shared[0]}.webp")
    assert answer.headers["content-type"] == "image/webp" and read_recipe(answer.content) == RECIPE
    again = client.get(f"/r/{shared[0]}.webp", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304 and not again.content


def test_programs_get_json(client, shared):
    facts = client.get(f"/r/{shared[0]}.json").json()
    assert facts["recipe"] == RECIPE and facts["id"] == shared[0] and "token" not in json.dumps(facts)
    for name in ("page", "picture", "before", "style"):
        assert client.get(urlsplit(facts[name]).path).status_code == 200
    assert client.get(f"/r/{'0' * 20}.json").status_code == 404


def test_nothing_is_asked_of_other_servers_and_no_script_but_ours_runs(client, shared):
    answer = client.get(f"/r/{shared[0]}")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'" and "unsafe" not in str(policy) and policy["img-src"] == "'self'"
    nonce = re.search(r"'nonce-([\w-]+)'", policy["script-src"])[1]
    page = Page(answer.text)
    assert [tag["nonce"] for tag in page.all("script") + page.all("style")] == [nonce, nonce]
    assert not re.findall(r"(?:src|href)=\"?https?://(?!pastiche\.example/)", answer.text.replace("www.w3.org", ""))
    assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["referrer-policy"] == "no-referrer"
    assert client.get(f"/r/{shared[0]}").headers["content-security-policy"] != answer.headers["content-security-policy"]


def test_a_stranger_s_recipe_is_escaped(client, store):
    store.add(drawn(), POISON, public=True)
    result = store.latest(1)[0]
    page = client.get(f"/r/{result.id}").text
    grid = gallery.grid_html([result], "https://pastiche.example")
    for html in (page, grid):
        assert "<script>alert" not in html
        assert not [attributes for _, attributes in Page(html).tags if "onerror" in attributes]
    assert len(Page(page).all("script")) == 1 and not Page(grid).all("script")
    assert len(Page(page).all("img")) == 1 and len(Page(grid).all("img")) == 1


# Deleting


def test_the_link_asks_and_the_button_deletes_once(client, store, shared):
    id, token = shared
    page = f"/r/{id}/delete?token={token}"
    asked = client.get(page)
    assert asked.status_code == 200 and Page(asked.text).all("form")[0]["method"] == "post"
    assert store.get(id), "a link that a chat opens by itself deletes nothing"
    deleted = client.post(page)
    assert deleted.status_code == 200 and "Deleted" in deleted.text and store.get(id) is None
    assert client.post(page).status_code == client.get(page).status_code == 404
    for path in ("", ".webp", ".jpg", ".json", "/before.webp", "/thumbnail.webp", "/style.png"):
        assert client.get(f"/r/{id}{path}").status_code == 404


def test_a_wrong_token_deletes_nothing(client, store, shared):
    for token in ("", "x", shared[0], f"{shared[1]}x", shared[1][:-1]):
        assert client.get(f"/r/{shared[0]}/delete?token={token}").status_code == 404
        assert client.post(f"/r/{shared[0]}/delete?token={token}").status_code == 404
    assert store.get(shared[0])


# What is not there


@pytest.mark.parametrize(
    "path",
    [
        "/r",
        "/r/",
        "/r/nothing",
        "/r/a/b/c",
        "/r/..%2f..%2fetc%2fpasswd",
        "/r/%2e%2e/%2e%2e/etc/passwd",
        "/r/x.exe",
        f"/r/{'0' * 20}",
        f"/r/{'0' * 20}.webp",
        f"/r/{'0' * 20}/result.json",
        f"/r/{'0' * 20}/delete",
        "/r/%00",
        "/r/é",
    ],
)
def test_what_is_not_there_is_told_kindly(client, path):
    answer = client.get(path)
    assert answer.status_code == 404 and "no picture here" in answer.text and "Paint a picture" in answer.text
    up = next(link["href"] for link in Page(answer.text).all("a") if link.get("class") == "primary")
    assert str(client.base_url.join(path).join(str(up)).path) == "/"


@pytest.mark.parametrize("name", ["result.json", "..%2fresult.json", "picture.webp", "../../x", "result.json.part"])
def test_the_record_itself_is_not_served(client, shared, name):
    assert client.get(f"/r/{shared[0]}/{name}").status_code == 404


def test_half_a_result_is_not_served(client, store, shared):
    (store.folder / shared[0] / "picture.webp").write_bytes(b"half")
    assert client.get(f"/r/{shared[0]}").status_code == client.get(f"/r/{shared[0]}.webp").status_code == 404


def test_whoever_guesses_is_slowed_and_shuts_nobody_of_their_network_out(store, shared):
    client = TestClient(Starlette(routes=Pages(store, Rate(5, 3600)).routes()))
    codes = [client.get(f"/r/{i:020}").status_code for i in range(40)]
    assert codes == [404] * 5 + [429] * 35
    assert client.get(f"/r/{1:020}").headers["retry-after"]
    assert client.get(f"/r/{shared[0]}").status_code == client.get(f"/r/{shared[0]}.webp").status_code == 200
    other = TestClient(client.app, client=("2001:db8::7", 1))
    assert other.get(f"/r/{1:020}").status_code == 404


def test_links_for_programs_hang_on_no_header_where_the_address_is_known(store, shared, monkeypatch):
    client = TestClient(Starlette(routes=Pages(store).routes()))
    answer = client.get(f"/r/{shared[0]}.json", headers={"Host": "evil.example"})
    assert "Host" in answer.headers["vary"], "no cache gives one visitor's to another"
    monkeypatch.setenv("GRADIO_ROOT_PATH", "https://art.example")
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    facts = client.get(f"/r/{shared[0]}.json", headers=forged).json()
    assert "evil" not in json.dumps(facts) and facts["page"] == f"https://art.example/r/{shared[0]}"


def test_health_knows_the_disk_of_results_and_whether_there_is_room(store, monkeypatch):
    client = TestClient(Starlette(routes=Pages(store).routes()))
    assert client.get("/healthz").json() | {"version": ""} == {
        "status": "ok",
        "version": "",
        "sharing": True,
        "results full": False,
    }
    monkeypatch.setattr(routes.tempfiles, "has_room", lambda place: place != store.folder)
    answer = client.get("/healthz")
    assert answer.status_code == 503 and answer.json()["status"] == "results disk full"
    store.full = True
    assert client.get("/healthz").json()["results full"] is True


def test_without_a_store_the_pages_say_so():
    client = TestClient(Starlette(routes=Pages(None).routes()))
    assert client.get(f"/r/{'0' * 20}").status_code == 404 and client.get("/healthz").json()["sharing"] is False


# Addresses


def request(**headers: str) -> Any:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return SimpleNamespace(headers=headers, url=SimpleNamespace(scheme="http", hostname="inner"), client=None)


@pytest.mark.parametrize(
    ("environment", "headers", "wanted"),
    [
        ({}, {"host": "localhost:7860"}, "http://localhost:7860"),
        ({}, {"host": "[::1]:7860"}, "http://[::1]:7860"),
        ({}, {"host": "x", "x_forwarded_proto": "https"}, "https://x"),
        ({}, {"host": "x", "x_forwarded_host": "a.example, b", "x_forwarded_proto": "https,http"}, "https://a.example"),
        ({"GRADIO_ROOT_PATH": "/art/"}, {"host": "x.example"}, "http://x.example/art"),
        ({"GRADIO_ROOT_PATH": "https://x.example/art"}, {"host": "inner"}, "https://x.example/art"),
        ({"SPACE_HOST": "me-art.hf.space"}, {"host": "10.0.0.1"}, "https://me-art.hf.space"),
        ({}, {"host": 'evil"><script>'}, "http://inner"),
        ({}, {"host": "a/b?c"}, "http://inner"),
    ],
)
def test_the_app_knows_its_own_address(monkeypatch, environment, headers, wanted):
    for name in ("GRADIO_ROOT_PATH", "SPACE_HOST"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert address.home(request(**headers)) == wanted


@pytest.mark.parametrize(
    ("host", "wanted"), [("10.1.2.3", "10.1.2.3"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"), ("socket", "socket")]
)
def test_clients_are_told_apart(host, wanted):
    assert address.client(SimpleNamespace(client=SimpleNamespace(host=host))) == wanted
    assert address.client(SimpleNamespace(client=None)) == ""


# The part of a tab


@pytest.fixture
def made(tmp_path, monkeypatch) -> share.Offer:
    """A result, and what it was made from, as uploads."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    quick_examples(monkeypatch)
    paths = [save(tmp_path / f"{name}.png", drawn(i)) for i, name in enumerate(("photo", "style"))]
    result = save(tmp_path / "result.png", drawn(7), recipe=make_recipe({"size": 96}))
    return share.Offer(str(result), str(paths[0]), {"content": str(paths[0]), "style": str(paths[1])})


VISITOR: Any = SimpleNamespace(
    headers={"host": "pastiche.example"},
    url=SimpleNamespace(scheme="http", hostname="x"),
    client=SimpleNamespace(host="10.0.0.1"),
)


def links(html: str) -> tuple[str, str]:
    page, gone = (str(field["value"]) for field in Page(html).all("input"))
    return page.rpartition("/")[2], gone.rpartition("=")[2]


def test_sharing_gives_two_links(store, made):
    html = share.add(share.Desk(store), made, VISITOR, before=False, inputs=False, public=False)
    assert 'value="http://pastiche.example/r/' in html
    id, token = links(html)
    result = store.get(id)
    assert result and not result.public and result.recipe["settings"]["size"] == 96
    assert result.files.keys() == {"picture.webp", "card.jpg", "thumbnail.webp"}, "nothing but the result by itself"
    assert store.delete(id, token)


@pytest.mark.parametrize(
    ("ticked", "wanted"),
    [("before", {"before.webp"}), ("inputs", {"content.png", "style.png"}), ("public", set())],
)
def test_what_is_ticked_is_shared_and_no_more(store, made, ticked, wanted):
    asked = {name: name == ticked for name in ("before", "inputs", "public")}
    result = store.get(links(share.add(share.Desk(store), made, VISITOR, **asked))[0])
    assert result.files.keys() - {"picture.webp", "card.jpg", "thumbnail.webp"} == wanted
    assert result.public == (ticked == "public")


def test_a_remix_brings_everything_back(store, made):
    here = share.Desk(store)
    id, _ = links(share.add(here, made, VISITOR, before=True, inputs=True, public=False))
    remix = share.remix(here, {"remix": id, "size": "64"}, VISITOR)
    assert remix and remix.recipe["settings"]["size"] == 96 and "content" not in remix.recipe
    for kind in ("content", "style"):
        assert decode(remix.files[kind]).rgb.tobytes() == decode(made.inputs[kind]).rgb.tobytes()
    assert share.remix(here, {"size": "64"}, VISITOR) is None


def test_examples_are_remixed_by_name(store, made, tmp_path):
    result = save(tmp_path / "named.png", drawn(7), recipe=RECIPE)
    here, offer = share.Desk(store), share.Offer(str(result), made.before, made.inputs)
    id, _ = links(share.add(here, offer, VISITOR, before=False, inputs=True, public=False))
    remix = share.remix(here, {"remix": id}, VISITOR)
    assert remix and remix.recipe["content"] == "chelsea" and remix.recipe["style"] == "waves" and not remix.files


@pytest.mark.parametrize("id", ["0" * 20, "../../etc/passwd", EVIL, "x" * 9999])
def test_a_remix_of_nothing_is_told_and_counted(store, id):
    here = share.Desk(store, misses=Rate(2, 3600))
    with pytest.raises(gr.Error, match="no longer there"):
        share.remix(here, {"remix": id}, VISITOR)
    assert here.misses.allows("10.0.0.1") and here.misses.spend("10.0.0.1") and not here.misses.allows("10.0.0.1")


def test_masks_and_several_styles_are_shared_by_their_roles(store, made, tmp_path):
    recipe = make_recipe({"size": 96}, style=["waves", "mine.png"], content="chelsea", masks=["mask.png"])
    result = save(tmp_path / "several.png", drawn(7), recipe=recipe)
    roles = ("content", "style", "style-2", "masks", "style_masks-2")
    offer = share.Offer(str(result), None, dict.fromkeys(roles, made.inputs["style"]))
    here = share.Desk(store)
    id, _ = links(share.add(here, offer, VISITOR, before=True, inputs=True, public=False))
    remix = share.remix(here, {"remix": id}, VISITOR)
    assert remix and remix.files.keys() == {*roles} - {"content"}, "an example comes back by its name"


def test_there_must_be_something_to_share(store, made):
    for offer in (None, share.Offer("/nowhere.png")):
        with pytest.raises(gr.Error, match="no finished picture"):
            share.add(share.Desk(store), offer, VISITOR, before=False, inputs=False, public=False)


def test_sharing_has_its_measure(store, made, tmp_path):
    here = share.Desk(store, shares=Rate(2, 3600, overall=3))
    visitors = [SimpleNamespace(**{**vars(VISITOR), "client": SimpleNamespace(host=host)}) for host in "aaabb"]
    done = []
    for visitor in visitors:
        another = replace(made, result=str(shutil.copy(made.result, tmp_path / f"{len(done)}.png")))
        try:
            share.add(here, another, visitor, before=False, inputs=False, public=False)
            done.append(True)
        except gr.Error as error:
            assert "wait some minutes" in error.message
            done.append(False)
    assert done == [True, True, False, True, False], "two each, and three in all"


def test_sharing_has_its_measure_for_a_day(store, made, tmp_path):
    here = share.Desk(store, daily=Rate(1, 86400))
    share.add(here, made, VISITOR, before=False, inputs=False, public=False)
    another = replace(made, result=str(shutil.copy(made.result, tmp_path / "another.png")))
    with pytest.raises(gr.Error, match="a lot of sharing"):
        share.add(here, another, VISITOR, before=False, inputs=False, public=False)


def test_a_painting_is_shared_once(store, made):
    here = share.Desk(store)
    told: list[str] = []

    def press() -> None:
        try:
            told.append(share.add(here, made, VISITOR, before=False, inputs=False, public=False))
        except gr.Error as error:
            told.append(error.message)

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum("shared already" in one for one in told) == 7 and len(list(store.folder.iterdir())) == 1
    id, token = links(next(one for one in told if "delete" in one and "already" not in one))
    store.delete(id, token)
    assert links(share.add(here, made, VISITOR, before=False, inputs=False, public=False))


def test_what_failed_to_be_shared_can_be_shared_later(store, made, monkeypatch):
    here = share.Desk(store)
    with monkeypatch.context() as patch:
        patch.setattr(store, "add", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            share.add(here, made, VISITOR, before=False, inputs=False, public=False)
    assert links(share.add(here, made, VISITOR, before=False, inputs=False, public=False))


def test_remixes_have_their_measure(store, made):
    here = share.Desk(store, remixes=Rate(2, 3600))
    id, _ = links(share.add(here, made, VISITOR, before=False, inputs=True, public=False))
    for _ in range(2):
        assert share.remix(here, {"remix": id}, VISITOR).files
    with pytest.raises(gr.Error, match="a lot of remixes"):
        share.remix(here, {"remix": id}, VISITOR)


def test_trouble_with_the_disk_is_told(store, made, monkeypatch):
    def full(*_: Any, **__: Any) -> None:
        raise ResultsError("The disk of this server is full, so nothing can be shared now.")

    monkeypatch.setattr(store, "add", full)
    with pytest.raises(gr.Error, match="disk of this server is full"):
        share.add(share.Desk(store), made, VISITOR, before=False, inputs=False, public=False)


def components(lay_out: Any) -> tuple[set[str], str]:
    with gr.Blocks() as page:
        lay_out()
    blocks = list(page.blocks.values())
    html = " ".join(str(block.value) for block in blocks if isinstance(block, gr.HTML))
    return {str(block.elem_id) for block in blocks}, html


def test_where_nothing_can_be_kept_sharing_is_hidden_with_a_word_why(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    cases = {"off": "switched off", str(tmp_path / "file" / "x"): "cannot be used", str(tmp_path / "good"): ""}
    for place, why in cases.items():
        monkeypatch.setenv("PASTICHE_RESULTS", place)
        there, html = components(lambda: share.create(gr.State(), lambda _: None))
        assert ("share-create" in there) == (not why) and why in html


def test_a_rate_recovers_with_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("nst.server.limits.time.monotonic", lambda: now[0])
    rate = Rate(2, 60)
    assert [rate.spend("a") for _ in range(3)] == [True, True, False] and rate.spend("b")
    now[0] = 31.0
    assert [rate.spend("a") for _ in range(2)] == [True, False]
    for i in range(10_050):
        rate.spend(str(i))
    assert len(rate._left) <= 10_001, "a flood of addresses fills no memory"


# The gallery


def test_the_gallery_shows_public_results_page_by_page(store, monkeypatch):
    monkeypatch.setattr(share, "desk", lambda: share.Desk(store))
    monkeypatch.setattr(gallery, "PAGE", 3)
    html, more = gallery.show(3, VISITOR)
    assert "Nothing is here yet" in html and not more["visible"]
    ids = [store.add(drawn(i), RECIPE, public=i != 2)[0] for i in range(5)]
    html, more = gallery.show(3, VISITOR)
    assert more["visible"] and len(Page(html).all("li")) == 3
    html, more = gallery.show(99999, VISITOR)
    assert not more["visible"] and ids[2] not in html and all(id in html for id in ids if id != ids[2])
    card = Page(html)
    assert all(image["alt"] and "/thumbnail.webp" in str(image["src"]) for image in card.all("img"))
    assert [link for link in card.all("a") if "remix=" in str(link["href"])]


# Words


def test_a_recipe_is_told_in_words():
    layers = ["relu1_1", "relu2_1"]
    recipe = make_recipe({"strength": 62.5, "encoder": "vgg19", "style_layers": layers, "tv_weight": 0.5})
    told = dict(words.settings(recipe | {"steps": 37, "continued": True}))
    assert told["Style strength"] == "62.5" and told["Size"] == "512 px" and told["Encoder"] == "VGG-19"
    assert told["Style layers"] == "relu1_1, relu2_1" and told["Smoothness"] == "0.5"
    assert told["Steps taken"] == "37" and told["Begun from"] == "an earlier result"
    assert words.title({}) == "A photo in the manner of a painting"
    assert words.summary(recipe) == "Style strength 62.5, preset good, size 512 px"


def test_other_tasks_are_told_and_linked_too(client, store):
    recipe = make_recipe({"width": 96, "seamless": True}, task="texture", style=["waves", "night"])
    id, _ = store.add(drawn(), recipe, inputs={"style-2": drawn(3)})
    page = Page(client.get(f"/r/{id}").text)
    assert "A texture of Tall Sea and Night Wind" in page.text
    remix = next(str(link["href"]) for link in page.all("a") if "remix=" in str(link["href"]))
    query = dict(parse_qsl(urlsplit(remix).query))
    assert query["task"] == "texture" and query["style"] == "waves|night" and query["width"] == "96"
    assert client.get(f"/r/{id}/style-2.png").status_code == 200
    assert words.title({"task": "invert", "content": "chelsea"}) == "What a network sees in Chelsea the Cat"


@pytest.mark.parametrize("kind", ["../x", "", "a/b", "A", "x" * 99, "result.json"])
def test_kinds_of_inputs_are_no_paths(store, kind):
    with pytest.raises(ValueError, match="Kinds of inputs"):
        store.add(drawn(), {}, inputs={kind: drawn()})


@pytest.mark.parametrize(
    "recipe", [{}, {"settings": []}, {"settings": {"size": {}}, "content": 3, "style": None}, POISON]
)
def test_any_recipe_can_be_told(recipe):
    assert words.title(recipe) == "A photo in the manner of a painting"
    assert EVIL not in str(words.settings(recipe))


def test_the_assets_are_whole():
    pages = Path(routes.__file__).parent / "pages"
    assert {path.name for path in pages.iterdir()} == {
        "clip.html",
        "compare.html",
        "delete.html",
        "message.html",
        "page.css",
        "page.html",
        "page.js",
        "result.html",
    }
