"""The iterator's contract, descent by every optimizer, recovery, and one encoder pass a step."""

from __future__ import annotations

import gc
import math
import threading
import weakref

import pytest
import torch
from tiny import picture, tiny_encoder

from nst.device import choose_device
from nst.losses import ContentLoss, PerceptualLoss, StyleLoss, TotalVariationLoss
from nst.optimize import MAX_RECOVERIES, OPTIMIZERS, AdamState, Step, optimize, throttle
from nst.params import PixelImage

LAYERS = ("relu1_1", "relu2_1", "relu3_1")
CPU = choose_device("cpu", "float32")


def criterion() -> PerceptualLoss:
    features = tiny_encoder()(picture(2), LAYERS)
    return PerceptualLoss([StyleLoss(features, LAYERS), TotalVariationLoss(picture(1), weight=0.01)])


def run(**arguments):
    arguments = {"num_steps": 8} | arguments
    return optimize(PixelImage(picture(1)), tiny_encoder(), criterion(), device=CPU, **arguments)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_steps_keep_their_contract_and_go_downhill(optimizer, average):
    steps = list(run(optimizer=optimizer, average=average, num_steps=12))
    assert [(s.index, s.total) for s in steps] == [(i, 12) for i in range(1, 13)]
    for step in steps:
        assert step.image.shape == (1, 3, 24, 32) and step.size == 32
        assert not step.image.requires_grad and step.image.min() >= 0 and step.image.max() <= 1
        assert set(step.losses) == {"style", "tv"} and step.loss == pytest.approx(sum(step.losses.values()))
    assert steps[-1].loss < steps[0].loss
    assert [s.note for s in steps] == [None] * 12


def test_the_same_start_gives_the_same_picture():
    first, second = list(run())[-1], list(run())[-1]
    assert torch.equal(first.image, second.image)


def test_one_encoder_pass_a_step_however_many_losses():
    passes, encoder = [], tiny_encoder()
    encoder.register_forward_hook(lambda *_: passes.append(1))
    features = tiny_encoder()(picture(2), LAYERS)
    losses = [StyleLoss(features, LAYERS), ContentLoss(features, LAYERS), TotalVariationLoss(picture(1), weight=1)]
    list(optimize(PixelImage(picture(1)), encoder, PerceptualLoss(losses), device=CPU, num_steps=5))
    assert len(passes) == 5


def test_the_best_picture_is_kept_when_the_loss_goes_up():
    steps = list(run(optimizer="adam", learning_rate=0.5, num_steps=10))
    losses = [s.loss for s in steps]
    with torch.no_grad():
        terms = criterion()(tiny_encoder()(steps[-1].image, LAYERS))
    assert float(sum(terms.values())) == pytest.approx(min(losses), rel=1e-4)


class Poisoned(torch.nn.Module):
    """A criterion that is not a number, or no finite one, from the given call on."""

    layers = LAYERS

    def __init__(self, first: int, last: float = math.inf, poison: float = math.nan) -> None:
        super().__init__()
        self.inner, self.calls, self.first, self.last, self.poison = criterion(), 0, first, last, poison

    def forward(self, features):
        self.calls += 1
        factor = self.poison if self.first <= self.calls <= self.last else 1.0
        return {name: term * factor for name, term in self.inner(features).items()}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_recovers_from_nan_with_a_smaller_step_and_says_so(optimizer):
    run = optimize(PixelImage(picture(1)), tiny_encoder(), Poisoned(4, 4), device=CPU, num_steps=9, optimizer=optimizer)
    steps = list(run)
    notes = [s.note for s in steps if s.note]
    assert len(steps) == 9 and len(notes) == 1 and "halved" in notes[0]
    assert all(s.image.isfinite().all() for s in steps)
    assert steps[-1].loss < steps[0].loss


@pytest.mark.parametrize("poison", [-math.inf, math.inf])
def test_an_infinite_loss_is_no_best_one(poison):
    poisoned = Poisoned(4, 4, poison)
    steps = list(optimize(PixelImage(picture(1)), tiny_encoder(), poisoned, device=CPU, num_steps=9))
    assert [s.index for s in steps if s.note and "halved" in s.note] == [4]
    assert steps[-1].image.isfinite().all() and math.isfinite(steps[-1].loss)


def test_a_run_that_cannot_recover_stops_at_its_best_picture():
    run = optimize(PixelImage(picture(1)), tiny_encoder(), Poisoned(3), device=CPU, num_steps=50)
    steps = list(run)
    assert len(steps) == 2 + MAX_RECOVERIES + 1
    assert steps[-1].note and "stopped" in steps[-1].note
    assert steps[-1].image.isfinite().all()


def test_a_diverging_run_comes_back():
    class Cliff(torch.nn.Module):
        layers = LAYERS

        def forward(self, features):  # steep enough that a step of 0.5 lands far up the other side
            return {"style": ((features["image"] - 0.5).abs() * 100).pow(4).mean() + 1}

    start = picture(1) * 0.02 + 0.49
    steps = list(optimize(PixelImage(start), tiny_encoder(), Cliff(), device=CPU, num_steps=30, learning_rate=0.5))
    assert any(s.note for s in steps)
    assert (steps[-1].image - 0.5).abs().max() < 0.02


def test_the_learning_rate_falls_to_a_share_of_itself():
    class Darker(torch.nn.Module):
        layers = LAYERS

        def forward(self, features):  # of constant slope, down which Adam goes by its rate
            return {"style": features["image"].mean()}

    light = PixelImage(torch.full((1, 3, 24, 32), 0.9))
    settings = {"num_steps": 8, "learning_rate": 0.01, "decay": 0.25}
    shown = [s.image.mean() for s in optimize(light, tiny_encoder(), Darker(), device=CPU, **settings)]
    moved = -torch.stack(shown).diff()
    torch.testing.assert_close(moved, 0.01 * 0.25 ** (torch.arange(7) / 8), rtol=1e-3, atol=0)


def test_adam_goes_on_warm_at_the_next_scale():
    state = AdamState()
    list(run(warm_state=state))
    assert state[0]["exp_avg"].shape == (1, 3, 24, 32) and state[0]["step"] == 8
    larger = PixelImage(picture(1, 48, 64))
    list(optimize(larger, tiny_encoder(), criterion(), device=CPU, num_steps=2, warm_state=state))
    assert state[0]["exp_avg"].shape == (1, 3, 48, 64) and state[0]["step"] == 10
    assert (state[0]["exp_avg_sq"] >= 0).all()


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="adam, lbfgs, sgd"):
        list(run(optimizer="rmsprop"))
    for rate in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="above 0"):
            list(run(learning_rate=rate))


def test_a_run_may_be_resumed_on_another_thread():
    steps, seen = run(num_steps=3), []
    next(steps)
    thread = threading.Thread(target=lambda: seen.append(next(steps).loss))
    thread.start()
    thread.join()
    assert len(seen) == 1 and torch.is_grad_enabled()
    assert next(steps).index == 3


def _steps(count, notes=()):
    for i in range(1, count + 1):
        yield Step(i, count, torch.zeros(1, 3, 1, 1), {}, "note" if i in notes else None)


def test_throttle_gives_the_first_the_last_and_those_with_a_note():
    assert [s.index for s in throttle(_steps(9, notes=(4,)), 60)] == [1, 4, 9]
    assert [s.index for s in throttle(_steps(3), 0)] == [1, 2, 3]


def test_throttle_gives_the_last_step_of_a_run_that_ends_early():
    def early():
        yield from list(_steps(9))[:5]

    assert [s.index for s in throttle(early(), 60)] == [1, 5]


def test_closing_the_throttle_closes_the_run():
    closed = []

    def endless():
        try:
            while True:
                yield Step(1, 2, torch.zeros(1, 3, 1, 1), {})
        finally:
            closed.append(True)

    steps = throttle(endless(), 0)
    next(steps)
    steps.close()
    assert closed == [True]


def test_what_a_run_held_is_free_as_it_ends():
    """Without a cycle of references: a scale of a large picture holds half a gigabyte while the next one begins."""
    steps = run()
    next(steps)
    alive = weakref.ref(steps.gi_frame.f_locals["descent"])
    gc.disable()
    try:
        steps.close()
        assert alive() is None
    finally:
        gc.enable()
