"""The benchmarks compare like with like; their times are not tested."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from tiny import photo_folder, picture, tiny_encoder, tiny_encoder_file
from torch.utils._python_dispatch import TorchDispatchMode

from nst.cli import experiments
from nst.color import COLOR_MODES
from nst.device import choose_device, peak_memory, resident_memory
from nst.images import to_pil
from nst.losses import STYLE_LOSSES
from nst.research.bench import gpu, presets, prints, train, turns
from nst.research.bench import optimization as bench


@pytest.fixture(autouse=True)
def small_vgg(monkeypatch):
    monkeypatch.setattr(bench, "vgg19", lambda seed=0: (tiny_encoder(seed), False))


def test_the_plain_loop_and_ours_walk_down_the_same_hill():
    encoder, device = tiny_encoder(), choose_device("cpu", "float32")
    content, style = picture(1, 32, 48), picture(2, 32, 48)
    plain = bench.PlainLoop(encoder, content, style, (0.03, 0.97))
    ours = bench.ours(encoder, content, style, device, weights=(0.03, 0.97), tv_weight=0)
    assert [plain.step() for _ in range(5)] == pytest.approx([next(ours).loss for _ in range(5)], rel=1e-3)


def test_a_row_for_each_size_and_loop(tmp_path):
    rows = list(
        bench.bench_optimize(sizes=(64, 96), steps=2, rounds=1, encoder=tiny_encoder_file(tmp_path), device="cpu")
    )
    assert [row["size"] for row in rows] == [64] * 4 + [96] * 4
    assert [row["weights"] for row in rows] == ["random", "random", "real", "real"] * 2
    assert [row["speedup"] for row in rows[::2]] == [1] * 4 and rows[0]["overall"] == 1
    for plain, ours in zip(rows[::2], rows[1::2], strict=True):
        assert plain["network"] == ours["network"] and plain["to_loss"] <= 3
        assert ours["seconds"] > 0 and ours["memory"] >= 0 and ours["loss"] == pytest.approx(plain["loss"], rel=0.1)


def test_encoders_are_compared_in_all_formats(tmp_path):
    rows = list(bench.bench_encoders(encoders=[tiny_encoder_file(tmp_path)], size=64, rounds=1, device="cpu"))
    assert len(rows) == 6
    assert [r["speedup"] for r in rows if r["encoder"] == "VGG-19"] == [1, 1, 1]
    assert sum(r["step_ratio"] is not None for r in rows) == 4


def test_peak_memory_sees_what_was_held_meanwhile():
    with peak_memory(torch.device("cpu")) as peak:
        held = torch.ones(50_000_000)
        assert held.sum() == 50_000_000
    assert resident_memory() > 0 and peak() > 150e6


@pytest.mark.slow
def test_every_control_is_timed_beside_a_plain_step(tmp_path):
    rows = list(bench.bench_controls(encoder=tiny_encoder_file(tmp_path), size=64, rounds=1, device="cpu"))
    names = [row["control"] for row in rows]
    assert len(names) == len(set(names)) and {f"loss {kind}" for kind in STYLE_LOSSES} <= set(names)
    assert {f"colors by {mode}" for mode in COLOR_MODES if mode != "none"} <= set(names)
    assert all(row["seconds"] > 0 and row["ratio"] > 0 for row in rows)


@pytest.mark.slow
def test_everything_on_a_gpu_is_measured_and_a_failure_is_told(monkeypatch, capsys):
    monkeypatch.setattr(gpu.loops, "vgg19", lambda seed=0: (tiny_encoder(seed), False))
    monkeypatch.setattr(gpu, "load_encoder", lambda name: tiny_encoder())
    monkeypatch.setattr(gpu, "LONGEST", 0.0)
    monkeypatch.setattr(gpu.GpuBench, "whole", lambda *_: 1 / 0)
    options = ["--sizes", "64", "--widths", "64", "--presets", "draft", "--seconds", "9999", "--device", "cpu"]
    assert experiments.main("bench", ["gpu", *options, "--json", "-"]) == 0
    rows = {row["row"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    note = rows.pop("style_transfer draft")["note"]
    assert "ZeroDivisionError" in note and "test_bench.py" in note
    assert rows.pop("a captured step is the step itself")["note"].startswith("loss")
    assert len(rows) > 15 and all(row["ms"] > 0 for row in rows.values())
    assert rows["ours VGG-19 wasserstein"]["times_pass"] > 0 and rows["fast cin"]["rate"] > 0


def test_a_measurement_begins_nothing_after_its_time(monkeypatch):
    rows = list(gpu.bench_gpu(sizes=[64], widths=[64], presets=[], seconds=-1, device="cpu"))
    assert {row["note"] for row in rows} == {"no time was left"}


def test_the_loops_of_others_go_downhill():
    content, style = picture(1, 32, 48), picture(2, 32, 48)
    for loop in (gpu.loops.Crowson, gpu.loops.NeuralStyle):
        made = loop(tiny_encoder(), content, style)
        losses = [made.step() for _ in range(12)]
        assert losses[-1] < losses[0]


def test_presets_take_the_longer_the_more_steps_they_have(tmp_path, monkeypatch):
    ticks = itertools.count()
    clock = SimpleNamespace(process_time=lambda: float(next(ticks)))  # a second between any two looks
    monkeypatch.setattr(presets, "time", clock)
    rows = list(presets.bench_presets(size=64, encoder=tiny_encoder_file(tmp_path), steps=2))
    assert [(row["preset"], row["seconds"]) for row in rows] == [("draft", 108), ("good", 300), ("best", 900)]


@pytest.fixture
def small_trainings(tmp_path, monkeypatch):
    """Networks of a few channels on 32 pixels; gives the folder of photos."""
    net, encoder = {"widths": [4, 4, 6], "blocks": 1, "kernel": 3, "size": 32}, tiny_encoder_file(tmp_path)
    photos = str(photo_folder(tmp_path / "photos"))
    painting = {"losses": [encoder], "style": [f"{photos}/0.png"], "structure_weight": 0.0}
    small = {"cin": net | painting | {"batch": 2, "style_size": 48}}
    small["predictor"] = net | painting | {"batch": 3, "encoder": encoder}
    small["cyclegan"] = net | {"critic_width": 4, "critic_layers": 1, "other": [photos], "other_size": 32}
    small["stylegan"] = {"widths": [6, 6, 6], "patch": 2, "latent_dim": 8, "batch": 4, "judge": encoder}
    for name, (function, told, passes) in train.COURSES.items():
        monkeypatch.setitem(train.COURSES, name, (function, told | small[name], passes))
    return photos


def test_a_training_is_timed_beside_its_networks_passes(small_trainings, monkeypatch):
    looks = itertools.accumulate(itertools.cycle([100.0, 3.0, 100.0, 2.0]))  # a step takes 3 seconds, the passes take 2
    monkeypatch.setattr(turns, "time", SimpleNamespace(process_time=lambda: next(looks)))
    rows = list(train.bench_train(data=small_trainings, rounds=1, device="cpu"))
    assert [(row["model"], row["batch"]) for row in rows] == [*zip(train.COURSES, (2, 3, 1, 4), strict=True)]
    for row in rows:
        assert (row["seconds"], row["networks"], row["ratio"], row["steps"]) == (3, 2, 1.5, 1)
        assert row["size"] == 32 and row["crops"] == row["batch"] / 3
    with pytest.raises(ValueError, match="no training of gan here"):
        next(train.bench_train(models=["gan"]))


class Convolutions(TorchDispatchMode):
    """Counts convolutions of all channels, which only networks have: forward and backward."""

    def __init__(self, act):
        super().__init__()
        self.forward = self.backward = 0
        with self:
            act()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        self.forward += name == "convolution" and args[1].shape[1] > 1
        self.backward += name == "convolution_backward" and args[2].shape[1] > 1
        return function(*args, **kwargs or {})


def test_the_bare_passes_are_those_of_the_step(small_trainings, tmp_path):
    # What the encoder sees of the photo (up to relu4_2, 8 layers) and of the style (all 9), to compare with, is the
    # step's alone.
    more = {"cin": 8, "predictor": 8 + 9, "cyclegan": 0, "stylegan": 0}
    for name, (function, told, passes) in train.COURSES.items():
        data = [small_trainings] if name == "cyclegan" else small_trainings
        learner = function(**told, data=data, out=str(tmp_path / "out"), device="cpu").learner
        step, bare = Convolutions(lambda: learner.step(1, 0)), Convolutions(passes(learner))  # noqa: B023
        assert (step.forward - bare.forward, step.backward - bare.backward) == (more[name], 0) and bare.backward > 0


@pytest.mark.slow
def test_a_print_is_a_process_of_its_own_that_may_take_so_much(tmp_path):
    photo = tmp_path / "photo.png"
    to_pil(picture(1, 40, 64)).save(photo)
    given = {"content": str(photo), "style": str(photo), "out": str(tmp_path), "encoder": tiny_encoder_file(tmp_path)}
    (row,) = prints.bench_prints(sizes=[64], memory=[1.5], **given)
    assert (row["size"], row["allowed"]) == ("64 x 40", 1.5) and "longer" not in row
    assert 1e8 < row["peak"] < 1.5e9 and row["seconds"] > 0
    assert (tmp_path / "draft-64.png").is_file()


def test_prints_are_compared_with_the_one_before(tmp_path, monkeypatch):
    told = []

    def taken(words, environment):
        to_pil(picture(1, 40, 64)).save(words[-1])
        told.append(environment)
        return 10 * len(told), 3.0 ** len(told)

    monkeypatch.setattr(prints, "taken", taken)
    rows = list(prints.bench_prints(sizes=[64, 128], memory=[1, 2.5]))
    assert [(row["peak"], row["seconds"], row.get("longer")) for row in rows] == [(10, 3, None), (20, 9, 3)]
    assert told == [{"PASTICHE_MEMORY": "1"}, {"PASTICHE_MEMORY": "2.5"}]
    with pytest.raises(ValueError, match="1 sizes need 1 numbers for memory, not 2"):
        list(prints.bench_prints(sizes=[64], memory=[1, 2]))


def test_a_print_that_failed_says_why():
    with pytest.raises(ValueError, match="nothing"):
        prints.taken(["nothing"], {})


def test_a_step_brings_no_compiler_along(tmp_path):
    """PyTorch's takes a second to import, and 160 MB."""
    script = f"""
import sys, torch
from nst.stylize import style_transfer
photo = torch.rand(1, 3, 32, 32)
list(style_transfer(photo, photo, size=64, num_steps=2, encoder={tiny_encoder_file(tmp_path)!r}, device="cpu"))
sys.exit(bool({{"torch._dynamo", "triton", "sympy"}} & sys.modules.keys()))
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
