"""Every way into the server, and the answer that a stranger gets: what the page needs, and nothing else."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_run import FakeRun
from test_hosting import SERVED, served
from visitor import Visitor

from nst.server import firewall, limits, passwords, peers, serving, tempfiles, uploads
from nst.server.allowlist import Refusal
from nst.server.limits import Rate
from nst.server.results import Store
from nst.server.results.desk import Desk

JSON = {"Content-Type": "application/json"}


def table(text: str) -> dict[str, int]:
    """Answers by method and route."""
    lines = (line.split(": ", 1) for line in text.strip().splitlines())
    return {route: int(status) for status, routes in lines for route in routes.split(" | ")}


ANSWERS = table("""
200: GET / | HEAD / | GET /config | GET /config/ | GET /theme.css | GET /favicon.ico | GET /robots.txt
200: GET /manifest.json | GET /pwa_icon | GET /healthz | HEAD /healthz | GET /card.jpg | HEAD /card.jpg
200: GET /styles.css | HEAD /styles.css
200: GET /gradio_api/info | GET /gradio_api/info/ | GET /gradio_api/startup-events | GET /gradio_api/theme.css
200: GET /gradio_api/heartbeat/{session_hash}
302: GET /logout
400: POST /gradio_api/component_server | POST /gradio_api/component_server/ | POST /gradio_api/upload
403: GET /gradio_api/file={path_or_url:path} | HEAD /gradio_api/file={path_or_url:path}
404: GET /svelte/{path:path} | GET /static/{path:path} | GET /assets/{path:path} | GET /pwa_icon/{size}
404: GET /monitoring | GET /monitoring/summary | GET /monitoring/{key} | GET /openapi.json | HEAD /openapi.json
404: GET /r | HEAD /r | GET /r/{rest:path} | HEAD /r/{rest:path} | GET /r/{id} | HEAD /r/{id} | GET /r/{id}.json
404: HEAD /r/{id}.json | GET /r/{id}.{kind} | HEAD /r/{id}.{kind} | GET /r/{id}/{name} | HEAD /r/{id}/{name}
404: GET /r/{id}/delete | HEAD /r/{id}/delete | POST /r/{id}/delete | POST /gradio_api/run/{api_name}
404: POST /gradio_api/run/{api_name}/ | POST /gradio_api/stream/{event_id}/close | GET /gradio_api/app_id
404: GET /gradio_api/app_id/ | GET /gradio_api/user | GET /gradio_api/user/ | GET /gradio_api/token
404: GET /gradio_api/token/ | GET /gradio_api/login_check | GET /gradio_api/login_check/ | GET /gradio_api/deep_link
404: GET /gradio_api/dev/reload | GET /gradio_api/queue/status | GET /gradio_api/openapi.json | GET /gradio_api/runs
404: GET /gradio_api/runs/ | GET /gradio_api/file/{path:path} | GET /gradio_api/proxy={url_path:path}
404: HEAD /gradio_api/proxy={url_path:path} | GET /gradio_api/custom_component/{id}/{environment}/{type}/{file_name}
404: GET /gradio_api/stream/{session_hash}/{run}/{component_id}/playlist-file
404: GET /gradio_api/stream/{session_hash}/{run}/{component_id}/playlist.m3u8
404: GET /gradio_api/stream/{session_hash}/{run}/{component_id}/{segment_id}.{ext}
404: POST /gradio_api/process_recording | POST /gradio_api/api/{api_name} | POST /gradio_api/api/{api_name}/
404: POST /gradio_api/call/{api_name} | POST /gradio_api/call/{api_name}/ | GET /gradio_api/call/{api_name}/{event_id}
404: POST /gradio_api/call/v2/{api_name} | POST /gradio_api/call/v2/{api_name}/
404: GET /gradio_api/call/v2/{api_name}/{event_id} | GET /gradio_api/vibe-code | GET /gradio_api/vibe-code/
404: POST /gradio_api/vibe-code | POST /gradio_api/vibe-code/ | POST /gradio_api/vibe-edit
404: POST /gradio_api/vibe-edit/ | POST /gradio_api/undo-vibe-edit | POST /gradio_api/undo-vibe-edit/
404: POST /gradio_api/vibe-starter-queries | POST /gradio_api/vibe-starter-queries/
422: POST /login | POST /login/ | GET /gradio_api/queue/data | POST /gradio_api/queue/join | POST /gradio_api/cancel
422: POST /gradio_api/reset | POST /gradio_api/reset/ | POST /gradio_api/stream/{event_id}
422: GET /gradio_api/upload_progress
""")
"""What a stranger gets, by method and route. 422 and 400 are of gradio, where something is missing in what was sent."""

FOR_PROGRAMS = table("""
200: GET /gradio_api/openapi.json | GET /gradio_api/call/{api_name}/{event_id}
422: POST /gradio_api/call/{api_name} | POST /gradio_api/call/{api_name}/
""")
"""What is answered otherwise where the host lets programs in."""


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("firewall"), FakeRun(seconds=0.01)) as address:
        yield address


def walked(routes: Iterable[Any], before: str = "") -> Iterator[str]:
    """Methods and paths of all routes, as in `ANSWERS`."""
    for route in routes:
        if (router := getattr(route, "original_router", None)) is not None:  # FastAPI includes routers lazily
            yield from walked(router.routes, before)
        elif hasattr(route, "routes") and not hasattr(route, "endpoint"):
            yield from walked(route.routes or (), before + route.path)
        else:
            yield from (f"{method} {before}{route.path}" for method in route.methods)


def answers(url: str, route: str) -> int:
    """The status that a stranger gets who knows the route, but no session and no name of a file."""
    method, path = route.split(" ", 1)
    path = re.sub(r"\{[^}]*path[^}]*\}", "etc/passwd", path)
    path = re.sub(r"\{.*?\}", "unknown", path)
    more: dict[str, Any] = {"content": b"{}", "headers": JSON} if method == "POST" else {}
    if path.startswith("/login"):
        more = {"data": {}}
    with httpx.stream(method, url.rstrip("/") + path, timeout=20, **more) as answer:
        return answer.status_code


def test_every_route_is_known_and_has_the_answer_that_a_stranger_gets(url):
    """A route that a new version brings is not in the list, and fails this: decide whether the page needs it."""
    routes = set(walked(SERVED[url].app.routes))
    assert routes == ANSWERS.keys(), "routes that are new, or gone"
    assert {route: answers(url, route) for route in ANSWERS} == ANSWERS


def test_every_route_for_programs_is_known(tmp_path):
    with served(tmp_path, FakeRun(), api=True, mcp_server=False) as url:
        assert set(walked(SERVED[url].app.routes)) == ANSWERS.keys()
        expected = ANSWERS | FOR_PROGRAMS
        assert {route: answers(url, route) for route in expected} == expected


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ["", "config", "gradio_api/queue/join", "gradio_api/upload", "r/x"])
def test_other_methods_are_not_there(url, method, path):
    assert httpx.request(method, url + path, headers={"Origin": "https://evil.example"}).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "?page=x",
        "config?page=x",
        "?deep_link=x",
        "gradio_api/info?all_endpoints=true",
        "/",
        "//gradio_api/info",
        "gradio_api",
        "GRADIO_API/info",
        "gradio_api/info/../token",
        "gradio_api/%66ile/https://example.org/x.png",
        "gradio_api/file/https://example.org/x.png",
        "pwa_icon/64",
        "pwa_icon/99999",
        "gradio_api/mcp/",
        "docs",
        "redoc",
        "robots.txt/",
    ],
)
def test_by_ways_around_nothing_is_there(url, path):
    with socket.create_connection(("127.0.0.1", httpx.URL(url).port), timeout=20) as one:  # a client would tidy it up
        one.sendall(f"GET /{path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert b" 404 " in one.makefile("rb").readline()


# Bodies


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-32-be", "utf-8-sig", "utf-7"])
@pytest.mark.parametrize("way", ["queue/join", "run/predict", "cancel", "component_server", "stream/x"])
def test_json_is_utf_8_or_nothing(url, encoding, way):
    body = json.dumps(
        {"data": [{"path": "http://127.0.0.1:9/x.png+"}], "fn_index": 0, "session_hash": "é"}, ensure_ascii=False
    )
    answer = httpx.post(f"{url}gradio_api/{way}", content=body.encode(encoding), headers=JSON)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "body",
    [b"{", b"[" * 100_000, b"\xff", b'"text"', b"7", b"null", b'{"data": NaN', b"a=b", b"9" * 9999],
    ids=lambda body: body[:8].decode("latin-1"),
)
def test_what_is_no_json_object_is_refused(body):
    with pytest.raises(Refusal) as refused:
        firewall.understood(body)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "path",
    [
        "http://x",
        "HTTPS://x",
        " http://x",
        "\thttp:x",
        "//x/y",
        "\\\\x\\y",
        "ftp://x",
        "file:///etc/passwd",
        "gopher://x",
        "data:image/png;base64,AA",
        "/\\x",
    ],
)
def test_no_path_may_be_an_address(path):
    for value in ({"path": path}, [{"a": [{"b": {"path": path}}]}], {"path": {"path": path}}):
        with pytest.raises(Refusal, match="not fetched"):
            firewall.understood(json.dumps(value).encode())
    for mine in ("/tmp/gradio/abc/photo.png", "C:\\Temp\\photo.png", None, 7):
        assert json.loads(firewall.understood(json.dumps({"path": mine}).encode())) == {"path": mine}


def test_what_is_checked_is_what_is_passed_on():
    twice = b'{"path": "http://x", "path": "/tmp/x", "n": 1e3}'
    assert firewall.understood(twice) == b'{"path": "/tmp/x", "n": 1000.0}'


# Other sites, and other names


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "", "http://[", "evil"])
def test_another_site_cannot_act_for_a_visitor(url, origin):
    for way in ("queue/join", "run/predict", "upload", "cancel", "component_server"):
        answer = httpx.post(f"{url}gradio_api/{way}", json={}, headers={"Origin": origin})
        assert answer.status_code == 403 and "its own page" in answer.text
    assert httpx.post(f"{url}login", data={}, headers={"Origin": origin}).status_code == 403
    own = httpx.post(f"{url}gradio_api/cancel", json={}, headers={"Origin": url.rstrip("/")})
    assert own.status_code == 422, "its own page is let in"


def test_another_site_reads_nothing_that_is_a_visitor_s(url):
    for path in ("", "config", "gradio_api/info", "healthz"):
        answer = httpx.get(url + path, headers={"Origin": "https://evil.example"})
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "name", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "127.evil.example", "192.168.1.7", ""]
)
def test_on_this_machine_it_goes_by_this_machine_s_names(url, name):
    """A name server of an attacker's can say that evil.example is 127.0.0.1; then the browser takes it for one site."""
    for method, path in (("GET", ""), ("GET", "config"), ("POST", "gradio_api/queue/join")):
        answer = httpx.request(method, url + path, headers={"Host": name})
        assert answer.status_code == 421 and "--root-path" in answer.text
    port = httpx.URL(url).port
    for good in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "pastiche.localhost"):
        assert httpx.get(f"{url}healthz", headers={"Host": good}).status_code == 200


def test_for_others_it_goes_by_any_name(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_ROOT_PATH", "https://art.example/x")
    with served(tmp_path, FakeRun()) as url:
        for origin, status in (("https://art.example", 422), ("https://evil.example", 403)):
            answer = httpx.post(f"{url}gradio_api/cancel", json={}, headers={"Host": "inner", "Origin": origin})
            assert answer.status_code == status


def test_mcp_and_the_api_look_at_origin_and_host(tmp_path):
    pytest.importorskip("mcp")
    with served(tmp_path, FakeRun(), api=True) as url:
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        accept = {"Accept": "application/json, text/event-stream"}
        for way in ("mcp/", "mcp", "call/stylize"):
            for told, status in (({"Origin": "https://evil.example"}, 403), ({"Host": "evil.example"}, 421)):
                assert httpx.post(f"{url}gradio_api/{way}", json=asked, headers=accept | told).status_code == status
        answer = httpx.post(f"{url}gradio_api/mcp/", json=asked, headers=accept)
        assert answer.status_code == 200 and "stylize" in answer.text


# Passwords


@pytest.fixture
def guarded(tmp_path) -> Iterator[str]:
    with served(tmp_path, FakeRun(), auth=[("anna", "secret"), ("ben", "other")]) as address:
        yield address


def log_in(url: str, name: str, password: str, **headers: str) -> httpx.Response:
    return httpx.post(f"{url}login", data={"username": name, "password": password}, headers=headers)


def test_cookies_are_for_this_site(guarded):
    for scheme in ("http", "https"):
        answer = log_in(guarded, "anna", "secret", Cookie="")
        cookies = answer.headers.get_list("set-cookie")
        assert len(cookies) == 2 and scheme
        for cookie in cookies:
            parts = [part.strip().lower() for part in cookie.split(";")]
            assert (
                parts.count("samesite=lax") == 1 and not any("none" in part for part in parts) and "httponly" in parts
            )


def test_wrong_passwords_are_slowed_by_name_and_address(guarded):
    answers = list[int]()
    threads = [
        threading.Thread(target=lambda: answers.append(log_in(guarded, "anna", "x").status_code)) for _ in range(30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [400] * passwords.GUESSES + [429] * 20, "even all at once"
    refused = log_in(guarded, "anna", "secret")
    assert refused.status_code == 429 and "wrong passwords" in refused.text
    assert log_in(guarded, " anna ", "secret").status_code == 429, "the same name"
    assert log_in(guarded, "ben", "other").status_code == 200, "another name"
    files = httpx.post(f"{guarded}login", files={"username": (None, "anna"), "password": (None, "secret")})
    assert files.status_code == 429, "however it is sent"


def test_nobody_is_locked_out_by_others_who_know_the_name(tmp_path, monkeypatch):
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "127.0.0.1")
    with served(tmp_path, FakeRun(), auth=[("anna", "secret")]) as url:
        for _ in range(passwords.GUESSES + 3):
            log_in(url, "anna", "x", **{"X-Forwarded-For": "203.0.113.5"})
        assert log_in(url, "anna", "secret", **{"X-Forwarded-For": "203.0.113.5"}).status_code == 429
        assert log_in(url, "anna", "secret", **{"X-Forwarded-For": "203.0.113.6"}).status_code == 200


# Proxies


@pytest.mark.parametrize(
    ("trusted", "peer", "chain", "client"),
    [
        ("", "203.0.113.9", "1.2.3.4", "203.0.113.9"),
        ("", "127.0.0.1", "1.2.3.4", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9", "1.2.3.4", "203.0.113.9"),
        ("127.0.0.1", "127.0.0.1", "1.2.3.4, 5.6.7.8", "5.6.7.8"),
        ("127.0.0.1,10.0.0.0/8", "127.0.0.1", "1.2.3.4, 5.6.7.8, 10.3.4.5", "5.6.7.8"),
        (peers.PRIVATE, "10.1.2.3", "1.2.3.4, 5.6.7.8, 10.3.4.5, 172.16.9.9", "5.6.7.8"),
    ],
)
def test_only_our_own_proxies_are_believed(trusted, peer, chain, client):
    import asyncio

    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    headers = [(b"x-forwarded-for", chain.encode()), (b"x-forwarded-host", b"evil.example"), (b"host", b"art.example")]
    scope = {"type": "http", "client": (peer, 1), "scheme": "http", "headers": headers}
    asyncio.run(peers.Peers(app, trusted)(scope, None, None))  # type: ignore[arg-type]
    assert firewall.peer(seen[0]) == client
    believed = client not in (peer,)
    assert (dict(seen[0]["headers"]).get(b"x-forwarded-host") is not None) is believed
    assert dict(seen[0]["headers"])[b"host"] == b"art.example"


def test_which_proxies_are_ours(monkeypatch):
    for name in ("FORWARDED_ALLOW_IPS", "GRADIO_ROOT_PATH", "SYSTEM", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    assert peers.trusted() == ""
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/art")
    assert peers.trusted() == peers.LOOPBACK
    monkeypatch.setenv("SPACE_ID", "me/art")
    assert peers.trusted() == peers.PRIVATE
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.9.9.9")
    assert peers.trusted() == "10.9.9.9"


def test_who_writes_a_forwarded_address_is_counted_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "desk", lambda: Desk(Store(tmp_path / "results"), misses=Rate(5, 86400)))
    with served(tmp_path, FakeRun()) as url:
        forged = [{"X-Forwarded-For": f"203.0.113.{i}", "Forwarded": f"for=203.0.113.{i}"} for i in range(8)]
        assert [httpx.get(f"{url}r/{1:020}", headers=one).status_code for one in forged] == [404] * 5 + [429] * 3


# Uploads


@pytest.fixture
def strict(monkeypatch):
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    monkeypatch.setattr(tempfiles, "make_room", lambda size: True)


def test_uploads_have_a_total_for_each_address(strict, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: now[0])
    ledger = uploads.Uploads()
    for _ in range(20):
        with ledger.place("anna", "24000000"):
            pass
    with pytest.raises(Refusal, match="500 MB a day") as refused, ledger.place("anna", "24000000"):
        pass
    assert refused.value.status == 429
    with ledger.place("ben", "24000000"):
        pass
    now[0] = uploads.DAY / 2
    with ledger.place("anna", "24000000"):
        pass


def test_few_uploads_come_at_once_and_say_how_large_they_are(strict):
    ledger = uploads.Uploads()
    places = [ledger.place("anna", "10") for _ in range(uploads.AT_ONCE_OF_ADDRESS)]
    for place in places:
        place.__enter__()
    with pytest.raises(Refusal, match="in a moment"), ledger.place("anna", "10"):
        pass
    places[0].__exit__(None, None, None)
    with ledger.place("anna", "10"):
        pass
    for length in ("", "-1", "x", "9" * 30, "1e3"):
        with pytest.raises(Refusal, match="how large"), ledger.place("ben", length):
            pass


def test_what_is_coming_counts_as_if_it_were_there(monkeypatch):
    asked: list[int] = []
    monkeypatch.setattr(tempfiles, "make_room", lambda size: asked.append(size) is None and size < 50)
    ledger = uploads.Uploads()
    refusal = pytest.raises(Refusal, match="disk of this server is full")
    with ledger.place("anna", "30"), refusal as refused, ledger.place("ben", "30"):
        pass
    assert asked == [30, 60] and refused.value.status == 507 and not ledger.coming and not ledger.bytes_coming


def test_an_upload_holds_little_in_memory_and_few_files_open(url, monkeypatch):
    field = httpx.post(f"{url}gradio_api/upload", files={"files": (None, "x" * (uploads.MAX_FIELD + 1))})
    assert field.status_code == 400 and "too large" in field.text
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    many = [("files", (f"{i}.png", b"x")) for i in range(uploads.FILES + 1)]
    assert httpx.post(f"{url}gradio_api/upload", files=many).status_code == 400
    assert httpx.post(f"{url}gradio_api/upload", files=many[1:]).status_code == 200


def test_without_a_length_nothing_is_uploaded(url):
    def chunks() -> Iterator[bytes]:
        yield b"--x\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert httpx.post(f"{url}gradio_api/upload", content=chunks(), headers=headers).status_code == 411


def test_a_visitor_s_pictures_still_come(url, tmp_path):
    (tmp_path / "photo.png").write_bytes(b"x" * 1000)
    visitor = Visitor(url)
    assert Path(visitor.upload(tmp_path / "photo.png")["path"]).is_file()
    visitor.close()


def test_floods_from_one_address_are_slowed(tmp_path, monkeypatch):
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    monkeypatch.setattr(firewall, "POSTS", (20, 86400.0))
    with served(tmp_path, FakeRun()) as url:
        codes = [httpx.post(f"{url}gradio_api/cancel", json={}).status_code for _ in range(25)]
        assert codes == [422] * 20 + [429] * 5 and limits.current() is limits.STRICT
        assert httpx.get(url).status_code == 200


def test_who_knocks_again_and_again_is_answered_late_and_nobody_else(tmp_path, monkeypatch):
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "127.0.0.1")
    monkeypatch.setattr(firewall, "MISSES", (3, 86400.0))
    monkeypatch.setattr(firewall, "SLOWLY", 600.0)
    with served(tmp_path, FakeRun()) as url:
        knocks, other = {"X-Forwarded-For": "203.0.113.70"}, {"X-Forwarded-For": "203.0.113.71"}
        for _ in range(3):
            assert httpx.get(f"{url}nowhere", headers=knocks).status_code == 404
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{url}nowhere", headers=knocks, timeout=2)
        assert httpx.get(f"{url}nowhere", headers=other).status_code == 404
