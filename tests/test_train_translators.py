"""Distilling and CycleGAN's training: two kinds of tiny pictures, bit-for-bit resumption, what is written."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from test_translate import translator_file
from tiny import photo_folder, picture, tiny_encoder, tiny_encoder_file

from nst.device import choose_device
from nst.images import save, to_pil
from nst.losses.adversarial import GAMES
from nst.models.cyclegan import Translator
from nst.registry import load_model
from nst.research.train.cycle import Pool
from nst.research.train.cyclegan import linear_decay, train_cyclegan
from nst.research.train.data import gathered
from nst.research.train.distill import Imitation, train_distill
from nst.research.train.drawn import drawn
from nst.research.train.teacher_filter import Varied, teacher_filter
from nst.teach.crops import Pictures
from nst.weights import WeightsError

WEIGHTS = {"hints": 1.0, "pixels": 3.0, "texture": 1.0, "share": 1.0}

NET = {"widths": (4, 4, 6), "blocks": 1, "kernel": 3}
SMALL = {**NET, "batch": 2, "size": 32, "device": "cpu"}


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("places")
    photo_folder(folder / "photos")
    for i in range(2):
        save(folder / f"painting{i}.png", to_pil(picture(7 + i, 48, 40)))
    return folder


def distill(places, out, **given):
    teacher = translator_file(places, ("horse2zebra",))
    known = {"data": str(places / "photos"), "teacher": teacher, "encoder": tiny_encoder_file(places)}
    return train_distill(
        out=str(out), interval=1, **{"batch": 2, "size": 32, "device": "cpu", "steps": 4, **known, **given}
    )


def cycle(places, out, **given):
    paintings = [str(places / f"painting{i}.png") for i in range(2)]
    known = {"data": [str(places / "photos")], "other": paintings, "names": ("there", "back"), "critic_width": 4}
    known |= {"manner_weight": 1.0, "encoder": tiny_encoder_file(places)}
    return train_cyclegan(out=str(out), interval=1, **{**SMALL, "steps": 4, "critic_layers": 1, **known, **given})


@pytest.mark.parametrize("train", [distill, cycle])
def test_it_trains_resumes_bit_for_bit_and_writes_what_loads(train, places, tmp_path):
    records = list(train(places, tmp_path / "whole"))
    assert [r["step"] for r in records] == [1, 2, 3, 4] and all(np.isfinite(v) for r in records for v in r.values())
    interrupted = train(places, tmp_path / "parts")
    next(interrupted)
    next(interrupted)
    interrupted.close()
    assert [r["step"] for r in train(places, tmp_path / "parts")] == [3, 4]
    states = [torch.load(tmp_path / n / "checkpoint.pt", weights_only=True) for n in ("whole", "parts")]
    for part in ("model", "averaged"):
        first, second = (state[part] for state in states)
        assert first and all(torch.equal(first[key], second[key]) for key in first)
    model = load_model(tmp_path / "whole" / "cyclegan.safetensors")
    assert model.directions == (("horse2zebra",) if train is distill else ("there", "back"))
    assert all(t.dtype == torch.float16 for t in load_file(tmp_path / "whole" / "cyclegan.safetensors").values())
    card = (tmp_path / "whole" / "README.md").read_text()
    assert ("nst train distill" if train is distill else "nst train cyclegan") in card
    assert (tmp_path / "whole" / "sheets" / "000004.jpg").stat().st_size > 500
    assert len((tmp_path / "whole" / "log.jsonl").read_text().splitlines()) == 4


def test_options_of_the_paper(places, tmp_path):
    plain = {"cycle_loss": "l2", "identity_weight": 0, "manner_weight": 0}
    list(cycle(places, tmp_path / "u", net="unet", blocks=3, steps=1, **plain))
    assert load_model(tmp_path / "u" / "cyclegan.safetensors").config["net"] == "unet"
    list(cycle(places, tmp_path / "s", separable=True, upsampling="transposed", output="blend", steps=1))
    with pytest.raises(ValueError, match="two names"):
        next(cycle(places, tmp_path / "n", names=("one",)))
    with pytest.raises(ValueError, match='"l1" or "l2"'):
        next(cycle(places, tmp_path / "n", cycle_loss="huber"))


def test_a_damaged_checkpoint_is_told(places, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(WeightsError, match="damaged, or of another training"):
        next(cycle(places, tmp_path))


@pytest.mark.slow
def test_the_cycle_closes(places, tmp_path):
    records = list(cycle(places, tmp_path, steps=120, batch=2, learning_rate=2e-3))
    assert records[-1]["cycle"] < 0.75 * records[0]["cycle"]


def test_the_cycle_counts_by_and_by(places, tmp_path):
    """Or a way back that knows nothing yet would teach the way there to change nothing."""
    whole, half = (list(cycle(places, tmp_path / str(ramp), cycle_ramp=ramp)) for ramp in (0.0, 0.5))
    assert whole[0]["cycle"] > 0 and half[0]["cycle"] == half[0]["identity"] == 0 < half[1]["cycle"]


def test_critics_may_learn_first(places, tmp_path):
    files = []
    for steps in (1, 2, 3):
        list(cycle(places, tmp_path / str(steps), steps=steps, critics_first=2))
        files.append(load_file(tmp_path / str(steps) / "cyclegan.safetensors"))
    first, second, third = ({name: x for name, x in file.items() if x.ndim == 4} for file in files)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(second[name], third[name]) for name in first)


def test_least_squares_is_the_papers_game():
    fake = torch.tensor([0.0, 1.0])
    assert float(GAMES["least_squares"].generator(fake)) == pytest.approx(0.25)


def test_the_pool_shows_earlier_pictures_and_is_kept_whole():
    pool, rng = Pool(4, size=3), random.Random(0)
    pictures = [torch.full((1, 3, 4, 4), i / 40) for i in range(40)]
    first = [pool.exchange(x, rng) for x in pictures[:3]]
    assert all(torch.equal(a, b.half().float()) for a, b in zip(first, pictures, strict=False))
    earlier = 0
    for x in pictures[3:]:
        earlier += int(not torch.equal(pool.exchange(x, rng), x.half().float()))
    assert 8 < earlier < 30, "about half of what is shown is from before"
    again = Pool(4, size=3)
    again.load_state_dict(pool.state_dict())
    state = rng.getstate()
    one = pool.exchange(pictures[0], rng)
    rng.setstate(state)
    assert torch.equal(one, again.exchange(pictures[0], rng)) and int(again.filled) == 3


def test_the_learning_rate_falls_over_the_second_half():
    assert linear_decay(0, 0.2) == linear_decay(0.5, 0.2) == 0.2
    assert linear_decay(0.75, 0.2) == pytest.approx(0.1) and 0 < linear_decay(0.99, 0.2) < 0.005


def test_a_tint_is_not_drawn_and_stripes_are():
    photo = picture(0, 64, 64) * 0.5 + 0.2
    assert float(drawn(photo, photo * 0.8 + torch.tensor([0.05, 0.0, -0.1]).view(1, 3, 1, 1)).max()) < 0.05
    stripes = photo.clone()
    stripes[..., :32] += 0.3 * ((torch.arange(32) // 2 % 2) * 2 - 1)
    found = drawn(photo, stripes)
    assert found.shape == (1, 1, 64, 64) and float(found[..., :24].min()) > 0.9 and float(found[..., 40:].max()) < 0.1
    teacher: Any = lambda image: stripes.expand(len(image), -1, -1, -1)  # noqa: E731
    student = Translator(("a",), output="blend", **NET)
    objective = Imitation(student, teacher, tiny_encoder(), choose_device("cpu", "float32"), WEIGHTS)
    painted, strength = objective.target(photo.expand(2, -1, -1, -1), torch.tensor([1.0, 0.0]))
    assert torch.equal(painted[1:], stripes) and torch.equal(strength[:1], found) and not strength[1].any()
    assert drawn(photo[..., :37, :21], stripes[..., :37, :21]).shape == (1, 1, 37, 21)


def test_stages_are_compared_one_by_one(places):
    """A student that is the teacher is nowhere apart from it, and one stage that is another is, be it led or not."""
    teacher = load_model(translator_file(places, ("horse2zebra",)))
    student = Translator(**{**teacher.config, "output": "blend"})
    own = student.state_dict()
    for name, tensor in teacher.state_dict().items():
        own[name].copy_(tensor) if own[name].shape == tensor.shape else own[name][:3].copy_(tensor)
    objective = Imitation(student, teacher, tiny_encoder(), choose_device("cpu", "float32"), WEIGHTS)
    photo, count = picture(3, 32, 32), len(teacher.generators[0].net.stages())
    led, alone = torch.ones(count, dtype=torch.bool), torch.zeros(count, dtype=torch.bool)
    for how in (led, alone):
        painted, share, wanted, apart = objective.follow(photo, how)
        assert torch.allclose(painted, wanted, atol=1e-5) and float(apart.detach()) < 1e-8
        assert share.shape == (1, 1, 32, 32) and torch.equal(wanted, teacher(photo))
    with torch.no_grad():
        student.generators[0].net.first.weight.mul_(-1)
    painted, _, wanted, once = objective.follow(photo, led)
    assert float(once.detach()) > 0.05 and torch.allclose(painted, wanted, atol=1e-5), "later ones are told"
    painted, _, _, often = objective.follow(photo, alone)
    assert float(often.detach()) > 1.5 * float(once.detach()) and not torch.allclose(painted, wanted, atol=1e-2)
    terms = objective(photo, torch.ones(1), led)
    assert set(terms) == {"hints", "pixels", "share", "texture"} and all(torch.isfinite(t) for t in terms.values())


def test_a_slimmer_student(places, tmp_path):
    list(distill(places, tmp_path, inner=(3, 3), steps=1, texture_weight=0, led=0.5))
    assert load_model(tmp_path / "cyclegan.safetensors").config["inner"] == [3, 3]
    with pytest.raises(ValueError, match="inner widths"):
        next(distill(places, tmp_path / "wrong", inner=(3,)))


@pytest.mark.slow
def test_the_student_learns_what_the_teacher_does(places, tmp_path):
    # Of another seed than the teacher, whose weights it would begin with.
    records = list(distill(places, tmp_path, steps=150, learning_rate=0.03, texture_weight=0, seed=1))
    assert records[-1]["hints"] < 0.3 * records[0]["hints"]


def test_crops_of_two_kinds():
    pictures, cpu = [Image.new("RGB", (40, 40), (i * 20, 0, 0)) for i in range(10)], choose_device("cpu")
    crops = Varied(pictures, [8, 9], [1], 16, cpu)
    batch, of_kind = crops.batch(80, crops.rng.manual_seed(1))
    assert torch.equal(crops.batch(80, crops.rng.manual_seed(1))[0], batch)
    bright = batch[:, 0].mean((1, 2)) > 0.4
    assert torch.equal(bright, of_kind > 0) and 12 < int((of_kind == 0).sum()) < 38
    every = Varied(pictures, range(10), [], 16, cpu)
    assert bool(every.batch(9, every.rng)[1].all()), "without a classifier all are translated"


def test_a_classifier_finds_the_successes_once(places, tmp_path):
    from torchvision.models import squeezenet1_1

    torch.manual_seed(0)
    path = tmp_path / "squeezenet.safetensors"
    save_file(squeezenet1_1(weights=None).state_dict(), path)
    list(distill(places, tmp_path / "out", classifier=str(path), examples=2, steps=1))
    kept, device = tmp_path / "out" / "seen.safetensors", choose_device("cpu")
    seen = load_file(kept)["seen"]
    best, others = teacher_filter(range(4), torch.nn.Identity(), "not asked again", 340, 2, kept, device)
    assert len(best) == 2 and best[0] == int(seen[:, 1].argmax()) and not set(best) & set(others)
    save_file({"seen": torch.tensor([[0.9, 0.2], [0.05, 0.0], [-1.0, -1.0], [0.5, 0.4]])}, kept)
    assert teacher_filter(range(4), torch.nn.Identity(), "", 340, 9, kept, device) == ([3, 0], [1])
    judge = load_model(path, architecture="squeezenet")
    found = judge(torch.rand(1, 3, 64, 64))
    assert found.shape == (1, 1000) and float(found.sum()) == pytest.approx(1, abs=1e-4)
    assert judge.locate(torch.rand(1, 3, 64, 64), 339).shape[:2] == (1, 1)


def test_pictures_are_gathered_from_files_and_folders(places):
    assert len(gathered([str(places / "photos"), str(places / "painting0.png")])) == 5
    assert isinstance(gathered([str(places / "photos")]), Pictures)
