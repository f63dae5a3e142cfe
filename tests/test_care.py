"""Care where it matters: faces are found, what stands out is found, and both are kept better than the rest."""

from __future__ import annotations

import pytest
import torch
from tiny import picture, tiny_encoder

from nst.care import SALIENT, SIDE, care_map, face_map, find_faces, looked_at, saliency
from nst.fast import fast_stylize
from nst.images import resize, to_tensor
from nst.losses import ContentLoss, content_loss
from nst.styles import load_content
from nst.stylize import style_transfer
from nst.stylize.painting import ContentImage


def photo(name: str):
    return looked_at(to_tensor(load_content(name)))


@pytest.mark.parametrize(("name", "at"), [("portrait", (125, 130)), ("astronaut", (58, 113))])
def test_faces_are_found_where_they_are(name, at):
    centers = [(top + side / 2, left + side / 2) for top, left, side in find_faces(photo(name))]
    assert any(abs(y - at[0]) < 25 and abs(x - at[1]) < 25 for y, x in centers)
    care = face_map(photo(name))
    assert care[0, 0, at[0], at[1]] == 1 and care[0, 0, -1, -1] < 0.5


@pytest.mark.parametrize("name", ["coffee", "rocket", "chelsea", "hubble_deep_field"])
def test_none_are_found_where_there_are_none(name):
    assert find_faces(photo(name)) == [] and face_map(photo(name)).max() == 0


def test_what_stands_out_is_found_and_nothing_in_a_flat_picture():
    flat = torch.full((1, 3, 64, 96), 0.4)
    assert saliency(flat).max() < 0.01 and care_map(flat).max() < 0.01
    flat[..., 20:36, 60:76] = picture(1, 16, 16)
    seen = saliency(flat)[0, 0]
    assert seen[20:36, 60:76].mean() > 0.7 and seen[:, :30].mean() < 0.1


def test_the_map_of_a_large_photo_is_small():
    care = care_map(torch.rand(1, 3, 600, 900))
    assert max(care.shape[-2:]) == SIDE and care.min() >= 0 and care.max() <= SALIENT


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (20, 20)])
def test_any_photo_has_a_map(shape):
    care = care_map(torch.rand(1, 3, *shape))
    assert care.isfinite().all() and care.max() <= 1


def test_content_counts_by_the_care_of_its_place():
    x, y = torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4)
    x[..., 0, 0] = 1
    care = torch.ones(1, 1, 4, 4)
    care[..., 0, 0] = 5
    variance = torch.tensor(1.0)
    assert float(content_loss(x, y, variance, care)) == pytest.approx(5 * float(content_loss(x, y, variance)))
    features = tiny_encoder()(picture(1), ("relu1_1",))
    loss = ContentLoss(features, ("relu1_1",), care=torch.full((1, 1, 3, 4), 3.0))
    moved = tiny_encoder()(picture(2), ("relu1_1",))
    assert float(loss(moved)["content"]) == pytest.approx(
        3 * float(ContentLoss(features, ("relu1_1",))(moved)["content"])
    )


def test_care_counts_as_much_at_every_size():
    care = torch.tensor([3.0, 0.5]).expand(1, 1, 48, 2)
    small = ContentImage(picture(1, 96, 128), [], care=care).at(64).care
    assert small.shape == (1, 1, 48, 64) and small[..., 0].tolist() == [[[3.0] * 48]] and small[..., -1].max() == 0.5


def test_what_is_cared_for_stays_nearer_to_the_photo():
    content, left = picture(1, 72, 96), torch.zeros(1, 1, 72, 96)
    left[..., :48] = 1

    def leaning(**how):
        """How much further the left half is from the photo than the right one."""
        for step in style_transfer(content, picture(2, 72, 96), size=96, num_steps=8, preset="draft", **how):
            image = step.image
        lost = (image - content).square()
        return float(lost[..., :36].mean() / lost[..., 60:].mean())

    plain = leaning(keep_faces=0.0)
    assert leaning(care=left, keep_faces=100.0) < 0.85 * plain < plain < leaning(care=1 - left, keep_faces=100.0)
    with pytest.raises(ValueError, match="mask of care is empty"):
        leaning(care=torch.zeros(1, 1, 8, 8))


def test_networks_paint_faces_more_gently_and_all_else_the_same():
    content = resize(to_tensor(load_content("astronaut")), 256)
    plain, cared = (fast_stylize(content, ["starry_night"], size=256, keep_faces=keep) for keep in (0.0, 100.0))
    faces = face_map(content)[0, 0]
    off = [(image - content).square().mean(1)[0] for image in (plain, cared)]
    assert torch.equal(plain[..., faces == 0], cared[..., faces == 0])
    assert off[1][faces == 1].mean() < 0.7 * off[0][faces == 1].mean()
