"""What spoils a picture: seams between tiles, the checkerboards of networks, grain."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from nst.metrics.strokes import gray


def seam_energy(image: Tensor, period: int | None = None) -> float:
    """How much more an image (1, 3, H, W) jumps where tiles meet than elsewhere; about 1 where there are no seams.

    The mean squared departure of each step between two pixels from the mean of the steps beside it (so a gradient is
    no seam), across the lines of a grid, over that across all other lines.

    Args:
        image: values in [0, 1].
        period: side of a tile in pixels, as 8 for JPEG; None looks at the frame alone: at how well opposite edges
            continue each other.

    Raises:
        ValueError: a period below 4, or tiles of which there are no two each way.
    """
    light = gray(image)
    if period is not None and (period < 4 or min(light.shape) < 2 * period):
        raise ValueError(f"Tiles have sides from 4 to half the picture's ({min(light.shape) // 2}), not {period}.")
    jumps = [_jumps(light if axis else light.T) for axis in (0, 1)]
    at, elsewhere = [], []
    for each in jumps:
        lines = np.arange(len(each))  # line i lies before pixel i; line 0 between the last pixel and the first
        seams = lines == 0 if period is None else (lines % period == 0) & (lines > 0)
        beside = (lines > 1) & (lines < len(each) - 1) & ~seams
        at.append(each[seams].mean())
        elsewhere.append(each[beside].mean())
    rest = float(np.mean(elsewhere))
    return float(np.mean(at)) / rest if rest > 1e-14 else 1.0 + float(np.mean(at) > 1e-14)


def checkerboard_energy(image: Tensor, period: int = 2) -> float:
    """Share of an image's finest detail that repeats every `period` pixels: 0 for none, 1 for a checkerboard.

    Networks that enlarge by transposed convolutions leave such patterns (Odena, Dumoulin and Olah, "Deconvolution and
    Checkerboard Artifacts", 2016). The variance of the detail, and of its strength, that the place within a period
    explains, over all of it; the larger of both. Images are (1, 3, H, W) in [0, 1]; chance is taken off. Raises
    ValueError for a period below 2, or one that the picture has no four of each way.
    """
    light = gray(image)
    if period < 2 or min(light.shape) < 4 * period:
        raise ValueError(f"The period of a pattern is from 2 to a quarter of the picture, not {period}.")
    high, wide = (side // period * period for side in light.shape)
    smooth = sum(np.roll(light, shift, axis) for shift in (-1, 1) for axis in (0, 1)) / 4
    detail = (light - smooth)[:high, :wide]
    detail[[0, -1]] = detail[:, [0, -1]] = 0.0  # there the neighbors come from the other side
    return max(_explained(detail, period), _explained(np.abs(detail), period))


def _jumps(light: np.ndarray) -> np.ndarray:
    """Mean squared departure across each line between columns, the first being that of the frame, (W,)."""
    step = light - np.roll(light, 1, 1)
    return ((step - (np.roll(step, 1, 1) + np.roll(step, -1, 1)) / 2) ** 2).mean(0)


def _explained(values: np.ndarray, period: int) -> float:
    """Share of the variance that the place within a period explains, above chance."""
    cells = values.reshape(values.shape[0] // period, period, values.shape[1] // period, period)
    count, total = cells.shape[0] * cells.shape[2], float(values.var())
    if total < 1e-12:
        return 0.0
    share = float(cells.mean((0, 2)).var()) / total
    return max(0.0, (share - 1 / count) / (1 - 1 / count))


def grain(image: Tensor) -> float:
    """The deviation of the white noise that would explain the finest detail of an image (1, 3, H, W) in [0, 1].

    The median of the diagonal differences within squares of 2 x 2 pixels, as a share of what noise of deviation 1 has
    (Donoho and Johnstone 1994, "Ideal spatial adaptation by wavelet shrinkage"): a median, so that strokes and edges,
    which are few, do not count. 0 for a flat picture, or one of fewer than 2 pixels a side.
    """
    tall, wide = (side // 2 * 2 for side in image.shape[-2:])
    if not tall or not wide:
        return 0.0
    corners = [image[..., y:tall:2, x:wide:2].detach().float() for y in (0, 1) for x in (0, 1)]
    return float(((corners[0] - corners[1] - corners[2] + corners[3]) / 2).abs().median()) / 0.6745
