"""Known answers for colors: the spaces, and every way of keeping them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab
from tiny import picture

from nst.color import (
    COLOR_MODES,
    decode_gamma,
    encode_gamma,
    from_lab,
    grey,
    keep_chroma,
    luminance,
    match_covariance,
    match_histogram,
    recolor,
    recolor_result,
    recolor_style,
    to_lab,
)


def array(image):
    return image[0].permute(1, 2, 0).numpy().astype(np.float64)


def test_gamma_and_its_inverse():
    values = torch.linspace(0, 1, 101)
    assert decode_gamma(torch.tensor([0.0, 0.5, 1.0])).tolist() == pytest.approx([0, 0.2140, 1], abs=1e-4)
    assert torch.allclose(encode_gamma(decode_gamma(values)), values, atol=1e-5)


def test_lab_against_scikit_image_and_back():
    image = picture(3)
    assert np.allclose(array(to_lab(image)), rgb2lab(array(image)), atol=2e-2)
    assert np.allclose(array(from_lab(to_lab(image))), lab2rgb(rgb2lab(array(image))), atol=1e-3)


def test_grey_has_the_luminance_of_its_colors():
    image = picture(3)
    assert torch.allclose(luminance(grey(image)), luminance(image), atol=1e-5)
    assert torch.equal(grey(image)[:, 0], grey(image)[:, 2])


@pytest.mark.parametrize("mode", COLOR_MODES)
def test_a_picture_in_its_own_colors_stays_as_it_is(mode):
    image = picture(3)
    assert torch.allclose(recolor_result(image, image, mode), image, atol=2e-3)
    if mode != "luminance":  # which is painted in grey
        assert torch.allclose(recolor_style(image, image, mode), image, atol=2e-3)


def test_a_matched_histogram_is_the_references():
    torch.manual_seed(0)
    image, reference = torch.rand(1, 3, 20, 30), torch.rand(1, 3, 20, 30) ** 2
    matched = match_histogram(image, reference)
    assert torch.allclose(matched.flatten(2).sort().values, reference.flatten(2).sort().values, atol=1e-6)
    assert torch.equal(matched.flatten(2).argsort(), image.flatten(2).argsort())


def test_equal_values_stay_equal_and_a_flat_channel_takes_the_median():
    image = torch.tensor([0.0, 0.0, 1.0, 1.0]).view(1, 1, 2, 2)
    reference = torch.tensor([0.2, 0.4, 0.6, 0.8]).view(1, 1, 1, 4)
    assert match_histogram(image, reference).flatten().tolist() == pytest.approx([0.3, 0.3, 0.7, 0.7])
    assert match_histogram(torch.zeros(1, 1, 3, 3), reference).flatten().tolist() == pytest.approx([0.5] * 9)
    assert match_histogram(image, torch.full((1, 1, 3, 3), 0.25)).unique().tolist() == [0.25]


@pytest.mark.parametrize("mode", ["cholesky", "pca"])
def test_mean_and_covariance_become_the_references(mode):
    image, reference = torch.rand(1, 3, 30, 40), picture(4)
    matched = match_covariance(image, reference, mode)[0].flatten(1)
    wanted = reference[0].flatten(1)
    assert torch.allclose(matched.mean(1), wanted.mean(1), atol=1e-5)
    assert torch.allclose(torch.cov(matched), torch.cov(wanted), atol=2e-4)


def test_symmetric_roots_alter_colors_less_than_cholesky():
    image, reference = torch.rand(1, 3, 30, 40), picture(4)
    moved = [(match_covariance(image, reference, mode) - image).square().mean() for mode in ("pca", "cholesky")]
    assert moved[0] < moved[1]


def test_luminance_of_the_result_and_chroma_of_the_content():
    result, content = picture(1) * 0.3 + 0.35, picture(2) * 0.2 + 0.4  # no color so strong that sRGB ends
    lab, light, chroma = (to_lab(x) for x in (recolor_result(result, content, "luminance"), result, content))
    assert torch.allclose(lab[:, 0], light[:, 0], atol=0.1) and torch.allclose(lab[:, 1:], chroma[:, 1:], atol=0.1)


def test_chroma_is_kept_where_srgb_has_no_such_color():
    content = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    kept = keep_chroma(torch.ones(1, 3, 4, 4), content)  # a white as red as red
    assert (to_lab(kept)[:, 1:] - to_lab(content)[:, 1:]).abs().max() < 1
    assert (to_lab(kept)[:, 0] >= to_lab(content)[:, 0] - 0.1).all()


def test_a_style_for_painting_in_luminance_is_grey_and_as_light_as_the_content():
    style, content = picture(1) * 0.2 + 0.6, picture(2) * 0.5 + 0.25
    painted = recolor_style(style, content, "luminance")
    assert torch.allclose(painted[:, 0], painted[:, 2], atol=2e-3)
    light, wanted = to_lab(painted)[:, 0], to_lab(content)[:, 0]
    assert light.mean().item() == pytest.approx(wanted.mean().item(), abs=0.5)
    assert light.std().item() == pytest.approx(wanted.std().item(), rel=0.05)


@pytest.mark.parametrize("mode", COLOR_MODES)
def test_grey_and_flat_pictures_pass(mode):
    flat, colored = torch.full((1, 3, 8, 8), 0.5), picture(2, 8, 8)
    for image, other in ((flat, colored), (colored, flat), (flat, flat), (grey(colored), colored)):
        for recolored in (recolor_style(image, other, mode), recolor_result(image, other, mode)):
            assert recolored.isfinite().all() and recolored.min() >= 0 and recolored.max() <= 1


def test_what_is_wrong_is_told():
    for function in (recolor, recolor_style, recolor_result):
        with pytest.raises(ValueError, match="choose none, luminance"):
            function(picture(1), picture(2), "sepia")
    with pytest.raises(ValueError, match="same size"):
        recolor_result(picture(1, 8, 8), picture(2), "luminance")
    with pytest.raises(ValueError, match="recolor_result"):
        recolor(picture(1), picture(2), "luminance")
