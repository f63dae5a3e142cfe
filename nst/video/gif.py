"""An animated GIF of a clip."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame


def encoded_pictures(path: Path) -> Iterator[np.ndarray[Any, np.dtype[np.uint8]]]:
    """The pictures of a part of our own."""
    with av.open(str(path)) as source:
        for frame in source.decode(video=0):
            image: Any = frame.reformat(format="rgb24", dst_color_range=2).to_ndarray()
            yield image


def write_gif(out: Path, parts: list[Path], times: Iterator[int], base: Fraction) -> None:
    """One palette for all, found first: so nothing flickers, and no more than a picture is held."""
    first = next(encoded_pictures(parts[0]))
    size: Any = {"width": first.shape[1], "height": first.shape[0], "format": VideoFormat("rgb24"), "time_base": base}

    def pictures() -> Iterator[VideoFrame]:
        for number, image in enumerate(image for part in parts for image in encoded_pictures(part)):
            frame = VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, base
            yield frame

    finding = av.filter.Graph()
    finding.link_nodes(finding.add_buffer(**size), finding.add("palettegen"), finding.add("buffersink")).configure()
    for frame in pictures():
        finding.push(frame)
    finding.push(None)
    palette: Any = finding.pull()
    using = av.filter.Graph()
    shown, use, sink = using.add_buffer(**size), using.add("paletteuse"), using.add("buffersink")
    colors = using.add_buffer(width=palette.width, height=palette.height, format=palette.format, time_base=base)
    shown.link_to(use, 0, 0)
    colors.link_to(use, 0, 1)
    use.link_to(sink)
    using.configure()
    colors.push(palette)
    colors.push(None)
    with av.open(str(out), "w", "gif") as film:
        stream: Any = film.add_stream("gif", rate=25)
        stream.width, stream.height, stream.pix_fmt = first.shape[1], first.shape[0], "pal8"
        stream.codec_context.time_base = hundredth = Fraction(1, 100)
        last = -1

        def drain() -> None:
            nonlocal last
            with suppress(av.BlockingIOError, av.EOFError):
                while True:
                    frame = sink.pull()
                    last = max(last + 1, round(next(times) * base / hundredth))
                    frame.pts, frame.time_base = last, hundredth
                    film.mux(stream.encode(frame))

        for frame in pictures():
            shown.push(frame)
            drain()
        shown.push(None)
        drain()
        film.mux(stream.encode(None))
