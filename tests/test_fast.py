"""Fast styles: mixtures, strengths, sizes and colors on tiny networks; and what the embedded ones are."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from safetensors.torch import save_file
from tiny import picture, tiny_encoder_file

from nst import fast
from nst.fast import fast_styles, fast_stylize, make_painter, model_for, paint_all_styles
from nst.frames import paint_frames
from nst.images import decode, read_recipe, resize, save, to_pil, to_tensor
from nst.metrics import psnr
from nst.models import blocks
from nst.models.adain import AdaIN
from nst.models.cin import ConditionalNet
from nst.models.johnson import SLIM, Johnson
from nst.models.predictor import StylePredictor
from nst.models.texture import TextureNet
from nst.models.wct import WCT
from nst.registry import list_models, load_model
from nst.styles import load_content
from nst.weights import WeightsError

SMALL = {"widths": [4, 6, 8], "blocks": 1, "kernel": 3}
STYLES = ["red", "green", "blue"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A tiny network of each kind, by name; those of any style look through a tiny encoder."""
    folder = tmp_path_factory.mktemp("models")
    encoder = {"encoder": tiny_encoder_file(folder)}
    made = {
        "cin": (ConditionalNet, {"styles": STYLES, **SMALL}),
        "predictor": (StylePredictor, {**encoder, "embedding": 4, **SMALL}),
        "adain": (AdaIN, {**encoder, "layer": "relu2_1"}),  # deeper, a random encoder hardly tells pictures apart
        "wct": (WCT, encoder),
        "johnson": (Johnson, SMALL),
        "texture": (TextureNet, {"scales": 3, "width": 2, "photo": True}),
        "noise": (TextureNet, {"scales": 3, "width": 2}),
    }
    paths = {}
    for seed, (name, (kind, config)) in enumerate(made.items()):
        torch.manual_seed(seed)
        model = kind(**config)
        with torch.no_grad():
            for parameter in model.parameters():
                if not parameter.any():  # scales and shifts begin at 0
                    parameter.normal_(std=0.3)
                elif name in ("adain", "wct") and parameter.ndim == 4:  # so that no path is dead
                    parameter.abs_()
        paths[name] = str(folder / f"{name}.safetensors")
        metadata = {"architecture": "texture" if name == "noise" else name, "config": json.dumps(config)}
        save_file(model.state_dict(), paths[name], metadata=metadata)
    return paths


def styles_for(name):
    return {"cin": ["red"], "johnson": [], "texture": []}.get(name, [picture(9, 40, 30)])


KINDS = ("cin", "predictor", "adain", "wct", "johnson", "texture")


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_paints(files, name):
    content = picture(1, 37, 51)
    result = fast_stylize(content, styles_for(name), model=files[name], device="cpu")
    assert result.shape == content.shape and result.dtype == torch.float32
    assert 0 <= float(result.min()) <= float(result.max()) <= 1 and psnr(result, content) < 40
    assert torch.equal(result, fast_stylize(content, styles_for(name), model=files[name], device="cpu"))


@pytest.mark.parametrize("name", KINDS)
def test_strength_leads_from_the_photo_to_the_style(files, name):
    content, painter = picture(1, 32, 48), make_painter(styles_for(name), model=files[name], device="cpu")
    path = [painter.paint(content, strength=s) for s in (0, 0.001, 30, 60, 99.999, 100)]
    assert torch.allclose(path[0], content, atol=1e-6)
    assert psnr(path[1], content) > 30, "no jump beside the photo"
    assert psnr(path[4], path[5]) > 30, "nor beside the style"
    distances = [float((image - content).square().mean()) for image in path]
    assert distances[0] < distances[2] < distances[5]


@pytest.mark.parametrize("name", ["cin", "predictor", "adain", "wct"])
def test_a_path_between_two_styles_ends_at_the_pure_ones(files, name):
    content = picture(1)
    pair = ["red", "green"] if name == "cin" else [picture(9, 40, 30), picture(10, 30, 40)]

    def painted(*weights):
        return fast_stylize(content, pair, weights, model=files[name], device="cpu")

    path = [painted(4 - i, i) for i in range(5)]
    pure = [fast_stylize(content, [style], model=files[name], device="cpu") for style in pair]
    assert torch.equal(path[0], pure[0]) and torch.equal(path[4], pure[1])
    assert torch.equal(painted(1, 3), painted(0.25, 0.75)), "weights are made to sum to 1"
    steps = [float((a - b).square().mean().sqrt()) for a, b in pairwise(path)]
    whole = float((path[0] - path[4]).square().mean().sqrt())
    assert whole > 0 and all(0 < step < whole for step in steps), "each step is a part of the way"


def test_every_style_in_one_batch(files):
    content = picture(1, 24, 40)
    results = paint_all_styles(content, size=40, model=files["cin"], device="cpu", batch=2)
    assert list(results) == STYLES
    for name, image in results.items():
        assert psnr(image, fast_stylize(content, [name], size=40, model=files["cin"], device="cpu")) > 40


def test_size_and_brush(files):
    content, painter = picture(1, 40, 60), make_painter(["blue"], model=files["cin"], device="cpu")
    assert painter.paint(content, size=90).shape == (1, 3, 60, 90)
    for brush in (0.5, 2):
        result = painter.paint(content, brush=brush)
        assert result.shape == content.shape and psnr(result, painter.paint(content)) < 40


def test_colors_are_kept(files):
    content = picture(1, 40, 60)
    kept = fast_stylize(content, ["red"], model=files["cin"], preserve_color="histogram", device="cpu")
    assert torch.allclose(kept.mean((2, 3)), content.mean((2, 3)), atol=0.02)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2), (300, 15), (15, 300)])
@pytest.mark.parametrize("name", KINDS)
def test_thin_and_tiny_pictures(files, name, size):
    result = fast_stylize(picture(1, *size), styles_for(name), model=files[name], device="cpu")
    assert result.shape[-2:] == size and result.isfinite().all()


def test_bad_input_is_told(files):
    content = picture(1)
    with pytest.raises(ValueError, match=r"no style \"gren\"\. Did you mean green"):
        fast_stylize(content, ["gren"], model=files["cin"])
    with pytest.raises(ValueError, match="one to 4 styles"):
        fast_stylize(content, ["red"] * 5, model=files["cin"])
    with pytest.raises(ValueError, match="not pictures: red, green, blue"):
        fast_stylize(content, [picture(2)], model=files["cin"])
    with pytest.raises(ValueError, match="leave the styles out"):
        fast_stylize(content, ["red"], model=files["johnson"])
    with pytest.raises(ValueError, match="strength must be a number from 0 to 100"):
        fast_stylize(content, ["red"], model=files["cin"], strength=101)
    with pytest.raises(ValueError, match="preserve_color must be one of none"):
        fast_stylize(content, ["red"], model=files["cin"], preserve_color="all")
    with pytest.raises(ValueError, match="2 weights are needed"):
        fast_stylize(content, ["red", "blue"], [1.0, -1.0], model=files["cin"])
    with pytest.raises(ValueError, match="does not paint photos"):
        fast_stylize(content, model=files["noise"])
    with pytest.raises(ValueError, match="does not paint photos"):
        fast_stylize(content, ["night"], model="compact")
    with pytest.raises(ValueError, match=r"no model \"cim\"\. Did you mean cin"):
        fast_stylize(content, ["red"], model="cim")


def test_hostile_weights_are_refused(files, tmp_path):
    config = {"styles": STYLES, **SMALL}
    good = {name: tensor.contiguous() for name, tensor in load_model(files["cin"]).state_dict().items()}
    for name, tensors, said in (
        ("short", {k: v for k, v in good.items() if k != "table"}, config),
        ("more", good | {"extra": torch.zeros(1)}, config),
        ("infinite", good | {"table": good["table"] + float("inf")}, config),
        ("config", good, config | {"norm": "none"}),
        ("unknown", good, config | {"depth": 3}),
    ):
        path = tmp_path / f"{name}.safetensors"
        save_file(tensors, path, metadata={"architecture": "cin", "config": json.dumps(said)})
        with pytest.raises(WeightsError):
            make_painter(["red"], model=str(path))


@pytest.mark.parametrize("size", [(101, 67), (64, 200), (33, 47), (98, 130)])
def test_strips_give_what_the_whole_gives(files, monkeypatch, size):
    content, painter = picture(1, *size), make_painter(["red"], model=files["cin"], device="cpu")
    painter = fast.Painter(painter.network, painter.code, fast.choose_device("cpu", "float32"), "cin")
    whole = painter.paint(content)
    monkeypatch.setattr(blocks, "LARGE", 300)
    monkeypatch.setattr(blocks, "STRIP", 150)
    assert psnr(painter.paint(content), whole) > 90


def test_a_style_by_name_finds_its_model():
    names = fast_styles()
    assert len(names) >= 12 and len(set(names)) == len(names)
    assert model_for(names[:2]) == "cin"
    assert model_for([names[0], picture(2)]) == model_for(["linocut"]) == "predictor"
    with pytest.raises(ValueError, match="Did you mean starry_night"):
        fast_stylize(picture(1), ["stary night"])


def test_the_embedded_models_paint_and_are_small():
    entries = [entry for kind in ("style", "texture") for entry in list_models(kind) if not entry.repo]
    assert {"cin", "predictor", "adain", "texture"} <= {entry.name for entry in entries}
    assert sum(entry.size for entry in entries) <= 12_000_000
    for entry in entries:
        network = load_model(entry.name)
        if network.takes == "noise" and not network.photo:
            noise = network.noise((40, 56), seed=1)
            assert network(noise).shape[:2] == (1, 3)
            continue
        styles = {"names": list(fast_styles())[:1], "pictures": [picture(9, 40, 30)]}.get(network.takes, [])
        result = fast_stylize(picture(1, 48, 64), styles, model=entry.name)
        assert result.shape == (1, 3, 48, 64) and float(result.std()) > 0.02


@pytest.mark.slow
def test_six_megapixels_in_strips_equal_the_whole(monkeypatch):
    from nst.device import peak_memory

    # A photo has grain. Where there is none at all, bfloat16 rounds differently in strips, and the norms enlarge that.
    grain = 0.05 * torch.randn(1, 3, 2000, 3000, generator=torch.Generator().manual_seed(0))
    content = (resize(to_tensor(load_content("coffee")), (2000, 3000)) + grain).clamp(0, 1)
    painter = make_painter(["starry_night"], device="cpu")
    with peak_memory(painter.device.torch_device) as peak:
        tiled = painter.paint(content)
    assert peak() < 2e9
    monkeypatch.setattr(blocks, "LARGE", 10**9)
    assert psnr(tiled, painter.paint(content)) > 40


def test_the_recipe_is_in_the_picture(files, tmp_path, capsys):
    from nst.__main__ import main

    save(tmp_path / "photo.png", to_pil(picture(1, 40, 60)))
    words = ["fast", str(tmp_path / "photo.png"), "-o", str(tmp_path / "out.png"), "--model", files["cin"]]
    assert main([*words, "--style", "red:3", "--style", "blue", "--strength", "80", "--size", "50"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out.png")
    recipe = read_recipe(tmp_path / "out.png")
    assert recipe["task"] == "fast" and recipe["style"] == ["red", "blue"] and recipe["content"] == "photo.png"
    assert recipe["settings"]["weights"] == [3, 1] and recipe["settings"]["strength"] == 80
    assert recipe["settings"]["model"] == "cin.safetensors" and len(recipe["models"]["cin.safetensors"]) == 64


def test_a_folder_on_the_command_line(files, tmp_path, capsys):
    from nst.__main__ import main

    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(2):
        save(photos / f"{i}.png", to_pil(picture(i)))
    (photos / "broken.jpg").write_bytes(b"no picture")
    words = ["fast", str(photos), "--style", "red", "--model", files["cin"], "-o", str(tmp_path / "out")]
    assert main(words) == 2
    told = capsys.readouterr()
    assert "2 done, 1 failed." in told.err and "broken.jpg" in told.err
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["0.png", "1.png"]
    assert main(words) == 2 and "2 done already" in capsys.readouterr().err


def test_all_styles_on_the_command_line(files, tmp_path, capsys):
    from nst.__main__ import main

    save(tmp_path / "photo.png", to_pil(picture(1, 40, 60)))
    words = ["fast", str(tmp_path / "photo.png"), "--all", "--model", files["cin"], "-o", str(tmp_path / "out")]
    assert main([*words, "--size", "48"]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "out" / f"{name}.webp") for name in STYLES]
    assert decode(tmp_path / "out" / "red.webp").rgb.size == (48, 32)
    assert main([*words, "--brush", "2"]) == 2 and "take no brush" in capsys.readouterr().err


def test_complaints_on_the_command_line(files, tmp_path, capsys):
    from nst.__main__ import main

    words = ["fast", "chelsea", "-o", str(tmp_path / "out.png")]
    for more, said in (
        (["--style", "starry_nigth"], "Did you mean starry_night"),
        ([], "Choose one to 4 styles; these are 0"),
        (["--style", str(tmp_path / "none.jpg")], "none.jpg"),
        (["--style", "red", "--model", files["cin"], "--strength", "200"], "between 0 and 100"),
    ):
        assert main([*words, *more]) == 2
        assert said in capsys.readouterr().err


def test_frames_are_the_pictures_painted_one_by_one():
    painter = make_painter([fast_styles()[0]], device="cpu")
    pictures = [picture(seed, *shape) for seed, shape in ((1, (48, 64)), (2, (48, 64)), (3, (40, 64)))]
    frames = [one[0].permute(1, 2, 0).mul(255).round().to(torch.uint8) for one in pictures]
    painted = list(paint_frames(painter, frames, strength=80))
    assert [frame.shape for frame in painted] == [frame.shape for frame in frames]
    for frame, result in zip(frames, painted, strict=True):
        alone = painter.paint(frame.permute(2, 0, 1)[None] / 255, strength=80)
        assert (result.permute(2, 0, 1)[None] / 255 - alone).abs().max() < 0.6 / 255
    assert not list(paint_frames(painter, []))


def test_a_frame_may_come_with_the_noise_of_its_ground():
    """The network's own gives what it paints of a photo, another one something else; who has no ground gives none."""
    painter = make_painter([fast_styles()[0]], device="cpu")
    frame = picture(1, 33, 46)[0].permute(1, 2, 0).mul(255).round().to(torch.uint8)
    noise = painter.ground(33, 46)
    assert noise.shape == (1, 1, 17, 23)
    plain, same, other = paint_frames(painter, [frame]), *[paint_frames(painter, [(frame, n)]) for n in (noise, -noise)]
    plain, same, other = (next(one).float() for one in (plain, same, other))
    assert torch.equal(plain, same) and (plain - other).abs().mean() > 1
    bare = replace(painter, network=Johnson(**SLIM))
    assert bare.ground(33, 46) is None
