"""What a run, or a download, tells on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from nst.device import choose_device
from nst.optimize import Step
from nst.stylize import Estimate

LONG = 10.0  # seconds; what a run that takes longer will cost is told beforehand

BAR = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


def words_of(step: Step) -> str:
    """Where a run is."""
    if not step.losses:
        return f"frame {step.index} of {step.total}, {step.size} px"
    return f"step {step.index} of {step.total}, {step.size} px, loss {step.loss:.3g}"


def tell_cost(expected: Estimate, count: float, settings: dict[str, Any]) -> None:
    """Say what a long run will take; of `count` such runs."""
    seconds = expected.seconds * count
    if seconds > LONG:
        minutes = seconds / 60
        span = f"{seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
        where = choose_device(settings.get("device", "auto")).name
        memory = f"{expected.memory / 1e9:.1f} GB" if expected.memory >= 1e9 else f"{expected.memory / 1e6:.0f} MB"
        tqdm.write(f"About {span} and {memory} of memory, on {where}.", file=sys.stderr)


def tell(lines: Sequence[object], file: Any = None) -> None:
    """Print lines between bars of progress."""
    for line in lines:
        tqdm.write(str(line), file=file or sys.stdout)


@contextmanager
def download_bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """A function that shows (bytes done, bytes in all) as a progress bar, which appears when first told."""
    bar: tqdm[Any] | None = None

    def progress(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            bar = tqdm(total=total, desc=name, unit="B", unit_scale=True, file=sys.stderr, disable=None)
        bar.update(done - bar.n)

    try:
        yield progress
    finally:
        if bar is not None:
            bar.close()
