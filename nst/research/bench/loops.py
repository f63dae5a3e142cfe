"""Loops to be timed: ours, and other people's, restated plainly; and VGG-19 to run them on."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from nst.device import Device
from nst.encoders import CONTENT_LAYERS, STYLE_LAYERS, VGG_DEPTHS, VGG_WIDTHS, Encoder, load_encoder
from nst.losses import ContentLoss, PerceptualLoss, StyleLoss, TotalVariationLoss
from nst.optimize import Step, optimize
from nst.params import PixelImage
from nst.weights import WeightsNotFound


def vgg19(seed: int = 0) -> tuple[Encoder, bool]:
    """VGG-19, and whether its weights are the real ones; random ones serve to measure speed."""
    try:
        return copy.deepcopy(load_encoder("vgg19", download=False)), True
    except WeightsNotFound:
        torch.manual_seed(seed)
        stages = [[width] * depth for width, depth in zip(VGG_WIDTHS, VGG_DEPTHS["vgg19"], strict=True)]
        encoder = Encoder(stages, padding="zeros", pooling="max", rescale=2.0).requires_grad_(False)
        for name, tensor in encoder.named_parameters():  # He initialization keeps the features' size throughout
            if name.endswith("weight"):
                nn.init.kaiming_normal_(tensor, nonlinearity="relu")
        return encoder.to(memory_format=torch.channels_last), False  # type: ignore[call-overload]


class PlainEncoder:
    """The layers of an encoder as PyTorch has them, without ours (`nst.layers`); a network to compare with."""

    def __init__(self, encoder: Encoder, layout: torch.memory_format) -> None:
        self.layers: list[tuple[str, nn.Module]] = []
        for s, stage in enumerate(encoder.stages):
            if s:
                self.layers.append(("pool", nn.MaxPool2d(2) if encoder.pooling == "max" else nn.AvgPool2d(2)))
            for name in stage:
                conv = copy.deepcopy(getattr(encoder, name.replace("relu", "conv"))).to(memory_format=layout)
                self.layers += [("conv", conv), (name, nn.ReLU())]
        self.mean, self.std = encoder.mean, encoder.std

    def __call__(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        x, found = (image - self.mean) / self.std, {}
        for name, layer in self.layers:
            x = layer(x)
            if name in layers:
                found[name] = x
                if len(found) == len(set(layers)):
                    break
        return found


def ours(
    encoder: Encoder,
    content: Tensor,
    style: Tensor,
    device: Device,
    *,
    kind: str = "gram",
    weights: tuple[float, float] = (0.004, 0.996),
    tv_weight: float = 0.01,
    capture: bool = True,
) -> Iterator[Step]:
    """Our optimization with the losses of `style_transfer`, without end.

    Args:
        encoder: on the device.
        content, style: pictures (1, 3, H, W), on the device.
        device: device and number format.
        kind: see `StyleLoss`.
        weights: of content and style.
        tv_weight: of total variation; 0 for none, and for no average of the iterates either.
        capture: whether steps may become a graph.
    """
    with torch.no_grad(), device.autocast():
        kept, wanted = encoder(content, CONTENT_LAYERS), encoder(style, STYLE_LAYERS)
    losses: list[nn.Module] = [ContentLoss(kept, CONTENT_LAYERS, weights[0])]
    losses.append(StyleLoss(wanted, STYLE_LAYERS, kind=kind, weight=weights[1]))
    losses += [TotalVariationLoss(content, weight=tv_weight)] if tv_weight else []
    criterion = PerceptualLoss(losses) if capture else _Uncaptured(losses)
    average = 0.9 if tv_weight else 0.0
    return optimize(PixelImage(content), encoder, criterion, device=device, num_steps=10**6, average=average)


class _Uncaptured(PerceptualLoss):
    capturable = False


class Loop:
    """A loop without our bookkeeping, float32 and contiguous, for pictures (1, 3, H, W) in [0, 1]. Each kind says what
    it measures, and what it lowers."""

    def __init__(self, encoder: Encoder, content: Tensor, style: Tensor) -> None:
        self.encoder = PlainEncoder(encoder, torch.contiguous_format)
        with torch.no_grad():
            self.content = {n: f.clone() for n, f in self.encoder(content, CONTENT_LAYERS).items()}
            self.style = {n: self.measure(f) for n, f in self.encoder(style, STYLE_LAYERS).items()}
        self.image = content.clone().contiguous().requires_grad_()
        self.optimizer: torch.optim.Optimizer = torch.optim.Adam([self.image], lr=0.03, betas=(0.9, 0.99))
        self.scale = 1.0  # of the gradient

    def measure(self, features: Tensor) -> Any:
        """What is compared of a style layer's features (1, C, H, W)."""
        raise NotImplementedError

    def loss(self, features: dict[str, Tensor]) -> Tensor:
        """What is lowered, of the image's features; a scalar."""
        raise NotImplementedError

    def after(self) -> None:
        """What follows a step of the optimizer."""
        self.image.clamp_(0, 1)

    def step(self) -> float:
        """Take a step; the loss before it."""
        losses: list[Tensor] = []

        def evaluate() -> float:
            self.optimizer.zero_grad()
            losses.append(self.loss(self.encoder(self.image, (*self.content, *self.style))))
            (self.scale * losses[-1]).backward()
            return losses[-1]  # type: ignore[return-value]

        self.optimizer.step(evaluate)
        with torch.no_grad():
            self.after()
        return losses[0].item()


class PlainLoop(Loop):
    """Gatys' algorithm as most people write it: Gram matrices and sums of squares, Adam.

    It has our loop's losses, weights and layers, so that both walk downhill on the same hill.
    """

    def __init__(self, encoder: Encoder, content: Tensor, style: Tensor, weights: tuple[float, float]) -> None:
        super().__init__(encoder, content, style)
        self.weights, self.scale = weights, self.image[0, 0].numel()

    def measure(self, features: Tensor) -> Tensor:
        flat = features.view(features.shape[1], -1)
        return flat @ flat.t() / flat.shape[1]

    def loss(self, features: dict[str, Tensor]) -> Tensor:
        terms = [self.weights[0] * F.mse_loss(features[n], target) / target.var() for n, target in self.content.items()]
        for name, target in self.style.items():
            error = F.mse_loss(self.measure(features[name]), target) / target.square().mean()
            terms.append(self.weights[1] * error / len(self.style))
        return torch.stack(terms).sum()


class NeuralStyle(PlainLoop):
    """The loop of jcjohnson/neural-style in its PyTorch version: sums of squares, total variation, L-BFGS.

    Its defaults: content weight 5, style weight 100, total variation 1e-3, images from 0 to 255.
    """

    def __init__(self, encoder: Encoder, content: Tensor, style: Tensor) -> None:
        super().__init__(encoder, content, style, (5.0, 100.0))
        self.optimizer, self.scale = torch.optim.LBFGS([self.image], lr=1.0, max_iter=1), 1.0

    def loss(self, features: dict[str, Tensor]) -> Tensor:
        terms = [self.weights[0] * F.mse_loss(features[name], target) for name, target in self.content.items()]
        for name, target in self.style.items():
            terms.append(self.weights[1] * F.mse_loss(self.measure(features[name]), target))
        terms += [1e-3 * self.image.diff(dim=side).abs().sum() for side in (2, 3)]
        return torch.stack(terms).sum()

    def after(self) -> None:
        pass


class Crowson(Loop):
    """The loop of crowsonkb/style-transfer-pytorch: Wasserstein distances, roots by Newton-Schulz, Adam, an average.

    Its defaults: content weight 0.015, total variation 2, style layers that count 256, 64, 16, 4 and 1, 12 iterations.
    """

    def __init__(self, encoder: Encoder, content: Tensor, style: Tensor) -> None:
        super().__init__(encoder, content, style)
        counts = (256.0, 64.0, 16.0, 4.0, 1.0)
        self.counts = [count / sum(counts) for count in counts]
        self.optimizer = torch.optim.Adam([self.image], lr=0.02, betas=(0.9, 0.99))
        self.average = torch.zeros_like(content)

    def measure(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean (C,), covariance (C, C) and its root."""
        mean, covariance = self.moments(features)
        return mean, covariance, _Root.apply(covariance)

    @staticmethod
    def moments(x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (C,) and covariance (C, C) of features (1, C, H, W)."""
        mean = x.mean((-2, -1))[0]
        second = torch.einsum("...chw,...dhw->...cd", x, x)[0] / (x.shape[-2] * x.shape[-1])
        return mean, second - torch.outer(mean, mean) + 1e-4 * torch.eye(len(mean), device=x.device)

    def loss(self, features: dict[str, Tensor]) -> Tensor:
        terms = []
        for name, target in self.content.items():
            difference = features[name] - target
            terms.append(0.015 * difference.square().sum() / (difference.abs().sum() + 1e-8))
        for (name, (mean, covariance, root)), count in zip(self.style.items(), self.counts, strict=True):
            own_mean, own = self.moments(features[name])
            cross = _Root.apply(root @ own @ root)
            spread = torch.diag(covariance + own - 2 * cross).mean()
            terms.append(count * ((own_mean - mean).square().mean() + spread))
        return torch.stack([*terms, 2 * self.variation()]).sum()

    def variation(self) -> Tensor:
        """Mean squared difference to the eight neighbors, of which those beside and above count twice."""
        padded, (height, width) = F.pad(self.image, (1, 1, 1, 1), "replicate"), self.image.shape[-2:]
        total = torch.zeros((), device=self.image.device)
        for row, column in set(itertools.product(range(3), repeat=2)) - {(1, 1)}:
            neighbor = padded[..., row : row + height, column : column + width]
            total = total + (2 if 1 in (row, column) else 1) / 6 * (neighbor - self.image).square().mean()
        return total

    def after(self) -> None:
        super().after()
        self.average.mul_(0.99).add_(self.image, alpha=0.01)


class _Root(torch.autograd.Function):
    """The root of a positive definite matrix (C, C), and its gradient, by iterations of products."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, iterations: int = 12) -> Tensor:
        norm, identity = matrix.norm(), torch.eye(len(matrix), device=matrix.device)
        root, inverse = matrix / norm, identity
        for _ in range(iterations):
            step = (3 * identity - inverse @ root) / 2
            root, inverse = root @ step, step @ inverse
        root = root * norm.sqrt()
        ctx.iterations = iterations
        ctx.save_for_backward(root)
        return root

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (root,) = ctx.saved_tensors
        norm, identity = root.norm(), torch.eye(len(root), device=root.device)
        a, q = root / norm, gradient / norm
        for _ in range(ctx.iterations):  # the Lyapunov equation
            step = 3 * identity - a @ a
            q = (q @ step - a.T @ (a.T @ q - q @ a)) / 2
            a = a @ step / 2
        return q / 2, None
