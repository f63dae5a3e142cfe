"""The comparison of encoders: its arithmetic and its contact sheet."""

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
from nst.research.evaluate.judges import JudgePanel, find_judges
from nst.research.evaluate.pictures import contact_sheet, load, write
from nst.research.evaluate.presets import PLAIN, compare_presets
from nst.settings import PRESETS


@pytest.fixture
def files(tmp_path):
    for name, seed in (("cat", 1), ("wave", 2), ("night", 3)):
        save(tmp_path / f"{name}.png", to_pil(picture(seed, 48, 64)))
    return tmp_path


def test_an_encoder_closes_all_of_its_own_distance(files):
    judge = tiny_encoder_file(files)
    rows = list(
        compare_encoders(
            judge=judge,
            encoder=judge,
            contents=[str(files / "cat.png")],
            out=str(files),
            size=64,
            num_steps=4,
            styles=[str(files / "wave.png"), str(files / "night.png")],
        )
    )
    assert [(r["content"], r["style"]) for r in rows] == [("cat", "wave"), ("cat", "night"), ("mean", "")]
    assert all(r["closure"] == pytest.approx(1) and r["ssim"] == r["judge_ssim"] for r in rows)
    assert all(r["judge"] < r["start"] for r in rows)
    assert rows[2]["start"] == pytest.approx((rows[0]["start"] + rows[1]["start"]) / 2)
    assert decode(files / "encoders.jpg").rgb.size == (2 * 4 * 256, 256)


def test_another_encoder_closes_another_share(files, tmp_path_factory):
    settings = {"contents": [str(files / "cat.png")], "styles": [str(files / "wave.png")], "size": 64, "num_steps": 4}
    other = tiny_encoder_file(tmp_path_factory.mktemp("other"), seed=5)
    row = next(compare_encoders(judge=tiny_encoder_file(files), encoder=other, **settings))
    assert row["closure"] != pytest.approx(1, abs=1e-6)


def test_closure_by_the_teacher_is_followed_as_steps_grow(files):
    file, styles = tiny_encoder_file(files), [str(files / "wave.png"), str(files / "night.png")]
    asked = {"contents": [str(files / "cat.png")], "styles": styles, "size": 64, "num_steps": 12, "judge": file}
    rows = list(compare_encoders(**asked, encoder=file, vgg19=file, lengths=["1", "40"]))
    grown = [(row["style"], row["steps"]) for row in rows[3:]]
    assert grown == [("wave", "1"), ("wave", "40"), ("night", "1"), ("night", "40"), ("all", "1"), ("all", "40")]
    assert 1 >= rows[3]["vgg19"] != rows[4]["vgg19"] <= 1 and rows[4]["content"] == "mean of 1"
    assert rows[-1]["vgg19"] == pytest.approx((rows[4]["vgg19"] + rows[6]["vgg19"]) / 2)
    assert rows[0]["vgg19"] == rows[0]["judge_vgg19"] and "squeezenet" not in rows[0]
    assert len(list(compare_encoders(**asked, encoder=file, vgg19=str(files / "gone")))) == 3, "skipped without teacher"


def test_a_contact_sheet_keeps_the_shapes():
    sheet = contact_sheet([[picture(1, 20, 40), picture(2, 40, 20)]] * 3, cell=40, columns=2)
    assert sheet.size == (160, 80)
    assert sheet.getpixel((5, 30)) == (255, 255, 255)


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
    assert [(row["style"], row["by"]) for row in rows] == [("wave", "ours"), ("mosaic", "ours"), ("all", "ours")]
    assert {"strokes", "long", "straight", "fringes", "blur", "lattice", "hatching", "blob", "clean"} <= rows[0].keys()
    for name in rows[0].keys() - {"style", "by", "photos", *(f"{name}_worst" for name in WORST)}:
        assert rows[2][name] == pytest.approx((rows[0][name] + rows[1][name]) / 2)
    assert all(rows[2][f"{name}_worst"] == min(r[f"{name}_worst"] for r in rows) < rows[2][name] for name in WORST)
    assert decode(files / "sheet-mosaic.png").rgb.width == 2 * 64
    lonely = next(compare_fast(**asked, vgg19=str(files / "gone.safetensors")))
    assert lonely["closed"] == rows[0]["closed"] and "vgg19" not in lonely and "squeezenet" not in lonely


def test_the_real_vgg19_looks_at_its_deepest_layer_alone(files):
    file = tiny_encoder_file(files)
    content, style, image = (picture(seed, 48, 64) for seed in (1, 2, 3))
    panel = JudgePanel(find_judges(file, file), {"wave": style}, {"cat": content}, choose_device("cpu", "float32"))
    found = panel.closures(image, "wave", "cat")
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
    assert rows[0]["closed"] == pytest.approx(1, abs=0.05) and rows[0]["photos"] == 1
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


def test_disagreement_is_measured_on_what_is_painted(files):
    file = tiny_encoder_file(files)
    photos = [str(files / "cat.png"), str(files / "night.png")]
    rows = list(
        compare_disagreement(teacher=file, encoder=file, contents=photos, styles=photos[:1], size=64, preset="draft")
    )
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
    assert [(row["content"], row["by"]) for row in rows[:3]] == [("cat", "draft"), ("cat", "plain"), ("cat", "magenta")]
    assert [row["content"] for row in rows[3:]] == ["mean of 1"] * 3 and rows[3]["ssim"] == rows[0]["ssim"]
    assert rows[2]["vgg19"] == pytest.approx(1, abs=0.1) and rows[2]["similar"] < rows[0]["similar"] <= 1
    assert rows[0]["seconds"] > 0 == rows[2]["seconds"]
    assert decode(files / "out" / "sheet-wave--cat.png").rgb.width == 4 * 64
    times = (files / "out" / "presets.json").read_text()
    assert list(compare_presets(**asked))[:2] == rows[:2] and (files / "out" / "presets.json").read_text() == times
