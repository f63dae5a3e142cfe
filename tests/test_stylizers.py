"""The networks: their layers beside PyTorch's own, their papers' arithmetic, and networks of others."""

from __future__ import annotations

import struct

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tiny import photo_folder, picture, tiny_encoder_file
from torch._subclasses.fake_tensor import FakeTensorMode

from nst.__main__ import main
from nst.losses import moments
from nst.metrics import psnr
from nst.models.adain import AdaIN, adaptive_instance_norm
from nst.models.blocks import Conv, ResizeConv, instance_norm, interleaved, normalize_by_kernel, pad_reflecting
from nst.models.johnson import TransformNet
from nst.models.phases import beside, conv_beside
from nst.models.texture import TextureNet
from nst.models.wct import WCT, whiten_and_color
from nst.registry import load_model
from nst.research.bench.fast import PlainNet, bench_fast
from nst.research.train.cin import train_johnson
from nst.weights import WeightsError
from nst.weights.onnx import OnnxError, read_initializers


def gradients(output, inputs):
    return torch.autograd.grad(output.square().sum(), inputs)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_padding_is_pytorchs(size):
    x = torch.randn(2, 3, 9, 8, dtype=torch.double, requires_grad=True)
    ours, theirs = pad_reflecting(x, size), F.pad(x, (size,) * 4, mode="reflect")
    assert torch.equal(ours, theirs)
    assert torch.allclose(gradients(ours, x)[0], gradients(theirs, x)[0])


@pytest.mark.parametrize("relu", [False, True])
def test_instance_norm_is_pytorchs(relu):
    torch.manual_seed(0)
    x, scale, shift = (torch.randn(s, requires_grad=True) for s in ((2, 3, 9, 8), (2, 3), (2, 3)))
    theirs = F.instance_norm(x, eps=1e-5) * scale[..., None, None] + shift[..., None, None]
    theirs = theirs.relu() if relu else theirs
    ours = instance_norm(x, scale, shift, relu)
    assert torch.allclose(ours, theirs, atol=1e-5)
    for mine, other in zip(gradients(ours, (x, scale, shift)), gradients(theirs, (x, scale, shift)), strict=True):
        assert torch.allclose(mine, other, atol=1e-4)


def test_resize_convolution_is_enlargement_and_convolution():
    torch.manual_seed(0)
    layer, x = ResizeConv(4, 5), torch.randn(2, 4, 7, 6)
    padded = F.pad(F.interpolate(x, scale_factor=2, mode="nearest"), (1, 1, 1, 1), mode="reflect")
    assert torch.allclose(layer(x), F.conv2d(padded, layer.weight, layer.bias), atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("kernel", [3, 5, 7, 9])
def test_the_last_convolution_of_pixels_sorted_by_phase_is_that_of_the_picture(kernel):
    torch.manual_seed(0)
    last, x = Conv(4, 3, kernel), torch.randn(2, 16, 7, 6).contiguous(memory_format=torch.channels_last)
    ours = interleaved(conv_beside(beside(x), last.weight, last.bias))
    assert torch.allclose(ours, last(interleaved(x)), atol=1e-5)


@pytest.mark.parametrize("relu", [False, True])
def test_what_lies_too_far_from_the_mean_is_cut_off_the_same_in_place(relu):
    torch.manual_seed(0)
    x, scale, shift = torch.randn(1, 5, 9, 8), torch.randn(1, 5), 3 * torch.randn(1, 5)
    x[0, :, 4, 4] = torch.tensor([40.0, -40, 40, -40, 40])
    with_gradient = instance_norm(x.clone().requires_grad_(), scale, shift, relu, peak=2.0)
    with torch.no_grad():
        assert torch.allclose(instance_norm(x.clone(), scale, shift, relu, peak=2.0), with_gradient, atol=1e-5)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (6, 90)])
@pytest.mark.parametrize("kernel", [5, 9])
def test_the_network_paints_alike_with_and_without_a_gradient(size, kernel):
    """Without one, the last layers work on pixels sorted by phase, and normalization in place."""
    torch.manual_seed(0)
    net = TransformNet((4, 6, 8), 1, kernel, upsampling="smooth", peak=2.0, ground=True).eval()
    photo, style = picture(0, *size), 0.3 * torch.randn(1, net.num_parameters)
    with torch.no_grad():
        fast = net(photo, style)
    assert torch.allclose(fast, net(photo, style).detach(), atol=1e-4)


def test_a_convolution_of_a_thin_picture_repeats_its_edge():
    layer = Conv(1, 1, 5)
    x = torch.randn(1, 1, 2, 9)
    padded = F.pad(x, (2, 2, 2, 2), mode="replicate")
    assert torch.allclose(layer(x), F.conv2d(padded, layer.weight, layer.bias))


@pytest.mark.parametrize("upsampling", ["resize", "transposed"])
@pytest.mark.parametrize("size", [(32, 32), (33, 47)])
def test_the_network_keeps_the_size(upsampling, size):
    net = TransformNet((4, 6, 8), 1, 3, upsampling=upsampling)
    result = net(picture(0, *size), torch.zeros(1, net.num_parameters)).detach()
    assert result.shape == (1, 3, *size) and 0 <= float(result.min()) <= float(result.max()) <= 1


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("peak", [None, 1.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_gpu_s_kernel_normalizes_alike(relu, peak, dtype):
    x = (5 * torch.randn(1, 6, 20, 30, generator=torch.Generator().manual_seed(0)) + 3).to(dtype)
    x = x.contiguous(memory_format=torch.channels_last)
    scale, shift = torch.tensor([[1.0, -2.0, 0.0, 0.5, 3.0, 1.0]]), torch.arange(-3.0, 3.0)[None]
    with torch.no_grad():
        known = instance_norm(x.float().clone(), scale, shift, relu, peak)
        found = normalize_by_kernel(x, scale, shift, relu, peak)
    assert found.dtype == dtype and found.is_contiguous(memory_format=torch.channels_last)
    assert (found.float() - known).abs().max() < (1e-4 if dtype == torch.float32 else 0.05)
    with FakeTensorMode(), torch.no_grad():
        there = torch.empty(1, 6, 20, 30, dtype=dtype, device="cuda")
        given = (torch.empty(1, 6, device="cuda") for _ in range(2))
        assert instance_norm(there, *given, relu, peak).device.type == "cuda"


def test_instance_norm_forgets_contrast(tmp_path):
    """Ulyanov et al. 2016, fig. 1: a photo of half the contrast, through networks trained alike."""
    settings = {"data": str(photo_folder(tmp_path / "photos")), "losses": [tiny_encoder_file(tmp_path)]}
    settings |= {"steps": 12, "batch": 4, "size": 32, "widths": (4, 6, 8), "blocks": 1, "kernel": 3, "device": "cpu"}
    photo, changes = picture(3, 48, 64), {}
    pale = (photo - photo.mean()) / 2 + photo.mean()
    for norm in ("instance", "batch"):
        list(train_johnson(style="mosaic", out=str(tmp_path / norm), norm=norm, learning_rate=0.01, **settings))
        network = load_model(tmp_path / norm / "johnson.safetensors")
        results = [network(x) for x in (photo, pale)]
        changes[norm] = float((results[0] - results[1]).norm() / (results[0] - results[0].mean()).norm())
    assert changes["instance"] < changes["batch"] / 2


def test_adain_gives_the_styles_statistics():
    content, style = torch.randn(1, 5, 20, 20) * 3 + 1, torch.rand(1, 5, 30, 10)
    deviation, mean = torch.std_mean(style, (2, 3), correction=0)
    result = adaptive_instance_norm(content, mean, deviation)
    found = torch.std_mean(result, (2, 3), correction=0)
    assert torch.allclose(found[0], deviation, atol=1e-4) and torch.allclose(found[1], mean, atol=1e-4)


def test_wct_gives_the_styles_covariance():
    torch.manual_seed(0)
    mixing = torch.randn(6, 6)
    content = torch.einsum("ij,njhw->nihw", mixing, torch.randn(1, 6, 40, 40)) + 2
    style = torch.einsum("ij,njhw->nihw", mixing.flip(0), torch.rand(1, 6, 40, 40))
    mean, covariance = moments(style)
    found = moments(whiten_and_color(content, mean, covariance))
    assert torch.allclose(found[0], mean, atol=1e-2)
    assert float((found[1] - covariance).norm() / covariance.norm()) < 0.05


@pytest.mark.parametrize(
    "content", [torch.zeros(1, 8, 6, 6), torch.ones(1, 8, 1, 1), torch.rand(1, 1, 9, 9).expand(1, 8, 9, 9) * 1e4]
)
def test_whitening_cannot_fail(content):
    mean, covariance = moments(torch.rand(1, 8, 12, 12))
    assert whiten_and_color(content, mean, covariance).isfinite().all()
    assert whiten_and_color(torch.rand(1, 8, 12, 12), *moments(content)).isfinite().all()


def test_only_their_own_weights_are_written(tmp_path):
    encoder = tiny_encoder_file(tmp_path)
    assert all(name.startswith("decoder.") for name in AdaIN(encoder).state_dict())
    assert all(name.startswith("decoders.") for name in WCT(encoder).state_dict())


def test_other_noise_is_another_texture():
    torch.manual_seed(0)
    network = TextureNet(scales=3, width=4)
    one, same, other = (network(network.noise((40, 50), seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same) and psnr(one, other) < 40
    assert one.shape == (1, 3, 40, 52), "rounded up to what the scales divide"
    with pytest.raises(ValueError, match="takes no photo"):
        network(network.noise((40, 50)), picture(0))


# ---- networks of others


@pytest.fixture(scope="module")
def example():
    """A random network of pytorch/examples, and its weights under their names there."""
    torch.manual_seed(0)
    plain = PlainNet(blocks=2).eval().requires_grad_(False)
    for norm in plain.norms.values():
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.uniform_(-0.5, 0.5)
    plain.convs["deconv3"].weight.mul_(40)
    plain.convs["deconv3"].bias.add_(120)
    places = {"conv1": "in1", "conv2": "in2", "conv3": "in3", "deconv1": "in4", "deconv2": "in5"}
    tensors = {}
    for name, tensor in plain.state_dict().items():
        group, layer, part = name.split(".")
        block, _, number = layer.partition("_")
        if number:
            inner = f"conv{number}.conv2d" if group == "convs" else f"in{number}"
            tensors[f"{block}.{inner}.{part}"] = tensor.clone()
        else:
            tensors[f"{layer}.conv2d.{part}" if group == "convs" else f"{places[layer]}.{part}"] = tensor.clone()
    return plain, tensors


def onnx_bytes(tensors):
    """The initializers of a minimal ONNX file, as a Protocol Buffers message."""

    def varint(value):
        done = b""
        while value > 127:
            done, value = done + bytes([value & 127 | 128]), value >> 7
        return done + bytes([value])

    def field(number, payload):
        return varint(number << 3 | 2) + varint(len(payload)) + payload

    graph = field(2, b"torch-jit-export")
    for i, (name, tensor) in enumerate(tensors.items()):
        values = tensor.contiguous().numpy().astype("<f4").tobytes()
        shape = b"".join(varint(n) for n in tensor.shape)
        dims = field(1, shape) if i % 2 else b"".join(varint(1 << 3) + varint(n) for n in tensor.shape)
        numbers = field(9 if i % 3 else 4, values)
        graph += field(5, dims + varint(2 << 3) + varint(1) + field(8, name.encode()) + numbers)
    return varint(1 << 3) + varint(4) + field(2, b"pytorch") + field(7, graph)


@pytest.mark.parametrize("kind", ["safetensors", "pth", "onnx"])
def test_a_network_of_pytorch_examples_paints_as_it_did_there(example, kind, tmp_path, capsys):
    plain, tensors = example
    path = tmp_path / f"mosaic.{kind}"
    if kind == "safetensors":
        save_file(tensors, path)
    elif kind == "pth":  # as of 2017, with statistics that instance normalization never used
        torch.save({f"module.{k}": v for k, v in tensors.items()} | {"in1.running_mean": torch.zeros(32)}, path)
    else:
        path.write_bytes(onnx_bytes(tensors))
    assert main(["models", "import", str(path), "--as", "johnson", "-o", str(tmp_path / "ours.safetensors")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "ours.safetensors")
    image = picture(1, 40, 52)
    expected = (plain(image * 255) / 255).clamp(0, 1)
    assert float(expected.std()) > 0.05, "the comparison must have something to compare"
    assert torch.allclose(load_model(tmp_path / "ours.safetensors")(image), expected, atol=1e-4)


def test_what_is_no_such_network_is_refused(example, tmp_path, capsys):
    _, tensors = example
    fewer = {name: tensor for name, tensor in tensors.items() if name != "res2.in1.bias"}
    for name, wrong, said in (
        ("fewer", fewer, "res2.in1.bias"),
        ("more", tensors | {"extra.weight": torch.zeros(3)}, "extra.weight should not be there"),
        ("other", {"a.weight": torch.zeros(3)}, "does not fit"),
    ):
        save_file(wrong, tmp_path / f"{name}.safetensors")
        words = ["models", "import", str(tmp_path / f"{name}.safetensors"), "--as", "johnson"]
        assert main([*words, "-o", str(tmp_path / "x.safetensors")]) == 2
        assert said in capsys.readouterr().err
    assert main(["models", "import", str(tmp_path / "none.pth"), "--as", "johnson"]) == 2
    (tmp_path / "broken.onnx").write_bytes(b"\xff" * 40)
    assert main(["models", "import", str(tmp_path / "broken.onnx"), "--as", "johnson"]) == 2
    assert "no ONNX file" in capsys.readouterr().err
    assert not (tmp_path / "x.safetensors").exists()


@pytest.mark.parametrize("cut", [1, 7, 40, 1000, -3])
def test_cut_onnx_files_are_refused(example, cut):
    data = onnx_bytes(dict(list(example[1].items())[:4]))
    with pytest.raises(OnnxError):
        read_initializers(data[:cut])
    with pytest.raises(OnnxError):
        read_initializers(struct.pack("<Q", cut % 2**32))


def test_the_benchmark_takes_turns():
    rows = list(bench_fast(sizes=(64,), models=("cin",), rounds=1, device="cpu"))
    assert [row["network"].partition(",")[0] for row in rows] == ["pytorch/examples", "cin"]
    assert rows[0]["speedup"] == 1 and all(row["seconds"] > 0 and row["frames"] > 0 for row in rows)
    with pytest.raises(WeightsError):
        next(bench_fast(models=("none.safetensors",)))
