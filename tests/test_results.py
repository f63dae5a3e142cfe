"""The store of shared results: what is acknowledged is kept, what is broken is not served, what is too much goes."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from disk import full_disk
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from nst.images import decode, read_recipe
from nst.server.results import MAX_SHARE, ResultsError, Store, place, results_dir
from nst.server.routes import Pages

ROOT = Path(__file__).resolve().parent.parent
RECIPE = {"task": "style_transfer", "settings": {"strength": 60.0, "seed": 3}, "style": "waves"}


def drawn(seed: int = 0, size: tuple[int, int] = (48, 32)) -> Image.Image:
    return Image.effect_noise(size, 40 + seed % 60).convert("RGB")


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results")


def age(store: Store, id: str, days: float) -> None:
    then = time.time() - days * 86400
    os.utime(store.folder / id / "result.json", (then, then))


def test_what_is_added_comes_back(store):
    picture, photo = drawn(), drawn(1, (96, 64))
    id, token = store.add(picture, RECIPE, before=photo, inputs={"content": photo, "style": drawn(2)}, public=True)
    result = store.get(id)
    assert result and result.recipe == RECIPE and result.public and (result.width, result.height) == (48, 32)
    assert abs(result.created - time.time()) < 60
    webp = store.read(id, "picture.webp")
    assert webp and read_recipe(webp) == RECIPE and decode(webp).rgb.size == (48, 32)
    assert decode(store.read(id, "before.webp")).rgb.size == picture.size
    assert decode(store.read(id, "content.png")).rgb.tobytes() == photo.tobytes(), "inputs are kept exactly"
    assert all(decode(store.read(id, name)) for name in ("card.jpg", "thumbnail.webp", "style.png"))
    assert token not in (store.folder / id / "result.json").read_text()


def test_nothing_is_kept_that_was_not_shared(store, tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    drawn().save(tmp_path / "photo.jpg", exif=exif, comment=b"secret place")
    id, _ = store.add(Image.open(tmp_path / "photo.jpg"), RECIPE)
    assert set(store.get(id).files) == {"picture.webp", "card.jpg", "thumbnail.webp"}
    assert not [path for path in (store.folder / id).iterdir() if b"secret place" in path.read_bytes()]


def noise(width: int, height: int) -> Image.Image:
    """The worst that can be shared: three channels of noise, of which nothing can be left out."""
    return Image.merge("RGB", [Image.effect_noise((width, height), 120) for _ in range(3)])


def test_a_share_costs_three_megabytes_at_most(store):
    size = 900, 600
    image = noise(*size)
    inputs = dict.fromkeys(("content", "style", "style-2", "style-3", "masks-1", "masks-2"), image)
    id, _ = store.add(image, RECIPE, before=image, inputs=inputs)
    result = store.get(id)
    assert sum(len(store.read(id, name)) for name in result.files) <= MAX_SHARE
    assert set(result.inputs) == set(inputs) and all(name.endswith(".webp") for name in result.inputs.values())
    width, height = decode(store.read(id, "picture.webp")).rgb.size
    assert (result.width, result.height) == (width, height) and abs(width / height - size[0] / size[1]) < 0.02
    before = decode(store.read(id, "before.webp")).rgb
    assert abs(before.width / before.height - size[0] / size[1]) < 0.02


def test_what_fits_is_kept_as_it_is(store):
    photo = drawn(1, (640, 480))
    id, _ = store.add(Image.new("RGB", (1024, 768), "teal"), RECIPE, inputs={"content": photo})
    assert decode(store.read(id, "content.png")).rgb.tobytes() == photo.tobytes()
    assert (store.get(id).width, store.get(id).height) == (1024, 768)


def test_no_young_result_is_pushed_out_by_what_others_share(tmp_path):
    one = Store(tmp_path).add(drawn(), RECIPE)[0]
    size = sum(path.stat().st_size for path in (tmp_path / one).iterdir())
    store = Store(tmp_path, max_bytes=round(2.5 * size))
    two, _ = store.add(drawn(), RECIPE)
    with pytest.raises(ResultsError, match="full just now; try again tomorrow"):
        store.add(drawn(), RECIPE)
    assert store.full and store.tidy() == 0 and store.get(one) and store.get(two)
    age(store, one, days=1.1)
    three, _ = store.add(drawn(), RECIPE)
    assert not store.full and store.get(one) is None and store.get(two) and store.get(three)


def test_transparency_is_kept(store):
    id, _ = store.add(drawn(), RECIPE, alpha=Image.linear_gradient("L"))
    assert decode(store.read(id, "picture.webp")).alpha and decode(store.read(id, "card.jpg")).alpha is None


def test_only_the_token_deletes_and_once(store):
    (first, token), (second, other) = store.add(drawn(), RECIPE), store.add(drawn(), RECIPE)
    assert not store.delete(first, other) and not store.delete(first, "") and store.get(first)
    assert store.delete(first, token) and not store.delete(first, token)
    assert store.get(first) is None and store.read(first, "picture.webp") is None
    assert not (store.folder / first).exists() and store.get(second)


def test_of_many_who_delete_at_once_one_succeeds(store):
    id, token = store.add(drawn(), RECIPE)
    done: list[bool] = []
    together([lambda: done.append(store.delete(id, token))] * 8)
    assert sum(done) == 1


def together(calls: list[Callable[[], Any]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    "id",
    ["", ".", "..", "../../etc/passwd", "a" * 19, "a" * 21, "A" * 20, "a/../" + "b" * 15, "a" * 19 + "\0", "i" * 20],
)
def test_an_id_never_becomes_a_path(store, id):
    (store.folder.parent / "result.json").write_text("{}")
    assert store.get(id) is None and store.read(id, "picture.webp") is None and not store.delete(id, "x")


@pytest.mark.parametrize("name", ["result.json", "../result.json", "/etc/passwd", "", "picture.webp/", "content.png"])
def test_only_shared_files_are_read(store, name):
    id, _ = store.add(drawn(), RECIPE)
    assert store.read(id, name) is None


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b"null", b"{}", b'{"files": 3}', b'{"files": "ab"}', b"\xff\xfe", b"[" * 100_000, b"9" * 9999],
)
def test_a_broken_record_is_no_result(store, damage):
    (id, token), (other, _) = store.add(drawn(), RECIPE, public=True), store.add(drawn(), RECIPE, public=True)
    assert store.get(id)
    (store.folder / id / "result.json").write_bytes(damage)
    os.utime(store.folder / id / "result.json", (1, 1))
    assert store.get(id) is None and not store.delete(id, token)
    assert [result.id for result in store.latest(9)] == [other]


@pytest.mark.parametrize("damage", [b"", b"half", None])
def test_a_damaged_picture_is_not_served(store, damage):
    id, _ = store.add(drawn(), RECIPE)
    path = store.folder / id / "picture.webp"
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage or path.read_bytes()[:-9])
    assert store.read(id, "picture.webp") is None and store.read(id, "card.jpg")


def test_the_gallery_shows_the_newest_public_ones(store):
    ids = [store.add(drawn(i), RECIPE, public=i % 2 == 0)[0] for i in range(7)]
    for i, id in enumerate(ids):
        age(store, id, days=7 - i)
    assert [result.id for result in store.latest(2)] == [ids[6], ids[4]]
    assert [result.id for result in store.latest(9, skip=1)] == [ids[4], ids[2], ids[0]]


def test_what_is_too_old_goes(store):
    (old, _), (new, _) = store.add(drawn(), RECIPE), store.add(drawn(), RECIPE)
    age(store, old, days=366)
    assert store.tidy() == 1 and store.get(old) is None and store.get(new)


def test_of_too_much_the_oldest_goes(tmp_path):
    store = Store(tmp_path)
    ids = [store.add(drawn(i), RECIPE)[0] for i in range(6)]
    for i, id in enumerate(ids):
        age(store, id, days=6 - i)
    size = sum(path.stat().st_size for path in (tmp_path / ids[-1]).iterdir())
    assert Store(tmp_path, max_bytes=round(3.6 * size)).tidy() == 3
    assert [id for id in ids if store.get(id)] == ids[3:]
    assert sorted(ids[3:]) == sorted(os.listdir(tmp_path))


def test_a_result_larger_than_the_store_is_refused(tmp_path):
    with pytest.raises(ResultsError, match="larger than all"):
        Store(tmp_path, max_bytes=1000).add(drawn(), RECIPE)


def test_leftovers_of_a_crash_are_removed_later(store):
    id, _ = store.add(drawn(), RECIPE)
    crashed, fresh, strange = store.folder / ("0" * 20), store.folder / ("1" * 20), store.folder / "holiday"
    for folder in (crashed, fresh, strange):
        folder.mkdir()
        (folder / "picture.webp").touch()
    for folder in (crashed, strange):
        os.utime(folder, (1, 1))
    store.tidy()
    assert not crashed.exists() and fresh.exists() and strange.exists() and store.get(id)


# Faults

SHARE = """
import sys
from pathlib import Path
from PIL import Image
from nst.server.results import Store
store = Store(Path(sys.argv[1]))
for i in range(int(sys.argv[2])):
    id, token = store.add(Image.effect_noise((400, 300), 50).convert("RGB"), {"settings": {"seed": i}}, public=True)
    print(id, flush=True)
"""


def sharing(folder: Path, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SHARE, str(folder), str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def whole(store: Store, id: str) -> bool:
    result = store.get(id)
    return result is not None and all(store.read(id, name) for name in result.files)


def test_a_share_killed_in_the_middle_leaves_no_half_result(store):
    acknowledged: list[str] = []
    for count in (1, 3):
        process = sharing(store.folder, 1000)
        acknowledged += [process.stdout.readline().strip() for _ in range(count)]
        process.send_signal(signal.SIGKILL)
        acknowledged += [line for line in process.communicate()[0].split() if len(line) == 20]
    left = os.listdir(store.folder)
    assert acknowledged and all(whole(store, id) for id in acknowledged)
    assert all(whole(store, id) for id in left if store.get(id)), "no half result"
    for id in left:
        os.utime(store.folder / id, (1, 1))
    store.tidy()
    assert all(whole(store, id) for id in os.listdir(store.folder)), "no leftovers"


def test_a_full_disk_is_told_and_leaves_nothing(store):
    id, _ = store.add(drawn(), RECIPE)

    with full_disk(5000), pytest.raises(ResultsError, match="The disk of this server is full"):
        store.add(Image.effect_noise((400, 300), 50).convert("RGB"), RECIPE, public=True)
    assert os.listdir(store.folder) == [id] and whole(store, id)


@pytest.fixture
def mounted(tmp_path):
    """A disk of a quarter of a megabyte, remounted with any options."""

    def mount(*options: str) -> bool:
        return subprocess.run(["mount", *options, str(tmp_path)], capture_output=True).returncode == 0

    if sys.platform != "linux" or not mount("-t", "tmpfs", "-o", "size=256k", "tmpfs"):
        pytest.skip("this user may not mount a small disk")
    yield mount
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_disk_runs_full(mounted, store):
    ids = []
    with pytest.raises(ResultsError, match="disk of this server is full"):
        while True:
            ids.append(store.add(drawn(size=(200, 150)), RECIPE)[0])
    assert ids and sorted(os.listdir(store.folder)) == sorted(ids) and all(whole(store, id) for id in ids)
    with pytest.raises(OSError, match="No space"):
        (store.folder / "filler").write_bytes(bytes(256 * 1024))
    assert "full" in (store.trouble() or "")


def test_a_read_only_folder_still_serves(mounted, store):
    id, token = store.add(drawn(), RECIPE, public=True)
    assert store.trouble() is None and mounted("-o", "remount,ro")
    assert "cannot be written" in (store.trouble() or "")
    with pytest.raises(ResultsError, match="cannot be written"):
        store.add(drawn(), RECIPE)
    assert not store.delete(id, token) and store.tidy() == 0
    assert whole(store, id) and store.latest(1)[0].id == id


@pytest.mark.parametrize(
    ("number", "told"), [(errno.ENOSPC, "full"), (errno.EROFS, "cannot be written"), (errno.EIO, "cannot be used")]
)
def test_trouble_with_the_disk_is_told_wherever_it_comes(store, monkeypatch, number, told):
    for failing in range(4):
        calls = iter(range(100))

        def fsync(handle: int, failing: int = failing, calls: Any = calls) -> None:
            if next(calls) == failing:
                raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(ResultsError, match=told):
            store.add(drawn(), RECIPE)
        assert not os.listdir(store.folder)


# Several at once


@pytest.mark.slow
def test_two_processes_share_one_folder(store):
    processes = [sharing(store.folder, 20) for _ in range(2)]
    ids = [line for process in processes for line in process.communicate()[0].split()]
    assert len(set(ids)) == 40 and all(whole(store, id) for id in ids)
    assert {result.id for result in store.latest(99)} == set(ids)


def test_two_hundred_shares_at_once_are_all_kept(store):
    replicas, kept = [store, Store(store.folder)], []

    def share(replica: Store, count: int) -> None:
        for i in range(count):
            kept.append((replica, *replica.add(drawn(i, (16, 16)), {"settings": {"seed": i}})))

    together([lambda i=i: share(replicas[i % 2], 5) for i in range(40)])
    assert len({id for _, id, _ in kept}) == 200 == len(os.listdir(store.folder))
    other = {id(replicas[0]): replicas[1], id(replicas[1]): replicas[0]}
    assert all(whole(other[id(replica)], name) for replica, name, _ in kept), "each serves what the other took"


# The place


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    for name in ("PASTICHE_RESULTS", "SYSTEM", "SPACE_ID", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(place, "DATA", tmp_path / "data")
    return tmp_path


def test_the_place_is_what_was_asked_or_this_user_s_own(nowhere, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", "/home/me")
    assert results_dir() == Path("/home/me/.local/share/pastiche/results")
    monkeypatch.setenv("XDG_DATA_HOME", "/elsewhere")
    assert results_dir() == Path("/elsewhere/pastiche/results")
    monkeypatch.setenv("PASTICHE_RESULTS", "~/shared")
    assert results_dir() == Path("/home/me/shared")
    monkeypatch.setenv("PASTICHE_RESULTS", "off")
    with pytest.raises(ResultsError, match="switched off"):
        results_dir()


def test_a_space_needs_a_bucket(nowhere, monkeypatch):
    monkeypatch.setenv("SYSTEM", "spaces")
    with pytest.raises(ResultsError, match="bucket"):
        results_dir()
    place.DATA.mkdir()
    assert results_dir() == place.DATA / "results"


def test_a_place_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file" / "results")
    assert "cannot be used" in (store.trouble() or "") and store.get("0" * 20) is None and not store.latest(3)
    with pytest.raises(ResultsError, match="cannot be used"):
        store.add(drawn(), RECIPE)


def test_a_record_is_plain_json(store):
    id, _ = store.add(drawn(), RECIPE)
    record = json.loads((store.folder / id / "result.json").read_bytes())
    assert set(record) == {"created", "public", "recipe", "width", "height", "files", "token"}


def test_a_clip_is_kept_and_shown_with_its_poster_and_sent_in_parts(tmp_path):
    store = Store(tmp_path)
    id, _ = store.add(drawn(), {"task": "video"}, clip=bytes(range(200)), public=True)
    site = TestClient(Starlette(routes=Pages(store).routes()))
    page = site.get(f"/r/{id}")
    assert f'<video src="{id}/clip.mp4" poster="{id}.webp"' in page.text and f'href="{id}/clip.mp4"' in page.text
    assert "media-src 'self'" in page.headers["content-security-policy"]
    whole = site.get(f"/r/{id}/clip.mp4")
    assert (whole.content, whole.headers["content-type"]) == (bytes(range(200)), "video/mp4")
    part = site.get(f"/r/{id}/clip.mp4", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
    assert part.headers["content-range"] == "bytes 10-19/200"
    assert site.get(f"/r/{id}/clip.mp4", headers={"Range": "bytes=150-"}).content == bytes(range(150, 200))
    assert site.get(f"/r/{id}/clip.mp4", headers={"Range": "bytes=300-400"}).status_code == 416
    assert site.get(f"/r/{id}.json").json()["clip"].endswith(f"/r/{id}/clip.mp4")
    with pytest.raises(ResultsError, match="Clips of up to 12 MB"):
        store.add(drawn(), RECIPE, clip=bytes(12_000_001))
