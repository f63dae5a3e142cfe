"""Known answers and invariances of the measures by layer, of artifacts, and of the pyramid."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import picture, tiny_encoder

from nst.images import resize
from nst.losses.colors import speckle
from nst.metrics import (
    SCALES,
    Pyramid,
    checkerboard_energy,
    feature_agreement,
    grain,
    luminance_ssim,
    psnr,
    seam_energy,
    self_similarity,
    speckle_ratio,
    style_distances,
)

LAYERS = ("relu1_1", "relu3_1")


def waves(wavelength: float, angle: float = 0.0, side: int = 64) -> torch.Tensor:
    """A wave from black to white (1, 3, side, side), its crests this many pixels apart."""
    y, x = torch.meshgrid(torch.arange(float(side)), torch.arange(float(side)), indexing="ij")
    along = x * math.cos(angle) + y * math.sin(angle)
    return (0.5 + 0.5 * torch.sin(2 * math.pi * along / wavelength)).expand(1, 3, -1, -1)


@pytest.mark.parametrize("kind", ["gram", "mean-variance", "wasserstein"])
@pytest.mark.parametrize("encoder", [tiny_encoder(), Pyramid()])
def test_identical_pictures_are_at_no_distance(kind, encoder):
    image, layers = picture(1, 64, 64), SCALES if isinstance(encoder, Pyramid) else LAYERS
    found = style_distances(image, image, encoder, layers, kind)
    exact = 5e-4 if kind == "wasserstein" else 1e-9  # matrix roots are found by iteration
    assert list(found) == list(layers) and all(abs(d) < exact for d in found.values())
    assert style_distances(1 - picture(5, 64, 64), image, encoder, layers, kind)[layers[0]] > 0.05


def test_style_distance_at_each_layer_is_that_of_the_layer_alone():
    image, style = picture(1, 48, 64), picture(2, 40, 50)
    both = style_distances(image, style, tiny_encoder(), LAYERS)
    assert both["relu3_1"] == pytest.approx(style_distances(image, style, tiny_encoder(), ["relu3_1"])["relu3_1"])


def test_agreement_knows_neither_gain_nor_offset():
    x = {"a": torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))}
    assert feature_agreement({"a": 3 * x["a"] + 5}, x, ["a"])["a"] == pytest.approx(1, abs=1e-5)
    assert feature_agreement({"a": -x["a"]}, x, ["a"])["a"] == pytest.approx(-1, abs=1e-5)
    other = {"a": torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))}
    assert abs(feature_agreement(other, x, ["a"])["a"]) < 0.2
    flat = {"a": torch.ones(1, 4, 8, 8)}
    assert feature_agreement(flat, flat, ["a"])["a"] == 1 and feature_agreement(flat, x, ["a"])["a"] == 0


def test_self_similarity_knows_what_is_like_what_and_not_how_it_looks():
    def halves(first: list[float], second: list[float]) -> torch.Tensor:
        colors = torch.tensor([first, second]).T[None, :, None]
        return colors.repeat_interleave(8, 3).expand(1, 3, 16, 16)

    def seen(image, layers):
        return dict.fromkeys(layers, image)

    photo, other = halves([1, 0, 0], [0, 0, 1]), halves([0, 0.3, 0], [0.9, 0, 0])
    assert self_similarity(other, photo, seen) == pytest.approx(1), "the same halves in other colors"
    assert self_similarity(photo.mT, photo, seen) == pytest.approx(0, abs=1e-9), "divided the other way"
    assert self_similarity(photo, photo, seen, places=16) == pytest.approx(1)
    flat = torch.full((1, 3, 16, 16), 0.4)
    assert self_similarity(flat, flat, seen) == 1 and self_similarity(flat, photo, seen) == 0


@pytest.mark.parametrize("measure", [luminance_ssim, psnr])
def test_other_sizes_are_refused_in_a_sentence(measure):
    with pytest.raises(ValueError, match=r"of one size, not 32 x 24 and 24 x 32 pixels\."):
        measure(picture(1, 24, 32), picture(1, 32, 24))
    with pytest.raises(ValueError, match="11 pixels"):
        luminance_ssim(picture(1, 8, 8), picture(1, 8, 8))


def test_grain_is_noise_and_not_edges():
    noise = 0.1 * torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    assert grain(noise) == pytest.approx(0.1, rel=0.03)
    squares = torch.zeros(1, 3, 128, 128)
    squares[..., 33:64, 21:90] = 1.0
    assert grain(squares) == 0 and grain(squares + noise) == pytest.approx(0.1, rel=0.05)
    assert grain(resize(picture(1, 64, 64), 128)) < 0.005 and grain(torch.rand(1, 3, 1, 5)) == 0


def test_seams_between_tiles_are_found():
    smooth = resize(picture(3, 64, 64), 128)
    tiled = smooth.clone()
    tiled[..., 16:32, :] += 0.1
    noisy = tiled + 0.01 * torch.randn(tiled.shape, generator=torch.Generator().manual_seed(0))
    clean = smooth + 0.01 * torch.randn(tiled.shape, generator=torch.Generator().manual_seed(0))
    assert seam_energy(clean, 16) == pytest.approx(1, abs=0.3) and seam_energy(noisy, 16) > 3
    with pytest.raises(ValueError, match="Tiles have sides"):
        seam_energy(picture(1), 2)


def test_a_frame_that_continues_has_no_seam():
    endless = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    endless = sum(endless.roll((i, j), (2, 3)) for i in range(4) for j in range(4)) / 16
    assert seam_energy(endless) == pytest.approx(1, abs=0.2)
    assert seam_energy(torch.linspace(0, 1, 64).expand(1, 3, 64, 64) + 0.01 * waves(7)) > 50
    assert seam_energy(torch.full((1, 3, 16, 16), 0.5)) == 1


def test_checkerboards_are_found():
    image = resize(picture(3, 64, 64), 128)
    grain = 0.01 * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    y, x = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")
    board = ((x + y) % 2).float()
    assert checkerboard_energy(board.expand(1, 3, -1, -1)) == pytest.approx(1, abs=0.1)
    assert checkerboard_energy(image + grain) < 0.02 < 0.5 < checkerboard_energy(image + grain + 0.05 * board)
    assert checkerboard_energy(torch.full((1, 3, 16, 16), 0.5)) == 0
    with pytest.raises(ValueError, match="period"):
        checkerboard_energy(picture(1, 16, 16), 8)


def amplitude(layer: torch.Tensor) -> torch.Tensor:
    """The strength of the lightness's waves by direction (1, 6, h, w)."""
    even, odd = layer[:, :6] - layer[:, 6:12], layer[:, 12:18] - layer[:, 18:24]
    return (even.square() + odd.square()).sqrt()


def test_the_pyramid_answers_to_its_own_wavelengths():
    strength = {}
    for i, name in enumerate(SCALES[:3]):
        features = Pyramid()(waves(4 * 2**i, side=128), SCALES[:3])
        strength = {layer: float(amplitude(features[layer])[:, 0, 4:-4, 4:-4].mean()) for layer in SCALES[:3]}
        assert max(strength, key=strength.__getitem__) == name
        assert strength[name] == pytest.approx((1, 0.73, 0.68)[i], abs=0.08), "1, but for what smoothing takes"


def test_the_pyramid_tells_directions_bright_from_dark_and_colors():
    flat = Pyramid()(torch.full((1, 3, 32, 32), 0.7), ["scale1"])["scale1"]
    assert flat.shape == (1, 36, 32, 32) and float(flat.abs().max()) < 1e-5
    across, down = (Pyramid()(waves(4, angle), ["scale1"])["scale1"].mean((0, 2, 3)) for angle in (0, math.pi / 2))
    assert int(across[:6].argmax()) == 0 and int(down[:6].argmax()) == 3
    line = torch.zeros(1, 3, 33, 33)
    line[..., 16] = 1
    bright, dark = (Pyramid()(x, ["scale1"])["scale1"][0, :, 16, 16] for x in (line, 1 - line))
    assert bright[0] > 0 == bright[6] and torch.allclose(dark[6:12], bright[:6], atol=1e-5)
    red = waves(4).clone()
    red[:, 1:] = 0.5
    assert float(Pyramid()(red, ["scale1"])["scale1"][:, 24:].mean()) > 0.01
    assert float(Pyramid()(waves(4), ["scale1"])["scale1"][:, 24:].abs().max()) < 1e-5, "grey waves have no color"


def test_the_pyramid_takes_any_size_and_knows_its_layers():
    features = Pyramid()(picture(1, 37, 50), ["scale2", "scale5"])
    assert {name: tuple(x.shape[-2:]) for name, x in features.items()} == {
        "image": (37, 50),
        "scale2": (19, 25),
        "scale5": (3, 4),
    }
    assert set(Pyramid()(picture(1, 3, 2), SCALES)) == {"image", *SCALES}
    with pytest.raises(ValueError, match="No layer relu1_1"):
        Pyramid()(picture(1), ["relu1_1"])


def test_speckle_is_noise_of_color_and_not_of_light():
    torch.manual_seed(0)
    grey, noise = torch.full((1, 3, 40, 50), 0.5), 0.1 * torch.randn(1, 1, 40, 50)
    assert speckle_ratio(grey + noise, grey) < 0.1
    split = grey.clone()
    split[..., 25:] = torch.tensor([0.6, 0.4, 0.5])[:, None, None]
    assert float(speckle(split + torch.cat([noise, -noise, 0 * noise], 1))) > 5 * float(speckle(split))
    assert speckle_ratio(split, split) == pytest.approx(1)
    one = picture(2, 40, 50)
    assert speckle_ratio(one, one) == pytest.approx(1, abs=0.05)
