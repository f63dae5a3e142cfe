"""What the controls must do with real pictures on the shipped encoder; slow."""

from __future__ import annotations

import pytest
import torch

from nst.color import grey, to_lab
from nst.encoders import STYLE_LAYERS, load_encoder
from nst.images import resize, to_tensor
from nst.losses import STYLE_LOSSES, StyleLoss
from nst.metrics import psnr, style_distance
from nst.styles import load_content, load_style
from nst.stylize import invert, mix_path, style_transfer, texture
from nst.stylize.guides import propagate

pytestmark = pytest.mark.slow
SIZE = 256


@pytest.fixture(scope="module")
def judge():
    return load_encoder("compact")


@pytest.fixture(scope="module")
def photo():
    return resize(to_tensor(load_content("chelsea")), SIZE)


@pytest.fixture(scope="module")
def styles():
    return [to_tensor(load_style(name, 512)) for name in ("night", "waves")]


def paint(content, style, **settings):
    return list(style_transfer(content, style, **({"size": SIZE, "preset": "draft"} | settings)))[-1].image


def closed(loss, image, start, judge) -> float:
    """The share of the style distance from `start` that `image` closes."""
    with torch.no_grad():
        return 1 - float(loss(judge(image, STYLE_LAYERS))["style"] / loss(judge(start, STYLE_LAYERS))["style"])


def test_a_region_comes_as_near_to_its_style_as_if_it_were_painted_alone(photo, styles, judge):
    height, width = photo.shape[-2:]
    left = torch.zeros(1, 1, height, width)
    left[..., : width // 2] = 1
    both = paint(photo, styles, masks=[left, None])
    for style, mask, part in ((styles[0], left, slice(0, width // 2)), (styles[1], 1 - left, slice(width // 2, width))):
        crop = photo[..., part]
        side = max(crop.shape[-2:])
        alone = paint(crop, style, size=side, style_scale=SIZE / side)
        target = judge(resize(style, SIZE), STYLE_LAYERS)
        plain = StyleLoss(target, STYLE_LAYERS)
        guided = StyleLoss(target, STYLE_LAYERS, guides=propagate(mask, judge, STYLE_LAYERS))
        inside, by_itself = closed(guided, both, photo, judge), closed(plain, alone, crop, judge)
        assert inside > 0.8 and inside == pytest.approx(by_itself, rel=0.1)


@pytest.mark.parametrize("mode", ["none", "luminance", "histogram", "pca"])
def test_a_region_left_untouched_stays_the_photo(photo, styles, mode):
    keep = torch.zeros(1, 1, *photo.shape[-2:])
    keep[..., : SIZE // 2] = 1
    result = paint(photo, styles[0], keep=keep, preserve_color=mode)
    assert psnr(result[..., : SIZE // 2 - 1], photo[..., : SIZE // 2 - 1]) > 45
    assert psnr(result[..., SIZE // 2 + 1 :], photo[..., SIZE // 2 + 1 :]) < 25


def test_luminance_keeps_the_chroma_and_takes_the_strokes(photo, styles, judge):
    result, plain = paint(photo, styles[0], preserve_color="luminance"), paint(photo, styles[0])
    assert (to_lab(result)[:, 1:] - to_lab(photo)[:, 1:]).norm(dim=1).mean() < 2
    distances = [style_distance(grey(x), grey(resize(styles[0], SIZE)), judge) for x in (result, plain)]
    assert distances[0] == pytest.approx(distances[1], rel=0.15)


@pytest.mark.parametrize("kind", STYLE_LOSSES)
def test_every_style_loss_comes_near_to_the_style(photo, styles, judge, kind):
    target = resize(styles[0], SIZE)
    start = style_distance(photo, target, judge)
    # Patches alone are like the style's one by one, but not as often: they close a sixth of it, in Gram matrices.
    left = 0.9 if kind == "patches" else 0.5
    assert style_distance(paint(photo, styles[0], style_loss=kind), target, judge) < left * start


def test_a_seamless_texture_has_no_seam(styles):
    def edge(image: torch.Tensor) -> float:
        """The mean step across the wrapped edges over the mean step inside."""
        across = (image[..., 0] - image[..., -1]).abs().mean() + (image[..., 0, :] - image[..., -1, :]).abs().mean()
        return float(across / (image.diff(dim=3).abs().mean() + image.diff(dim=2).abs().mean()))

    tile, plain = (
        list(texture(styles[0], width=192, height=192, seamless=s, preset="draft"))[-1].image for s in (True, False)
    )
    assert edge(tile) < 1.25 < edge(plain)


def test_a_path_leaves_one_style_and_comes_to_the_other(photo, styles, judge):
    pictures = list(mix_path(photo, *styles, pictures=3, size=SIZE, preset="draft"))[-1].image.split(1)
    for style, order in ((styles[0], 1), (styles[1], -1)):
        distances = [style_distance(image, resize(style, SIZE), judge) for image in pictures][::order]
        assert distances == sorted(distances)


def test_shallow_layers_know_a_photo_better_than_deep_ones(photo):
    found = [list(invert(photo, layer=layer, size=SIZE, preset="draft"))[-1].image for layer in ("relu2_1", "relu4_2")]
    assert psnr(found[0], photo) > psnr(found[1], photo) + 3
