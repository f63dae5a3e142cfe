"""Two thousand spoilt files of all formats: the decoder gives a picture or a sentence, soon, in little memory."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms

ROOT = Path(__file__).resolve().parent.parent
COUNT, MOST_SECONDS, MOST_BYTES = 2000, 5.0, 10**9

WORK = """
import json, resource, sys, time
from pathlib import Path
from nst.images import ImageError, decode

for path in sorted(Path(sys.argv[1]).iterdir()):
    print(json.dumps({"file": path.name}), flush=True)  # so that a crash is some file's
    before = time.process_time()
    try:
        picture = decode(path)
        told = "decoded" if picture.rgb.mode == "RGB" and picture.rgb.getpixel((0, 0)) else "empty"
    except ImageError as error:
        told = "refused" if str(error).endswith(".") and "; " in str(error) else f"badly: {error}"
    except BaseException as error:
        told = repr(error)
    try:  # not what getrusage says on Linux: that begins with the memory of the process that started this one
        peak = 1024 * int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    line = {"file": path.name, "told": told, "seconds": time.process_time() - before, "peak": peak}
    print(json.dumps(line), flush=True)
"""


def seeds() -> dict[str, bytes]:
    """A small sound file of each format, in as many of its ways as Pillow can write, with metadata."""
    photo = Image.merge("RGB", [Image.linear_gradient("L"), Image.radial_gradient("L"), Image.linear_gradient("L")])
    photo = photo.resize((64, 48))
    clear, two = photo.convert("RGBA"), {"save_all": True, "append_images": [photo.rotate(90)]}
    clear.putalpha(photo.getchannel("G"))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    told: dict[str, Any] = {"exif": exif, "icc_profile": icc}
    ways: list[tuple[str, Image.Image, dict[str, Any]]] = [
        ("JPEG", photo, told),
        ("JPEG", photo, {"progressive": True, "comment": b"said"}),
        ("JPEG", photo.convert("CMYK"), {}),
        ("MPO", photo, two),
        ("PNG", photo, told),
        ("PNG", clear, {}),
        ("PNG", photo.quantize(16), {"transparency": 3}),
        ("PNG", photo.convert("I;16"), {}),
        ("PNG", photo, two),
        ("WEBP", photo, told),
        ("WEBP", clear, {"lossless": True}),
        ("WEBP", photo, two),
        ("AVIF", clear, told | {"exif": exif.tobytes()}),
        ("TIFF", photo, told),
        ("TIFF", clear, {"compression": "tiff_lzw"}),
        ("TIFF", photo, {"compression": "jpeg"}),
        ("TIFF", photo.convert("1"), {"compression": "group4"}),
        ("TIFF", photo.convert("F"), {"compression": "tiff_adobe_deflate"}),
        ("TIFF", photo.convert("I;16"), {"compression": "packbits"}),
        ("TIFF", photo.convert("LAB"), {}),
        ("BMP", photo, {}),
        ("BMP", photo.quantize(16), {}),
        ("BMP", clear, {}),
        ("GIF", photo.quantize(32), {"transparency": 3, "comment": b"said"}),
        ("GIF", photo, two),
    ]
    try:
        import pillow_heif

        pillow_heif.register_heif_opener()
        ways += [("HEIF", clear, {"exif": exif.tobytes()}), ("HEIF", photo, two)]
    except ImportError:
        pass
    made = {}
    for i, (format, image, options) in enumerate(ways):
        buffer = io.BytesIO()
        image.save(buffer, format, **options)
        made[f"{format}-{i}"] = buffer.getvalue()
    return made


def spoil(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """The file with some of it changed, lost, doubled or another's, mostly near its beginning, where sizes stand."""
    spoilt = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(min(len(spoilt), chance.choice((64, 400, len(spoilt)))) or 1)
        length = chance.choice((1, 2, 4, 4, 8, 64))
        kind = chance.randrange(6)
        if kind == 0:
            spoilt[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:  # numbers that overflow
            value = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
            spoilt[at : at + length] = bytes([value]) * length
        elif kind == 2:
            spoilt[at : at + 4] = struct.pack(
                chance.choice("<>") + "L", chance.choice((0, 5000, 30_000, 2**31, 2**32 - 1))
            )
        elif kind == 3:
            del spoilt[at : at + length]
        elif kind == 4:
            spoilt[at:at] = spoilt[at : at + length * 8]
        else:
            start = chance.randrange(len(other))
            spoilt[at : at + length] = other[start : start + length]
    return bytes(spoilt[: chance.randrange(len(spoilt))] if chance.random() < 0.1 else spoilt)


def with_sound_sums(data: bytes) -> bytes:
    """A PNG whose checksums are right again, or its reader would look no further."""
    out, at = bytearray(data), 8
    while at + 12 <= len(out):
        end = at + 12 + int.from_bytes(out[at : at + 4], "big")
        if end > len(out):
            break
        out[end - 4 : end] = zlib.crc32(out[at + 4 : end - 4]).to_bytes(4, "big")
        at = end
    return bytes(out)


def spoilt_files() -> Iterator[tuple[str, bytes]]:
    chance, sound = random.Random(13), seeds()
    names = list(sound)
    for i in range(COUNT):
        name = names[i % len(names)]
        data = spoil(sound[name], sound[chance.choice(names)], chance)
        yield f"{i:04}-{name}", with_sound_sums(data) if name.startswith("PNG") and chance.random() < 0.8 else data


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="measures as Unix does")
def test_spoilt_files_are_refused_in_a_sentence_soon_and_in_little_memory(tmp_path):
    for name, data in spoilt_files():
        (tmp_path / name).write_bytes(data)
    command = [sys.executable, "-W", "ignore", "-c", WORK, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 0, f"{lines[-1]['file']}: ended with {ran.returncode}: {ran.stderr[-2000:]}"
    done = [line for line in lines if "told" in line]
    told = Counter(line["told"] for line in done)
    assert set(told) == {"decoded", "refused"}, [line for line in done if line["told"] not in ("decoded", "refused")]
    assert len(done) == COUNT and min(told.values()) > COUNT / 20, "both happen, or nothing was tried"
    slow = [line for line in done if line["seconds"] > MOST_SECONDS]
    large = [line for line in done if line["peak"] > MOST_BYTES]
    assert not slow and not large, (slow[:3], large[:3])
    print(dict(told), f"at most {max(line['seconds'] for line in done):.2f} s, {done[-1]['peak'] / 1e6:.0f} MB")


def test_the_sound_files_are_sound():
    from nst.images import decode

    for name, data in seeds().items():
        assert 64 in decode(data).rgb.size, name
