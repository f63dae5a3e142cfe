"""Paint a clip, or a folder of clips, without flicker: by a network, or by optimizing each frame."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nst.tasks import fast
from nst.tasks.result import Layout
from nst.tasks.style_transfer import PAINTING
from nst.tasks.task import CLIP, MASK, Input, Panel, Task, Values
from nst.video.run import ROWS, video_run


def with_style(inputs: dict[str, Any], names: Values, settings: dict[str, Any]) -> None:
    """Have a network look at the style once for all clips."""
    if not settings.get("optimize"):
        fast.with_network(inputs, names, settings)


TASK = Task(
    "video",
    video_run,
    (
        Input("content", CLIP, "Clip", "a clip, or the name of an example", default="river"),
        replace(PAINTING, help="a name, or any picture; up to four", least=0, most=fast.MAX_STYLES, by_name=True),
        Input("mask", MASK, "Mask", "white where it is painted", "mask", 0),
    ),
    example="clip.mp4 --style starry_night -o painted.mp4 --size 1280",
    rows={
        **ROWS,
        "model": replace(fast.TASK.rows["model"], listed=fast.networks),
        "weights": fast.TASK.rows["weights"],
    },
    panel=Panel(
        "Video",
        line="A clip in, a painted clip out, and nothing flickers.",
        also="First second",
        hint="First second shows soon what will come of it.",
        main=(("consistency",), ("size", "preserve_color"), ("start", "end")),
        more=("strength", "optimize", "frame_steps", "seed", "device"),
        compares=False,
        scored=False,
    ),
    layout=lambda settings: Layout(clip=True),
    prepare=with_style,
)
