"""Tiny clips of every odd kind, for tests: a red corner above left, a blue one below right, a square that moves."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np


def drawn(index: int, width: int = 64, height: int = 48) -> np.ndarray:
    """A frame (H, W, 3): gray, textured, with corners that tell what is up, and a square that moves by two pixels."""
    rows, columns = np.mgrid[:height, :width]
    image = np.repeat((110 + 30 * np.sin(rows / 3) * np.cos(columns / 4))[..., None], 3, 2)
    image[: height // 3, : width // 3] = (220, 30, 30)
    image[-height // 3 :, -width // 3 :] = (30, 30, 220)
    left = 8 + 2 * index % (width // 2)
    image[height // 2 - 4 : height // 2 + 4, left : left + 8] = (40, 200, 60)
    return image.astype(np.uint8)


def make_clip(
    path: Path,
    count: int = 12,
    size: tuple[int, int] = (64, 48),
    rate: int = 12,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: Sequence[int] | None = None,
    unit: Fraction | None = None,
    sound: str = "",
    full: bool = False,
    squeeze: Fraction | None = None,
    draw: Any = drawn,
    curve: int = 2,
) -> Path:
    """A clip of `count` drawn frames; `times` in `unit` makes it one of variable rate, `sound` names an audio codec;
    `curve` is FFmpeg's number of the transfer curve."""
    unit = unit or Fraction(1, rate)
    with av.open(str(path), "w") as film:
        stream: Any = film.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.codec_context.time_base = unit
        if squeeze:
            stream.sample_aspect_ratio = stream.codec_context.sample_aspect_ratio = squeeze
        if full:
            stream.color_range = 2
        if curve != 2:  # a high dynamic range has the primaries and the matrix of BT.2020
            stream.color_trc, stream.color_primaries, stream.colorspace = curve, 9, 9
        track: Any = film.add_stream(sound, rate=48000) if sound else None
        film.start_encoding()
        for i in range(count):
            frame = av.VideoFrame.from_ndarray(draw(i, *size), format="rgb24")
            frame = frame.reformat(format=pixels, dst_colorspace=5, src_color_range=2, dst_color_range=2 if full else 1)
            frame.pts, frame.time_base = (times[i] if times else i), unit
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
        if track is not None:
            _add_tone(film, track, count / rate)
    return path


def _add_tone(film: Any, track: Any, seconds: float) -> None:
    block = track.codec_context.frame_size or 1024
    form, layout = track.codec_context.format.name, track.codec_context.layout.name
    for begin in range(0, int(48000 * seconds), block):
        wave = 0.2 * np.sin(np.arange(begin, begin + block) * 0.05)
        wide = {"s16": np.int16, "s16p": np.int16}.get(form)
        data = (wave * 32767).astype(np.int16) if wide else wave.astype(np.float32)
        planes = data[None] if form.endswith("p") else data.repeat(track.codec_context.channels)[None]
        planes = planes.repeat(track.codec_context.channels, 0) if form.endswith("p") else planes
        frame = av.AudioFrame.from_ndarray(planes, format=form, layout=layout)
        frame.pts, frame.sample_rate, frame.time_base = begin, 48000, Fraction(1, 48000)
        film.mux(track.encode(frame))
    film.mux(track.encode(None))


def turn(path: Path) -> Path:
    """Have an MP4 say that it is to be turned by 90 degrees clockwise, as a phone held upright says."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    matrix = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    data[at : at + 36] = b"".join(number.to_bytes(4, "big", signed=True) for number in matrix)
    path.write_bytes(data)
    return path
