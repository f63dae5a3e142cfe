"""Files of pictures, opened: a fixed list of formats known by content, and what Pillow gets wrong in them.

Nothing is decoded here but headers. Metadata never costs the picture: what of it could is left out before Pillow reads.
"""

from __future__ import annotations

import io
import re
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageCms, TiffImagePlugin

MAX_EXIF = 65_536  # bytes; Pillow's cost grows with the square: 64 KiB of overlapping entries take 350 MB
MAX_TEXT = 2**20  # bytes of a text in a PNG, inflated: Pillow reads no more; and four times that of all of them
MAX_PROFILE = 2**23  # bytes of a color profile in a PNG, inflated; those of printers have a megabyte or three
MAX_CHUNKS = 1_000_000  # of a PNG; a healthy one of 40 megapixels has some 40,000
MAX_SECONDS = 20.0  # processor time for decoding one picture
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF")  # so that EPS never reaches Ghostscript
_TEXTS = (b"pastiche", b"XML:com.adobe.xmp", b"Raw profile type exif")  # a recipe, and where a rotation may stand
_NATIVE = {"F;32BF": "F;32NF", "I;32BS": "I;32NS", "I;16BS": "I;16NS"}  # libtiff has turned the bytes already


class ImageError(ValueError):
    """A picture that cannot be read or written; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Samples:
    """How numbers stand for light in a gray picture: `full` is white, or black where `inverted`; None if unsaid.
    Numbers that Pillow holds as signed, but are not, or the other way round, are meant as `dtype`."""

    full: float | None = None
    inverted: bool = False
    dtype: str | None = None


class _Metered(io.BytesIO):
    """An upload's bytes, handed out only so often and so long: overlapping TIFF entries, joined GIF comments
    and thousands of JPEG scans could cost Pillow gigabytes or hours over a small file."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._left = 4 * len(data) + 2**24
        self._deadline = time.thread_time() + MAX_SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self._left -= len(data)
        if self._left < 0 or time.thread_time() > self._deadline:
            raise _too_much_work()
        return data


def open_picture(data: bytes) -> Image.Image:
    """Open without decoding pixels, and without metadata that could be a bomb to Pillow while it opens.

    Raises ImageError for what would be decoded wrong, and whatever Pillow raises for what is no picture.
    """
    formats, profile = list(FORMATS), None
    if data.startswith(b"\xff\xd8"):  # all EXIF blocks would be joined to one, see MAX_EXIF: leave the first
        first = data.find(b"Exif\0\0") + 6
        data = data[:first] + data[first:].replace(b"Exif\0\0", b"Skip\0\0")
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        data, profile = _without_metadata(data)
    elif data[4:8] == b"ftyp":  # AVIF and HEIC are turned by boxes of their own
        data = re.sub(rb"(infe.{8,10})Exif", rb"\1Skip", data, flags=re.DOTALL)
        with suppress(ImportError):
            import pillow_heif

            pillow_heif.register_heif_opener()
            formats.append("HEIF")
    elif data[:2] in (b"II", b"MM"):  # Pillow's own reader mixes planes up, and takes YCbCr for RGB
        TiffImagePlugin.READ_LIBTIFF = True
        if data.startswith(b"II*\0\x10\0\0\0CR"):  # Canon's raw photos say nothing else
            raise _only_a_thumbnail()
    image = Image.open(_Metered(data), formats=formats)
    if profile:
        image.info["icc_profile"] = profile
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _mend_tiff(image)
    if image.info.get("progressive"):  # a scan of 60 bytes can take 30 ms: look at the clock more often
        image.decodermaxblock = 1024
    return image


def stored_samples(image: Image.Image) -> Samples:
    """What an opened file tells of its numbers; of a picture that is no TIFF, nothing."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return Samples()
    bits, kind = image.tag_v2.get(258, (1,))[0], image.tag_v2.get(339, (1,))[0]
    inverted = image.tag_v2.get(262) == 0 and image.mode in ("F", "I;16")  # Pillow does it for 8 bits and fewer
    if image.mode == "F":
        return Samples(1.0, inverted)
    signed = kind == 2
    dtype = "int8" if signed and image.mode == "L" else "uint32" if not signed and bits == 32 else None
    return Samples(float(2 ** (bits - signed) - 1), inverted, dtype)


def _mend_tiff(image: TiffImagePlugin.TiffImageFile) -> None:
    tags = image.tag_v2
    reduced = tags.get(254, 0) & 1 or tags.get(255) == 2 or 50706 in tags  # by its own account, or by DNG's version
    if reduced and (330 in tags or image.is_animated):  # with SubIFDs, or pages that follow
        raise _only_a_thumbnail()
    if tags.get(284) == 2 and image.mode in ("LA", "PA", "LAB"):
        raise ImageError("This TIFF keeps its channels apart in a way that is not read here; save it anew as PNG.")
    if tags.prefix == b"MM":
        for i, tile in enumerate(image.tile):
            rawmode, *rest = tuple(tile.args or ("",))
            image.tile[i] = tile._replace(args=(_NATIVE.get(str(rawmode), rawmode), *rest))


def _without_metadata(data: bytes) -> tuple[bytes, bytes | None]:
    """A PNG with nothing but its pixels, rotation and recipe, as far as these are sound; and its color profile."""
    view, profile, texts, end = memoryview(data), b"", 4 * MAX_TEXT, 8
    kept = [view[:8]]
    for name, at, end in _chunks(data):
        if not name[0] & 32 or name == b"tRNS":  # a small first letter: not needed for the pixels
            kept.append(view[at:end])
            continue
        sound = zlib.crc32(view[at + 4 : end - 4]) == int.from_bytes(view[end - 4 : end], "big")
        body = data[at + 8 : min(end - 4, at + 8 + MAX_PROFILE)] if sound else b""
        if name == b"eXIf" and 0 < len(body) <= MAX_EXIF:
            kept.append(view[at:end])
        elif name == b"iCCP":
            profile = profile or _inflated(body.partition(b"\0")[2][1:], MAX_PROFILE)
        elif 0 < (size := _text_size(name, body)) <= texts:
            texts -= size
            kept.append(view[at:end])
    cut = view[end:]
    return b"".join([*kept, b"" if cut[4:] and cut[4] & 32 else cut]), profile or None


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each whole chunk of a PNG."""
    at = 8
    for _ in range(MAX_CHUNKS):
        if at + 12 > len(data):
            return
        length, name = struct.unpack_from(">I4s", data, at)
        if (end := at + 12 + length) > len(data):
            return
        yield name, at, end
        at = end
    raise _too_much_work()


def _text_size(name: bytes, body: bytes) -> int:
    """Bytes of one of the texts that are wanted, inflated; 0 for others, and for one that is too long."""
    keyword, _, rest = body.partition(b"\0")
    if keyword not in _TEXTS or name not in (b"tEXt", b"zTXt", b"iTXt"):
        return 0
    packed = rest[1:] if name == b"zTXt" else b""
    if name == b"iTXt" and rest[:1] == b"\1":
        packed = rest[2:].split(b"\0", 2)[-1]
    size = len(_inflated(packed, MAX_TEXT)) if packed else len(rest)
    return size if size < MAX_TEXT else 0


def _inflated(packed: bytes, most: int) -> bytes:
    """What was deflated; nothing if it is broken or has over `most` bytes."""
    with suppress(zlib.error):
        inflating = zlib.decompressobj()
        found = inflating.decompress(packed, most)
        return b"" if inflating.unconsumed_tail else found
    return b""


def _only_a_thumbnail() -> ImageError:
    return ImageError(
        "This file begins with a thumbnail of its picture, as DNG and other raw photos do;"
        " open it in its own program and export it as PNG or JPEG."
    )


def _too_much_work() -> ImageError:
    return ImageError("This picture asks for too much work; save it again, as PNG or JPEG.")


@lru_cache(4)  # to make one takes as long as to convert a small picture by it
def to_srgb(icc: bytes, mode: str) -> tuple[bool, ImageCms.ImageCmsTransform]:
    """The way from a profile's colors to sRGB, for pictures of a mode; and whether a gray picture is to become colored
    first, since the profile is one of colors. Raises PyCMSError, OSError, TypeError or ValueError where there is none,
    it is broken, or it is of another mode."""
    profile, srgb = (ImageCms.ImageCmsProfile(one) for one in (io.BytesIO(icc), ImageCms.createProfile("sRGB")))
    of_colors = mode == "L" and profile.profile.xcolor_space.strip() == "RGB"
    return of_colors, ImageCms.ImageCmsTransform(profile, srgb, "RGB" if of_colors else mode, "RGB")
