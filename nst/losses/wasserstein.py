"""Mean and spread: features as a Gaussian, with all its covariances or with variances alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nst.losses.gram import moments
from nst.losses.perceptual import EPS
from nst.losses.statistic import Measured, Sample, Statistic, shares, weighted_sum


def mixed_moments(found: Sequence[tuple[Tensor, Tensor]], weights: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Mean and covariance of a mixture: means and raw second moments mix linearly, covariances do not."""
    if len(found) == 1:
        return found[0]
    mean = weighted_sum([m for m, _ in found], weights)
    around = [(c, m - mean) for m, c in found]  # less is rounded away than of raw moments, and no variance is below 0
    spread = weighted_sum([c + m[:, :, None] * m[:, None] for c, m in around], weights)
    return mean, spread + (1 - sum(weights)) * (mean[:, :, None] * mean[:, None])


def matrix_root(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Square root and inverse square root of symmetric positive definite matrices (N, C, C); see `matrix_roots`."""
    return matrix_roots([matrix])[0]


def matrix_roots(matrices: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Square root and inverse square root of symmetric positive definite matrices, each (N, C, C).

    An iteration of products only (Higham, "Functions of Matrices", 2008, section 6.7), so that it is fast on every
    device and cannot fail to converge as eigenvalue solvers do. Each step is the polynomial of the fifth degree that
    comes nearest to 1 on all that is still to be resolved (Amsel, Persson, Musco and Gower, "The Polar Express", 2025,
    arXiv:2505.16932), which takes the fewest products. The part of a matrix below about 1e-5 of its norm is not
    resolved, which bounds the inverse.

    Matrices of one width are one batch; so are those of other widths where a product costs less than its start.
    """
    norms = [matrix.norm(dim=(1, 2), keepdim=True).clamp_min(EPS) for matrix in matrices]
    found: dict[int, tuple[Tensor, Tensor]] = {}
    for width, members in batches_by_width([matrix.shape[1] for matrix in matrices], matrices[0].device.type).items():
        scaled = [_enlarged(matrices[i] / norms[i], width) for i in members]
        counts = [len(one) for one in scaled]
        root, inverse = _roots(torch.cat(scaled) if len(scaled) > 1 else scaled[0])
        for i, one, other in zip(members, root.split(counts), inverse.split(counts), strict=True):
            inside = (slice(None), *[slice(matrices[i].shape[1])] * 2)
            found[i] = one[inside] * norms[i].sqrt(), other[inside] / norms[i].sqrt()
    return [found[i] for i in range(len(matrices))]


def _roots(root: Tensor) -> tuple[Tensor, Tensor]:
    """Of matrices (N, C, C) whose eigenvalues are not above 1."""
    identity = torch.eye(root.shape[1], dtype=root.dtype, device=root.device)
    inverse = identity
    for i, (a, b, c) in enumerate(STEPS):
        product = inverse @ root if i else root
        step = torch.baddbmm(a * identity + b * product, product, product, alpha=c)
        root, inverse = root @ step, step @ inverse if i else step
    return root, inverse


STEPS = (
    (8.37671701, -24.7384416, 18.3352359),
    (4.0326169, -3.00382811, 0.568648379),
    (3.47473703, -2.60406556, 0.52315477),
    (2.45483638, -1.80412176, 0.433526447),
    (1.91166958, -1.29016732, 0.379038866),
    (1.87501632, -1.25001813, 0.375001813),
)
"""Polynomials a x + b x^3 + c x^5, each of which brings what the one before makes of [10^-2.5, 1] nearest to 1."""


def batches_by_width(widths: Sequence[int], device: str) -> dict[int, list[int]]:
    """Which matrices are computed together, by the width that they are enlarged to."""
    batches: dict[int, list[int]] = {}
    for i in sorted(range(len(widths)), key=lambda i: -widths[i]):
        # A GPU waits for the start of a product of small matrices, not for its arithmetic.
        largest = min(batches, default=0) if device == "cuda" else 0
        fits = widths[i] <= largest and (largest <= PADDED_WIDTH or 2 * widths[i] > largest)
        batches.setdefault(largest if fits else widths[i], []).append(i)
    return batches


PADDED_WIDTH = 256


def _enlarged(matrix: Tensor, width: int) -> Tensor:
    """Matrices (N, C, C) with ones on the rest of the diagonal up to this width; their roots are enlarged alike."""
    missing = width - matrix.shape[1]
    if not missing:
        return matrix
    larger = torch.eye(width, dtype=matrix.dtype, device=matrix.device).repeat(len(matrix), 1, 1)
    larger[:, :-missing, :-missing] = matrix
    return larger


class _TracesOfRoots(torch.autograd.Function):
    """tr M^1/2 (N,) of symmetric matrices, each (N, C, C); its derivative is M^-1/2 / 2."""

    @staticmethod
    def forward(ctx: Any, *matrices: Tensor) -> tuple[Tensor, ...]:
        roots = matrix_roots(matrices)
        ctx.save_for_backward(*(inverse for _, inverse in roots))
        return tuple(root.diagonal(dim1=1, dim2=2).sum(1) for root, _ in roots)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        pairs = zip(gradients, ctx.saved_tensors, strict=True)
        return tuple(gradient[:, None, None] * inverse / 2 for gradient, inverse in pairs)


def wasserstein_loss(mean: Tensor, covariance: Tensor, target_mean: Tensor, target_root: Tensor) -> Tensor:
    """Squared 2-Wasserstein distance of two Gaussians, relative to the target's mean square; a scalar.

    |m - m'|^2 + tr(S + S' - 2 (S'^1/2 S S'^1/2)^1/2) (Olkin and Pukelsheim 1982); as a style loss in Mroueh,
    "Wasserstein Style Transfer", 2019, arXiv:1905.12828. Means are (N, C), matrices (N, C, C); the target's
    covariance comes as its square root.
    """
    return wasserstein_losses([(mean, covariance)], [(target_mean, target_root)])[0]


def wasserstein_losses(
    found: Sequence[tuple[Tensor, Tensor]], targets: Sequence[tuple[Tensor, Tensor]]
) -> list[Tensor]:
    """`wasserstein_loss` of each mean and covariance and its target, all roots at once."""
    crosses = [root @ covariance @ root for (_, covariance), (_, root) in zip(found, targets, strict=True)]
    losses = []
    for (mean, covariance), (target_mean, root), cross in zip(
        found, targets, _TracesOfRoots.apply(*crosses), strict=True
    ):
        target_trace = root.square().sum((1, 2))
        trace = covariance.diagonal(dim1=1, dim2=2).sum(1) + target_trace
        distance = (mean - target_mean).square().sum(1) + trace - 2 * cross
        losses.append((distance / (target_mean.square().sum(1) + target_trace).clamp_min(EPS)).mean())
    return losses


def mean_variance(features: Tensor, guide: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean (N, C) and variance (N, C) of features (N, C, H, W) over the positions, in float32; see `moments`."""
    return _MeanVariance.apply(features, guide)


class _MeanVariance(torch.autograd.Function):
    """As `nst.losses.gram._Moments`: the backward pass runs in the features' own format and layout."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, guide: Tensor | None) -> tuple[Tensor, Tensor]:
        x = features.permute(0, 2, 3, 1).flatten(1, 2).float()
        share = x.new_full((), 1 / x.shape[1]) if guide is None else shares(guide).transpose(1, 2)
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


VARIANCE_FLOOR = 1e-6  # keeps the derivative of the deviation finite where a channel is flat


class Wasserstein(Statistic):
    """Mean and covariance, compared as Gaussians; several styles are one mixture, and its Gaussian the target."""

    mean: Tensor
    root: Tensor

    def measure(self, sample: Sample) -> Measured:
        return moments(sample.features, sample.guide)

    def mix(self, measured: Sequence[Any], weights: Sequence[float]) -> Measured:
        return mixed_moments(measured, weights)

    def aim(self, mean: Tensor, covariance: Tensor) -> None:
        self.keep(mean=mean, root=matrix_root(covariance)[0])

    @classmethod
    def distances(cls, statistics: Sequence[Any], samples: Sequence[Sample]) -> list[Tensor]:
        found = [moments(sample.features, sample.guide) for sample in samples]
        return wasserstein_losses(found, [(statistic.mean, statistic.root) for statistic in statistics])

    def compare(self, mean: Tensor, covariance: Tensor) -> Tensor:
        return wasserstein_loss(mean, covariance, self.mean, self.root)


class MeanVariance(Statistic):
    """Mean and variance of each channel, the statistics that batch normalization keeps; mixed as a mixture's."""

    mean: Tensor
    variance: Tensor

    def measure(self, sample: Sample) -> Measured:
        return mean_variance(sample.features, sample.guide)

    def mix(self, measured: Sequence[Any], weights: Sequence[float]) -> Measured:
        mean = weighted_sum([m for m, _ in measured], weights)
        spread = weighted_sum([v + (m - mean).square() for m, v in measured], weights)
        return mean, spread + (1 - sum(weights)) * mean.square()  # as in `mixed_moments`

    def aim(self, mean: Tensor, variance: Tensor) -> None:
        self.keep(mean=mean, variance=variance)

    def compare(self, mean: Tensor, variance: Tensor) -> Tensor:
        return mean_variance_loss(mean, variance, self.mean, self.variance)
