"""The command line for several styles, regions and meaning; and the commands texture, invert and mix."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from tiny import picture, tiny_encoder_file

from nst.__main__ import main
from nst.cli import options
from nst.images import decode, read_recipe, save, to_pil, to_tensor
from nst.metrics import psnr
from nst.tasks import TASKS


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return tiny_encoder_file(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A current folder with a photo, two paintings and a mask of the left half."""
    monkeypatch.chdir(tmp_path)
    for name, seed in (("photo", 1), ("one", 2), ("two", 3)):
        save(tmp_path / f"{name}.png", to_pil(picture(seed, 48, 64)))
    left = torch.zeros(1, 3, 48, 64)
    left[..., :32] = 1
    save(tmp_path / "left.png", to_pil(left))
    return tmp_path


@pytest.fixture
def run(place, encoder):
    """A command with these words, on the tiny encoder, for three steps."""
    quick = ["--steps", "3", "--device", "cpu", "--encoder", encoder]
    sizes = {"texture": ["--width", "64", "--height", "48"]}
    return lambda name, *words: main([name, *words, *quick, *sizes.get(name, ["--size", "64"])])


TWO = ["photo.png", "--style", "one.png", "--style", "two.png", "-o"]


# ---- stylize


def test_everything_together(run, capsys):
    words = "--style-weight 1 --style-weight 3 --style-scale 1 --style-scale 0.5 --style-mask rest"
    words += " --style-mask left.png --keep left.png --preserve-color pca --color-when before"
    words += " --loss gram+histogram --guide soft --mixing losses"
    assert run("stylize", *TWO, "a.png", *words.split()) == 0
    recipe = read_recipe("a.png")
    assert recipe["style"] == ["one.png", "two.png"] and recipe["keep"] == ["left.png"]
    wanted = {"style_weights": [1.0, 3.0], "style_scale": [1.0, 0.5], "style_loss": "gram+histogram"}
    wanted |= {"preserve_color": "pca", "color_when": "before", "guide": "soft", "mixing": "losses"}
    assert {name: recipe["settings"][name] for name in wanted} == wanted
    kept, photo = to_tensor(decode("a.png")), to_tensor(decode("photo.png"))
    assert psnr(kept[..., :31], photo[..., :31]) > 45 and psnr(kept[..., 33:], photo[..., 33:]) < 40


def test_masks_are_heard_and_resizing_is_told(run, capsys):
    Image.open("left.png").resize((32, 24)).save("small.png")
    assert run("stylize", *TWO, "a.png", "--mask", "small.png", "--mask", "rest") == 0
    assert "Mask 1 was resized from 32 x 24 to 64 x 48 pixels." in capsys.readouterr().err
    assert run("stylize", *TWO, "b.png") == 0
    assert decode("a.png").rgb.tobytes() != decode("b.png").rgb.tobytes()
    assert read_recipe("a.png")["masks"] == ["small.png", "rest"]


def test_meaning_is_painted_by_patches(run):
    words = ["photo.png", "--style", "one.png", "--semantic", "left.png", "left.png", "-o"]
    assert run("stylize", *words, "a.png") == 0 and run("stylize", *words, "b.png", "--loss", "gram") == 0
    assert [read_recipe(f"{n}.png")["settings"]["style_loss"] for n in "ab"] == ["patches+histogram", "gram+patches"]
    assert read_recipe("a.png")["content_map"] == read_recipe("a.png")["style_map"] == ["left.png"]


def test_a_recipe_of_several_styles_is_restored_but_for_its_masks(run, place, encoder, capsys):
    for name in ("one", "two"):
        (place / f"{name}.png").rename(place / name)
    words = ["photo.png", "--style", "./one", "--style", "./two", "--style-weight", "1", "--style-weight", "4"]
    assert run("stylize", *words, "--keep", "left.png", "-o", "a.png") == 0
    capsys.readouterr()
    again = ["photo.png", "--recipe", "a.png", "--style", "./one", "--style", "./two", "-o", "b.png"]
    assert run("stylize", *again, "--keep", "left.png") == 0
    assert "'a.png' was painted with what it does not hold: give it with --keep." in capsys.readouterr().err
    assert decode("a.png").rgb.tobytes() == decode("b.png").rgb.tobytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--mask", "left.png"], "2 styles need 2 masks"),
        (["--style-weight", "0", "--style-weight", "0"], "2 style weights are needed, none below 0 and not all 0"),
        (["--style-weight", "1"], "2 style weights"),
        (["--mask", "black.png", "--mask", "rest"], "Mask 1 is empty"),
        (["--keep", "black.png"], "what to keep is empty"),
        (["--keep", "none.png"], "none.png"),
        (["--semantic", "left.png"], "style 1 and 2 have none"),
        (["--loss", "magic"], "style_loss must be one of"),
        (["--semantic", "left.png", "left.png"], "style 2 has none"),
        (["--style-scale", "9"], "between 0.1 and 4"),
        (["--style-layers", "relu8_1"], "No layer relu8_1. This encoder has: relu1_1"),
    ],
)
def test_bad_input_is_told_in_a_line(run, words, said, capsys):
    Image.new("RGB", (64, 48)).save("black.png")
    assert run("stylize", *TWO, "x.png", *words) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1


# ---- texture, invert, mix


def test_a_texture(run, capsys):
    assert (
        run(
            "texture",
            "one.png",
            "two.png",
            "-o",
            "new/tile.png",
            "--seamless",
            "--style-weight",
            "1",
            "--style-weight",
            "2",
        )
        == 0
    )
    made = decode("new/tile.png")
    assert made.rgb.size == (64, 48)
    assert made.recipe["task"] == "texture" and made.recipe["style"] == ["one.png", "two.png"]
    assert made.recipe["settings"]["seamless"] is True and made.recipe["settings"]["style_weights"] == [1.0, 2.0]
    assert run("texture", "one.png", "two.png", "--recipe", "new/tile.png", "-o", "again.png") == 0
    assert decode("again.png").rgb.tobytes() == made.rgb.tobytes()


def test_an_inversion_from_several_starts(run):
    assert run("invert", "photo.png", "--layer", "relu3_1", "--starts", "2", "-o", "known.png") == 0
    made = decode("known.png")
    assert made.rgb.size == (128, 48) and made.recipe["task"] == "invert" and made.recipe["content"] == "photo.png"
    assert made.recipe["settings"]["layer"] == "relu3_1"
    assert run("invert", "photo.png", "--recipe", "known.png", "-o", "again.png") == 0
    assert decode("again.png").rgb.tobytes() == made.rgb.tobytes()


def test_a_path_as_strip_film_and_pictures(run):
    for out in ("strip.png", "film.gif", "folder/"):
        assert run("mix", *TWO, out, "--pictures", "3") == 0
    assert decode("strip.png").rgb.size == (192, 48) and read_recipe("strip.png")["task"] == "mix"
    with Image.open("film.gif") as film:
        assert film.n_frames == 4 and film.size == (64, 48) and film.info["duration"] == 400
    singles = [to_tensor(decode(f"folder/0{i}.png")) for i in (1, 2, 3)]
    assert torch.equal(torch.cat(singles, 3), to_tensor(decode("strip.png")))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["texture", "-o", "x.png"], "Which style?"),
        (["texture", "one.png", "-o", "x.tiff"], "no suffix"),
        (["mix", "photo.png", "--style", "one.png", "-o", "x.png"], "--style twice, not 1 times"),
        (["mix", "photo.png", "--style", "one.png", "--style", "two.png", "-o", "x.bmp"], "no suffix"),
        (["invert", "photo.png", "--layer", "relu7_1", "-o", "x.png"], "No layer relu7_1. This encoder has: relu1_1"),
        (["invert", "none.png", "-o", "x.png"], "none.png"),
        (["invert", "photo.png", "--starts", "99", "-o", "x.png"], "99 is not between 1 and 8"),
    ],
)
def test_bad_input_of_the_others_is_told_in_a_line(run, words, said, capsys):
    assert run(*words) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1


# ---- options


@pytest.mark.parametrize("name", TASKS)
def test_the_help_says_something_of_each_setting_in_its_group(name):
    task = TASKS[name]
    made = options.parser(task, name, "About.")
    assert all(action.help for action in made._actions)
    said = made.format_help()
    for setting in task.settings.values():
        assert (options.option_of(setting) in said and f"{setting.group}:" in said) or setting.option == "", setting


def test_a_texture_and_an_inversion_have_no_settings_of_content():
    words = "".join(options.parser(TASKS[name], name, "").format_help() for name in ("texture", "invert"))
    assert "--strength" not in words and "--content-layers" not in words and "--mask" not in words


# ---- doodle


def test_a_doodle_is_painted_in_the_colors_of_the_style_s_map(run, place, capsys):
    assert main(["doodle", "--style", "one.png", "--write-map", "map.png"]) == 0
    assert decode("map.png").rgb.size == (512, 384) and capsys.readouterr().out == "map.png\n"
    assert run("doodle", "map.png", "--style", "one.png", "--map", "map.png", "-o", "out.png") == 0
    recipe = read_recipe("out.png")
    assert recipe["task"] == "doodle" and recipe["style"] == "one.png" and recipe["style_map"] == ["map.png"]
    assert decode("out.png").rgb.size == (64, 48)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--style", "one.png"], "Give a DOODLE"),
        (["photo.png", "--style", "one.png"], "Give a DOODLE"),
        (["photo.png", "--style", "one.png", "--style", "two.png", "-o", "a.png"], "not 2 times"),
    ],
)
def test_what_a_doodle_lacks_is_told(place, capsys, words, told):
    assert main(["doodle", *words]) == 2
    assert told in capsys.readouterr().err
