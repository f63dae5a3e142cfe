"""The games of adversarial networks: values by hand, the minimax optimum, penalties, and a toy that each one learns."""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from torch import nn

from nst.losses import GAMES, clip_weights, game, gradient_penalty, minimax_value, r1_penalty

REAL, FAKE = torch.tensor([[2.0], [-1.0]]), torch.tensor([[0.5], [-3.0]])


def softplus(x):
    return log(1 + exp(x))


BCE = (softplus(-2) + softplus(1)) / 2 + (softplus(0.5) + softplus(-3)) / 2
BY_HAND = {
    "minimax": (BCE, -(softplus(0.5) + softplus(-3)) / 2),
    "nonsaturating": (BCE, (softplus(-0.5) + softplus(3)) / 2),
    "least_squares": ((1 + 4) / 4 + (0.25 + 9) / 4, (0.25 + 16) / 4),
    "wasserstein": (-1.25 - 0.5, 1.25),
    "hinge": ((0 + 2) / 2 + (1.5 + 0) / 2, 1.25),
}


@pytest.mark.parametrize("name", GAMES)
def test_each_loss_has_the_value_computed_by_hand(name):
    discriminator, generator = BY_HAND[name]
    assert float(game(name).discriminator(REAL, FAKE)) == pytest.approx(discriminator, abs=1e-6)
    assert float(game(name).generator(FAKE)) == pytest.approx(generator, abs=1e-6)


@pytest.mark.parametrize("name", GAMES)
def test_patches_count_like_pictures(name):
    real, fake = torch.randn(2, 1, 3, 3), torch.randn(2, 1, 3, 3)
    flat = game(name).discriminator(real.flatten(), fake.flatten())
    assert torch.allclose(game(name).discriminator(real, fake), flat)


@pytest.mark.parametrize("name", GAMES)
def test_each_player_is_pushed_the_right_way(name):
    real, fake = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    game(name).discriminator(real, fake).backward()
    assert real.grad < 0 <= fake.grad, "the discriminator lifts the logit of real pictures"
    fake.grad = None
    game(name).generator(fake).backward()
    assert fake.grad < 0, "the generator lifts the logit of its own"


def test_an_unknown_game_is_told():
    with pytest.raises(ValueError, match="There are: minimax"):
        game("chess")


def best_answer(real, fake, places=4):
    """The discriminator's best logits on so many places, found by descent."""
    logits = torch.zeros(places, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=200, tolerance_grad=1e-9, tolerance_change=1e-12)

    def loss():
        optimizer.zero_grad()
        value = game("minimax").discriminator(logits[real], logits[fake])
        value.backward()
        return value

    optimizer.step(loss)
    return logits.detach()


def test_the_best_discriminator_is_p_over_p_plus_q():
    p, q = torch.tensor([4, 3, 2, 1]), torch.tensor([1, 1, 4, 4])
    real, fake = (torch.repeat_interleave(torch.arange(4), counts) for counts in (p, q))
    logits = best_answer(real, fake)
    assert torch.allclose(logits.sigmoid(), p / (p + q), atol=1e-4)
    middle = (p + q) / 20
    divergence = sum(float((d / 10 * (d / 10 / middle).log()).sum()) / 2 for d in (p, q))
    assert float(minimax_value(logits[real], logits[fake])) == pytest.approx(2 * divergence - log(4), abs=1e-5)


def test_the_value_of_the_game_is_minus_log_4_where_both_are_alike():
    same = torch.repeat_interleave(torch.arange(4), torch.tensor([4, 3, 2, 1]))
    logits = best_answer(same, same)
    assert torch.allclose(logits, torch.zeros(4), atol=1e-4)
    assert float(minimax_value(logits[same], logits[same])) == pytest.approx(-log(4), abs=1e-6)


def test_the_penalty_of_a_critic_of_unit_slope_is_zero():
    direction = torch.nn.functional.normalize(torch.randn(12, generator=torch.Generator().manual_seed(0)), dim=0)
    real, fake = torch.randn(5, 3, 2, 2), torch.randn(5, 3, 2, 2)

    def critic(x):
        return x.flatten(1) @ direction

    assert float(gradient_penalty(critic, real, fake)) == pytest.approx(0, abs=1e-10)
    assert float(gradient_penalty(lambda x: 3 * critic(x), real, fake)) == pytest.approx(4, abs=1e-4)
    assert float(r1_penalty(lambda x: 3 * critic(x), real)) == pytest.approx(4.5, abs=1e-4)


def test_penalties_are_taken_where_they_should_be():
    real, fake = torch.full((4, 2), 3.0), torch.full((4, 2), 1.0)
    assert float(r1_penalty(lambda x: x.square().sum(1), real).detach()) == pytest.approx((6**2 + 6**2) / 2)
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.sum(1)

    gradient_penalty(critic, real, fake, torch.Generator().manual_seed(1))
    gradient_penalty(critic, real, fake, torch.Generator().manual_seed(1))
    assert torch.equal(*seen) and bool(((seen[0] >= 1) & (seen[0] <= 3)).all())
    assert len(seen[0].unique()) == 4, "each picture has a point of its own"


def test_the_penalties_can_be_lowered():
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    real, fake = torch.randn(16, 2), torch.randn(16, 2)
    for penalty in (lambda: gradient_penalty(critic, real, fake), lambda: r1_penalty(critic, real)):
        optimizer = torch.optim.Adam(critic.parameters(), 0.01)
        first = penalty().item()
        for _ in range(30):
            optimizer.zero_grad()
            penalty().backward()
            optimizer.step()
        assert penalty().item() < 0.5 * first


def test_clipped_weights_are_bounded():
    critic = nn.Linear(3, 3)
    clip_weights(critic, 0.01)
    assert max(float(p.detach().abs().max()) for p in critic.parameters()) <= 0.01
