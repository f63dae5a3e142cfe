"""Weights: the ways they come here, and everything that can go wrong on the way."""

from __future__ import annotations

import errno
import json
import os
import pickle
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import huggingface_hub.constants
import pytest
import torch
from fake_hub import FakeHub, go_online
from huggingface_hub.utils import httpx
from safetensors.torch import load_file, save, save_file

from nst import weights
from nst.weights import Weights, WeightsError, WeightsNotFound, hub, manifest, partial_download, resolve

REPO, REVISION = "owner/tiny.vgg", "0123456789abcdef0123456789abcdef01234567"
ROOT = Path(__file__).resolve().parent.parent


def tiny_vgg() -> dict[str, torch.Tensor]:
    """The layout of a timm VGG: features, then a larger classifier."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"features.0.weight": (64, 16, 3, 3), "features.0.bias": (64,)}
    shapes |= {"features.2.weight": (64, 64, 3, 3), "features.2.bias": (64,)}
    shapes |= {"head.fc.weight": (300, 200), "pre_logits.fc1.weight": (30, 30)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


FEATURES = {k.removeprefix("features."): t for k, t in tiny_vgg().items() if k.startswith("features.")}
SHAPES = {name: list(t.shape) for name, t in FEATURES.items()}
WANTED = sum(t.nbytes for t in FEATURES.values())


def entry(sha256: str, **changes: object) -> Weights:
    fields: dict[str, object] = {
        "name": "tiny",
        "kind": "encoder",
        "architecture": "tiny",
        "file": "model.safetensors",
        "license": "mit",
        "source": "a test",
        "sha256": sha256,
        "repo": REPO,
        "revision": REVISION,
        "prefix": "features.",
        "tensors": 4,
        "download": WANTED,
        "config": {"widths": [64, 64]},
        "shapes": SHAPES,
    }
    return Weights(**(fields | changes))  # type: ignore[arg-type]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Empty caches and an empty pretrained folder; nothing but loopback, and short waits."""
    (tmp_path / "pretrained").mkdir()
    monkeypatch.setattr(manifest, "PRETRAINED", tmp_path / "pretrained")
    go_online(monkeypatch, tmp_path)
    monkeypatch.setattr(hub, "RETRY_WAITS", (0.01, 0.01, 0.01))
    monkeypatch.setattr(hub, "READ_SECONDS", 2.0)
    monkeypatch.setattr(hub, "LONGEST_WAIT", 0.05)
    yield tmp_path
    huggingface_hub.close_session()


@pytest.fixture
def fake(place, monkeypatch):
    with FakeHub() as server:
        server.sha256 = server.add(REPO, REVISION, "model.safetensors", save(tiny_vgg()))
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server


def assert_sound(path: Path, prefix: str = "features.") -> None:
    loaded = weights.load_tensors(path, prefix)
    assert loaded.keys() == FEATURES.keys()
    for name, tensor in FEATURES.items():
        assert torch.equal(loaded[name], tensor), name


# ---- the partial download


def test_only_the_wanted_tensors_are_fetched(fake, place):
    seen = []
    path = resolve(entry(fake.sha256), progress=lambda done, total: seen.append((done, total)))
    assert_sound(path)
    assert set(load_file(path)) == {f"features.{name}" for name in FEATURES}
    assert seen[-1] == (WANTED, WANTED) and seen == sorted(seen)
    assert [(asked.method, asked.range != "", asked.authorization) for asked in fake.requests] == [
        ("GET", True, ""),
        ("GET", True, ""),
    ]
    said = weights.metadata(path)
    assert json.loads(said["config"]) == {"widths": [64, 64]} and said["prefix"] == "features."
    assert REVISION in said["source"] and said["license"] == "mit"


def test_no_request_when_cached(fake, monkeypatch):
    path = resolve(entry(fake.sha256))
    fake.requests.clear()
    assert resolve(entry(fake.sha256)) == path
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert resolve(entry(fake.sha256), download=False) == path
    assert weights.find(entry(fake.sha256)) == path
    assert fake.requests == []


def test_a_header_longer_than_the_first_read_takes_one_more_request(fake, monkeypatch):
    monkeypatch.setattr(partial_download, "FIRST_READ", 100)
    assert_sound(resolve(entry(fake.sha256)))
    assert len(fake.requests) == 3


def test_redirect_as_the_hub_does_for_large_files(fake):
    fake.redirect = True
    fake.etag = "the-etag-of-the-storage"
    assert_sound(resolve(entry(fake.sha256)))
    assert any(asked.path.startswith("/cdn") and asked.range for asked in fake.requests)


def test_scattered_tensors(fake):
    table, data = {}, b""
    for name in ("0.weight", "head", "2.bias", "0.bias", "2.weight"):
        tensor = FEATURES.get(name, torch.ones(1000))
        span = [len(data), len(data) + tensor.nbytes]
        name = f"features.{name}" if name in FEATURES else name
        table[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": span}
        data += tensor.numpy().tobytes()
    sha = fake.add(REPO, REVISION, "model.safetensors", packed(table, data))
    assert_sound(resolve(entry(sha)))
    assert len(fake.requests) == 3  # the header, and two runs


def test_token_of_the_user_goes_to_the_hub_alone(fake, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with FakeHub() as elsewhere:
        elsewhere.files |= {f"/cdn{path}": file for path, file in fake.files.items()}
        fake.cdn, fake.redirect = elsewhere.endpoint, True
        assert_sound(resolve(entry(fake.sha256)))
        assert elsewhere.requests and {asked.authorization for asked in elsewhere.requests} == {""}
    fake.cdn, fake.redirect, fake.ranges = "", False, False
    resolve(entry(fake.sha256, name="other"))
    assert {asked.authorization for asked in fake.requests} == {"Bearer hf_secret"}


@pytest.mark.parametrize("address", ["http://mirror.example", "http://127.0.0.1.evil.example", "http://localhost@evil"])
def test_token_is_not_sent_in_the_clear(monkeypatch, address):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HF_ENDPOINT", address)
    assert hub.token() is None
    monkeypatch.setenv("HF_ENDPOINT", address.replace("http:", "https:"))
    assert hub.token() == "hf_secret"


def test_private_and_gated_models_are_told_apart_from_missing_ones(fake, monkeypatch):
    fake.private = {REPO}
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(WeightsNotFound, match="without a token"):
        resolve(entry(fake.sha256))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert_sound(resolve(entry(fake.sha256)))


# ---- what others have cached


def test_a_place_that_refuses_parts_is_asked_for_the_whole(fake):
    """The CDN at times answers 403 to valid requests for ranges (datasets#8328, xet-core#897)."""
    fake.redirect, fake.cdn_refuses_ranges = True, True
    assert_sound(resolve(entry(fake.sha256)))
    assert [asked.method for asked in fake.requests if not asked.range], "by the library, without ranges"


def test_the_same_file_cached_at_another_revision_is_found(fake):
    other = "f" * 40
    fake.add(REPO, other, "model.safetensors", save(tiny_vgg()))
    hub.RemoteFile(REPO, other, "model.safetensors").download()
    fake.requests.clear()
    path = resolve(entry(fake.sha256))
    assert_sound(path)
    assert other in str(path) and weights.find(entry(fake.sha256)) == path and not fake.requests


def test_what_torch_hub_has_fetched_is_used_if_sound(fake, place, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(place / "torch"))
    folder = place / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(tiny_vgg(), folder / "made.pth")
    sum_ = manifest.file_sha256(folder / "made.pth")
    for name, good in ((f"vgg-{sum_[:8]}.pth", True), ("vgg-00000000.pth", False)):
        (folder / "made.pth").rename(folder / name)
        (place / "cache").exists() and [note.unlink() for note in (place / "cache").glob("*.json")]
        fake.requests.clear()
        path = resolve(entry(fake.sha256, checkpoint=name))
        assert_sound(path)
        assert (path.name == name) == good and bool(fake.requests) != good
        (folder / name).rename(folder / "made.pth")


# ---- cuts, stalls, changes


def test_cut_is_resumed_where_it_was(fake):
    fake.cuts = [-1, 90_000, 50_000]
    assert_sound(resolve(entry(fake.sha256)))
    starts = [int(asked.range.split("=")[1].split("-")[0]) for asked in fake.requests[1:]]
    assert starts[1] - starts[0] == 90_000 and starts[2] - starts[1] == 50_000


def test_cut_in_the_header(fake):
    fake.cuts = [30]
    assert_sound(resolve(entry(fake.sha256)))


def test_next_run_goes_on_after_a_broken_one(fake):
    class Quit(Exception):
        pass

    def quit_halfway(done: int, total: int) -> None:
        if done > total // 2:
            raise Quit

    with pytest.raises(Quit):
        resolve(entry(fake.sha256), progress=quit_halfway)
    fake.requests.clear()
    seen = []
    assert_sound(resolve(entry(fake.sha256), progress=lambda done, total: seen.append(done)))
    assert seen[0] > WANTED // 2
    assert len(fake.requests) == 2


def test_begun_anew_when_the_source_has_another_tag(fake):
    fake.linked = ""
    fake.cuts, fake.statuses = [-1, 100_000], [(200, ""), (200, "")] + [(503, "")] * 4
    with pytest.raises(WeightsNotFound, match="503"):
        resolve(entry(fake.sha256))
    assert next((weights.cache_dir()).glob("*.partial")).stat().st_size > 90_000
    fake.etag = "another"
    seen = []
    assert_sound(resolve(entry(fake.sha256), progress=lambda done, total: seen.append(done)))
    assert seen[0] < 90_000


def test_foreign_partial_file_is_not_trusted(fake):
    weights.cache_dir().mkdir()
    (weights.cache_dir() / "tiny-0123456789.partial").write_bytes(os.urandom(WANTED * 2))
    assert_sound(resolve(entry(fake.sha256)))


def test_given_up_after_cuts_without_headway_but_what_came_is_kept(fake):
    fake.cuts = [-1, 100_000, 0, 0, 0, 0, 0, 0]
    with pytest.raises(WeightsNotFound, match="broke off again and again"):
        resolve(entry(fake.sha256))
    fake.cuts = []
    fake.requests.clear()
    assert_sound(resolve(entry(fake.sha256)))
    first = int(fake.requests[1].range.split("=")[1].split("-")[0])
    assert first >= 100_000


def test_stalled_body_is_taken_up_again(fake, monkeypatch):
    monkeypatch.setattr(hub, "READ_SECONDS", 0.2)
    fake.pauses = [0.0, 1.0]
    assert_sound(resolve(entry(fake.sha256)))
    assert len(fake.requests) == 3, "the header, the body, and what was left of it when nothing more came"


def test_silent_server_is_given_up(fake, monkeypatch):
    monkeypatch.setattr(hub, "READ_SECONDS", 0.2)
    fake.pauses = [5.0]
    fake.drip = (10, 5.0)
    with pytest.raises(WeightsNotFound, match="did not answer in time"):
        resolve(entry(fake.sha256))


def test_trickle_is_given_up(fake, monkeypatch):
    monkeypatch.setattr(hub, "TRICKLE_SECONDS", 0.1)
    fake.drip = (100, 0.02)
    with pytest.raises(WeightsNotFound, match="broke off again and again"):
        resolve(entry(fake.sha256))


def test_file_that_changes_midway_is_refused(fake):
    fake.cuts = [-1, 90_000]
    fake.linked = ""

    def change(done: int, total: int) -> None:
        fake.etag = "another"

    with pytest.raises(WeightsNotFound, match="changed while"):
        resolve(entry(fake.sha256), progress=change)


def test_wrong_range_is_refused(fake):
    fake.shift = 8
    with pytest.raises(WeightsNotFound, match="another part"):
        resolve(entry(fake.sha256))


def test_redirect_to_an_address_without_encryption_is_refused(fake, monkeypatch):
    def answer(request):
        if request.url.scheme == "http":
            return httpx.Response(206)
        return httpx.Response(302, headers={"location": "http://cdn.example/file"})

    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example")
    client = httpx.Client(transport=httpx.MockTransport(answer))
    monkeypatch.setattr(huggingface_hub, "get_session", lambda: client)
    with pytest.raises(WeightsNotFound, match="without encryption"):
        resolve(entry(fake.sha256))


# ---- answers that are no files


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (404, "EntryNotFound", "has no file model.safetensors"),
        (404, "RevisionNotFound", "has no revision"),
        (404, "", "has no file"),
        (401, "RepoNotFound", "shows no repository owner/tiny.vgg without a token"),
        (401, "", "shows no repository"),
        (401, "GatedRepo", "accepted its terms"),
        (403, "GatedRepo", "accepted its terms"),
        (403, "", "forbidden"),
        (418, "", "unexpected status"),
    ],
)
def test_refusals_are_told_in_words_and_asked_once(fake, status, code, says):
    fake.statuses = [(status, code)] * 9
    with pytest.raises(WeightsNotFound, match=says) as caught:
        resolve(entry(fake.sha256))
    assert len(fake.requests) == 1
    assert "python -m nst models pull tiny" in str(caught.value)


@pytest.mark.parametrize(("status", "says"), [(429, "too many requests"), (500, "trouble"), (503, "trouble")])
def test_busy_server_is_asked_a_few_times(fake, status, says):
    fake.statuses = [(status, "")] * 3
    assert_sound(resolve(entry(fake.sha256)))
    fake.statuses = [(status, "")] * 9
    fake.retry_after = "3600"  # politely declined: the user waits at most LONGEST_WAIT
    fake.requests.clear()
    with pytest.raises(WeightsNotFound, match=says):
        resolve(entry(fake.sha256, name="other"))
    assert len(fake.requests) == 4
    fake.statuses, fake.retry_after = [(status, "")] * 3, "²"  # no number, though a digit
    assert_sound(resolve(entry(fake.sha256, name="third")))


# ---- no network


def test_offline_fails_at_once_and_names_every_place(fake, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsNotFound) as caught:
        resolve(entry(fake.sha256))
    text = str(caught.value)
    assert fake.requests == []
    for part in ("tiny.safetensors (not there)", "tiny.pth", "tiny-0123456789", REPO, "HF_HUB_OFFLINE"):
        assert part in text
    assert "`python -m nst models pull tiny`" in text


def test_without_download_nothing_is_asked(fake):
    with pytest.raises(WeightsNotFound, match="not asked"):
        resolve(entry(fake.sha256), download=False)
    assert fake.requests == []


def test_closed_port_fails_at_once(place, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(hub.time, "sleep", lambda seconds: pytest.fail("it was waited for"))
    with pytest.raises(WeightsNotFound, match="cannot be reached"):
        resolve(entry("0" * 64))
    with pytest.raises(WeightsNotFound, match="cannot be reached"):
        resolve(entry("0" * 64, prefix="", shapes={}))


def test_name_lookup_that_hangs_is_not_waited_for(place, monkeypatch):
    real, given_up, ended = socket.getaddrinfo, threading.Event(), threading.Event()

    def hang(host, *args, **kwargs):
        if host == "hub.invalid":
            given_up.wait(30)
            ended.set()
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr(hub, "CONNECT_SECONDS", 0.3)
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    with pytest.raises(WeightsNotFound, match="cannot be reached"):
        resolve(entry("0" * 64))
    assert not ended.is_set()
    given_up.set()


def test_the_limit_is_three_seconds():
    assert hub.CONNECT_SECONDS == 3.0


@pytest.mark.parametrize("endpoint", ["nonsense", "ftp://127.0.0.1", "http://[::bad"])
def test_endpoint_that_is_no_address(place, monkeypatch, endpoint):
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(WeightsNotFound):
        resolve(entry("0" * 64))


# ---- ranges refused: the whole file


def test_whole_file_where_ranges_are_refused(fake):
    fake.ranges = False
    seen = []
    path = resolve(entry(fake.sha256), progress=lambda done, total: seen.append((done, total)))
    assert_sound(path)
    size = path.stat().st_size
    assert "hub" in path.parts and seen[-1] == (size, size)
    fake.requests.clear()
    assert resolve(entry(fake.sha256)) == path
    assert fake.requests == []


def test_whole_file_is_hashed_once(fake, monkeypatch):
    fake.ranges = False
    path = resolve(entry(fake.sha256))

    hashed = []
    monkeypatch.setattr(weights, "file_sha256", lambda path: hashed.append(path) or fake.sha256)
    assert resolve(entry(fake.sha256)) == path
    assert hashed == []
    os.utime(path, (1, 1))  # with another date the remembered result no longer counts
    assert resolve(entry(fake.sha256)) == resolve(entry(fake.sha256)) == path
    assert hashed == [path]


def test_whole_file_with_a_wrong_hash_is_deleted_and_told(fake, place):
    fake.ranges = False
    with pytest.raises(WeightsNotFound, match="wrong sha256 and was deleted"):
        resolve(entry("0" * 64))
    assert not [p for p in (place / "hub").rglob("*") if p.is_file() and p.stat().st_size > 10_000]
    assert_sound(resolve(entry(fake.sha256)))


def test_whole_file_preloaded_by_the_hubs_library_is_used(fake, monkeypatch):
    hub.RemoteFile(REPO, REVISION, "model.safetensors").download()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    path = resolve(entry(fake.sha256))
    assert_sound(path)
    assert weights.find(entry(fake.sha256)) == path


def test_where_no_hash_is_known_the_hubs_own_is_compared(fake, place):
    asked = entry("", prefix="", shapes={}, tensors=0, download=0)
    path = resolve(asked)
    assert set(weights.load_tensors(path)) == set(tiny_vgg())
    blob = path.resolve()
    os.utime(blob, (1, 1))
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(bytes(data))
    with pytest.raises(WeightsNotFound, match="wrong"):
        resolve(asked, download=False)


@pytest.mark.parametrize("repo, prefix", [("", ""), (REPO, "features.")])
def test_a_hash_may_be_left_out_of_whole_files_on_the_hub_only(place, repo, prefix):
    fields = {"kind": "style", "architecture": "tiny", "file": "f.pth", "license": "mit", "source": "a test"}
    fields |= {"repo": repo, "revision": REVISION, "prefix": prefix}
    lines = [f'{key} = "{value}"' for key, value in fields.items()]
    (place / "pretrained" / "models.toml").write_text("\n".join(["[tiny]", *lines]))
    with pytest.raises(ValueError, match="sha256"):
        weights.read_manifest()


def test_entry_without_a_prefix_is_fetched_whole(fake):
    whole = entry(fake.sha256, prefix="", shapes={}, tensors=0, download=0)
    assert set(weights.load_tensors(resolve(whole))) == set(tiny_vgg())
    fake.requests.clear()
    assert resolve(whole).is_file()
    assert fake.requests == []


@pytest.mark.parametrize(("status", "says"), [(500, "trouble"), (404, "has no file")])
def test_whole_file_that_fails_halfway_through_the_library(fake, status, says):
    fake.ranges = False
    fake.statuses = [(200, "")] * 3 + [(status, "")] * 9  # our two questions and the library's HEAD go well
    with pytest.raises(WeightsNotFound, match=says):
        resolve(entry(fake.sha256))


# ---- wrong content


def test_hub_that_states_another_sha256_is_refused_before_fetching(fake):
    fake.linked = "f" * 64
    with pytest.raises(WeightsNotFound, match="its sha256 differs"):
        resolve(entry(fake.sha256))
    assert len(fake.requests) == 1


def test_etag_that_is_another_hash_is_no_reason_to_refuse(fake):
    fake.linked, fake.etag = "", "e" * 64
    assert_sound(resolve(entry(fake.sha256)))


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "no note", "broken note"])
def test_damaged_cache_is_noticed_and_mended(fake, damage):
    path = resolve(entry(fake.sha256))
    data, note = path.read_bytes(), path.with_suffix(".json")
    if damage == "flip":
        path.write_bytes(data[:-5] + bytes([data[-5] ^ 1]) + data[-4:])
    elif damage == "truncate":
        path.write_bytes(data[:-100])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "no note":
        note.unlink()
    else:
        note.write_text("{")
    with pytest.raises(WeightsNotFound, match=r"damaged|not remembered"):
        resolve(entry(fake.sha256), download=False)
    assert resolve(entry(fake.sha256)) == path
    assert path.read_bytes() == data


def test_values_that_are_no_numbers_are_refused(fake):
    tensors = tiny_vgg()
    tensors["features.2.bias"][3] = float("nan")
    sha = fake.add(REPO, REVISION, "model.safetensors", save(tensors))
    with pytest.raises(WeightsNotFound, match=r"features\.2\.bias holds values that are no numbers"):
        resolve(entry(sha))
    assert not list(weights.cache_dir().glob("*.safetensors")) + list(weights.cache_dir().glob("*.partial"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"features.0.bias": torch.zeros(63)}, "not those of tiny: 0.bias"),
        ({"features.9.bias": torch.zeros(1)}, "not those of tiny: 9.bias"),
        ({"features.0.bias": torch.zeros(64, dtype=torch.int32)}, "type I32"),
    ],
)
def test_other_tensors_are_refused_before_fetching(fake, change, says):
    sha = fake.add(REPO, REVISION, "model.safetensors", save(tiny_vgg() | change))
    with pytest.raises(WeightsNotFound, match=says):
        resolve(entry(sha))
    assert len(fake.requests) == 1


def test_count_and_size_are_checked_where_shapes_are_not_known(fake):
    with pytest.raises(WeightsNotFound, match=r"has 4 tensors named features\.\* instead of 5"):
        resolve(entry(fake.sha256, shapes={}, tensors=5))
    with pytest.raises(WeightsNotFound, match="where 1,000 were expected"):
        resolve(entry(fake.sha256, shapes={}, download=1000))


# ---- hostile headers


def packed(table: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def one(**changes: object) -> dict[str, object]:
    return {"features.a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes}


HOSTILE = {
    "empty": b"",
    "seven bytes": b"1234567",
    "huge length": packed(one(), b"12345678", 2**63),
    "length past the end": packed(one(), b"12345678", 5000),
    "length over the limit": packed(one(), b"12345678" + b" " * (5 * 2**20), 5 * 2**20),
    "length zero": packed(one(), b"12345678", 0),
    "not JSON": packed(b"{]", b"12345678"),
    "not UTF-8": packed(b'{"\xff\xfe": 1}', b"12345678"),
    "JSON list": packed([1, 2, 3], b"12345678"),
    "deep JSON": packed(b"[" * 100_000, b""),
    "long number": packed(b'{"features.a": ' + b"9" * 10_000 + b"}"),
    "entry no table": packed({"features.a": 3}, b"12345678"),
    "no offsets": packed({"features.a": {"dtype": "F32", "shape": [2]}}, b"12345678"),
    "negative offsets": packed(one(data_offsets=[-8, 0]), b"12345678"),
    "offsets turned round": packed(one(data_offsets=[8, 0]), b"12345678"),
    "offsets past the end": packed(one(data_offsets=[8, 16]), b"12345678"),
    "offsets no numbers": packed(one(data_offsets=["0", "8"]), b"12345678"),
    "three offsets": packed(one(data_offsets=[0, 8, 8]), b"12345678"),
    "huge shape": packed(one(shape=[2**62, 2**62]), b"12345678"),
    "negative shape": packed(one(shape=[-1, -2]), b"12345678"),
    "shape of truths": packed(one(shape=[True, 2]), b"12345678"),
    "many dimensions": packed(one(shape=[1] * 5000 + [2]), b"12345678"),
    "wrong shape": packed(one(shape=[3]), b"12345678"),
    "unknown type": packed(one(dtype="PICKLE"), b"12345678"),
    "overlap": packed({**one(), "features.b": one(data_offsets=[4, 12])["features.a"]}, b"123456789012"),
    "pickle": pickle.dumps({"features.a": [1.0] * 100}),
    "HTML": b"<!doctype html><title>Log in to this network</title>" + b" " * 500,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_header_is_refused(fake, data):
    sha = fake.add(REPO, REVISION, "model.safetensors", data)
    with pytest.raises(WeightsNotFound) as caught:
        resolve(entry(sha, shapes={}, tensors=0, download=0))
    assert len(str(caught.value)) < 1500
    assert len(fake.requests) <= 2
    assert not [p for p in weights.cache_dir().glob("*") if p.stat().st_size]


# ---- the disk


def test_full_disk_is_told(fake, monkeypatch):
    monkeypatch.setattr(weights.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(WeightsNotFound, match=r"disk is full.*PASTICHE_CACHE"):
        resolve(entry(fake.sha256))


def test_disk_that_fills_up_midway_is_told(fake, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(partial_download.os, "fsync", full)
    with pytest.raises(WeightsNotFound, match="disk is full"):
        resolve(entry(fake.sha256))


def test_cache_that_cannot_be_written_is_told(fake, place, monkeypatch):
    (place / "file").write_text("")
    monkeypatch.setenv("PASTICHE_CACHE", str(place / "file" / "cache"))
    with pytest.raises(WeightsNotFound, match="cannot be written: set PASTICHE_CACHE"):
        resolve(entry(fake.sha256))


def test_read_only_cache_is_read(fake, monkeypatch):
    path = resolve(entry(fake.sha256))

    def refuse(*_, **__):
        raise PermissionError(errno.EROFS, "Read-only file system")

    for name in ("mkdir", "write_text", "touch", "unlink"):
        monkeypatch.setattr(Path, name, refuse)
    monkeypatch.setattr(os, "replace", refuse)
    assert resolve(entry(fake.sha256)) == path


# ---- more than one at a time


def test_threads_fetch_once(fake):
    fake.drip = (40_000, 0.02)
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(resolve(entry(fake.sha256)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 4 and len(set(paths)) == 1
    assert_sound(paths[0])
    assert len(fake.requests) == 2


def test_two_processes_fetch_once(fake, place):
    script = (
        "import json, sys\n"
        "from nst.weights import Weights, resolve\n"
        "seen = []\n"
        "print(resolve(Weights(**json.loads(sys.argv[1])), progress=lambda *step: seen.append(step)))\n"
    )
    fake.drip = (20_000, 0.05)
    argument = json.dumps(vars(entry(fake.sha256)))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", script, argument]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0] == said[1]
    assert_sound(Path(said[0]))
    assert len(fake.requests) == 2


# ---- pretrained/ and files of the user


def test_shipped_file_comes_first_and_is_checked(fake, place):
    path = place / "pretrained" / "ours.safetensors"
    save_file(FEATURES, path)
    ours = entry(manifest.file_sha256(path), repo="", file="ours.safetensors", prefix="")
    assert resolve(ours) == path
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    with pytest.raises(WeightsError, match="git checkout"):
        resolve(ours)
    path.unlink()
    with pytest.raises(WeightsNotFound, match="git checkout"):
        resolve(ours)
    assert fake.requests == []


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_user_may_put_a_model_of_the_hub_into_pretrained(fake, place, suffix):
    path = place / "pretrained" / f"tiny{suffix}"
    save_file(tiny_vgg(), path) if suffix == ".safetensors" else torch.save(tiny_vgg(), path)
    assert resolve(entry(fake.sha256)) == path == weights.find(entry(fake.sha256))
    assert_sound(path)
    assert fake.requests == []


@pytest.mark.parametrize("zipped", [True, False])
def test_pytorch_file(tmp_path, zipped):
    path = tmp_path / "vgg.pth"
    torch.save({"state_dict": tiny_vgg()}, path, _use_new_zipfile_serialization=zipped)
    assert_sound(path)
    assert weights.metadata(path) == {}


class Harmful:
    def __reduce__(self):
        return os.system, ("touch harmed",)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".pkl"])
def test_code_in_a_pytorch_file_is_refused(tmp_path, monkeypatch, suffix, zipped):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"evil{suffix}"
    torch.save({"features.0.weight": Harmful()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="code"):
        weights.load_tensors(path)
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".bin"])
@pytest.mark.parametrize("data", [b"", b"x", b"PK\x03\x04" + b"\0" * 50, b"\x80\x02}q\0.", os.urandom(500)])
def test_damaged_file_is_refused_kindly(tmp_path, suffix, data):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(data)
    with pytest.raises(WeightsError):
        weights.load_tensors(path)
    if suffix == ".safetensors":
        with pytest.raises(WeightsError):
            weights.metadata(path)


def test_cut_pytorch_file_is_refused_kindly(tmp_path):
    path = tmp_path / "cut.pth"
    torch.save(tiny_vgg(), path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(WeightsError, match="damaged"):
        weights.load_tensors(path)


def test_missing_tensors_and_files_are_told(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match='no tensors named "features'):
        weights.load_tensors(path, "features.")
    with pytest.raises(WeightsNotFound, match="There is no file"):
        weights.load_tensors(tmp_path / "none.safetensors")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="no state_dict"):
        weights.load_tensors(tmp_path / "list.pth")


# ---- models.toml


def test_shipped_manifest_is_valid_and_right_about_vgg():
    known = weights.read_manifest()
    for name, convolutions, size in (("vgg19", 16, 80_097_536), ("vgg16", 13, 58_858_752)):
        vgg = known[name]
        values = sum(torch.Size(shape).numel() for shape in vgg.shapes.values())
        assert len(vgg.shapes) == vgg.tensors == 2 * convolutions
        assert values * 4 == vgg.download == size
        assert vgg.config == {"arch": name}
        assert weights.read_manifest()[name] is vgg, "an unchanged file is parsed once"


def test_record_writes_and_renews_an_entry_and_leaves_the_rest(place):
    folder = place / "pretrained"
    rest = f'architecture = "a"\nfile = "b"\nlicense = "c"\nsource = "d"\nsha256 = "{"0" * 64}"\n'
    (folder / "models.toml").write_text(
        f'# first comment\n\n[other]\nkind = "style"\n{rest}[other.shapes]\nx = [1]\n\n'
        f'# about the last one\n[last]\nkind = "style" # note\n{rest}'
    )
    save_file(FEATURES, folder / "ours.safetensors")
    fields = {"kind": "encoder", "architecture": "tiny", "license": "MIT", "source": 'é "quoted" \\ 🎨'}
    config = {"widths": [1, 2], "a b": 0.5}
    made = weights.record("ours", folder / "ours.safetensors", **fields, config=config)
    assert made == weights.read_manifest()["ours"]
    assert made.source == fields["source"] and made.config == config
    assert resolve(made) == folder / "ours.safetensors"
    weights.record("other", folder / "ours.safetensors", license="MIT")
    text = (folder / "models.toml").read_text()
    assert [*weights.read_manifest()] == ["other", "last", "ours"]
    for kept in ("# first comment", "# about the last one\n[last]", "# note"):
        assert text.count(kept) == 1
    changed = weights.read_manifest()["other"]
    assert changed.license == "MIT" and changed.shapes == {"x": [1]} and changed.sha256 == made.sha256
    weights.record("other", folder / "ours.safetensors", license="MIT")
    assert (folder / "models.toml").read_text() == text


def test_record_refuses_what_could_not_be_read_again(place):
    path = place / "pretrained" / "ours.safetensors"
    save_file(FEATURES, path)
    fields = {"kind": "encoder", "architecture": "tiny", "license": "MIT", "source": "here"}
    for bad in ({"licence": "MIT"}, {"config": {"x": None}}, {"repo": "a/b", "revision": "main"}):
        with pytest.raises(ValueError):
            weights.record("ours", path, **{**fields, **bad})
    with pytest.raises(ValueError, match=r"missing|required"):
        weights.record("ours", path, kind="encoder")
    with pytest.raises(ValueError, match="plain name"):
        weights.record("a b", path, **fields)
    with pytest.raises(ValueError, match="a file in"):
        weights.record("ours", place / "elsewhere.safetensors", **fields)
    assert not (place / "pretrained" / "models.toml").exists()


def test_mistakes_in_the_manifest_are_told_with_their_place(place):
    path = place / "pretrained" / "models.toml"
    mistakes = {"[a": "models.toml", '[a]\nlicence = "x"': 'licence": "license"', "a = 1": "outside"}
    for text, says in mistakes.items():
        path.write_text(text)
        with pytest.raises(ValueError, match=says):
            weights.read_manifest()
    path.unlink()
    assert weights.read_manifest() == {}


# ---- promises to the rest of the program


def test_listing_the_models_does_not_import_torch():
    script = "import sys, nst.registry as r; r.model_rows(); sys.exit('torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", script], env=environment).returncode == 0


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"PASTICHE_CACHE": "/here"}, "/here"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/pastiche"),
        ("linux", {}, "/home/u/.cache/pastiche"),
        ("darwin", {}, "/home/u/Library/Caches/pastiche"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/pastiche"),
    ],
)
def test_cache_folder_by_system(monkeypatch, platform, variables, expected):
    for name in ("PASTICHE_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": "/home/u"} | variables).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert weights.cache_dir().as_posix() == expected
