"""The ground that networks paint on: grain goes, edges stay, and what takes its place is always the same."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from tiny import picture

from nst.models.johnson import TransformNet
from nst.models.preprocess import prepare_ground


def deviation(image: torch.Tensor) -> float:
    """Of what is finer than nine pixels."""
    return float((image - F.avg_pool2d(image, 9, 1, 4, count_include_pad=False)).std())


@pytest.fixture
def photo() -> torch.Tensor:
    """A dark and a bright half."""
    image = torch.full((1, 3, 64, 96), 0.2)
    image[..., 48:] = 0.8
    return image


def test_grain_goes_and_edges_stay(photo):
    torch.manual_seed(0)
    grainy = photo + 0.02 * torch.randn_like(photo)
    seen = prepare_ground(grainy)
    flat = ..., slice(8, 56), slice(8, 40)
    assert deviation((seen - prepare_ground(photo))[flat]) < 0.4 * deviation(grainy[flat])
    step = seen[..., 48].mean() - seen[..., 47].mean()
    assert step > 0.75 * 0.6


def test_flat_areas_are_uneven_always_in_the_same_way(photo):
    seen = prepare_ground(photo)
    assert torch.equal(seen, prepare_ground(photo)) and seen.shape == photo.shape
    assert 0.01 < float(seen[..., :40].std()) < 0.1
    assert torch.equal(prepare_ground(photo.repeat(2, 1, 1, 1))[1:], seen), "beside another as alone"


def test_noise_varies_in_training_only(photo):
    photos = photo.repeat(2, 1, 1, 1)
    torch.manual_seed(0)
    seen = prepare_ground(photos, True)
    assert not torch.equal(seen[0], seen[1])
    torch.manual_seed(0)
    assert torch.equal(seen, prepare_ground(photos, True))


def test_contrast_does_not_matter():
    photo = picture(0, 40, 60)
    pale = 0.5 + (photo - 0.5) / 2
    assert torch.allclose(prepare_ground(pale) - 0.5, (prepare_ground(photo) - 0.5) / 2, atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (1, 20), (2, 3), (33, 47)])
def test_any_size_will_do(size):
    assert prepare_ground(torch.rand(1, 3, *size)).isfinite().all()
    assert torch.allclose(prepare_ground(torch.full((1, 3, *size), 0.3)), torch.tensor(0.3))


def test_a_network_has_it_only_where_its_configuration_says_so():
    image = picture(1, 32, 40)
    plain, grounded = (TransformNet((4, 4, 8), 1, 3, ground=ground).eval() for ground in (False, True))
    grounded.load_state_dict(plain.state_dict())
    parameters = torch.zeros(1, plain.num_parameters)
    with torch.no_grad():
        assert torch.equal(grounded(image, parameters), plain(prepare_ground(image), parameters))
        assert not torch.equal(grounded(image, parameters), plain(image, parameters))
