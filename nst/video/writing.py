"""Painted clips out: frames go to the disk as they come, and whatever is there at the end becomes a file that plays.

Beside the file that is to be lies a folder of parts. A part is a few dozen frames, encoded as they come; those that are
not yet enough for one lie beside it as they are. So a run that was killed goes on after its last frame.
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
from PIL import Image

from nst.images import ImageError, decode, save, written
from nst.video.clips import Clip, Frame, comment
from nst.video.encoding import FORMATS, Encoding
from nst.video.gif import encoded_pictures, write_gif
from nst.video.sound import sound_packets, sound_track

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
    encoding: Encoding | None = None

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

    @property
    def _first(self) -> int:
        """Of those that are not a part yet."""
        return self.done - len(self.times)

    def _raw(self) -> Path:
        return self.folder / f"{self._first:08d}.raw"

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
                raw = self._raw()
                with raw.open("ab") as file:
                    file.write(frame.image.tobytes())
                with raw.with_suffix(".times").open("a") as file:
                    file.write(f"{frame.time} {frame.duration}\n")
                self.times.append((frame.time, frame.duration))
        except OSError as error:
            raise ImageError(f"'{self.out}' cannot be written ({error.strerror}); make room, and go on.") from error
        self.done += 1
        if self.times:
            self._encode(frame)
        if len(self.times) >= PART:
            self._close_part()

    def _encode(self, frame: Frame | None = None) -> None:
        """Encode the newest frame; or all that lie there as they are, if none of them is encoded yet."""
        assert self.format is not None
        encoding, self.encoding = self.encoding, None  # where this fails, all of them are encoded anew
        begin = self.times[0][0]
        if encoding is None:
            encoding = Encoding(self.folder / "next.part", self.format, self.clip, self.size)
            with self._raw().open("rb") as file:
                for time, _ in self.times:
                    encoding.add(self._image(file.read(self._bytes)), time - begin)
        elif frame is not None:
            encoding.add(frame.image, frame.time - begin)
        self.encoding = encoding

    def _close_part(self) -> None:
        """Have a part of what lies there as it is."""
        if not self.times:
            return
        if self.encoding is None:
            self._encode()
        encoding, self.encoding = self.encoding, None
        assert encoding is not None
        encoding.close()
        first, begin, lasts, raw = self._first, self.times[0][0], self.times[-1][1], self._raw()
        encoding.path.rename(self.folder / f"{first:08d}-{begin}-{len(self.times)}-{lasts}.mp4")
        raw.unlink()
        raw.with_suffix(".times").unlink()
        self.times = []

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
