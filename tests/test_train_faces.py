"""Two networks learn on tiny pictures: bit for bit again after an interruption, and told where it goes wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny import photo_folder, tiny_encoder, tiny_encoder_file
from torch import nn

from nst.device import choose_device
from nst.fidelity import kernel_distance, pooled_features
from nst.images import ImageError, grid
from nst.losses import GAMES
from nst.registry import load_model
from nst.research.train.augment import POLICIES, augment
from nst.research.train.config import GanConfig
from nst.research.train.faces import Faces, train_gan, train_progan, train_stylegan
from nst.research.train.gan_loop import GanLearner
from nst.research.train.loop import TrainingFailed, train
from nst.weights import WeightsError

GROWN = {"widths": [8, 6], "patch": 2, "latent_dim": 16, "level_steps": 2}
FAMILIES = {
    "dcgan": (train_gan, {"size": 16, "width": 4, "latent_dim": 16, "game": "hinge", "discriminator_steps": 2}),
    "progan": (train_progan, GROWN),
    "stylegan": (train_stylegan, {**GROWN, "first_level": 0, "augment": [*POLICIES]}),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("places")
    return {"data": str(photo_folder(folder / "photos")), "judge": tiny_encoder_file(folder)}


def run(name, out, places, **given):
    function, known = FAMILIES[name]
    common = {"steps": 4, "batch": 4, "interval": 1, "sheet": 2, "held": 2, "device": "cpu"}
    return function(out=str(out), **{**common, **places, **known, **given})


@pytest.mark.parametrize("name", FAMILIES)
def test_it_trains_resumes_bit_for_bit_and_writes_what_loads(name, tmp_path, places):
    records = list(run(name, tmp_path / "whole", places))
    assert [r["step"] for r in records] == [1, 2, 3, 4]
    assert all(np.isfinite(v) for r in records for v in r.values())
    assert "kernel_distance" in records[-1]

    interrupted = run(name, tmp_path / "parts", places)
    next(interrupted)
    next(interrupted)
    interrupted.close()
    log = tmp_path / "parts" / "log.jsonl"
    log.write_text(log.read_text()[:-30])  # cut short, as by a full disk
    assert [r["step"] for r in run(name, tmp_path / "parts", places)] == [3, 4]
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()[2:]] == [3, 4]
    for part in ("model", "averaged", "discriminator"):
        files = [tmp_path / n / "checkpoint.pt" for n in ("whole", "parts")]
        first, second = (torch.load(file, weights_only=True)[part] for file in files)
        assert first and all(torch.equal(first[key], second[key]) for key in first)

    model = load_model(tmp_path / "whole" / f"{name}.safetensors")
    written = load_file(tmp_path / "whole" / f"{name}.safetensors")
    assert written.keys() == model.state_dict().keys() and model.sample(1).shape == (1, 3, 16, 16)
    card = (tmp_path / "whole" / "README.md").read_text()
    assert "license: other" in card and f"train {name.removeprefix('dc')}`" in card
    assert (tmp_path / "whole" / "sheets" / "000002.jpg").stat().st_size > 500


def test_a_damaged_checkpoint_is_told(tmp_path, places):
    list(run("dcgan", tmp_path, places, steps=1))
    checkpoint = tmp_path / "checkpoint.pt"
    with pytest.raises(WeightsError, match="of another training"):
        next(run("dcgan", tmp_path, places, width=6))
    for content in (b"", b"nonsense", checkpoint.read_bytes()[:500]):
        checkpoint.write_bytes(content)
        with pytest.raises(WeightsError, match="damaged"):
            next(run("dcgan", tmp_path, places))


def test_bad_arguments_are_told(tmp_path, places):
    with pytest.raises(ValueError, match="no game"):
        next(run("dcgan", tmp_path, places, game="chess"))
    with pytest.raises(ValueError, match="no augmentation"):
        next(run("dcgan", tmp_path, places, augment=["blur"]))
    with pytest.raises(ValueError, match="8, 16, 32"):
        next(run("dcgan", tmp_path, places, size=20))
    with pytest.raises(ImageError, match="too few, with 3 held out"):
        next(run("dcgan", tmp_path, places, held=3))


def test_faces_that_cannot_be_read_are_counted(tmp_path, places):
    photo_folder(tmp_path / "photos")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no picture")
    faces = Faces(tmp_path / "photos", 16, 1)
    assert (len(faces), len(faces.held), faces.skipped) == (3, 1, 1)
    batch = faces.batch(6, 16, torch.Generator().manual_seed(0), smallest=1.0)
    assert batch.shape == (6, 3, 16, 16) and float(batch.max()) <= 1
    assert torch.equal(batch, faces.batch(6, 16, torch.Generator().manual_seed(0), smallest=1.0))


def test_a_sheet_has_its_pictures_row_by_row():
    pictures = torch.arange(5).view(5, 1, 1, 1).expand(5, 3, 2, 2) / 10
    sheet = grid(pictures, 3)
    assert sheet.shape == (1, 3, 4, 6)
    assert torch.allclose(sheet[0, 0, ::2, ::2], torch.tensor([[0.0, 0.1, 0.2], [0.3, 0.4, 1.0]]))


@pytest.mark.parametrize("policy", POLICIES)
def test_augmentation_changes_each_picture_and_lets_gradients_through(policy):
    image = torch.rand(6, 3, 16, 16, requires_grad=True)
    changed = augment(image, [policy], torch.Generator().manual_seed(0))
    assert torch.equal(changed, augment(image, [policy], torch.Generator().manual_seed(0)))
    assert changed.shape == image.shape and not torch.allclose(changed, image)
    changed.sum().backward()
    assert int((image.grad != 0).flatten(1).any(1).sum()) == 6
    same = torch.full((6, 3, 16, 16), 0.5)
    moved = augment(same, [policy], torch.Generator().manual_seed(0))
    assert len(moved.flatten(1).unique(dim=0)) >= 4, "each in a way of its own; few places may coincide"


class Point(nn.Module):
    """Makes what it is told."""

    def __init__(self, value=0.0):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))


def toy(made):
    """Two networks on numbers (N, 1, 1, 1); what is made is told by a function of the step."""

    class Toy(GanLearner):
        def make(self, rng, step):
            return made(step, rng) + 0 * self.generator.value

        def judge(self, image, step):
            return self.discriminator(image.flatten(1))

        def real(self, rng, step):
            return torch.randn(8, 1, 1, 1, generator=rng)

    return Toy, Point(), nn.Linear(1, 1)


def play(learner, out, **config):
    kind, *networks = learner
    common = {"data": "", "out": str(out), "steps": 20, "interval": 2, "sheet": 0, "learning_rate": 1e-3}
    made = kind(*networks, GanConfig(**common | config), choose_device("cpu", "float32"))
    return train(made, out=out, finish=lambda *_: None)


def test_a_collapse_is_told_with_the_step_to_resume_from(tmp_path):
    def made(step, rng):
        return torch.randn(8, 1, 1, 1, generator=rng) * (1 if step <= 6 else 0.01)

    with pytest.raises(TrainingFailed, match=r"collapsed.*at step 8\. Resume from step 6"):
        list(play(toy(made), tmp_path))
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 6
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [2, 4, 6]


def test_numbers_that_run_away_are_told(tmp_path):
    def made(step, rng):
        return torch.randn(8, 1, 1, 1, generator=rng) / (1 if step <= 2 else 0)

    with pytest.raises(TrainingFailed, match=r"no longer numbers at step 4\. Resume from step 2"):
        list(play(toy(made), tmp_path))
    with pytest.raises(TrainingFailed, match="Begin again"):
        list(play(toy(lambda step, rng: made(9, rng)), tmp_path / "other"))


def test_a_generator_that_starts_with_one_picture_has_not_collapsed(tmp_path):
    assert len(list(play(toy(lambda step, rng: 0.01 * torch.randn(8, 1, 1, 1, generator=rng)), tmp_path))) == 10


def test_clipping_and_penalties_are_played_by(tmp_path):
    networks = toy(lambda step, rng: torch.randn(8, 1, 1, 1, generator=rng))
    list(play(networks, tmp_path, game="wasserstein", clip=0.01, r1=1.0, gradient_penalty=1.0))
    assert float(networks[2].weight.detach().abs().max()) <= 0.01


def test_the_kernel_distance_by_hand_and_of_equal_draws():
    x, y = torch.tensor([[1.0], [2.0], [0.0]]), torch.tensor([[0.0], [1.0]])
    kernel = [[(a * b + 1) ** 3 for b in (0.0, 1.0)] for a in (1.0, 2.0, 0.0)]
    within = 2 * ((2 + 1) ** 3 + 1 + 1) / 6 + 2 * 1 / 2
    assert kernel_distance(x, y) == pytest.approx(within - 2 * np.mean(kernel))
    rng = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 600, 8, generator=rng)
    assert abs(kernel_distance(first, second)) < 0.02 < kernel_distance(first, second + 0.5)
    seen = pooled_features(torch.rand(3, 3, 32, 32), tiny_encoder(), choose_device("cpu"), batch=2)
    assert seen.shape == (3, 8)


def test_the_kernel_distance_is_that_of_torchmetrics():
    kid = pytest.importorskip("torchmetrics.image.kid")
    rng = torch.Generator().manual_seed(0)
    first, second = torch.randn(50, 8, generator=rng), torch.randn(50, 8, generator=rng) * 1.2
    theirs = float(kid.poly_mmd(first.double(), second.double(), degree=3, gamma=None, coef=1.0))
    assert kernel_distance(first, second) == pytest.approx(theirs)


MODES = torch.stack([torch.tensor([torch.pi * i / 4]) for i in range(8)])
CENTERS = torch.cat([MODES.cos(), MODES.sin()], 1)
PENALIZED = {"minimax": {"r1": 0.2}, "nonsaturating": {"r1": 0.2}, "least_squares": {"r1": 0.2}, "hinge": {"r1": 0.2}}
TOYS = {f"{name} r1": {"game": name, **extra} for name, extra in PENALIZED.items()} | {
    "wasserstein gp": {"game": "wasserstein", "gradient_penalty": 1.0, "discriminator_steps": 3},
    "wasserstein clip": {"game": "wasserstein", "clip": 0.1, "discriminator_steps": 5},
}


def perceptron(inside, out, width=64):
    return nn.Sequential(
        nn.Linear(inside, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Linear(width, out)
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", TOYS)
def test_a_mixture_of_gaussians_is_learned(name, tmp_path, capsys):
    """Eight Gaussians on a circle; a mode is found when at least one in forty of what is made lies within 0.3 of it."""
    assert {one["game"] for one in TOYS.values()} == set(GAMES)
    torch.manual_seed(0)
    generator, discriminator = perceptron(4, 2), perceptron(2, 1)

    class Circle(GanLearner):
        def make(self, rng, step):
            return self.generator(torch.randn(128, 4, generator=rng))

        def real(self, rng, step):
            return CENTERS[torch.randint(8, (128,), generator=rng)] + 0.05 * torch.randn(128, 2, generator=rng)

    networks = Circle, generator, discriminator
    list(play(networks, tmp_path, **{"r1_every": 1, "betas": (0.0, 0.9), "steps": 4000, "interval": 500, **TOYS[name]}))
    made = generator(torch.randn(4000, 4, generator=torch.Generator().manual_seed(1))).detach()
    near = torch.cdist(made, CENTERS) < 0.3
    found = int((near.float().mean(0) > 1 / 40).sum())
    with capsys.disabled():
        print(f"\n{name}: {found} of 8 modes, {float(near.any(1).float().mean()):.0%} of the points on one")
    assert found >= 6


@pytest.mark.slow
def test_two_processes_train_one_generator(tmp_path, places):
    """Under torchrun, with gloo: each sees other faces, and one of them writes."""
    words = ["train", "gan", "--out", str(tmp_path / "out"), "--size", "16", "--width", "4", "--latent-dim", "16"]
    words += ["--steps", "3", "--batch", "4", "--interval", "1", "--device", "cpu"]
    words += ["--data", places["data"], "--judge", places["judge"]]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "nst"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([*torchrun, *words], cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    log = [json.loads(line)["step"] for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert log == [1, 2, 3]
