"""How parameters are changed by their gradients: each step's numbers stay on the device, so that it can be captured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.adam import adam

from nst.params import strips

OPTIMIZERS = {"adam": 0.03, "lbfgs": 1.0, "sgd": 0.02}
"""Each optimizer's learning rate, for an image in [0, 1]; for plain gradient descent, how far the first step goes."""

AdamState = list[dict[str, Tensor]]
"""Adam's moments and step count, parameter by parameter: what one scale leaves to the next."""


class Update(Protocol):
    """How the parameters are changed by their gradients."""

    capturable: bool

    def step(self, evaluate: Callable[[], Tensor]) -> None:
        """Change them; `evaluate` gives the total and leaves its gradients in the parameters."""

    def restart(self, again: Tensor) -> None:
        """Forget what was before, where the scalar `again` is true."""

    def state(self) -> AdamState: ...
    def warm(self, state: AdamState) -> None: ...


class Adam:
    """PyTorch's function rather than its class, which brings its compiler along: a second, and 160 MB."""

    capturable = True

    def __init__(self, parameters: list[nn.Parameter], rate: Tensor) -> None:
        self.parameters, self.rate = parameters, rate  # the rate is a tensor, which may be halved on the device
        self.moments: AdamState = []

    def step(self, evaluate: Callable[[], Tensor]) -> None:
        evaluate()
        self.moments = self.moments or [_nothing_yet(p) for p in self.parameters]
        means, squares, counts = ([one[name] for one in self.moments] for name in ("exp_avg", "exp_avg_sq", "step"))
        with torch.no_grad():
            adam(
                list[Tensor](self.parameters),
                [p.grad for p in self.parameters if p.grad is not None],
                means,
                squares,
                [],
                counts,
                fused=True,
                capturable=self.rate.device.type == "cuda",
                amsgrad=False,
                beta1=0.9,
                beta2=0.99,
                lr=self.rate,
                weight_decay=0.0,
                eps=1e-8,
                maximize=False,
            )

    def restart(self, again: Tensor) -> None:
        for one in self.moments:
            for value in one.values():
                value.masked_fill_(again.to(value.device), 0)

    def state(self) -> AdamState:
        return [dict(one) for one in self.moments]

    def warm(self, state: AdamState) -> None:
        sizes = [parameter.shape[-2:] for parameter in self.parameters]
        self.moments = [
            {"step": old["step"].clone(), "exp_avg": _mean(old, size), "exp_avg_sq": _square(old, size)}
            for old, size in zip(state, sizes, strict=False)
        ]


def _nothing_yet(parameter: Tensor) -> dict[str, Tensor]:
    count = torch.zeros((), dtype=torch.float32, device=parameter.device)
    return {"step": count} | {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}


def _mean(old: dict[str, Tensor], size: Sequence[int]) -> Tensor:
    """The mean of the gradients at another size; of those that `HalfAdam` held as well."""
    found = F.interpolate(old["exp_avg"].float(), tuple(size), mode="bicubic")
    return found.div_(HALF) if "root" in old else found


def _square(old: dict[str, Tensor], size: Sequence[int]) -> Tensor:
    """The mean of their squares, likewise."""
    if "root" in old:
        return F.interpolate(old["root"].float(), tuple(size), mode="bilinear").div_(HALF).square_()
    return F.interpolate(old["exp_avg_sq"], tuple(size), mode="bilinear").clamp_min_(0)


class HalfAdam:
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
        for i in range(self.pixels.shape[1]):  # one color after the other: each is a third of the picture
            color = {name: value[:, i : i + 1] for name, value in old.items() if value.ndim == 4}
            self.mean[:, i : i + 1] = _mean(color, size).mul_(HALF)
            self.root[:, i : i + 1] = _square(color, size).sqrt_().mul_(HALF)


HALF = 64.0
"""What numbers are multiplied by to be held in float16: a pixel's gradients are some thousandths to some tens."""


class GradientDescent:
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


class LBFGS(GradientDescent):
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
