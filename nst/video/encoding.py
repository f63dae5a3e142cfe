"""The kinds of clips that are written, and how their frames are encoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame

from nst.video.clips import Clip
from nst.video.sound import SOUND


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

_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""Color matrices by FFmpeg's number, as its scaler calls them."""


class Encoding:
    """A few frames on their way into a file; it plays once this is closed.

    Args:
        path: of the file, an MP4 whatever its name.
        form: how they are encoded.
        clip: whose colors and times they have.
        size: width and height.
    """

    def __init__(self, path: Path, form: Format, clip: Clip, size: tuple[int, int]) -> None:
        self.path, self.form, self.clip = path, form, clip
        self.film = av.open(str(path), "w", "mp4")
        stream: Any = self.film.add_stream(form.codec, rate=clip.rate, options=dict(form.options))
        stream.width, stream.height = size
        stream.pix_fmt = form.pixels
        stream.time_base = stream.codec_context.time_base = clip.time_base
        if form.pixels == "yuv420p":
            stream.colorspace, stream.color_range = clip.colors.matrix, 2 if clip.colors.full else 1
            stream.color_primaries, stream.color_trc = clip.colors.primaries, clip.colors.curve
        self.stream = stream

    def add(self, image: np.ndarray[Any, np.dtype[np.uint8]], time: int) -> None:
        """The next frame, bytes (H, W, 3), and when it comes, in units of the clip's time base."""
        frame = VideoFrame.from_ndarray(image, format="rgb24")
        if self.form.pixels != "rgb24":
            frame = frame.reformat(
                format=self.form.pixels,
                dst_colorspace=_MATRICES.get(self.clip.colors.matrix, 1),
                src_color_range=2,
                dst_color_range=2 if self.clip.colors.full else 1,
                interpolation="AREA",
            )
        frame.pts, frame.time_base = time, self.clip.time_base
        self.film.mux(self.stream.encode(frame))

    def close(self) -> None:
        """Write what the encoder still holds."""
        self.film.mux(self.stream.encode(None))
        self.film.close()
