"""Losses: functions of features, and small Modules that hold a target.

A Module's call takes the features of the image (see `nst.encoders`) and gives named scalar terms, already
weighted; the total is their sum. Every loss here is normalized by its own target, so that a value of 1 means
"as far off as nothing at all", whatever the size of the image and whichever the encoder. The papers' losses
are not: theirs are sums, and their weights change meaning with the size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from nst.layers import fold

Features = Mapping[str, Tensor]
EPS = 1e-8


def gram_matrix(features: Tensor) -> Tensor:
    """Gram matrices (N, C, C) of features (N, C, H, W), in float32.

    Gatys, Ecker and Bethge, "A Neural Algorithm of Artistic Style", 2015, arXiv:1508.06576, eq. 3; here
    divided by H*W, so that it does not grow with the image.
    """
    return _Moments.apply(features, False)[1]


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (N, C) and covariance (N, C, C) of features (N, C, H, W) over the positions, in float32."""
    return _Moments.apply(features, True)


class _Moments(torch.autograd.Function):
    """Center c and mean of (x - c)(x - c)' over the positions; c is the mean, or 0 if not `centered`.

    Forward in float32, in which products of bfloat16 are exact; backward in the features' own format and layout,
    where it would be most of a loss's cost otherwise.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, centered: bool) -> tuple[Tensor, Tensor]:
        x = features.permute(0, 2, 3, 1).flatten(1, 2).float()
        center = x.new_zeros(x.shape[0], x.shape[2])
        if centered:  # before the product, since a variance may be far below the mean's square
            center = x.mean(1)
            x = x - center[:, None]
        ctx.save_for_backward(features, center)
        return center, x.transpose(1, 2) @ x / x.shape[1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_center: Tensor, by_square: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        features, center = ctx.saved_tensors
        x = features.permute(0, 2, 3, 1)
        height, width = x.shape[1:3]
        matrix = (by_square + by_square.transpose(1, 2)) / (height * width)
        offset = by_center[:, None] / (height * width) - center[:, None] @ matrix
        gradient = torch.baddbmm(offset.to(x.dtype), x.flatten(1, 2), matrix.to(x.dtype))
        return gradient.unflatten(1, (height, width)).permute(0, 3, 1, 2), None


def content_loss(features: Tensor, target: Tensor, variance: Tensor | None = None) -> Tensor:
    """Squared error, relative to the target's variance; a scalar, 0 for equal features (N, C, H, W).

    Gatys et al. 2015, eq. 1; there half the sum of squares. The variance may be given where it is known.
    """
    if variance is None:
        variance = target.float().var()
    error = (features.float() - target.float()).permute(0, 2, 3, 1).flatten()
    # A dot product, since the derivative of mse_loss is slow in channels_last on the CPU.
    return error.dot(error) / (error.numel() * variance.clamp_min(EPS))


def gram_loss(gram: Tensor, target: Tensor) -> Tensor:
    """Squared distance of two Gram matrices (N, C, C), relative to the target's squared norm; a scalar.

    Gatys et al. 2015, eq. 4; there divided by 4 C^2 (H W)^2.
    """
    return (gram - target).square().sum() / target.square().sum().clamp_min(EPS)


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


def total_variation(image: Tensor, exponent: float = 2.0) -> Tensor:
    """Mean of |gradient|^exponent over an image (N, C, H, W) in [0, 1]; a scalar.

    Mahendran and Vedaldi, "Understanding Deep Image Representations by Inverting Them", 2014,
    arXiv:1412.0035, where the exponent is called beta; there a sum. The squared gradient is taken over nine
    points, diagonals included (crowsonkb/style-transfer-pytorch), so that diagonal grain is seen as well.
    """
    if exponent <= 0:
        raise ValueError("The exponent of total variation must be above 0 (2 is smooth, 1 keeps edges).")
    if exponent == 2:
        return _SquaredVariation.apply(image) / image.numel()
    x = F.pad(image, (1, 1, 1, 1), mode="replicate")
    squared = torch.stack([weight * (x[neighbor] - x[CENTER]).square() for neighbor, weight in NEIGHBORS]).sum(0)
    return (squared + EPS).pow(exponent / 2).mean()


CENTER = (..., slice(1, -1), slice(1, -1))
NEIGHBORS = [
    ((..., slice(1, -1), slice(2, None)), 2 / 3),
    ((..., slice(2, None), slice(1, -1)), 2 / 3),
    ((..., slice(2, None), slice(2, None)), 1 / 6),
    ((..., slice(None, -2), slice(2, None)), 1 / 6),
]
"""Where a pixel's four neighbors are in a padded image, and how much the difference to each counts."""


class _SquaredVariation(torch.autograd.Function):
    """The sum of squared differences; its derivative falls off on the way, at a third of automatic differentiation."""

    @staticmethod
    def forward(ctx: Any, image: Tensor) -> Tensor:
        x = F.pad(image, (1, 1, 1, 1), mode="replicate")
        total, slope = x.new_zeros(()), torch.zeros_like(x)
        for neighbor, weight in NEIGHBORS:
            difference = x[neighbor] - x[CENTER]
            total += weight * torch.linalg.vector_norm(difference).square()
            slope[neighbor].add_(difference, alpha=2 * weight)
            slope[CENTER].sub_(difference, alpha=2 * weight)
        ctx.save_for_backward(fold(slope, "replicate"))
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return ctx.saved_tensors[0] * gradient


class ContentLoss(nn.Module):
    """Keeps the features of the content at `layers`; its term is "content"."""

    def __init__(self, content: Features, layers: Sequence[str], weight: float = 1.0) -> None:
        super().__init__()
        self.layers, self.weight = tuple(layers), weight
        for name in self.layers:
            target = content[name].detach().float()
            self.register_buffer(name, target, persistent=False)
            self.register_buffer(f"{name}_variance", target.var(), persistent=False)

    def forward(self, features: Features) -> dict[str, Tensor]:
        terms = [
            content_loss(features[name], self.get_buffer(name), self.get_buffer(f"{name}_variance"))
            for name in self.layers
        ]
        return {"content": self.weight * torch.stack(terms).mean()}


class StyleLoss(nn.Module):
    """Brings the statistics of each layer to the style's; its term is "style".

    Args:
        style: features of the style.
        layers: where to compare.
        layer_weights: one for each layer, made to sum to 1; None means equal.
        kind: "gram" or "wasserstein".
        weight: of the whole term.
    """

    def __init__(
        self,
        style: Features,
        layers: Sequence[str],
        layer_weights: Sequence[float] | None = None,
        kind: str = "gram",
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.layers, self.kind, self.weight = tuple(layers), kind, weight
        self.layer_weights = normalized_weights(layer_weights, len(self.layers))
        if kind not in STYLE_LOSSES:
            raise ValueError(f'No style loss "{kind}": choose {" or ".join(STYLE_LOSSES)}.')
        for name in self.layers:
            feature = style[name].detach()
            if kind == "gram":
                self.register_buffer(name, gram_matrix(feature), persistent=False)
            else:
                mean, covariance = moments(feature)
                self.register_buffer(f"{name}_mean", mean, persistent=False)
                self.register_buffer(f"{name}_root", matrix_root(covariance)[0], persistent=False)

    def forward(self, features: Features) -> dict[str, Tensor]:
        weighted = zip(self.layers, self.layer_weights, strict=True)
        terms = [weight * self._distance(name, features[name]) for name, weight in weighted]
        return {"style": self.weight * torch.stack(terms).sum()}

    def _distance(self, name: str, feature: Tensor) -> Tensor:
        if self.kind == "gram":
            return gram_loss(gram_matrix(feature), self.get_buffer(name))
        return wasserstein_loss(*moments(feature), self.get_buffer(f"{name}_mean"), self.get_buffer(f"{name}_root"))


STYLE_LOSSES = ("wasserstein", "gram")


class TotalVariationLoss(nn.Module):
    """Total variation above the content's own, relative to it; its term is "tv".

    What varies no more than the content pays nothing: strokes as fine as the photo's detail are welcome, and a
    photo stylized with itself stays as it is.
    """

    layers: tuple[str, ...] = ()

    def __init__(self, content: Tensor, weight: float, exponent: float = 2.0) -> None:
        super().__init__()
        self.weight, self.exponent = weight, exponent
        # A flat content has no variation of its own: a thousandth of the range squared stands in.
        own = total_variation(content.detach(), exponent).clamp_min(1e-6)
        self.register_buffer("own", own, persistent=False)

    def forward(self, features: Features) -> dict[str, Tensor]:
        relative = total_variation(features["image"], self.exponent) / self.get_buffer("own")
        return {"tv": self.weight * F.relu(relative - 1)}


class PerceptualLoss(nn.Module):
    """Several losses on one set of features: their terms side by side."""

    def __init__(self, losses: Sequence[nn.Module]) -> None:
        super().__init__()
        self.losses = nn.ModuleList(losses)

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer that one of the losses needs."""
        return tuple(dict.fromkeys(name for loss in self.losses for name in loss.layers))  # type: ignore[union-attr]

    def forward(self, features: Features) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = {}
        for loss in self.losses:
            terms |= loss(features)
        return terms


def normalized_weights(weights: Sequence[float] | None, count: int) -> list[float]:
    """`count` weights that sum to 1; equal ones for None.

    Raises:
        ValueError: the wrong number of them, a negative one, or all zero.
    """
    if weights is None:
        return [1 / count] * count
    if len(weights) != count or min(weights) < 0 or not 0 < sum(weights) < float("inf"):
        raise ValueError(f"{count} weights are needed, none below 0 and not all 0; got {list(weights)}.")
    return [w / sum(weights) for w in weights]
