"""Known answers of the measures of what networks spoil: lattices, blobs, color fringes and blur, drawn and found."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import picture
from torch import Tensor

from nst.images import resize
from nst.metrics import (
    blob_area,
    color_fringes,
    flat_blur,
    hatching,
    lattice_energy,
    pastiche_score,
    ripples,
    stroke_lines,
)
from nst.research.evaluate.sweeps import blurred


def texture(seed: int = 1, side: int = 128) -> Tensor:
    """Grey noise (1, 3, side, side) whose detail falls off toward fine scales, as in a painting."""
    noise = torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(seed))
    layers = [blurred(noise, sigma) * sigma for sigma in (0.5, 1, 2, 4, 8)]
    return (0.5 + 0.05 * torch.stack(layers).sum(0)).clamp(0, 1).expand(1, 3, -1, -1)


def wave(period: float, angle: float = 0.0, side: int = 128) -> Tensor:
    """A wave from -1 to 1 (1, 1, side, side)."""
    y, x = torch.meshgrid(torch.arange(float(side)), torch.arange(float(side)), indexing="ij")
    return torch.sin(2 * math.pi * (x * math.cos(angle) + y * math.sin(angle)) / period + 0.5)[None, None]


@pytest.mark.parametrize("period", [4, 8])
def test_a_drawn_lattice_has_its_own_amplitude(period):
    drawn = texture() + 0.04 * wave(period)
    found = lattice_energy(drawn, period) ** 2 - lattice_energy(texture(), period) ** 2
    assert found == pytest.approx(0.04**2 / 2, rel=0.15)
    assert lattice_energy(texture(), period) < 0.005
    others = [lattice_energy(drawn, other) for other in (2, 4, 8) if other != period]
    assert max(others) < 0.006 and lattice_energy(drawn) >= lattice_energy(drawn, period)


def test_a_checkerboard_is_a_lattice_and_strokes_are_none():
    board = (torch.arange(128)[:, None] + torch.arange(128)) % 2 * 0.1 + 0.4
    assert lattice_energy(board.expand(1, 3, -1, -1), 2) == pytest.approx(0.05, rel=0.1)
    assert lattice_energy((0.5 + 0.2 * wave(13, 0.7)).expand(1, 3, -1, -1)) < 0.003
    assert lattice_energy(picture(1, 24, 24)) == 0, "too small to tell"
    with pytest.raises(ValueError, match=r"The period of a lattice is 2, 4, 8"):
        lattice_energy(texture(), 3)


def wiggling(width: float, side: int = 128) -> Tensor:
    """Lines (1, 1, side, side) of one width in all directions, of deviation 1: noise of one band of waves."""
    band = torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(3))
    for _ in range(3):
        band = blurred(band, width / 6) - blurred(band, width / 3.5)
    return band / band.std()


@pytest.mark.parametrize("side", [128, 256])
def test_ripples_show_in_texture_and_strokes_of_all_widths_are_none(side):
    assert ripples(texture(side=side)) < 0.4
    for width in (5, 7, 10):
        assert ripples(texture(side=side) + 0.05 * wiggling(width, side)) > 1
    assert ripples(torch.full((1, 3, side, side), 0.5)) < 0.1 and ripples(picture(1, 100, 200)) == 0


def test_hatching_shows_in_texture_and_not_in_its_resizing():
    hatched = (texture() + 0.03 * wave(2.7, 1.2) + 0.03 * wave(2.7, 1.9)).clamp(0, 1)
    assert hatching(texture()) < 0.15 and hatching(hatched) > hatching(texture()) + 0.25
    assert hatching(resize(texture(), 200)) < 0.2 and hatching(resize(texture(), 90)) < 0.2
    assert hatching(torch.full((1, 3, 64, 64), 0.5)) == pytest.approx(0, abs=1e-6) and hatching(picture(1, 24, 24)) == 0


def test_a_drawn_blob_has_its_area_and_neither_photo_nor_style_may_have_it():
    photo = 0.6 * texture(2)
    drawn = photo.clone()
    drawn[..., 40:60, 30:70] = 1.0
    assert blob_area(photo) == 0 and blob_area(drawn) == pytest.approx(20 * 40 / 128**2, rel=0.02)
    assert blob_area(drawn, photo, photo) == blob_area(drawn)
    assert blob_area(drawn, drawn) == 0 and blob_area(drawn, photo, drawn) == 0
    for glow, area in (((1.0, 1.0, 0.4), 20 * 40 / 128**2), ((0.99, 0.93, 0.87), 0)):
        drawn[..., 40:60, 30:70] = torch.tensor(glow).view(1, 3, 1, 1)
        assert blob_area(drawn, photo) == pytest.approx(area, rel=0.02), "a wall of cream is painted, a glow is not"
    line = photo.clone()
    line[..., 40:43, :] = 1.0
    assert blob_area(line) == 0, "a bright line is no blob"
    with pytest.raises(ValueError, match="of one size"):
        blob_area(drawn, photo[..., :100])


def test_contours_that_are_green_on_one_side_and_red_on_the_other_have_fringes():
    grey = texture()
    red, green, blue = grey.split(1, 1)
    assert color_fringes(grey) == pytest.approx(0, abs=1e-6)
    fringed = torch.cat([red.roll(1, -1), green, blue.roll(-1, -1)], 1)
    worse = torch.cat([red.roll(2, -1), green, blue.roll(-2, -1)], 1)
    assert 0.2 < color_fringes(fringed) < color_fringes(worse)
    tinted = grey * torch.tensor([1.0, 0.8, 0.6]).view(1, 3, 1, 1)
    assert color_fringes(tinted) < 0.5 * color_fringes(fringed), "a tint is none"


def test_a_flat_area_without_strokes_is_blurred():
    style, photo = texture(3), texture(4).clone()
    photo[..., :48] = 0.5
    spoiled = style.clone()
    spoiled[..., :48] = blurred(style, 3.0)[..., :48]
    assert flat_blur(style, photo, style) == pytest.approx(1, abs=0.2)
    assert flat_blur(spoiled, photo, style) > 1.25 * flat_blur(style, photo, style)
    spoiled[..., :64] = 0.5
    assert flat_blur(spoiled, photo, style) == 4
    busy = style.clone()
    busy[..., 64:] = blurred(style, 3.0)[..., 64:]
    assert flat_blur(busy, photo, style) == pytest.approx(flat_blur(style, photo, style), abs=0.05), (
        "elsewhere it may be"
    )


def test_strokes_are_as_long_and_as_straight_as_drawn():
    y, x = torch.meshgrid(torch.arange(192.0), torch.arange(192.0), indexing="ij")

    def drawn(value: Tensor) -> Tensor:
        return blurred(value.expand(1, 3, -1, -1).float(), 0.7)

    short, long = (stroke_lines(drawn(((x % (length + 20) < length) & (y % 16 < 6)).double())) for length in (20, 50))
    assert 15 < short[0] < 32 and 40 < long[0] < 65
    lines = stroke_lines((0.5 + 0.5 * wave(16, 0.4, 192)).expand(1, 3, -1, -1))
    assert lines[0] > 80 and lines[1] > 0.98
    rings = stroke_lines((0.5 + 0.5 * torch.sin(((x - 96) ** 2 + (y - 96) ** 2).sqrt() / 3)).expand(1, 3, -1, -1))
    assert rings[1] < 0.9 < lines[1]
    assert stroke_lines(torch.full((1, 3, 64, 64), 0.5)) == (0.0, 0.0)


def test_each_blemish_alone_makes_a_result_unclean():
    style, photo = texture(5, 256), (0.8 * texture(6, 256)).clamp(0, 0.8)
    clean = 0.5 * style + 0.5 * photo
    red, green, blue = clean.split(1, 1)
    blob = clean.clone()
    blob[..., 100:140, 100:140] = 1.0
    spoiled = {
        "ripples": (clean + 0.05 * wiggling(5, 256)).clamp(0, 1),
        "hatching": (clean + 0.05 * wave(2.7, 1.2, 256) + 0.05 * wave(2.7, 1.9, 256)).clamp(0, 1),
        "fringes": torch.cat([red.roll(2, -1), green, blue.roll(-2, -1)], 1),
        "blob": blob,
    }
    assert pastiche_score(clean, style, photo).parts["cleanness"] > 0.9
    for name, image in spoiled.items():
        assert pastiche_score(image, style, photo).parts["cleanness"] < 0.6, name
