"""On a device without float64, as Apple's GPUs are, all is computed that is computed elsewhere."""

from __future__ import annotations

import sys

import pytest
import torch
from apple import REFUSED, apple_gpu
from tiny import picture, tiny_encoder, tiny_encoder_file

from nst import metrics
from nst.color import COLOR_MODES, recolor_result, recolor_style
from nst.device import Device
from nst.fidelity import kernel_distance
from nst.settings import SETTINGS
from nst.stylize import style_transfer


def test_the_stand_in_refuses_float64_and_computes_the_rest():
    with apple_gpu() as device:
        there = torch.arange(6.0).to(device)
        for wide in (there.double, lambda: torch.zeros(1, dtype=torch.float64, device=device)):
            with pytest.raises(TypeError, match=REFUSED[:30]):
                wide()
        with pytest.raises(AssertionError, match="two devices"):
            there + torch.ones(6)
        assert float((there * 2).sum()) == 30 and (there + 1).device == device
        assert there.cpu().double().tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("mode", COLOR_MODES)
@pytest.mark.parametrize("recolored", [recolor_style, recolor_result])
def test_colors_are_kept_there_as_on_the_processor(mode, recolored):
    image, reference = picture(1), picture(2)
    with apple_gpu() as device:
        found = recolored(image.to(device), reference.to(device), mode)
        assert found.device == device
        found = found.cpu()
    assert torch.allclose(found, recolored(image, reference, mode), atol=1e-5)


MEASURES = (
    "chroma",
    "color_distance",
    "grain",
    "luminance_ssim",
    "psnr",
    "stroke_scale",
)


@pytest.mark.parametrize("name", MEASURES)
def test_measures_are_the_same_there(name):
    measure, pictures = getattr(metrics, name), (picture(1, 64, 64), picture(2, 64, 64))
    given = pictures[: 1 if name in ("chroma", "grain", "stroke_scale") else 2]
    with apple_gpu() as device:
        found = measure(*(image.to(device) for image in given))
    assert float(found) == pytest.approx(float(measure(*given)), rel=1e-4)


def test_faces_are_judged_there():
    sets = torch.rand(20, 8), torch.rand(30, 8)
    with apple_gpu() as device:
        found = kernel_distance(*(features.to(device) for features in sets))
    assert found == pytest.approx(kernel_distance(*sets), rel=1e-5)


@pytest.mark.parametrize(
    "settings",
    [{"style_loss": loss} for loss in SETTINGS["style_loss"].choices]
    + [
        {"preserve_color": mode, "color_when": when}
        for mode in SETTINGS["preserve_color"].choices
        for when in ("before", "after")
    ]
    + [{"optimizer": "lbfgs", "num_steps": 2}, {"init": "noise", "num_steps": 2}],
    ids=str,
)
def test_every_way_of_painting_runs_there(settings, tmp_path, monkeypatch):
    encoder = tiny_encoder_file(tmp_path)
    with apple_gpu() as device:
        for module in [module for name, module in sys.modules.items() if name.startswith("nst.")]:
            if hasattr(module, "choose_device"):
                monkeypatch.setattr(module, "choose_device", lambda *_: Device(device, None, "a GPU of Apple's"))
        given = {"size": 64, "preset": "draft", "num_steps": 1, "optimizer": "sgd", **settings}  # Adam wants to know it
        *_, last = style_transfer(picture(1, 40, 48), picture(2, 40, 48), encoder=encoder, **given)
        assert last.image.isfinite().all()


def test_the_encoder_sees_the_same_there():
    encoder = tiny_encoder()
    wanted = encoder(picture(1), ["relu4_1"])["relu4_1"]
    with apple_gpu() as device:
        found = encoder.to(device)(picture(1).to(device), ["relu4_1"])["relu4_1"].cpu()
    assert torch.allclose(found, wanted, atol=1e-5)
