"""What a command reads and writes: places as they are meant, names that stay apart, pictures that are never lost."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from tiny import picture, tiny_encoder_file

from nst.__main__ import main
from nst.cli import TASKS as commands
from nst.cli import files, reference
from nst.images import ImageError, decode, save, to_pil
from nst.tasks import TASKS
from nst.tasks.result import Layout, Result

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return tiny_encoder_file(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def place(tmp_path, monkeypatch, encoder):
    """A current folder with a photo and a painting, which is one's own folder too; an encoder lies in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    save(tmp_path / "photo.png", to_pil(picture(1, 48, 64)))
    save(tmp_path / "painting.png", to_pil(picture(2, 64, 64)))
    (tmp_path / "own.safetensors").write_bytes(Path(encoder).read_bytes())
    return tmp_path


@pytest.fixture
def paint(place, encoder):
    quick = ["--size", "64", "--steps", "2", "--device", "cpu"]
    return lambda *words: main([*words, *quick, *([] if "encoder" in " ".join(words) else ["--encoder", encoder])])


ONE = ["stylize", "photo.png", "--style", "painting.png"]
TWO = [*ONE, "--style", "painting.png"]
TWO[0] = "mix"


def test_a_folder_s_name_may_have_a_dot(paint, capsys):
    assert paint(*TWO, "--pictures", "2", "-o", "frames.v2/") == 0
    assert sorted(p.name for p in Path("frames.v2").iterdir()) == ["01.png", "02.png"]
    assert paint(*TWO, "--pictures", "2", "-o", "frames.v2", "--seed", "1") == 0, "it is a folder already"
    assert paint(*ONE, "-o", "results.v2/") == 0 and decode("results.v2/photo.png").rgb.size == (64, 48)


def test_here_is_a_folder(paint, place, capsys):
    assert paint(*TWO, "--pictures", "2", "-o", ".") == 0
    assert Path("01.png").is_file() and Path("02.png").is_file()
    Path("there").mkdir()
    os.chdir("there")
    assert paint("stylize", "../photo.png", "--style", "../painting.png", "-o", ".") == 0
    assert decode("photo.png").rgb.size == (64, 48)


def test_a_tilde_is_one_s_own_folder_wherever_a_file_is_meant(paint, place, capsys):
    words = [
        "stylize",
        "~/photo.png",
        "--style",
        "~/painting.png",
        "--encoder=~/own.safetensors",
        "-o",
        "~/new/out.png",
    ]
    assert paint(*words, "--snapshots", "~/shots", "--trace", "~/trace.json", "--init", "~/photo.png") == 0
    made = decode(place / "new" / "out.png")
    assert made.recipe["settings"]["encoder"] == "own.safetensors" and made.recipe["content"] == "photo.png"
    assert (place / "shots").is_dir() and (place / "trace.json").is_file() and not (place / "~").exists()
    again = ["stylize", "~/photo.png", "--recipe", "~/new/out.png", "--style", "~/painting.png", "-o", "~/again.png"]
    assert paint(*again, "--encoder=~/own.safetensors") == 0 and not (place / "~").exists()


def test_a_result_that_cannot_be_written_is_kept_elsewhere_and_told(paint, place, monkeypatch, capsys):
    real = Result.save

    def full(result, path):
        if path.parent == Path("out"):
            raise ImageError(f"'{path}' cannot be written (No space left on device); choose another place.")
        return real(result, path)

    monkeypatch.setattr(Result, "save", full)
    assert paint(*ONE, "-o", "out/result.png") == 2
    told = capsys.readouterr().err
    kept = re.search(r"No space left .* kept in '(.*)'\.", told)
    assert kept and decode(kept[1]).rgb.size == (64, 48) and decode(kept[1]).recipe


def test_films_and_single_pictures_are_kept_elsewhere_too(place, monkeypatch):
    result = Result(picture(1).repeat(2, 1, 1, 1), Layout(("a", "b"), 2, seconds=1.0))
    for kind, name in (("film", "film.gif"), ("folder", "single")):
        (place / "file").touch()
        with pytest.raises(ImageError, match="kept in") as told:
            files.Target(place / "file" / name, kind).write(result)
        spare = Path(re.search(r"kept in '(.*)'", str(told.value))[1])
        assert spare.name == name and (spare.is_file() or len(list(spare.iterdir())) == 2)


def test_a_snapshot_that_cannot_be_written_costs_no_picture(paint, place, capsys):
    (place / "shots").touch()
    assert paint(*ONE, "-o", "out.png", "--snapshots", "shots") == 0
    assert "No more snapshots" in capsys.readouterr().err and decode("out.png").recipe


def test_no_two_results_of_a_folder_share_a_name_even_where_case_does_not_count(place):
    photos = [Path(name) for name in ("A.jpg", "a.jpg", "a.png", "b.JPG", "c.jpg", "c.jpg.webp")]
    names = files.unique_names(photos)
    assert len({name.lower() for name in names}) == len(photos), names
    assert names[3] == "b.png" and names == files.unique_names(photos), "the same each time, so that a run can go on"


def test_a_folder_called_as_a_style_or_a_photo_hides_neither(paint, place, monkeypatch, capsys):
    Path("waves").mkdir()
    monkeypatch.setattr(files.styles, "load_style", lambda name, size: to_pil(picture(3)))
    assert paint("stylize", "photo.png", "--style", "waves", "-o", "out.png") == 0
    assert decode("out.png").recipe["style"] == "waves"


@pytest.mark.parametrize(
    "encoding", [*(pytest.param(one, marks=pytest.mark.slow) for one in ("cp1252", "cp932")), "ascii"]
)
def test_a_console_of_few_letters_costs_nothing(place, encoder, encoding):
    name = "写真 Café.png"
    Path("photo.png").rename(name)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    words = [
        "stylize",
        name,
        *["--style", "painting.png", "-o", "out/", "--size", "64", "--steps", "1", "--encoder"],
        encoder,
    ]
    script = "import sys; from nst.__main__ import main; sys.exit(main(sys.argv[1:]) or main(['styles']))"
    command = [sys.executable, "-c", script, *words, "--device", "cpu"]
    done = subprocess.run(command, env=environment, capture_output=True)
    assert done.returncode == 0 and done.stdout.startswith(b"out") and len(done.stdout.splitlines()) > 9, done.stderr
    assert decode(Path("out") / name).recipe["content"] == name


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
@pytest.mark.parametrize(
    "imported", [*(pytest.param(one, marks=pytest.mark.slow) for one in ("nst.cli", "numpy")), "torch.nn"]
)
def test_ctrl_c_while_it_starts_is_a_sentence(place, imported):
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "nst", *ONE, "-o", "x.png"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (line := process.stderr.readline()).rstrip().endswith(f" {imported}"):
        assert line, "it ended before"
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    # The line that tells of an import may have been cut in two by the signal.
    assert told.splitlines()[-1] == "Stopped." and "Traceback" not in told and process.returncode == 130, told[-500:]


def test_what_is_read_is_not_written_over(paint, place, capsys):
    assert paint(*ONE, "-o", "photo.png") == 2 and "the photo itself" in capsys.readouterr().err
    assert decode("photo.png").recipe is None


def test_a_map_keeps_what_it_found_where_it_cannot_write(place, monkeypatch, capsys):
    (place / "many").mkdir()
    for i in range(3):
        save(place / "many" / f"{i}.png", to_pil(picture(i, 64, 64)))
    words = ["map", "~/many", "--encoder", "~/own.safetensors", "--no-cache"]
    assert main([*words, "-o", "~/map.html", "--csv", "~/map.csv"]) == 0 and (place / "map.csv").is_file()
    assert main([*words, "-o", "map.txt"]) == 2 and "must end in .html" in capsys.readouterr().err
    assert main([*words, "-o", "photo.png/map.html"]) == 2 and "photo.png" in capsys.readouterr().err


def test_a_film_has_the_rate_that_is_asked_for(paint, place):
    words = ["mix", "photo.png", "--style", "painting.png", "--style", "photo.png", "--pictures", "3"]
    assert paint(*words, "-o", "film.gif", "--rate", "10", "--init", "style") == 0
    with Image.open("film.gif") as film:
        assert film.info["duration"] == 100


def test_every_task_has_a_command_and_every_command_a_task():
    assert sorted(TASKS) == sorted(commands.values())


def test_the_reference_is_current():
    """If not: `python -m nst.cli.reference --write`."""
    assert reference.PATH.read_text(encoding="utf-8") == reference.reference()
