"""The games that a generator and a discriminator play, and the penalties that keep the discriminator smooth.

A discriminator gives a logit: any real number, higher for what it takes for real, of any shape (N, ...), so that one
that judges patches is no special case. A loss is what its player lowers; a scalar.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Critic = Callable[[Tensor], Tensor]  # from pictures, or points, (N, ...) to logits (N, ...)


class Game(NamedTuple):
    """What the two players lower, of the logits of real and of made pictures, and of those of made ones."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


def minimax_value(real: Tensor, fake: Tensor) -> Tensor:
    """V = E log D(x) + E log(1 - D(G(z))), with D the sigmoid of the logits: Goodfellow et al. 2014, arXiv:1406.2661,
    eq. 1. The discriminator's best answer to densities p and q is D = p / (p + q), and V is then -log 4 where p = q.
    """
    return F.logsigmoid(real).mean() + F.logsigmoid(-fake).mean()


GAMES = {
    # arXiv:1406.2661, eq. 1
    "minimax": Game(lambda real, fake: -minimax_value(real, fake), lambda fake: F.logsigmoid(-fake).mean()),
    # its section 3: the same fixed point, and a slope where the generator is losing
    "nonsaturating": Game(lambda real, fake: -minimax_value(real, fake), lambda fake: -F.logsigmoid(fake).mean()),
    # Mao et al. 2017, arXiv:1611.04076, eq. 9: real is 1, made is 0
    "least_squares": Game(
        lambda real, fake: ((real - 1).square().mean() + fake.square().mean()) / 2,
        lambda fake: (fake - 1).square().mean() / 2,
    ),
    # Arjovsky, Chintala and Bottou 2017, arXiv:1701.07875, eq. 2; the critic needs `clip_weights` or `gradient_penalty`
    "wasserstein": Game(lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean()),
    # Lim and Ye 2017, arXiv:1705.02894, eq. 11: what is beyond the margin of 1 counts no more
    "hinge": Game(lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(), lambda fake: -fake.mean()),
}
"""Every game by name."""


def game(name: str) -> Game:
    """The game of this name. Raises ValueError where there is none."""
    if name not in GAMES:
        raise ValueError(f'There is no game "{name}". There are: {", ".join(GAMES)}.')
    return GAMES[name]


@torch.no_grad()
def clip_weights(critic: nn.Module, bound: float = 0.01) -> None:
    """Every weight of the critic back into [-bound, bound], after each of its steps: arXiv:1701.07875, algorithm 1."""
    for parameter in critic.parameters():
        parameter.clamp_(-bound, bound)


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """E (|slope| - 1)^2 of the critic at random points between real and made ones; 0 where its slope is 1.

    Gulrajani et al. 2017, arXiv:1704.00028, eq. 3, without its weight (10).

    Args:
        critic: see `Critic`; must not mix the samples of a batch, as batch normalization does.
        real, fake: (N, ...), of one shape.
        generator: draws the points, on the CPU.
    """
    share = torch.rand(len(real), generator=generator).to(real).view(-1, *[1] * (real.ndim - 1))
    points = torch.lerp(fake.detach(), real.detach(), share).requires_grad_()
    return (slopes(critic, points).norm(dim=1) - 1).square().mean()


def r1_penalty(discriminator: Critic, real: Tensor) -> Tensor:
    """Half the mean squared slope of the discriminator at real pictures (N, ...): Mescheder, Geiger and Nowozin 2018,
    arXiv:1801.04406, eq. 9, without its weight gamma."""
    return slopes(discriminator, real.detach().clone().requires_grad_()).square().sum(1).mean() / 2


def slopes(critic: Critic, points: Tensor) -> Tensor:
    """The derivative (N, D) of the sum of each point's logits by the point (N, ...), which must want a gradient; it can
    itself be differentiated."""
    (gradient,) = torch.autograd.grad(critic(points).float().sum(), points, create_graph=True)
    return gradient.flatten(1).float()
