"""ZeroGPU: a Space whose GPU is there only while a function marked for it runs, in a process forked for the purpose.

What goes in and comes out is pickled, so tensors come back on the processor; a run says beforehand how long it takes,
since what it asks for must fit into the visitor's quota. Elsewhere than on ZeroGPU nothing of this happens.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nst.optimize import Step

SHORTEST, LONGEST = 15, 120
"""Seconds that are asked for; a visitor without an account has two minutes a day."""

SECONDS_PER_MEGAPIXEL_STEP = 0.04
"""A guess on the high side for half of the card that ZeroGPU has; never measured on one."""


def active() -> bool:
    """Whether this is a Space with ZeroGPU."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in {"1", "t", "true"}


def prepare() -> None:
    """Import the package `spaces`, which must come before torch; does nothing elsewhere."""
    if active():
        importlib.import_module("spaces")


def on_gpu(run: Callable[..., Iterator[Step]]) -> Callable[..., Iterator[Step]]:
    """The run itself, or on ZeroGPU one that is given the GPU while it lasts.

    Args:
        run: has the signature of one of the recipes of `nst.stylize`.
    """
    if not active():
        return run
    from nst.optimize import throttle  # torch only now, see `prepare`

    def paint(pictures: tuple[Any, ...], settings: dict[str, Any]) -> Iterator[Step]:
        for step in throttle(run(*pictures, **settings)):
            yield replace(step, picture=step.image.detach().cpu(), terms=dict(step.losses))

    marked = importlib.import_module("spaces").GPU(duration=duration)(paint)

    def wrapped(*pictures: Any, **settings: Any) -> Iterator[Step]:
        yield from marked(pictures, settings)

    return wrapped


def duration(pictures: tuple[Any, ...], settings: dict[str, Any]) -> int:
    """Seconds to ask for; has the arguments of the function that is marked."""
    from nst.settings import PRESETS

    size = max(int(settings.get(name) or 0) for name in ("size", "width", "height")) or 512
    steps = int(settings.get("num_steps") or PRESETS[str(settings.get("preset") or "good")].num_steps)
    guess = 10 + steps * size**2 / 1e6 * SECONDS_PER_MEGAPIXEL_STEP
    return round(min(max(guess, SHORTEST), LONGEST))
