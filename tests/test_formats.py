"""Files as other programs write them: right pixels or a refusal, never wrong ones; metadata costs no picture."""

from __future__ import annotations

import io
import struct
import zlib
from itertools import product

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from nst import formats
from nst.images import ImageError, decode, encode, read_recipe

pytestmark = pytest.mark.filterwarnings("ignore")  # Pillow warns of much that it meets here
Y, X = np.mgrid[0:24, 0:40]
RAMP = np.stack([(X * 6) % 256, (Y * 10) % 256, (X + Y) * 4 % 256, 128 + X], 2) / 255  # red, green, blue, alpha
GRAY = RAMP[..., 0]
LONG, SHORT = 4, 3  # types of TIFF


def tiff(
    values: np.ndarray,
    photometric: int,
    *,
    order: str = "<",
    planar: bool = False,
    packed: bool = False,
    more: tuple[tuple[int, int, tuple[int, ...]], ...] = (),
) -> bytes:
    """A TIFF by hand of values (H, W, C), in one strip, or one for each plane; `more` are (tag, type, numbers)."""
    high, wide, count = values.shape
    values = values.astype(values.dtype.newbyteorder(order))
    planes = np.moveaxis(values, 2, 0) if planar else [values]
    strips = [zlib.compress(plane.tobytes()) if packed else plane.tobytes() for plane in planes]
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    offsets = tuple(8 + sum(map(len, strips[:i])) for i in range(len(strips)))
    entries = [
        (256, LONG, (wide,)),
        (257, LONG, (high,)),
        (258, SHORT, (values.dtype.itemsize * 8,) * count),
        (259, SHORT, (8 if packed else 1,)),
        (262, SHORT, (photometric,)),
        (273, LONG, offsets),
        (277, SHORT, (count,)),
        (278, LONG, (high,)),
        (279, LONG, tuple(map(len, strips))),
        (284, SHORT, (2 if planar else 1,)),
        (339, SHORT, (kind,) * count),
        *more,
    ]
    body = b"".join(strips)
    body += bytes(len(body) % 2)
    start = 8 + len(body)
    after = start + 2 + 12 * len(entries) + 4
    table, behind = b"", b""
    for tag, size, numbers in sorted(entries):
        data = struct.pack(order + ("H" if size == SHORT else "L") * len(numbers), *numbers)
        if len(data) > 4:
            place = struct.pack(order + "L", after + len(behind))
            behind += data + bytes(len(data) % 2)
        else:
            place = data.ljust(4, b"\0")
        table += struct.pack(order + "HHL", tag, size, len(numbers)) + place
    mark = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(order + "H", len(entries)) + table + bytes(4)
    return mark + struct.pack(order + "L", start) + body + directory + behind


def stored(values: np.ndarray, dtype: str) -> np.ndarray:
    """Values (H, W, C) in [0, 1] at the full scale of a number format."""
    kind = np.dtype(dtype)
    full = 1 if kind.kind == "f" else np.iinfo(kind).max
    return (values * full).round().astype(kind) if kind.kind != "f" else values.astype(kind)


def difference(data: bytes, wanted: np.ndarray) -> float:
    """Greatest error of a decoded file against values (H, W, 3) in [0, 1]."""
    return float(np.abs(np.asarray(decode(data).rgb) / 255 - wanted).max())


@pytest.mark.parametrize("photometric, dtype", product((1, 0), ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8")))
def test_gray_tiffs_are_right_or_refused(photometric: int, dtype: str) -> None:
    read = 0
    for order, packed in product("<>", (False, True)):
        data = tiff(stored(GRAY[..., None], dtype), photometric, order=order, packed=packed)
        try:
            assert difference(data, np.stack([GRAY if photometric else 1 - GRAY] * 3, 2)) < 0.01, (order, packed)
            read += 1
        except ImageError as error:
            assert "save it anew" in str(error)
    missing = {(0, "i1"), (0, "i2"), (0, "u4"), (0, "i4"), (0, "f8"), (1, "f8")}  # Pillow knows none of these
    assert read == (
        0 if (photometric, dtype) in missing else 2 if (photometric, dtype) in {(0, "u2"), (1, "u4")} else 4
    )


@pytest.mark.parametrize("dtype, planar, alpha", product(("u1", "u2"), (False, True), (False, True)))
def test_color_tiffs_are_right(dtype: str, planar: bool, alpha: bool) -> None:
    values = RAMP if alpha else RAMP[..., :3]
    wanted = RAMP[..., :3] * RAMP[..., 3:] + 1 - RAMP[..., 3:] if alpha else values
    more = ((338, SHORT, (2,)),) if alpha else ()  # not multiplied into the colors
    for order, packed in product("<>", (False, True)):
        data = tiff(stored(values, dtype), 2, order=order, planar=planar, packed=packed, more=more)
        assert difference(data, wanted) < 0.01, (order, packed)
        assert (decode(data).alpha is not None) == alpha


def test_twelve_bits_in_sixteen_of_a_dark_picture_stay_dark() -> None:
    short = stored(GRAY[..., None] * 0.5, "u2")
    assert difference(tiff(short, 1), np.stack([GRAY * 0.5] * 3, 2)) < 0.01
    wide = (GRAY[..., None] * 30000).astype("u4")  # 16 bits in 32
    assert difference(tiff(wide, 1), np.stack([GRAY * 30000 / 65535] * 3, 2)) < 0.01


@pytest.mark.parametrize("packed", [False, True])
def test_planes_and_spaces_that_pillow_mixes_up(packed: bool) -> None:
    red = np.tile(np.array([76, 85, 255], "u1"), (24, 40, 1))
    for planar in (False, True):  # YCbCr
        data = tiff(red, 6, planar=planar, packed=packed, more=((530, SHORT, (1, 1)),))
        assert decode(data).rgb.getpixel((1, 1)) == pytest.approx((255, 0, 0), abs=3)
    lab = np.tile(np.array([136, 81, 70], "u1"), (24, 40, 1))
    assert decode(tiff(lab, 8, packed=packed)).rgb.getpixel((1, 1)) == pytest.approx((255, 0, 0), abs=6)
    both = stored(RAMP[..., [0, 3]], "u1")
    for values, photometric, more in ((lab, 8, ()), (both, 1, ((338, SHORT, (2,)),))):
        with pytest.raises(ImageError, match="save it anew as PNG"):
            decode(tiff(values, photometric, planar=True, packed=packed, more=more))


def test_a_raw_photo_is_not_its_thumbnail() -> None:
    small = stored(RAMP[..., :3], "u1")
    for told in ((254, LONG, (1,)), (255, SHORT, (2,)), (50706, LONG, (0x104,))):  # reduced, the same of old, DNG
        more = (told, (330, LONG, (8,)))
        with pytest.raises(ImageError, match=r"begins with a thumbnail of its picture, as DNG.*; open it in its own"):
            decode(tiff(small, 2, more=more))
    with pytest.raises(ImageError, match="thumbnail"):  # Canon's
        decode(b"II*\0\x10\0\0\0CR\2\0" + bytes(4) + tiff(small, 2)[8:])
    pages = io.BytesIO()
    thumbnail = Image.new("RGB", (8, 8))
    thumbnail.save(pages, "TIFF", save_all=True, append_images=[Image.new("RGB", (99, 99))], tiffinfo={254: 1})
    with pytest.raises(ImageError, match="thumbnail"):
        decode(pages.getvalue())
    assert difference(tiff(small, 2, more=((254, LONG, (1,)),)), RAMP[..., :3]) < 0.01  # there is nothing larger


def test_layers_of_another_program_do_not_cost_a_tiff() -> None:
    layers = (37724, LONG, tuple(range(3_000_000)))  # as Photoshop keeps them, 12 MB
    assert difference(tiff(stored(RAMP[..., :3], "u1"), 2, more=(layers,)), RAMP[..., :3]) < 0.01


# --- metadata of PNGs ---


def png(*extra: bytes, after: tuple[bytes, ...] = (), image: Image.Image | None = None) -> bytes:
    """A PNG with chunks between header and pixels, and behind the pixels."""
    buffer = io.BytesIO()
    (image or Image.fromarray(stored(RAMP[..., :3], "u1"))).save(buffer, "PNG")
    data = buffer.getvalue()
    return data[:33] + b"".join(extra) + data[33:-12] + b"".join(after) + data[-12:]


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


XMP = b'<x:xmpmeta tiff:Orientation="6">' + b"<history/>" * 200_000
LARGE = {
    "compressed text": chunk(b"zTXt", b"prompt\0\0" + zlib.compress(bytes(3_000_000))),
    "plain text": chunk(b"tEXt", b"prompt\0" + b"a" * 3_000_000),
    "XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP),
    "compressed XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP)),
    "a hundred texts of a megabyte": chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**20 - 9))) * 100,
    "EXIF with a maker's notes": chunk(b"eXIf", b"II*\0\x08\0\0\0" + bytes(3_000_000)),
    "a text with a broken sum": chunk(b"tEXt", b"a\0b")[:-1] + b"!",
    "a profile deflated in an unknown way": chunk(b"iCCP", b"a\0\7" + b"rubbish"),
    "a broken text": chunk(b"zTXt", b"pastiche\0\0rubbish"),
}


@pytest.mark.parametrize("name", LARGE)
def test_metadata_never_costs_a_png(name: str) -> None:
    for data in (png(LARGE[name]), png(after=(LARGE[name],))):
        assert difference(data, RAMP[..., :3]) < 0.01
        assert read_recipe(data) is None


def test_a_large_profile_is_applied_and_a_bomb_is_not() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"____", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"____", b"gXYZ", 1)
    red = Image.new("RGB", (8, 8), "red")
    for size, color in ((3_000_000, (0, 255, 0)), (2**25, (255, 0, 0))):
        large = struct.pack(">I", size) + swapped[4:] + bytes(size - len(swapped))
        data = png(chunk(b"iCCP", b"printer\0\0" + zlib.compress(large)), image=red)
        assert decode(data).rgb.getpixel((1, 1)) == color


def test_a_recipe_and_a_rotation_are_found_beside_large_texts() -> None:
    recipe = {"settings": {"strength": 40}}
    ours = encode(Image.new("RGB", (8, 6)), recipe=recipe)
    data = ours[:33] + LARGE["compressed text"] + ours[33:]
    assert decode(data).recipe == read_recipe(data) == recipe
    note = PngInfo()
    note.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>', zip=True)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6)).save(buffer, "PNG", pnginfo=note)
    data = buffer.getvalue()
    assert decode(data[:33] + LARGE["compressed text"] + data[33:]).rgb.size == (6, 8)


def test_a_png_of_endless_chunks_is_refused() -> None:
    with pytest.raises(ImageError, match="too much work"):
        decode(png(chunk(b"tIME", b"") * formats.MAX_CHUNKS))


def test_a_png_cut_within_its_last_text_is_whole() -> None:
    assert difference(png(after=(LARGE["plain text"],))[:-1_000_000], RAMP[..., :3]) < 0.01


# --- formats ---


def test_only_the_listed_formats_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever plugin somebody has registered: PostScript above all, which is a program and run by Ghostscript."""
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *a, **k: pytest.fail("Ghostscript was called"))
    Image.init()
    picture = Image.fromarray(stored(RAMP[..., :3], "u1"))
    for name in ("EPS", "PPM", "TGA", "ICO", "JPEG2000", "PCX", "SGI", "IM", "SPIDER", "MSP", "DDS", "QOI", "ICNS"):
        buffer = io.BytesIO()
        (picture.convert("1") if name == "MSP" else picture.convert("F") if name == "SPIDER" else picture).save(
            buffer, name
        )
        with pytest.raises(ImageError, match="; "):
            decode(buffer.getvalue())


def test_heic_and_tiff_are_known_by_content_whatever_they_are_called(tmp_path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    picture = Image.fromarray(stored(RAMP[..., :3], "u1"))
    for name, format in (("a.jpg", "HEIF"), ("b.png", "TIFF")):
        picture.save(tmp_path / name, format)
        assert decode(tmp_path / name).rgb.size == picture.size
