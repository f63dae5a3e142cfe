"""One step downhill, decided on the device: nothing in it is read back to the host, so that it can be captured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Protocol
from weakref import proxy

import torch
from torch import Tensor, nn

from nst.capture import Repeated
from nst.device import Device
from nst.losses import PerceptualLoss
from nst.params import Average, strips
from nst.tiles import Tiling
from nst.transforms import Moved, Shifts
from nst.updates import HALF, LBFGS, OPTIMIZERS, Adam, AdamState, GradientDescent, HalfAdam, Update

DIVERGED = 10.0  # how many times the best loss counts as diverging


class Encoding(Protocol):
    """What a descent asks of an encoder."""

    def __call__(self, image: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]: ...


class Parameterization(Protocol):
    """What a descent asks of an image parameterization."""

    def __call__(self) -> Tensor:
        """The picture (N, 3, H, W) in [0, 1]; in memory of its own, which a later step leaves alone."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]: ...
    def project(self) -> None: ...


@torch.no_grad()
def total_loss(image: Tensor, encoder: Encoding, criterion: PerceptualLoss, device: Device) -> Tensor:
    """The total of the criterion for a picture (N, 3, H, W) in [0, 1]; a scalar on the device."""
    with device.autocast():
        features = encoder(image, criterion.layers)
    return torch.stack(list(criterion(features).values())).sum()


class Descent:
    """The optimizer, the best iterate so far, and the way back to it.

    Everything that a step decides (which iterate is the best, whether it ran away) is a tensor on the device and stays
    in the same memory from step to step.

    Args:
        image: what is optimized.
        encoder, criterion: image to features to terms; one encoder pass for each evaluation.
        optimizer: one of `nst.updates.OPTIMIZERS`.
        learning_rate: None means the optimizer's own.
        average: decay of the averaged iterate, 0 for none.
        transforms: views of the picture, of which each step sees the next.
        tiling: evaluates the picture tile by tile, where memory is scarce: then Adam's state is held in half the bytes,
            and the way back is to the averaged iterate, since the best is not kept.

    Attributes:
        terms: the weighted terms of the iterate that the last step started from, in the order of `names`.
        recoveries: how often the run went back to its best iterate, with half the learning rate; a scalar.
        best_image, best_loss: of all iterates that were evaluated.

    Raises:
        ValueError: an unknown optimizer or a learning rate that is not above 0.
    """

    def __init__(
        self,
        image: Parameterization,
        encoder: Encoding,
        criterion: PerceptualLoss,
        device: Device,
        optimizer: str,
        learning_rate: float | None,
        average: float,
        transforms: Shifts | None = None,
        tiling: Tiling | None = None,
    ) -> None:
        if optimizer not in OPTIMIZERS:
            raise ValueError(f'No optimizer "{optimizer}": choose {", ".join(OPTIMIZERS)}.')
        rate = OPTIMIZERS[optimizer] if learning_rate is None else learning_rate
        if not 0 < rate < math.inf:
            raise ValueError("The learning rate must be above 0.")
        self.image, self.criterion, self.device, self.transforms = image, criterion, device, transforms
        self.tiling = tiling
        self.encoder = encoder if transforms is None else Moved(encoder, transforms)
        self.parameters, self.average = list(image.parameters()), average
        self.names: list[str] = []
        where = self.parameters[0].device
        # Single numbers on the CPU are as exact as Python's own; GPUs want or know float32 alone.
        self.exact = torch.float64 if where.type == "cpu" else torch.float32
        # On the CPU to ask costs nothing, and to copy what stays does.
        self.blind = where.type != "cpu" and tiling is None
        with torch.no_grad():
            if tiling is None:
                self.best = [p.detach().clone() for p in self.parameters]
                self.best_image = image().detach().clone()
            self.best_loss = torch.full((), math.inf, dtype=self.exact, device=where)
            self.rate = torch.full((), rate, dtype=self.exact, device=where)
            self.recoveries = torch.zeros((), dtype=self.exact, device=where)
            shown = self.best_image if tiling is None else self.parameters[0].detach()
            self.weight = torch.zeros_like(self.rate)
            self.mean = torch.zeros_like(shown) if tiling is None else shown.new_zeros(0)
            self.held = Average(shown, self.weight) if tiling else None
            for p in self.parameters if tiling is None else ():
                p.grad = torch.zeros_like(p)
        # The terms are means over the image: times its size, a pixel's gradient does not shrink as images
        # grow, and Adam's epsilon means the same at each of them.
        self.pixels, self.side = shown.shape[-1] * shown.shape[-2], max(shown.shape[-2:])
        updates: dict[str, type[Adam] | type[GradientDescent]]
        updates = {"adam": Adam, "lbfgs": LBFGS, "sgd": GradientDescent}
        self.update: Update = (updates[optimizer] if tiling is None else HalfAdam)(self.parameters, self.rate)
        capturable = self.update.capturable and getattr(criterion, "capturable", True)
        # By a weak reference, or all that a scale held would stay until a cycle of references is looked for.
        self.step = Repeated(partial(Descent._step, proxy(self)), where, capturable)

    def _step(self) -> None:
        if self.transforms:
            self.transforms.turn()
        before = [] if self.tiling else [p.detach().clone() for p in self.parameters]
        pictures: list[Tensor] = []

        def evaluate() -> Tensor:
            if self.tiling is not None:
                assert isinstance(self.update, HalfAdam)
                found = self.tiling.evaluate(self.update.gradient, self.pixels * HALF)
                self._note(list(found), torch.stack(list(found.values())))
                return self.terms.sum() * self.pixels
            with torch.enable_grad():
                with self.device.autocast():
                    features = self.encoder(self.image(), self.criterion.layers)
                evaluated = self.criterion(features)
                terms = torch.stack(list(evaluated.values()))
                total = terms.sum() * self.pixels
                gradients = torch.autograd.grad(total, self.parameters)
            for p, gradient in zip(self.parameters, gradients, strict=True):
                p.grad.copy_(gradient)  # type: ignore[union-attr]
            if not pictures:  # a line search asks again: a step's losses are those it starts from
                pictures.append(features["image"].detach())
                self._note(list(evaluated), terms.detach())
            return total.detach()

        self.update.step(evaluate)
        with torch.no_grad():
            self.image.project()
            self._judge(before, pictures)
            if self.average:
                if self.held is not None:
                    self._average_strips(self.held)
                else:
                    self.mean.copy_(torch.lerp(self.image().detach(), self.mean, self.average))
                self.weight.mul_(self.average).add_(1 - self.average)

    def _note(self, names: list[str], terms: Tensor) -> None:
        if not self.names:
            self.names, self.terms = names, torch.empty_like(terms)
        self.terms.copy_(terms)

    def _average_strips(self, held: Average) -> None:
        """As ever, but without a second picture."""
        for rows in strips(self.parameters[0]):
            where = (torch.arange(side.start, side.stop) for side in (rows, slice(0, self.parameters[0].shape[-1])))
            held.move(rows, self.image.part(*where)[1].detach(), 1 - self.average)  # type: ignore[attr-defined]

    def _judge(self, before: list[Tensor], pictures: list[Tensor]) -> None:
        """Remember the iterate if it is the best, and go back to the best if the step ran away from it."""
        loss = self.terms.to(self.exact).sum()
        finite = loss.abs() < math.inf  # as `isfinite`, which is four operations
        better = finite & (loss < self.best_loss)
        best = [] if self.tiling else [*self.best, self.best_image]
        self._copy_where(better, [*best, self.best_loss], [*before, *pictures, loss])
        sums = torch.stack([p.detach().sum() for p in self.parameters])
        fine = finite & (loss <= DIVERGED * self.best_loss + 1) & (sums.abs() < math.inf).all()
        back = self.best if self.tiling is None else [] if fine else [self.shown().nan_to_num_(0.5)]
        self._copy_where(~fine, [*self.parameters, self.rate] if back else [], [*back, self.rate / 2] if back else [])
        self.recoveries.add_(~fine)
        if self.blind or not fine:
            self.update.restart(~fine)

    def _copy_where(self, chosen: Tensor, targets: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
        for target, source in zip(targets, sources, strict=True):
            if self.blind:
                target.copy_(torch.where(chosen, source, target))
            elif chosen:
                target.copy_(source)

    @torch.no_grad()
    def shown(self, last: bool = False) -> Tensor:
        """What the run would give if it ended here, in memory of its own.

        The averaged iterate, corrected for its start; or that of the lowest loss, as also at the `last` step if that
        is lower.
        """
        if not self.average:
            return self.best_image.clone()
        if self.tiling is not None and self.held is not None:
            return self._shown_of_tiles(self.tiling, self.held, last)
        shown = (self.mean / self.weight).clamp_(0, 1)
        if last:
            higher = total_loss(shown, self.encoder, self.criterion, self.device) > self.best_loss
            shown = torch.where(higher, self.best_image, shown)
        return shown

    def _shown_of_tiles(self, tiling: Tiling, held: Average, last: bool) -> Tensor:
        """The same; after the last step it takes the iterate's place, which nothing needs any more."""
        pixels = self.parameters[0].detach()
        # The best is gone, but was hardly ever another than one of the last.
        if last and tiling.total(held) > self.best_loss:
            return self.image()
        shown = pixels if last else torch.empty_like(pixels)
        for rows in strips(shown):
            shown[:, :, rows] = held.strip(rows)
        return shown

    def state(self) -> AdamState:
        """Adam's state; empty for the other optimizers, whose history is worth nothing at another size."""
        return self.update.state()

    def warm(self, state: AdamState) -> None:
        """Take over the state of a smaller scale, resized (crowsonkb/style-transfer-pytorch)."""
        if state:
            self.update.warm(state)
