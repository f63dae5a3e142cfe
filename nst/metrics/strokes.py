"""How large the strokes of a picture are, how long and how straight."""

from __future__ import annotations

import numpy as np
from torch import Tensor

LUMINANCE = (0.2126, 0.7152, 0.0722)


def stroke_scale(image: Tensor, coarsest: float = 32.0) -> float:
    """Mean wavelength in pixels of the texture of an image (1, 3, H, W) in [0, 1]: the size of its strokes.

    The deviation of the luminance over that of its gradient, times 2 pi; a wave of any direction has its own
    wavelength. What is coarser than `coarsest` pixels (motifs, not strokes) is taken away first. 0 for a flat image.
    """
    import scipy.ndimage

    light = gray(image)
    light = light - scipy.ndimage.gaussian_filter(light, coarsest / 4, mode="reflect")
    down, right = np.diff(light, axis=0), np.diff(light, axis=1)
    slope = float(np.mean(down**2) + np.mean(right**2)) if min(light.shape) > 1 else 0.0
    return 2 * float(np.pi) * float(np.sqrt(light.var() / slope)) if slope > 1e-12 else 0.0


def gray(image: Tensor) -> np.ndarray:
    """The luma (H, W) in [0, 1] of an image (1, 3, H, W), in double precision."""
    return (image[0].detach().cpu().double() * image.new_tensor(LUMINANCE).cpu().double().view(3, 1, 1)).sum(0).numpy()


def stroke_lines(image: Tensor) -> tuple[float, float]:
    """Mean length in pixels and mean straightness of the strokes of an image (1, 3, H, W) in [0, 1]; (0, 0) if flat.

    From places of clear contours, lines are followed both ways along the direction of least change (of the structure
    tensor; Kass and Witkin 1987, "Analyzing oriented patterns"), until the contour fades or has no direction, for at
    most `REACH` pixels each way. Straightness is the distance of both ends over the length: 1 for a line.
    """
    light = gray(image)
    if min(light.shape) < 16:
        return 0.0, 0.0
    strength, coherence, across, along = _contours(light)
    loud = strength > max(float(np.quantile(strength, 0.6)), 1e-6)
    seeds = np.argwhere(loud & (coherence > CLEAR))
    if not len(seeds):
        return 0.0, 0.0
    seeds = seeds[np.linspace(0, len(seeds) - 1, min(len(seeds), LINES)).astype(int)]
    least = FADED * strength[tuple(seeds.T)]
    ways = [_followed(seeds, least, sign, strength, coherence, across, along) for sign in (1.0, -1.0)]
    length = ways[0][1] + ways[1][1]
    apart = np.linalg.norm(ways[0][0] - ways[1][0], axis=1)
    return float(length.mean()), float(
        (apart / np.maximum(length, 1.0))[length > 1].mean()
    ) if length.max() > 1 else 1.0


LINES, REACH, CLEAR, FADED = 1000, 64, 0.5, 0.25
"""How many lines are followed, how far each way, how clear a direction must be, and what of a contour must be left."""


def _contours(light: np.ndarray) -> tuple[np.ndarray, ...]:
    """At each place: how strong a contour is, how clear its direction (0 to 1), and the unit vector along it (y, x)."""
    import scipy.ndimage

    dy, dx = (scipy.ndimage.gaussian_filter(light, 1.0, order=order) for order in ((1, 0), (0, 1)))
    yy, xx, yx = (scipy.ndimage.gaussian_filter(product, 2.0) for product in (dy * dy, dx * dx, dy * dx))
    apart = np.hypot(yy - xx, 2 * yx)
    angle = np.arctan2(2 * yx, xx - yy) / 2 + np.pi / 2  # of the contour, which is across the gradient
    return np.sqrt(yy + xx), apart / (yy + xx + 1e-12), np.sin(angle), np.cos(angle)


def _followed(
    seeds: np.ndarray, least: np.ndarray, sign: float, strength: np.ndarray, coherence: np.ndarray,
    across: np.ndarray, along: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Where lines from the seeds (N, 2) end, one way, and how long they are."""
    place, length = seeds.astype(float), np.zeros(len(seeds))
    way = sign * np.stack([across[tuple(seeds.T)], along[tuple(seeds.T)]], 1)
    going = np.ones(len(seeds), dtype=bool)
    limits = np.array(strength.shape) - 1
    for _ in range(REACH):
        new = place + way
        inside = ((new >= 0) & (new <= limits)).all(1)
        at = tuple(np.clip(np.rint(new), 0, limits).astype(int).T)
        going &= inside & (strength[at] > least) & (coherence[at] > CLEAR)
        if not going.any():
            break
        place[going] = new[going]
        length += going
        turn = np.stack([across[at], along[at]], 1)
        way = turn * np.where((turn * way).sum(1) < 0, -1.0, 1.0)[:, None]
    return place, length
