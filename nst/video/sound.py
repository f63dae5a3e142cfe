"""The sound of a clip: copied as it is, and encoded anew only where the new container cannot hold it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import Any

import av

from nst.video.clips import Clip, container_of

SOUND = frozenset(("aac", "mp3", "mp3float", "ac3", "eac3", "alac", "opus", "libopus", "flac"))
"""Codecs that MP4 and what is like it can hold."""


@contextmanager
def sound_packets(clip: Clip) -> Iterator[tuple[Any, Iterator[Any]]]:
    """The first audio stream, and its packets as they are, whose times count from where the wanted part begins."""
    with container_of(clip) as source:
        stream = source.streams.audio[0]

        def packets() -> Iterator[Any]:
            if clip.begin > 2:
                with suppress(av.FFmpegError):
                    source.seek(int((clip.begin + clip.origin) * av.time_base))
            with suppress(av.FFmpegError):  # cut off: what comes before
                for packet in source.demux(stream):
                    if packet.dts is None or packet.pts is None:
                        continue
                    now = packet.pts * packet.time_base - Fraction(clip.origin) - Fraction(clip.begin)
                    if clip.begin and now + (packet.duration or 0) * packet.time_base <= 0:
                        continue
                    if clip.end is not None and float(now) > clip.end - clip.begin - 1e-6:
                        return
                    shift = round((Fraction(clip.origin) + Fraction(clip.begin)) / packet.time_base)
                    packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                    yield packet

        yield stream, packets()


def sound_track(
    film: Any, known: frozenset[str], own: str, source: Any, packets: Iterator[Any]
) -> Iterator[tuple[Fraction, int, Any]]:
    """The sound's packets as they are, or encoded anew where the container cannot hold them."""
    if source.codec_context.name in known:
        stream = film.add_stream_from_template(source)

        def copied() -> Iterator[tuple[Fraction, int, Any]]:
            for packet in packets:
                packet.stream = stream
                yield packet.dts * packet.time_base, 1, packet

        return copied()
    stream = film.add_stream(own, rate=48000 if own == "libopus" else source.codec_context.sample_rate)
    stream.layout = "mono" if source.codec_context.channels == 1 else "stereo"

    def encoded() -> Iterator[tuple[Fraction, int, Any]]:
        size = stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(stream.format, stream.layout, stream.rate, size)
        for packet in packets:
            with suppress(av.FFmpegError):
                for frame in packet.decode():
                    for even in resampler.resample(frame):
                        yield from stamped(stream.encode(even))
        for even in resampler.resample(None):
            yield from stamped(stream.encode(even))
        yield from stamped(stream.encode(None))

    def stamped(made: list[Any]) -> Iterator[tuple[Fraction, int, Any]]:
        for packet in made:
            if packet.dts is not None:
                yield packet.dts * packet.time_base, 1, packet

    return encoded()
