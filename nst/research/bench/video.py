"""Speed and memory of painting a clip."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nst.device import choose_device, peak_memory, resident_memory
from nst.fast import make_painter
from nst.registry import load_model
from nst.video import example_file, probe
from nst.video.run import video_run


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
    style = tuple(load_model(model).styles)[:1]  # type: ignore[arg-type]
    source = probe(clip or example_file("river")).excerpt(None, None, frames)
    painter = make_painter(style, model=model, device=device)
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
