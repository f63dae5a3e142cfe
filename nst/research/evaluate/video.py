"""How steady are painted clips?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from torch import Tensor

from nst.encoders import load_encoder
from nst.fast import NAMED, fast_styles, make_painter
from nst.metrics import style_closure
from nst.research.evaluate.grid import Row, averaged
from nst.research.evaluate.sheets import named_style, side_by_side, write
from nst.video import Frame, probe, read_frames
from nst.video.flow import Array, Motion, MotionFinder
from nst.video.optimized import paint_optimized, to_float
from nst.video.run import paint_steadily

CROP, EVERY = 240, 4
"""Side in pixels of what a sheet shows of a frame, and which frames."""

Painting = Callable[[float], list[Array]]
"""A consistency to the painted frames."""


def compare_video(
    *,
    clips: Sequence[str],
    styles: Sequence[str] = ("starry_night", "great_wave", "wheat_field"),
    modes: Sequence[str] = ("fast", "optimized"),
    consistency: float = 80.0,
    frames: int = 16,
    start: float = 1.0,
    size: int = 854,
    preset: str = "draft",
    frame_steps: int = 15,
    judge: str = "compact",
    out: str | None = None,
) -> Iterator[Row]:
    """How steady painted clips are: a row for each clip and way of painting, then the means of each way.

    `each` and `steady` are the warping errors, in thousandths, of every frame painted for itself and of frames that go
    on from each other: the mean squared difference of a frame to the one before it, moved along, where the motion of
    the clip can be trusted (Lai et al. 2018, arXiv:1808.00449, eq. 7); `ratio` is the one over the other. `closed` and
    `kept` are the share of the style distance that the steady frames close, and that over what the others close.

    Args:
        clips: files.
        styles: pictures, names, or NAME=FILE where a network knows by name what the file shows; the clips take them in
            turn.
        modes: "fast", by a network; "optimized".
        consistency: of the steady frames.
        frames: how many of each clip.
        start: the second at which they begin.
        size: long side in pixels.
        preset: of optimized frames that are for themselves, and of the first.
        frame_steps: of those that go on.
        judge: the encoder that measures the style, by name or file.
        out: folder for a sheet of crops of every fourth frame of each clip (the clip, each for itself, steady), and one
            of the differences to the frame before.
    """
    encoder, rows, manners = load_encoder(judge), list[Row](), list(map(named_style, styles))
    for number, path in enumerate(clips):
        (name, style), clip = manners[number % len(styles)], probe(path)
        clip = clip.excerpt(min(start, clip.seconds / 2), None, frames)
        seen = list(read_frames(clip, clip.size(size)))
        finder = MotionFinder()
        motions = [finder.next(frame.image) for frame in seen]
        for mode in modes:
            optimized = mode == "optimized"
            paint = _by_steps(seen, style, preset, frame_steps) if optimized else _by_network(seen, name, style)
            each, steady = paint(0.0), paint(consistency)
            errors = [1000 * warping_error(images, motions) for images in (each, steady)]
            closed = [_closed(images, seen, style, encoder) for images in (each, steady)]
            row: Row = {"clip": Path(path).stem, "style": name, "by": mode, "frames": len(seen), "each": errors[0]}
            row |= {"steady": errors[1], "ratio": errors[1] / errors[0]}
            rows.append(row | {"closed": closed[1], "kept": closed[1] / closed[0]})
            yield rows[-1]
            if out:
                _draw(Path(out), f"{Path(path).stem}-{mode}", seen, each, steady, motions)
    yield from averaged(rows, "by", told="clip")


def warping_error(images: Sequence[Array], motions: Sequence[Motion | None]) -> float:
    """The mean squared difference, of images in [0, 1], to the image before, moved along, where that is trusted."""
    found = []
    for before, image, motion in zip(images, images[1:], motions[1:], strict=False):
        if motion is not None and not motion.cut:
            error = ((image.astype(np.float32) - motion.warp(before.astype(np.float32))) / 255) ** 2
            found.append(float(error.mean(2)[motion.trust > 0.5].mean()))
    return mean(found)


def _by_network(seen: Sequence[Frame], name: str, style: Tensor) -> Painting:
    learned = name in fast_styles()
    painter = make_painter([name if learned else style], model=NAMED if learned else None)
    return lambda consistency: [image for _, image in paint_steadily(seen, painter, consistency)]


def _by_steps(seen: Sequence[Frame], style: Tensor, preset: str, steps: int) -> Painting:
    """The first frame, which goes on from none, is painted once."""
    how: dict[str, Any] = {"preset": preset, "num_steps": steps}
    first = next(image for _, image in paint_optimized(seen[:1], [style], **how))

    def paint(consistency: float) -> list[Array]:
        rest = paint_optimized(seen[1:], [style], consistency, (seen[0].image, first), **how)
        return [first, *(image for _, image in rest)]

    return paint


def _closed(images: Sequence[Array], seen: Sequence[Frame], style: Tensor, encoder: Any) -> float:
    """The share of the style distance that every fourth frame closes, on average."""
    pairs = list(zip(images, seen, strict=True))[EVERY - 1 :: EVERY] or [(images[-1], seen[-1])]
    return mean(style_closure(to_float(image), to_float(frame.image), style, encoder) for image, frame in pairs)


def _draw(
    out: Path, name: str, seen: Sequence[Frame], each: list[Array], steady: list[Array], motions: list[Motion | None]
) -> None:
    """The two sheets of a clip."""
    chosen = range(EVERY - 1, len(seen), EVERY)
    frames = {"clip": [frame.image for frame in seen], "each": each, "steady": steady}
    sheet = {by: {str(i): _middle(images[i]) for i in chosen} for by, images in frames.items()}
    write(out / f"sheet-{name}.png", side_by_side(sheet))
    changes: dict[str, dict[str, Tensor]] = {"each": {}, "steady": {}}
    for i in chosen:
        if motion := motions[i]:
            for by, column in changes.items():
                images = frames[by]
                change = 2 * np.abs(images[i] - motion.warp(images[i - 1].astype(np.float32)))
                column[str(i)] = _middle(np.clip(change, 0, 255).astype(np.uint8))
    write(out / f"difference-{name}.png", side_by_side(changes))


def _middle(image: Array) -> Tensor:
    """The middle of a frame, in original size."""
    top, left = (max(0, (side - CROP) // 2) for side in image.shape[:2])
    return to_float(image[top : top + CROP, left : left + CROP])
