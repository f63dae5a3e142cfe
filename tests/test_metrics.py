"""Known answers of the measures."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import picture, tiny_encoder

from nst.metrics import chroma, luminance_ssim, psnr, style_distance


def test_equal_pictures():
    image = picture(0)
    assert style_distance(image, image, tiny_encoder()) == pytest.approx(0, abs=1e-9)
    assert luminance_ssim(image, image) == pytest.approx(1)
    assert psnr(image, image) == math.inf


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
