"""Translators: their networks, generators of others, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from tiny import picture, tiny_encoder_file

from nst.__main__ import main
from nst.images import decode, read_recipe, save, to_pil
from nst.models.cyclegan import Generator, PatchGAN, ResNet, Translator
from nst.models.unet import UNet
from nst.registry import load_model
from nst.research.evaluate.translate import background_of, color_shift, compare_translate
from nst.tasks.recipe import from_query, make_recipe, settings_from_recipe, to_query
from nst.translate import Translation, translate, translate_run
from nst.weights import WeightsError

SMALL = {"widths": (4, 4, 6), "blocks": 2, "kernel": 3}


def translator_file(folder: Path, directions: tuple[str, ...] = ("there", "back"), **config) -> str:
    torch.manual_seed(0)
    model = Translator(directions, **{**SMALL, **config})
    path = folder / "translator.safetensors"
    metadata = {"architecture": "cyclegan", "config": json.dumps(model.config)}
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path, metadata=metadata)
    return str(path)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (5, 9), (1, 1)])
@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        {**SMALL, "separable": True, "upsampling": "resize", "output": "blend"},
        {"net": "unet", "width": 4, "depth": 3},
    ],
)
def test_a_picture_of_any_size_gives_one_of_its_size_in_range(config, size):
    torch.manual_seed(0)
    with torch.no_grad():
        out = Generator(**config)(torch.rand(2, 3, *size))
    assert out.shape == (2, 3, *size) and float(out.min()) >= 0 and float(out.max()) <= 1


def test_a_network_that_sees_small_pictures_leaves_large_ones_their_details():
    torch.manual_seed(0)
    plain, small = (Translator(sees=sees, output="blend", **SMALL) for sees in (0, 24))
    small.load_state_dict(plain.state_dict())
    assert small.config["sees"] == 24 and "sees" not in plain.config
    image = picture(3, 24, 20)
    with torch.no_grad():
        assert torch.equal(small(image), plain(image))
        large = F.interpolate(image, (96, 80), mode="bicubic").clamp(0, 1)
        change = small(large) - large
        assert change.shape == large.shape and float(change.abs().mean()) > 0.01
        wanted = F.interpolate(plain(image) - image, (96, 80), mode="bicubic")
        assert float((change - wanted).abs().mean()) < 0.3 * float(wanted.abs().mean())


def test_the_default_is_the_papers_generator():
    parameters = sum(p.numel() for p in Generator().parameters())
    assert parameters == 11_378_179  # of 9 blocks, which the paper's authors publish as 11.378 M
    slim = sum(p.numel() for p in Generator(widths=(16, 32, 64), blocks=6, separable=True).parameters())
    assert slim < parameters / 50


def test_the_critic_judges_patches_of_70_pixels():
    critic = PatchGAN(width=4)
    critic.convs = critic.convs.requires_grad_(False)
    image = torch.rand(1, 3, 128, 128, requires_grad=True)
    assert critic(image).shape == (1, 1, 14, 14)
    x = image * 2 - 1  # instance normalization sees all of a picture; what a patch is, is up to the convolutions
    for conv in [*critic.convs, critic.last]:
        x = conv(x)
    x[0, 0, 7, 7].backward()
    rows = image.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert int(rows[-1] - rows[0]) + 1 == 70


def test_a_blend_of_nothing_is_the_photo():
    generator, photo = Generator(output="blend", **SMALL), picture(0)
    generator.net.last.weight.data.zero_()
    generator.net.last.bias.data = torch.tensor([0.0, 0.0, 0.0, -40.0])
    assert torch.allclose(generator(photo), photo, atol=1e-6)
    generator.net.last.bias.data[3] = 40.0
    assert torch.allclose(generator(photo), torch.full_like(photo, 0.5))


def test_the_u_net_keeps_what_it_saw_on_the_way_down():
    net = UNet(width=4, depth=3)
    assert [conv.in_channels for conv in net.up] == [16, 16, 8] and net.up[-1].out_channels == 3
    with pytest.raises(ValueError, match="2 to 9 levels"):
        UNet(depth=1)


def reference(tensors: dict, image: torch.Tensor, blocks: int, separable: bool) -> torch.Tensor:
    """The layout of pytorch-CycleGAN (or gan-compression), computed layer by layer from its own names."""

    def conv(x, name, **how):
        return F.conv2d(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"], **how)

    def reflect(x, size):
        return F.pad(x, (size,) * 4, mode="reflect")

    def layer(x, name):
        x = reflect(x, 1)
        if not separable:
            return conv(x, name)
        return conv(F.instance_norm(conv(x, f"{name}.conv.0", groups=x.shape[1])), f"{name}.conv.2")

    x = F.relu(F.instance_norm(conv(reflect(2 * image - 1, 3), "model.1")))
    for i in (4, 7):
        x = F.relu(F.instance_norm(conv(x, f"model.{i}", stride=2, padding=1)))
    second = 6 if separable else 5
    for i in range(10, 10 + blocks):
        y = F.relu(F.instance_norm(layer(x, f"model.{i}.conv_block.1")))
        x = x + F.instance_norm(layer(y, f"model.{i}.conv_block.{second}"))
    for i in (10 + blocks, 13 + blocks):
        weight, bias = tensors[f"model.{i}.weight"], tensors[f"model.{i}.bias"]
        x = F.relu(F.instance_norm(F.conv_transpose2d(x, weight, bias, 2, 1, 1)))
    return (torch.tanh(conv(reflect(x, 3), f"model.{17 + blocks}")) + 1) / 2


def foreign(kind: str, blocks: int = 2) -> dict[str, torch.Tensor]:
    """Random weights in a layout of others."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"model.1": (4, 3, 7, 7), "model.4": (6, 4, 3, 3), "model.7": (8, 6, 3, 3)}
    inside, outside = {"compressed": (5, 8)}.get(kind, (8, 8))
    for i in range(10, 10 + blocks):
        if kind == "compressed":
            for layer, a, b in ((1, outside, inside), (6, inside, outside)):
                shapes[f"model.{i}.conv_block.{layer}.conv.0"] = (a, 1, 3, 3)
                shapes[f"model.{i}.conv_block.{layer}.conv.2"] = (b, a, 1, 1)
        else:
            name = "conv_block" if kind == "original" else "block"
            shapes |= {f"model.{i}.{name}.{layer}": (8, 8, 3, 3) for layer in (1, 5)}
    if kind == "upsampled":
        places = (11 + blocks, 15 + blocks, 19 + blocks)
        shapes |= {f"model.{places[0]}": (6, 8, 3, 3), f"model.{places[1]}": (4, 6, 3, 3)}
    else:
        places = (10 + blocks, 13 + blocks, 17 + blocks)
        shapes |= {f"model.{places[0]}": (8, 6, 3, 3), f"model.{places[1]}": (6, 4, 3, 3)}
    shapes[f"model.{places[2]}"] = (3, 4, 7, 7)
    found = {f"{name}.weight": 0.2 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    transposed = {f"model.{place}" for place in places[:2]} if kind != "upsampled" else set()
    biases = {name: shape[1 if name in transposed else 0] for name, shape in shapes.items()}
    return found | {f"{n}.bias": 0.1 * torch.randn(count, generator=generator) for n, count in biases.items()}


@pytest.mark.parametrize("kind", ["original", "compressed"])
def test_generators_of_others_compute_what_theirs_do(kind, tmp_path):
    tensors, image = foreign(kind), picture(3, 32, 40)
    torch.save(tensors, tmp_path / "theirs.pth")
    model = load_model(tmp_path / "theirs.pth", architecture="cyclegan")
    wanted = reference(tensors, image, 2, kind == "compressed")
    assert torch.allclose(model(image), wanted, atol=1e-4)
    assert model.config["inner"] == ([5, 5] if kind == "compressed" else [8, 8])


def test_an_upsampling_generator_and_statistics_of_older_versions_are_taken(tmp_path):
    tensors = foreign("upsampled")
    tensors |= {"model.2.running_mean": torch.zeros(4), "model.2.num_batches_tracked": torch.tensor(3)}
    torch.save(tensors, tmp_path / "theirs.pth")
    model = load_model(tmp_path / "theirs.pth", architecture="cyclegan")
    assert model.config["upsampling"] == "resize" and model(picture(0)).shape == (1, 3, 24, 32)


def test_other_files_are_refused_clearly(tmp_path):
    def refused(tensors, match):
        torch.save(tensors, tmp_path / "file.pth")
        with pytest.raises(WeightsError, match=match):
            load_model(tmp_path / "file.pth", architecture="cyclegan")

    whole = foreign("original")
    refused({k: v for k, v in whole.items() if k != "model.11.conv_block.5.bias"}, "conv_block.5.bias' is missing")
    refused(whole | {"model.99.weight": torch.zeros(1)}, "model.99.weight should not be there")
    refused({"conv1.weight": torch.zeros(3)}, "no generator known here; known are gan-compression")
    refused(whole | {"model.2.running_mean": torch.zeros(4), "model.2.weight": torch.zeros(4)}, "batch normalization")
    refused(whole | {"model.1.bias": torch.full((4,), float("nan"))}, "no numbers")
    with pytest.raises(ValueError, match="resnet or unet"):
        Generator(net="vit")
    with pytest.raises(ValueError, match="tanh or blend"):
        Generator(output="relu")
    with pytest.raises(ValueError, match="transposed or resize"):
        ResNet(upsampling="bicubic")
    with pytest.raises(ValueError, match="as many inner widths"):
        ResNet(blocks=2, inner=(3,))
    with pytest.raises(ValueError, match="one direction or two"):
        Translator(("a", "b", "c"))


def test_a_generator_of_others_is_imported(tmp_path, capsys):
    torch.save(foreign("original"), tmp_path / "theirs.pth")
    out = tmp_path / "ours.safetensors"
    assert main(["models", "import", str(tmp_path / "theirs.pth"), "--as", "cyclegan", "-o", str(out)]) == 0
    first = load_model(tmp_path / "theirs.pth", architecture="cyclegan")(picture(1))
    assert torch.equal(load_model(out)(picture(1)), first)


def test_there_and_back(tmp_path):
    model, photo = translator_file(tmp_path), picture(0, 96, 128)
    found = translate(photo, model=model, size=64, device="cpu")
    assert found.photo.shape == found.image.shape == found.back.shape == (1, 3, 48, 64)
    assert found.cycle == pytest.approx(float((found.back - found.photo).abs().mean()))
    other = translate(photo, model=model, direction="back", size=64, device="cpu")
    assert not torch.equal(found.image, other.image)
    assert "off the photo" in found.note
    (step,) = translate_run(photo, model=model, size=64)
    assert step.image.shape == (3, 3, 48, 64) and step.note == found.note


def test_a_picture_that_is_left_alone_is_told():
    photo = picture(0)
    assert "Hardly anything was changed" in Translation(photo, photo + 0.001).note
    assert Translation(photo, 1 - photo).note is None


def test_bad_requests_are_told(tmp_path):
    model, photo = translator_file(tmp_path), picture(0)
    with pytest.raises(ValueError, match='knows there and back, not "their"'):
        translate(photo, model=model, direction="their")
    with pytest.raises(ValueError, match="64 to 4096"):
        translate(photo, model=model, size=5000)
    with pytest.raises(ValueError, match='no model "horse2zebr"'):
        translate(photo, model="horse2zebr")
    with pytest.raises(ValueError, match='"compact" does not translate'):
        translate(photo, model="compact")


def test_the_command_translates_a_picture_and_a_folder(tmp_path, capsys):
    model = translator_file(tmp_path)
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for i in range(2):
        save(photos / f"{i}.png", to_pil(picture(i, 96, 128)))
    (photos / "broken.jpg").write_bytes(b"no picture")
    given = ["--model", model, "--size", "64", "--device", "cpu"]
    single = tmp_path / "one.png"
    words = ["translate", str(photos / "0.png"), *given, "-o", str(single), "--back", str(tmp_path / "back.png")]
    assert main(words) == 0 and "off the photo" in capsys.readouterr().err
    assert decode(single).rgb.size == decode(tmp_path / "back.png").rgb.size == (64, 48)
    recipe = read_recipe(str(single))
    assert recipe["task"] == "translate" and recipe["settings"]["model"] == "translator.safetensors"
    assert main(["translate", str(photos), *given, "-o", str(out)]) == 2
    assert "2 done, 1 failed" in capsys.readouterr().err and len(list(out.iterdir())) == 2
    again = tmp_path / "again.png"
    assert main(["translate", str(photos / "0.png"), "--recipe", str(single), "-o", str(again)]) == 2
    assert "name its file with --model" in capsys.readouterr().err
    assert main(["translate", str(photos / "0.png"), "--recipe", str(single), "--model", model, "-o", str(again)]) == 0
    assert np.array_equal(np.asarray(Image.open(again)), np.asarray(Image.open(single)))
    assert main(["translate", str(photos), *given, "-o", str(out), "--back", "x.png"]) == 2
    one_way = translator_file(tmp_path, ("only",))
    assert main(["translate", str(photos / "0.png"), "--model", one_way, "-o", str(again), "--back", "b.png"]) == 2
    assert "one direction only" in capsys.readouterr().err


def test_a_recipe_and_a_link_bring_the_settings_back():
    asked = {"model": "horse2zebra", "direction": "horse2zebra", "size": 256}
    recipe = make_recipe(asked, task="translate", content="chelsea")
    assert len(recipe["models"]["horse2zebra"]) == 64
    assert settings_from_recipe(recipe, "translate") == asked | {"device": "auto"}
    query = dict(pair.split("=") for pair in to_query(asked, task="translate", content="chelsea").split("&"))
    assert query["task"] == "translate" and from_query(query, "translate")["settings"] == asked | {"device": "auto"}
    strange = settings_from_recipe({"settings": {"direction": "../x", "model": "<b>", "size": 1e9}}, "translate")
    assert strange == {"model": "horse2zebra", "direction": None, "size": 4096, "device": "auto"}


def test_a_tint_moves_colors_and_texture_does_not():
    photo, everywhere = torch.full((1, 3, 64, 64), 0.5), torch.ones(1, 1, 4, 4)
    rows = torch.arange(64).view(1, 1, 64, 1) % 2
    assert color_shift(photo + 0.02 * (2 * rows - 1), photo, everywhere) < 0.2
    darker = photo.clone()
    darker[..., :32] = 0.4
    assert 4 < color_shift(darker, photo, everywhere) < 6
    right = torch.zeros(1, 1, 4, 4)
    right[..., 3] = 1
    assert color_shift(darker, photo, right) == 0


def test_translators_and_cycles_are_compared(tmp_path):
    from torchvision.models import squeezenet1_1

    torch.manual_seed(0)
    judge, photo = tmp_path / "squeezenet.safetensors", tmp_path / "photo.png"
    save_file(squeezenet1_1(weights=None).state_dict(), judge)
    save(photo, to_pil(picture(0, 48, 64)))
    network, image = load_model(judge, architecture="squeezenet"), picture(0, 48, 64)
    seen = network.look(image, ("relu5_1", "relu2_1"))
    assert torch.equal(seen["relu5_1"], network.encode(image)) and seen["relu2_1"].shape == (1, 128, 11, 15)
    with pytest.raises(ValueError, match="No layer relu5_4"):
        network.look(image, ("relu5_4",))
    model = translator_file(tmp_path)
    given = {"photos": [str(photo)], "size": 64, "out": str(tmp_path)}
    one, mean = compare_translate(squeezenet=str(judge), models=[model], **given)
    assert one["photo"] == "photo" and one["top"] in (0.0, 1.0) and mean["label"] == one["label"]
    (tmp_path / "other").mkdir()
    one_way = Path(translator_file(tmp_path / "other", ("only",))).rename(tmp_path / "one_way.safetensors")
    asked = {"judge": tiny_encoder_file(tmp_path), "styles": [str(photo)], "models": [model, str(one_way)]}
    both, only, mean, _ = compare_translate(**asked, **given)
    assert both["cycle"] > 0 and only["cycle"] is None and mean["closed"] == both["closed"] < 1
    assert "label" not in both and decode(tmp_path / "translate.png").rgb.width == 4 * 64, "photo, two ways, one way"


def test_the_background_keeps_away_from_the_thing():
    places = torch.zeros(1, 1, 12, 12)
    places[0, 0, 5, 5] = 1
    found = background_of(places)
    assert not found[0, 0, 2:9, 2:9].any() and found[0, 0, 9:].all() and found[0, 0, :, :2].all()
