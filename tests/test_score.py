"""The pastiche score: its ends, its parts, who may judge, and what it does not care about."""

from __future__ import annotations

import pytest
import torch
from tiny import picture, tiny_encoder_file

from nst.color import recolor
from nst.images import resize, to_tensor
from nst.metrics import PARTS, Judge, find_judge, pastiche_score
from nst.metrics.score import total_of
from nst.research.evaluate.sweeps import blurred, compressed, noisy
from nst.styles import load_content, thumbnail


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    return resize(to_tensor(load_content("chelsea")), 160)


@pytest.fixture(scope="module")
def style() -> torch.Tensor:
    return resize(to_tensor(load_content("coffee")), 160)


@pytest.fixture(scope="module")
def pastiche(photo, style) -> torch.Tensor:
    """The photo's large shapes in the other picture's colors, and its detail."""
    large = torch.from_numpy(blurred(recolor(photo, style, "pca"), 3).numpy())
    detail = resize(style, (photo.shape[-2], photo.shape[-1]))
    return (large + detail - blurred(detail, 3)).clamp(0, 1)


def test_neither_the_photo_nor_the_style_is_a_pastiche(photo, style, pastiche):
    assert pastiche_score(photo, style, photo).total < 1
    itself = resize(style, (photo.shape[-2], photo.shape[-1]))
    assert pastiche_score(itself, style, photo).total < 0.7 * pastiche_score(pastiche, style, photo).total


def test_a_picture_in_its_own_style_is_perfect(photo):
    found = pastiche_score(photo, photo, photo)
    assert found.total > 97 and set(found.parts) == set(PARTS)


def test_damage_costs(photo, style, pastiche):
    whole = pastiche_score(pastiche, style, photo).total
    for damage in (noisy(pastiche, 0.2), blurred(pastiche, 2), compressed(pastiche, 8)):
        assert pastiche_score(damage, style, photo).total < whole - 2
    assert pastiche_score(compressed(pastiche, 8), style, photo).parts["cleanness"] < 0.8
    assert pastiche_score(noisy(pastiche, 0.2), style, photo).parts["cleanness"] < 0.5


def test_grain_is_no_color_and_a_faint_ghost_is_noticed(photo, style):
    flat = torch.full_like(photo, 0.5)
    colors = [pastiche_score(noisy(flat, level), style, photo).parts["color"] for level in (0, 0.1)]
    assert colors[1] == pytest.approx(colors[0], abs=0.05)
    ghost = photo + 0.1 * (photo.flip(-1) - 0.5)
    assert pastiche_score(ghost.clamp(0, 1), style, photo).parts["content"] < 0.99


def test_what_is_behind_is_told_apart(photo, style, pastiche):
    found = pastiche_score(pastiche, style, photo)
    wrong_photo = pastiche_score(pastiche, style, photo.flip(-1))
    assert wrong_photo.parts["content"] < found.parts["content"] - 0.3
    assert wrong_photo.parts["color"] == pytest.approx(found.parts["color"], abs=1e-4)
    grey = pastiche.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    assert pastiche_score(grey, style, photo).parts["color"] < found.parts["color"]


def test_colors_that_were_near_all_along_are_near(photo):
    style = photo.flip(-1).clamp(0, 0.97)
    assert pastiche_score(photo, style, photo).parts["color"] > 0.6
    assert pastiche_score(0.9 * photo, style, photo).parts["color"] > 0.2


def test_sizes_and_small_crops_hardly_matter(photo, style, pastiche):
    whole = pastiche_score(pastiche, style, photo).total
    resized = pastiche_score(resize(pastiche, 320), resize(style, 240), resize(photo, 100)).total
    assert resized == pytest.approx(whole, abs=4)
    cut = (..., slice(4, -4), slice(6, -6))
    assert pastiche_score(pastiche[cut], style, photo[cut]).total == pytest.approx(whole, abs=4)


def test_a_texture_is_judged_without_a_photo(style):
    found = pastiche_score(style.flip(-1), style)
    assert set(found.parts) == {"texture", "color", "cleanness"} and not found.content and found.total > 60
    assert pastiche_score(picture(3, 64, 64), style).total < found.total


def test_several_styles_are_one_aim(photo, style):
    other = picture(4, 80, 100)
    both = pastiche_score(style, [style, other], photo, style_weights=[1, 0])
    assert both.parts["color"] == pytest.approx(pastiche_score(style, style, photo).parts["color"], abs=0.05)
    with pytest.raises(ValueError, match="2 style weights"):
        pastiche_score(style, [style, other], style_weights=[1])


def test_the_total_is_a_weighted_geometric_mean():
    parts = dict.fromkeys(PARTS, 0.5)
    assert total_of(parts) == pytest.approx(50)
    assert total_of(parts | {"content": 0.0}) == 0
    assert total_of(parts | {"content": 0.0}, without=["content"]) == pytest.approx(50)


def test_another_judge_sees_its_own_layers(photo, style, tmp_path):
    judge = find_judge(tiny_encoder_file(tmp_path))
    found = pastiche_score(photo, style, photo, judge=judge)
    assert isinstance(judge, Judge) and list(found.texture) == list(judge.style_layers)
    assert list(found.content) == ["relu3_1", "relu4_1"] and found.judge == judge.name
    with pytest.raises(ValueError, match="no model"):
        find_judge("nobody")


@pytest.mark.parametrize("height, width", [(3, 5), (1, 40), (16, 16)])
def test_tiny_pictures_have_a_score(height, width):
    image = picture(1, height, width)
    assert 0 <= pastiche_score(image, image, image).total <= 100


def test_grey_flat_and_transparent_pictures_have_a_score(style):
    flat = torch.full((1, 3, 40, 60), 0.5)
    assert pastiche_score(flat, flat, flat).total > 95
    assert pastiche_score(flat, style, flat).total < 5 and 0 <= pastiche_score(style, flat, style).total <= 100


def test_other_proportions_are_refused(photo, style):
    with pytest.raises(ValueError, match="same proportions"):
        pastiche_score(photo[..., :60], style, photo)


def test_the_drawn_styles_are_each_nearest_to_themselves():
    names = ("waves", "mosaic", "night")
    pictures = {name: to_tensor(thumbnail(name)) for name in names}
    for name, image in pictures.items():
        half = image[..., : image.shape[-1] // 2]
        scores = {other: pastiche_score(half, aim).total for other, aim in pictures.items()}
        assert max(scores, key=scores.__getitem__) == name
