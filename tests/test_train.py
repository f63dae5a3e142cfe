"""Distillation on tiny random teachers: it learns, it resumes bit for bit, and it survives bad pictures."""

from __future__ import annotations

import json
import tarfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny import photo_folder

from nst.device import choose_device
from nst.encoders import VGG_DEPTHS, load_encoder
from nst.images import ImageError
from nst.research.train import painted
from nst.research.train.compact import train_compact
from nst.research.train.everything import train_everything
from nst.teach.crops import Pictures, Stock


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photo_folder(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    """Random networks in the layouts of the real teachers."""
    from torchvision.models import squeezenet1_1

    folder = tmp_path_factory.mktemp("teachers")
    torch.manual_seed(0)

    def conv(out, inside, size=3):
        return torch.randn(out, inside, size, size) * (2 / (inside * size * size)) ** 0.5, torch.zeros(out)

    def save(name, convs):
        tensors = {f"{key}.weight": pair[0] for key, pair in convs.items()}
        save_file(tensors | {f"{key}.bias": pair[1] for key, pair in convs.items()}, folder / name)

    shallow = {"0": conv(3, 3, 1), "2": conv(64, 3), "5": conv(64, 64), "9": conv(128, 64)}
    shallow |= {"12": conv(128, 128), "16": conv(256, 128)}
    save("vgg19_normalised_to_relu3_1.safetensors", shallow)
    deep, inside = {"conv0": conv(3, 3, 1)}, 3
    for s, depth in enumerate((*VGG_DEPTHS["vgg19"][:4], 1), 1):
        for i in range(1, depth + 1):
            deep[f"conv{s}{i}"], inside = conv(8, inside), 8
        deep[f"conv{s}1_aux"] = conv((64, 128, 256, 512, 512)[s - 1], 8, 1)
    save("vgg19_16x_level5_encoder.safetensors", deep)
    save_file(squeezenet1_1(weights=None).state_dict(), folder / "squeezenet1_1_bgr255.safetensors")
    return folder


@pytest.fixture(autouse=True)
def painted_soon(monkeypatch):
    """The pictures that are painted on the student take a few steps."""
    monkeypatch.setattr(painted, "LENGTHS", (3, 3, 3))


def train(out, photos, teachers, **arguments):
    arguments = {"batch": 5, "size": 32, "bank": 8, "painter": "", "interval": 1, "device": "cpu"} | arguments
    return list(train_compact(data=str(photos), teachers=str(teachers), out=str(out), **arguments))


def test_it_trains_resumes_bit_for_bit_and_writes_what_loads(tmp_path, photos, teachers):
    records = train(tmp_path / "whole", photos, teachers, steps=4)
    assert [r["step"] for r in records] == [1, 2, 3, 4]
    assert all(np.isfinite(v) for r in records for v in r.values())
    lines = (tmp_path / "whole" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]

    interrupted = train_compact(
        data=str(photos),
        teachers=str(teachers),
        out=str(tmp_path / "parts"),
        steps=4,
        batch=5,
        size=32,
        interval=1,
        bank=8,
        painter="",
        device="cpu",
    )
    next(interrupted)
    next(interrupted)
    interrupted.close()
    assert [r["step"] for r in train(tmp_path / "parts", photos, teachers, steps=4)] == [3, 4]
    whole, parts = (load_encoder(tmp_path / name / "compact.safetensors") for name in ("whole", "parts"))
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, parts.state_dict()[name]), name
    assert "relu5_1" in whole.layers
    assert (tmp_path / "whole" / "README.md").read_text().startswith("---")


@pytest.mark.slow
def test_the_error_falls(tmp_path, photos, teachers):
    records = train(tmp_path, photos, teachers, steps=30, interval=10)
    assert records[-1]["relu3_1"] < records[0]["relu3_1"]


@pytest.mark.slow
def test_a_warm_start_takes_over_the_weights(tmp_path, photos, teachers):
    train(tmp_path / "first", photos, teachers, steps=1)
    first = tmp_path / "first" / "compact.safetensors"
    train(tmp_path / "second", photos, teachers, steps=1, start=str(first), learning_rate=1e-9)
    one, two = (load_encoder(tmp_path / name / "compact.safetensors") for name in ("first", "second"))
    assert torch.allclose(one.conv4_1.weight, two.conv4_1.weight, atol=1e-3)


def test_unreadable_pictures_are_skipped_and_counted(tmp_path, photos):
    for path in photos.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    stock = Stock(Pictures(tmp_path), 32, choose_device("cpu"))
    assert stock.batch(40, 16, stock.rng).shape == (40, 3, 16, 16) and stock.skipped == 1


def test_a_tar_gives_the_same_pictures_as_its_folder(tmp_path, photos):
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        for path in sorted(photos.iterdir()):
            archive.add(path, path.name)
    folder, packed = Pictures(photos), Pictures(tmp_path / "photos.tar")
    assert len(folder) == len(packed) == 4
    assert all(a.tobytes() == b.tobytes() for a, b in zip(folder, packed, strict=True))


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(ImageError, match="No pictures"):
        Pictures(tmp_path)
    (tmp_path / "only.png").write_bytes(b"")
    with pytest.raises(ImageError, match="None of the"):
        Stock(Pictures(tmp_path), 8, choose_device("cpu"))


def test_an_unknown_training_is_told(tmp_path):
    given = {"data": "", "paintings": (), "teachers": "", "style": (), "contents": ()}
    with pytest.raises(ValueError, match="no training of faces"):
        next(train_everything(**given, out=str(tmp_path), only=["faces"]))


@pytest.mark.slow
def test_everything_is_trained_for_its_time_and_the_better_is_kept(tmp_path, photos, teachers):
    *pictures, content = [str(path) for path in sorted(photos.iterdir())[:3]]
    given = {"data": str(photos), "paintings": [str(photos)], "teachers": str(teachers), "contents": [content]}
    named = [f"{name}={path}" for name, path in zip(("starry_night", "great_wave"), pictures, strict=True)]
    run = train_everything(
        **given, style=named, out=str(tmp_path), only=["cin"], minutes=0.02, batch=2, size=32, device="cpu"
    )
    *_, told = run
    assert told["model"] == "cin" and told["kept"] == (
        "the new one" if told["after"] > told["before"] else "the old one"
    )
    fresh, best = (tmp_path / name for name in ("cin/cin.safetensors", "best/cin.safetensors"))
    assert (fresh.read_bytes() == best.read_bytes()) == (told["kept"] == "the new one")
