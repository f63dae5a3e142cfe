"""The comparison of encoders: its arithmetic and its sheets."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from tiny import picture, tiny_encoder, tiny_encoder_file

from nst.device import choose_device
from nst.encoders import STYLE_LAYERS
from nst.images import ImageError, decode, save, to_pil
from nst.metrics import style_closure
from nst.research.evaluate.disagreement import compare_disagreement, disagreement
from nst.research.evaluate.encoders import compare_encoders
from nst.research.evaluate.fast import WORST, compare_fast
from nst.research.evaluate.grid import GridConfig, averaged
from nst.research.evaluate.judges import JudgePanel, find_judges
from nst.research.evaluate.presets import PLAIN, compare_presets
from nst.research.evaluate.sheets import LABEL, load, side_by_side, write
from nst.settings import PRESETS


@pytest.fixture
def files(tmp_path):
    for name, seed in (("cat", 1), ("wave", 2), ("night", 3)):
        save(tmp_path / f"{name}.png", to_pil(picture(seed, 48, 64)))
    return tmp_path


def test_an_encoder_closes_all_of_its_own_distance(files):
    judge, styles = tiny_encoder_file(files), [str(files / "wave.png"), str(files / "night.png")]
    asked = {"judge": judge, "contents": [str(files / "cat.png")], "styles": styles, "size": 64, "num_steps": 4}
    rows = list(compare_encoders(**asked, encoder=judge, out=str(files)))
    pairs = [("wave", "judge"), ("wave", "encoder"), ("night", "judge"), ("night", "encoder")]
    assert [(row["style"], row["by"]) for row in rows] == [*pairs, ("all", "judge"), ("all", "encoder")]
    assert all(row["closure"] == pytest.approx(1) and row["closed"] > 0 for row in rows)
    assert rows[0]["ssim"] == rows[1]["ssim"] and rows[4]["photo"] == "mean of 2"
    assert rows[4]["closed"] == pytest.approx((rows[0]["closed"] + rows[2]["closed"]) / 2)
    assert decode(files / "sheet-wave.png").rgb.width == 3 * 64, "photo, judge, encoder"


def test_another_encoder_closes_another_share(files, tmp_path_factory):
    settings = {"contents": [str(files / "cat.png")], "styles": [str(files / "wave.png")], "size": 64, "num_steps": 4}
    other = tiny_encoder_file(tmp_path_factory.mktemp("other"), seed=5)
    _, row, *_ = compare_encoders(judge=tiny_encoder_file(files), encoder=other, **settings)
    assert row["closure"] != pytest.approx(1, abs=1e-6)


def test_closure_by_the_teacher_is_followed_as_steps_grow(files):
    file, pictures = tiny_encoder_file(files), [str(files / f"{name}.png") for name in ("cat", "wave", "night")]
    asked = {"contents": pictures[:2], "styles": pictures[2:], "size": 64, "num_steps": 12, "judge": file}
    rows = list(compare_encoders(**asked, encoder=file, vgg19=file, lengths=["1", "20"]))
    makers = ["judge", "encoder", "1", "20"]
    assert [(row["photo"], row["by"]) for row in rows[:8]] == [(c, by) for c in ("cat", "wave") for by in makers]
    means = {(row["style"], row["by"]): row for row in rows[8:]}
    assert list(means) == [(style, by) for style in ("night", "all") for by in makers]
    assert 1 >= rows[2]["vgg19"] != rows[3]["vgg19"] <= 1 and "squeezenet" not in rows[0]
    assert means["all", "20"]["vgg19"] == pytest.approx((rows[3]["vgg19"] + rows[7]["vgg19"]) / 2)
    none = list(compare_encoders(**asked, encoder=file, vgg19=str(files / "gone")))
    assert {row["by"] for row in none} == {"judge", "encoder"}, "skipped without teacher"


def test_a_sheet_keeps_the_shapes():
    wide, tall = picture(1, 20, 40), picture(2, 40, 20)
    sheet = side_by_side({"photo": {"a": wide, "b": tall}, "ours": {"b": tall}}, picture(3, 10, 30))
    assert sheet.size == (80, 2 * LABEL + 10 + 20 + 40)
    assert sheet.getpixel((45, 2 * LABEL + 15)) == (255, 255, 255), "who has no result leaves a gap"
    assert side_by_side({"photo": {"a": wide}}).size == (40, LABEL + 20)
    named = side_by_side({"p": {"a": wide}, "a name wider than its column": {"a": wide}, "q": {"a": wide}})
    assert min(named.crop((78, 0, 83, LABEL)).getdata()) == (255, 255, 255), (
        "a name does not reach into the next column"
    )


def test_means_are_of_numbers_and_of_what_is_worst_the_least():
    rows = [{"by": "a", "x": 1.0, "x_worst": 1.0, "seconds": None, "kind": "net", "note": str(i)} for i in range(2)]
    rows[1] |= {"x": 2.0, "x_worst": 2.0, "seconds": 3.0}
    (mean,) = averaged(rows, "by")
    assert mean == {"photo": "mean of 2", "by": "a", "x": 1.5, "x_worst": 1.0, "seconds": 3.0, "kind": "net"}


def squeezenet_file(folder):
    from torchvision.models import squeezenet1_1

    torch.manual_seed(0)
    save_file(squeezenet1_1(weights=None).state_dict(), folder / "squeezenet.safetensors")
    return str(folder / "squeezenet.safetensors")


def test_fast_styles_are_judged_by_all_who_are_there(files):
    judge = tiny_encoder_file(files)
    asked = {"contents": [str(files / "cat.png"), str(files / "night.png")], "size": 64}
    asked |= {"styles": [str(files / "wave.png"), "mosaic"], "judge": judge}
    rows = list(compare_fast(**asked, vgg19=judge, squeezenet=squeezenet_file(files), out=str(files)))
    each = [("cat", "wave"), ("night", "wave"), ("cat", "mosaic"), ("night", "mosaic")]
    means = [("mean of 2", "wave"), ("mean of 2", "mosaic"), ("mean of 4", "all")]
    assert [(row["photo"], row["style"]) for row in rows] == each + means
    assert {"strokes", "long", "straight", "fringes", "blur", "lattice", "hatching", "blob", "clean"} <= rows[0].keys()
    for name in rows[0].keys() - {"photo", "style", "by", *(f"{name}_worst" for name in WORST)}:
        assert rows[6][name] == pytest.approx(sum(row[name] for row in rows[:4]) / 4)
    assert all(rows[6][f"{name}_worst"] == min(r[name] for r in rows[:4]) < rows[6][name] for name in WORST)
    assert decode(files / "sheet-mosaic.png").rgb.width == 2 * 64
    lonely = next(compare_fast(**asked, vgg19=str(files / "gone.safetensors")))
    assert lonely["closed"] == rows[0]["closed"] and "vgg19" not in lonely and "squeezenet" not in lonely


def test_the_real_vgg19_looks_at_its_deepest_layer_alone(files):
    file = tiny_encoder_file(files)
    pictures = {"contents": [str(files / "cat.png")], "styles": [str(files / "wave.png")], "size": 64}
    config, image = GridConfig(**pictures, judge=file, vgg19=file), picture(3, 48, 64)
    (pair,), content, style = config.pairs, load(files / "cat.png"), load(files / "wave.png")
    found = JudgePanel(config, choose_device("cpu", "float32")).closures(image, pair)
    assert found["vgg19"] == pytest.approx(style_closure(image, content, style, tiny_encoder(), ["relu3_1"]), rel=1e-3)
    assert found["closed"] == pytest.approx(style_closure(image, content, style, tiny_encoder()), rel=1e-3)
    assert found["closed"] != pytest.approx(found["vgg19"], abs=1e-3)
    with pytest.raises(ValueError, match=r"not SqueezeNet"):
        find_judges(squeezenet=file)


def test_results_of_others_are_found_by_name_and_laid_beside(files):
    style, cat = load(files / "wave.png"), str(files / "cat.png")
    for folder, name, made in (("a", "wave--cat", style), ("b", "sea--cat", style), ("c", "mosaic--cat", style)):
        write(files / "peers" / folder / f"{name}.jpg", to_pil(made))
    asked = {"contents": [cat], "size": 64, "judge": tiny_encoder_file(files), "out": str(files / "out")}
    asked |= {"styles": [f"great_wave={files / 'wave.png'}", "mosaic"]}
    rows = list(compare_fast(**asked, against=str(files / "peers"), model=str(files / "peers" / "a")))
    assert [(row["style"], row["by"]) for row in rows] == [("great_wave", "a"), ("all", "a")], "drawn styles are shown"
    assert rows[0]["closed"] == pytest.approx(1, abs=0.05) and rows[1]["photo"] == "mean of 1"
    assert decode(files / "out" / "sheet-great_wave.png").rgb.width == 2 * 64
    assert decode(files / "out" / "sheet-mosaic.png").rgb.width == 2 * 64, "photo and c"
    with pytest.raises(ImageError, match="holds no folders of results"):
        list(compare_fast(**asked, against=str(files / "gone")))
    with pytest.raises(ImageError, match="STYLE--CONTENT"):
        list(compare_fast(**asked, model=str(files / "peers")))


def test_a_student_that_is_its_teacher_mapped_disagrees_nowhere():
    teacher, photos = tiny_encoder(), [picture(seed, 48, 64) for seed in range(4)]
    painted = [[torch.rand(1, 3, 48, 64)] for _ in photos]
    rows = list(disagreement(teacher, teacher, photos, painted))
    assert [row["layer"] for row in rows] == list(STYLE_LAYERS)
    assert all(row["photos"] < 0.01 and row["painted"] < 0.01 for row in rows)
    row = list(disagreement(tiny_encoder(seed=3), teacher, photos, painted))[-1]
    assert row["painted"] > row["photos"] > 0 and row["ratio"] == pytest.approx(row["painted"] / row["photos"])


def test_disagreement_is_measured_on_what_is_painted(files, monkeypatch):
    file = tiny_encoder_file(files)
    photos = [str(files / "cat.png"), str(files / "night.png")]
    monkeypatch.setitem(PRESETS, "draft", replace(PRESETS["draft"], num_steps=4))
    asked = {"contents": photos, "styles": photos[:1], "size": 64, "preset": "draft"}
    rows = list(compare_disagreement(teacher=file, encoder=file, **asked))
    assert len(rows) == len(STYLE_LAYERS) and rows[0]["painted"] < 0.05
    with pytest.raises(ValueError, match="Two photos"):
        next(compare_disagreement(teacher=file, contents=photos[:1], styles=photos))


def test_presets_are_laid_side_by_side_and_found_ones_not_painted_again(files, monkeypatch):
    monkeypatch.setitem(PRESETS, "draft", replace(PRESETS["draft"], num_steps=20))
    monkeypatch.setitem(PLAIN, "preset", replace(PLAIN["preset"], num_steps=4))
    judge, peers = tiny_encoder_file(files), files / "peers" / "magenta"
    write(peers / "wave--cat.jpg", to_pil(load(files / "wave.png")))
    asked = {"contents": [str(files / "cat.png")], "styles": [str(files / "wave.png")], "size": 64, "encoder": judge}
    asked |= {"out": str(files / "out"), "presets": ["draft"], "plain": judge, "vgg19": judge}
    rows = list(compare_presets(**asked, against=str(files / "peers")))
    assert [(row["photo"], row["by"]) for row in rows[:3]] == [("cat", "draft"), ("cat", "plain"), ("cat", "magenta")]
    assert [row["photo"] for row in rows[3:]] == ["mean of 1"] * 3 and rows[3]["ssim"] == rows[0]["ssim"]
    assert rows[2]["vgg19"] == pytest.approx(1, abs=0.1) and rows[2]["similar"] < rows[0]["similar"] <= 1
    assert rows[0]["seconds"] > 0 and rows[2]["seconds"] is None
    assert decode(files / "out" / "sheet-wave.png").rgb.width == 4 * 64
    times = (files / "out" / "costs.json").read_text()
    assert list(compare_presets(**asked))[:2] == rows[:2] and (files / "out" / "costs.json").read_text() == times
