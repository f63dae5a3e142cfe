"""The last layers of a network that enlarges, on pixels sorted by phase: those at even and odd rows and columns apart.

An enlargement computes four pictures of half the size, and a convolution to three colors uses a processor badly: it
reckons in sixteens. Where the four stay as they are, the last convolution makes twelve numbers of each group of four
pixels at once, from the groups around it; nothing is put in order before but those. The result is the same.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def beside(x: Tensor) -> Tensor:
    """Four pictures (N, 4 C, H, W) in channels_last as one (N, C, H, 4 W), the four of a group beside each other; no
    copy is made."""
    count, channels, height, width = x.shape
    return x.permute(0, 2, 3, 1).reshape(count, height, 4 * width, channels // 4).permute(0, 3, 1, 2)


def conv_beside(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A convolution with reflected borders of the picture (N, C, 2 H, 2 W) whose pixels `beside` has sorted; the result
    is four pictures (N, 4 D, H, W)."""
    (count, channels, height, width), half = x.shape, weight.shape[-1] // 2
    radius = (half + 1) // 2
    groups = x.permute(0, 2, 3, 1).reshape(count, height, width // 4, 2, 2, channels)
    padded = _reflected(groups, radius)
    seen = padded.reshape(*padded.shape[:3], 4 * channels).permute(0, 3, 1, 2)
    return F.conv2d(seen, _of_groups(weight, half, radius), None if bias is None else bias.repeat(4))


def _of_groups(weight: Tensor, half: int, radius: int) -> Tensor:
    """A kernel (D, C, k, k) of pixels as one (4 D, 4 C, b, b) of groups: where each of four pixels has its taps."""
    out, inside, length = *weight.shape[:2], 2 * radius + 1
    parts = []
    for row in (0, 1):
        for column in (0, 1):
            first = [start + 2 * radius - half for start in (column, row)]
            rest = [2 * length - weight.shape[-1] - one for one in first]
            taps = F.pad(weight, (first[0], rest[0], first[1], rest[1])).reshape(out, inside, length, 2, length, 2)
            parts.append(taps.permute(0, 3, 5, 1, 2, 4).reshape(out, 4 * inside, length, length))
    return torch.cat(parts)


def _reflected(groups: Tensor, radius: int) -> Tensor:
    """Groups (N, H, W, 2, 2, C), and `radius` more on every side, of reflected pixels."""
    count, height, width, *rest = groups.shape
    out = groups.new_empty(count, height + 2 * radius, width + 2 * radius, *rest)
    inside = out[:, radius : radius + height]
    inside[:, :, radius : radius + width] = groups
    for to, of in _mirrored(width, radius):
        inside[:, :, radius + to // 2, :, to % 2] = inside[:, :, radius + of // 2, :, of % 2]
    for to, of in _mirrored(height, radius):
        out[:, radius + to // 2, :, to % 2] = out[:, radius + of // 2, :, of % 2]
    return out


def _mirrored(groups: int, radius: int) -> list[tuple[int, int]]:
    """Which pixel beyond the border shows which one within, along a side of so many groups of two."""
    last = 2 * groups - 1
    return [pair for i in range(1, 2 * radius + 1) for pair in ((-i, i), (last + i, last - i))]
