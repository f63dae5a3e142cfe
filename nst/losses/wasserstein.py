"""Mean and spread: features as a Gaussian, with all its covariances or with variances alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
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
    found: dict[int, tuple[Tensor, Tensor]] = {}
    for width, members in batches_by_width([matrix.shape[1] for matrix in matrices], matrices[0].device.type).items():
        some = [matrices[i] for i in members]
        counts, missing = [len(one) for one in some], [width - one.shape[1] for one in some]
        padded = [F.pad(one, (0, less, 0, less)) if less else one for one, less in zip(some, missing, strict=True)]
        batch = torch.cat(padded)
        norm = torch.linalg.vector_norm(batch, dim=(1, 2), keepdim=True).clamp_min(EPS)
        batch /= norm
        for one, less in zip(batch.split(counts), missing, strict=True):
            if less:  # ones on the rest of the diagonal, whose roots are ones
                one.diagonal(dim1=1, dim2=2)[:, -less:].fill_(1)
        roots, scale = _roots(batch), norm.sqrt()
        both = zip((roots[0] * scale).split(counts), (roots[1] / scale).split(counts), strict=True)
        for i, one, pair in zip(members, some, both, strict=True):
            inside = (slice(None), *[slice(one.shape[1])] * 2)
            found[i] = pair[0][inside], pair[1][inside]
    return [found[i] for i in range(len(matrices))]


def _roots(root: Tensor) -> tuple[Tensor, Tensor]:
    """Of matrices (N, C, C) whose eigenvalues are not above 1."""
    inverse = None
    for a, b, c in STEPS:
        product = root if inverse is None else inverse @ root
        step = torch.baddbmm(product, product, product, beta=b, alpha=c)
        step.diagonal(dim1=1, dim2=2).add_(a)
        root, inverse = root @ step, step if inverse is None else step @ inverse
    assert inverse is not None
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


def wasserstein_loss(mean: Tensor, covariance: Tensor, target_mean: Tensor, target_root: Tensor) -> Tensor:
    """Squared 2-Wasserstein distance of two Gaussians, relative to the target's mean square; a scalar.

    |m - m'|^2 + tr(S + S' - 2 (S'^1/2 S S'^1/2)^1/2) (Olkin and Pukelsheim 1982); as a style loss in Mroueh,
    "Wasserstein Style Transfer", 2019, arXiv:1905.12828. Means are (N, C), matrices (N, C, C); the target's
    covariance comes as its square root.
    """
    return wasserstein_losses([(mean, covariance)], [gaussian(target_mean, target_root)])[0]


Gaussian = tuple[Tensor, Tensor, Tensor, Tensor]  # mean, root of the covariance, its trace, and the mean square


def gaussian(mean: Tensor, root: Tensor) -> Gaussian:
    """A target, with what is needed of it in each step."""
    trace = root.square().sum((1, 2))
    return mean, root, trace, (mean.square().sum(1) + trace).clamp_min(EPS)


def wasserstein_losses(found: Sequence[tuple[Tensor, Tensor]], targets: Sequence[Gaussian]) -> list[Tensor]:
    """`wasserstein_loss` of each mean and covariance and its target, all roots at once."""
    return list(_Distances.apply(*(x for pair in zip(found, targets, strict=True) for one in pair for x in one)))


class _Distances(torch.autograd.Function):
    """Of each mean and covariance to the target that follows it.

    The derivative by S is 1 - S'^1/2 (S'^1/2 S S'^1/2)^-1/2 S'^1/2: a few operations for each layer, where PyTorch's
    own way back takes dozens, for each of which a GPU waits.
    """

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, ...]:
        means, covariances, target_means, roots, traces, sizes = (tensors[i::6] for i in range(6))
        crosses = [root @ covariance @ root for covariance, root in zip(covariances, roots, strict=True)]
        distances, kept = [], []
        for i, (cross, inverse) in enumerate(matrix_roots(crosses)):
            apart = means[i] - target_means[i]
            spread = covariances[i].diagonal(dim1=1, dim2=2).sub(cross.diagonal(dim1=1, dim2=2), alpha=2)
            distance = spread.addcmul(apart, apart).sum(1) + traces[i]
            distances.append((distance / sizes[i]).mean())
            kept += [apart, inverse, roots[i], sizes[i]]
        ctx.save_for_backward(*kept)
        return tuple(distances)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        found: list[Tensor | None] = []
        for i, gradient in enumerate(gradients):
            apart, inverse, root, size = ctx.saved_tensors[4 * i : 4 * i + 4]
            each = (gradient / (size * len(size)))[:, None]
            by_covariance = (root @ (inverse @ root)).mul_(-each[:, None])
            by_covariance.diagonal(dim1=1, dim2=2).add_(each)
            found += [apart * (2 * each), by_covariance, None, None, None, None]
        return tuple(found)


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
    trace: Tensor
    size: Tensor

    def measure(self, sample: Sample) -> Measured:
        return moments(sample.features, sample.guide)

    def mix(self, measured: Sequence[Any], weights: Sequence[float]) -> Measured:
        return mixed_moments(measured, weights)

    def aim(self, mean: Tensor, covariance: Tensor) -> None:
        mean, root, trace, size = gaussian(mean, matrix_root(covariance)[0])
        self.keep(mean=mean, root=root, trace=trace, size=size)

    @property
    def target(self) -> Gaussian:
        """What `aim` kept."""
        return self.mean, self.root, self.trace, self.size

    @classmethod
    def distances(cls, statistics: Sequence[Any], samples: Sequence[Sample]) -> list[Tensor]:
        found = [moments(sample.features, sample.guide) for sample in samples]
        return wasserstein_losses(found, [statistic.target for statistic in statistics])

    def compare(self, mean: Tensor, covariance: Tensor) -> Tensor:
        return wasserstein_losses([(mean, covariance)], [self.target])[0]


class MeanVariance(Statistic):
    """Mean and variance of each channel, the statistics that batch normalization keeps; mixed as a mixture's."""

    mean: Tensor
    variance: Tensor

    def measure(self, sample: Sample) -> Measured:
        return mean_variance(sample.features, sample.guide)

    def mix(self, measured: Sequence[Any], weights: Sequence[float]) -> Measured:
        mean = weighted_sum([m for m, _ in measured], weights)
        spread = weighted_sum([v + (m - mean).square() for m, v in measured], weights)
        return mean, (spread + (1 - sum(weights)) * mean.square()).clamp_min(0)  # as in `mixed_moments`

    def aim(self, mean: Tensor, variance: Tensor) -> None:
        self.keep(mean=mean, variance=variance)

    def compare(self, mean: Tensor, variance: Tensor) -> Tensor:
        return mean_variance_loss(mean, variance, self.mean, self.variance)
