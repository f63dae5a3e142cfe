"""Doodle in, painting out: maps, their colors, a proposal; and that each thing is painted as the same thing."""

from __future__ import annotations

import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter
from tiny import tiny_encoder_file

from nst import styles
from nst.images import decode, encode, resize, to_tensor
from nst.stylize import doodle, map_colors, painted_map, propose_map
from nst.stylize.doodle import scattered
from nst.stylize.segmentation import MOST, meaning_planes

RED, GREEN, BLUE = "#d02010", "#109a40", "#2030c0"


def three() -> Image.Image:
    """A map of three things: most is blue, then red, then green."""
    drawn = Image.new("RGB", (96, 64), BLUE)
    ImageDraw.Draw(drawn).rectangle((0, 40, 95, 63), fill=RED)
    ImageDraw.Draw(drawn).ellipse((30, 8, 60, 38), fill=GREEN)
    return drawn


# ---- maps


def test_the_colors_of_a_map_come_from_most_to_least():
    assert map_colors(to_tensor(three())) == [BLUE, RED, GREEN]


def test_soft_edges_and_jpeg_bring_no_colors_of_their_own():
    soft = three().resize((480, 320)).filter(ImageFilter.GaussianBlur(1.5))
    jpeg = decode(encode(soft, format="jpeg", quality=70)).rgb
    for one in (soft, jpeg):
        found = torch.cat([to_tensor(Image.new("RGB", (1, 1), color)) for color in map_colors(to_tensor(one))])
        wanted = torch.cat([to_tensor(Image.new("RGB", (1, 1), color)) for color in (BLUE, RED, GREEN)])
        assert found.shape == wanted.shape and (found - wanted).abs().max() < 0.05


def test_a_photo_is_no_map():
    with pytest.raises(ValueError, match="no map"):
        map_colors(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))


def test_every_pixel_means_the_nearest_color():
    planes = meaning_planes(to_tensor(three()), [BLUE, RED, GREEN])
    assert planes.shape == (1, 3, 64, 96) and (planes.sum(1) == 1).all()
    assert planes[0, 1, 50].all() and planes[0, 2, 20, 45] == 1 and planes[0, 0, 2, 2] == 1


def test_strokes_lie_over_the_ground():
    layer = Image.new("RGBA", (48, 32))
    ImageDraw.Draw(layer).rectangle((0, 0, 23, 31), fill=GREEN)
    colors = [BLUE, RED, GREEN]
    made = painted_map(to_tensor(three()), [layer], colors)
    assert made.shape == (1, 3, 64, 96)
    planes = meaning_planes(made, colors)
    assert planes[0, 2, :, :46].all() and planes[0, 1, 50, 50:].all()
    assert torch.equal(painted_map(made, [], colors), made)


def test_a_proposal_is_a_map_of_few_parts_that_finds_what_differs():
    painting = to_tensor(three()) + 0.04 * torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    made = propose_map(painting.clamp(0, 1), size=96)
    colors = map_colors(made)
    assert 3 <= len(colors) <= 7 and made.shape == (1, 3, 64, 96)
    middles = [made[0, :, y, x] for y, x in ((4, 4), (52, 48), (23, 45))]
    assert len({tuple(color.tolist()) for color in middles}) == 3
    assert torch.equal(made, propose_map(painting.clamp(0, 1), size=96)), "the same seed, the same map"
    plain = propose_map(torch.full((1, 3, 40, 60), 0.5), size=60)
    assert len(map_colors(plain)) == 1


@pytest.mark.parametrize("name", styles.list_maps())
def test_drawn_styles_know_what_is_where(name):
    made, words = styles.load_map(name, 128), styles.meanings(name)
    assert sorted(map_colors(to_tensor(made))) == sorted(words.values()) and len(words) <= MOST
    example = styles.load_doodle(name, 128)
    assert example.size == made.size and set(map_colors(to_tensor(example))) <= set(words.values())
    assert len(map_colors(to_tensor(example))) == len(words), "the example has everything in it"
    with pytest.raises(styles.StyleNotFound, match="no map"):
        styles.load_map("glass")


# ---- painting


def test_the_start_has_each_thing_in_its_own_pixels():
    given = meaning_planes(to_tensor(three()), [BLUE, RED, GREEN])
    style = to_tensor(three()).roll(0)
    turned = given.flip(-2)
    start = scattered(turned, style, given, 0)
    assert torch.equal(start, style.flip(-2)), "flat things are what they were, elsewhere"


@pytest.mark.parametrize("style_loss", ["patches", "gram", "patches+wasserstein"])
def test_each_thing_is_painted_as_the_same_thing(tmp_path, style_loss):
    style = to_tensor(three())
    drawn = style.flip(-2)  # what was above is to be below
    steps = list(
        doodle(
            drawn,
            style,
            style,
            encoder=tiny_encoder_file(tmp_path),
            size=64,
            num_steps=30,
            preset="draft",
            init="noise",
            style_loss=style_loss,
            tv_weight=0.0,
        )
    )
    image = steps[-1].image
    assert image.shape == (1, 3, 43, 64) and steps[-1].index == steps[-1].total == 30
    errors = [(image - other).abs().mean() for other in (resize(drawn, 64), resize(style, 64))]
    assert errors[0] < 0.85 * errors[1], "a tiny encoder knows little, but by this much where things are"
