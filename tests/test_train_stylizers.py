"""Every family of stylizers learns on four tiny pictures, resumes bit for bit, and writes what loads strictly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from host import Host
from safetensors.torch import load_file
from tiny import photo_folder, picture, tiny_encoder_file

from nst.device import choose_device
from nst.images import save, to_pil
from nst.losses.colors import color_directions, sorted_colors
from nst.registry import load_model
from nst.research.train import anystyle, autoencoder, cin, texture, wct
from nst.research.train.config import RunConfig
from nst.research.train.data import other_colors, strengths
from nst.research.train.descent import Descent
from nst.teach.crops import Stock
from nst.transforms import crop
from nst.weights import WeightsError

SMALL = {"widths": (4, 4, 8), "blocks": 1, "kernel": 3}
FAMILIES = {
    "johnson": (cin.train_johnson, {"style": "@painting", **SMALL}),
    "cin": (cin.train_cin, {"style": ["one=@painting", "@photos/1.png"], "style_size": 32, **SMALL}),
    "texture": (texture.train_texture, {"style": "@painting", "width": 2, "scales": 3, "style_size": 32}),
    "adain": (anystyle.train_adain, {"style": ["@painting"]}),
    "predictor": (anystyle.train_predictor, {"style": ["@photos"], "embedding": 4, **SMALL}),
    "wct": (wct.train_wct, {}),
    "autoencoder": (
        autoencoder.train_autoencoder,
        {"style": "@painting", "widths": (4, 4, 4), "pairs": 2, "paint_steps": 2, "size": 64},
    ),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A folder with four photos, a painting, and a tiny encoder's file."""
    folder = tmp_path_factory.mktemp("places")
    photo_folder(folder / "photos")
    save(folder / "painting.png", to_pil(picture(7, 48, 40)))
    return {"photos": folder / "photos", "painting": folder / "painting.png", "encoder": tiny_encoder_file(folder)}


def arguments(name, places, **given):
    def filled(value):
        if isinstance(value, str):
            return value.replace("@painting", str(places["painting"])).replace("@photos", str(places["photos"]))
        return [filled(v) for v in value] if isinstance(value, list) else value

    known = {key: filled(value) for key, value in FAMILIES[name][1].items()}
    if name != "texture":
        known["data"] = str(places["photos"])
    if name in ("cin", "johnson", "adain", "predictor"):
        known["losses"] = [places["encoder"]]
    if name not in ("cin", "johnson"):
        known["encoder"] = places["encoder"]
    common = {"steps": 4, "batch": 2, "size": 32, "interval": 1, "device": "cpu"}
    return common | known | given


def run(name, out, places, **given):
    return FAMILIES[name][0](out=str(out), **arguments(name, places, **given))


@pytest.mark.parametrize("name", sorted(FAMILIES.keys() - {"autoencoder"}))  # whose Adagrad is not captured
def test_a_step_never_touches_the_host(name, tmp_path, places, monkeypatch):
    """So that it can be captured as a graph: what a GPU refused was a tensor made of numbers while the loss ran."""
    seen, lower = [], Descent.lower

    def watched(*given):
        with Host() as host:
            lower(*given)
        seen.append(set(host.seen) - {"scalar_tensor"})  # which is an argument of a kernel, and no copy

    monkeypatch.setattr(Descent, "lower", watched)
    monkeypatch.setattr(torch.optim.Adam, "step", lambda *_: None)  # on the CPU it reads its own count
    weights = {"structure_weight": 1.0} if name in ("cin", "johnson", "adain", "predictor") else {}
    list(run(name, tmp_path, places, steps=2, **weights))
    assert seen == [set(), set()]


@pytest.mark.parametrize("name", FAMILIES)
def test_it_trains_resumes_bit_for_bit_and_writes_what_loads(name, tmp_path, places):
    records = list(run(name, tmp_path / "whole", places))
    assert [r["step"] for r in records] == [1, 2, 3, 4]
    assert all(np.isfinite(v) for r in records for v in r.values())
    assert len((tmp_path / "whole" / "log.jsonl").read_text().splitlines()) == 4

    interrupted = run(name, tmp_path / "parts", places)
    next(interrupted)
    next(interrupted)
    interrupted.close()
    assert [r["step"] for r in run(name, tmp_path / "parts", places)] == [3, 4]
    first = torch.load(tmp_path / "whole" / "checkpoint.pt", weights_only=True)["model"]
    second = torch.load(tmp_path / "parts" / "checkpoint.pt", weights_only=True)["model"]
    assert first and all(torch.equal(first[key], second[key]) for key in first)

    model = load_model(tmp_path / "whole" / f"{name}.safetensors")
    written = load_file(tmp_path / "whole" / f"{name}.safetensors")
    assert written.keys() == model.state_dict().keys() and all(t.dtype == torch.float16 for t in written.values())
    assert name in (tmp_path / "whole" / "README.md").read_text()
    assert (tmp_path / "whole" / "sheets" / "000004.jpg").stat().st_size > 500


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_the_loss_falls(name, tmp_path, places):
    batch = 8 if name == "adain" else 2  # whose styles differ more than what is learned in so few steps
    records = list(run(name, tmp_path, places, steps=60, interval=20, batch=batch))
    known = {"step", "steps", "learning_rate", "skipped", "seconds_per_step", "diversity"}
    first, last = (sum(v for k, v in r.items() if k not in known) for r in (records[0], records[-1]))
    assert last < first


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path, places):
    """Under torchrun, with gloo: each sees other crops, and one of them writes."""
    given = arguments("cin", places)
    words = ["train", "cin", "--out", str(tmp_path / "out")]
    for key, value in given.items():
        words += [f"--{key.replace('_', '-')}", *map(str, value if isinstance(value, list | tuple) else [value])]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "nst"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([*torchrun, *words], cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("step 4 of 4") == 1
    alone = list(run("cin", tmp_path / "alone", places))
    log = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert [r["step"] for r in log] == [r["step"] for r in alone]
    one, two = (load_file(tmp_path / n / "cin.safetensors")["net.last.weight"] for n in ("out", "alone"))
    assert not torch.equal(one, two), "the second process's crops must count"


def test_new_styles_are_learned_on_convolutions_that_stay(tmp_path, places):
    list(run("cin", tmp_path / "first", places, steps=1))
    first = tmp_path / "first" / "cin.safetensors"
    given = {"start": str(first), "only_styles": True, "style": [f"new={places['painting']}"], "learning_rate": 0.1}
    list(run("cin", tmp_path / "second", places, **given))
    one, two = load_file(first), load_file(tmp_path / "second" / "cin.safetensors")
    assert all(torch.equal(one[key], two[key]) for key in one if key != "table")
    assert load_model(tmp_path / "second" / "cin.safetensors").styles == ("new",)


def test_bad_arguments_are_told(tmp_path, places):
    with pytest.raises(ValueError, match="2 styles; give as many"):
        next(run("cin", tmp_path, places, keep=[1.0]))
    with pytest.raises(ValueError, match="name the network to start from"):
        next(run("cin", tmp_path, places, only_styles=True))
    with pytest.raises(ValueError, match="mse or cross-entropy"):
        next(run("autoencoder", tmp_path, places, loss="l1"))
    with pytest.raises(ValueError, match="instance or batch"):
        next(run("johnson", tmp_path, places, norm="group"))
    with pytest.raises(WeightsError, match="nothing that this network could start from"):
        next(run("johnson", tmp_path, places, start=places["encoder"]))


def test_unreadable_photos_are_skipped_and_counted(tmp_path, places):
    photo_folder(tmp_path / "photos")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no picture")
    *_, last = run("johnson", tmp_path / "out", places, data=str(tmp_path / "photos"), batch=16)
    assert last["skipped"] == 1


def test_the_same_seed_cuts_the_same_crops():
    stock = Stock([to_pil(picture(0, 64, 96)), to_pil(picture(1, 64, 64))], 48, choose_device("cpu"))
    assert len(stock) == 3, "the longer picture gives two squares"
    one, two = (stock.batch(4, 32, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, two) and one.shape == (4, 3, 32, 32)
    assert not torch.equal(one, stock.batch(4, 32, torch.Generator().manual_seed(6)))
    assert float(one.min()) >= 0 and float(one.max()) <= 1


def test_a_crop_of_everything_is_the_picture_itself():
    image = picture(0, 32, 32)
    nothing = torch.zeros(1, dtype=torch.bool)
    same = crop(image, 32, torch.ones(1), torch.zeros(2, 1), nothing)
    assert torch.allclose(same, image, atol=1e-5)
    assert torch.allclose(crop(image, 32, torch.ones(1), torch.zeros(2, 1), ~nothing), image.flip(-1), atol=1e-5)
    corner = crop(image, 16, torch.full((1,), 0.5), torch.full((2, 1), -0.5), nothing)
    assert torch.allclose(corner, image[..., :16, :16], atol=1e-5)


def test_half_of_the_pictures_get_other_colors():
    red = torch.zeros(60, 3, 8, 8)
    red[:, 0] = 1
    strongest = other_colors(red, torch.Generator().manual_seed(0)).mean((2, 3)).argmax(1)
    assert 20 < int((strongest == 0).sum()) < 59 and len(strongest.unique()) == 3


def test_one_strength_in_eight_is_below_one():
    found = strengths(4000, torch.Generator().manual_seed(0))
    assert 0.09 < float((found < 1).float().mean()) < 0.16 and float(found.min()) == 0


def test_colors_are_compared_wherever_they_are():
    image, directions = picture(0, 64, 64), color_directions()
    assert torch.allclose(directions.norm(dim=1), torch.ones(len(directions)))
    assert torch.equal(sorted_colors(image, directions), sorted_colors(image.flip(-1).flip(-2), directions))
    assert not torch.allclose(sorted_colors(image, directions), sorted_colors(image[:, [1, 0, 2]], directions))


def test_the_learning_rate_has_one_cycle():
    config = RunConfig(out="", steps=1000, learning_rate=0.01)
    rates = [config.rate(step) for step in range(1, 1001)]
    assert max(rates) == pytest.approx(0.01, rel=0.01) and rates.index(max(rates)) < 60
    assert rates[0] < 0.002 and rates[-1] < 0.0001
