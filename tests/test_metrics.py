"""Known answers of the measures."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import picture, tiny_encoder

from nst.metrics import chroma, color_distance, luminance_ssim, psnr, stroke_scale, style_closure, style_distance


def test_equal_pictures():
    image = picture(0)
    assert style_distance(image, image, tiny_encoder()) == pytest.approx(0, abs=1e-9)
    assert luminance_ssim(image, image) == pytest.approx(1)
    assert psnr(image, image) == math.inf


def test_a_style_closes_all_of_its_distance_and_a_photo_none():
    content, style, encoder = picture(1, 64, 64), picture(2, 64, 64), tiny_encoder()
    assert style_closure(style, content, style, encoder) == pytest.approx(1)
    assert style_closure(content, content, style, encoder) == pytest.approx(0)
    assert style_closure(1 - style, content, style, encoder) < 0.9


def test_style_distance_forgets_the_arrangement():
    image = picture(0, 64, 64)
    moved = image.roll(32, -1)
    assert style_distance(moved, image, tiny_encoder()) < 0.1 * style_distance(1 - image, image, tiny_encoder())


def test_psnr_by_hand():
    assert psnr(torch.full((1, 3, 4, 4), 0.6), torch.full((1, 3, 4, 4), 0.5)) == pytest.approx(20, abs=1e-3)


def test_chroma_of_known_colors():
    assert chroma(torch.full((1, 3, 4, 4), 0.37)) < 0.1
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert chroma(red) == pytest.approx(104.6, abs=0.5)


def test_noise_lowers_structural_similarity_more_than_brightness():
    image = picture(0, 64, 64)
    noisy = (image + 0.3 * torch.rand_like(image)).clamp(0, 1)
    assert luminance_ssim(noisy, image) < luminance_ssim((image + 0.1).clamp(0, 1), image) < 1


def test_colors_count_wherever_they_are():
    image = picture(0, 64, 64)
    assert color_distance(image.flip(-1), image) == pytest.approx(0, abs=1e-6)
    shifted = color_distance((image * 0.5 + 0.25), image)
    assert 0 < shifted < color_distance(1 - image * 0.2, image)


def test_black_is_as_far_from_white_as_the_directions_say():
    black, white = torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 20, 30)
    assert color_distance(black, white) == pytest.approx(0.83, abs=0.05)


@pytest.mark.parametrize("wavelength", [6, 10, 16])
def test_strokes_are_as_large_as_the_waves_they_are_made_of(wavelength):
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    waves = 0.5 + 0.3 * torch.sin(2 * math.pi * (0.6 * x + 0.8 * y) / wavelength)
    image = waves.expand(1, 3, -1, -1)
    assert stroke_scale(image) == pytest.approx(wavelength, rel=0.12)
    assert stroke_scale(0.5 * image + 0.2) == pytest.approx(stroke_scale(image), rel=1e-3)
    assert stroke_scale(torch.full((1, 3, 16, 16), 0.3)) == 0
