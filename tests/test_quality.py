"""What the shipped encoder must do with real pictures; slow."""

from __future__ import annotations

import pytest
import torch

from nst.encoders import load_encoder
from nst.images import resize, to_tensor
from nst.metrics import chroma, luminance_ssim, psnr, style_distance
from nst.settings import PRESETS
from nst.styles import load_content, load_style
from nst.stylize import style_transfer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photo():
    return to_tensor(load_content("chelsea"))


def paint(content, style, **settings):
    return list(style_transfer(content, style, size=192, **settings))[-1].image


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("style_loss", ["wasserstein", "gram"])
def test_a_photo_in_its_own_style_stays_as_it_is(photo, preset, style_loss):
    result = paint(photo, photo, preset=preset, num_steps=60, style_loss=style_loss)
    assert psnr(result, resize(photo, 192)) >= 30


def test_a_photo_in_the_style_of_its_grey_self_turns_grey(photo):
    grey = (photo * torch.tensor([0.2126, 0.7152, 0.0722]).view(1, 3, 1, 1)).sum(1, keepdim=True).expand_as(photo)
    result = paint(photo, grey, preset="good")
    assert chroma(result) < 0.1 * chroma(resize(photo, 192))


def test_a_painting_of_the_photo_is_near_the_style_and_still_the_photo(photo):
    style = to_tensor(load_style("night", 512))
    result, kept = paint(photo, style, preset="good"), resize(photo, 192)
    judge = load_encoder("compact")
    assert style_distance(result, resize(style, 192), judge) < 0.1 * style_distance(kept, resize(style, 192), judge)
    assert luminance_ssim(result, kept) > 0.2
