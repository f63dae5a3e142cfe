"""Moments of features: the Gram matrix, which says which ones occur together; mean and covariance."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nst.losses.perceptual import EPS
from nst.losses.statistic import Measured, Sample, Statistic, shares


def gram_matrix(features: Tensor, guide: Tensor | None = None) -> Tensor:
    """Gram matrices (N, C, C) of features (N, C, H, W), in float32.

    Gatys, Ecker and Bethge, "A Neural Algorithm of Artistic Style", 2015, arXiv:1508.06576, eq. 3; here
    divided by H*W, so that it does not grow with the image. With a guide (N, 1, H, W), each position counts by
    its share of it (Gatys et al. 2017, arXiv:1611.07865, eq. 2, where a position counts by the guide's square).
    """
    return _Moments.apply(features, guide, False)[1]


def moments(features: Tensor, guide: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean (N, C) and covariance (N, C, C) of features (N, C, H, W) over the positions, in float32.

    With a guide (N, 1, H, W), each position counts by its share of it.
    """
    return _Moments.apply(features, guide, True)


class _Moments(torch.autograd.Function):
    """Center c and mean of (x - c)(x - c)' over the positions; c is the mean, or 0 if not `centered`.

    The backward pass runs in the features' own format and layout, where it would be most of a loss's cost otherwise,
    and so does the forward pass if it is not centered.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, guide: Tensor | None, centered: bool) -> tuple[Tensor, Tensor]:
        x = features.permute(0, 2, 3, 1).flatten(1, 2)
        share = None if guide is None else shares(guide).transpose(1, 2)
        if centered:
            center, square = (by_parts if x.device.type == "cpu" else at_once)(x, share)
        else:
            center = x.new_zeros(x.shape[0], 1, x.shape[2], dtype=torch.float32)
            square = squares(x if share is None else x * share, x) / (x.shape[1] if share is None else 1)
        center = center[:, 0]
        ctx.centered = centered
        ctx.save_for_backward(features, center, share)
        return center, square

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_center: Tensor, by_square: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        features, center, share = ctx.saved_tensors
        x = features.permute(0, 2, 3, 1)
        height, width = x.shape[1:3]
        count = height * width if share is None else 1
        matrix, x = (by_square + by_square.transpose(1, 2)) / count, x.flatten(1, 2)
        if ctx.centered:
            offset = torch.baddbmm(by_center[:, None], center[:, None], matrix, beta=1 / count, alpha=-1)
            gradient = shifted_product(offset.to(x.dtype), x, matrix.to(x.dtype))
        else:
            gradient = x @ matrix.to(x.dtype)
        if share is not None:
            gradient = gradient * share.to(x.dtype)
        return gradient.unflatten(1, (height, width)).permute(0, 3, 1, 2), None, None


def by_parts(x: Tensor, share: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean (N, 1, C) and covariance (N, C, C) of x (N, P, C), on a CPU: what is held in float32 fits into its cache."""
    count, positions, channels = x.shape
    rows = max(256, PART * torch.get_num_threads() // channels)
    parts = [slice(start, start + rows) for start in range(0, positions, rows)]
    # Less something near the mean, since a variance may be far below the mean's square; where only some positions
    # count, less their own.
    near = x[:, :: max(1, positions // SAMPLED)].float().mean(1, keepdim=True)
    if share is not None:
        near = torch.stack([share[:, part].transpose(1, 2) @ x[:, part].float() for part in parts]).sum(0)
    beside, square = torch.zeros_like(near), near.new_zeros(count, channels, channels)
    halves = [(0, channels // 2), (channels // 2, channels)] if channels >= 64 else [(0, channels)]
    for part in parts:
        apart = x[:, part] - near
        weighted = apart if share is None else apart * share[:, part]
        for first, last in halves:  # of what lies on either side of the diagonal, one will do
            square[:, first:last, first:].baddbmm_(weighted[..., first:last].transpose(1, 2), apart[..., first:])
        beside += weighted.sum(1, keepdim=True)
    square = square.triu() + square.triu(1).transpose(1, 2)
    if share is None:
        beside, square = beside / positions, square / positions
    return near + beside, square - beside.transpose(1, 2) @ beside


SAMPLED, PART = 4096, 2**17
"""Of how many positions a mean is guessed, and how many numbers are looked at together, on each thread."""


def at_once(x: Tensor, share: Tensor | None) -> tuple[Tensor, Tensor]:
    """The same on a GPU, whose products of half precision are exact and summed up in float32."""
    if share is None and _exact(x):
        return uncentered(x)
    x = x if _exact(x) else x.float()
    share = x.new_full((*x.shape[:2], 1), 1 / x.shape[1]) if share is None else share
    near = squares(share, x).to(x.dtype)
    apart = x - near
    beside = squares(share, apart)
    return near + beside, squares(apart * share, apart) - beside.transpose(1, 2) @ beside


def uncentered(x: Tensor) -> tuple[Tensor, Tensor]:
    """The same without a share, of half precision: a mean that is not taken off first loses less than rounded
    differences do, and saves two rounds."""
    mean = x.mean(1, keepdim=True, dtype=torch.float32)
    square = torch.baddbmm(squares(x, x), mean.transpose(1, 2), mean, beta=1 / x.shape[1], alpha=-1)
    square.diagonal(dim1=1, dim2=2).add_((mean @ mean.transpose(1, 2))[:, 0], alpha=ROUNDED)
    return mean, square


ROUNDED = 2**-22
"""What rounding may take of the mean's square: so much is added to variances, of which none is then below 0."""

SLICES = 8
ROWS = 1024
"""The sum over all positions is one of slices, so that each core has its own: so many of them on a CPU, of so many
positions on a GPU."""


def squares(x: Tensor, y: Tensor) -> Tensor:
    """x' y (N, C, D) of x (N, P, C) and y (N, P, D), in float32.

    In bfloat16 a CPU rounds the sum over a slice, by less than the features were; the sum over the slices is not
    rounded, and on a GPU neither is.
    """
    x, y = (tensor.to(torch.promote_types(x.dtype, y.dtype)) for tensor in (x, y))
    slices = min(SLICES, x.shape[1]) if x.device.type == "cpu" else -(-x.shape[1] // ROWS)
    whole = x.shape[1] // slices * slices
    parts = [tensor[:, :whole].unflatten(1, (slices, -1)).flatten(0, 1) for tensor in (x, y)]
    products = _product(parts[0].transpose(1, 2), parts[1])
    total = products.float().unflatten(0, (x.shape[0], slices)).sum(1)
    if whole < x.shape[1]:
        total = total + x[:, whole:].float().transpose(1, 2) @ y[:, whole:].float()
    return total


def shifted_product(offset: Tensor, x: Tensor, matrix: Tensor) -> Tensor:
    """x M + c for x (N, P, C), M (N, C, D) and c (N, 1, D)."""
    if x.device.type == "cuda" and len(x) == 1:  # there the offset is added within the product
        return torch.addmm(offset[0, 0], x[0], matrix[0])[None]
    return torch.baddbmm(offset, x, matrix)


def _exact(x: Tensor) -> bool:
    """Whether products of x are summed up in float32 though x is not of that."""
    return x.device.type == "cuda" and x.dtype in (torch.bfloat16, torch.float16)


def _product(x: Tensor, y: Tensor) -> Tensor:
    return torch.bmm(x, y, out_dtype=torch.float32) if _exact(x) else x @ y


def gram_loss(gram: Tensor, target: Tensor, square: Tensor | None = None) -> Tensor:
    """Squared distance of two Gram matrices (N, C, C), relative to the target's squared norm; a scalar.

    Gatys et al. 2015, eq. 4; there divided by 4 C^2 (H W)^2. The squared norm may be given where it is known.
    """
    square = target.square().sum() if square is None else square
    return (gram - target).square().sum() / square.clamp_min(EPS)


class Gram(Statistic):
    """The Gram matrix; of several styles, the mean of theirs."""

    target: Tensor
    square: Tensor

    def measure(self, sample: Sample) -> Measured:
        return (gram_matrix(sample.features, sample.guide),)

    def aim(self, gram: Tensor) -> None:
        self.keep(target=gram, square=gram.square().sum())

    def compare(self, gram: Tensor) -> Tensor:
        return gram_loss(gram, self.target, self.square)
