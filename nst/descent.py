"""One step downhill, decided on the device: nothing in it is read back to the host, so that it can be captured."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.capture import Repeated
from nst.device import Device
from nst.losses import PerceptualLoss
from nst.params import picked
from nst.tiles import Tiling
from nst.transforms import Moved, Shifts

OPTIMIZERS = {"adam": 0.03, "lbfgs": 1.0, "sgd": 0.02}
"""Each optimizer's learning rate, for an image in [0, 1]; for plain gradient descent, how far the first step goes."""

DIVERGED = 10.0
"""How many times the best loss counts as diverging."""


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


AdamState = list[dict[str, Tensor]]
"""Adam's moments and step count, parameter by parameter: what one scale leaves to the next."""


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
        optimizer: one of `OPTIMIZERS`.
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
        updates: dict[str, type[_Adam] | type[_GradientDescent]]
        updates = {"adam": _Adam, "lbfgs": _LBFGS, "sgd": _GradientDescent}
        self.update: _Update = (updates[optimizer] if tiling is None else _HalfAdam)(self.parameters, self.rate)
        capturable = self.update.capturable and getattr(criterion, "capturable", True)
        self.step = Repeated(self._step, where, capturable)

    def _step(self) -> None:
        if self.transforms:
            self.transforms.turn()
        before = [] if self.tiling else [p.detach().clone() for p in self.parameters]
        pictures: list[Tensor] = []

        def evaluate() -> Tensor:
            if self.tiling is not None:
                assert isinstance(self.update, _HalfAdam)
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
            if self.held is not None:
                self._average_strips(self.held)
            elif self.average:
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
        self.weight.mul_(self.average).add_(1 - self.average)

    def _judge(self, before: list[Tensor], pictures: list[Tensor]) -> None:
        """Remember the iterate if it is the best, and go back to the best if the step ran away from it."""
        loss = self.terms.to(self.exact).sum()
        better = loss.isfinite() & (loss < self.best_loss)
        best = [] if self.tiling else [*self.best, self.best_image]
        self._copy_where(better, [*best, self.best_loss], [*before, *pictures, loss])
        sums = torch.stack([p.detach().sum() for p in self.parameters])
        fine = loss.isfinite() & sums.isfinite().all() & (loss <= DIVERGED * self.best_loss + 1)
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


class _Update(Protocol):
    """How the parameters are changed by their gradients."""

    capturable: bool

    def step(self, evaluate: Callable[[], Tensor]) -> None:
        """Change them; `evaluate` gives the total and leaves its gradients in the parameters."""

    def restart(self, again: Tensor) -> None:
        """Forget what was before, where the scalar `again` is true."""

    def state(self) -> AdamState: ...
    def warm(self, state: AdamState) -> None: ...


class Average:
    """The averaged iterate of a large picture, in half the bytes: in steps of 1/32767, evenly fine, so that what a
    step adds to a long average is not rounded away.

    Args:
        like: a picture of the same shape.
        weight: what the average is divided by, see `Descent`; changed elsewhere.
    """

    def __init__(self, like: Tensor, weight: Tensor) -> None:
        self.held, self.weight = torch.zeros_like(like, dtype=torch.int16), weight

    def strip(self, rows: slice) -> Tensor:
        """These rows of the picture."""
        return self._picture(self.held[:, :, rows])

    def part(self, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """See `nst.params.PixelImage.part`."""
        found = self._picture(picked(self.held, rows, columns))
        return found, found

    def _picture(self, held: Tensor) -> Tensor:
        return (held / (FINE * self.weight.to(torch.float32))).clamp_(0, 1)

    def move(self, rows: slice, towards: Tensor, share: float) -> None:
        """Move rows by a share of the way; the weight is not touched."""
        self.held[:, :, rows] = self.held[:, :, rows].float().lerp_(towards * FINE, share).round_()


FINE = 2**15 - 1


class _Adam:
    capturable = True

    def __init__(self, parameters: list[nn.Parameter], rate: Tensor) -> None:
        capturable = rate.device.type == "cuda"
        # The rate is a tensor, which may be halved on the device.
        self.stepper = torch.optim.Adam(parameters, rate, betas=(0.9, 0.99), fused=True, capturable=capturable)
        self.parameters = parameters

    def step(self, evaluate: Callable[[], Tensor]) -> None:
        evaluate()
        self.stepper.step()

    def restart(self, again: Tensor) -> None:
        for parameter in self.parameters:
            for value in self.stepper.state[parameter].values():
                value.masked_fill_(again.to(value.device), 0)

    def state(self) -> AdamState:
        return [dict(self.stepper.state[p]) for p in self.parameters]

    def warm(self, state: AdamState) -> None:
        for parameter, old in zip(self.parameters, state, strict=False):
            size = parameter.shape[-2:]
            mean, square = _resized(old, (size[0], size[1]))
            self.stepper.state[parameter] = {"step": old["step"].clone(), "exp_avg": mean, "exp_avg_sq": square}


def _resized(old: dict[str, Tensor], size: tuple[int, int]) -> Iterator[Tensor]:
    """The mean of gradients, then that of their squares, at another size; of those that `_HalfAdam` held as well."""
    yield F.interpolate(old["exp_avg"].float(), size, mode="bicubic").div_(HALF if "root" in old else 1)
    if "root" in old:
        yield F.interpolate(old["root"].float(), size, mode="bilinear").div_(HALF).square_()
    else:
        yield F.interpolate(old["exp_avg_sq"], size, mode="bilinear").clamp_min_(0)


class _HalfAdam:
    """Adam that holds the gradient, the mean of all, and the root of that of their squares in float16, `HALF` times.

    They are computed in float32, a few rows at a time.
    """

    capturable = False

    def __init__(self, parameters: list[nn.Parameter], rate: Tensor) -> None:
        (self.pixels,), self.rate = parameters, rate
        self.gradient, self.mean, self.root = (torch.zeros_like(self.pixels, dtype=torch.float16) for _ in range(3))
        self.count = 0

    def step(self, evaluate: Callable[[], Tensor]) -> None:
        evaluate()
        self.count += 1
        rate = (self.rate / (1 - 0.9**self.count)).to(self.pixels.dtype)
        with torch.no_grad():
            for rows in strips(self.pixels):
                pixels, gradient = self.pixels[:, :, rows], self.gradient[:, :, rows].float().div_(HALF)
                mean = self.mean[:, :, rows].float().div_(HALF).lerp_(gradient, 0.1)
                square = self.root[:, :, rows].float().div_(HALF).square_().mul_(0.99)
                square.addcmul_(gradient, gradient, value=0.01)
                root = square.sqrt_()
                self.mean[:, :, rows], self.root[:, :, rows] = mean * HALF, root * HALF
                pixels.sub_(mean.mul_(rate).div_(root.div_((1 - 0.99**self.count) ** 0.5).add_(1e-8)))

    def restart(self, again: Tensor) -> None:
        if again:
            self.mean.zero_(), self.root.zero_()
            self.count = 0

    def state(self) -> AdamState:
        return [{"step": torch.tensor(float(self.count)), "exp_avg": self.mean, "root": self.root}]

    def warm(self, state: AdamState) -> None:
        (old,), size = state, self.pixels.shape[-2:]
        self.count = int(old["step"])
        resized = _resized(old, (size[0], size[1]))  # one after the other: each is as large as the picture
        self.mean.copy_(next(resized).mul_(HALF))
        self.root.copy_(next(resized).sqrt_().mul_(HALF))


HALF = 64.0
"""What numbers are multiplied by to be held in float16: a pixel's gradients are some thousandths to some tens."""


def strips(picture: Tensor) -> list[slice]:
    """The rows of a picture (N, C, H, W), some four million numbers at a time."""
    rows = max(1, 2**22 // (picture.shape[0] * picture.shape[1] * picture.shape[-1]))
    return [slice(start, min(start + rows, picture.shape[-2])) for start in range(0, picture.shape[-2], rows)]


class _GradientDescent:
    """Plain gradient descent, whose first step goes as far as the rate says."""

    capturable = True

    def __init__(self, parameters: list[nn.Parameter], rate: Tensor) -> None:
        self.parameters, self.rate = parameters, rate
        self.slope, self.unscaled = torch.zeros_like(rate), torch.ones_like(rate, dtype=torch.bool)

    def step(self, evaluate: Callable[[], Tensor]) -> None:
        evaluate()
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        slope = torch.cat([g.flatten() for g in gradients]).square().mean().sqrt().clamp_min(1e-12)
        self.slope.copy_(torch.where(self.unscaled, slope, self.slope))
        with torch.no_grad():
            for parameter, gradient in zip(self.parameters, gradients, strict=True):
                parameter.sub_(gradient * (self.rate / self.slope))

    def restart(self, again: Tensor) -> None:
        self.unscaled.copy_(again)

    def state(self) -> AdamState:
        return []

    def warm(self, state: AdamState) -> None:
        """Nothing is carried over."""


class _LBFGS(_GradientDescent):
    """One iteration with a strong Wolfe line search a step: it looks at every loss, and so cannot be captured."""

    capturable = False

    def __init__(self, parameters: list[nn.Parameter], rate: Tensor) -> None:
        super().__init__(parameters, rate)
        self.restart(self.unscaled)

    def step(self, evaluate: Callable[[], Tensor]) -> None:
        self.stepper.step(evaluate)  # type: ignore[arg-type]

    def restart(self, again: Tensor) -> None:
        if again:
            self.stepper = torch.optim.LBFGS(
                self.parameters,
                float(self.rate),
                max_iter=1,
                max_eval=10,
                history_size=10,
                tolerance_grad=0,
                tolerance_change=0,
                line_search_fn="strong_wolfe",
            )
