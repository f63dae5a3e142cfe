"""Clips in: what a file holds, and its pictures one after the other, upright, in square pixels, each with its time.

FFmpeg, by PyAV, is handed an open file and may open no other: neither playlists nor references lead anywhere.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from nst.images import MAX_RECIPE, ImageError, fit

CONTAINERS = {
    "mov": rb"....(?:ftyp|moov|mdat|wide|free|skip)",
    "matroska": rb"\x1aE\xdf\xa3",
    "avi": rb"RIFF....AVI ",
    "gif": rb"GIF8",
    "mpegts": rb"G.{187}G",
    "mpeg": rb"\x00\x00\x01\xba",
    "ogg": rb"OggS",
    "flv": rb"FLV",
    "asf": rb"0&\xb2u\x8ef\xcf\x11",
}
"""Those that strangers may bring, by FFmpeg's name, and how their files begin."""

CODECS = {"h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "libvpx", "libvpx-vp9", "mpeg4", "mpeg2video", "mpeg1video"}
CODECS |= {"mjpeg", "gif", "prores", "theora", "h263", "flv", "msmpeg4", "msmpeg4v2", "wmv1", "wmv2", "wmv3", "vc1"}
CODECS |= {"dvvideo", "ffv1", "png"}
"""The codecs that strangers may bring, by FFmpeg's names."""

CLIP_SUFFIXES = frozenset((".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif", ".ts", ".mts", ".mpg", ".mpeg"))
CLIP_SUFFIXES |= {".ogv", ".flv", ".wmv", ".3gp"}
"""What folders of clips are searched for."""

EXAMPLES = {"river": "A river"}
"""Clips that come with Pastiche, rendered by us, by name, and what each is called."""

MAX_PIXELS = 4096 * 4096
"""Of a frame."""

PATIENCE = 20.0
"""Seconds that a file may take to answer, and from one frame to the next."""

WIDE = (16, 18)
"""The transfer curves of a high dynamic range, PQ and HLG, by FFmpeg's numbers."""

_COMMENT = "pastiche:"
"""Before the recipe, in a clip's comment."""


def example_file(name: str) -> Path:
    """The file of an example."""
    return Path(__file__).parents[1] / "pictures" / f"{name}.mp4"


@dataclass(frozen=True)
class Colors:
    """How a clip's numbers stand for colors, in FFmpeg's numbers: matrix, primaries, transfer curve; and whether they
    have the full range."""

    matrix: int
    primaries: int
    curve: int
    full: bool


@dataclass(frozen=True)
class Clip:
    """A clip, looked into but not read.

    Attributes:
        path: of the file; `opened` opens it.
        width, height: upright, in square pixels.
        rate: frames a second, on average.
        frames: how many; where the file does not say, about.
        seconds: how long.
        sound: the names of the audio codecs.
        time_base: the unit of times, in seconds.
        origin: the time at which the clip begins, in seconds.
        colors: what its numbers stand for once it is read; and `wide`, whether the file has a high dynamic range (PQ or
            HLG), which becomes that of common screens as it is read.
        rotation: counterclockwise in degrees, and `squeeze`, the width of a pixel; both are undone in `read_frames`.
        container: FFmpeg's name of it; None lets FFmpeg find out.
        begin, end: what of it is wanted, in seconds; None is to the end.
        most: how many frames at most.
    """

    path: Path
    width: int
    height: int
    rate: Fraction
    frames: int
    seconds: float
    sound: tuple[str, ...]
    time_base: Fraction
    origin: float
    colors: Colors
    wide: bool = False
    rotation: int = 0
    squeeze: Fraction = Fraction(1)
    container: str | None = None
    opened: Callable[[str], BinaryIO] = lambda path: open(path, "rb")  # noqa: SIM115
    begin: float = 0.0
    end: float | None = None
    most: int | None = None

    def excerpt(self, begin: float | None, end: float | None, most: int | None = None) -> Clip:
        """What lies between two moments, in seconds.

        Raises:
            ImageError: nothing does.
        """
        begin, end = begin or 0.0, min(self.seconds, end) if end else self.end
        if begin >= (end or self.seconds):
            raise ImageError(f"There is nothing from {begin:g} to {end or self.seconds:g} s: the clip has {self.told}.")
        seconds = (end or self.seconds) - begin
        frames = max(1, round(self.frames * seconds / self.seconds)) if self.seconds else self.frames
        frames = min(frames, most or frames)
        return replace(self, begin=begin, end=end, frames=frames, seconds=seconds, most=most)

    @property
    def told(self) -> str:
        """How long it is, in words."""
        return f"{self.seconds:.2g} s" if self.seconds < 10 else f"{self.seconds:.0f} s"

    def size(self, long: int | None) -> tuple[int, int]:
        """Width and height at which it is painted: both even, as H.264 wants them.

        Args:
            long: the longer of both, in pixels; None is the clip's own.
        """
        width, height = fit(self.width, self.height, long or max(self.width, self.height))
        return max(2, 2 * round(width / 2)), max(2, 2 * round(height / 2))


@dataclass(frozen=True)
class Frame:
    """A picture of a clip: bytes (H, W, 3) in RGB, when it comes and how long it stays, in units of the time base
    from where the clip, or the wanted part of it, begins."""

    image: np.ndarray[Any, np.dtype[np.uint8]]
    time: int
    duration: int


def probe(path: str | Path, opened: Callable[[str], BinaryIO] | None = None, *, max_pixels: int = MAX_PIXELS) -> Clip:
    """Look into a file, as far as its first picture.

    Args:
        path: of a file of any kind that FFmpeg knows.
        opened: opens it in another way. Then a stranger has brought it, and only `CONTAINERS` and `CODECS` are let in.
        max_pixels: of a frame.

    Raises:
        ImageError: it is no clip, broken, has no pictures, or too large ones.
    """
    path = Path(path).expanduser()
    if opened is None and not path.is_file():  # a folder; or a pipe or a device, which never ends
        raise ImageError(f"There is no clip '{path}'; check the name.")
    if not path.stat().st_size:
        raise ImageError(f"'{path.name}' is empty; copy or download it again.")
    open_it = opened or Clip.opened
    with open_it(str(path)) as file:
        head = file.read(400)
    container = next((name for name, begins in CONTAINERS.items() if re.match(begins, head, re.DOTALL)), None)
    if container is None and (opened is not None or _leads_elsewhere(head)):
        raise ImageError(f"'{path.name}' is no clip of a known kind; choose an MP4, MOV, MKV, WebM, AVI or GIF.")
    first = Clip(path, 1, 1, Fraction(25), 0, 0.0, (), Fraction(1), 0.0, Colors(2, 2, 2, False), opened=open_it)
    with container_of(replace(first, container=container)) as source:
        if not source.streams.video:
            raise ImageError(f"'{path.name}' holds sound and no pictures; choose a clip.")
        stream = source.streams.video[0]
        if opened is not None and stream.codec_context.name not in CODECS:
            raise ImageError(f"'{path.name}' is of a rare kind ({stream.codec_context.name}); save it as MP4.")
        if stream.codec_context.width * stream.codec_context.height > max_pixels:
            raise ImageError(f"'{path.name}' has over {max_pixels / 1e6:.0f} megapixels a frame; make it smaller.")
        frame = next(_decoded(source, stream), None)
        if frame is None or not frame.width or not frame.height:
            raise ImageError(f"'{path.name}' is damaged: no picture of it can be read; copy it again.")
        if int(frame.color_trc) in WIDE and int(av.__version__.split(".")[0]) < 18:
            raise ImageError(f"'{path.name}' has a high dynamic range, which needs Python 3.11; save it without HDR.")
        return _described(replace(first, container=container), source, stream, frame)


def _leads_elsewhere(head: bytes) -> bool:
    """Whether a text, such as a playlist, would have FFmpeg open other files."""
    return re.match(rb"(?i)\s*(?:#EXTM3U|ffconcat|file\s|<\?xml|<MPD|\[)", head) is not None


def _described(clip: Clip, source: Any, stream: Any, frame: VideoFrame) -> Clip:
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    rate = rate if Fraction(1, 1000) < rate <= 1000 else Fraction(25)
    seconds = float(stream.duration * stream.time_base) if stream.duration else (source.duration or 0) / av.time_base
    frames = stream.frames or max(1, round(seconds * rate))
    squeeze = stream.sample_aspect_ratio or Fraction(1)
    squeeze = squeeze if Fraction(1, 8) <= squeeze <= 8 else Fraction(1)
    width, height = max(1, round(frame.width * squeeze)), frame.height
    rotation = round(frame.rotation / 90) * 90 % 360
    sound = tuple(one.codec_context.name for one in source.streams.audio)
    return replace(
        clip,
        width=height if rotation % 180 else width,
        height=width if rotation % 180 else height,
        rate=rate,
        frames=frames,
        seconds=seconds or frames / float(rate),
        sound=sound,
        time_base=stream.time_base or Fraction(1, 1000),
        origin=(source.start_time or 0) / av.time_base,
        colors=_colors(frame),
        wide=int(frame.color_trc) in WIDE,
        rotation=rotation,
        squeeze=squeeze,
    )


def _colors(frame: VideoFrame) -> Colors:
    """Where a file does not say, high definition has the colors of BT.709 and all else those of BT.601, as players
    take it."""
    full = int(frame.color_range) == 2 or "yuvj" in frame.format.name
    if int(frame.color_trc) in WIDE:
        return Colors(1, 1, 1, full)
    high = frame.height >= 720 or frame.width >= 1280
    guess = 1 if high else 6
    matrix, primaries, curve = int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc)
    matrix = guess if matrix in (0, 2, 3) else matrix  # RGB, unsaid, reserved
    primaries, curve = guess if primaries in (0, 2, 3) else primaries, guess if curve in (0, 2, 3) else curve
    return Colors(matrix, primaries, curve, full)


@contextmanager
def container_of(clip: Clip) -> Iterator[Any]:
    """The file, opened by FFmpeg, which may open no other."""

    def refuse(*_: object) -> None:
        raise PermissionError("a clip is one file")

    options = {"protocol_whitelist": "none", "max_pixels": str(MAX_PIXELS), "max_streams": "50"}
    with clip.opened(str(clip.path)) as file:
        try:
            source = av.open(
                file, "r", clip.container, options=options, timeout=PATIENCE, io_open=refuse, metadata_errors="replace"
            )
        except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
            told = f"'{clip.path.name}' is no clip, or a damaged one; copy it again, or save it as MP4."
            raise ImageError(told) from error
        with source:
            yield source


def _decoded(source: Any, stream: Any) -> Iterator[VideoFrame]:
    """What can be decoded of it; where a file is cut off, what comes before."""
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = min(4, os.cpu_count() or 1)
    failures, packets, since = 0, source.demux(stream), time.monotonic()
    while failures < 100 and time.monotonic() < since + PATIENCE:
        try:
            packet = next(packets, None)
        except av.FFmpegError:  # cut off: what the decoder still holds comes yet
            packet = None
        try:
            for frame in stream.decode(packet):
                yield frame
                since = time.monotonic()
        except av.FFmpegError:  # EOFError among them
            failures += 1
        if packet is None:
            return


def read_frames(clip: Clip, size: tuple[int, int] | None = None, skip: int = 0) -> Iterator[Frame]:
    """The pictures of a clip, or of the wanted part of it, one after the other; each is forgotten before the next.

    Args:
        clip: see `probe`.
        size: width and height; None is the clip's own.
        skip: how many are left out at the beginning.

    Raises:
        ImageError: the file is gone.
    """
    width, height = size or (clip.width, clip.height)
    begin = round(clip.begin / clip.time_base)
    origin = round(clip.origin / clip.time_base)
    usual = max(1, round(1 / (clip.rate * clip.time_base)))
    last, count = begin - 1, 0
    scaler = VideoReformatter()  # one for all frames: of a high dynamic range it makes tables, which takes seconds
    with container_of(clip) as source:
        stream = source.streams.video[0]
        if clip.begin > 2:
            with suppress(av.FFmpegError):  # then it is read from its beginning
                source.seek(max(0, begin + origin - round(1 / clip.time_base)), stream=stream)
        for frame in _decoded(source, stream):
            when = frame.pts - origin if frame.pts is not None else last + usual if count else begin
            if when < begin or when <= last:
                continue
            if (clip.end is not None and float(when * clip.time_base) > clip.end - 1e-6) or count == (clip.most or -1):
                return
            last, count = when, count + 1
            if count > skip:
                duration = frame.duration if frame.duration and frame.duration < 100 * usual else usual
                yield Frame(_upright(frame, clip, width, height, scaler), when - begin, duration)


def _upright(
    frame: VideoFrame, clip: Clip, width: int, height: int, scaler: VideoReformatter
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    turned = clip.rotation % 180 != 0
    form: dict[str, Any] = {"width": height if turned else width, "height": width if turned else height}
    if int(frame.colorspace) in (2, 3):
        form["src_colorspace"] = 1 if clip.colors.matrix == 1 else 5
    shrinks = form["width"] * form["height"] < frame.width * frame.height
    form |= {"interpolation": "AREA" if shrinks else "BICUBIC", "dst_color_range": 2}
    form |= {"src_color_range": 2 if clip.colors.full else 1} if "rgb" not in frame.format.name else {}
    if clip.wide:  # white is what the standards take for a lit page (203 nits); lights above it are white as well
        form |= {"dst_colorspace": 1, "dst_color_primaries": 1, "dst_color_trc": 1}
    shown = scaler.reformat(frame, format="rgb24", **form).to_ndarray()
    return np.ascontiguousarray(np.rot90(shown, clip.rotation // 90))


def read_recipe(path: Path, opened: Callable[[str], BinaryIO] | None = None) -> dict[str, Any] | None:
    """The recipe in a clip that Pastiche wrote; None where there is none. It may be a stranger's: check it."""
    with suppress(ImageError, OSError, ValueError):
        clip = probe(path, opened)
        with container_of(clip) as source:
            said = {key.lower(): value for key, value in source.metadata.items()}.get("comment", "")
        if said.startswith(_COMMENT) and len(said) <= MAX_RECIPE:
            recipe = json.loads(said.removeprefix(_COMMENT))
            return recipe if isinstance(recipe, dict) else None
    return None


def comment(recipe: dict[str, Any]) -> str:
    """A recipe as the comment of a clip."""
    return f"{_COMMENT}{json.dumps(recipe)}"
