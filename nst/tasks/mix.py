"""Paint a photo on the way from one style to another: a strip, a film, or single pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from nst.optimize import Step
from nst.stylize import mix_path
from nst.tasks.result import Layout
from nst.tasks.style_transfer import BEGUN, COMPARED, LAYERS, OPTIMIZED, PAINTED_BY, PAINTING, PHOTO, SINGLE
from nst.tasks.task import Panel, Task, Values

MIXED = ("mixing", "guide")
SECONDS = 0.4  # that each picture is shown in the film


def run(content: Tensor, style: Sequence[Tensor], **settings: Any) -> Iterator[Step]:
    """`nst.stylize.mix_path` from the first style to the second."""
    first, second = style
    settings.pop("style_weights", None)  # each picture has its own
    return mix_path(content, first, second, **settings)


def path(settings: Values) -> Layout:
    """Pictures side by side, which are a film there and back."""
    count = settings["pictures"]
    shares = [round(100 * i / (count - 1)) for i in range(count)]
    titles = tuple(f"{100 - share} % style 1, {share} % style 2" for share in shares)
    return Layout(titles, columns=count, seconds=SECONDS, returns=True)


TASK = Task(
    "mix",
    run,
    (PHOTO, replace(PAINTING, help=f"{PAINTING.help}; given twice", least=2, most=2)),
    example="photo.jpg --style waves --style night -o path.gif --pictures 7",
    without=frozenset({"photoreal"}),
    functions=(*PAINTED_BY, mix_path),
    panel=Panel(
        "Mix",
        line="Several styles in one picture: blended, or each in a region of its own.",
        also="Path",
        hint="Path paints several pictures, on the way from the first style to the second.",
        main=(("strength",), ("preset",), ("size", "preserve_color")),
        more=(*MIXED, "color_when", "tv_weight", *BEGUN, "pictures", *OPTIMIZED, *COMPARED, *LAYERS, *SINGLE, "device"),
        several="Snapshots",
        first=("first-before.webp", "first-mix.webp"),
        told="Painted by Pastiche: a photo in two styles at once. Drag the line.",
    ),
    layout=path,
    times=lambda settings: float(settings["pictures"]),
)
