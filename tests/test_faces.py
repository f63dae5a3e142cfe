"""Faces: grids, mixtures, films and projections of a tiny generator, and the two commands."""

from __future__ import annotations

import re

import pytest
import torch
from PIL import Image
from tiny import clear_encoder_file, tiny_encoder_file

from nst import faces
from nst.__main__ import main
from nst.images import ImageError, read_recipe, resize, save, to_pil
from nst.models.dcgan import DCGAN
from nst.models.stylegan import StyleGAN
from nst.params import LatentImage
from nst.registry import list_models, load_model
from nst.research.evaluate.faces import compare_faces
from nst.research.train.model_file import write_model
from nst.tasks.recipe import from_query, make_recipe, settings_from_recipe, to_query
from nst.video import save_film

SMALL = {"latent_dim": 16, "widths": [8, 8, 8, 6], "patch": 1, "depth": 2}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The file of a tiny style-based generator."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    network = StyleGAN(**SMALL)
    network.center(64)
    write_model(network, folder, "stylegan", SMALL, {"step": 1, "steps": 1}, "A test.")
    return str(folder / "stylegan.safetensors")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The file of a tiny generator without styles."""
    folder = tmp_path_factory.mktemp("plain")
    torch.manual_seed(0)
    config = {"latent_dim": 16, "width": 4, "resolution": 16}
    network = DCGAN(**config)
    for parameter in network.parameters():
        parameter.data.mul_(10 if parameter.ndim == 4 else 1)
    write_model(network, folder, "dcgan", config, {"step": 1, "steps": 1}, "A test.")
    return str(folder / "dcgan.safetensors")


def only(steps):
    (step,) = steps
    return step.image


def test_a_grid_has_its_faces_in_order(model):
    cells = only(faces.face_grid(count=5, seed=3, size=32, model=model)).split(1)
    assert len(cells) == 5
    single = faces.sample_faces(count=1, seed=6, model=model)
    assert torch.allclose(cells[3], single, atol=1e-5), "the fourth is number 6"


def test_many_faces_come_in_batches(model):
    assert len(faces.sample_faces(count=40, model=model)) == 40
    assert only(faces.face_grid(count=1000, size=4, model=model)).shape == (1000, 3, 4, 4)


@pytest.mark.parametrize("kind", ["model", "plain"])
def test_more_like_this(kind, model, plain):
    file = {"model": model, "plain": plain}[kind]
    alike, closer = (faces.sample_faces(count=9, like=4, likeness=n, truncation=1.0, model=file) for n in (0.6, 0.95))
    original = faces.sample_faces(count=1, seed=4, truncation=1.0, model=file)
    assert torch.allclose(alike[:1], original, atol=1e-5) and torch.allclose(closer[:1], original, atol=1e-5)
    near, far = ((some[1:] - original).abs().mean() for some in (closer, alike))
    assert 0 < float(near) < float(far)


def test_each_level_of_two_faces_is_exchanged(model):
    cells = only(faces.mix_faces(first=1, second=2, size=32, model=model)).split(1)
    one, two = (faces.sample_faces(count=1, seed=n, model=model) for n in (1, 2))
    assert torch.allclose(cells[0], one, atol=1e-5) and torch.allclose(cells[4], two, atol=1e-5)
    changed = [float((cell - one).abs().mean()) for cell in cells[1:4]]
    assert all(change > 1e-4 for change in changed)
    same = only(faces.mix_faces(first=1, second=1, size=32, model=model)).split(1)
    assert all(torch.allclose(cell, one, atol=1e-5) for cell in same), "with itself nothing changes"
    layers = [i for level in faces.LEVELS for i in faces.layers_of(level, 7)]
    assert layers == list(range(7)), "each layer belongs to one level"


@pytest.mark.parametrize("kind", ["model", "plain"])
def test_a_film_passes_by_each_face_and_comes_back(kind, model, plain):
    file = {"model": model, "plain": plain}[kind]
    film = faces.morph(faces=(3, 8), frames=12, model=file)
    assert len(film) == 12
    for place, number in ((0, 3), (6, 8)):
        assert torch.allclose(film[place], faces.sample_faces(count=1, seed=number, model=file)[0], atol=1e-4)
    steps = [float((film[i] - film[(i + 1) % 12]).abs().mean()) for i in range(12)]
    assert max(steps) < float((film[0] - film[6]).abs().mean()), "no jump, also not from the last to the first"


def test_a_projection_comes_nearer_and_finds_a_face_of_the_network(model, tmp_path):
    target = faces.sample_faces(count=1, seed=5, truncation=1.0, model=model)
    wide = torch.nn.functional.pad(target, (6, 6))
    encoder = tiny_encoder_file(tmp_path)
    steps = list(faces.project(wide, num_steps=40, size=32, encoder=encoder, model=model, device="cpu"))
    assert [s.index for s in steps] == list(range(1, 41)) and steps[-1].image.shape == (1, 3, 32, 32)
    assert steps[-1].loss < 0.5 * steps[0].loss
    before, after = (float((steps[i].image - target).abs().mean()) for i in (0, -1))
    assert after < 0.8 * before


def test_only_the_styles_are_optimized(model):
    network = load_model(model)
    image = LatentImage(network, network.mean.expand(1, network.layers, -1))
    assert [tuple(p.shape) for p in image.parameters()] == [(1, 7, 16)]
    image().sum().backward()
    assert image.styles.grad.abs().sum() > 0 and all(p.grad is None for p in network.parameters())


def test_what_makes_no_sense_is_told(model, plain):
    for count in (0, -1):
        with pytest.raises(ValueError, match="count must be a number from 1 to 1024"):
            faces.sample_faces(count=count, model=model)
    with pytest.raises(ValueError, match="count must be a number from 1 to 1024, not 5000"):
        faces.sample_faces(count=5000, model=model)
    with pytest.raises(ValueError, match="truncation must be a number from 0 to 1"):
        faces.sample_faces(truncation=2.0, model=model)
    with pytest.raises(ValueError, match="at least two faces"):
        faces.morph(faces=[1], model=model)
    for call in (faces.mix_faces(model=plain), faces.project(torch.rand(1, 3, 16, 16), model=plain)):
        with pytest.raises(ValueError, match="no styles"):
            next(call)
    with pytest.raises(ValueError, match="makes no faces"):
        faces.sample_faces(model="compact")


def test_recipes_and_links_hold_the_numbers(model):
    recipe = make_recipe({"faces": (3, 8), "frames": 12, "model": model}, task="morph")
    assert recipe["settings"]["faces"] == [3, 8] and recipe["settings"]["model"] == "stylegan.safetensors"
    assert list(recipe["models"]) == ["stylegan.safetensors"] and "/" not in str(recipe["settings"])
    asked = {"count": 9, "seed": 7, "like": 3, "truncation": 0.5}
    link = dict(part.split("=") for part in to_query(asked, task="faces").split("&"))
    assert from_query(link, "faces")["settings"].items() >= asked.items()
    hostile = {"settings": {"count": 10**9, "seed": "x", "faces": ["a", 2], "like": -4, "truncation": float("nan")}}
    settings = settings_from_recipe(hostile, "faces")
    assert (settings["count"], settings["seed"], settings["like"], settings["truncation"]) == (1024, 0, 0, 0.7)
    assert settings_from_recipe(hostile, "morph")["faces"] == [0, 1, 2]


def test_the_command_writes_a_grid_with_its_recipe(model, tmp_path, capsys):
    out = tmp_path / "grid.png"
    words = ["--seed", "3", "--count", "4", "--truncation", "0.5", "--size", "32", "--model", model]
    assert main(["faces", *words, "-o", str(out)]) == 0
    assert str(out) in capsys.readouterr().out and Image.open(out).size == (64, 64)
    assert read_recipe(out)["task"] == "faces" and read_recipe(out)["settings"]["seed"] == 3
    for wrong, told in ((["--count", "0"], "0 is not between 1 and 1024"), (["--truncation", "3"], "between 0 and 1")):
        assert main(["faces", *wrong, "-o", str(out)]) == 2
        assert told in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["webp", "gif", "mp4"])
def test_the_command_writes_a_film(suffix, model, tmp_path, capsys):
    out = tmp_path / f"film.{suffix}"
    words = ["morph", "--faces", "1", "2", "--frames", "7", "--size", "48", "--model", model, "-o", str(out)]
    assert main(words) == 0
    if suffix == "mp4":
        assert out.read_bytes()[4:8] == b"ftyp"
    else:
        film = Image.open(out)
        assert 4 <= film.n_frames <= 7, "equal pictures may be joined"
        assert film.size == (48, 48) and film.info["loop"] == 0


def test_a_film_that_cannot_be_is_told(tmp_path, capsys):
    picture = Image.new("RGB", (8, 8))
    with pytest.raises(ImageError, match="no name for a film"):
        save_film(tmp_path / "film.avi", [picture])
    with pytest.raises(ImageError, match="at least one picture"):
        save_film(tmp_path / "film.webp", [])
    with pytest.raises(ImageError, match="cannot be written"):
        save_film(tmp_path / "nowhere" / "film.webp", [picture])
    assert main(["morph", "--faces", "4", "-o", str(tmp_path / "film.webp")]) == 2
    assert "at least two faces" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif("faces" not in {m.name for m in list_models()}, reason="no faces are embedded")
def test_a_film_of_the_embedded_faces_is_made():
    film = only(faces.morph_run(faces=(1, 2, 3), frames=6))
    assert film.shape == (6, 3, 128, 128)


def test_real_faces_are_nearer_to_real_ones_than_made_ones(model, tmp_path):
    rng = torch.Generator().manual_seed(0)
    for i in range(40):
        coarse = torch.rand(1, 3, 6, 6, generator=rng)
        save(tmp_path / f"{i:02d}.png", to_pil(resize(coarse, (40, 40))))
    rows = list(compare_faces(data=str(tmp_path), models=[model], held=20, judge=clear_encoder_file(tmp_path)))
    assert [(row["faces"], row["truncation"]) for row in rows] == [("real", 1.0), (model, 1.0), (model, 0.7)]
    assert rows[0]["distance"] < rows[1]["distance"] and rows[1]["per_second"] > 0
    asked = {"data": str(tmp_path), "models": [model], "held": 20, "judge": clear_encoder_file(tmp_path)}
    smaller = list(compare_faces(**asked, size=8, truncations=[1.0]))
    assert smaller[0]["distance"] < smaller[1]["distance"] != rows[1]["distance"]


def test_the_docstrings_name_what_the_commands_take():
    for function in (faces.face_grid, faces.mix_faces, faces.morph_run, faces.project):
        assert re.search(r"Args:\n", function.__doc__)
