"""What each preset takes, on a machine that is busy, too."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from nst.images import to_tensor
from nst.settings import PRESETS
from nst.styles import load_content, load_style
from nst.stylize import plan, style_transfer


def bench_presets(
    *, presets: Sequence[str] = tuple(PRESETS), size: int = 512, encoder: str = "compact", steps: int = 4
) -> Iterator[dict[str, Any]]:
    """What each preset takes on the processor: a few steps at each of its scales, times the steps that it takes there.

    `seconds` are those of all cores together, whatever else the machine does; so on two quiet cores it takes half as
    long. What comes before the first step is in it for each scale, networks already loaded.

    Args:
        presets: see `nst.settings.PRESETS`.
        size: long side in pixels, of an example photo in a drawn style.
        encoder: by name or file.
        steps: how many are timed at each scale, after a first one.
    """
    content, style = to_tensor(load_content("coffee")), to_tensor(load_style("night", size))

    def timed(preset: str, side: int) -> tuple[float, float]:
        """Seconds until the first step has been taken, and of each after it."""
        few = replace(PRESETS[preset], num_steps=steps + 1, factor=1e9)
        began = time.process_time()
        run = style_transfer(content, style, encoder=encoder, size=side, preset=few, device="cpu")
        times = [time.process_time() for _ in run]
        return times[0] - began, (times[-1] - times[0]) / steps

    timed(presets[0], 64)
    known: dict[int, tuple[float, float]] = {}
    for name in presets:
        parts, seconds = plan(size, PRESETS[name]), 0.0
        for part in parts:
            if part.size not in known:
                known[part.size] = timed(name, part.size)
            first, each = known[part.size]
            seconds += first + each * (part.num_steps - 1)
        yield {"preset": name, "size": size, "steps": PRESETS[name].num_steps, "seconds": seconds}
