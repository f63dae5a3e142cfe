"""Painted clips out: frames go to the disk as they come, and whatever is there at the end becomes a file that plays.

Beside the file that is to be lies a folder of parts. A part is a few dozen frames, encoded; those that are not yet
enough for one lie beside it as they are. So a run that was killed goes on after its last frame.
"""

from __future__ import annotations

import heapq
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from PIL import Image

from nst.images import ImageError, decode, save, written
from nst.video.clips import Clip, Colors, Frame, comment
from nst.video.gif import encoded_pictures, write_gif
from nst.video.sound import SOUND, sound_packets, sound_track


@dataclass(frozen=True)
class Format:
    """A kind of clip: its container and codec by FFmpeg's names, the codec's options, the form of its pictures, and
    which sound it holds as it is; `own` is encoded for it instead."""

    container: str
    codec: str
    options: dict[str, str]
    pixels: str = "yuv420p"
    sound: frozenset[str] = frozenset()
    own: str = ""


_H264 = ("libx264", {"crf": "17", "preset": "veryfast", "bf": "0"})  # in the order in which they are shown: exact times
FORMATS = {
    ".mp4": Format("mp4", *_H264, sound=SOUND, own="aac"),
    ".mov": Format("mov", *_H264, sound=SOUND | {"pcm_s16le", "pcm_s24le", "pcm_s16be"}, own="aac"),
    ".mkv": Format("matroska", *_H264, sound=SOUND | {"vorbis", "pcm_s16le", "pcm_s24le"}, own="aac"),
    ".webm": Format(
        "webm",
        "libvpx-vp9",
        {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
        sound=frozenset(("opus", "libopus", "vorbis")),
        own="libopus",
    ),
    ".gif": Format("gif", "libx264rgb", {"crf": "0", "preset": "ultrafast"}, "rgb24"),
}
"""By the end of a file's name; what has none is a folder of pictures."""

PART = 48
"""Frames of a part."""


@dataclass(frozen=True)
class Part:
    """Frames that are encoded: the number and the time of the first, how many, how long the last stays, and the file,
    whose name tells all this."""

    first: int
    begin: int
    count: int
    lasts: int
    path: Path

    @classmethod
    def of(cls, path: Path) -> Part:
        """The part in a file."""
        first, begin, count, lasts = map(int, path.stem.split("-"))
        return cls(first, begin, count, lasts, path)


_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""Color matrices by FFmpeg's number, as its scaler calls them."""


def work_folder(out: Path) -> Path:
    """Where the parts of a clip lie until it is whole."""
    return out.with_name(f".{out.name}.parts")


def is_unfinished(out: Path) -> bool:
    """Whether a run that was to write this has more to do."""
    return work_folder(out).is_dir()


@dataclass
class Reel:
    """A clip as it comes to be.

    Args:
        out: the file, whose suffix is one of `FORMATS`; or a folder for single pictures.
        clip: that is painted: its sound, colors and times are taken over.
        size: width and height, both even.
        key: of the run. What another one has left is thrown away.
        recipe: to be put into the file.

    Attributes:
        done: frames that are there.
        last: the newest of them; None before the first.
    """

    out: Path
    clip: Clip
    size: tuple[int, int]
    key: str = ""
    recipe: dict[str, Any] | None = None
    done: int = 0
    last: np.ndarray[Any, np.dtype[np.uint8]] | None = None
    times: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.format = FORMATS.get(self.out.suffix.lower())
        self.folder = self.out if self.format is None else work_folder(self.out)
        mark = self.folder / (".unfinished" if self.format is None else "key")
        if not mark.is_file() or mark.read_text(encoding="utf-8") != self.key:
            if self.format is not None:
                shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True, exist_ok=True)
            mark.write_text(self.key, encoding="utf-8")
            return
        if self.format is None:
            self._find_pictures()
        else:
            self._find_parts()

    # What a former run has left

    def _find_pictures(self) -> None:
        while self._picture(self.done + 1).is_file():
            self.done += 1
        if self.done:
            self.last = np.asarray(decode(self._picture(self.done)).rgb)

    def _find_parts(self) -> None:
        parts = self._parts()
        self.done = parts[-1].first + parts[-1].count if parts else 0
        raw = self._raw()
        stale = [path for path in self.folder.glob("*.raw") if path != raw]
        for path in [*stale, *self.folder.glob("*.part")]:
            path.unlink()
        lines = raw.with_suffix(".times").read_text().splitlines() if raw.is_file() else []
        whole = min(len(lines), raw.stat().st_size // self._bytes if raw.is_file() else 0)
        self.times = [(int(time), int(lasts)) for time, lasts in (line.split() for line in lines[:whole])]
        if whole:
            with raw.open("r+b") as file:
                file.truncate(whole * self._bytes)
                file.seek((whole - 1) * self._bytes)
                self.last = self._image(file.read(self._bytes))
        elif parts:
            for frame in encoded_pictures(parts[-1].path):
                self.last = frame
        self.done += whole

    @property
    def _bytes(self) -> int:
        return 3 * self.size[0] * self.size[1]

    def _image(self, data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return np.frombuffer(data, np.uint8).reshape(self.size[1], self.size[0], 3)

    def _raw(self) -> Path:
        return self.folder / f"{self.done:08d}.raw"

    def _picture(self, number: int) -> Path:
        return self.out / f"{number:06d}.png"

    def _parts(self) -> list[Part]:
        return [Part.of(path) for path in sorted(self.folder.glob("*-*-*-*.mp4"))]

    # What comes

    def add(self, frame: Frame) -> None:
        """The next one, painted.

        Raises:
            ImageError: it cannot be written.
        """
        self.last = frame.image
        try:
            if self.format is None:
                save(self._picture(self.done + 1), Image.fromarray(frame.image))
            else:
                raw = self.folder / f"{self.done - len(self.times):08d}.raw"
                with raw.open("ab") as file:
                    file.write(frame.image.tobytes())
                with raw.with_suffix(".times").open("a") as file:
                    file.write(f"{frame.time} {frame.duration}\n")
                self.times.append((frame.time, frame.duration))
        except OSError as error:
            raise ImageError(f"'{self.out}' cannot be written ({error.strerror}); make room, and go on.") from error
        self.done += 1
        if len(self.times) >= PART:
            self._close_part()

    def _close_part(self) -> None:
        """Encode what lies there as it is."""
        if not self.times or self.format is None:
            return
        first, begin, lasts = self.done - len(self.times), self.times[0][0], self.times[-1][1]
        raw, part = self.folder / f"{first:08d}.raw", self.folder / "next.part"
        self._encode(raw, part)
        part.rename(self.folder / f"{first:08d}-{begin}-{len(self.times)}-{lasts}.mp4")
        raw.unlink()
        raw.with_suffix(".times").unlink()
        self.times = []

    def _encode(self, raw: Path, part: Path) -> None:
        assert self.format is not None
        begin, colors = self.times[0][0], self.clip.colors
        with av.open(str(part), "w", "mp4") as film, raw.open("rb") as file:
            stream: Any = film.add_stream(self.format.codec, rate=self.clip.rate, options=dict(self.format.options))
            stream.width, stream.height = self.size
            stream.pix_fmt = self.format.pixels
            stream.time_base = stream.codec_context.time_base = self.clip.time_base
            if self.format.pixels == "yuv420p":
                stream.colorspace, stream.color_range = colors.matrix, 2 if colors.full else 1
                stream.color_primaries, stream.color_trc = colors.primaries, colors.curve
            for time, _ in self.times:
                frame = self._colored(file.read(self._bytes), colors)
                frame.pts, frame.time_base = time - begin, self.clip.time_base
                film.mux(stream.encode(frame))
            film.mux(stream.encode(None))

    def _colored(self, data: bytes, colors: Colors) -> VideoFrame:
        """A frame in the numbers of the clip."""
        assert self.format is not None
        frame = VideoFrame.from_ndarray(self._image(data), format="rgb24")
        if self.format.pixels == "rgb24":
            return frame
        matrix = _MATRICES.get(colors.matrix, 1)
        return frame.reformat(
            format=self.format.pixels,
            dst_colorspace=matrix,
            src_color_range=2,
            dst_color_range=2 if colors.full else 1,
            interpolation="AREA",
        )

    # What becomes of it

    def finish(self, whole: bool = True) -> Path:
        """Make a file of all that is there; with `whole`, there is no more to come, and the parts go.

        Raises:
            ImageError: there is nothing, or it cannot be written.
        """
        if not self.done:
            if whole:
                self.forget()
            raise ImageError(f"'{self.clip.path.name}' has no picture that can be read; copy it again.")
        if self.format is None:
            if whole:
                (self.folder / ".unfinished").unlink(missing_ok=True)
            return self.out
        self._close_part()
        with written(self.out) as part:
            if self.format.container == "gif":
                write_gif(part, [one.path for one in self._parts()], self._all_times(), self.clip.time_base)
            else:
                self._join(part, whole)
        if whole:
            self.forget()
        return self.out

    def forget(self) -> None:
        """Remove the parts."""
        if self.format is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _all_times(self) -> Iterator[int]:
        for part in self._parts():
            with av.open(str(part.path)) as source:
                stamps = [packet.pts for packet in source.demux(video=0) if packet.pts is not None]
                base = (source.streams.video[0].time_base or Fraction(1)) / self.clip.time_base
                yield from (part.begin + round(stamp * base) for stamp in stamps)

    def _join(self, out: Path, whole: bool) -> None:
        """The parts one after the other, and the sound beside them."""
        assert self.format is not None
        options = {"movflags": "+faststart"} if self.format.container in ("mp4", "mov") else {}
        with ExitStack() as stack:
            film = stack.enter_context(av.open(str(out), "w", self.format.container, container_options=options))
            if self.recipe is not None:
                film.metadata["comment"] = comment(self.recipe)
            parts = self._parts()
            template = stack.enter_context(av.open(str(parts[0].path)))
            stream: Any = film.add_stream_from_template(template.streams.video[0])
            stream.time_base = self.clip.time_base
            tracks = [self._pictures(parts, stream)]
            if self.clip.sound and self.format.own:
                source, packets = stack.enter_context(sound_packets(self.clip))
                tracks.append(sound_track(film, self.format.sound, self.format.own, source, packets))
            film.start_encoding()
            *_, last = self._all_times()
            end = (last + parts[-1].lasts) * self.clip.time_base
            for when, _, packet in heapq.merge(*tracks, key=lambda one: one[:2]):
                if when <= end or whole:
                    film.mux_one(packet)

    def _pictures(self, parts: list[Part], stream: Any) -> Iterator[tuple[Fraction, int, Any]]:
        base = self.clip.time_base
        for part in parts:
            with av.open(str(part.path)) as source:
                for number, packet in enumerate(one for one in source.demux(video=0) if one.pts is not None):
                    own = packet.time_base / base
                    packet.pts = packet.dts = part.begin + round((packet.pts or 0) * own)
                    packet.duration = part.lasts if number == part.count - 1 else round((packet.duration or 0) * own)
                    packet.time_base, packet.stream = base, stream
                    yield Fraction(packet.pts) * base, 0, packet
