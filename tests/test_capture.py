"""A step never touches the host: what a CUDA graph demands, checked where there is no GPU; and what is captured."""

from __future__ import annotations

import pytest
import torch
from host import Host, Operations
from tiny import STAGES, picture, tiny_encoder
from torch._subclasses.fake_tensor import FakeTensorMode

from nst import capture
from nst.descent import Descent
from nst.device import choose_device
from nst.encoders import Encoder
from nst.layers import padded_by_hand
from nst.losses import (
    STATISTICS,
    STYLE_LOSSES,
    ContentLoss,
    NormLoss,
    PerceptualLoss,
    Sample,
    StructureLoss,
    StyleLoss,
    StyleOptions,
    TotalVariationLoss,
    wasserstein,
)
from nst.losses.gram import _Moments as Moments
from nst.losses.gram import uncentered
from nst.params import KeptImage, PixelImage
from nst.transforms import Shifts

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CPU = choose_device("cpu", "float32")


def watched(criterion, image=None, encoder=None, **arguments) -> list[str]:
    """What the third step of a run asks of the host; the first two are the warm-up."""
    arguments = {"optimizer": "adam", "learning_rate": None, "average": 0.9} | arguments
    descent = Descent(image or PixelImage(picture(1)), encoder or tiny_encoder(), criterion, CPU, **arguments)
    assert descent.step.capturable
    descent.blind = True  # as on a GPU
    for _ in range(capture.WARM_UP):
        descent.step()
    with Host() as host:
        descent.step()
    return host.seen


def criterion(kind: str, **arguments) -> PerceptualLoss:
    style = [tiny_encoder()(picture(seed), tiny_encoder().layers) for seed in (2, 3)]
    layers = STATISTICS[kind].default_layers(tiny_encoder().layers) or LAYERS
    return PerceptualLoss([StyleLoss(style, layers, kind=kind, **arguments)])


CAPTURABLE = [kind for kind in STYLE_LOSSES if STATISTICS[kind].capturable]


def test_the_checker_sees_what_touches_the_host():
    x = torch.rand(5)
    with Host() as host:
        x.sum().item()
        x[x > 0.5]
        torch.tensor(0.5)
        x.new_tensor([0.5])
        bool((x > 2).any())
    assert set(host.seen) >= {"_local_scalar_dense", "index", "lift_fresh"} and len(host.seen) >= 5


def test_losses_that_draw_or_match_are_not_captured():
    assert set(STYLE_LOSSES) - set(CAPTURABLE) == {"mmd-gaussian", "patches"}
    assert criterion("gram").capturable and not criterion("patches").capturable
    assert not criterion("mmd-polynomial", options=StyleOptions(kernel_degree=3)).capturable


@pytest.mark.parametrize(
    "kind", [kind for kind in CAPTURABLE if kind != "histogram"]
)  # which counts otherwise on a GPU
@pytest.mark.parametrize("guided", [False, True])
def test_a_step_never_touches_the_host(kind, guided):
    features = tiny_encoder()(picture(1), tiny_encoder().layers)
    guides = {name: torch.rand(1, 1, *x.shape[-2:]) for name, x in features.items()}
    assert watched(criterion(kind, guides=guides if guided else None)) == []


@pytest.mark.parametrize("exponent", [2.0, 1.5])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_neither_do_regularizers_content_and_optimizers(exponent, optimizer):
    content = tiny_encoder()(picture(1), LAYERS)
    losses = [
        ContentLoss(content, LAYERS),
        StructureLoss(picture(1), torch.rand(1, 1, 24, 32), weight=1.0),
        TotalVariationLoss(picture(1), weight=0.1, exponent=exponent),
        NormLoss(1.0),
    ]
    kept = KeptImage(picture(1), picture(2), torch.rand(1, 1, 24, 32))
    for image in (PixelImage(picture(1)), kept):
        assert watched(PerceptualLoss(losses), image, optimizer=optimizer, average=0.0) == []


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_neither_do_moving_views(optimizer):
    views, encoder = Shifts(24, 32, torch.device("cpu")), tiny_encoder()
    seen = [encoder(view, LAYERS) for view in views.each(picture(1))]
    kept = {name: torch.cat([one[name] for one in seen]) for name in LAYERS}
    guides = {name: torch.rand(8, 1, *x.shape[-2:]) for name, x in kept.items()}
    losses = [ContentLoss(kept, LAYERS), StyleLoss(encoder(picture(2), LAYERS), LAYERS, guides=guides)]
    assert watched(PerceptualLoss(losses), optimizer=optimizer, transforms=views) == []
    assert int(views.now) == capture.WARM_UP + 1


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_neither_do_encoders(pooling):
    encoder = tiny_encoder()
    encoder.pooling = pooling
    assert watched(criterion("gram"), encoder=encoder) == []


def test_a_line_search_is_not_captured():
    descent = Descent(PixelImage(picture(1)), tiny_encoder(), criterion("gram"), CPU, "lbfgs", None, 0.0)
    assert not descent.step.capturable


# ---- what only a GPU does, on tensors that know their shape and device alone: each operation says if it can be done


@pytest.mark.parametrize("kind", CAPTURABLE)
@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_losses_stay_on_a_gpu(kind, guided, dtype):
    statistic = STATISTICS[kind].of([Sample(torch.rand(1, 8, 30, 10))], [1.0], StyleOptions())
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        for name, buffer in statistic.named_buffers():
            statistic._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype, device="cuda")
        x = torch.empty(1, 8, 300, 11, dtype=dtype, device="cuda").contiguous(memory_format=torch.channels_last)
        sample = Sample(x, torch.empty(1, 1, 300, 11, device="cuda") if guided else None)
        distance = statistic.distances([statistic], [sample])[0]
    assert (distance.device.type, distance.dtype, distance.shape) == ("cuda", torch.float32, ())


class Context:
    def save_for_backward(self, *tensors):
        self.saved_tensors = tensors


@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("centered", [False, True])
def test_the_gradient_of_moments_stays_on_a_gpu(guided, centered):
    with FakeTensorMode(), torch.no_grad():
        x = torch.empty(1, 8, 300, 11, dtype=torch.bfloat16, device="cuda")
        x = x.contiguous(memory_format=torch.channels_last)
        guide, context = torch.empty(1, 1, 300, 11, device="cuda") if guided else None, Context()
        found = Moments.forward(context, x, guide, centered)
        gradient, *_ = Moments.backward.__wrapped__(context, *found)
        assert found[1].dtype == torch.float32 and (gradient.dtype, gradient.shape) == (x.dtype, x.shape)
        assert gradient.is_contiguous(memory_format=torch.channels_last)


def test_a_step_is_few_operations(monkeypatch):
    """A GPU waits for the start of each; there were 605 in this one before they were counted."""
    batches = wasserstein.batches_by_width
    monkeypatch.setattr(wasserstein, "batches_by_width", lambda widths, device: batches(widths, "cuda"))
    monkeypatch.setattr("nst.losses.gram.by_parts", lambda x, share: uncentered(x))
    photo, encoder = picture(1), tiny_encoder()
    content = ContentLoss(encoder(photo, encoder.layers), ("relu3_1", "relu4_2"))
    whole = PerceptualLoss([content, *criterion("wasserstein").losses, TotalVariationLoss(photo, weight=1.0)])
    descent = Descent(PixelImage(photo), encoder, whole, CPU, "adam", None, 0.9)
    descent.blind = True
    descent.step()
    with Operations() as operations:
        descent.step()
    assert operations.count < 400


@pytest.mark.parametrize("padding", ["reflect", "zeros"])
def test_layers_stay_on_a_gpu(padding):
    with FakeTensorMode(), torch.no_grad():
        with torch.device("cuda"):
            encoder = Encoder(STAGES, padding=padding)
        found = encoder(torch.empty(1, 3, 41, 50, device="cuda"), LAYERS)
    assert all(x.device.type == "cuda" for x in found.values())


@pytest.mark.parametrize("padding", ["reflect", "replicate", "circular"])
def test_padding_by_hand_is_that_of_torch(padding, monkeypatch):
    x = torch.rand(2, 3, 5, 6).contiguous(memory_format=torch.channels_last)
    ours = padded_by_hand(x, padding)
    assert torch.equal(ours, torch.nn.functional.pad(x, (1, 1, 1, 1), mode=padding))
    assert ours.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("widths", [(16, 64, 128, 256, 256), (64, 128, 256, 512, 512)])
def test_roots_are_the_same_in_few_large_batches(widths, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    found = [torch.randn(1, width, 2 * width, generator=generator) / width**0.5 for width in widths]
    matrices = [x @ x.transpose(1, 2) for x in found]
    each = wasserstein.matrix_roots(matrices)
    batches = wasserstein.batches_by_width
    monkeypatch.setattr(wasserstein, "batches_by_width", lambda all_widths, device: batches(all_widths, "cuda"))
    assert len(batches(widths, "cuda")) <= 2
    for one, other in zip(each, wasserstein.matrix_roots(matrices), strict=True):
        assert torch.allclose(one[0], other[0], atol=1e-5) and torch.allclose(one[1], other[1], atol=1e-4)
