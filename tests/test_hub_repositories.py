"""Models of the Hub by `owner/name`: published, told, fetched strictly, refused where they are not what they say."""

from __future__ import annotations

import io
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

import huggingface_hub
import pytest
import torch
import yaml
from fake_hub import FakeHub, go_online
from fake_run import FakeRun
from test_translate import foreign
from tiny import picture, tiny_encoder_file

from nst import fast, registry
from nst.__main__ import main
from nst.encoders import load_encoder
from nst.images import decode, read_recipe, save, to_pil
from nst.registry import find_model, load_model
from nst.server import limits
from nst.tasks import TASKS
from nst.ui import forecast, settings
from nst.ui.painting import Order, Painting
from nst.weights import WeightsError, WeightsNotFound, hub, manifest, repository

REPO = "someone/waves"


def link(path: Path, other: Path) -> None:
    try:
        os.link(path, other)
    except OSError:  # another disk
        shutil.copy(path, other)


def pretrained(folder: Path) -> Path:
    """A folder like `pretrained/`, in which a test may write: the weights, which it does not, are the same files."""
    made = folder / "pretrained"
    made.mkdir()
    for path in manifest.PRETRAINED.iterdir():
        if path.suffix == ".safetensors":
            link(path, made / path.name)
        else:
            shutil.copy(path, made)
    return made


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A Hub on loopback that has nothing yet, empty caches, and a token."""
    go_online(monkeypatch, tmp_path)
    monkeypatch.setattr(hub, "RETRY_WAITS", (0.01,))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(manifest, "PRETRAINED", pretrained(tmp_path))
    registry.forget_models()
    with FakeHub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server
    huggingface_hub.close_session()
    registry.forget_models()
    repository._known.clear()


@pytest.fixture
def encoder(tmp_path):
    """A file of one's own: a tiny encoder."""
    return tiny_encoder_file(tmp_path)


@pytest.fixture
def published(fake, encoder, capsys):
    """That encoder on the Hub; gives its revision."""
    assert main(["models", "push", str(encoder), REPO, "--license", "mit"]) == 0
    return capsys.readouterr().out.split("@")[-1].split()[0]


def elsewhere(tmp_path, monkeypatch):
    """Another machine: empty caches, and nothing loaded."""
    go_online(monkeypatch, tmp_path / "elsewhere")
    registry.forget_models()
    repository._known.clear()


# ---- published


def test_what_is_published_has_the_usual_layout(fake, published):
    assert set(fake.names(REPO, published)) == {"model.safetensors", "config.json", "README.md", "example.webp"}
    assert fake.created == [{"name": "waves", "organization": "someone"} | fake.created[0]]
    text = fake.files[f"/{REPO}/resolve/main/README.md"][0].decode()
    front = yaml.safe_load(text.split("---")[1])
    assert front["license"] == "mit" and front["library_name"] == "pastiche" and front["metrics"] == ["ssim"]
    assert front["pipeline_tag"] == "image-feature-extraction" and "style-transfer" in front["tags"]
    assert "example.webp" in text and f'load_model("{REPO}")' in text
    config = json.loads(fake.files[f"/{REPO}/resolve/main/config.json"][0])
    assert config and "architecture" not in config, "the arguments of the network and nothing else"
    assert front["architecture"] == "encoder"


def test_others_load_it_as_they_are_used_to(fake, tmp_path):
    from huggingface_hub import PyTorchModelHubMixin

    from nst.cli import publish
    from nst.models.cin import ConditionalNet

    class Theirs(ConditionalNet, PyTorchModelHubMixin):
        """What somebody writes who uses the class and not the registry."""

    publish.lay_out("cin", "someone/cin", "", tmp_path)
    theirs, ours = Theirs.from_pretrained(str(tmp_path), strict=True), load_model("cin")
    for name, tensor in ours.state_dict().items():
        assert torch.equal(theirs.state_dict()[name].float(), tensor.float()), name


def test_a_dry_run_shows_all_and_needs_no_token(fake, monkeypatch, capsys):
    monkeypatch.delenv("HF_TOKEN")
    assert main(["models", "push", "cin", "someone/cin", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("model.safetensors  3,6", "config.json", "example.png", "license: mit"))
    assert "Conditional instance normalization" in said, "what is told of it in pretrained/README.md"
    assert not fake.requests


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["cin", REPO], "hf auth login"),
        (["cin", "nowhere", "--dry-run"], "OWNER/NAME"),
        (["candy", REPO, "--dry-run"], "not ours to publish"),
        (["missing.safetensors", REPO, "--dry-run", "--license", "mit"], "There is no file"),
        (["{file}", REPO, "--dry-run"], "--license"),
        (["cinn", REPO, "--dry-run"], "Did you mean cin"),
        ([REPO], "--all and OWNER"),
    ],
)
def test_what_cannot_be_published_is_told_in_a_sentence(fake, encoder, monkeypatch, capsys, words, says):
    monkeypatch.delenv("HF_TOKEN")
    assert main(["models", "push", *(word.format(file=encoder) for word in words)]) == 2
    assert says in capsys.readouterr().err and not fake.files


def test_a_token_that_may_not_write_is_told(fake, encoder, capsys):
    fake.statuses = [(403, "")] * 3
    assert main(["models", "push", str(encoder), REPO, "--license", "mit"]) == 2
    assert "may not write" in capsys.readouterr().err


def test_of_vgg_only_the_convolutions_are_published(fake, tmp_path, monkeypatch, capsys):
    from nst.cli import publish

    tensors = {f"features.{name}": torch.zeros(shape) for name, shape in find_model("vgg19").shapes.items()}
    data = io.BytesIO()
    torch.save(tensors | {"classifier.0.weight": torch.zeros(9)}, data)
    whole = tmp_path / "vgg19.pth"
    whole.write_bytes(data.getvalue())
    monkeypatch.setattr(publish, "resolve", lambda entry: whole)
    monkeypatch.setattr(publish, "load_model", lambda name: None)
    assert main(["models", "push", "vgg19-features", "someone/vgg19-features", "--dry-run"]) == 0
    said = capsys.readouterr().out
    size = int(said.partition("model.safetensors  ")[2].partition(" bytes")[0].replace(",", ""))
    assert 0 < size - find_model("vgg19").download < 10_000 and "license: bsd-3-clause" in said


@pytest.mark.slow
def test_all_of_ours_can_be_published(fake, capsys):
    assert main(["models", "push", "--all", "someone", "--dry-run"]) == 0
    said = capsys.readouterr().out
    ours = [entry.name for entry in registry.list_models() if entry.ours]
    assert len(ours) > 8 and all(f"someone/pastiche-{name}/model.safetensors" in said for name in ours)
    assert "license_name: research-non-commercial" in said and not fake.requests


# ---- fetched


def test_a_published_model_is_used_elsewhere_by_its_name(fake, published, encoder, tmp_path, monkeypatch, capsys):
    elsewhere(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "photo.png", to_pil(picture(1, 48, 64)))
    words = ["stylize", "photo.png", "--style", "photo.png", "--size", "64", "--steps", "2"]
    assert main([*words, "-o", "one.png", "--encoder", REPO]) == 0
    told = capsys.readouterr().err
    assert f"{REPO}: encoder, 16 kB, license mit; its card: {fake.endpoint}/{REPO}" in told
    recipe = read_recipe(tmp_path / "one.png")
    assert recipe["settings"]["encoder"] == f"{REPO}@{published}", "a branch moves; this state does not"
    fake.requests.clear()
    assert main(["stylize", "photo.png", "--recipe", "one.png", "-o", "two.png"]) == 0
    assert "license" not in capsys.readouterr().err, "told once, before it is fetched"
    assert not fake.requests, "what is here and cannot change is not asked for"
    assert decode("one.png").rgb.tobytes() == decode("two.png").rgb.tobytes()


def test_the_library_gives_the_same_network(fake, published, encoder, tmp_path, monkeypatch):
    elsewhere(tmp_path, monkeypatch)
    ours, theirs = load_model(encoder).state_dict(), load_model(f"{REPO}@{published}").state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert load_encoder(REPO) is load_model(f"{REPO}@{published}"), "one network for one state"


def test_pull_fetches_for_later(fake, published, tmp_path, monkeypatch, capsys):
    elsewhere(tmp_path, monkeypatch)
    assert main(["models", "pull", f"{REPO}@main"]) == 0
    told = capsys.readouterr()
    assert Path(told.out.strip()).is_file() and "license mit" in told.err
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    registry.forget_models()
    assert load_model(REPO) is not None, "what main was when it was asked last"


def test_every_command_tells_what_it_fetches(fake, published, tmp_path, monkeypatch, capsys):
    (tmp_path / "photos").mkdir()
    for i in range(3):
        save(tmp_path / "photos" / f"{i}.png", to_pil(picture(i, 48, 64)))
    photos, out = str(tmp_path / "photos"), str(tmp_path / "cin.onnx")
    assert main(["models", "push", "cin", "someone/cin"]) == 0
    for name, words in (
        (REPO, ["map", photos, "--encoder", REPO, "--no-cache"]),
        (REPO, ["evaluate", "faces", "--data", photos, "--judge", REPO]),
        ("someone/cin", ["models", "export", "someone/cin", "--style", "waves", "-o", out]),
    ):
        elsewhere(tmp_path / words[0], monkeypatch)
        capsys.readouterr()
        with suppress(KeyError):  # a tiny encoder has not the layers of a study
            main(words)
        assert f"{name}: " in (told := capsys.readouterr().err) and "; its card: " in told, told


def test_the_page_says_what_it_is_while_it_is_fetched(fake, published, tmp_path, monkeypatch):
    elsewhere(tmp_path, monkeypatch)
    fake.requests.clear()
    photo = save(tmp_path / "photo.png", to_pil(picture(2, 32, 48)))
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    fake.drip = (2_000, 0.05)
    painting = Painting(Order({"size": 64, "encoder": REPO}, {"content": str(photo), "style": str(photo)}))
    shown = [view["status"] for view in painting.paint(FakeRun(), load_encoder) if "status" in view]
    assert len([asked for asked in fake.requests if asked.path.startswith("/api/models")]) == 1, "it is described once"
    assert painting.order.settings["encoder"] == f"{REPO}@{published}"
    assert any(REPO in text and "license mit" in text and "its card" in text for text in shown)


def test_the_page_says_what_an_encoder_is_before_it_is_fetched(fake, published, tmp_path, monkeypatch):
    elsewhere(tmp_path, monkeypatch)
    fake.requests.clear()
    asked = TASKS["style_transfer"].defaults | {"encoder": REPO}
    told = forecast.estimate((64, 64), asked)
    assert f"{REPO}: encoder, 16 kB, license mit; its card: " in told and "downloaded first" in told
    assert not any("model.safetensors" in one.path for one in fake.requests)
    assert "shows no repository" in forecast.estimate((64, 64), asked | {"encoder": "someone/nothing"})
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    count = len(fake.requests)
    assert "The encoder is downloaded first" in forecast.estimate((64, 64), asked | {"encoder": "someone/else"})
    assert len(fake.requests) == count, "nothing is asked for on behalf of a stranger"


def test_ours_are_fetched_where_they_were_left_out_once_they_are_published(fake, tmp_path, capsys):
    (tmp_path / "pyproject.toml").touch()  # as in a checkout, where it is recorded
    photo = picture(2, 64, 64)
    there = fast.fast_stylize(photo, ["waves"])
    assert main(["models", "push", "cin", "someone/cin"]) == 0
    entry = find_model("cin")
    assert (entry.repo, entry.revision) == ("someone/cin", capsys.readouterr().out.split("@")[1].split()[0])
    (manifest.PRETRAINED / "cin.safetensors").unlink()
    registry.forget_models()
    assert torch.equal(fast.fast_stylize(photo, ["waves"]), there)
    assert any("someone/cin/resolve" in asked.path for asked in fake.requests)
    assert torch.equal(fast.fast_stylize(photo, ["waves"], model="someone/cin"), there), "and by its own name"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (f"{REPO}@{'0' * 40}", "no revision"),
        (f"{REPO}@gone", "no revision"),
        ("someone/nothing", "shows no repository"),
    ],
)
def test_what_is_not_there_is_told(fake, published, name, says):
    with pytest.raises(WeightsNotFound, match=says):
        load_model(name)


def test_a_private_model_needs_a_token(fake, published, tmp_path, monkeypatch):
    elsewhere(tmp_path, monkeypatch)
    fake.private = {REPO}
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(WeightsNotFound, match="without a token"):
        load_model(REPO)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert load_model(REPO) is not None


def test_offline_is_told_at_once(fake, published, tmp_path, monkeypatch):
    elsewhere(tmp_path, monkeypatch)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    fake.requests.clear()
    with pytest.raises(WeightsNotFound, match="HF_HUB_OFFLINE"):
        load_model(REPO)
    assert not fake.requests


def test_a_network_of_others_goes_through_the_importers(fake):
    data = io.BytesIO()
    torch.save(foreign("original"), data)
    fake.commit("other/zebras", {"latest_net_G.pth": data.getvalue(), "README.md": b"---\nlicense: cc\n---\n"})
    assert registry.offered("other/zebras").told.startswith("other/zebras: a network of others, ")
    assert type(load_model("other/zebras")).__name__ == type(load_model("horse2zebra")).__name__


# ---- refused


def weights_of(architecture: str = "", **config: object) -> dict[str, bytes]:
    from safetensors.torch import save as packed

    about = {"architecture": architecture} if architecture else {}
    return {"model.safetensors": packed({"x": torch.zeros(2)}, about), "config.json": json.dumps(config).encode()}


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (weights_of(architecture="encoder"), "holds no encoder"),
        (weights_of(architecture="cin", styles=["waves"]), "does not fit"),
        (weights_of(architecture="os.system"), "Nothing here builds"),
        (weights_of(architecture="predictor", encoder="evil/encoder"), "not known here"),
        (weights_of(architecture="predictor", encoder="/etc/passwd"), "not known here"),
        (weights_of(architecture="cin", channels=10**9), "not one that a model"),
        (weights_of(architecture="cin", styles=["x"] * 5000), "not one that a model"),
        (weights_of("cin") | {"config.json": b"[" * 90_000}, "not one that a model"),
        (weights_of("cin") | {"config.json": b"no json"}, "not one that a model"),
        (weights_of("cin") | {"config.json": b"[]"}, "not one that a model"),
        (weights_of(), "no network that is known"),
        ({"model.pkl": b"code"}, "no weights that can be read"),
        ({"README.md": b"words"}, "no weights that can be read"),
        ({"a.pth": b"1", "b.pth": b"2"}, "several networks"),
        ({"model.safetensors": b"damaged", "config.json": b"{}"}, "damaged"),
    ],
)
def test_what_is_not_a_model_of_ours_is_refused_in_a_sentence(fake, files, says):
    fake.commit("evil/model", files)
    with pytest.raises(WeightsError, match=says) as caught:
        load_model("evil/model")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"siblings": [{"rfilename": "model.safetensors", "size": 5 * 10**9}]}, "at most 1 GB"),
        ({"siblings": "many"}, "cannot be read"),
        ({"sha": "../../x"}, "names no commit"),
        ({"sha": None}, "names no commit"),
    ],
)
def test_a_hub_that_says_odd_things_is_refused(fake, published, tmp_path, monkeypatch, said, says):
    elsewhere(tmp_path, monkeypatch)
    fake.said = said
    with pytest.raises(WeightsError, match=says):
        load_model(REPO)


def test_words_of_the_hub_do_nothing_to_a_terminal(fake, published, tmp_path, monkeypatch):
    elsewhere(tmp_path, monkeypatch)
    fake.said = {"cardData": {"license": "mit\x1b[2J\n" + "x" * 999, "architecture": ["\x07"]}}
    told = registry.offered(REPO).told
    assert told.isprintable() and "mit" in told and len(told) < 300


def test_another_file_than_was_offered_is_deleted(fake, published, tmp_path, monkeypatch):
    elsewhere(tmp_path, monkeypatch)
    offer = registry.offered(REPO)
    path = f"/{REPO}/resolve/{published}/model.safetensors"
    fake.files[path] = bytes(len(fake.files[path][0])), published
    with pytest.raises(WeightsError, match="wrong sha256"):
        repository.fetch(offer)
    assert not offer.here


@pytest.mark.parametrize(
    "name", ["a/b.pth", "../etc/passwd", "/etc/passwd", "a/b/c", "a/b@../../x", "plain", "a/", "~/x", "a b/c"]
)
def test_what_is_no_repository_is_not_asked_for(name):
    assert repository.parse(name) is None


def test_a_file_comes_before_a_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert repository.parse("models/mine") == ("models/mine", "")
    Path("models").mkdir()
    Path("models/mine").touch()
    assert repository.parse("models/mine") is None


# ---- strangers


def test_a_visitor_cannot_have_a_model_fetched(monkeypatch):
    """Whoever uses this machine may; strangers choose from the list."""
    asked = {"encoder": REPO, "size": 64}
    assert settings.read(asked, TASKS["style_transfer"])["encoder"] == REPO
    assert settings.control("encoder", TASKS["style_transfer"]).allow_custom_value
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    with pytest.raises(ValueError, match="Encoder: on this server it is chosen from the list"):
        limits.check(asked, "style_transfer")
    assert settings.shown("encoder", REPO, TASKS["style_transfer"]) == "compact", "of a link, too"
    assert not settings.control("encoder", TASKS["style_transfer"]).allow_custom_value
    monkeypatch.setenv("PASTICHE_LIMITS", "local")
    with pytest.raises(ValueError, match="Encoder"):
        settings.read({"encoder": "/etc/passwd"}, TASKS["style_transfer"])
