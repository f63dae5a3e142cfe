"""Maximum mean discrepancy: features as draws from a distribution, compared through a kernel.

Li, Wang, Liu and Hou, "Demystifying Neural Style Transfer", 2017, arXiv:1701.01036: Gram matrices are the case of
the squared scalar product. Gretton et al., "A Kernel Two-Sample Test", 2012.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nst.losses.gram import gram_matrix
from nst.losses.perceptual import EPS
from nst.losses.statistic import Measured, Sample, Statistic, StyleOptions, shares

Kernel = Callable[[Tensor, Tensor], Tensor]  # from points (n, C) and (m, C) to their similarities (n, m)
DRAWS = 4096  # positions of the image that are drawn for each look at a layer; of smaller layers all are taken
PAIRS = 2**19  # how many pairs of points a kernel is computed for: so its cost does not grow with the image


def polynomial_kernel(x: Tensor, y: Tensor, degree: int = 2, offset: float = 0.0) -> Tensor:
    """(x . y + offset)^degree of points (n, C) and (m, C): arXiv:1701.01036, eq. 12."""
    return (x @ y.T + offset) ** degree


def gaussian_kernel(x: Tensor, y: Tensor, bandwidth: float | Tensor) -> Tensor:
    """exp(-|x - y|^2 / (2 bandwidth^2)) of points (n, C) and (m, C): arXiv:1701.01036, eq. 13."""
    return torch.exp(squared_distances(x, y) / (-2 * bandwidth**2))


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """|x - y|^2 of points (n, C) and (m, C)."""
    # By products: no difference of all pairs is ever held.
    return (x.square().sum(1)[:, None] + y.square().sum(1) - 2 * (x @ y.T)).clamp_min(0)


def median_distance(points: Tensor) -> Tensor:
    """The median of the distances between points (n, C), the usual bandwidth (Gretton et al. 2012); a scalar."""
    distances = squared_distances(points, points)
    first, second = torch.triu_indices(len(points), len(points), 1, device=points.device)
    return distances[first, second].median().sqrt().clamp_min(1e-6)


def squared_mmd(x: Tensor, y: Tensor, kernel: Kernel) -> Tensor:
    """Squared maximum mean discrepancy of points (n, C) and (m, C), over all pairs: arXiv:1701.01036, eq. 3."""
    return kernel(x, x).mean() + kernel(y, y).mean() - 2 * kernel(x, y).mean()


class PolynomialDiscrepancy(Statistic):
    """The discrepancy by (x . y / s + c)^d, where s is the mean square of the target's features.

    Up to the second degree it is the distance of the means and of the Gram matrices, and computed so, exactly. For
    a higher degree it is estimated as in `SampledDiscrepancy`.
    """

    mean: Tensor
    gram: Tensor

    @classmethod
    def chosen(cls, options: StyleOptions) -> type[Statistic]:
        return cls if options.kernel_degree <= 2 else SampledDiscrepancy

    def measure(self, sample: Sample) -> Measured:
        mean = mean_feature(sample.features, sample.guide)
        # What the Gram matrix counts is known from its size on: of a target it is needed in any case.
        counts = getattr(self, "of_grams", 1.0)
        return (gram_matrix(sample.features, sample.guide) if counts else None), mean

    def aim(self, gram: Tensor, mean: Tensor) -> None:
        # With (a + c)^2 = a^2 + 2 c a + c^2, and s in a: |G - G'|^2 / s^2 + 2 c |m - m'|^2 / s.
        scale = gram.diagonal(dim1=1, dim2=2).sum().clamp_min(EPS)
        second = self.options.kernel_degree == 2
        self.of_grams = 1 / float(scale) ** 2 if second else 0.0
        self.of_means = 2 * self.options.kernel_offset / float(scale) if second else 1.0
        self.keep(gram=gram, mean=mean)
        self.keep(nothing=(self.of_grams * gram.square().sum() + self.of_means * mean.square().sum()).clamp_min(EPS))

    def compare(self, gram: Tensor | None, mean: Tensor) -> Tensor:
        distance = self.of_means * (mean - self.mean).square().sum()
        if gram is not None:
            distance = distance + self.of_grams * (gram - self.gram).square().sum()
        return distance / self.get_buffer("nothing")


class LinearDiscrepancy(PolynomialDiscrepancy):
    """The discrepancy by the scalar product: the distance of the means. arXiv:1701.01036, eq. 11."""

    @classmethod
    def of(cls, styles: Sequence[Sample], weights: Sequence[float], options: StyleOptions) -> Statistic:
        return cls(styles, weights, replace(options, kernel_degree=1))


class SampledDiscrepancy(Statistic):
    """The discrepancy by a kernel that is no short polynomial, estimated anew each time.

    Each look draws positions x of the image, and fewer x' and y' of the image and the style, or all where there
    are few; by
    mean k(x, x') + mean k(y, y') - 2 mean k(x, y') the estimate has the mean of the exact value over all pairs,
    and costs the same at any size. The gradient at x' is folded into that at x, which has as many positions more.
    A guide decides how likely a position is drawn. Line searches (L-BFGS) do not like its noise.

    Features are divided by the root of the target's mean square, so that kernel parameters mean the same on
    every layer and encoder.
    """

    capturable = divisible = False
    pool: Tensor

    def measure(self, sample: Sample) -> Measured:
        guide = None if sample.guide is None else sample.guide.flatten().float().cpu()
        return sample.features[0].permute(1, 2, 0).flatten(0, 1), guide

    def mix(self, measured: Sequence[Any], weights: Sequence[float]) -> Measured:
        counts = [round(weight * 2 * DRAWS) for weight in weights]
        drawn = [self.draw(points, guide, n) for (points, guide), n in zip(measured, counts, strict=True) if n]
        return (torch.cat(drawn),)

    def aim(self, pool: Tensor) -> None:
        self.scale = float(pool.square().sum(1).mean().sqrt().clamp_min(1e-6))
        pool = pool / self.scale
        few = pool[torch.randperm(len(pool), generator=self.generator)[:1024].to(pool.device)]
        self.kernel = self.kernel_for(few)
        zero = torch.zeros_like(few[:1])
        own = self.kernel(pool, few).mean()
        nothing = self.kernel(zero, zero).mean() + own - 2 * self.kernel(zero, few).mean()
        self.keep(pool=pool, own=own, nothing=nothing.clamp_min(1e-6))

    def kernel_for(self, points: Tensor) -> Kernel:
        """The kernel for points (n, C) like these."""
        return partial(polynomial_kernel, degree=self.options.kernel_degree, offset=self.options.kernel_offset)

    def compare(self, points: Tensor, guide: Tensor | None) -> Tensor:
        x = self.draw(points, guide, DRAWS) / self.scale
        count = min(len(x), max(8, PAIRS // len(x)))
        with torch.no_grad():
            few = guide is None and len(x) <= count
            other = x.detach() if few else self.draw(points, guide, count, anew=True) / self.scale
            wanted = self.pool
            if len(wanted) > count:
                wanted = wanted[torch.randint(len(wanted), (count,), generator=self.generator).to(wanted.device)]
        same = self.kernel(x, other).mean()
        doubled = 2 * same - same.detach()  # its gradient stands for that at both arguments
        distance = doubled + self.get_buffer("own") - 2 * self.kernel(x, wanted).mean()
        return distance / self.get_buffer("nothing")

    def draw(self, points: Tensor, guide: Tensor | None, count: int, anew: bool = False) -> Tensor:
        """`count` of the points (n, C): all where there are no more, unless drawn `anew`."""
        if guide is not None:
            somewhere = guide if guide.sum() > 0 else torch.ones_like(guide)  # a view may show nothing of a region
            chosen = torch.multinomial(somewhere, count, True, generator=self.generator)
        elif anew or len(points) > count:
            chosen = torch.randint(len(points), (count,), generator=self.generator)
        else:
            return points.float()
        return points.index_select(0, chosen.to(points.device)).float()


class GaussianDiscrepancy(SampledDiscrepancy):
    """The discrepancy by a Gaussian kernel, whose bandwidth is a multiple of the median distance."""

    def kernel_for(self, points: Tensor) -> Kernel:
        return partial(gaussian_kernel, bandwidth=self.options.kernel_bandwidth * median_distance(points))


def mean_feature(features: Tensor, guide: Tensor | None = None) -> Tensor:
    """Mean (N, C) of features (N, C, H, W) over the positions, in float32, each by its share of a guide."""
    x = features.permute(0, 2, 3, 1).flatten(1, 2).float()
    return x.mean(1) if guide is None else (x * shares(guide).transpose(1, 2)).sum(1)
