"""What is each of the tricks worth that make the best pictures?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from nst.device import choose_device
from nst.research.evaluate.judges import find_judges
from nst.research.evaluate.pictures import contact_sheet, judged, last, load, means, write
from nst.settings import PRESETS

VARIANTS: dict[str, dict[str, Any]] = {
    "best": {},
    "Gram instead of Wasserstein": {"style_loss": "gram"},
    "layer weights 256:64:16:4:1": {"style_layer_weights": (256, 64, 16, 4, 1)},
    "scales by 2 instead of the root of 2": {"factor": 2.0},
    "one scale": {"factor": 1e9},
    "best iterate instead of the average": {"average": 0.0},
    "no total variation": {"tv_weight": 0.0},
    "the picture never moved": {"reach": 0},
    "ten times the total variation": {"tv_weight": 10 * PRESETS["best"].tv_weight},
}
"""The quality tricks of the preset *best*, each left out or exchanged alone."""


def compare_tricks(
    *,
    judge: str,
    contents: Sequence[str],
    styles: Sequence[str],
    encoder: str = "compact",
    vgg19: str | None = None,
    squeezenet: str | None = None,
    size: int = 384,
    num_steps: int = 300,
    strength: float = 50.0,
    out: str | None = None,
) -> Iterator[dict[str, Any]]:
    """What each quality trick of the preset *best* is worth: a row for each, left out or exchanged alone.

    Args:
        judge: an encoder, by name or file.
        vgg19: file of the real VGG-19, at least as far as relu3_1, for the column `vgg19`; skipped where there is none.
        squeezenet: file of SqueezeNet 1.1, for the column `squeezenet`; skipped where there is none.
        contents, styles: picture files, in pairs.
        encoder: to optimize on, by name or file.
        size: long side in pixels.
        num_steps: of each run, over all scales.
        strength: see `nst.stylize.style_transfer`.
        out: folder for a contact sheet: a row for each pair, variants side by side.
    """
    judges = find_judges(judge, vgg19, squeezenet, choose_device("cpu"))
    pairs = [(load(c), load(s)) for c, s in zip(contents, styles, strict=True)]
    strips: list[list[Tensor]] = [[] for _ in pairs]
    fields = {"factor", "average", "tv_weight", "reach"}
    for name, change in VARIANTS.items():
        preset = replace(PRESETS["best"], **{k: v for k, v in change.items() if k in fields})
        settings = {"encoder": encoder, "size": size, "num_steps": num_steps, "strength": strength, "preset": preset}
        settings |= {k: v for k, v in change.items() if k not in fields}
        began = time.perf_counter()
        results = [last(c, s, **settings) for c, s in pairs]
        seconds = (time.perf_counter() - began) / len(pairs)
        scores = [judged(x, c, s, size, judges) for x, (c, s) in zip(results, pairs, strict=True)]
        for strip, result in zip(strips, results, strict=True):
            strip.append(result)
        yield {"variant": name, **means(scores), "seconds": seconds}
    if out:
        write(Path(out) / "tricks.jpg", contact_sheet(strips, columns=1))
