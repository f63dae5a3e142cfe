"""The command line: what it prints, writes and answers, and how it ends."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from tiny import picture, tiny_encoder_file

import nst
from nst.__main__ import main
from nst.cli import commands, experiments, files, models, run
from nst.cli.arguments import Parser, add_options, described, given
from nst.cli.errors import complaint
from nst.cli.table import growing
from nst.images import decode, read_recipe, save, to_pil
from nst.registry import list_models
from nst.styles import list_styles
from nst.stylize import Estimate
from nst.tasks import TASKS
from nst.weights import WeightsError

ROOT = Path(__file__).resolve().parent.parent
QUICK = ["--size", "64", "--steps", "3", "--device", "cpu"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return tiny_encoder_file(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A current folder with a photo and a painting."""
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "photo.png", to_pil(picture(1, 48, 64)))
    save(tmp_path / "painting.png", to_pil(picture(2, 64, 64)))
    return tmp_path


@pytest.fixture
def paint(place, encoder):
    """`stylize` with these words, on the tiny encoder, for three steps."""
    return lambda *words: main(["stylize", *words, "--encoder", encoder, *QUICK])


PAINTED = ["photo.png", "--style", "painting.png", "-o"]


# ---- finding one's way


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_it_explains_itself(words, capsys):
    assert main(words) == 0
    said = capsys.readouterr().out
    assert set(commands()) <= set(re.findall(r"^    ([\w-]+)", said, re.MULTILINE))


def test_the_help_needs_none_of_the_libraries():
    """It is there at once: they take seconds to import."""
    script = "import sys; from nst.__main__ import main; main(['--help'])"
    script += "; assert not {'torch', 'gradio', 'numpy', 'PIL', 'scipy', 'huggingface_hub'} & sys.modules.keys()"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.DEVNULL).returncode == 0


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"Pastiche {nst.__version__}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stylise"], "invalid choice: 'stylise'"),
        (["stylize"], "CONTENT, -o/--output"),
        (["stylize", *PAINTED, "x.png", "--sise", "9"], "--sise"),
        (["stylize", *PAINTED, "x.png", "--size", "20"], "20 is not between 64 and 16384"),
        (["stylize", *PAINTED, "x.png", "--strength", "nan"], "not between 0 and 100"),
        (["stylize", *PAINTED, "x.png", "--steps", "many"], "'many' is not a whole number"),
        (["stylize", *PAINTED, "x.png", "--preset", "superb"], "choose from"),
        (["train", "nothing"], "invalid choice: 'nothing'"),
        (["evaluate", "encoders"], "--contents, --styles, --judge"),
        (["models", "pull"], "NAME"),
    ],
)
def test_bad_usage_is_told_in_a_line(words, said, capsys):
    assert main(words) == 2
    told = capsys.readouterr()
    assert said in told.err and told.err.count("\n") == 1 and "--help`.\n" in told.err and told.out == ""


# ---- stylize, one picture


def test_one_picture(paint, encoder, capsys):
    assert paint(*PAINTED, "deep/result.png", "--trace", "t/trace.json", "--snapshots", "s", "--strength", "70") == 0
    assert capsys.readouterr().out == f"{Path('deep/result.png')}\n"
    result = decode("deep/result.png")
    assert result.rgb.size == (64, 48) and result.alpha is None
    assert (result.recipe["content"], result.recipe["style"]) == ("photo.png", "painting.png")
    assert {"size": 64, "num_steps": 3, "strength": 70}.items() <= result.recipe["settings"].items()
    run = json.loads(Path("t/trace.json").read_text())["runs"][0]
    assert [step["step"] for step in run["steps"]] == [1, 2, 3] and run["recipe"] == result.recipe
    assert all(set(step["losses"]) == {"content", "style", "tv"} for step in run["steps"])
    assert [p.name for p in sorted(Path("s").iterdir())] == ["0001.jpg", "0002.jpg", "0003.jpg"]
    assert {decode(p).rgb.size for p in Path("s").iterdir()} == {(64, 48)}
    assert not list(Path().rglob(".*"))


def test_a_recipe_is_restored_and_what_is_typed_wins(paint):
    assert paint(*PAINTED, "one.png", "--init", "noise", "--seed", "5", "--tv-weight", "0.5") == 0
    assert paint(*PAINTED, "same.png", "--recipe", "one.png") == 0
    assert paint(*PAINTED, "other.png", "--recipe", "one.png", "--seed", "6") == 0
    one, same, other = (decode(f"{name}.png") for name in ("one", "same", "other"))
    assert one.rgb.tobytes() == same.rgb.tobytes() != other.rgb.tobytes()
    assert other.recipe["settings"] == one.recipe["settings"] | {"seed": 6}


def test_a_recipe_knows_its_style(paint, monkeypatch):
    drawn = []
    monkeypatch.setattr(files.styles, "load_style", lambda name, size: drawn.append(name) or to_pil(picture(3)))
    assert paint("photo.png", "--style", "waves", "-o", "a.png") == 0
    assert paint("photo.png", "--recipe", "a.png", "-o", "b.png") == 0
    assert drawn == ["waves", "waves"] and read_recipe("b.png")["style"] == "waves"
    assert paint("photo.png", "-o", "c.png") == 2


def test_all_settings_are_passed_on(paint, monkeypatch):
    asked, task = {}, TASKS["style_transfer"]

    def spy(**given):
        asked.update(given)
        return task.run(**given)

    monkeypatch.setitem(TASKS, "style_transfer", replace(task, run=spy))
    words = "--optimizer sgd --learning-rate 0.2 --style-loss wasserstein --content-layers relu3_1 --tv-exponent 1.5"
    words += " --style-layers relu1_1 relu2_1 --style-layer-weights 1 3 --pooling max --style-scale 2 --preset best"
    assert paint(*PAINTED, "a.jpg", *words.split(), "--init", "painting.png") == 0
    assert asked.pop("init").shape == (1, 3, 64, 64)
    wanted = {"optimizer": "sgd", "learning_rate": 0.2, "style_loss": "wasserstein", "content_layers": ["relu3_1"]}
    wanted |= {"style_layers": ["relu1_1", "relu2_1"], "style_layer_weights": [1.0, 3.0], "tv_exponent": 1.5}
    wanted |= {"pooling": "max", "style_scale": 2.0, "preset": "best", "size": 64, "num_steps": 3, "device": "cpu"}
    assert wanted.items() <= asked.items()
    assert asked.keys() - wanted.keys() == {"encoder", "content", "style"}


def test_alpha_is_put_back(paint, place):
    image = to_pil(picture(1, 48, 64))
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save("clear.png")
    assert paint("clear.png", "--style", "painting.png", "-o", "out.webp") == 0
    assert decode("out.webp").alpha is not None


def test_an_example_by_name(paint, monkeypatch):
    monkeypatch.setattr(files.styles, "load_content", lambda name: to_pil(picture(1, 64, 48)))
    assert paint("chelsea", "--style", "painting.png", "-o", "results/") == 0
    assert decode("results/chelsea.png").rgb.size == (48, 64)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.jpg", "--style", "painting.png", "-o", "x.png"], "nothing.jpg"),
        (["empty.jpg", "--style", "painting.png", "-o", "x.png"], "empty"),
        (["photo.png", "--style", "nothing.jpg", "-o", "x.png"], "nothing.jpg"),
        (["photo.png", "--style", "wavs", "-o", "x.png"], "Did you mean waves"),
        ([*PAINTED, "x.txt"], "'x.txt' has no suffix for a picture; choose .png, .jpg or .webp"),
        ([*PAINTED, "photo.png"], "the photo itself"),
        ([*PAINTED, "empty.jpg/x.png"], "empty.jpg"),
        ([*PAINTED, "x.png", "--recipe", "photo.png"], "holds no recipe"),
        ([*PAINTED, "x.png", "--init", "empty.jpg"], "empty"),
        ([*PAINTED, "x.png", "--content-layers", "relu9_9"], "No layer relu9_9"),
        ([*PAINTED, "x.png", "--style-layer-weights", "1", "2"], "5 weights are needed"),
        ([*PAINTED, "x.png", "--trace", "empty.jpg/t.json"], "empty.jpg"),
        (["none", "--style", "painting.png", "-o", "x"], "No pictures in 'none'"),
    ],
)
def test_bad_input_is_told_in_a_line(paint, words, said, capsys):
    Path("empty.jpg").touch()
    Path("none").mkdir()
    assert paint(*words) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1
    assert decode("photo.png").recipe is None


@pytest.mark.parametrize(
    ("option", "said"), [(["--encoder", "vgg20"], "Did you mean vgg"), (["--device", "abacus"], "No device")]
)
def test_what_is_not_here_is_told(place, encoder, option, said, capsys):
    assert main(["stylize", *PAINTED, "x.png", "--encoder", encoder, *QUICK, *option]) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1


def test_a_long_run_is_told_beforehand(paint, monkeypatch, capsys):
    monkeypatch.setattr(run, "estimate", lambda shape, **_: Estimate(600.0, 2_500_000_000))
    assert paint(*PAINTED, "x.png") == 0
    assert "About 10 min and 2.5 GB of memory, on CPU" in capsys.readouterr().err


# ---- stylize, a folder


@pytest.fixture
def photos(place):
    (place / "photos").mkdir()
    for i, name in enumerate(("a.png", "b.jpg", "b.png", ".hidden.png")):
        save(place / "photos" / name, to_pil(picture(i, 40, 30)))
    (place / "photos" / "notes.txt").write_text("no picture")
    return place / "photos"


def test_a_folder(paint, photos, capsys):
    (photos / "broken.png").write_bytes(b"\x89PNG")
    words = ["photos", "--style", "painting.png", "-o", "out", "--trace", "trace.json", "--snapshots", "s"]
    assert paint(*words) == 2
    told = capsys.readouterr()
    assert told.out.splitlines() == [str(Path("out", name)) for name in ("a.png", "b.jpg.png", "b.png.png")]
    assert "broken.png: This picture is damaged" in told.err and "3 done, 1 failed." in told.err
    assert {p.name for p in Path("out").iterdir()} == {"a.png", "b.jpg.png", "b.png.png"}
    assert {p.name for p in Path("s").iterdir()} == {"a", "b.jpg", "b.png"}
    assert len(json.loads(Path("trace.json").read_text())["runs"]) == 3

    (photos / "broken.png").unlink()
    (Path("out") / "a.png").unlink()
    before = {p: p.stat().st_mtime_ns for p in Path("out").iterdir()}
    assert paint(*words) == 0
    told = capsys.readouterr()
    assert told.out == f"{Path('out/a.png')}\n" and "2 done already" in told.err
    assert before == {p: p.stat().st_mtime_ns for p in before}
    assert paint(*words) == 0 and capsys.readouterr().out == ""
    assert paint(*words, "--overwrite") == 0 and capsys.readouterr().out.count("\n") == 3


def test_a_folder_is_not_painted_into_itself_or_a_file(paint, photos):
    assert paint("photos", "--style", "painting.png", "-o", "photos/") == 2
    assert paint("photos", "--style", "painting.png", "-o", "photo.png") == 2
    assert len(list(photos.iterdir())) == 5


def test_a_fault_of_ours_is_not_hidden(paint, photos, monkeypatch):
    monkeypatch.setattr(run, "paint", lambda *_: {}["bug"])
    with pytest.raises(KeyError):
        paint("photos", "--style", "painting.png", "-o", "out")


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_leaves_finished_files_whole(photos, encoder):
    for i in range(60):
        shutil.copy(photos / "a.png", photos / f"c{i:02d}.png")
    command = [sys.executable, "-m", "nst", "stylize", "photos", "--style", "painting.png", "-o", "out"]
    process = subprocess.Popen(
        [*command, "--encoder", encoder, "--size", "64", "--device", "cpu", "--steps", "30"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == f"{Path('out/a.png')}\n"
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told.splitlines()[-1]) == (130, "Stopped."), "before it, what a long run will take"
    painted = list(Path("out").iterdir())
    assert 0 < len(painted) < 63 and all(decode(path).recipe for path in painted)


# ---- models and styles


def test_models(capsys):
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "kind", "place", "size", "license", "origin"]
    assert [line.split()[0] for line in lines[1:]] == [entry.name for entry in list_models()]


def test_pull(monkeypatch, capsys):
    assert main(["models", "pull", "vgg91"]) == 2
    assert "Did you mean vgg19" in capsys.readouterr().err

    def resolve(entry, progress):
        progress(10, 20)
        progress(20, 20)
        return Path("/there") / entry.name

    monkeypatch.setattr(models, "resolve", resolve)
    assert main(["models", "pull", "vgg19"]) == 0
    assert capsys.readouterr().out == f"{Path('/there/vgg19')}\n"


def test_styles(capsys):
    assert main(["styles"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [style.name for style in list_styles()]


# ---- from a signature to options


def example(
    content: str,
    *,
    folder: str | Path,
    sizes: Sequence[int] = (256, 512),
    rate: float = 0.5,
    num_steps: int | None = None,
    mode: str = "fast",
    shuffle: bool = True,
    progress: Callable[[int], None] | None = None,
) -> None:
    """First line.

    Args:
        content: not an option.
        folder: where `it` is.
        sizes, rate: of which one must know
            a lot, 100 % of it.
        num_steps: how many; None means enough.
        mode: a word.

    Raises:
        ValueError: mode: is no argument.
    """


def options() -> Parser:
    parser = Parser(prog="example")
    add_options(parser, example)
    return parser


def test_docstrings_are_read():
    assert described(example) == {
        "content": "not an option.",
        "folder": "where `it` is.",
        "sizes": "of which one must know a lot, 100 % of it.",
        "rate": "of which one must know a lot, 100 % of it.",
        "num_steps": "how many; None means enough.",
        "mode": "a word.",
    }
    assert described(lambda: None) == {}


def test_options_have_types_and_no_defaults():
    assert given(options().parse_args(["--folder", "x"]), example) == {"folder": "x"}
    words = "--folder x --sizes 1 2 --rate 2 --steps 7 --mode slow --no-shuffle"
    wanted = {"folder": "x", "sizes": [1, 2], "rate": 2.0, "num_steps": 7, "mode": "slow", "shuffle": False}
    assert given(options().parse_args(words.split()), example) == wanted


def test_options_are_explained():
    said = " ".join(options().format_help().split())
    assert "--folder FOLDER where it is (required)" in said
    assert "a lot, 100 % of it (default: 256 512)" in said and "(default: 0.5)" in said
    assert "--steps N how many; left out means enough --mode MODE a word (default: fast)" in said
    assert "--progress" not in said


def test_what_cannot_be_typed_must_have_a_default():
    def impossible(*, callback: Callable[[int], None]) -> None: ...

    with pytest.raises(TypeError, match="callback"):
        add_options(argparse.ArgumentParser(), impossible)


# ---- commands that yield rows


def run_toy(*, count: int, fail: bool = False):
    """Toy rows.

    Args:
        count: how many.
    """
    for i in range(count):
        yield {"name": f"row {i}", "value": i / 3, "none": None}
    if fail:
        raise WeightsError("It  broke.")


def run_steps(*, count: int = 2):
    """Toy steps."""
    return ({"step": i + 1, "steps": count, "loss": 0.123456} for i in range(count))


@pytest.fixture
def toys(monkeypatch):
    made = {name: experiments.Entry(__name__, f"run_{name}", "A toy.") for name in ("toy", "steps")}
    monkeypatch.setattr(experiments, "entries", lambda family: made)


def test_rows_make_a_table_and_a_file(toys, tmp_path, capsys):
    file = tmp_path / "new" / "rows.json"
    assert main(["bench", "toy", "--count", "2", "--json", str(file)]) == 0
    assert capsys.readouterr().out.splitlines() == ["name   value  none", "row 0  0      -", "row 1  0.3333  -"]
    assert json.loads(file.read_text()) == list(run_toy(count=2))
    assert main(["bench", "toy", "--count", "1", "--fail", "--json", str(file)]) == 2
    assert capsys.readouterr().err == "It broke.\n" and len(json.loads(file.read_text())) == 1


def test_a_column_is_as_wide_as_its_widest_cell_so_far():
    listed = [{"name": "a", "score": 1.0}, {"name": "wider", "score": None}, {"name": "b", "score": 0.12345}]
    assert list(growing(iter(listed))) == ["name  score", "a     1", "wider  -", "b      0.1235"]


def test_steps_make_lines_of_progress(toys, capsys):
    assert main(["train", "steps"]) == 0
    assert capsys.readouterr().out.splitlines() == ["step 1 of 2  loss 0.1235", "step 2 of 2  loss 0.1235"]


def test_a_family_explains_itself_without_importing(capsys):
    assert main(["train"]) == 0
    assert "compact" in capsys.readouterr().out


@pytest.mark.parametrize("family", experiments.FAMILIES)
def test_every_entry_has_options(family):
    found = experiments.entries(family)
    assert found
    for name, entry in found.items():
        assert entry.help and "--json" in experiments.parser(family, name).format_help()


# ---- complaints


def test_complaints():
    assert complaint(ValueError("Two\nlines")) == "Two lines"
    assert complaint(FileNotFoundError(2, "No such file", "x.tar")) == "x.tar: No such file."
    assert "smaller --size" in complaint(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"))
    assert "smaller --size" in complaint(MemoryError())
    assert complaint(RuntimeError("shape mismatch")) is None and complaint(KeyError("x")) is None
