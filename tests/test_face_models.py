"""Generators of faces: one interface, growth without jumps, styles that mix, and weights that are refused."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from nst.__main__ import main
from nst.models.dcgan import DCGAN, DCGANDiscriminator
from nst.models.progan import Equalized, GrowingDiscriminator, ProGAN, minibatch_deviation, pixel_norm
from nst.models.stylegan import StyledConv, StyleGAN, mix_styles
from nst.registry import load_model
from nst.research.train.growth import Growth, Stage, shrink
from nst.research.train.model_file import write_model
from nst.weights import WeightsError

CONFIGS = {
    "dcgan": (DCGAN, {"latent_dim": 16, "width": 4, "resolution": 16}),
    "progan": (ProGAN, {"latent_dim": 16, "widths": [8, 6], "patch": 2}),
    "stylegan": (StyleGAN, {"latent_dim": 16, "widths": [8, 6], "patch": 2, "depth": 2}),
}


def generator(name):
    torch.manual_seed(0)
    made = CONFIGS[name][0](**CONFIGS[name][1]).eval().requires_grad_(False)
    if name == "stylegan":
        made.center()
    if name == "dcgan":  # which begins with next to nothing
        for parameter in made.parameters():
            parameter.mul_(10 if parameter.ndim == 4 else 1)
    return made


@pytest.mark.parametrize("name", CONFIGS)
def test_a_number_always_gives_the_same_face(name):
    network = generator(name)
    faces = network.sample(3, 7, 0.7)
    assert faces.shape == (3, 3, 16, 16) and faces.dtype == torch.float32
    assert float(faces.min()) >= 0 and float(faces.max()) <= 1
    assert torch.equal(faces, network.sample(3, 7, 0.7))
    assert torch.allclose(faces[2:], network.sample(1, 9, 0.7), atol=1e-5), "face 9, whichever was asked for first"
    assert not torch.allclose(faces[0], faces[1], atol=1e-3)
    latent = torch.randn(2, network.latent_dim)
    assert network(latent).shape == (2, 3, network.resolution, network.resolution)


@pytest.mark.parametrize("name", CONFIGS)
def test_truncation_leads_to_the_mean_face(name):
    network = generator(name)
    spread = [float(network.sample(8, 0, t).std(0).mean()) for t in (0.0, 0.5, 1.0)]
    assert spread[0] == pytest.approx(0, abs=1e-5) and spread[1] > 1e-4
    if name == "stylegan":
        assert spread[0] < spread[1] < spread[2]


@pytest.mark.parametrize("name", CONFIGS)
def test_no_faces_and_no_such_truncation_are_told(name):
    for count in (0, -3):
        with pytest.raises(ValueError, match="At least one face"):
            generator(name).sample(count)
    for truncation in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="truncation is from 0"):
            generator(name).sample(1, 0, truncation)


def test_latents_are_normally_distributed():
    latents = generator("dcgan").latents(2000)
    assert abs(float(latents.mean())) < 0.02 and float(latents.std()) == pytest.approx(1, abs=0.02)
    narrow = generator("dcgan").latents(2000, truncation=0.5)
    assert float(narrow.abs().max()) <= 0.675, "the middle half of the normal distribution"
    assert torch.equal(narrow.sign(), latents.sign())


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_written_loads_strictly(name, tmp_path):
    network = generator(name)
    write_model(network, tmp_path, name, CONFIGS[name][1], {"step": 1, "steps": 1}, "A test.", license="other")
    path = tmp_path / f"{name}.safetensors"
    loaded = load_model(path)
    assert torch.allclose(loaded.sample(2, 0), network.sample(2, 0), atol=0.02)
    assert "license: other" in (tmp_path / "README.md").read_text()
    tensors = load_file(path)
    tensors.pop(next(iter(tensors)))
    save_file(tensors, tmp_path / "broken.safetensors", metadata={"architecture": name, "config": "{}"})
    with pytest.raises(WeightsError, match="does not fit"):
        load_model(tmp_path / "broken.safetensors")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(WeightsError):
        load_model(path)


def test_growth_is_continuous_at_both_ends():
    torch.manual_seed(1)
    latent = torch.randn(3, 16)
    for name, mode in (("progan", "nearest"), ("stylegan", "bilinear")):
        network = generator(name)
        start = network.styles(latent) if name == "stylegan" else latent
        paint = {
            (level, blend): network.paint(start, level=level, blend=blend)
            for level, blend in ((0, 1.0), (1, 0.0), (1, 0.5), (1, 1 - 1e-6), (1, 1.0))
        }
        before = F.interpolate(paint[0, 1.0], scale_factor=2, mode=mode)
        assert torch.allclose(paint[1, 0.0], before, atol=1e-6)
        assert torch.allclose(paint[1, 1 - 1e-6], paint[1, 1.0], atol=1e-4)
        assert not torch.allclose(paint[1, 0.5], paint[1, 1.0], atol=1e-3)


def test_the_discriminator_grows_without_a_jump():
    torch.manual_seed(1)
    network, image = GrowingDiscriminator([8, 6], 2), torch.rand(4, 3, 16, 16)
    assert torch.allclose(network(image, 1, 0.0), network(F.avg_pool2d(image, 2), 0), atol=1e-5)
    assert torch.allclose(network(image, 1, 1 - 1e-6), network(image), atol=1e-4)
    assert network(image).shape == (4, 1)


def test_the_schedule_of_growth():
    growth = Growth(0, 2, 10)
    assert growth.at(1) == growth.at(10) == Stage(0, 1.0)
    assert [growth.at(step) for step in (11, 13, 16, 20)] == [Stage(1, b) for b in (0.0, 0.4, 1.0, 1.0)]
    assert growth.at(21) == Stage(2, 0.0) and growth.at(26) == growth.at(500) == Stage(2, 1.0)
    assert Growth(0, 2, 0).at(1) == Stage(2, 1.0)
    image = torch.rand(2, 3, 16, 16)
    assert torch.equal(shrink(image, Stage(1, 1.0), 2), image)
    half = F.avg_pool2d(image, 2)
    assert torch.equal(shrink(image, Stage(0, 1.0), 2), half)
    assert torch.allclose(shrink(image, Stage(1, 0.0), 2), F.interpolate(half, scale_factor=2), atol=1e-6)


def test_mixing_a_face_with_itself_changes_nothing():
    network = generator("stylegan")
    first, second = network.styles(network.latents(2)).chunk(2)
    plain = network.paint(first)
    for crossover in range(network.layers + 1):
        mixed = mix_styles(first, first, torch.tensor([crossover]), network.layers)
        assert torch.equal(network.paint(mixed), plain)
    other = mix_styles(first, second, torch.tensor([0]), network.layers)
    assert torch.equal(network.paint(other), network.paint(second)), "from the first layer on, all is the second's"
    assert not torch.allclose(network.paint(mix_styles(first, second, torch.tensor([2]), 3)), plain, atol=1e-4)


def test_noise_changes_details_once_it_counts():
    network = generator("stylegan")
    style = network.styles(torch.randn(1, 16))
    rng = torch.Generator().manual_seed(5)
    assert torch.equal(network.paint(style), network.paint(style, network.noise(rng))), "its strength begins with 0"
    for conv in network.convs:
        conv.noise_strength.fill_(0.5)
    assert not torch.allclose(network.paint(style), network.paint(style, network.noise(rng)), atol=1e-3)
    assert [n.shape[-1] for n in network.noise()] == [4, 8, 8]


def test_pixel_norm_and_minibatch_deviation_by_hand():
    x = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    assert torch.allclose(pixel_norm(x).flatten(), torch.tensor([3.0, 4.0]) / 12.5**0.5)
    same = torch.ones(4, 2, 3, 3)
    assert float(minibatch_deviation(same)[:, -1].max()) < 1e-3
    x = torch.tensor([0.0, 2.0]).view(2, 1, 1, 1).expand(2, 1, 3, 3)
    assert torch.allclose(minibatch_deviation(x, 2)[:, 1], torch.ones(2, 3, 3), atol=1e-4)
    assert minibatch_deviation(torch.rand(3, 2, 3, 3)).shape == (3, 3, 3, 3)


def test_equalized_layers_keep_the_variance():
    torch.manual_seed(0)
    layer = Equalized(200, 300, gain=1)
    assert float(layer.weight.std()) == pytest.approx(1, abs=0.02)
    assert float(layer(torch.randn(500, 200)).std()) == pytest.approx(1, abs=0.05)
    slow = Equalized(200, 300, gain=1, rate=0.01)
    assert float(slow(torch.randn(500, 200)).std()) == pytest.approx(1, abs=0.05)
    conv = StyledConv(32, 16, 8)
    x = torch.randn(4, 32, 16, 16)
    for strength in (0.1, 10.0):
        conv.style.bias.data.fill_(strength)
        styled = conv.conv.weight, conv(x, torch.zeros(4, 8), torch.zeros(1, 1, 16, 16))[..., 1:-1, 1:-1]
        positive = styled[1].clamp_min(0) + styled[1].clamp_max(0) / 0.2
        assert float(positive.detach().std()) == pytest.approx(1, abs=0.1), "whatever the style's size"


def genforce(widths=(8, 6, 4), latent_dim=16):
    """A random generator in the layout of others, and what it makes of latents, by their formulas in plain words."""
    rng = torch.Generator().manual_seed(0)
    shapes = {"layer0": (widths[0], latent_dim, 4, 4), "layer1": (widths[0], widths[0], 3, 3)}
    for i in range(1, len(widths)):
        shapes |= {f"layer{2 * i}": (widths[i], widths[i - 1], 3, 3), f"layer{2 * i + 1}": (widths[i], widths[i], 3, 3)}
    shapes |= {f"output{i}": (3, width, 1, 1) for i, width in enumerate(widths)}
    tensors = {f"{name}.weight": torch.randn(shape, generator=rng) for name, shape in shapes.items()}
    tensors |= {f"{name}.bias": torch.randn(shape[0], generator=rng) for name, shape in shapes.items()}
    tensors["lod"] = torch.zeros(())

    def paint(latent):
        x = latent[:, :, None, None]
        for i in range(2 * len(widths)):
            x = x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()
            if i and i % 2 == 0:
                x = F.interpolate(x, scale_factor=2)
            weight = tensors[f"layer{i}.weight"]
            scaled = weight * (2 / weight[0].numel()) ** 0.5
            x = F.leaky_relu(F.conv2d(x, scaled, tensors[f"layer{i}.bias"], padding=1 if i else 3), 0.2)
        x = x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()
        last = f"output{len(widths) - 1}"
        weight = tensors[f"{last}.weight"] / widths[-1] ** 0.5
        return (F.conv2d(x, weight, tensors[f"{last}.bias"]) / 2 + 0.5).clamp(0, 1)

    return tensors, paint


def test_a_generator_of_others_paints_as_theirs_does(tmp_path, capsys):
    tensors, paint = genforce()
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    assert (
        main(
            [
                "models",
                "import",
                str(tmp_path / "pytorch_model.bin"),
                "--as",
                "progan",
                "-o",
                str(tmp_path / "ours.safetensors"),
            ]
        )
        == 0
    )
    network = load_model(tmp_path / "ours.safetensors")
    latent = torch.randn(3, 16)
    assert network.resolution == 16 and torch.allclose(network(latent), paint(latent), atol=1e-5)
    wrong = {
        "less": {k: v for k, v in tensors.items() if k != "layer3.bias"},
        "more": tensors | {"layer9.weight": torch.zeros(1)},
        "young": tensors | {"lod": torch.ones(())},
        "odd": tensors | {"layer2.weight": torch.zeros(6, 8, 5, 5)},
    }
    for name, broken in wrong.items():
        save_file(broken, tmp_path / f"{name}.safetensors")
        with pytest.raises(WeightsError, match="does not fit"):
            load_model(tmp_path / f"{name}.safetensors", architecture="progan")


def test_sides_that_cannot_be_are_told():
    for side in (4, 20, 0):
        with pytest.raises(ValueError, match="8, 16, 32"):
            DCGAN(resolution=side)
    assert DCGANDiscriminator(4, 16)(torch.rand(2, 3, 16, 16)).shape == (2, 1)
