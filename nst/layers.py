"""The layers of an encoder, with backward passes that touch memory as seldom as they can.

In bfloat16 the convolutions of an encoder take a fifth of the time that PyTorch's own layers around them take
(padding, ReLU, pooling, sums of gradients in mixed memory layouts), most of it in backward passes that write what
is then read only once. These give the same numbers, in channels_last throughout.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

PADDINGS = {"reflect": (1, -2), "replicate": (0, -1), "circular": (-1, 0)}
"""Which row of a picture the one padded above it repeats, and the one below; the same for columns."""


def conv_relu(x: Tensor, weight: Tensor, bias: Tensor, padding: str) -> Tensor:
    """ReLU of a 3x3 convolution of x (N, C, H, W), which keeps its size.

    Args:
        weight, bias: (C', C, 3, 3) and (C',).
        padding: one of `PADDINGS`, or "zeros". A side of one pixel cannot be reflected: it is replicated.
    """
    if padding == "reflect" and min(x.shape[-2:]) < 2:
        padding = "replicate"
    if weight.requires_grad:  # in training
        return F.relu(_conv(x, weight, bias, padding))
    return _ConvReLU.apply(x, weight, bias, padding)


def average_pool(x: Tensor) -> Tensor:
    """Means over 2x2 pixels of x (N, C, H, W); what is left over at an odd end is a mean of its own."""
    return _AveragePool.apply(x)


def _padded(x: Tensor, padding: str) -> Tensor:
    if x.device.type == "cpu" or torch.is_grad_enabled():
        return F.pad(x, (1, 1, 1, 1), mode=padding)
    return padded_by_hand(x, padding)  # elsewhere PyTorch knows one layout only, and copies everything there and back


def padded_by_hand(x: Tensor, padding: str, size: int = 1) -> Tensor:
    """Images (N, C, H, W), in channels_last, with `size` pixels more all around, which repeat others.

    As `F.pad`, which for a single picture may take channels_last for another layout, and copies all of it twice.
    """
    count, channels, height, width = x.shape
    shape = (count, channels, height + 2 * size, width + 2 * size)
    larger = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    rows = larger[:, :, size:-size]
    rows[..., size:-size] = x
    for dim, source in ((3, x), (2, rows)):
        whole = rows if dim == 3 else larger
        for i in range(size):
            for outer, inner in _pairs(whole.shape[dim], source.shape[dim], padding, i):
                whole[_at(dim, outer)] = source[_at(dim, inner)]
    return larger


def fold(padded: Tensor, padding: str, size: int = 1) -> Tensor:
    """Add what `size` pixels of padding all around have received to the pixels they repeat, and cut them off.

    The adjoint of `F.pad`; overwrites its argument (N, C, H + 2 size, W + 2 size) and gives a part of it.
    """
    rows = padded[:, :, size:-size]
    inside = rows[..., size:-size]
    for dim, whole, into in ((2, padded, rows), (3, rows, inside)):
        for i in range(size):
            for outer, inner in _pairs(whole.shape[dim], into.shape[dim], padding, i):
                into[_at(dim, inner)].add_(whole[_at(dim, outer)])
    return inside


def _pairs(larger: int, size: int, padding: str, i: int) -> list[tuple[slice, slice]]:
    """Places along a padded side of the two that are `i` further out than the first, and those along the side itself
    that they repeat: on into the picture, the same one again, or back from its other end. Both at once, where these
    are in the same order: each is a kernel of its own on a GPU, and there are many.
    """
    above, below = PADDINGS[padding]
    margin = (larger - size) // 2
    outer = margin - 1 - i, margin + size + i
    inner = (above + above * i) % size, (below - above * i) % size
    if inner[0] < inner[1]:
        return [(_both(*outer), _both(*inner))]
    return [(slice(o, o + 1), slice(n, n + 1)) for o, n in zip(outer, inner, strict=True)]


def _both(first: int, last: int) -> slice:
    return slice(first, last + 1, last - first)


def _at(dim: int, places: slice) -> tuple[slice, ...]:
    return (*[slice(None)] * dim, places)


def _conv(x: Tensor, weight: Tensor, bias: Tensor, padding: str) -> Tensor:
    if padding == "zeros":
        return F.conv2d(x, weight, bias, padding=1)
    return F.conv2d(_padded(x, padding), weight, bias)


class _ConvReLU(torch.autograd.Function):
    """For frozen weights: only the output is kept for the backward pass, neither the input nor its padded copy."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, padding: str) -> Tensor:
        ctx.dtype = x.dtype
        if torch.is_autocast_enabled(x.device.type):
            dtype = torch.get_autocast_dtype(x.device.type)
            x, weight, bias = x.to(dtype), weight.to(dtype), bias.to(dtype)
        with torch.autocast(x.device.type, enabled=False):  # which pads in float32, there and back again
            output = _conv(x, weight, bias, padding).relu_()
        ctx.padding = padding
        ctx.save_for_backward(output, weight)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore[override]
        output, weight = ctx.saved_tensors
        # A loss may hand over any layout; mixed ones cost the convolution ten times itself.
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        gradient = torch.ops.aten.threshold_backward(gradient, output, 0)
        if ctx.padding == "zeros":
            return F.conv_transpose2d(gradient, weight, padding=1).to(ctx.dtype), None, None, None
        return fold(F.conv_transpose2d(gradient, weight), ctx.padding).to(ctx.dtype), None, None, None


class _AveragePool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.height, ctx.width = x.shape[-2:]
        return F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        spread = F.interpolate(gradient / 4, scale_factor=2, mode="nearest")[..., : ctx.height, : ctx.width]
        if ctx.height % 2:
            spread[..., -1, :] *= 2
        if ctx.width % 2:
            spread[..., -1] *= 2
        return spread
