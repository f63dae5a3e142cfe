"""Masks from strokes of a brush, and from files."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from nst.images import ImageError
from nst.stylize import open_mask, painted_masks

BLUE, RED, GREEN = COLORS = ["#2f44c8", "#e0442e", "#1f9d55"]


def layer(*strokes: tuple[str, tuple[int, int, int, int]], size: tuple[int, int] = (60, 40)) -> Image.Image:
    """A transparent layer with rectangles of a color, such as "#2f44c880" of half the opacity."""
    made = Image.new("RGBA", size)
    for color, box in strokes:
        ImageDraw.Draw(made).rectangle(box, fill=color)
    return made


def test_each_color_has_its_own_region():
    first, second, third = painted_masks([layer((BLUE, (0, 0, 19, 39)), (RED, (30, 10, 59, 29)))], COLORS)
    assert third is None and first.shape == second.shape == (1, 1, 40, 60)
    assert first[..., :20].min() == 1 and first[..., 20:].max() == 0
    assert second.sum() == 30 * 20 and second[..., 10:30, 30:].min() == 1


@pytest.mark.parametrize("opacity", [40, 128, 250])
def test_a_stroke_counts_as_much_as_it_is_opaque(opacity):
    _, red, _ = painted_masks([layer((f"{RED}{opacity:02x}", (0, 0, 29, 39)))], COLORS)
    assert torch.allclose(red[..., :30], torch.tensor(opacity / 255), atol=1e-6) and red[..., 30:].max() == 0


def test_with_a_brush_that_shows_what_is_beneath_a_full_stroke_covers_wholly():
    twice = Image.alpha_composite(layer((f"{BLUE}b3", (0, 0, 39, 39))), layer((f"{RED}b3", (20, 0, 59, 39))))
    blue, red, _ = painted_masks([twice], COLORS, opacity=0.7)
    assert blue[..., :20].min() > 0.99 and red[..., 20:].min() > 0.99 and torch.allclose(blue + red, torch.ones(1))


def test_the_nearest_color_counts():
    like_red = layer(("#d05040", (0, 0, 59, 39)))
    assert [mask is None for mask in painted_masks([like_red], COLORS)] == [True, False, True]


def test_what_lies_on_top_hides_what_is_beneath():
    beneath, top = layer((BLUE, (0, 0, 59, 39))), layer((f"{RED}80", (0, 0, 9, 39)))
    blue, red, _ = painted_masks([beneath, top], COLORS)
    assert torch.allclose(red[..., :10], torch.tensor(128 / 255)) and torch.allclose(blue + red, torch.ones(1))
    assert blue[..., 10:].min() == 1


def test_edges_fade_and_nothing_is_lost():
    hard, soft = (painted_masks([layer((BLUE, (20, 0, 39, 39)))], COLORS, softness)[0] for softness in (0, 0.1))
    assert set(hard.unique().tolist()) == {0.0, 1.0} and len(soft.unique()) > 5
    assert soft.mean() == pytest.approx(hard.mean().item(), abs=0.02)
    assert soft[0, 0, 20].diff()[:25].min() >= -1e-6, "toward the middle it only grows"


def test_nothing_painted_is_no_mask():
    assert painted_masks([], COLORS) == painted_masks([layer()], COLORS) == [None] * 3
    assert painted_masks([layer((BLUE, (3, 3, 3, 3)))], COLORS) == [None] * 3, "a speck is no region"


def test_a_layer_may_be_a_file_and_must_be_a_picture(tmp_path):
    stroke = layer((BLUE, (0, 0, 59, 39)))
    stroke.save(tmp_path / "layer.webp", lossless=True)
    buffer = io.BytesIO()
    stroke.save(buffer, "png")
    for source in (str(tmp_path / "layer.webp"), buffer.getvalue()):
        assert np.isclose(painted_masks([source], COLORS)[0].mean(), 1)
    with pytest.raises(ImageError, match="not a picture"):
        painted_masks([b"hello"], COLORS)
    with pytest.raises(ValueError, match="not all of one size"):
        painted_masks([stroke, layer(size=(8, 8))], COLORS)


@pytest.mark.parametrize("color", ["white", "#ff7f7f"])
def test_what_is_transparent_in_a_mask_does_not_count(color):
    """White on nothing, as a layer of a drawing program is saved: over white it would be all white."""
    shape = Image.new("L", (60, 40))
    ImageDraw.Draw(shape).rectangle((0, 0, 29, 39), fill=200)
    drawn = Image.new("RGBA", (60, 40), color)
    drawn.putalpha(shape)
    file = io.BytesIO()
    drawn.save(file, "PNG")
    mask = open_mask(file.getvalue())
    share = 200 / 255 * (1 if color == "white" else (255 + 127 + 127) / 765)
    assert mask.shape == (1, 1, 40, 60) and torch.allclose(mask[..., :30], torch.tensor(share), atol=0.005)
    assert mask[..., 30:].max() == 0
    black = Image.new("RGBA", (60, 40), "black")
    black.putalpha(shape)
    assert open_mask(black).max() == 0


def test_an_opaque_mask_is_as_it_stands():
    assert torch.allclose(open_mask(Image.new("RGB", (6, 4), (0, 128, 255))), torch.tensor(383 / 765))
