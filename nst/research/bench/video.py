"""Speed and memory of painting a clip, and what each part of that takes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from nst.device import choose_device, peak_memory, resident_memory
from nst.fast import Painter, make_painter
from nst.frames import paint_frames
from nst.registry import load_model
from nst.video import Clip, Reel, example_file, probe, read_frames
from nst.video.ground import MovingGround
from nst.video.run import video_run
from nst.video.steady import Steady


def bench_video(
    *,
    clip: str | None = None,
    size: int = 1280,
    frames: int = 48,
    model: str = "cin",
    consistency: float = 80.0,
    device: str = "auto",
) -> Iterator[dict[str, Any]]:
    """Frames a second of a clip from file to file: read, painted by a network, made steady, encoded.

    `rate` is frames a second; `ten_seconds` what ten seconds of 24 frames would take; `memory` the peak in bytes above
    what the process held before, and `grown` how much more it held after all frames than after a quarter of them.

    Args:
        clip: a file; left out is the example.
        size: long side in pixels.
        frames: how many.
        model: of a style by name.
        consistency: see `video`.
        device: see `nst.device.choose_device`.
    """
    chosen = choose_device(device)
    source, painter = _asked(clip, frames, model, device)
    held: list[int] = []
    with tempfile.TemporaryDirectory() as folder, peak_memory(chosen.torch_device) as peak:
        began = time.perf_counter()
        for _ in video_run(
            source, painter, out=Path(folder) / "out.mp4", size=size, consistency=consistency, device=device
        ):
            held.append(resident_memory())
        seconds = time.perf_counter() - began
    width, height = source.size(size)
    yield {
        "size": f"{width} x {height}",
        "model": f"{model}, {chosen.name}",
        "frames": len(held),
        "seconds": seconds,
        "rate": len(held) / seconds,
        "ten_seconds": 240 * seconds / len(held),
        "memory": peak(),
        "grown": held[-1] - held[len(held) // 4],
    }


def _asked(clip: str | None, frames: int, model: str, device: str) -> tuple[Clip, Painter]:
    style = tuple(load_model(model).styles)[:1]  # type: ignore[arg-type]
    source = probe(clip or example_file("river")).excerpt(None, None, frames)
    return source, make_painter(style, model=model, device=device)


WARM = 4
"""Frames that are painted before it counts: a GPU then knows its graph."""


def bench_video_parts(
    *, clip: str | None = None, size: int = 1280, frames: int = 24, model: str = "cin", device: str = "auto"
) -> Iterator[dict[str, Any]]:
    """What bounds the speed of painting a clip: how long each part of it takes by itself, one after the other.

    `core_ms` is milliseconds of one core for a frame, `ms` those that pass meanwhile. Where a GPU paints, all parts go
    side by side, and motion in several threads at once: the longest of the others says how fast a clip can be painted,
    and the sum of all `core_ms` how many cores that takes. Where the CPU paints, they come one after the other, and
    many frames need no painting.

    Args:
        clip: a file; left out is the example.
        size: long side in pixels.
        frames: how many, held in memory; the first four are not counted where they are painted.
        model: of a style by name.
        device: see `nst.device.choose_device`.
    """
    source, painter = _asked(clip, frames, model, device)
    shape, steady, ground = source.size(size), Steady(), None
    spent: dict[str, list[float]] = {}

    def timed(part: str, act: Callable[..., Any], *of: Any) -> Any:
        began, used = time.perf_counter(), time.process_time()
        result = act(*of)
        for number, since in enumerate((time.process_time() - used, time.perf_counter() - began)):
            spent.setdefault(part, [0.0, 0.0])[number] += since
        return result

    seen = timed("read", list, read_frames(source, shape))
    noise = painter.ground(*shape[::-1])
    given = [torch.from_numpy(frame.image) for frame in seen]
    coming = paint_frames(painter, given if noise is None else [(picture, noise) for picture in given])
    painted = [one.numpy() for one in islice(coming, WARM)]
    painted += timed("paint", lambda: [one.numpy() for one in coming])
    with tempfile.TemporaryDirectory() as folder:
        reel = Reel(Path(folder) / "out.mp4", source, shape)
        for frame, image in zip(seen, painted, strict=True):
            motion = timed("motion", steady.finder.next, frame.image)
            if noise is not None:
                ground = ground or MovingGround(noise)
                if motion is not None:
                    timed("ground", ground.follow, motion)
                timed("ground", ground.noise)
            held = timed("fuse", steady.hold, image, motion)
            timed("write", reel.add, replace(frame, image=held))
        timed("write", reel.finish)
    for part, (used, passed) in spent.items():
        count = max(1, len(seen) - (WARM if part == "paint" else 0))
        yield {"part": part, "core_ms": 1000 * used / count, "ms": 1000 * passed / count}
