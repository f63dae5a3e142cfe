"""The registry: builders found by name, models by name or path."""

from __future__ import annotations

import importlib
import json
import sys
import threading

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from nst import registry
from nst.registry import find_model, list_models, load_model, model_rows
from nst.weights import WeightsError, WeightsNotFound, manifest, record

TENSORS = {"conv.weight": torch.randn(4, 3, 3, 3), "conv.bias": torch.randn(4)}
built: list[dict[str, object]] = []


class Tiny(nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)
        self.drop = nn.Dropout()


def build_tiny(config, tensors):
    built.append(config)
    module = Tiny(**config)
    module.load_state_dict(tensors, strict=True)
    return module


registry.builders["tiny-for-tests"] = build_tiny


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A pretrained folder with one model, `ours`, and its entry."""
    monkeypatch.setattr(manifest, "PRETRAINED", tmp_path)
    monkeypatch.setenv("PASTICHE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    registry.forget_models()
    built.clear()
    save_file(TENSORS, tmp_path / "ours.safetensors", {"config": '{"width": 4}'})
    add("ours", tmp_path / "ours.safetensors")
    yield tmp_path
    registry.forget_models()


def add(name, path, **changes):
    fields = {"kind": "encoder", "architecture": "tiny-for-tests", "license": "MIT", "source": "made here"}
    return record(name, path, **(fields | changes))


def add_remote(folder):
    text = (folder / "models.toml").read_text()
    (folder / "models.toml").write_text(
        text + f'\n[far]\nkind = "style"\narchitecture = "tiny-for-tests"\nrepo = "owner/far"\n'
        f'revision = "{"a" * 40}"\nfile = "model.safetensors"\nsha256 = "{"b" * 64}"\nprefix = "features."\n'
        'size = 575000000\ndownload = 80097536\ntensors = 2\nlicense = "bsd-3-clause"\nsource = "elsewhere"\n'
        '[far.shapes]\n"conv.weight" = [4, 3, 3, 3]\n"conv.bias" = [4]\n'
    )


def test_load_by_name_is_frozen_and_ready(folder):
    model = load_model("ours")
    assert isinstance(model, Tiny) and not model.training and not model.drop.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert torch.equal(model.conv.weight, TENSORS["conv.weight"])
    assert built == [{"width": 4}]


def test_loaded_once_until_the_file_changes(folder):
    model = load_model("ours")
    assert load_model("ours") is model and len(built) == 1
    save_file({name: tensor + 1 for name, tensor in TENSORS.items()}, folder / "ours.safetensors")
    add("ours", folder / "ours.safetensors")
    assert load_model("ours") is not model


def test_path_and_name(folder):
    save_file(TENSORS, folder / "mine.safetensors", {"architecture": "tiny-for-tests", "config": "{}"})
    model = load_model(folder / "mine.safetensors")
    assert torch.equal(model.conv.bias, TENSORS["conv.bias"])
    assert load_model(str(folder / "mine.safetensors")) is model
    doubled = {name: tensor * 2 for name, tensor in TENSORS.items()}
    save_file(doubled, folder / "mine.safetensors", {"architecture": "tiny-for-tests"})
    assert load_model(folder / "mine.safetensors") is not model


def test_file_of_a_known_layout_is_recognized(folder):
    add_remote(folder)
    features = {f"features.{name}": tensor for name, tensor in TENSORS.items()}
    torch.save(features | {"classifier.weight": torch.zeros(3)}, folder / "torchvision.pth")
    assert torch.equal(load_model(folder / "torchvision.pth").conv.bias, TENSORS["conv.bias"])
    save_file({"else": torch.zeros(1)}, folder / "else.safetensors")
    with pytest.raises(WeightsError, match=r"none of the models known here.*far"):
        load_model(folder / "else.safetensors")


def test_architecture_may_be_told(folder):
    save_file(TENSORS, folder / "plain.safetensors")
    with pytest.raises(WeightsError, match="names no architecture"):
        load_model(folder / "plain.safetensors")
    assert isinstance(load_model(folder / "plain.safetensors", architecture="tiny-for-tests"), Tiny)


def test_file_put_into_pretrained_for_a_model_of_the_hub(folder):
    add_remote(folder)
    with pytest.raises(WeightsNotFound, match="python -m nst models pull far"):
        load_model("far")
    save_file({f"features.{name}": tensor for name, tensor in TENSORS.items()}, folder / "far.safetensors")
    assert isinstance(load_model("far"), Tiny)
    registry.forget_models()
    save_file({"features.conv.weight": TENSORS["conv.weight"]}, folder / "far.safetensors")
    with pytest.raises(WeightsError, match=r"does not hold far: conv\.bias"):
        load_model("far")


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({"conv.weight": torch.zeros(4, 3, 3, 3)}, "conv.bias"),
        ({**TENSORS, "more": torch.zeros(1)}, "more"),
        ({**TENSORS, "conv.bias": torch.zeros(5)}, "conv.bias"),
        ({**TENSORS, "conv.bias": torch.full((4,), float("inf"))}, "no numbers"),
    ],
)
def test_weights_that_do_not_fit_are_told(folder, tensors, says):
    save_file(tensors, folder / "bad.safetensors", {"architecture": "tiny-for-tests"})
    with pytest.raises(WeightsError, match=says) as caught:
        load_model(folder / "bad.safetensors")
    assert "bad.safetensors" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("config", ["[1]", "{", "3", "[" * 100_000, '{"no_such_argument": 1}'])
def test_wrong_config_is_told(folder, config):
    save_file(TENSORS, folder / "bad.safetensors", {"architecture": "tiny-for-tests", "config": config})
    with pytest.raises(WeightsError, match=r"config|no_such_argument"):
        load_model(folder / "bad.safetensors")


@pytest.mark.parametrize(("typed", "offered"), [("our", "ours"), ("Ours", "ours"), ("x", "There are: ours")])
def test_unknown_name_offers_the_nearest(folder, typed, offered):
    with pytest.raises(ValueError, match=offered):
        load_model(typed)


def test_missing_path_is_told(folder):
    for path in (folder / "none.safetensors", "none.pth", "some/where"):
        with pytest.raises(WeightsNotFound, match="There is no file"):
            load_model(path)


def test_unknown_architecture_is_told(folder):
    add("ours", folder / "ours.safetensors", architecture="nobody-builds-this")
    with pytest.raises(WeightsError, match='"nobody-builds-this"'):
        load_model("ours")


def test_builders_are_found_in_models_by_their_own_name(folder, tmp_path, monkeypatch):
    home = tmp_path / "models_here"
    home.mkdir()
    (home / "first.py").write_text("raise AssertionError('imported without need')\n")
    (home / "wanted.py").write_text(
        "from nst.registry import register\n"
        "from torch import nn\n"
        "@register('wanted', lambda config, tensors: (config, {}))\n"
        "class Nothing(nn.Identity):\n"
        "    pass\n"
    )
    (home / "lacking.py").write_text("import a_package_that_is_not_there\n")
    models = importlib.import_module("nst.models")
    monkeypatch.setattr(models, "__path__", [str(home)])
    save_file(TENSORS, folder / "a.safetensors", {"architecture": "wanted"})
    assert isinstance(load_model(folder / "a.safetensors"), nn.Identity)
    assert "nst.models.first" not in sys.modules
    save_file(TENSORS, folder / "b.safetensors", {"architecture": "lacking"})
    with pytest.raises(WeightsError, match=r"nst\.models\.lacking cannot be imported"):
        load_model(folder / "b.safetensors")


def test_threads_get_one_model(folder, monkeypatch):
    another = threading.Event()

    def slow(config, tensors):
        built.append(config)
        if len(built) > 1:
            another.set()
        another.wait(0.2)  # for the others, who would come in if they could
        return Tiny()

    monkeypatch.setitem(registry.builders, "tiny-for-tests", slow)
    got = []
    threads = [threading.Thread(target=lambda: got.append(load_model("ours"))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(model) for model in got}) == 1 and len(built) == 1


def test_list_by_kind(folder):
    add_remote(folder)
    assert [entry.name for entry in list_models()] == ["ours", "far"]
    assert [entry.name for entry in list_models("style")] == ["far"]
    assert find_model("far").download == 80_097_536


def test_rows_for_the_table(folder):
    add_remote(folder)
    ours, far = model_rows()
    assert ours["place"] == str(folder / "ours.safetensors") and ours["size"].endswith("MB")
    assert far == {
        "name": "far",
        "kind": "style",
        "place": "not downloaded",
        "size": "80 MB of 575 MB",
        "license": "bsd-3-clause",
        "origin": "owner/far@aaaaaaaaaa",
    }
    (folder / "ours.safetensors").unlink()
    assert model_rows("encoder")[0]["place"] == "missing"
    assert json.dumps(model_rows())
