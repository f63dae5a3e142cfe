"""Pictures in and out: one decoder for every upload, PIL <-> tensor, resizing, encoding with the recipe.

The only place where ranges and data types change: inside `nst` an image is a float32 NCHW RGB tensor in
[0, 1], on its way in or out an upright 8-bit sRGB `PIL.Image`.
"""

from __future__ import annotations

import io
import json
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import torch
from PIL import ExifTags, Image, ImageChops, ImageCms, ImageFile, ImageOps
from PIL.PngImagePlugin import PngInfo
from torch.nn import functional as F

from nst.formats import MAX_EXIF, ImageError, Samples, open_picture, stored_samples, to_srgb
from nst.places import replacing

MAX_PIXELS = 40_000_000  # width times height; a larger picture is refused before its pixels are decoded
BUDGET = MAX_PIXELS  # pixels that all threads together decode at one time; who wants more waits
AT_ONCE = max(2, min(os.cpu_count() or 2, 8))  # files, whose bytes are held meanwhile
MAX_BYTES = 512 * 2**20  # a larger upload is refused unread
MAX_RECIPE = 60_000  # characters of JSON, read or written; an EXIF block of JPEG ends at 65,533 bytes
IMAGE_SUFFIXES = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".heic", ".heif"))
IMAGE_SUFFIXES |= {".hif", ".tif", ".tiff", ".bmp", ".gif"}  # what the folder commands take for pictures
Source = str | Path | bytes | BinaryIO | Image.Image
Format = Literal["png", "jpeg", "webp"]
_FORMATS: dict[str, Format] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
_KEYWORD = "pastiche"  # of the PNG text; before the recipe in a UserComment
_STRANGER = (  # how files begin that are taken for pictures, and what to call them
    rb"(?is)(?P<PDF>%PDF)|(?P<EPS>%!PS|\xc5\xd0\xd3\xc6)|(?P<ZIP>PK\x03\x04)|"
    rb"(?:\xef\xbb\xbf)?\s*(?:<[?!][^>]*>\s*)*(?:(?P<SVG><svg)|(?P<HTML><html))|"
    rb"(?P<video>\x1aE\xdf\xa3|RIFF....AVI|....ftyp(?!avi|hei|hev|mif|msf))"
)


@dataclass(frozen=True)
class Picture:
    """A decoded upload: `rgb` is upright, mode RGB, sRGB, over white where transparent; `alpha` is mode L, of
    the same size, None where all is opaque; `recipe` is what `read_recipe` finds; `format` is the file's own, such as
    "JPEG", whatever it is called, and None of what was no file."""

    rgb: Image.Image
    alpha: Image.Image | None = None
    recipe: dict[str, Any] | None = None
    format: str | None = None


class Budget:
    """So many pixels for all threads together, given out in the order in which they are asked for."""

    def __init__(self, pixels: int) -> None:
        self._most = self.left = pixels
        self._turn, self._changed = threading.Lock(), threading.Condition()

    @contextmanager
    def share(self, pixels: int) -> Iterator[None]:
        """Hold so many of them, all there are at most; waits until they are free."""
        pixels = min(pixels, self._most)
        with self._turn, self._changed:  # the turn is kept while waiting, or small ones would starve large ones
            self._changed.wait_for(lambda: self.left >= pixels)
            self.left -= pixels
        try:
            yield
        finally:
            with self._changed:
                self.left += pixels
                self._changed.notify()


budget, _in_hand = Budget(BUDGET), threading.BoundedSemaphore(AT_ONCE)


def decode(source: Source, *, max_pixels: int = MAX_PIXELS, size: int | None = None) -> Picture:
    """Decode a path, bytes, a binary stream (from where it stands, left open) or a PIL image (left as it is).

    JPEG, PNG, WebP, AVIF, HEIC (with pillow-heif), TIFF, BMP and a GIF's first frame are known by content.
    EXIF rotation and ICC profile are applied; 16-bit, 32-bit and float values are rescaled, not clipped.
    Raises ImageError for what is no picture, damaged, hostile, or has over `max_pixels` (told before they are
    decoded; beyond 179 megapixels Pillow refuses whatever the limit).

    With `size`, a picture whose long side has more pixels is made so small before it is handed out. All threads
    together decode `BUDGET` pixels at one time, so that many uploads at once cost no more memory than a large one.
    """
    if isinstance(source, Image.Image):
        return _decode(source, b"", max_pixels, size)
    with _in_hand:
        return _decode(source, _read(source), max_pixels, size)


def _decode(source: Source, data: bytes, max_pixels: int, size: int | None) -> Picture:
    try:
        image = source if isinstance(source, Image.Image) else open_picture(data)
        if 0 in image.size:
            raise ValueError("no pixels")
        if image.width * image.height > max_pixels:
            raise Image.DecompressionBombError(f"{image.width} x {image.height} pixels")
        if size and image.format == "JPEG" and image is not source:
            image.draft(image.mode, (2 * size, 2 * size))  # a half, a quarter or an eighth of it, decoded as such
        with budget.share(image.width * image.height):
            samples, format = stored_samples(image), image.format
            if image is source:
                image = image.copy()
            image.load()
            factor = max(image.size) // (2 * size) if size and format == "PNG" else 1
            if factor > 1 and image.mode in ("1", "L", "RGB") and "transparency" not in image.info:
                image = (image.convert("L") if image.mode == "1" else image).reduce(factor)  # each copy is as large
            image.info = {k: v for k, v in image.info.items() if "exif" not in str(k) or len(v or "") < MAX_EXIF}
            layers = _normalize(image, samples)
            for layer in layers:
                if size and layer is not None:
                    layer.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=3)
            return Picture(*layers, _recipe_in(image), format)
    except Exception as error:  # parsers of hostile bytes raise anything, from struct.error to MemoryError
        raise ImageError(_complaint(data, error, max_pixels)) from error


def size_of(source: str | Path | bytes | BinaryIO) -> tuple[int, int]:
    """Width and height of a picture as it is shown, upright, found without decoding pixels.
    Raises ImageError for what is no picture."""
    with _in_hand:
        data = _read(source)
        try:
            image = open_picture(data)
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
        except Exception as error:  # as in decode
            raise ImageError(_complaint(data, error, MAX_PIXELS)) from error
    return image.size[::-1] if turned else image.size


def read_recipe(source: Source) -> dict[str, Any] | None:
    """The recipe that `encode` put into a PNG, JPEG or WebP, found without decoding pixels; None where there
    is none, or no JSON object of at most `MAX_RECIPE` characters. Its values may be a stranger's: check them.
    Raises ImageError for a missing or empty file."""
    if isinstance(source, Image.Image):
        return _recipe_in(source)
    with _in_hand:
        data = _read(source)
        with suppress(Exception):  # as in decode
            return _recipe_in(open_picture(data))
    return None


def _recipe_in(image: Image.Image) -> dict[str, Any] | None:
    with suppress(Exception):  # as in decode; somebody else's metadata, or hostile
        text, block = image.info.get(_KEYWORD), image.info.get("exif", b"")
        if text is None and len(block) < MAX_EXIF:
            exif = Image.Exif()
            exif.load(block)
            comment = exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment].decode("ascii")
            text = comment.partition(f"{_KEYWORD}:")[2]
        recipe = json.loads(text) if text and len(text) <= MAX_RECIPE else None
        json.dumps(recipe, ensure_ascii=False).encode()  # a lone surrogate would fail later, in some web page
        return recipe if isinstance(recipe, dict) else None
    return None


def _read(source: str | Path | bytes | BinaryIO) -> bytes:
    size = 0
    try:
        if isinstance(source, str | os.PathLike):
            path = Path(source)
            if not path.is_file():  # a folder; or a pipe or a device, which would be waited on for ever
                raise ImageError(f"There is no picture file '{path}'; check the name, and give no folder.")
            size = path.stat().st_size
            data = path.read_bytes() if size <= MAX_BYTES else b""
        else:
            data = source if isinstance(source, bytes) else source.read(MAX_BYTES + 1)
    except OSError as error:
        raise ImageError(f"This file cannot be read ({error.strerror}); check its permissions.") from error
    except AttributeError as error:
        raise ImageError("No picture was given; choose one first.") from error
    if max(size, len(data)) > MAX_BYTES:
        raise ImageError(f"This file is larger than {MAX_BYTES >> 20} MB; save the picture smaller.")
    if not data:
        raise ImageError("This file is empty; copy or download it again.")
    return data


def _complaint(data: bytes, error: Exception, max_pixels: int) -> str:
    if isinstance(error, ImageError):
        return str(error)
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"This picture has over {max_pixels / 1e6:g} megapixels; make it smaller or raise the limit."
    if stranger := re.match(_STRANGER, data[:1024]):
        return f"This is {stranger.lastgroup}; open it in its own program and export it as PNG or JPEG."
    if re.match(rb"....ftyp(hei|hev|mif|msf)", data, re.DOTALL) and "HEIF" not in Image.OPEN:
        return "This is a HEIC photo; run 'pip install pillow-heif', or save it as JPEG or PNG."
    if not data or re.match(rb"\x89PNG|\xff\xd8|GIF8|RIFF|II\*\0|MM\0\*|BM|....ftyp", data, re.DOTALL):
        return "This picture is damaged, cut short or of a rare kind; copy it again, or save it anew as PNG."
    return "This is not a picture of a known kind; choose a JPEG, PNG, WebP, AVIF, HEIC, TIFF, BMP or GIF."


def _normalize(image: Image.Image, samples: Samples) -> tuple[Image.Image, Image.Image | None]:
    """A loaded image of any mode as upright sRGB over white, and its alpha unless all of it is opaque."""
    color, alpha = image, None
    if image.mode == "F" or image.mode.startswith("I") or samples.dtype:  # F, I, I;16, I;16B
        color, alpha = _rescale(image, samples)
    elif image.has_transparency_data:
        plain = "L" if image.mode in ("1", "L", "LA") else "RGB"
        both = image if image.mode == plain + "A" else image.convert(plain + "A")
        color, alpha = both.convert(plain), both.getchannel("A")
    layers = [_to_srgb(color, image.info.get("icc_profile"))]
    if alpha is not None and alpha.getextrema()[0] != 255:
        layers[0].paste("white", mask=ImageChops.invert(alpha))  # colors beneath transparent pixels are accidents
        layers.append(alpha)
    orientation = 1
    with suppress(Exception):  # as in decode; a picture is not lost for its metadata
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    for layer in layers:
        layer.info = {}  # an EXIF of its own, since exif_transpose fails where a foreign tag is broken
        layer.getexif()[ExifTags.Base.Orientation] = orientation
        ImageOps.exif_transpose(layer, in_place=True)
    return layers[0], layers[1] if len(layers) > 1 else None


def _rescale(image: Image.Image, samples: Samples) -> tuple[Image.Image, Image.Image | None]:
    """Gray values of any range as mode L, and alpha where one value counts as transparent. Full scale is what the
    file says, or 65535 for integers that have no more, or 1 for floats; a range that exceeds it or fills less than
    a sixteenth (12 bits in 16) is stretched. NaN counts as the lowest."""
    values, key = np.asarray(image), image.info.get("transparency")
    alpha = Image.fromarray((values != key).astype(np.uint8) * 255) if isinstance(key, int) else None
    values = values.view(samples.dtype or values.dtype)
    rows = range(0, len(values), 1 + 2**20 // values.shape[1])  # in parts: float64 takes eight times the memory
    parts = [values[i : i + rows.step] for i in rows]
    ends = [(finite.min(), finite.max()) for part in parts if (finite := part[np.isfinite(part)]).size]
    low, high = (float(end) for end in (min(ends)[0], max(high for _, high in ends))) if ends else (0.0, 0.0)
    full = samples.full or (1.0 if image.mode == "F" else 65535.0)
    full = 65535.0 if high <= 65535 < full else full  # 16 bits in 32
    start, end = (0.0, full) if low >= 0 and full / 16 < high <= full else (low, high)
    gray = np.empty(values.shape, np.uint8)
    for i, part in zip(rows, parts, strict=True):
        filled = np.nan_to_num(part.astype(np.float64), nan=low, posinf=high, neginf=low)
        gray[i : i + rows.step] = ((filled - start) * (255 / ((end - start) or 1))).round()
    return Image.fromarray(255 - gray if samples.inverted else gray), alpha


def _to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    image = image if image.mode in ("L", "CMYK", "LAB", "RGB") else image.convert("RGB")
    with suppress(ImageCms.PyCMSError, OSError, TypeError, ValueError):  # none, broken, or for another mode
        of_colors, transform = to_srgb(icc or b"", image.mode)
        image = transform.apply(image.convert("RGB") if of_colors else image)
    return image if image.mode == "RGB" and not isinstance(image, ImageFile.ImageFile) else image.convert("RGB")


def to_tensor(image: Image.Image | Picture) -> torch.Tensor:
    """A picture as a (1, 3, H, W) float32 tensor in [0, 1]; a PIL image goes through `decode` first."""
    if isinstance(image, Image.Image):  # whoever gives it has looked at its size
        image = decode(image, max_pixels=image.width * image.height)
    return torch.from_numpy(np.array(image.rgb)).permute(2, 0, 1)[None].contiguous().float().div_(255)


def to_pil(tensor: torch.Tensor) -> Image.Image:
    """A (1, 3, H, W) tensor of any float type on any device as an RGB image: clamped to [0, 1], rounded to
    8 bits, NaN as 0. Raises ValueError for another shape."""
    if tensor.ndim != 4 or tensor.shape[:2] != (1, 3):
        raise ValueError(f"One RGB image of shape (1, 3, H, W) is wanted, not {tuple(tensor.shape)}.")
    height, width = tensor.shape[-2:]
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, 2**22 // max(1, width))  # some at a time: a large picture is held once, not five times
    for start in range(0, height, rows):
        part = tensor.detach()[0, :, start : start + rows].float().nan_to_num(nan=0.0)
        part = part.clamp_(0, 1).mul_(255).round_().byte()
        pixels[start : start + rows] = part.permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(pixels)


def fit(width: int, height: int, size: int) -> tuple[int, int]:
    """(width, height) scaled so that the long side is `size` pixels and the short one at least 1."""
    if min(width, height, size) < 1:
        raise ValueError(f"Sizes are at least 1 pixel, not {width} x {height} to {size}.")
    long = max(width, height)
    return max(1, round(width * size / long)), max(1, round(height * size / long))


def resize(tensor: torch.Tensor, size: int | Sequence[int]) -> torch.Tensor:
    """Resample (N, C, H, W) in [0, 1] to (h, w), or to a long side of `size` pixels, by antialiased bicubic,
    clamped to [0, 1]. A tensor that has the size already is returned itself."""
    height, width = tensor.shape[-2:]
    target = fit(width, height, size)[::-1] if isinstance(size, int) else tuple(size)
    if target == (height, width):
        return tensor
    return F.interpolate(tensor, size=target, mode="bicubic", antialias=True).clamp_(0, 1)


def middle_square(image: torch.Tensor, size: int) -> torch.Tensor:
    """The middle square of a picture (N, C, H, W), resampled to `size` pixels a side."""
    side = min(image.shape[-2:])
    top, left = ((length - side) // 2 for length in image.shape[-2:])
    return resize(image[..., top : top + side, left : left + side], (size, size))


def encode(image: Image.Image, **options: Any) -> bytes:
    """A picture as `write` writes it."""
    buffer = io.BytesIO()
    write(buffer, image, **options)
    return buffer.getvalue()


def write(
    file: BinaryIO,
    image: Image.Image,
    *,
    format: Format = "png",
    quality: int = 95,
    recipe: dict[str, Any] | None = None,
    alpha: Image.Image | None = None,
) -> None:
    """Write a picture as PNG, JPEG (4:4:4) or WebP with an sRGB profile and none of the metadata it came with.

    `quality` (1 to 100) is for JPEG and WebP. `recipe`, a dict of JSON values, becomes iTXt in PNG and EXIF
    UserComment in JPEG and WebP. `alpha` (mode L, resized where need be) is put back; JPEG shows white there.
    Raises ImageError for an unknown format, too long a recipe, too large a picture.
    """
    if format not in _FORMATS.values():
        raise ImageError(f"Pictures cannot be written as '{format}'; choose png, jpeg or webp.")
    rgb, text, exif = image.convert("RGB"), PngInfo(), b""
    rgb.info = {}  # Pillow would copy a comment or a transparent color from here
    if alpha is not None:
        alpha = alpha.convert("L").resize(rgb.size, Image.Resampling.BICUBIC)
        white, rgba = Image.new("RGB", rgb.size, "white"), Image.merge("RGBA", (*rgb.split(), alpha))
        rgb = Image.composite(rgb, white, alpha) if format == "jpeg" else rgba
    if recipe is not None:
        note, block = json.dumps(recipe), Image.Exif()  # the JSON is pure ASCII
        if len(note) > MAX_RECIPE:
            raise ImageError(f"This recipe has more than {MAX_RECIPE} characters; shorten its texts.")
        block.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = f"ASCII\0\0\0{_KEYWORD}:{note}".encode()
        text.add_itxt(_KEYWORD, note)
        exif = b"" if format == "png" else block.tobytes()
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    icc = icc[:24] + b"\x07\xd0\0\1\0\1" + bytes(6) + icc[36:]  # not today's date: same picture, same file
    try:  # each format takes those of the options that it knows
        rgb.save(file, format, quality=quality, subsampling=0, icc_profile=icc, pnginfo=text, exif=exif)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None):  # the disk is full, say: no matter of the format
            raise
        raise ImageError(f"This picture is too large for {format}; choose png or a smaller size.") from error


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place at the end; of what fails, nothing is left. Raises
    ImageError where nothing can be written."""
    try:
        with replacing(path) as part:
            yield part
    except OSError as error:
        raise ImageError(f"'{path}' cannot be written ({error.strerror}); choose another place.") from error


def save(path: str | Path, image: Image.Image, **options: Any) -> Path:
    """Write what `encode` gives for the suffix of `path` (.png, .jpg, .jpeg, .webp), whole or not at all.
    Raises ImageError for another suffix, and where nothing can be written."""
    path = Path(path)
    if path.suffix.lower() not in _FORMATS:
        raise ImageError(f"'{path}' has no suffix for a picture; choose .png, .jpg or .webp.")
    with written(path) as part, part.open("wb") as file:
        write(file, image, format=_FORMATS[path.suffix.lower()], **options)
    return path


def save_cube(path: str | Path, table: torch.Tensor) -> Path:
    """Write a look-up table of colors as a .cube file (Adobe, "Cube LUT Specification 1.0"), whole or not at all.

    Args:
        table: (1, 3, points², points): what becomes of red by column, and of green within blue by row.

    Raises:
        ImageError: another suffix, or nothing can be written there.
    """
    path = Path(path)
    if path.suffix.lower() != ".cube":
        raise ImageError(f"'{path}' is no name for a look-up table of colors; it ends in .cube.")
    lines = [f"{red:.6f} {green:.6f} {blue:.6f}" for red, green, blue in table[0].flatten(1).T.tolist()]
    with written(path) as part:
        part.write_text("\n".join([f"LUT_3D_SIZE {table.shape[-1]}", *lines, ""]), encoding="ascii")
    return path


def grid(pictures: torch.Tensor, columns: int) -> torch.Tensor:
    """Pictures (N, 3, H, W) in rows as one (1, 3, ...); what is missing of the last row is white."""
    missing = torch.ones_like(pictures[:1]).expand(-len(pictures) % columns, -1, -1, -1)
    rows = torch.cat([pictures, missing]).split(columns)
    return torch.cat([torch.cat(list(row.split(1)), 3) for row in rows], 2)
