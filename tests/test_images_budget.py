"""Decoding for many at once: one budget of pixels for all threads, and pictures made small before they are kept."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from PIL import ExifTags, Image, ImageChops, ImageStat

from nst import images
from nst.images import ImageError, decode


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


class Watched(images.Budget):
    """Remembers how many pixels were held at most."""

    held = most = 0

    @contextmanager
    def share(self, pixels):
        with super().share(pixels):
            with LOCK:
                self.held += pixels
                self.most = max(self.most, self.held)
            yield
            with LOCK:
                self.held -= pixels


LOCK = threading.Lock()


def test_many_large_pictures_at_once_cost_no_more_memory_than_one(monkeypatch):
    """Otherwise a few uploads of some kilobytes would take gigabytes: each of 40 megapixels is 160 MB and more."""
    watched = Watched(400_000)
    monkeypatch.setattr(images, "budget", watched)
    large, small = (encoded(Image.new("P", (side, side))) for side in (500, 50))
    with ThreadPoolExecutor(8) as pool:
        shown = list(pool.map(lambda data: decode(data, size=64).rgb.size, [large, small] * 6))
    assert set(shown) == {(64, 64), (50, 50)} and 250_000 <= watched.most <= 400_000 and watched.left == 400_000


def test_a_budget_gives_out_no_more_than_it_has():
    budget, begun, ended = images.Budget(10), threading.Event(), threading.Event()

    def second():
        begun.set()
        with budget.share(6):
            ended.set()

    with budget.share(6):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert begun.wait(60) and budget.left == 4 and not ended.is_set()
    assert ended.wait(60)
    waiting.join()
    with budget.share(1000):
        assert budget.left == 0, "all there are at most"


def test_a_picture_that_is_refused_gives_its_share_back():
    for _ in range(3 * images.AT_ONCE):
        for data in (b"no picture", encoded(Image.effect_noise((640, 480), 50))[:9000]):
            with pytest.raises(ImageError):
                decode(data)
    assert decode(encoded(Image.new("L", (64, 48)))).rgb.size == (64, 48)
    assert images.budget.left == images.BUDGET


def test_a_picture_is_made_small_before_it_is_handed_out():
    photo = Image.new("RGBA", (400, 200), (200, 30, 30, 128))
    small = decode(encoded(photo), size=100)
    assert small.rgb.size == (100, 50) and small.alpha is not None and small.alpha.size == (100, 50)
    assert decode(encoded(photo), size=1000).rgb.size == (400, 200)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_what_is_decoded_small_looks_as_what_is_made_small_afterwards(mode, format):
    if mode == {"PNG": "CMYK", "JPEG": "RGBA"}[format]:
        return
    photo, buffer, exif = Image.effect_noise((900, 600), 90).resize((1800, 1200)), io.BytesIO(), Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    photo.convert(mode).save(buffer, format, exif=exif)
    small, whole = decode(buffer.getvalue(), size=200), decode(buffer.getvalue())
    wanted = whole.rgb.resize((133, 200), Image.Resampling.LANCZOS)
    assert small.rgb.size == wanted.size and small.format == whole.format == format
    assert max(ImageStat.Stat(ImageChops.difference(small.rgb, wanted)).mean) < 4
