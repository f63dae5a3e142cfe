"""Fast styles as ONNX files: of any size, and equal to what we paint."""

from __future__ import annotations

import pytest
import torch
from test_teach import style as taught_style
from tiny import picture

from nst import taught
from nst.__main__ import main
from nst.device import choose_device
from nst.export import export_onnx
from nst.fast import make_painter

onnxruntime = pytest.importorskip("onnxruntime")
PLAIN = choose_device("cpu", "float32")


def paints(path, photo):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["painted"], {"image": photo.numpy()})[0])


@pytest.mark.parametrize(
    ("model", "styles", "how"),
    [
        ("cin", ["waves"], {}),
        pytest.param("cin", ["waves", "mosaic"], {"strength": 60.0, "brush": 1.6}, marks=pytest.mark.slow),
        pytest.param("predictor", [picture(3, 64, 64)], {}, marks=pytest.mark.slow),
        pytest.param("adain", [picture(4, 64, 64)], {"strength": 50.0}, marks=pytest.mark.slow),
    ],
)
def test_what_is_exported_paints_as_we_do_at_any_size(tmp_path, model, styles, how):
    path = export_onnx(tmp_path / "style.onnx", styles, model=model, **how)
    painter = make_painter(styles, model=model, device=PLAIN)
    for height, width in ((64, 96), (75, 50), (130, 257)):
        photo = picture(7, height, width)
        ours = painter.pass_through(photo, how.get("strength", 100.0) / 100, brush=how.get("brush", 1.0)).clamp(0, 1)
        theirs = paints(path, photo)
        assert theirs.shape == ours.shape and (theirs - ours).abs().max() < 1e-2


def test_the_command_writes_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["models", "export", "cin", "--style", "waves:2", "--style", "ink", "-o", "out/mix.onnx"]) == 0
    assert capsys.readouterr().out.strip().endswith("mix.onnx")
    assert paints("out/mix.onnx", picture(1, 40, 40)).shape == (1, 3, 40, 40)


def test_a_taught_style_is_written_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("PASTICHE_CACHE", str(tmp_path))
    taught.keep(taught_style("mine"))
    out = tmp_path / "mine.onnx"
    assert main(["models", "export", "cin", "--style", "mine", "-o", str(out)]) == 0
    photo, painter = picture(1, 40, 56), make_painter([taught.find("mine")], device=PLAIN)
    assert (paints(out, photo) - painter.pass_through(photo).clamp(0, 1)).abs().max() < 1e-2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["cin", "--style", "nothing", "-o", "x.onnx"], 'no style "nothing"'),
        (["cin", "-o", "x.onnx"], "Choose one to 4 styles"),
        (["compact", "--style", "waves", "-o", "x.onnx"], "does not paint photos"),
        (["cin", "--style", "waves", "-o", "x.pth"], "does not end in .onnx"),
    ],
)
def test_what_cannot_be_exported_is_told(tmp_path, monkeypatch, capsys, words, says):
    monkeypatch.chdir(tmp_path)
    assert main(["models", "export", *words]) == 2
    assert says in capsys.readouterr().err and not list(tmp_path.rglob("*.onnx"))
