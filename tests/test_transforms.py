"""Views of a picture that is optimized: moved, reflected at the edges, and compared with what belongs there."""

from __future__ import annotations

import pytest
import torch
from tiny import picture, tiny_encoder

from nst.device import choose_device
from nst.losses import ContentLoss, PerceptualLoss, StyleLoss
from nst.optimize import optimize
from nst.params import PixelImage
from nst.transforms import Moved, Shifts

LAYERS = ("relu1_1", "relu2_1", "relu3_1")


def shifts(**settings) -> Shifts:
    return Shifts(24, 32, torch.device("cpu"), **settings)


def test_the_first_view_is_the_picture_and_all_come_in_turn():
    image, views = picture(1), shifts()
    assert torch.equal(views(image), image)
    seen = []
    for each in views.each(image):
        assert torch.equal(views(image), each)
        seen.append(each)
        views.turn()
    assert len(seen) == 8 and torch.equal(views(image), image)
    assert all(not torch.equal(a, b) for i, a in enumerate(seen) for b in seen[:i])


def test_what_is_moved_in_is_the_reflection_of_the_picture():
    columns = torch.arange(32.0).expand(1, 1, 24, 32)
    for view in shifts(reach=5).each(columns):
        row = view[0, 0, 0]
        assert row.min() >= 0 and row.max() <= 31 and (row.diff().abs() == 1).all(), "no wrapped edge"
        assert abs(float(row[16]) - 16) <= 5


@pytest.mark.parametrize("side", [1, 3])
def test_pictures_smaller_than_the_reach_have_views(side):
    image = torch.rand(1, 3, side, 40)
    views = Shifts(side, 40, torch.device("cpu"))
    for view in views.each(image):
        assert view.shape == image.shape and torch.equal(views(image), view)
        views.turn()


def test_content_and_guides_are_compared_where_they_are_in_the_view():
    encoder, image, views = tiny_encoder(), picture(1), shifts()
    each = [encoder(view, LAYERS) for view in views.each(image)]
    kept = {name: torch.cat([one[name] for one in each]) for name in LAYERS}
    guide = {name: torch.rand(8, 1, *kept[name].shape[-2:]) for name in LAYERS}
    content = ContentLoss(kept, LAYERS)
    for i in range(8):
        seen = Moved(encoder, views)(image, LAYERS)
        assert float(content(seen)["content"]) == pytest.approx(0, abs=1e-10)
        assert torch.equal(seen["image"], image), "what is regularized and shown is not moved"
        own = {name: guide[name][i : i + 1] for name in LAYERS}
        all_views, one = (StyleLoss(encoder(picture(2), LAYERS), LAYERS, guides=g) for g in (guide, own))
        plain = {name: x for name, x in seen.items() if name != "view"}
        assert float(all_views(seen)["style"]) == pytest.approx(float(one(plain)["style"]))
        views.turn()


def test_a_run_goes_downhill_in_all_views():
    encoder, views, image = tiny_encoder(), shifts(), PixelImage(picture(1))
    criterion = PerceptualLoss([StyleLoss(encoder(picture(2), LAYERS), LAYERS)])
    before = [float(criterion(encoder(view, LAYERS))["style"].detach()) for view in views.each(image())]
    cpu = choose_device("cpu", "float32")
    for _ in optimize(image, encoder, criterion, device=cpu, num_steps=40, transforms=views):
        pass
    after = [float(criterion(encoder(view, LAYERS))["style"].detach()) for view in views.each(image())]
    assert all(new < 0.5 * old for new, old in zip(after, before, strict=True))
