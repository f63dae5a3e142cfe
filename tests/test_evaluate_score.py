"""The sweeps of the score, the comparison of all methods, and pictures made elsewhere."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from tiny import picture, tiny_encoder_file

from nst.__main__ import main
from nst.images import ImageError, decode, resize, save, to_pil, to_tensor
from nst.losses import STYLE_LOSSES
from nst.metrics import PARTS, psnr
from nst.research.evaluate import sweeps
from nst.research.evaluate.grid import Ledger
from nst.research.evaluate.methods import compare_methods, find_methods
from nst.research.evaluate.results import compare_results
from nst.research.evaluate.score import _rho, compare_score
from nst.settings import PRESETS


@pytest.fixture
def files(tmp_path) -> dict[str, str]:
    made = {name: picture(i, 48, 64) for i, name in enumerate(("cat", "dog", "wave", "night"))}
    return {name: str(save(tmp_path / f"{name}.png", to_pil(image))) for name, image in made.items()}


@pytest.fixture
def quick(monkeypatch) -> None:
    """Sweeps of few and short runs."""
    monkeypatch.setattr(sweeps, "STEPS", (1, 2, 4))
    for name, levels in sweeps.LEVELS.items():
        monkeypatch.setitem(sweeps.LEVELS, name, sweeps.STEPS if name == "steps" else (levels[0], levels[4], levels[7]))
    preset = sweeps.Preset(num_steps=4, factor=1e9, smallest=1, average=0.0, tv_weight=0.01)
    monkeypatch.setattr(sweeps, "ONE_SCALE", preset)
    monkeypatch.setattr(sweeps, "QUICK", preset)


@pytest.mark.slow
def test_sweeps_are_painted_once_and_scored_by_two_judges(files, tmp_path, quick, monkeypatch):
    (tmp_path / "other").mkdir()
    encoder, judge = tiny_encoder_file(tmp_path), tiny_encoder_file(tmp_path / "other", seed=3)
    pictures = {"contents": [files["cat"], files["dog"]], "styles": [files["wave"], files["night"]]}
    asked = {"encoder": encoder, "judge": judge, "others": [judge], "size": 64, "pairs": 1, **pictures}
    asked["out"] = str(tmp_path / "out")
    rows, flat = list(compare_score(**asked)), ["shown at other sizes", "cropped", "painted on other encoders"]
    assert [row["sweep"] for row in rows] == [*sweeps.LEVELS, *flat]
    for row in rows[:-3]:
        assert all(-1 <= row[name] <= 1 for name in ("rho", "worst", "judge_rho", "judge_worst", "agreement"))
        assert {f"no_{part}" for part in PARTS} <= row.keys()
    assert rows[3]["sweep"] == "blur" and rows[4]["rho"] > 0.5, "blocks of JPEG are seen at any size"
    assert all(0 <= row["spread"] < 50 for row in rows[-3:])
    monkeypatch.setattr(sweeps, "painted", None)
    monkeypatch.setattr(sweeps, "style_transfer", None)
    assert list(compare_score(**asked)) == rows, "nothing is painted or judged again"


def test_a_judge_does_not_judge_itself(tmp_path, files):
    with pytest.raises(ValueError, match="must not be the encoder"):
        next(compare_score(out=str(tmp_path), judge="compact"))
    with pytest.raises(ValueError, match="two photos and two styles"):
        next(compare_score(out=str(tmp_path), contents=[files["cat"]], styles=[files["wave"], files["night"]]))


def test_rank_correlations_know_which_way_is_better():
    def track(values: list[float]) -> list[dict[str, object]]:
        return [{"level": i, "own": dict.fromkeys(PARTS, value)} for i, value in enumerate(values)]

    rising = track([0.1, 0.2, 0.3, 0.4])
    assert _rho("steps", rising, "own") == pytest.approx(1) and _rho("noise", rising, "own") == pytest.approx(-1)
    assert _rho("noise", track([0.4, 0.4, 0.4, 0.4]), "own") == 0
    assert _rho("blur", track([0.4, 0.3, 0.1, 0.2]), "own") == pytest.approx(0.8)


def test_damage_grows_with_its_level():
    image = resize(picture(1, 24, 32), 96)
    for spoil, levels in ((sweeps.noisy, sweeps.NOISES), (sweeps.blurred, sweeps.BLURS)):
        kept = [psnr(spoil(image, level), image) for level in levels]
        assert kept[0] == math.inf and kept == sorted(kept, reverse=True)
    grain = (image + 0.1 * torch.randn(image.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    kept = [psnr(sweeps.compressed(grain, quality), grain) for quality in sweeps.QUALITIES]
    assert kept == sorted(kept, reverse=True)


def test_every_method_is_there():
    known = find_methods()
    assert {f"optimized {preset}" for preset in PRESETS} <= known.keys()
    assert {f"optimized draft {loss}" for loss in STYLE_LOSSES if loss != "wasserstein"} <= known.keys()
    assert {"network cin", "network predictor", "network photo2vangogh"} <= known.keys()
    assert "network horse2zebra" not in known, "which has no painter's manner"
    facts = {name: (method.styles, method.training) for name, method in known.items()}
    assert facts["network cin"] == ("16", "100000 steps") and facts["optimized best"] == ("any", "none")


@pytest.mark.slow
def test_methods_are_compared_and_resumed(files, tmp_path, monkeypatch):
    encoder, out = tiny_encoder_file(tmp_path), tmp_path / "out"
    asked = {"encoder": encoder, "judge": encoder, "vgg19": encoder, "size": 64, "out": str(out)}
    asked |= {"contents": [files["cat"]], "styles": [f"starry_night={files['wave']}", files["dog"]]}
    asked |= {"methods": ["itself", "colors", "draft gram", "network"]}
    rows = list(compare_methods(**asked))
    every = {row["by"]: row for row in rows if row["style"] == "all"}
    assert list(every)[:4] == ["the photo itself", "the style itself", "its colors alone", "optimized draft gram"]
    assert {"network cin", "network predictor", "network photo2vangogh"} <= every.keys()
    assert every["the photo itself"]["score"] < 5 and every["the style itself"]["score"] < 40
    assert all(0 <= row[part] <= 1 for row in rows for part in PARTS)
    assert every["the photo itself"]["vgg19"] == pytest.approx(0, abs=0.02) and every["the style itself"]["vgg19"] > 0.5
    assert every["network predictor"]["styles"] == "any" and every["its colors alone"]["training"] == "none"
    named = [row["by"] for row in rows if row["style"] == "dog"]
    assert "network cin" not in named and "network predictor" in named, "one knows one of the two styles"
    assert decode(out / "sheet-dog.png").rgb.width == 64 * (1 + len(named))
    known = json.loads((out / "costs.json").read_text())
    assert len(known) == 2 * len(every) - 2 and all(cost["seconds"] >= 0 for cost in known.values())
    monkeypatch.setattr("nst.research.evaluate.grid.timed", lambda paint: (None, {}))
    assert list(compare_methods(**asked)) == rows, "nothing is painted again"
    with pytest.raises(ValueError, match="No method is called like that"):
        next(compare_methods(**{**asked, "methods": ["magic"]}))


def test_a_ledger_remembers_and_survives_damage(tmp_path):
    path = tmp_path / "in" / "ledger.json"
    assert Ledger(path).get("a", lambda: 1.5) == 1.5
    assert Ledger(path).get("a", lambda: 2.5) == 1.5
    path.write_text("{broken")
    assert Ledger(path).get("a", lambda: 2.5) == 2.5


def test_results_are_scored_by_their_names(files, tmp_path, capsys):
    folder = tmp_path / "results"
    (folder / "contents").mkdir(parents=True)
    (folder / "styles").mkdir()
    for kind, name in (("contents", "cat"), ("styles", "wave")):
        (folder / kind / f"{name}.png").write_bytes(Path(files[name]).read_bytes())
    cat, wave = (to_tensor(decode(files[name])) for name in ("cat", "wave"))
    save(folder / "cat--wave--ours.png", to_pil(0.5 * cat + 0.5 * wave))
    save(folder / "cat--wave--theirs.png", to_pil(cat))
    save(folder / "cat--dusk--ours.png", to_pil(cat))
    rows = list(compare_results(folder=str(folder)))
    assert [row["result"] for row in rows[:3]] == [
        "cat--dusk--ours.png",
        "cat--wave--ours.png",
        "cat--wave--theirs.png",
    ]
    assert rows[0]["score"] is None and "There is no style" in rows[0]["note"]
    assert rows[1]["score"] > rows[2]["score"] and rows[2]["score"] < 5, "the photo itself is no pastiche"
    assert [(row["result"], row["method"]) for row in rows[3:]] == [("mean of 1", "ours"), ("mean of 1", "theirs")]
    assert main(["evaluate", str(folder)]) == 0
    assert "cat--wave--ours.png" in capsys.readouterr().out


def test_results_are_scored_by_a_list(files, tmp_path):
    save(tmp_path / "one.png", to_pil(picture(1, 48, 64)))
    lines = ["result,content,style,method", "one.png,cat.png,wave.png,ours", "gone.png,cat.png,wave.png,ours"]
    (tmp_path / "results.csv").write_text("\n".join(lines))
    first, gone, average = compare_results(folder=str(tmp_path))
    assert first["method"] == "ours" and first["score"] == average["score"] and average["result"] == "mean of 1"
    assert gone["score"] is None and "There is no picture file" in gone["note"]
    (tmp_path / "results.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ImageError, match="needs the columns"):
        list(compare_results(folder=str(tmp_path)))


def test_a_folder_that_says_nothing_is_refused(tmp_path):
    with pytest.raises(ImageError, match="name each picture CONTENT--STYLE"):
        list(compare_results(folder=str(tmp_path)))
    with pytest.raises(ImageError, match="is no folder"):
        list(compare_results(folder=str(tmp_path / "nowhere")))
