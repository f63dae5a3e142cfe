"""Texture, inversion, the path between styles, and what shows several pictures at once."""

from __future__ import annotations

import pytest
import torch
from tiny import picture, tiny_encoder, tiny_encoder_file

from nst.color import COLOR_MODES
from nst.images import resize
from nst.losses import total_variation
from nst.stylize import (
    color_modes,
    invert,
    layer_grid,
    mix_path,
    reconstruct_style,
    style_transfer,
    texture,
)
from nst.stylize.texture import endless

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
STYLE = picture(2, 64, 64)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return tiny_encoder_file(tmp_path_factory.mktemp("encoder"))


def last(steps):
    return list(steps)[-1]


@pytest.fixture
def quick(encoder):
    return {"encoder": encoder, "num_steps": 4, "device": "cpu"}


# ---- texture


@pytest.mark.parametrize("shape", [(64, 128), (100, 70)])
def test_a_texture_has_the_size_asked_for(quick, shape):
    step = last(texture(STYLE, height=shape[0], width=shape[1], **quick))
    assert step.image.shape[-2:] == shape and set(step.losses) == {"style", "tv"} and step.note is None


def test_a_seamless_texture_is_of_whole_blocks_and_says_so(quick):
    steps = list(texture(STYLE, height=100, width=64, seamless=True, **quick))
    assert steps[-1].image.shape[-2:] == (96, 64)
    assert steps[0].note == "To be seamless, the texture is 64 x 96 pixels, not 64 x 100." and steps[1].note is None


def test_to_an_endless_encoder_a_rolled_picture_is_the_same_picture_rolled():
    image, encoder = picture(1, 64, 96), endless(tiny_encoder())
    features, rolled = encoder(image, LAYERS), encoder(image.roll((16, 48), (2, 3)), LAYERS)
    for stage, name in enumerate(LAYERS):
        by = (16 >> stage, 48 >> stage)
        assert torch.allclose(features[name].roll(by, (2, 3)), rolled[name], atol=1e-5)


@pytest.mark.parametrize("kind", ["wasserstein", "patches"])
def test_a_seamless_texture_has_no_edge_where_it_wraps(quick, kind):
    def edge(seamless: bool) -> float:
        """The step across the wrapped edges beside the steps inside."""
        smooth = {"tv_weight": 0.3, "tv_exponent": 2.0, "num_steps": 60, "style_loss": kind}
        image = last(texture(STYLE, width=64, height=64, seamless=seamless, **(quick | smooth))).image
        wide, tall = image[..., 0] - image[..., -1], image[..., 0, :] - image[..., -1, :]
        return ((wide.square().mean() + tall.square().mean()) / (2 * image.diff(dim=3).square().mean())).item()

    assert edge(True) < 1.25 < edge(False)


def test_several_styles_and_a_start_go_into_a_texture(quick):
    mixed = last(texture([STYLE, picture(3)], width=64, height=64, style_weights=[1, 2], **quick)).image
    assert not torch.equal(mixed, last(texture(STYLE, width=64, height=64, **quick)).image)
    gone_on = list(texture(STYLE, width=64, height=64, init=mixed, **quick))
    assert len(gone_on) == 4 and (gone_on[0].image - mixed).abs().mean() < 0.05


def test_deeper_style_layers_make_another_texture(quick):
    shallow, deep = (last(reconstruct_style(picture(2, 40, 64), depth=d, size=64, **quick)).image for d in (1, 5))
    assert shallow.shape[-2:] == (40, 64) and not torch.equal(shallow, deep)
    with pytest.raises(ValueError, match="from 1 to 5"):
        reconstruct_style(STYLE, depth=6)


# ---- inversion


def test_an_inversion_comes_nearer_to_the_features_from_every_start(quick):
    steps = list(invert(picture(1, 48, 64), layer="relu2_1", size=64, starts=3, **(quick | {"num_steps": 30})))
    assert steps[-1].image.shape == (3, 3, 48, 64) and set(steps[-1].losses) == {"content", "tv"}
    network = tiny_encoder()
    wanted = network(picture(1, 48, 64), ["relu2_1"])["relu2_1"]

    def errors(step):
        return [(network(x, ["relu2_1"])["relu2_1"] - wanted).square().mean() for x in step.image.split(1)]

    assert all(after < before for before, after in zip(errors(steps[0]), errors(steps[-1]), strict=True))
    first, second, _ = steps[0].image
    assert not torch.equal(first, second)


def test_the_regularizers_of_an_inversion_are_heard(quick):
    settings = quick | {"layer": "relu3_1", "size": 64, "num_steps": 30}
    plain = last(invert(picture(1), **settings, tv_weight=0.0)).image
    smooth = last(invert(picture(1), **settings, tv_weight=10.0)).image
    pale = last(invert(picture(1), **settings, tv_weight=0.0, norm_weight=100.0, norm_exponent=2.0)).image
    assert total_variation(smooth) < total_variation(plain)
    assert (pale - 0.5).abs().mean() < (plain - 0.5).abs().mean()


def test_an_unknown_layer_is_told_with_the_known_ones(quick):
    with pytest.raises(ValueError, match=r"No layer relu9_1\. This encoder has: relu1_1, relu1_2"):
        next(invert(picture(1), layer="relu9_1", **quick))
    with pytest.raises(ValueError, match="starts must be a number from 1 to 8"):
        next(invert(picture(1), starts=20, **quick))


# ---- paths


def test_a_path_begins_with_one_style_and_ends_with_the_other(quick):
    content, first, second = picture(1, 48, 64), picture(2), picture(3)
    steps = list(mix_path(content, first, second, pictures=3, size=64, **quick))
    assert [(s.index, s.total) for s in steps] == [(i, 12) for i in range(1, 13)]
    assert [s.work for s in steps] == sorted(s.work for s in steps) and steps[-1].work == pytest.approx(1)
    pictures = steps[-1].image.split(1)
    for one, style in ((pictures[0], first), (pictures[2], second)):
        assert torch.equal(one, last(style_transfer(content, style, size=64, **quick)).image)
    assert torch.equal(steps[0].image[2:], content), "what is not begun is the content"


# ---- every way of keeping colors


@pytest.mark.parametrize("when", ["after", "before"])
def test_every_way_of_keeping_colors_is_what_it_is_alone(quick, when):
    content, style = picture(1, 48, 64), picture(2)
    steps = list(color_modes(content, style, color_when=when, size=64, **quick))
    runs = len(COLOR_MODES) if when == "before" else 1
    assert [(s.index, s.total) for s in steps] == [(i, 4 * runs) for i in range(1, 4 * runs + 1)]
    assert steps[-1].work == pytest.approx(1)
    photo, *painted = steps[-1].image.split(1)
    assert torch.equal(photo, content)
    for mode, one in zip(COLOR_MODES, painted, strict=True):
        kept = {"preserve_color": mode, "color_when": when}
        assert torch.allclose(one, last(style_transfer(content, style, size=64, **kept, **quick)).image, atol=1e-6)


def test_colors_that_cannot_be_kept_then_are_refused_at_once():
    with pytest.raises(ValueError, match="color_when must be one of before, after"):
        color_modes(picture(1), picture(2), color_when="never")


# ---- what each layer keeps


def test_a_grid_of_layers_fills_cell_by_cell_with_what_each_layer_keeps(quick):
    content, style = picture(1, 48, 64), picture(2, 80, 64)
    steps = list(layer_grid(content, style, size=64, **quick))
    assert [(s.index, s.total) for s in steps] == [(i, 40) for i in range(1, 41)]
    assert [s.work for s in steps] == sorted(s.work for s in steps) and steps[-1].work == pytest.approx(1)
    cells = steps[-1].image.split(1)
    assert all(cell.shape == (1, 3, 64, 64) and cell.std() > 0.01 for cell in cells)
    begun = [sum(bool(cell.std() > 0) for cell in step.image) for step in steps[::4]]
    assert begun == list(range(1, 11))
    middle = resize(content[..., 8:56], (64, 64))
    alone = last(invert(middle, layer="relu2_1", size=64, preset="draft", **quick)).image
    assert torch.equal(cells[1], alone)
    first_layer = last(reconstruct_style(style[..., 8:72, :], depth=1, size=64, preset="draft", **quick)).image
    assert torch.equal(cells[5], first_layer)
