"""Clips that strangers bring: looked into within limits, and no more of them painted than is told beforehand."""

from __future__ import annotations

from nst.images import ImageError
from nst.server import inputs, limits
from nst.video import Clip, probe


def opened(path: str) -> Clip:
    """What a visitor chose; of a long clip the beginning.

    Raises:
        ImageError: it is gone, or no clip that is painted here.
    """
    here = limits.current()
    try:
        clip = probe(path, inputs.open_file, max_pixels=here.clip_pixels)
    except OSError:
        raise ImageError("The clip was kept too long and is gone; choose it again.") from None
    return clip.excerpt(None, here.clip_seconds, here.clip_frames)


def told() -> str:
    """What is painted of a clip here, in a sentence; "" where there is no telling limit."""
    here = limits.current()
    if here is not limits.STRICT:
        return ""
    return (
        f"On this server the first {here.clip_seconds:g} seconds of a clip are painted, at most {here.clip_frames} "
        f"frames, {here.clip_size} pixels a side."
    )
