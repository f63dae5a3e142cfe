"""Mean and spread: features as a Gaussian, with all its covariances or with variances alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nst.losses.gram import moments
from nst.losses.perceptual import EPS
from nst.losses.statistic import Sample, Statistic, StyleOptions, shares, weighted_sum


def mixed_moments(styles: Sequence[Sample], weights: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Mean and covariance of a mixture of styles: means and raw second moments mix linearly, covariances do not."""
    found = [moments(style.features, style.guide) for style in styles]
    if len(found) == 1:
        return found[0]
    mean = weighted_sum([m for m, _ in found], weights)
    raw = weighted_sum([c + m[:, :, None] * m[:, None] for m, c in found], weights)
    return mean, raw - mean[:, :, None] * mean[:, None]


def matrix_root(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Square root and inverse square root of symmetric positive definite matrices (N, C, C).

    Newton-Schulz iteration (Higham, "Functions of Matrices", 2008, eq. 6.35): products only, so that it is fast
    on every device and cannot fail to converge as eigenvalue solvers do. Each step is scaled so that the least
    eigenvalue still to be resolved grows as fast as it can (Chen and Chow, "A Stable Scaling of Newton-Schulz
    for Improving the Sign Function Computation of a Hermitian Matrix", 2014), which halves their number. The part
    of a matrix below about 1e-5 of its norm is not resolved, which bounds the inverse.
    """
    norm = matrix.norm(dim=(1, 2), keepdim=True).clamp_min(EPS)
    identity = torch.eye(matrix.shape[1]).to(matrix)
    root, inverse = matrix / norm, identity.expand_as(matrix)
    for scale in NEWTON_SCHULZ_SCALES:
        step = torch.baddbmm(identity, inverse, root, beta=1.5 * scale, alpha=-0.5 * scale**3)
        root, inverse = root @ step, step @ inverse
    return root * norm.sqrt(), inverse / norm.sqrt()


def _newton_schulz_scales(least: float) -> list[float]:
    """The scale of each step until all singular values (of the root) from `least` to 1 have become 1."""
    scales = []
    while least < 1 - 1e-6:
        scales.append(math.sqrt(3 / (1 + least + least**2)))
        least = least * scales[-1] * (3 - (least * scales[-1]) ** 2) / 2
    return scales


NEWTON_SCHULZ_SCALES = _newton_schulz_scales(math.sqrt(1e-5))


class _TraceOfRoot(torch.autograd.Function):
    """tr M^1/2 (N,) of symmetric matrices (N, C, C); its derivative is M^-1/2 / 2."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        root, inverse = matrix_root(matrix)
        ctx.save_for_backward(inverse)
        return root.diagonal(dim1=1, dim2=2).sum(1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        (inverse,) = ctx.saved_tensors
        return gradient[:, None, None] * inverse / 2


def wasserstein_loss(mean: Tensor, covariance: Tensor, target_mean: Tensor, target_root: Tensor) -> Tensor:
    """Squared 2-Wasserstein distance of two Gaussians, relative to the target's mean square; a scalar.

    |m - m'|^2 + tr(S + S' - 2 (S'^1/2 S S'^1/2)^1/2) (Olkin and Pukelsheim 1982); as a style loss in Mroueh,
    "Wasserstein Style Transfer", 2019, arXiv:1905.12828. Means are (N, C), matrices (N, C, C); the target's
    covariance comes as its square root.
    """
    target_trace = target_root.square().sum((1, 2))
    cross = _TraceOfRoot.apply(target_root @ covariance @ target_root)
    trace = covariance.diagonal(dim1=1, dim2=2).sum(1) + target_trace
    distance = (mean - target_mean).square().sum(1) + trace - 2 * cross
    return (distance / (target_mean.square().sum(1) + target_trace).clamp_min(EPS)).mean()


def mean_variance(features: Tensor, guide: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean (N, C) and variance (N, C) of features (N, C, H, W) over the positions, in float32; see `moments`."""
    return _MeanVariance.apply(features, guide)


class _MeanVariance(torch.autograd.Function):
    """As `nst.losses.gram._Moments`: the backward pass runs in the features' own format and layout."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, guide: Tensor | None) -> tuple[Tensor, Tensor]:
        x = features.permute(0, 2, 3, 1).flatten(1, 2).float()
        share = x.new_tensor(1 / x.shape[1]) if guide is None else shares(guide).transpose(1, 2)
        mean = x.mean(1) if guide is None else (x * share).sum(1)
        x = (x - mean[:, None]).square_()
        ctx.save_for_backward(features, mean, share)
        return mean, x.mean(1) if guide is None else (x * share).sum(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_mean: Tensor, by_variance: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        features, mean, share = ctx.saved_tensors
        x = features.permute(0, 2, 3, 1)
        if share.ndim:
            share = share.unflatten(1, x.shape[1:3])
        slope, offset = 2 * by_variance, by_mean - 2 * by_variance * mean
        gradient = torch.addcmul(offset[:, None, None].to(x.dtype), x, slope[:, None, None].to(x.dtype))
        return (gradient * share.to(x.dtype)).permute(0, 3, 1, 2), None


def mean_variance_loss(mean: Tensor, variance: Tensor, target_mean: Tensor, target_variance: Tensor) -> Tensor:
    """Squared distance of means and standard deviations (N, C), relative to the target's mean square; a scalar.

    Li, Wang, Liu and Hou, "Demystifying Neural Style Transfer", 2017, arXiv:1701.01036, section 4.2 ("BN
    statistics matching"); there divided by the number of channels.
    """
    deviation, target_deviation = (variance + VARIANCE_FLOOR).sqrt(), (target_variance + VARIANCE_FLOOR).sqrt()
    distance = (mean - target_mean).square().sum(1) + (deviation - target_deviation).square().sum(1)
    return (distance / (target_mean.square().sum(1) + target_variance.sum(1)).clamp_min(EPS)).mean()


VARIANCE_FLOOR = 1e-6
"""Keeps the derivative of the deviation finite where a channel is flat."""


class Wasserstein(Statistic):
    """Mean and covariance, compared as Gaussians; several styles are one mixture, and its Gaussian the target."""

    mean: Tensor
    root: Tensor

    def __init__(self, styles: Sequence[Sample], weights: Sequence[float], options: StyleOptions) -> None:
        super().__init__(styles, weights, options)
        mean, covariance = mixed_moments(styles, weights)
        self.keep(mean=mean, root=matrix_root(covariance)[0])

    def forward(self, sample: Sample) -> Tensor:
        return wasserstein_loss(*moments(sample.features, sample.guide), self.mean, self.root)


class MeanVariance(Statistic):
    """Mean and variance of each channel, the statistics that batch normalization keeps; mixed as a mixture's."""

    mean: Tensor
    variance: Tensor

    def __init__(self, styles: Sequence[Sample], weights: Sequence[float], options: StyleOptions) -> None:
        super().__init__(styles, weights, options)
        found = [mean_variance(style.features, style.guide) for style in styles]
        mean = weighted_sum([m for m, _ in found], weights)
        raw = weighted_sum([v + m.square() for m, v in found], weights)
        self.keep(mean=mean, variance=(raw - mean.square()).clamp_min(0))

    def forward(self, sample: Sample) -> Tensor:
        return mean_variance_loss(*mean_variance(sample.features, sample.guide), self.mean, self.variance)
