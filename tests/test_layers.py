"""The encoder's layers: the values and derivatives of PyTorch's own, in whatever layout."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from nst.layers import PADDINGS, average_pool, conv_relu, fold

SIZES = [(6, 8), (5, 7), (2, 3), (1, 4)]


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plain(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, padding: str) -> torch.Tensor:
    if padding == "zeros":
        return F.relu(F.conv2d(x, weight, bias, padding=1))
    return F.relu(F.conv2d(F.pad(x, (1, 1, 1, 1), mode=padding), weight, bias))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("padding", ["zeros", *PADDINGS])
def test_a_convolution_is_that_of_pytorch(padding, size):
    x, weight, bias = random(2, 3, *size).requires_grad_(), random(4, 3, 3, 3, seed=1), random(4, seed=2)
    known = plain(x, weight, bias, "replicate" if padding == "reflect" and min(size) < 2 else padding)
    ours = conv_relu(x, weight, bias, padding)
    assert torch.allclose(ours, known)
    towards = random(*known.shape, seed=3)
    for layout in (torch.contiguous_format, torch.channels_last):
        (theirs,) = torch.autograd.grad(known, x, towards, retain_graph=True)
        (gradient,) = torch.autograd.grad(ours, x, towards.contiguous(memory_format=layout), retain_graph=True)
        assert torch.allclose(gradient, theirs)


@pytest.mark.parametrize("size", SIZES)
def test_a_mean_is_that_of_pytorch(size):
    x = random(2, 3, *size).requires_grad_()
    known, ours = F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False), average_pool(x)
    assert torch.equal(ours, known)
    towards = random(*known.shape, seed=1)
    theirs, gradient = (torch.autograd.grad(y, x, towards)[0] for y in (known, ours))
    assert torch.allclose(gradient, theirs)


def test_weights_in_training_get_their_derivative():
    x, weight, bias = random(1, 3, 6, 6), random(4, 3, 3, 3, seed=1).requires_grad_(), random(4, seed=2)
    conv_relu(x, weight, bias, "reflect").sum().backward()
    assert weight.grad is not None and weight.grad.abs().sum() > 0


@pytest.mark.parametrize("padding", PADDINGS)
def test_folding_is_the_adjoint_of_padding(padding):
    x, y = random(1, 2, 5, 4), random(1, 2, 7, 6, seed=1)
    padded = F.pad(x, (1, 1, 1, 1), mode=padding)
    assert (padded * y).sum().item() == pytest.approx((x * fold(y.clone(), padding)).sum().item())


def test_autocast_is_obeyed_and_undone_behind():
    x = random(1, 3, 6, 6).float().requires_grad_()
    weight, bias = random(4, 3, 3, 3, seed=1).float(), random(4, seed=2).float()
    with torch.autocast("cpu", torch.bfloat16):
        output = conv_relu(x, weight, bias, "reflect")
    assert output.dtype == torch.bfloat16
    output.float().sum().backward()
    assert x.grad.dtype == torch.float32
