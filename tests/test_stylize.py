"""The recipe: scales, strength, starts, estimates, and bad arguments."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tiny import picture, tiny_encoder_file

from nst.metrics import chroma, psnr
from nst.settings import PRESETS, SETTINGS
from nst.stylize import (
    balance,
    estimate,
    is_measured,
    plan,
    style_transfer,
    transfer,
)
from nst.tasks import TASKS

DEFAULTS = TASKS["style_transfer"].defaults
BOUNDED = {name for name in DEFAULTS if SETTINGS[name].high is not None and SETTINGS[name].many != "list"}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return tiny_encoder_file(tmp_path_factory.mktemp("encoder"))


def last(content, style, **settings):
    return list(style_transfer(content, style, device="cpu", **settings))[-1]


def test_scales_and_steps_add_up():
    for preset in PRESETS.values():
        for size in (64, 100, 512, 1024):
            parts = plan(size, preset)
            assert sum(p.num_steps for p in parts) == preset.num_steps
            assert parts[-1].size == size and [p.size for p in parts] == sorted(p.size for p in parts)
            assert len(parts) == 1 or parts[0].size >= preset.smallest - 1
            assert sum(p.work for p in parts) == pytest.approx(1)
            assert parts[-1].work_before + parts[-1].work == pytest.approx(1)
    assert [p.size for p in plan(512, PRESETS["best"])] == [128, 181, 256, 362, 512]
    assert [p.size for p in plan(512, PRESETS["best"], whole=True)] == [512]
    assert [(p.size, p.num_steps) for p in plan(512, PRESETS["draft"])] == [(128, 72), (256, 18), (512, 18)]


def test_fewer_steps_than_scales_still_end_at_the_size():
    assert [(p.size, p.num_steps) for p in plan(512, replace(PRESETS["best"], num_steps=1))] == [(512, 1)]
    for preset in PRESETS.values():
        for count in range(1, 40):
            for size in (64, 512, 2000):
                steps = [part.num_steps for part in plan(size, replace(preset, num_steps=count))]
                assert min(steps) >= 1 and sum(steps) == count


def test_strength_balances_from_content_to_style():
    assert balance(0) == (1, 0) and balance(100) == (0, 1)
    styles = [balance(s)[1] for s in range(0, 101, 10)]
    assert styles == sorted(styles) and all(math.isclose(sum(balance(s)), 1) for s in range(101))


def test_a_run_counts_its_steps_over_all_scales(encoder):
    content = picture(1, 96, 128)
    steps = list(style_transfer(content, picture(2), encoder=encoder, size=512 // 4 * 3, preset="draft", num_steps=9))
    assert [(s.index, s.total) for s in steps] == [(i, 9) for i in range(1, 10)]
    assert [s.work for s in steps] == sorted(s.work for s in steps) and steps[-1].work == pytest.approx(1)
    assert steps[-1].size == 384 and steps[0].size < 384
    assert steps[-1].image.shape == (1, 3, 288, 384)


def test_strength_zero_keeps_the_content_and_a_hundred_leaves_it(encoder):
    content, style = picture(1, 48, 64), picture(2, 48, 64)
    settings = {"encoder": encoder, "size": 64, "num_steps": 20, "tv_weight": 0.0}
    kept = last(content, style, strength=0, **settings)
    assert psnr(kept.image, content) > 40 and set(kept.losses) == {"content"}
    left = last(content, style, strength=100, **settings)
    assert psnr(left.image, content) < psnr(kept.image, content) and set(left.losses) == {"style"}


@pytest.mark.parametrize("init", SETTINGS["init"].choices)
def test_every_start_gives_a_picture_of_the_contents_shape(encoder, init):
    step = last(picture(1, 40, 64), picture(2, 30, 20), encoder=encoder, size=64, num_steps=2, init=init)
    assert step.image.shape == (1, 3, 40, 64) and step.image.isfinite().all()


def test_going_on_from_a_result_stays_at_its_size_and_starts_from_it(encoder):
    content, style = picture(1, 192, 256), picture(2)
    first = last(content, style, encoder=encoder, size=256, preset="draft", num_steps=3)
    steps = list(style_transfer(content, style, encoder=encoder, size=256, num_steps=3, init=first.image))
    assert {s.size for s in steps} == {256}
    assert psnr(steps[0].image, first.image) > 25


def test_the_seed_decides_the_noise(encoder):
    settings = {"encoder": encoder, "size": 64, "num_steps": 2, "init": "noise"}
    pictures = [last(picture(1), picture(2), seed=seed, **settings).image for seed in (3, 3, 4)]
    assert torch.equal(pictures[0], pictures[1]) and not torch.equal(pictures[0], pictures[2])


def test_every_setting_of_the_recipe_is_heard(encoder):
    plain = {"encoder": encoder, "size": 64, "num_steps": 4}
    reference = last(picture(1), picture(2, 64, 64), **plain).image
    for change in (
        {"strength": 90},
        {"init": "style"},
        {"optimizer": "lbfgs"},
        {"optimizer": "sgd"},
        {"learning_rate": 0.1},
        {"style_loss": "gram"},
        {"content_layers": ["relu3_1"]},
        {"style_layers": ["relu2_1"]},
        {"style_layer_weights": [9, 1, 1, 1, 1]},
        {"tv_weight": 5.0},
        {"tv_weight": 5.0, "tv_exponent": 1.0},
        {"pooling": "max"},
        {"style_scale": 0.5},
        {"num_steps": 5},
    ):
        assert not torch.equal(last(picture(1), picture(2, 64, 64), **(plain | change)).image, reference), change


@pytest.mark.parametrize(
    ("setting", "words"),
    [({name: SETTINGS[name].high * 2 + 1}, name) for name in sorted(BOUNDED)]
    + [({name: "nonsense"}, name) for name in ("preset", "init", "optimizer", "style_loss", "pooling")]
    + [({"style_layers": ["relu7_1"]}, "relu1_1"), ({"style_layer_weights": [0, 0, 0, 0, 0]}, "not all 0")]
    + [({"strength": "strong"}, "strength"), ({"device": "tpu"}, "auto, cpu, cuda"), ({"size": math.nan}, "size")]
    + [({"style_weights": 1.0}, "style_weights must be a list"), ({"strength": [50, 60]}, "strength must be one value")]
    + [({"content_layers": "relu3_1"}, "content_layers must be a list")],
)
def test_bad_settings_are_named(encoder, setting, words):
    with pytest.raises(ValueError, match=words):
        next(style_transfer(picture(1), picture(2), **({"encoder": encoder} | setting)))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 400), (200, 2)])
def test_odd_shapes_pass(encoder, height, width):
    step = last(torch.rand(1, 3, height, width), torch.rand(1, 3, width, height), encoder=encoder, size=64, num_steps=2)
    assert step.image.isfinite().all() and step.size == 64


def test_an_estimate_grows_with_size_and_steps(encoder):
    small = estimate((48, 64), encoder=encoder, size=64, num_steps=10, device="cpu")
    large = estimate((48, 64), encoder=encoder, size=128, num_steps=10, device="cpu")
    long = estimate((48, 64), encoder=encoder, size=64, num_steps=30, device="cpu")
    assert 0 < small.seconds < large.seconds and large.memory == pytest.approx(4 * small.memory, rel=0.01)
    # What a scale begins with, the content in each view, takes as long as some steps.
    assert 1.5 * small.seconds < long.seconds < 3 * small.seconds and long.step == pytest.approx(small.step)


def test_grey_and_flat_pictures_pass(encoder):
    flat = torch.full((1, 3, 32, 32), 0.5)
    step = last(flat, torch.zeros(1, 3, 32, 32), encoder=encoder, size=64, num_steps=3)
    assert step.image.isfinite().all() and chroma(step.image) < 20


def test_colors_are_kept_in_shown_steps_only(encoder, monkeypatch):
    recolored = []
    monkeypatch.setattr(transfer, "recolor_result", lambda image, *_: recolored.append(1) or image)
    settings = {"encoder": encoder, "size": 64, "preset": "draft", "num_steps": 8, "preserve_color": "pca"}
    for step in style_transfer(picture(1), picture(2), **settings):
        if step.index % 4 == 0:
            assert step.image is step.image
    assert len(recolored) == 2


def test_what_an_estimate_was_measured_for_is_encoder_device_and_style_losses(encoder):
    given = {"encoder": encoder, "style_loss": "gram", "device": "cpu"}
    assert not is_measured(**given)
    estimate((48, 64), size=64, num_steps=2, **given)
    assert is_measured(**given) and is_measured(**given, seed=3)
    assert not is_measured(**given | {"style_loss": "gram+histogram"})
    assert not is_measured(**given, content_encoder="compact")


def test_styles_that_hardly_vary_can_be_mixed(encoder):
    """What rounding took of their variances made the loss no number."""
    flat = [torch.full((1, 3, 48, 64), shade) + 1e-3 * picture(i, 48, 64) for i, shade in enumerate((0.3, 0.8))]
    steps = list(
        style_transfer(picture(1), flat, size=64, num_steps=3, style_weights=[1, 2], encoder=encoder, device="cpu")
    )
    assert all(math.isfinite(step.loss) and step.note is None for step in steps)


@pytest.mark.parametrize("style_loss", ["histogram", "mmd-gaussian", "wasserstein", "relaxed-transport"])
def test_a_region_may_be_out_of_sight_in_some_views(encoder, style_loss):
    """They are moved by up to eight pixels, and a deep layer sees no inside of a narrow region at all."""
    keep = torch.ones(1, 1, 64, 64)
    keep[..., -4:] = 0
    steps = list(
        style_transfer(
            picture(1, 64, 64),
            picture(2, 48, 48),
            size=64,
            num_steps=8,
            keep=keep,
            style_loss=style_loss,
            encoder=encoder,
            device="cpu",
        )
    )
    assert all(math.isfinite(step.loss) for step in steps)


def test_the_mask_of_a_single_style_may_be_given_itself(encoder):
    mask = torch.ones(1, 1, 24, 32)
    mask[..., :16] = 0
    given = (picture(1), picture(2)), {"size": 64, "num_steps": 2, "encoder": encoder}
    one, other = (last(*given[0], **given[1], masks=masks, style_masks=masks) for masks in (mask, [mask]))
    assert torch.equal(one.image, other.image)
