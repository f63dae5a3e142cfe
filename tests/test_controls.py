"""The controls of a run: several styles, regions, what is kept, meaning, colors, a second encoder."""

from __future__ import annotations

import pytest
import torch
from tiny import clear_encoder_file, picture, tiny_encoder, tiny_encoder_file

from nst.color import COLOR_MODES, COLOR_MOMENTS, to_lab
from nst.encoders import EncoderPair
from nst.losses import STYLE_LOSSES
from nst.metrics import psnr
from nst.params import KeptImage
from nst.stylize import style_transfer
from nst.stylize.guides import find_regions, mask_of, propagate, shrink_map

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT, STYLES = picture(1, 48, 64), [picture(2, 64, 64), picture(3, 50, 70)]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return tiny_encoder_file(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def paint(encoder):
    """The last step of a short run."""
    plain = {"encoder": encoder, "size": 64, "num_steps": 4, "device": "cpu"}
    return lambda style, **settings: list(style_transfer(CONTENT, style, **(plain | settings)))[-1]


@pytest.fixture
def paint_colors(paint, tmp_path):
    """The same where features are colors, and the style alone counts."""
    settings = {"encoder": clear_encoder_file(tmp_path), "style_layers": ["relu1_1"], "strength": 100}
    settings |= {"num_steps": 40, "tv_weight": 0.0, "learning_rate": 0.1}
    return lambda style, **more: paint(style, **(settings | more)).image


def half(height: int = 48, width: int = 64) -> torch.Tensor:
    """A mask of the left half."""
    mask = torch.zeros(1, 1, height, width)
    mask[..., : width // 2] = 1
    return mask


# ---- several styles


def test_two_styles_are_neither_of_them(paint):
    both, other = paint(STYLES).image, paint(STYLES, mixing="losses").image
    for alone in (paint(STYLES[0]).image, paint(STYLES[1]).image, other):
        assert not torch.equal(both, alone)


def test_a_style_of_weight_zero_is_as_if_it_were_not_there(paint):
    assert torch.equal(paint(STYLES, style_weights=[0, 2]).image, paint(STYLES[1]).image)
    assert torch.equal(
        paint([STYLES[0]] * 2, style_scale=[1, 0.5], style_weights=[0, 1]).image,
        paint(STYLES[0], style_scale=0.5).image,
    )


# ---- regions


def test_styles_of_equal_masks_share_a_region():
    a, b = half(), 1 - half()
    regions = find_regions([a, b, a.clone()], [1, 2, 3])
    assert [r.styles for r in regions] == [[0, 2], [1]] and regions[0].weights == [0.25, 0.75]
    assert [r.share for r in regions] == pytest.approx([0.5 * 4 / 6 * 3 / 2, 0.5 * 2 / 6 * 3])


def test_a_style_without_mask_takes_what_is_left():
    (first, second), keep = find_regions([half(), None], None), 1 - half()
    assert torch.equal(first.mask, half()) and torch.equal(second.mask, 1 - half())
    assert [r.share for r in (first, second)] == pytest.approx([0.5, 0.5])
    assert find_regions([None], None)[0].mask is None
    assert torch.equal(find_regions([None], None, keep)[0].mask, half())
    with pytest.raises(ValueError, match="Nothing is left of the picture for style 2"):
        find_regions([torch.ones(1, 1, 4, 4), None], None)


def test_guides_fit_the_features_and_erode_or_grow():
    encoder, mask = tiny_encoder(), half(45, 61)
    features = encoder(picture(1, 45, 61), LAYERS)
    inside, soft, everything = (propagate(mask, encoder, LAYERS, guide) for guide in ("inside", "soft", "all"))
    for name in LAYERS:
        assert inside[name].shape[-2:] == soft[name].shape[-2:] == features[name].shape[-2:]
        assert (inside[name] <= soft[name] + 1e-6).all() and (soft[name] <= everything[name] + 1e-6).all()
    assert inside["relu1_1"].sum() == 45 * 29  # a column less than 30


def test_positions_inside_see_nothing_of_the_outside():
    encoder, mask = tiny_encoder(), half(96, 128)
    image, other = picture(1, 96, 128), picture(2, 96, 128)
    mixed = torch.where(mask.bool(), image, other)
    guides = propagate(mask, encoder, LAYERS)
    features, changed = encoder(image, LAYERS), encoder(mixed, LAYERS)
    for name in LAYERS:
        seen = guides[name].expand_as(features[name]) == 1
        assert seen.any() and torch.allclose(features[name][seen], changed[name][seen], atol=1e-6)


def test_a_region_too_small_to_erode_still_counts():
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 30:36, 30:36] = 1
    guides = propagate(mask, tiny_encoder(), LAYERS)
    assert all(guide.sum() > 0 for guide in guides.values())


def test_a_mask_decides_which_style_goes_where(paint_colors):
    styles = torch.full((1, 3, 32, 32), 0.2), torch.full((1, 3, 32, 32), 0.8)
    result = paint_colors(styles, masks=[half(), None])
    assert (result[..., :30] - 0.2).abs().max() < 0.1 and (result[..., 34:] - 0.8).abs().max() < 0.1


def test_what_a_styles_mask_leaves_out_is_not_taken(paint_colors):
    style = torch.full((1, 3, 32, 32), 0.2)
    style[..., 16:] = 0.8
    result = paint_colors(style, style_masks=[half(32, 32)])
    assert (result - 0.2).abs().max() < 0.1


def test_soft_masks_of_any_size_pass_and_resizing_is_told(encoder):
    soft = torch.linspace(0, 1, 30).view(1, 1, 1, 30).expand(1, 3, 20, 30)
    masks = {"masks": [soft, None], "style_masks": [None, soft]}
    first, second = style_transfer(CONTENT, STYLES, encoder=encoder, size=64, num_steps=2, **masks)
    assert "Mask 1 was resized from 30 x 20 to 64 x 48 pixels." in first.note
    assert "Style mask 2 was resized" in first.note and second.note is None


@pytest.mark.parametrize("kind", STYLE_LOSSES)
def test_regions_go_with_every_style_loss_and_scale_and_color(paint, kind):
    step = paint(
        STYLES,
        masks=[half(), 1 - half()],
        style_masks=[half(64, 64), None],
        style_loss=f"{kind}+gram",
        size=96,
        preset="draft",
        preserve_color="pca",
        color_when="before",
        keep=torch.eye(48)[None, None].expand(1, 1, 48, 48),
        style_scale=[1, 0.5],
    )
    assert step.image.isfinite().all() and step.losses["style"] != 0


# ---- what is kept


def test_kept_pixels_are_the_contents_and_get_no_gradient():
    image = KeptImage(picture(1), picture(2), half(24, 32))
    assert torch.equal(image()[..., :16], picture(2)[..., :16]) and torch.equal(image()[..., 16:], picture(1)[..., 16:])
    image().square().sum().backward()
    assert not image.pixels.grad[..., :16].any() and image.pixels.grad[..., 16:].any()


@pytest.mark.parametrize("when", COLOR_MOMENTS)
@pytest.mark.parametrize("mode", COLOR_MODES)
def test_a_region_left_untouched_stays_the_content(paint, mode, when):
    result = paint(STYLES[0], keep=half(), preserve_color=mode, color_when=when, strength=90, init="noise").image
    assert psnr(result[..., :31], CONTENT[..., :31]) > 45
    assert psnr(result[..., 33:], CONTENT[..., 33:]) < 30


# ---- colors


@pytest.mark.parametrize("when", COLOR_MOMENTS)
def test_luminance_keeps_the_chroma_of_each_pixel(paint, when):
    result = paint(STYLES[0], preserve_color="luminance", color_when=when, strength=90).image
    assert (to_lab(result)[:, 1:] - to_lab(CONTENT)[:, 1:]).norm(dim=1).mean() < 2
    assert (to_lab(result)[:, 0] - to_lab(CONTENT)[:, 0]).abs().mean() > 1


@pytest.mark.parametrize("mode", ["histogram", "pca", "cholesky"])
def test_recoloring_afterwards_gives_the_contents_mean_color(paint, mode):
    red = STYLES[0] * torch.tensor([1.0, 0.3, 0.2]).view(1, 3, 1, 1)
    settings = {"strength": 95, "num_steps": 20, "learning_rate": 0.1}
    result, plain = (paint(red, preserve_color=m, **settings).image for m in (mode, "none"))
    means = [image.mean((2, 3)) for image in (result, plain, CONTENT)]
    assert (means[0] - means[2]).norm() < 0.05 < (means[1] - means[2]).norm()


# ---- meaning


def test_maps_are_shrunk_as_features_are():
    encoder = tiny_encoder()
    small = shrink_map(picture(1, 45, 61), encoder, LAYERS)
    features = encoder(picture(1, 45, 61), LAYERS)
    assert all(small[name].shape[-2:] == features[name].shape[-2:] for name in LAYERS)
    assert small["relu5_1"].mean().item() == pytest.approx(picture(1, 45, 61).mean().item(), abs=0.05)


def test_each_meaning_is_painted_with_what_means_the_same(paint_colors):
    style, meaning = torch.full((1, 3, 48, 64), 0.2), half().expand(1, 3, 48, 64)
    style[..., :32] = 0.8
    for drawn, light, dark in ((meaning, slice(0, 28), slice(36, 64)), (1 - meaning, slice(36, 64), slice(0, 28))):
        result = paint_colors(style, content_map=drawn, style_map=meaning, style_loss="patches", init="noise")
        assert (result[..., light] - 0.8).abs().max() < 0.1 and (result[..., dark] - 0.2).abs().max() < 0.1


# ---- a second encoder


def test_a_second_encoder_compares_the_content(paint, encoder, tmp_path):
    plain = paint(STYLES[0])
    same = paint(STYLES[0], content_encoder=encoder)
    assert same.losses == pytest.approx(plain.losses, rel=1e-3)
    other = paint(STYLES[0], content_encoder=tiny_encoder_file(tmp_path, seed=5))
    assert not torch.equal(other.image, plain.image)


def test_each_encoder_of_a_pair_runs_as_far_as_it_is_asked():
    first, second = tiny_encoder(), tiny_encoder(5)
    features = EncoderPair(first, second)(picture(1), ["relu1_1", "content:relu2_1"])
    assert list(features) == ["image", "relu1_1", "content:relu2_1"]
    assert torch.equal(features["content:relu2_1"], second(picture(1), ["relu2_1"])["relu2_1"])


# ---- every setting, and bad ones


def test_every_setting_is_heard(paint):
    def last(style=STYLES[0], **settings):
        return paint(style, **settings).image

    reference = last()
    for change in (
        *({"style_loss": kind} for kind in STYLE_LOSSES[1:]),
        {"style_loss": "gram+histogram"},
        {"norm_weight": 1.0},
        {"preserve_color": "pca"},
        {"content_layers": ["relu3_1", "relu4_2"], "content_layer_weights": [1, 9]},
    ):
        assert not torch.equal(last(**change), reference), change
    for setting, changes in {
        "mmd-polynomial": ({"kernel_degree": 3}, {"kernel_offset": 5.0}),
        "mmd-gaussian": ({"kernel_bandwidth": 0.3}, {"seed": 3}),
        "correlation": ({"activation_shift": 0.0}, {"correlations": "cross"}, {"correlations": "own"}),
        "patches": ({"patch_size": 2},),
    }.items():
        alone = {"style_loss": setting, "strength": 100, "tv_weight": 0.0}  # in few steps little else would be seen
        plain = last(**alone)
        for change in changes:
            assert not torch.equal(last(**alone, **change), plain), change
    guided = {"masks": [half(), None]}
    assert not torch.equal(last(STYLES, **guided, guide="soft"), last(STYLES, **guided, guide="all"))


MAP = picture(4)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"masks": [half(), half() * 0]}, "Mask 2 is empty"),
        ({"keep": half() * 0}, "what to keep is empty"),
        ({"style_masks": [half() * 0, None]}, "Style mask 1 is empty"),
        ({"masks": [half()]}, "2 styles need 2 masks"),
        ({"masks": [torch.ones(48, 64), None]}, "Mask 1 must be one picture"),
        ({"style_weights": [0, 0]}, "2 style weights are needed, none below 0 and not all 0"),
        ({"style_weights": [1, 2, 3]}, "2 style weights"),
        ({"style_scale": [1, 1, 1]}, "each of the 2"),
        ({"style_scale": [1, 9]}, "style_scale must be"),
        ({"mixing": "stir"}, "statistics, losses"),
        ({"style_loss": "gram+magic"}, "style_loss must be one of wasserstein"),
        ({"style_loss": ""}, "style_loss"),
        ({"preserve_color": "sepia"}, "preserve_color must be one of none"),
        ({"color_when": "never"}, "before, after"),
        ({"guide": "outside"}, "inside, soft, all"),
        ({"correlations": "all"}, "chain"),
        ({"content_map": MAP, "style_map": [MAP, None], "style_loss": "patches"}, "style 2 has none"),
        ({"content_map": MAP, "style_loss": "patches"}, "style 1 and 2 have none"),
        ({"style_map": [MAP, MAP], "style_loss": "patches"}, "a map of the content"),
        ({"style_map": [MAP] * 3, "content_map": MAP, "style_loss": "patches"}, "3 are too many for 2"),
        ({"content_map": MAP, "style_map": [MAP, MAP]}, 'heeded by the style loss "patches"'),
        ({"style_layers": ["relu9_9"]}, "No layer relu9_9. This encoder has: relu1_1"),
        ({"content_layers": ["conv4"]}, "No layer conv4. This encoder has: relu1_1"),
        ({"content_layer_weights": [1, 2, 3]}, "2 weights"),
        ({"kernel_degree": 9}, "kernel_degree"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(paint, settings, words):
    with pytest.raises(ValueError, match=words.replace("+", r"\+").replace("(", r"\(")):
        paint(STYLES, **settings)


def test_masks_are_pictures_or_single_channels():
    assert torch.equal(mask_of(half().expand(1, 3, 48, 64), "It"), half())
    with pytest.raises(ValueError, match="It must be"):
        mask_of(torch.ones(1, 2, 4, 4), "It")


def test_a_map_of_labels_is_no_mask():
    labels = half() / 255  # 0 and 1 of 255, which look alike to everybody but a program
    with pytest.raises(ValueError, match=r"Mask 1 is nearly black, with 1 of 255 at most: make .* white \(255\)"):
        mask_of(labels, "Mask 1")
    with pytest.raises(ValueError, match="with 7 of 255 at most"):
        mask_of(7 * labels, "Mask 1")
    assert torch.equal(mask_of(8 * labels, "Mask 1"), 8 * labels)
    with pytest.raises(ValueError, match="Mask 1 is empty: paint white"):
        mask_of(0 * labels, "Mask 1")
