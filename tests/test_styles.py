"""Example pictures: drawn styles, paintings from a stand-in Commons, photos, thumbnails."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub.utils import httpx
from PIL import Image, ImageOps

from nst import styles
from nst.styles import commons, shipped
from nst.styles.catalog import DRAWN, PAINTINGS
from nst.styles.fetched import is_here, open_fetched

SMALL = 112


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and the network allowed as far as the library is concerned."""
    monkeypatch.setenv("PASTICHE_CACHE", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("nst.weights.hub.offline", lambda: False)
    return tmp_path


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, dtype=np.float32) / 255


# --- the drawn styles ---


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawn_style_is_right_in_size_and_rich(name: str) -> None:
    image = styles.load_style(name, SMALL)
    assert image.mode == "RGB" and max(image.size) == SMALL and min(image.size) >= 0.7 * SMALL
    rgb = pixels(image)
    light = rgb @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    dark, bright = np.quantile(light, (0.05, 0.95))
    assert bright - dark > 0.35, "a good range of light and dark"
    assert rgb.std(axis=(0, 1)).min() > 0.08, "no channel is flat"
    coarse = (rgb * 7.99).astype(int) @ np.array([64, 8, 1])
    counts = np.bincount(coarse.ravel(), minlength=512) / coarse.size
    assert (counts > 0.002).sum() >= 24, "many colors"
    assert counts.max() < 0.25, "none of which fills the picture"
    cells = light[: SMALL // 8 * 8, : light.shape[1] // 8 * 8]
    cells = cells[: cells.shape[0] // 8 * 8].reshape(-1, 8, cells.shape[1] // 8, 8)
    busy = cells.std(axis=(1, 3)) > 0.012
    assert busy.mean() > 0.85, "texture nearly everywhere"


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawn_style_comes_as_a_picture_small_enough_to_be_kept_in_the_repository(name: str) -> None:
    file = shipped.FOLDER / f"{name}.avif"
    assert file.stat().st_size < 300_000 and styles.load_style(name, 4096).size == styles.load_style(name).size
    assert max(styles.load_style(name).size) == 1024 and max(styles.load_style(name, 100).size) == 100


def test_a_missing_picture_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    (tmp_path / "waves.avif").write_bytes(b"\0\0\0\x20ftypavif" + bytes(99))
    for name in ("night", "waves"):
        with pytest.raises(styles.StyleNotFound, match=r"restore nst/pictures, and have a Pillow that reads AVIF"):
            styles.load_style(name)


# --- the list ---


def test_the_list_is_whole_and_named_in_order() -> None:
    listed = styles.list_styles()
    assert len({style.name for style in listed}) == len(listed)
    kinds = [style.kind for style in listed]
    assert kinds == sorted(kinds) and kinds.count("drawn") >= 7 and kinds.count("painting") >= 8
    for style in listed:
        assert style.name.isidentifier() and style.name == style.name.lower()
        assert style.title and style.author and style.year and style.license and style.note
        assert "\n" not in style.note and len(style.note) < 100
        assert styles.is_ready(style.name) == (style.kind == "drawn")


@pytest.mark.parametrize("size", [0, 15, 5000, 12.5, "100", True, None])
def test_an_odd_size_is_refused(size: object) -> None:
    with pytest.raises(ValueError, match="whole number from 16 to 4096"):
        styles.load_style("mosaic", size)  # type: ignore[arg-type]


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(styles.StyleNotFound, match="Did you mean starry_night"):
        styles.load_style("Stary Night")
    with pytest.raises(styles.StyleNotFound, match="Did you mean mosaic"):
        styles.is_ready("mozaic")
    with pytest.raises(styles.StyleNotFound, match="There are: night, "):
        styles.load_style("../../etc/passwd")
    with pytest.raises(styles.StyleNotFound, match="Did you mean chelsea"):
        styles.load_content("chelse")
    with pytest.raises(styles.StyleNotFound) as caught:
        styles.load_style("x" * 10_000)
    assert len(str(caught.value)) < 600


# --- paintings, from a stand-in for Commons ---


def photo(width: int = 320, height: int = 240) -> bytes:
    values = np.random.default_rng(0).integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC).save(out, "JPEG")
    return out.getvalue()


class Stand:
    """Answers requests by host and path, and remembers them."""

    def __init__(self, **answers: httpx.Response) -> None:
        self.requests: list[httpx.Request] = []
        self.answers = answers

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answers[request.url.host.split(".")[0]]

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)


def redirect(address: str) -> httpx.Response:
    return httpx.Response(302, headers={"location": address})


def picture(data: bytes, kind: str = "image/jpeg") -> httpx.Response:
    return httpx.Response(200, headers={"content-type": kind}, content=data)


def test_a_painting_is_fetched_once_and_then_ready(cache: Path) -> None:
    stand = Stand(commons=redirect("https://upload.wikimedia.org/thumb/x.jpg"), upload=picture(photo()))
    assert not styles.is_ready("starry_night") and styles.thumbnail("starry_night") is None
    first = open_fetched(PAINTINGS["starry_night"], transport=stand.transport)
    assert first.mode == "RGB" and first.size == (320, 240)
    asked = stand.requests[0]
    assert str(asked.url) == (
        "https://commons.wikimedia.org/wiki/Special:FilePath/"
        "Van_Gogh_-_Starry_Night_-_Google_Art_Project.jpg?width=1280"
    )
    assert "Pastiche" in asked.headers["user-agent"] and asked.method == "GET"
    assert len(stand.requests) == 2 and styles.is_ready("starry_night")
    assert styles.load_style("starry_night", 320).tobytes() == first.tobytes()  # no network any more
    assert styles.load_style("starry_night", 200).size == (200, 150)
    assert styles.load_style("starry_night", 4096).size == (320, 240)
    small = styles.thumbnail("starry_night")
    assert small is not None and small.size == (128, 128)
    assert [file.name for file in (cache / "styles" / "paintings").iterdir()] == ["starry_night.image"]


def test_names_with_odd_letters_are_quoted() -> None:
    stand = Stand(commons=picture(photo()))
    open_fetched(PAINTINGS["udnie"], transport=stand.transport)
    assert b"Mus%C3%A9e_National_d%E2%80%99Art_Moderne" in stand.requests[0].url.raw_path


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (redirect("https://example.com/x.jpg"), "example.com"),
        (redirect("http://upload.wikimedia.org/x.jpg"), "do not follow"),
        (redirect("https://wikimedia.org.example.com/x.jpg"), "do not follow"),
        (redirect("https://evilwikimedia.org/x.jpg"), "do not follow"),
        (redirect("https://user:word@upload.wikimedia.org/x.jpg"), "do not follow"),
        (redirect("https://upload.wikimedia.org:8443/x.jpg"), "do not follow"),
        (redirect("file:///etc/passwd"), "do not follow"),
        (redirect("/wiki/again"), "too many times"),
        (picture(b"<html>not here</html>", "text/html"), "not a picture"),
        (picture(b"<html>not here</html>"), "not a whole picture"),
        (picture(photo()[:2000]), "not a whole picture"),
        (picture(photo(64, 64)), "not a whole picture"),
        (httpx.Response(404), "404"),
        (httpx.Response(429, headers={"content-type": "image/jpeg"}, content=photo()), "429"),
        (httpx.Response(304, headers={"content-type": "image/jpeg"}), "304"),
    ],
)
def test_what_is_not_the_painting_is_refused(answer: httpx.Response, why: str, cache: Path) -> None:
    stand = Stand(commons=answer)
    with pytest.raises(styles.StyleNotFound, match=why) as caught:
        open_fetched(PAINTINGS["scream"], transport=stand.transport)
    assert "The Scream" in str(caught.value) and "drawn styles are always ready" in str(caught.value)
    assert len(stand.requests) <= commons.MAX_REDIRECTS + 1
    assert not list(cache.rglob("*.image")) and not styles.is_ready("scream")


def test_a_file_too_large_is_refused_by_its_word_and_by_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commons, "MAX_BYTES", 100_000)
    read: list[int] = []

    class Endless(httpx.SyncByteStream):
        def __iter__(self):  # type: ignore[no-untyped-def]
            while True:
                read.append(1)
                yield b"\xff" * 10_000

    kind = {"content-type": "image/jpeg"}
    for answer in (
        httpx.Response(200, headers=kind | {"content-length": "100001"}, stream=Endless()),
        httpx.Response(200, headers=kind, stream=Endless()),
    ):
        stand = Stand(commons=answer)
        with pytest.raises(styles.StyleNotFound, match="larger than"):
            open_fetched(PAINTINGS["kiss"], transport=stand.transport)
    assert len(read) < 30


def test_a_trickle_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commons, "WHOLE_SECONDS", -1.0)
    with pytest.raises(styles.StyleNotFound, match="too slow"):
        open_fetched(PAINTINGS["kiss"], transport=Stand(commons=picture(photo())).transport)


@pytest.mark.parametrize("error", [httpx.ConnectError("no"), httpx.ReadTimeout("slow"), OSError("odd")])
def test_offline_is_told_kindly(error: Exception) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(styles.StyleNotFound, match=r"not on this machine.*try again"):
        open_fetched(PAINTINGS["shipwreck"], transport=httpx.MockTransport(fail))


def test_an_unknown_host_is_offline_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*args: object) -> None:
        raise OSError("no name server")

    monkeypatch.setattr("socket.getaddrinfo", nowhere)
    monkeypatch.setattr(commons, "getproxies", dict)
    with pytest.raises(styles.StyleNotFound, match="cannot be reached"):
        styles.load_style("shipwreck")


def test_switched_off_means_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    stand = Stand(commons=picture(photo()))
    with pytest.raises(styles.StyleNotFound, match="switched off"):
        open_fetched(PAINTINGS["impression"], transport=stand.transport)
    assert not stand.requests


def test_a_damaged_painting_is_fetched_anew(cache: Path) -> None:
    stand = Stand(commons=picture(photo()))
    first = open_fetched(PAINTINGS["kiss"], transport=stand.transport)
    (file,) = cache.rglob("*.image")
    file.write_bytes(file.read_bytes()[:1500])
    assert open_fetched(PAINTINGS["kiss"], transport=stand.transport).tobytes() == first.tobytes()
    assert len(stand.requests) == 2


def test_every_painting_has_a_plain_file_name_and_a_page() -> None:
    for entry in PAINTINGS.values():
        assert not set(entry.file) & set(" /\\?#%") and entry.file.endswith(".jpg")
        assert entry.source.startswith("https://commons.wikimedia.org/wiki/File:")
        assert entry.license.startswith("public domain")
    assert not is_here(PAINTINGS["kiss"])


# --- photos and thumbnails ---


def test_the_photos_come_with_scikit_image() -> None:
    listed = styles.list_contents()
    assert len(listed) >= 5 and listed[0].name == "chelsea"
    for content in listed:
        assert content.title and content.author and content.note
        assert content.license in {"CC0 1.0", "public domain"}
        image = styles.load_content(content.name)
        assert image.mode == "RGB" and min(image.size) >= 300


def test_a_missing_photo_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(package: str) -> None:
        raise ModuleNotFoundError(package)

    monkeypatch.setattr("nst.styles.shipped.files", absent)
    with pytest.raises(styles.StyleNotFound, match="pip install scikit-image"):
        styles.load_content("coffee")


@pytest.mark.parametrize("name", DRAWN)
def test_thumbnails_lie_in_the_package(name: str) -> None:
    small = styles.thumbnail(name)
    assert small is not None and small.size == (128, 128) and small.mode == "RGB"


@pytest.mark.parametrize("name", DRAWN)
def test_a_thumbnail_shows_the_middle_of_its_style(name: str) -> None:
    small, image = styles.thumbnail(name), styles.load_style(name, 256)
    assert small is not None
    middle = ImageOps.fit(image, (128, 128))
    ours, theirs = (pixels(one.resize((16, 16), Image.Resampling.BOX)).ravel() for one in (small, middle))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.95


def test_other_thumbnails() -> None:
    small = styles.thumbnail("chelsea")
    assert small is not None and small.size == (128, 128)
    assert styles.thumbnail("nothing") is None


def test_nothing_heavy_is_imported_with_the_list() -> None:
    import subprocess
    import sys

    code = "import sys, nst.styles as s; s.list_styles(); print(*{m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "scipy", "skimage", "httpx2", "gradio"} & set(loaded.split())
