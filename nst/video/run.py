"""A clip, painted frame by frame and written as it goes."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nst.color import recolor_result
from nst.fast import Painter, make_painter
from nst.frames import paint_frames
from nst.images import ImageError, resize, to_tensor
from nst.optimize import Step
from nst.settings import SETTINGS, check
from nst.styles import load_style
from nst.video.ahead import ahead, workers_for
from nst.video.clips import Clip, Frame, read_frames
from nst.video.flow import Array, MotionFinder
from nst.video.ground import MovingGround
from nst.video.optimized import paint_optimized, to_bytes, to_float
from nst.video.steady import Shot, Steady, shots
from nst.video.writing import Reel

ROWS = SETTINGS | {
    "size": replace(SETTINGS["size"], low=16, high=4096, unset="the clip's own"),
    "strength": replace(SETTINGS["strength"], step=0, unset="100, or 50 where it is optimized"),
}
"""What the settings may be here."""

Painted = Generator[tuple[Frame, Array], None, None]
"""Frames, and what became of them: bytes (H, W, 3)."""


def video_run(
    content: Clip,
    style: Painter | Sequence[str | Tensor],
    mask: Tensor | None = None,
    *,
    out: Path,
    recipe: dict[str, Any] | None = None,
    size: int | None = None,
    strength: float | None = None,
    preserve_color: str = "none",
    consistency: float = 80.0,
    start: float = 0.0,
    end: float | None = None,
    optimize: str | None = None,
    frame_steps: int = 15,
    model: str | None = None,
    weights: Sequence[float] | None = None,
    seed: int = 0,
    device: str = "auto",
) -> Iterator[Step]:
    """Paint a clip; a step for each frame. Whenever this ends, `out` is a file that plays, of what is done.

    What another call with the same arguments has left undone is gone on from.

    Args:
        content: the clip.
        style: up to four names or pictures (1, 3, H, W) in [0, 1]; or a style that a network has looked at already.
        mask: where it is painted, (1, 1, h, w), 1 where it is.
        out: the file to write, with a suffix of `nst.video.FORMATS`; or a folder, for single pictures.
        recipe: to be put into it.
        size: long side of the result in pixels; None is the clip's own.
        strength: see `nst.fast.fast_stylize`, or `nst.stylize.style_transfer` to optimize.
        preserve_color: how the clip's colors are kept; see `nst.color.COLOR_MODES`.
        consistency: from 0, every frame for itself, to 100: how much a frame goes on from the one before it.
        start, end: what of the clip is painted, in seconds.
        optimize: a preset, to optimize each frame instead of painting it by a network; the preset is for the first.
        frame_steps: of each optimized frame but the first.
        model, weights: of `nst.fast.fast_stylize`; a style that was looked at has them in it.
        seed: see `nst.stylize.style_transfer`.
        device: see `nst.device.choose_device`.

    Raises:
        ValueError, ImageError: a setting out of its range, a clip without pictures, a place that cannot be written to.
    """
    check(ROWS, size=size, strength=strength, preserve_color=preserve_color, consistency=consistency, start=start)
    check(ROWS, end=end, optimize=optimize, frame_steps=frame_steps)
    clip = content.excerpt(start, end, content.most) if start or end else content
    manner: Any = _pictures(style) if optimize else style
    if not isinstance(manner, Painter) and not optimize:
        manner = make_painter(manner, weights, model=model, device=device)
    shape = clip.size(size)
    asked = (shape, strength, preserve_color, consistency, start, end, optimize, frame_steps, seed, content.most)
    reel = Reel(out, clip, shape, _key(clip, asked, manner, mask), recipe)
    frames = read_frames(clip, shape, skip=max(0, reel.done - 1))
    before = next(frames, None) if reel.done else None
    last = (before.image, reel.last) if before is not None and reel.last is not None else None
    colors: dict[str, Any] = {"preserve_color": preserve_color, "seed": seed}
    if isinstance(manner, Painter):
        strength = 100.0 if strength is None else strength
        workers = workers_for(manner.device, shape)
        colors |= {"strength": strength, "workers": workers}
        painted = ahead(paint_steadily(frames, manner, consistency, last, **colors), 2 if workers else 0)
    else:
        how: dict[str, Any] = {"preset": optimize or "draft", "num_steps": frame_steps, "style_weights": weights}
        how |= {"strength": 50.0 if strength is None else strength, "device": device}
        painted = paint_optimized(frames, manner, consistency, last, **how, **colors)
    yield from _written(painted, reel, mask)


def _pictures(style: Painter | Sequence[str | Tensor]) -> list[Tensor]:
    """What is optimized by."""
    if isinstance(style, Painter) or not style:
        raise ValueError("Which style? To optimize, a picture is needed, or the name of one.")
    return [to_tensor(load_style(one)) if isinstance(one, str) else one for one in style]


def _written(painted: Painted, reel: Reel, mask: Tensor | None) -> Iterator[Step]:
    """Put each frame on the reel; whatever ends this, what is there becomes a file."""
    area = None if mask is None else _fitted(mask, reel.size)
    whole, total = False, reel.clip.frames
    try:
        with closing(painted):
            for frame, image in painted:
                shown = image if area is None else _blended(frame.image, image, area)
                reel.add(replace(frame, image=shown))
                if reel.done < total:
                    yield _step(shown, reel.done, total)
        whole = True
    finally:
        if not whole:
            with suppress(ImageError):  # there is nothing yet; what went wrong is told instead
                reel.finish(whole=False)
    reel.finish()
    if reel.last is not None:
        yield _step(reel.last, reel.done, reel.done)


def paint_steadily(
    frames: Iterable[Frame],
    painter: Painter,
    consistency: float = 80.0,
    last: tuple[Array, Array] | None = None,
    strength: float = 100.0,
    preserve_color: str = "none",
    seed: int = 0,
    workers: int = 0,
) -> Painted:
    """Frames painted by a network, each fused with the one before it.

    Args:
        frames: of one size.
        painter: what they are painted by.
        consistency: see `video_run`.
        last: the frame before the first and its result, to go on from.
        strength, preserve_color, seed: of `nst.fast.fast_stylize`.
        workers: how many threads find motion; then frames are also taken, painted and fused in threads of their own.
            With 0 all is done one after the other.
    """
    steady, most = Steady(consistency), 2 if workers else 0
    if last is not None:
        steady.start_from(*last)
    finder = steady.finder if consistency else None
    taken = ahead(frames, most)
    painted = ahead(_painted(taken, painter, finder, strength, seed, workers), most)
    with closing(taken), closing(painted):
        for image, group in painted:
            if preserve_color != "none":
                image = to_bytes(recolor_result(to_float(image), to_float(group[-1].frame.image), preserve_color))
            for frame, motion, back in group:
                yield frame, steady.hold(image, motion, back)


def _painted(
    frames: Iterable[Frame], painter: Painter, finder: MotionFinder | None, strength: float, seed: int, workers: int
) -> Generator[tuple[Array, list[Shot]], None, None]:
    """Paintings, bytes (H, W, 3), each with the shots for which it stands; the last of these is its own."""
    spares = painter.device.torch_device.type == "cpu"  # a GPU paints a frame sooner than its motion is found
    coming = shots(frames, finder, spares, workers) if finder else (Shot(frame, None) for frame in frames)
    groups = deque[list[Shot]]([[]])

    def pictures() -> Iterator[Tensor | tuple[Tensor, Tensor]]:
        ground: MovingGround | None = None
        for shot in coming:
            groups[-1].append(shot)
            picture = torch.from_numpy(shot.frame.image)
            if shot.motion is not None and ground is not None:
                ground.follow(shot.motion)
            elif finder and (noise := painter.ground(*picture.shape[:2])) is not None:
                ground = MovingGround(noise)
            if shot.back is None:
                groups.append([])
                yield picture if ground is None else (picture, ground.noise())

    with closing(coming):
        for painted in paint_frames(painter, pictures(), strength, seed):
            yield painted.numpy(), groups.popleft()


def _step(image: Array, index: int, total: int) -> Step:
    return Step(index, total, lambda: to_float(image), {}, work=index / total)


def _fitted(mask: Tensor, shape: tuple[int, int]) -> Array:
    return resize(mask.float(), shape[::-1])[0].mean(0)[..., None].numpy()


def _blended(frame: Array, image: Array, mask: Array) -> Array:
    return np.rint(frame + mask * (image.astype(np.float32) - frame)).clip(0, 255).astype(np.uint8)


def _key(clip: Clip, asked: object, style: Painter | Sequence[str | Tensor], mask: Tensor | None) -> str:
    """What tells a run from another one: the file, the settings, the style."""
    about = clip.path.stat()
    told = hashlib.sha256(json.dumps([str(clip.path.resolve()), about.st_size, about.st_mtime_ns, asked]).encode())
    for tensor in _tensors([style.name, style.code] if isinstance(style, Painter) else style, mask):
        told.update(tensor if isinstance(tensor, bytes) else tensor.detach().float().cpu().numpy().tobytes())
    return told.hexdigest()


def _tensors(*things: Any) -> Iterator[Tensor | bytes]:
    """The numbers and words in what a network makes of a style."""
    for thing in things:
        if isinstance(thing, Tensor):
            yield thing
        elif isinstance(thing, Mapping):
            yield from _tensors(*thing.values())
        elif isinstance(thing, Sequence) and not isinstance(thing, str):
            yield from _tensors(*thing)
        else:
            yield repr(thing).encode()
