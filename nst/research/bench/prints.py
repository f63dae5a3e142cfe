"""What large prints take, from file to file."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from nst.images import size_of
from nst.styles import load_content, load_style


def bench_prints(
    *,
    sizes: Sequence[int] = (4096, 8192),
    memory: Sequence[float] = (2.0, 4.0),
    preset: str = "draft",
    steps: int | None = None,
    encoder: str = "compact",
    content: str | None = None,
    style: str | None = None,
    out: str | None = None,
) -> Iterator[dict[str, Any]]:
    """What large pictures take on the processor, each painted by a process of its own that may take so much memory.

    `peak` is in bytes of the whole process, Python and PyTorch included; `seconds` are those of all cores together,
    whatever else the machine does; `longer` is how many times those of the row before.

    Args:
        sizes: long sides in pixels.
        memory: gigabytes that each may take: what `PASTICHE_MEMORY` is set to.
        preset: see `nst.settings.PRESETS`.
        steps: over all scales; left out are the preset's.
        encoder: by name or file.
        content, style: files; left out are an example photo and a drawn style.
        out: folder for the pictures; left out, they are thrown away.

    Raises:
        ValueError: not as many sizes as gigabytes, or a picture failed: with what it said.
    """
    if len(sizes) != len(memory):
        raise ValueError(f"{len(sizes)} sizes need {len(sizes)} numbers for memory, not {len(memory)}.")
    with tempfile.TemporaryDirectory() as folder:
        if content is None:
            load_content("coffee").save(content := str(Path(folder, "content.png")))
        if style is None:
            load_style("night", 1024).save(style := str(Path(folder, "style.png")))
        before = 0.0
        for size, allowed in zip(sizes, memory, strict=True):
            target = Path(out or folder).expanduser() / f"{preset}-{size}.png"
            words = ["--preset", preset, "--encoder", encoder, "--size", str(size), "--device", "cpu", "--seed", "0"]
            words += ["--steps", str(steps)] if steps else []
            peak, seconds = taken(
                ["stylize", content, "--style", style, *words, "-o", str(target)],
                {"PASTICHE_MEMORY": str(allowed)},
            )
            wide, high = size_of(target)
            longer = {"longer": seconds / before} if before else {}
            yield {"size": f"{wide} x {high}", "allowed": allowed, "peak": peak, "seconds": seconds, **longer}
            before = seconds


def taken(words: Sequence[str], environment: Mapping[str, str]) -> tuple[int, float]:
    """Bytes at the peak and seconds of all cores, of our command. Raises ValueError with its words if it fails."""
    command, peak, seconds = [sys.executable, "-m", "nst", *words], 0, 0.0
    with psutil.Popen(
        command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as child:
        while True:
            try:
                _, said = child.communicate(timeout=LOOK)
                break
            except subprocess.TimeoutExpired:
                peak = max(peak, child.memory_info().rss)
                seconds = sum(child.cpu_times()[:2])
    if child.returncode:
        raise ValueError(said.strip() or f"The command ended with {child.returncode}.")
    return peak, seconds


LOOK = 0.02  # seconds between two looks at the process
