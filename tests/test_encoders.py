"""Layer names, layouts and the arithmetic of the encoders."""

from __future__ import annotations

import json

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tiny import STAGES, picture, tiny_encoder, tiny_encoder_file

from nst import encoders
from nst.encoders import VGG_DEPTHS, VGG_WIDTHS, Encoder, load_encoder
from nst.layers import conv_relu
from nst.registry import builders
from nst.weights import WeightsError

build = builders["encoder"]


def torchvision_like(arch: str, divide: int = 16) -> tuple[torch.nn.Sequential, dict[str, torch.Tensor]]:
    """torchvision's `features` of a VGG with fewer channels, random weights, and its tensors."""
    torch.manual_seed(0)
    layers: list[torch.nn.Module] = []
    channels = 3
    for width, depth in zip(VGG_WIDTHS, VGG_DEPTHS[arch], strict=True):
        for _ in range(depth):
            layers += [torch.nn.Conv2d(channels, width // divide, 3, padding=1), torch.nn.ReLU()]
            channels = width // divide
        layers.append(torch.nn.MaxPool2d(2))
    network = torch.nn.Sequential(*layers)
    return network, {f"features.{k}": v for k, v in network.state_dict().items()}


@pytest.mark.parametrize(("arch", "index"), [("vgg19", 21), ("vgg16", 19)])
def test_vgg_computes_what_torchvision_computes(arch, index):
    network, tensors = torchvision_like(arch)
    encoder = build({"arch": arch, "first_padding": "zeros"}, tensors)
    image = picture(0, 48, 64)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = network[: index + 2]((image - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1))
    assert torch.allclose(encoder(image, ["relu4_2"])["relu4_2"], expected, atol=1e-5)
    assert len(encoder.layers) == sum(VGG_DEPTHS[arch])


def test_first_convolution_of_vgg_does_not_see_a_black_frame():
    _, tensors = torchvision_like("vgg19")
    flat = build({}, tensors)(torch.full((1, 3, 32, 32), 0.7), ["relu1_1"])["relu1_1"]
    assert torch.allclose(flat, flat[..., :1, :1].expand_as(flat), atol=1e-5)


def test_compressed_layout_folds_its_input_transform_exactly():
    torch.manual_seed(0)
    tensors = {"conv0.weight": torch.randn(3, 3, 1, 1), "conv0.bias": torch.randn(3)}
    tensors |= {"conv11.weight": torch.randn(4, 3, 3, 3), "conv11.bias": torch.randn(4)}
    tensors |= {"conv11_aux.weight": torch.randn(8, 4, 1, 1), "conv11_aux.bias": torch.randn(8)}
    image = picture(0)
    x = F.pad(F.conv2d(image, tensors["conv0.weight"], tensors["conv0.bias"]), (1, 1, 1, 1), mode="reflect")
    expected = F.relu(F.conv2d(x, tensors["conv11.weight"], tensors["conv11.bias"]))
    assert torch.allclose(build({}, tensors)(image, ["relu1_1"])["relu1_1"], expected, atol=1e-5)


def test_nothing_deeper_than_asked_for_is_computed(monkeypatch):
    encoder, ran = tiny_encoder(), []
    names = {id(parameter): name for name, parameter in encoder.named_parameters()}

    def counted(x, weight, bias, padding):
        ran.append(names[id(weight)])
        return conv_relu(x, weight, bias, padding)

    monkeypatch.setattr(encoders, "conv_relu", counted)
    features = encoder(picture(0), ["relu2_1"])
    assert ran == ["conv1_1.weight", "conv1_2.weight", "conv2_1.weight"]
    assert list(features) == ["image", "relu2_1"]
    ran.clear()
    assert list(encoder(picture(0), [])) == ["image"]
    assert not ran


def test_unknown_layer_lists_the_valid_ones():
    with pytest.raises(ValueError, match=r"No layer relu9_1.*relu1_1, relu1_2.*relu5_1"):
        tiny_encoder()(picture(0), ["relu9_1"])


def test_pooling_can_be_chosen_and_is_rescaled():
    encoder = Encoder([[4], [4]], pooling="max", rescale=2.0)
    flat = torch.full((1, 3, 8, 8), 0.5)
    native = encoder(flat, ["relu2_1"])["relu2_1"]
    x = encoder(flat, ["relu1_1"])["relu1_1"]
    encoder.pooling = "average"
    assert torch.allclose(encoder.pool(x), 2.0 * F.avg_pool2d(x, 2))
    assert not torch.allclose(encoder(flat, ["relu2_1"])["relu2_1"], native)
    encoder.pooling = "median"
    with pytest.raises(ValueError, match="max"):
        encoder(flat, ["relu2_1"])


@pytest.mark.parametrize("shape", [(17, 31), (33, 32), (100, 16)])
def test_odd_sizes_and_tall_pictures_pass(shape):
    deepest = tiny_encoder()(picture(0, *shape), ["relu5_1"])["relu5_1"]
    assert deepest.shape[-2:] == tuple(-(-side // 16) for side in shape)


def test_a_single_pixel_passes():
    assert tiny_encoder()(torch.rand(1, 3, 1, 1), ["relu5_1"])["relu5_1"].isfinite().all()


def test_load_from_a_file_and_refuse_what_does_not_fit(tmp_path):
    loaded = load_encoder(tiny_encoder_file(tmp_path))
    expected = tiny_encoder()(picture(0), ["relu5_1"])["relu5_1"]
    assert torch.allclose(loaded(picture(0), ["relu5_1"])["relu5_1"], expected, atol=1e-5)
    assert not any(p.requires_grad for p in loaded.parameters())
    tensors = tiny_encoder().state_dict()
    del tensors["conv5_1.bias"]
    path = tmp_path / "lacking.safetensors"
    save_file(tensors, path, metadata={"architecture": "encoder", "config": json.dumps({"stages": STAGES})})
    with pytest.raises(WeightsError, match=r"conv5_1\.bias"):
        load_encoder(path)
    with pytest.raises(WeightsError):
        build({}, {"generator.weight": torch.zeros(3)})


def test_unknown_encoder_offers_near_names():
    with pytest.raises(ValueError, match="vgg19"):
        load_encoder("vgg91")
