"""Pictures in and out: odd files are decoded right, hostile ones refused kindly, nothing lost on the way."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import struct
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import EpsImagePlugin, ExifTags, Image, ImageCms, ImageFile
from PIL.PngImagePlugin import PngInfo

from nst import formats, images
from nst.images import ImageError, Picture, decode, encode, fit, read_recipe, resize, save, to_pil, to_tensor

pytestmark = pytest.mark.filterwarnings("ignore")  # Pillow warns of much that it meets here
T = Image.Transpose
STORED = {  # EXIF orientation -> how an upright picture lies in the file
    1: None,
    2: T.FLIP_LEFT_RIGHT,
    3: T.ROTATE_180,
    4: T.FLIP_TOP_BOTTOM,
    5: T.TRANSPOSE,
    6: T.ROTATE_90,
    7: T.TRANSVERSE,
    8: T.ROTATE_270,
}
ORANGE, WHITE, BLACK = (230, 120, 30), (255, 255, 255), (0, 0, 0)
S = (8, 6)
D50 = (0xF6D6, 0x10000, 0xD32D)  # the white of ICC profiles


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


# --- making files ---


def photo(width: int = 24, height: int = 16) -> Image.Image:
    """A smooth picture without any symmetry."""
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    return Image.fromarray((255 * np.stack([x, y, (1 - x) * y], 2)).astype(np.uint8))


def flat(mode: str = "RGB", color: Any = ORANGE, size: tuple[int, int] = S) -> Image.Image:
    return Image.new(mode, size, color)


def file(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def difference(a: Image.Image, b: Image.Image) -> int:
    return int(np.abs(np.asarray(a, int) - np.asarray(b, int)).max())


def gray(values: Any, dtype: Any, format: str = "TIFF") -> bytes:
    return file(Image.fromarray(np.array([values] * 4, dtype)), format)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(size: tuple[int, int], depth: int, color: int, row: bytes, *extra: bytes) -> bytes:
    """A PNG by hand, all rows alike; `extra` are chunks between header and pixels."""
    head = struct.pack(">IIBBBBB", *size, depth, color, 0, 0, 0)
    pixels = zlib.compress((b"\0" + row) * min(size[1], 64))
    return b"".join((b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", head), *extra, chunk(b"IDAT", pixels), chunk(b"IEND", b"")))


def exif(orientation: int = 1, **comment: bytes) -> Image.Exif:
    block = Image.Exif()
    block[ExifTags.Base.Orientation] = orientation
    block[ExifTags.Base.Artist] = "somebody secret"
    block.get_ifd(ExifTags.IFD.GPSInfo)[2] = (52.0, 22.0, 1.5)
    if comment:
        block.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment["comment"]
    return block


def exif_bomb(entries: int, size: int) -> bytes:
    """A TIFF directory whose entries all point at one and the same long value."""
    table = b"".join(struct.pack("<HHLL", 1000 + i, 7, size, 8) for i in range(entries))
    return b"II*\0" + struct.pack("<LH", 8, entries) + table + bytes(4 + size)


def jpeg_exif_bomb() -> bytes:
    data, bomb = file(flat(), "JPEG", quality=95), exif_bomb(2_000, 150_000)
    parts = [b"Exif\0\0" + bomb[i : i + 60_000] for i in range(0, len(bomb), 60_000)]
    return data[:2] + b"".join(b"\xff\xe1" + struct.pack(">H", len(p) + 2) + p for p in parts) + data[2:]


def png_with(name: bytes, data: bytes, times: int = 1) -> bytes:
    return png(S, 8, 2, bytes(24), *[chunk(name, data)] * times)


def scan_bomb() -> bytes:
    data = file(Image.new("L", (2000, 2000), 90), "JPEG", progressive=True)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * 3000 + b"\xff\xd9"


def gif_comment_bomb() -> bytes:
    data = file(flat("P", 1), "GIF")
    where = 13 + (3 << ((data[10] & 7) + 1))
    return data[:where] + b"!\xfe" + (b"\xff" + b"a" * 255) * 40_000 + b"\0" + data[where:]


def profile(kind: bytes, space: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A small ICC profile by hand."""
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4xI4s4s4s12x4s28x", start + len(body), 0x02400000, kind, space, pcs, b"acsp")
    return head + struct.pack(">III48x", *D50) + table + body


def swapped_profile() -> bytes:
    """sRGB with the primaries of red and green exchanged."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return data.replace(b"rXYZ", b"____", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"____", b"gXYZ", 1)


def cmyk_profile() -> bytes:
    """Inks of which the first is red: whoever ignores the profile sees cyan."""
    cells = bytearray()
    for cell in range(16):  # the corners of the CMYK cube, the first ink slowest, as 8-bit Lab
        cells += bytes((135, 208, 195) if cell == 8 else (255, 128, 128) if cell == 0 else (0, 128, 128))
    identity = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    lut = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + bytes(range(256)) * 4 + bytes(cells)
    return profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut + bytes(range(256)) * 3})


def linear_gray_profile() -> bytes:
    white = b"XYZ " + struct.pack(">4xIII", *D50)
    return profile(b"mntr", b"GRAY", b"XYZ ", {b"wtpt": white, b"kTRC": b"curv" + bytes(8)})


def truncated(format: str) -> bytes:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    data = file(noise, format)
    return data[: len(data) * 2 // 3]


# --- odd files that are pictures: bytes, pixel at (1, 1), alpha there (None), size (8, 6) ---

half = flat("RGBA", (200, 0, 0, 128))
hidden = flat("RGBA", (0, 255, 0, 0))
hidden.paste((0, 0, 255, 255), (4, 0, 8, 6))
palette = flat("RGB").quantize(4)
ink = palette.getpixel((0, 0))
frames = [Image.new("P", (8, 6), i % 250) for i in range(1000)]
ODD: dict[str, tuple[Any, ...]] = {
    "jpeg": (lambda: file(flat(), "JPEG", quality=95), ORANGE),
    "jpeg progressive": (lambda: file(flat(), "JPEG", quality=95, progressive=True), ORANGE),
    "jpeg gray": (lambda: file(flat("L", 77), "JPEG"), (77,) * 3),
    "jpeg with garbage behind": (lambda: file(flat(), "JPEG", quality=95) + b"\0x" * 999, ORANGE),
    "jpeg cmyk": (lambda: file(flat("CMYK", (0, 255, 255, 0)), "JPEG", quality=95), (255, 0, 0)),
    "jpeg cmyk with profile": (
        lambda: file(flat("CMYK", (255, 0, 0, 0)), "JPEG", quality=95, icc_profile=cmyk_profile()),
        (249, 0, 6),
    ),
    "jpeg cmyk with an rgb profile": (
        lambda: file(flat("CMYK", (0, 255, 255, 0)), "JPEG", quality=95, icc_profile=swapped_profile()),
        (255, 0, 0),
    ),
    "jpeg of several pictures (mpo)": (
        lambda: file(flat(), "MPO", quality=95, save_all=True, append_images=[flat("RGB", 0)]),
        ORANGE,
    ),
    "jpeg with several blocks of exif": (jpeg_exif_bomb, ORANGE),
    "png 1-bit": (lambda: file(flat("1", 1), "PNG"), WHITE),
    "png palette": (lambda: file(palette, "PNG"), ORANGE),
    "png palette, transparent": (lambda: file(palette, "PNG", transparency=ink), WHITE, 0),
    "png palette, alpha per color": (lambda: file(palette, "PNG", transparency=b"\0" * 4), WHITE, 0),
    "png gray": (lambda: file(flat("L", 99), "PNG"), (99,) * 3),
    "png gray with a transparent value": (lambda: file(flat("L", 9), "PNG", transparency=9), WHITE, 0),
    "png rgb with a transparent color": (lambda: file(flat(), "PNG", transparency=ORANGE), WHITE, 0),
    "png gray and alpha": (lambda: file(flat("LA", (0, 51)), "PNG"), (204,) * 3, 51),
    "png half transparent": (lambda: file(half, "PNG"), (227, 127, 127), 128),
    "png green hidden": (lambda: file(hidden, "PNG"), WHITE, 0),
    "png opaque alpha": (lambda: file(flat("RGBA", (*ORANGE, 255)), "PNG"), ORANGE),
    "png 16-bit gray": (lambda: png(S, 16, 0, b"\x80\x80" * 8), (128,) * 3),
    "png 16-bit gray, transparent": (lambda: png(S, 16, 0, b"\x80\x80" * 8, chunk(b"tRNS", b"\x80\x80")), WHITE, 0),
    "png 16-bit rgb": (lambda: png(S, 16, 2, b"\xff\xff\x80\x80\x10\x10" * 8), (255, 128, 16)),
    "png 16-bit rgba": (lambda: png(S, 16, 6, b"\xff\xff\x80\x80\x10\x10\0\0" * 8), WHITE, 0),
    "png 16-bit gray and alpha": (lambda: png(S, 16, 4, b"\x80\x80\xff\xff" * 8), (128,) * 3),
    "png with a broken profile": (lambda: file(flat(), "PNG", icc_profile=b"rubbish" * 99), ORANGE),
    "png with a cmyk profile": (lambda: file(flat(), "PNG", icc_profile=cmyk_profile()), ORANGE),
    "png with broken exif": (lambda: file(flat(), "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"), ORANGE),
    "png with an exif bomb": (lambda: file(flat(), "PNG", exif=exif_bomb(2_000, 150_000)), ORANGE),
    "png linear gray profile": (lambda: file(flat("L", 128), "PNG", icc_profile=linear_gray_profile()), (188,) * 3),
    "png gray with an rgb profile": (lambda: file(flat("L", 128), "PNG", icc_profile=swapped_profile()), (128,) * 3),
    "png, text bomb": (lambda: png_with(b"zTXt", b"k\0\0" + zlib.compress(bytes(2**23))), BLACK),
    "png, unicode text bomb": (lambda: png_with(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(bytes(2**23))), BLACK),
    "png, profile bomb": (lambda: png_with(b"iCCP", b"k\0\0" + zlib.compress(bytes(2**25))), BLACK),
    "png, a hundred texts": (
        lambda: png_with(b"zTXt", b"pastiche\0\0" + zlib.compress(bytes(2**20 - 1)), 100),
        BLACK,
    ),
    "png animated": (lambda: file(flat(), "PNG", save_all=True, append_images=[flat("RGB", 0)]), ORANGE),
    "png one pixel wide": (lambda: file(flat(size=(1, 30_000)), "PNG"), ORANGE, None, (1, 30_000)),
    "png one pixel high": (lambda: file(flat(size=(30_000, 1)), "PNG"), ORANGE, None, (30_000, 1)),
    "png one pixel": (lambda: file(flat(size=(1, 1)), "PNG"), ORANGE, None, (1, 1)),
    "webp": (lambda: file(flat(), "WEBP", lossless=True), ORANGE),
    "webp with alpha": (lambda: file(half, "WEBP", lossless=True), (227, 127, 127), 128),
    "webp animated": (
        lambda: file(flat(), "WEBP", lossless=True, save_all=True, append_images=[flat("RGB", 0)]),
        ORANGE,
    ),
    "webp with an exif bomb": (lambda: file(flat(), "WEBP", lossless=True, exif=exif_bomb(2_000, 150_000)), ORANGE),
    "avif": (lambda: file(flat(), "AVIF", quality=100), ORANGE),
    "avif with alpha": (lambda: file(half, "AVIF", quality=100), (227, 127, 127), 128),
    "avif with an exif bomb": (lambda: file(flat(), "AVIF", quality=100, exif=exif_bomb(2_000, 150_000)), ORANGE),
    "tiff lzw": (lambda: file(flat(), "TIFF", compression="tiff_lzw"), ORANGE),
    "tiff of several pages": (lambda: file(flat(), "TIFF", save_all=True, append_images=[flat("RGB", 0)]), ORANGE),
    "tiff cmyk": (lambda: file(flat("CMYK", (0, 255, 255, 0)), "TIFF"), (255, 0, 0)),
    "tiff lab": (lambda: file(flat("LAB", (255, 128, 128)), "TIFF"), WHITE),
    "tiff 32-bit, beyond 16": (lambda: gray([-100_000, 0, 100_000], np.int32), (128,) * 3, None, (3, 4)),
    "tiff 12 bits in 16": (lambda: gray([0, 2048, 4095], np.uint16), (128,) * 3, None, (3, 4)),
    "tiff float, 0 to 1": (lambda: gray([0.1, 0.5, 0.9], np.float32), (128,) * 3, None, (3, 4)),
    "tiff float, -2 to 1000": (lambda: gray([-2, 499, 1000], np.float32), (128,) * 3, None, (3, 4)),
    "tiff float, not a number": (lambda: gray([-10, np.nan, 10, np.inf], np.float32), (0,) * 3, None, (4, 4)),
    "tiff float, infinite": (lambda: gray([0, np.inf, 1000, -np.inf], np.float32), WHITE, None, (4, 4)),
    "tiff float, nothing finite": (lambda: gray([np.nan] * 3, np.float32), (0,) * 3, None, (3, 4)),
    "tiff float, extreme": (lambda: gray([-3e38, 0, 3e38], np.float32), (128,) * 3, None, (3, 4)),
    "bmp": (lambda: file(flat(), "BMP"), ORANGE),
    "gif": (lambda: file(palette, "GIF"), ORANGE),
    "gif transparent": (lambda: file(palette, "GIF", transparency=ink), WHITE, 0),
    "gif of a thousand frames": (lambda: file(palette, "GIF", save_all=True, append_images=frames), ORANGE),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_decoded_right(name: str) -> None:
    make, color, *rest = ODD[name]
    alpha, size = rest + [None, S][len(rest) :]
    data = make()
    picture = decode(data)
    assert picture.rgb.mode == "RGB" and picture.rgb.size == size and not picture.rgb.info
    where = (min(1, size[0] - 1), min(1, size[1] - 1))
    assert picture.rgb.getpixel(where) == pytest.approx(color, abs=3)
    if alpha is None:
        assert picture.alpha is None
    else:
        assert picture.alpha is not None and picture.alpha.mode == "L" and picture.alpha.size == size
        assert picture.alpha.getpixel(where) == pytest.approx(alpha, abs=3)


# --- files that are refused: (bytes, words of the sentence) ---

HUGE = png((50_000, 50_000), 8, 2, b"")
SVG = b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "empty; copy"),
    "text": (lambda: b"This is not a picture.\n" * 40, "not a picture of a known kind; choose"),
    "random bytes": (lambda: np.random.default_rng(1).bytes(5000), "not a picture"),
    "zeros": (lambda: bytes(5000), "not a picture"),
    "svg": (lambda: SVG, "SVG; .*export"),
    "svg, bare, with a byte order mark": (lambda: b"\xef\xbb\xbf <SVG></SVG>", "SVG; .*export"),
    "html": (lambda: b"<!DOCTYPE html><html><img></html>", "HTML; .*export"),
    "pdf": (lambda: b"%PDF-1.7\n" + bytes(99), "PDF; .*export"),
    "zip": (lambda: b"PK\x03\x04" + bytes(99), "ZIP; .*export"),
    "eps": (lambda: file(flat(), "EPS"), "EPS; .*export"),
    "eps, binary": (lambda: b"\xc5\xd0\xd3\xc6" + bytes(99), "EPS; .*export"),
    "mp4": (lambda: b"\0\0\0\x20ftypisom" + bytes(99), "video; .*export"),
    "truncated jpeg": (lambda: truncated("JPEG"), "damaged.*copy it again"),
    "truncated png": (lambda: truncated("PNG"), "damaged.*copy it again"),
    "truncated webp": (lambda: truncated("WEBP"), "damaged.*copy it again"),
    "truncated avif": (lambda: truncated("AVIF"), "damaged.*copy it again"),
    "truncated tiff": (lambda: truncated("TIFF"), "damaged.*copy it again"),
    "truncated bmp": (lambda: truncated("BMP"), "damaged.*copy it again"),
    "truncated gif": (lambda: truncated("GIF"), "damaged.*copy it again"),
    "jpeg, signature only": (lambda: b"\xff\xd8\xff", "damaged"),
    "png, signature only": (lambda: b"\x89PNG\r\n\x1a\n", "damaged"),
    "gif, signature only": (lambda: b"GIF89a", "damaged"),
    "webp, signature only": (lambda: b"RIFF\x08\0\0\0WEBP", "damaged"),
    "tiff, signature only": (lambda: b"II*\0\x08\0\0\0", "damaged"),
    "tiff, directory of itself": (lambda: b"II*\0\x08\0\0\0\x01\0" + b"\xff" * 16, "damaged"),
    "bmp, signature only": (lambda: b"BM", "damaged"),
    "png without pixels": (lambda: HUGE[:33] + chunk(b"IEND", b""), "over 40 megapixels|damaged"),
    "png, zero wide": (lambda: png((0, 4), 8, 2, b""), "damaged"),
    "png, bad checksum": (lambda: png(S, 8, 2, bytes(24)).replace(b"IDAT", b"IDAT\0", 1), "damaged"),
    "png of 41 megapixels": (lambda: png((8200, 5000), 8, 2, b""), "over 40 megapixels; make it smaller"),
    "png of 100 megapixels": (lambda: png((10_000, 10_000), 8, 2, b""), "over 40 megapixels"),
    "png of 2500 megapixels": (lambda: HUGE, "over 40 megapixels"),
    "png of the largest size there is": (lambda: png((2**31 - 1,) * 2, 8, 2, b""), "over 40 megapixels"),
    "gif of 65535 x 65535": (lambda: b"GIF89a" + b"\xff" * 4 + file(palette, "GIF")[10:], "over 40 mega"),
    "bmp, absurd height": (
        lambda: file(flat(), "BMP")[:22] + struct.pack("<i", 2**30) + file(flat(), "BMP")[26:],
        "over 40",
    ),
    "gif, quadratic comment": (gif_comment_bomb, "too much work; save it again"),
    "jpeg of 3000 scans": (scan_bomb, "too much work; save it again"),
    "tiff, bomb of overlapping entries": (lambda: exif_bomb(3_000, 200_000), "too much work; save it"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_no_pictures_are_refused_kindly(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(formats, "MAX_SECONDS", 0.1)
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *a, **k: pytest.fail("Ghostscript was called"))
    make, words = REFUSED[name]
    path = tmp_path / "upload.png"
    path.write_bytes(make())
    for source in (path, io.BytesIO(path.read_bytes())):
        with pytest.raises(ImageError, match=words) as error:
            decode(source)
        sentence = str(error.value)
        assert sentence.endswith(".") and "; " in sentence and "\n" not in sentence and len(sentence) < 300


@pytest.mark.parametrize("name", [name for name in ODD | REFUSED if "bomb" in name or "exif" in name])
def test_bombs_take_little_memory(name: str) -> None:
    data = (ODD | REFUSED)[name][0]()
    tracemalloc.start()
    try:
        with contextlib.suppress(ImageError):
            decode(data)
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()


# --- where a picture comes from ---


def test_paths_that_are_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(source: object, words: str) -> None:
        with pytest.raises(ImageError, match=words):
            decode(source)  # type: ignore[arg-type]
        with pytest.raises(ImageError, match=words):
            read_recipe(source)  # type: ignore[arg-type]

    refused(tmp_path / "nowhere.png", "no picture file .*nowhere.png'; check the name")
    refused("https://example.org/a.png", "no picture file")
    refused("a\0b.png", "no picture file")
    refused("x" * 5000, "cannot be read")
    refused(tmp_path, "no picture file.*give no folder")
    refused(None, "No picture was given; choose one")
    (tmp_path / "large.tif").touch()
    os.truncate(tmp_path / "large.tif", images.MAX_BYTES + 1)  # a sparse file: nothing is written
    refused(tmp_path / "large.tif", "larger than 512 MB; save")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        refused(tmp_path / "pipe.png", "no picture file")
    path = save(tmp_path / "locked.png", flat())

    def denied(self: Path) -> bytes:  # chmod would not stop the superuser, who may be running this
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    refused(path, "cannot be read.*check its permissions")


def test_every_kind_of_source_gives_the_same_picture(tmp_path: Path) -> None:
    path = tmp_path / "mislabelled.jpg"
    path.write_bytes(file(photo(), "PNG"))
    expected = photo().tobytes()
    assert decode(path).rgb.tobytes() == decode(str(path)).rgb.tobytes() == expected
    assert decode(path.read_bytes()).rgb.tobytes() == expected
    with path.open("rb") as stream:
        assert decode(stream).rgb.tobytes() == expected
        assert not stream.closed
    with Image.open(path) as image:
        assert decode(image).rgb.tobytes() == expected
        image.getpixel((0, 0))  # still usable
    given = hidden.copy()
    assert decode(given).rgb.getpixel((0, 0)) == WHITE
    assert given.mode == "RGBA" and given.tobytes() == hidden.tobytes()
    with pytest.raises(ImageError):
        decode(Image.new("RGB", (0, 5)))


def test_the_pixel_limit_is_an_option_and_is_checked_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    data = file(flat(size=(100, 100)), "PNG")
    assert decode(data, max_pixels=10_000).rgb.size == (100, 100)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("pixels were decoded"))
    with pytest.raises(ImageError, match=r"over 0\.009999 megapixels; make it smaller or raise the limit"):
        decode(data, max_pixels=9_999)
    with pytest.raises(ImageError, match="megapixels"):
        decode(flat(size=(100, 100)), max_pixels=9_999)


def test_heic(monkeypatch: pytest.MonkeyPatch) -> None:
    heif = pytest.importorskip("pillow_heif")
    monkeypatch.delitem(sys.modules, "pillow_heif")
    decode(file(photo(), "PNG"))
    assert "pillow_heif" not in sys.modules  # only where it is needed
    heif.register_heif_opener()
    data = file(photo(64, 48), "HEIF", quality=100, exif=exif(6).tobytes())
    picture = decode(data)
    assert picture.rgb.size == (48, 64) and picture.alpha is None
    assert difference(picture.rgb, photo(64, 48).transpose(T.ROTATE_270)) < 20
    with pytest.raises(ImageError, match="damaged"):
        decode(data[: len(data) // 2])
    monkeypatch.delitem(Image.OPEN, "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match="HEIC photo; run 'pip install pillow-heif'"):
        decode(data)


# --- colors, depth and rotation ---


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "JPEG", "AVIF"])
def test_all_eight_orientations(format: str, orientation: int) -> None:
    turn = STORED[orientation]
    stored = photo() if turn is None else photo().transpose(turn)
    options: dict[str, Any] = {} if format == "TIFF" else {"quality": 100, "lossless": True, "subsampling": 0}
    options |= {"subsampling": "4:4:4"} if format == "AVIF" else {}
    decoded = decode(file(stored, format, exif=exif(orientation), **options)).rgb
    assert decoded.size == (24, 16)
    assert difference(decoded, photo()) <= {"JPEG": 6, "AVIF": 12}.get(format, 0)


def test_rotation_takes_alpha_along_and_survives_broken_tags() -> None:
    image = photo().convert("RGBA")
    image.putalpha(photo().getchannel("R"))
    picture = decode(file(image.transpose(T.ROTATE_90), "PNG", exif=exif(6)))
    assert picture.alpha is not None and picture.alpha.tobytes() == photo().getchannel("R").tobytes()
    entries = ((0x0112, 3, 1, 6), (0x011A, 5, 1, 2**24), (0x8825, 4, 1, 2**24), (0x9999, 2, 9, 2**24))
    block = b"II*\0" + struct.pack("<LH", 8, 4) + b"".join(struct.pack("<HHLL", *entry) for entry in entries)
    with pytest.warns(UserWarning):
        assert decode(file(photo(), "PNG", exif=block + bytes(4))).rgb.size == (16, 24)
    xmp = PngInfo()
    xmp.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>')
    assert decode(file(photo(), "PNG", pnginfo=xmp)).rgb.size == (16, 24)


def test_a_16_bit_ramp_is_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 512).astype(np.uint16)
    for data in (gray(ramp, np.uint16, "PNG"), gray(ramp, np.uint16), gray(ramp, np.dtype(">u2"))):
        row = np.asarray(decode(data).rgb)[0, :, 0]
        assert np.array_equal(row, np.round(ramp / 257).astype(np.uint8))
    dark = np.asarray(decode(gray([0, 9000, 18000], np.uint16, "PNG")).rgb)[0, :, 0]
    assert list(dark) == [0, 35, 70]  # a dark photograph stays dark


def test_an_embedded_profile_is_applied() -> None:
    red = file(flat("RGB", (255, 0, 0)), "PNG", icc_profile=swapped_profile())
    assert decode(red).rgb.getpixel((0, 0)) == (0, 255, 0)
    see_through = file(flat("RGBA", (255, 0, 0, 128)), "PNG", icc_profile=swapped_profile())
    assert decode(see_through).rgb.getpixel((0, 0)) == (127, 255, 127)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert decode(file(photo(), "PNG", icc_profile=srgb)).rgb.tobytes() == photo().tobytes()


def test_adobe_marks_do_not_invert_a_cmyk_picture() -> None:
    data = file(flat("CMYK", (0, 255, 255, 0)), "JPEG", quality=95)
    assert b"Adobe" in data
    at = data.index(b"\xff\xee")
    plain = data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]
    assert decode(data).rgb.getpixel((1, 1)) == pytest.approx((255, 0, 0), abs=3)
    assert decode(plain).rgb.getpixel((1, 1)) == pytest.approx((255, 0, 0), abs=3)


# --- encoding ---

RECIPE = {
    "pastiche": "1.0",
    "settings": {"strength": 42.5, "seed": 7, "size": None},
    "content": 'Zoë\'s 猫 🐈 "photo".jpg',
    "models": {"compact": "ab" * 32},
}


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_recipe_and_pixels_come_back(format: images.Format, tmp_path: Path) -> None:
    path = save(tmp_path / f"out.{format}", photo(), recipe=RECIPE)
    picture = decode(path)
    assert picture.recipe == read_recipe(path) == read_recipe(path.read_bytes()) == RECIPE
    with Image.open(path) as image:
        assert image.format == format.upper() and read_recipe(image) == RECIPE
        assert b"sRGB" in image.info["icc_profile"].replace(b"\0", b"")
        if format == "jpeg":
            assert {layer[1:3] for layer in image.layer} == {(1, 1)}  # type: ignore[attr-defined]
    assert difference(picture.rgb, photo()) <= {"png": 0, "jpeg": 8, "webp": 30}[format]
    assert read_recipe(save(tmp_path / f"plain.{format}", photo())) is None
    assert encode(photo(), format=format, recipe=RECIPE) == path.read_bytes()


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_nothing_of_the_input_is_told(format: images.Format) -> None:
    block = exif(1, comment=b"ASCII\0\0\0at home")
    options = {"comment": b"a secret", "xmp": b"secret xmp", "icc_profile": swapped_profile()}
    data = file(photo(), "JPEG", exif=block, **options)
    opened = Image.open(io.BytesIO(data))
    for image in (decode(data).rgb, opened):
        out = encode(image, format=format)
        assert b"secret" not in out and b"home" not in out
        with Image.open(io.BytesIO(out)) as written:
            assert not written.getexif() and not written.getexif().get_ifd(ExifTags.IFD.GPSInfo)
            assert not {"comment", "exif", "xmp", "XML:com.adobe.xmp", "photoshop"} & set(written.info)
            assert written.info["icc_profile"] != swapped_profile()


def test_alpha_is_put_back() -> None:
    alpha = photo().getchannel("R")
    for format in ("png", "webp"):
        picture = decode(encode(photo(), format=format, alpha=alpha))
        assert picture.alpha is not None and picture.alpha.tobytes() == alpha.tobytes()
    assert decode(encode(flat(size=(48, 32)), alpha=alpha)).alpha.size == (48, 32)  # type: ignore[union-attr]
    clear = decode(encode(flat(), format="jpeg", alpha=flat("L", 0)))
    assert clear.alpha is None and clear.rgb.getpixel((0, 0)) == WHITE


def test_what_cannot_be_encoded() -> None:
    with pytest.raises(ImageError, match="too large for webp; choose png"):
        encode(flat(size=(16_384, 1)), format="webp")
    with pytest.raises(ImageError, match="too large for jpeg; choose png"):
        encode(flat(size=(65_536, 1)), format="jpeg")
    with pytest.raises(ImageError, match="choose png, jpeg or webp"):
        encode(flat(), format="gif")  # type: ignore[arg-type]
    with pytest.raises(ImageError, match="shorten"):
        encode(flat(), recipe={"text": "x" * images.MAX_RECIPE})
    longest = {"text": "x" * (images.MAX_RECIPE - 20)}
    for format in ("png", "jpeg", "webp"):
        assert read_recipe(encode(flat(), format=format, recipe=longest)) == longest


def test_saving_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.PNG", flat())
    before = path.read_bytes()
    with pytest.raises(ImageError, match=r"choose \.png, \.jpg or \.webp"):
        save(tmp_path / "a.gif", flat())
    with pytest.raises(ImageError, match=r"cannot be written.*choose another place"):
        save(tmp_path / "nowhere" / "a.png", flat())
    with pytest.raises(ImageError, match="cannot be written"):
        save(path / "a.png", flat())

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(path, flat("RGB", 0))
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["a.PNG"]


HOSTILE_RECIPES = {
    "not json": "hello",
    "a list": "[1, 2]",
    "a number": "7",
    "nothing": "",
    "deep": "[" * 50_000,
    "deep dicts": '{"a":' * 10_000 + "1" + "}" * 10_000,
    "huge": '{"a": "' + "x" * 100_000 + '"}',
    "a lone surrogate": '{"a": "\\ud800"}',
    "an endless number": '{"a": ' + "9" * 20_000 + "}",
}


@pytest.mark.parametrize("name", HOSTILE_RECIPES)
def test_hostile_recipes_are_ignored(name: str) -> None:
    text = HOSTILE_RECIPES[name]
    note = PngInfo()
    note.add_itxt("pastiche", text)
    files = [file(flat(), "PNG", pnginfo=note)]
    if len(text) < 60_000:
        files.append(file(flat(), "JPEG", exif=exif(1, comment=b"ASCII\0\0\0pastiche:" + text.encode())))
    for data in files:
        assert read_recipe(data) is None
        assert decode(data).recipe is None and decode(data).rgb.size == S


def test_no_recipe_in_what_is_not_ours() -> None:
    for data in (b"text", HUGE, truncated("WEBP"), truncated("PNG"), file(photo(), "TIFF", exif=exif())):
        assert read_recipe(data) is None
    assert read_recipe(file(flat(), "JPEG", exif=exif(1, comment=b"\xff\xfe\xfd"))) is None
    assert read_recipe(file(flat(), "JPEG", exif=exif(1, comment=b'ASCII\0\0\0{"a": 1}'))) is None
    assert read_recipe(file(flat(), "PNG", exif=b"II*\0\x08\0\0\0\xff\xff")) is None


# --- tensors ---


def test_to_tensor_and_back() -> None:
    tensor = to_tensor(photo())
    assert tensor.shape == (1, 3, 16, 24) and tensor.dtype == torch.float32 and tensor.is_contiguous()
    assert tuple(tensor[0, :, 3, 5].mul(255).round().int().tolist()) == photo().getpixel((5, 3))
    assert to_pil(tensor).tobytes() == photo().tobytes()
    assert torch.equal(to_tensor(Picture(photo())), tensor)
    assert to_tensor(flat("RGBA", (0, 0, 0, 0))).min() == 1 and to_tensor(flat("I;16", 65535)).min() == 1
    every = Image.fromarray(np.arange(256 * 3, dtype=np.uint8).reshape(1, 256, 3))
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        assert difference(to_pil(to_tensor(every).to(dtype)), every) <= (dtype == torch.bfloat16)


def test_to_pil_clamps_rounds_and_wants_one_image() -> None:
    values = torch.tensor([-1.0, 0.0, 0.4999 / 255, 0.5001 / 255, 1.0, 7.0, float("nan"), float("inf")])
    tensor = values.repeat(1, 3, 1, 1).requires_grad_()
    assert list(np.asarray(to_pil(tensor))[0, :, 0]) == [0, 0, 0, 1, 255, 255, 0, 255]
    for shape in ((3, 4, 4), (2, 3, 4, 4), (1, 1, 4, 4)):
        with pytest.raises(ValueError, match=r"\(1, 3, H, W\)"):
            to_pil(torch.zeros(shape))


def test_fit() -> None:
    assert fit(4000, 3000, 512) == (512, 384) and fit(3000, 4000, 512) == (384, 512)
    assert fit(10, 10, 512) == (512, 512) and fit(30_000, 1, 512) == (512, 1) and fit(1, 1, 1) == (1, 1)
    for size in range(1, 300):
        assert max(fit(1237, 811, size)) == size
    for wrong in ((0, 5, 5), (5, 5, 0), (-1, 5, 5)):
        with pytest.raises(ValueError, match="at least 1"):
            fit(*wrong)


def test_resize() -> None:
    tensor = to_tensor(photo())
    assert resize(tensor, 24) is tensor and resize(tensor, (16, 24)) is tensor
    assert resize(tensor, 12).shape == (1, 3, 8, 12) and resize(tensor, (5, 7)).shape == (1, 3, 5, 7)
    assert torch.allclose(resize(torch.full((1, 3, 9, 13), 0.3), 40), torch.tensor(0.3), atol=1e-6)
    board = (torch.arange(64)[:, None] + torch.arange(64)).remainder(2).float().expand(1, 3, 64, 64)
    assert (resize(board, 16)[..., 2:-2, 2:-2] - 0.5).abs().max() < 0.02  # no aliasing
    edge = torch.zeros(1, 3, 8, 8)
    edge[..., 4:] = 1
    assert resize(edge, 40).min() == 0 and resize(edge, 40).max() == 1  # no overshoot
    assert resize(torch.rand(1, 3, 1, 300), 30).shape == (1, 3, 1, 30)


# --- all of it together ---


def test_flipped_bits_never_crash() -> None:
    random = np.random.default_rng(3)
    alive = 0
    for name in ("jpeg progressive", "png palette", "webp", "avif", "tiff lzw", "tiff lab", "gif", "bmp"):
        good = ODD[name][0]()
        for _ in range(40):
            data = bytearray(good)
            for where in random.integers(0, len(data), 3):
                data[where] = random.integers(256)
            with contextlib.suppress(ImageError):
                alive += decode(bytes(data), max_pixels=1_000_000).rgb.mode == "RGB"
    assert alive > 20


def test_two_hundred_pictures_leave_nothing_behind(tmp_path: Path) -> None:
    slow = ("bomb", "comment", "scans", "texts", "frames", "blocks", "one pixel")
    paths: list[Path] = []
    for name, (make, *_) in (ODD | REFUSED).items():
        if not any(word in name for word in slow):
            paths.append(tmp_path / str(len(paths)))
            paths[-1].write_bytes(make())

    def decode_all(count: int) -> None:
        for i in range(count):
            with contextlib.suppress(ImageError):
                decode(paths[i % len(paths)])

    def open_files() -> int:
        return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

    def resident_pages() -> int:  # tracemalloc does not see the pixels, which Pillow allocates in C
        statm = Path("/proc/self/statm")
        return int(statm.read_text().split()[1]) if statm.exists() else 0

    decode_all(len(paths))
    tracemalloc.start()
    decode_all(len(paths))
    gc.collect()
    files, before = open_files(), tracemalloc.get_traced_memory()[0]
    decode_all(200)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert open_files() == files and grown < 300_000
    large = [file(photo(500, 400), format) for format in ("PNG", "JPEG", "TIFF", "BMP")]
    large += [data[: len(data) // 2] for data in large]
    before = 0
    for i in range(220):
        with contextlib.suppress(ImageError):
            decode(large[i % 8])
        before = before or (resident_pages() if i == 20 else 0)
    assert (resident_pages() - before) * 4096 < 50e6  # 200 pictures of 0.6 MB would be 120 MB


def test_threads_do_not_disturb_each_other() -> None:
    good, bad = file(photo(), "JPEG", quality=95), truncated("JPEG")
    expected = decode(good).rgb.tobytes()

    def work(i: int) -> bool:
        if i % 2:
            return decode(good).rgb.tobytes() == expected
        with pytest.raises(ImageError, match="damaged"):
            decode(bad)
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(80)))
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
