"""Decoding for many at once: one budget of pixels for all threads, and pictures made small before they are kept."""

from __future__ import annotations

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import ExifTags, Image, ImageChops, ImageStat

from nst import images
from nst.images import ImageError, decode


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_many_large_pictures_at_once_cost_no_more_memory_than_one(monkeypatch):
    """Otherwise a few uploads of some kilobytes would take gigabytes: each of 40 megapixels is 160 MB and more."""
    held, most, lock = [0], [0], threading.Lock()
    normalize = images._normalize

    def watched(image, samples):
        with lock:
            held[0] += image.width * image.height
            most[0] = max(most[0], held[0])
        time.sleep(0.02)
        layers = normalize(image, samples)
        with lock:
            held[0] -= image.width * image.height
        return layers

    monkeypatch.setattr(images, "_normalize", watched)
    monkeypatch.setattr(images, "_budget", images._Budget(400_000))
    large, small = (encoded(Image.new("P", (side, side))) for side in (500, 50))
    with ThreadPoolExecutor(8) as pool:
        shown = list(pool.map(lambda data: decode(data, size=64).rgb.size, [large, small] * 6))
    assert set(shown) == {(64, 64), (50, 50)} and 250_000 <= most[0] <= 400_000 < 12 * 250_000


def test_a_picture_that_is_refused_gives_its_share_back():
    for _ in range(3 * images.AT_ONCE):
        for data in (b"no picture", encoded(Image.effect_noise((640, 480), 50))[:9000]):
            with pytest.raises(ImageError):
                decode(data)
    assert decode(encoded(Image.new("L", (64, 48)))).rgb.size == (64, 48)
    assert images._budget._left == images.BUDGET


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
