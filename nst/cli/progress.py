"""Following one run on the terminal, to the picture it ends with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from torch import Tensor
from tqdm import tqdm

from nst.cli.models import download_bar
from nst.device import choose_device
from nst.optimize import Step, throttle
from nst.recipes import DEFAULTS
from nst.stylize import Estimate

LONG = 10.0
"""Seconds; what a run that takes longer will cost is told beforehand."""

BAR = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


def last_picture(steps: Iterator[Step], name: str) -> Tensor:
    """Run it with a bar of progress, telling its notes; the last step's image."""
    with tqdm(total=1.0, bar_format=BAR, file=sys.stderr, disable=None, desc=name) as bar:
        for step in throttle(steps, 0.1):
            bar.set_postfix_str(words_of(step), refresh=False)
            bar.update(step.work - bar.n)
            if step.note:
                tqdm.write(f"{name}: {step.note}", file=sys.stderr)
    return step.image


def words_of(step: Step) -> str:
    """Where a run is."""
    return f"step {step.index} of {step.total}, {step.size} px, loss {step.loss:.3g}"


def tell_cost(expected: Estimate, count: float, settings: dict[str, Any]) -> None:
    """Say what a long run will take; of `count` such runs."""
    seconds = expected.seconds * count
    if seconds > LONG:
        minutes = seconds / 60
        span = f"{seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
        where = choose_device(settings.get("device", DEFAULTS["device"])).name
        memory = f"{expected.memory / 1e9:.1f} GB" if expected.memory >= 1e9 else f"{expected.memory / 1e6:.0f} MB"
        tqdm.write(f"About {span} and {memory} of memory, on {where}.", file=sys.stderr)


def fetch(settings: dict[str, Any]) -> None:
    """Have the encoders here, with a bar where they are downloaded."""
    from nst.encoders import load_encoder

    for role in ("encoder", "content_encoder"):
        if name := settings.get(role, DEFAULTS[role]):
            with download_bar(str(name)) as progress:
                load_encoder(name, progress=progress)
