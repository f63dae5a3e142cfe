"""Photo-real: colors moved as one Gaussian distribution to another, by the region; look-up tables."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from tiny import picture

from nst.__main__ import main
from nst.color import to_lab
from nst.images import ImageError, decode, read_recipe, save, save_cube, to_pil, to_tensor
from nst.metrics import luminance_ssim
from nst.stylize import color_modes, color_table, move_colors, style_transfer
from nst.stylize.photoreal import (
    GAIN,
    NOISE,
    Change,
    Colors,
    blended,
    edged,
    measure,
    mixed,
    pair_regions,
    transport,
)


def colored(mean: tuple[float, float, float], spread: float = 0.05, seed: int = 0, height: int = 48) -> torch.Tensor:
    """A smooth picture of such colors (1, 3, height, 64)."""
    noise = F.interpolate(torch.randn(1, 3, 6, 8, generator=torch.Generator().manual_seed(seed)), (height, 64))
    return (torch.tensor(mean).view(1, 3, 1, 1) + spread * noise).clamp(0, 1)


def gaussian(mean: list[float], deviations: list[float], turn: float = 0.0) -> Colors:
    turned = torch.linalg.matrix_exp(torch.tensor([[0, -turn, 0], [turn, 0, 0], [0, 0, 0]]).double())
    squares = torch.diag(torch.tensor(deviations).double() ** 2) - NOISE**2 * torch.eye(3).double()
    return Colors(torch.tensor(mean).double(), turned @ squares @ turned.T)


def read_cube(path) -> torch.Tensor:
    """The colors of a .cube file by the numbers of red, green and blue, (points, points, points, 3)."""
    head, *lines = path.read_text().splitlines()
    points = int(head.removeprefix("LUT_3D_SIZE "))
    values = torch.tensor([[float(word) for word in line.split()] for line in lines])
    return values.view(points, points, points, 3).permute(2, 1, 0, 3)  # red changes fastest in the file


def looked_up(cube: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """An image (1, 3, H, W) through a table, trilinear."""
    places = image.permute(0, 2, 3, 1)[:, None] * 2 - 1  # (red, green, blue), as x, y, z
    volume = cube.permute(3, 2, 1, 0)[None]
    return F.grid_sample(volume, places, mode="bilinear", align_corners=True)[:, :, 0]


# ---- one distribution to another


def test_gaussian_colors_become_those_that_are_wanted():
    own, wanted = gaussian([50, 3, -8], [12, 6, 5], 0.3), gaussian([60, -5, 10], [15, 8, 4], 0.9)
    change, noise = transport(own, wanted), NOISE**2 * torch.eye(3).double()
    assert torch.allclose(change.matrix @ own.mean + change.offset, wanted.mean)
    moved = change.matrix @ (own.covariance + noise) @ change.matrix.T
    assert torch.allclose(moved, wanted.covariance + noise) and torch.allclose(change.matrix, change.matrix.T)


def test_of_independent_channels_each_is_scaled():
    change = transport(gaussian([50, 0, 0], [10, 5, 4]), gaussian([40, 1, 2], [15, 4, 4]))
    assert torch.allclose(change.matrix, torch.diag(torch.tensor([1.5, 0.8, 1.0]).double()))
    assert torch.allclose(change.offset, torch.tensor([-35.0, 1, 2]).double())


def test_contrast_rises_and_falls_within_bounds():
    flat, rough = gaussian([50, 0, 0], [4, 4, 4]), gaussian([50, 0, 0], [40, 40, 40])
    for pair, gain in (((flat, rough), GAIN[1]), ((rough, flat), GAIN[0])):
        assert torch.allclose(transport(*pair).matrix, gain * torch.eye(3).double())
    sky = measure(colored((0.4, 0.6, 0.9), 0.0))
    assert torch.allclose(transport(sky, gaussian([50, 0, 0], [NOISE] * 3)).matrix, torch.eye(3).double())


def test_a_mixture_has_the_moments_of_all_its_pixels():
    first, second = colored((0.2, 0.3, 0.7), seed=1), colored((0.8, 0.6, 0.3), seed=2, height=96)
    both, whole = (measure(first), measure(second)), measure(torch.cat([first, second], 2))
    found = mixed(both, torch.tensor([1 / 3, 2 / 3]).double())
    assert torch.allclose(found.mean, whole.mean) and torch.allclose(found.covariance, whole.covariance)


# ---- regions


def test_regions_are_paired_with_what_is_like_them():
    cost = 9 * (1 - torch.eye(3).double().flip(0))
    areas = torch.tensor([0.2, 0.3, 0.5]).double()
    plan = pair_regions(cost, areas, areas.flip(0))
    assert torch.allclose(plan, torch.diag(areas).flip(1), atol=1e-6)
    even = pair_regions(torch.ones(3, 3).double(), areas, areas)
    assert torch.allclose(even.sum(1), areas) and torch.allclose(even, even.sum(0) * areas[:, None])
    taken = pair_regions(cost, areas, torch.tensor([0.5, 0.4, 0.1]).double())
    assert taken.argmax(1).tolist() == [2, 1, 0] and taken[0, 2] > 0.15, "of what is rare in the style, more is taken"


def test_soft_regions_have_the_edges_of_the_photo_at_any_size():
    photo = torch.zeros(1, 3, 96, 128)
    photo[..., 70:] = torch.tensor([0.8, 0.7, 0.2]).view(3, 1, 1)
    small = F.avg_pool2d(photo, 2)
    rough = torch.zeros(1, 2, 48, 64)
    rough[:, 0, :, :32], rough[:, 1, :, 32:] = 1, 1  # the edge is at 35
    moved = [Change(torch.eye(3).double(), torch.tensor([light, 0, 0]).double()) for light in (0.0, 10.0)]
    lab = to_lab(photo)
    change = to_lab(blended(lab, photo, edged(small, rough), moved))[0, 0] - lab[0, 0]
    across = change[48]
    assert across[:20].max() < 2 and across[100:].min() > 8
    assert across[71] - across[68] > 4, "the change is where the photo has its edge"
    assert (across[72:90].diff().abs().max() < 0.5) and across[50:68].diff().abs().max() < 0.5, "and nowhere else"


@pytest.mark.parametrize(("horizon", "other"), [(40, 56), (24, 72), (72, 24)])
def test_sky_goes_to_sky_and_ground_to_ground(horizon, other):
    """However large each is in the two pictures, and though one change for the whole cannot give both."""
    sky, ground = (0.55, 0.7, 0.9), (0.25, 0.3, 0.15)
    dusk, sand = (0.9, 0.6, 0.5), (0.35, 0.2, 0.35)
    photo = torch.cat([colored(sky, 0.02, 1, horizon), colored(ground, 0.02, 2, 96 - horizon)], 2)
    style = torch.cat([colored(dusk, 0.02, 3, other), colored(sand, 0.02, 4, 96 - other)], 2)
    whole, regions = next(move_colors(photo, style, size=96, strength=100)).image.split(1)
    for rows, wanted in ((slice(0, horizon - 4), dusk), (slice(horizon + 4, None), sand)):
        aim = to_lab(torch.tensor(wanted).view(1, 3, 1, 1)).flatten()
        apart = [float((to_lab(one[..., rows, :]).mean((0, 2, 3)) - aim).norm()) for one in (whole, regions)]
        assert apart[1] < 0.35 * apart[0]


def test_nothing_is_drawn_and_at_no_strength_nothing_changes():
    photo, style = picture(1, 48, 64), picture(2, 64, 64)
    for one in next(move_colors(photo, style, size=64, strength=0)).image.split(1):
        assert torch.allclose(one, photo, atol=2e-3)
    for one in next(move_colors(photo, photo, size=64, strength=100)).image.split(1):
        assert float((one - photo).abs().mean()) < 0.02
    assert luminance_ssim(next(move_colors(photo, style, size=64)).image[1:], photo) > 0.7


# ---- look-up tables


def test_a_table_that_is_read_back_does_what_was_done_to_the_photo(tmp_path):
    photo, style = colored((0.4, 0.5, 0.6), 0.1, 1), colored((0.6, 0.4, 0.3), 0.1, 2)
    cube = read_cube(save_cube(tmp_path / "look.cube", color_table(photo, style, 80)))
    assert cube.shape == (33, 33, 33, 3) and 0 <= cube.min() < cube.max() <= 1
    wanted = next(move_colors(photo, style, size=64, strength=80)).image[:1]
    assert float((looked_up(cube, photo) - wanted).abs().max()) < 4 / 255


def test_red_changes_fastest_in_a_table(tmp_path):
    same = color_table(picture(1), picture(2), strength=0, points=17)
    cube = read_cube(save_cube(tmp_path / "same.cube", same))
    steps = torch.linspace(0, 1, 17)
    assert torch.allclose(cube, torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"), -1), atol=2e-3)
    with pytest.raises(ImageError, match=r"ends in \.cube"):
        save_cube(tmp_path / "same.png", same)


# ---- as a setting


def test_it_is_a_way_to_stylize_and_a_view_of_colors():
    photo, style = picture(1, 48, 64), picture(2, 64, 64)
    whole, regions = next(move_colors(photo, style, size=64, strength=70)).image.split(1)
    (step,) = style_transfer(photo, style, size=64, strength=70, photoreal=True)
    assert torch.equal(step.image, regions) and (step.index, step.total) == (1, 1)
    (step,) = color_modes(photo, style, size=64, strength=70, photoreal=True)
    assert torch.allclose(step.image, torch.cat([photo, whole, regions]), atol=1e-6)
    with pytest.raises(ValueError, match="one style, not of 2"):
        next(style_transfer(photo, [style, style], photoreal=True))


def test_commands_write_the_picture_and_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, seed in (("photo", 1), ("style", 2)):
        save(tmp_path / f"{name}.png", to_pil(picture(seed, 48, 64)))
    words = ["photo.png", "--style", "style.png", "--photoreal", "--size", "64", "--lut"]
    assert main(["stylize", *words, "look.cube", "-o", "a.png"]) == 0
    (step,) = style_transfer(
        *(to_tensor(decode(f"{name}.png")) for name in ("photo", "style")), size=64, photoreal=True
    )
    assert to_pil(step.image).tobytes() == decode("a.png").rgb.tobytes()
    assert read_recipe("a.png")["settings"]["photoreal"] is True and read_cube(tmp_path / "look.cube").shape[0] == 33
    assert "look.cube" in capsys.readouterr().out
    assert main(["colors", *words, "second.cube", "-o", "sheet/"]) == 0
    assert (tmp_path / "second.cube").read_text() == (tmp_path / "look.cube").read_text()
    assert len(list((tmp_path / "sheet").iterdir())) == 3
    assert main(["stylize", *words, "look.png", "-o", "b.png"])
    assert "ends in .cube" in capsys.readouterr().err and not (tmp_path / "b.png").exists()
