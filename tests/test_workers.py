"""A folder by several processes: the same pictures as by one, and the same words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tiny import picture

from nst.__main__ import main
from nst.images import decode, save, to_pil

ROOT = Path(__file__).resolve().parent.parent
WORDS = ["fast", "photos", "--style", "waves", "--size", "64"]


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A current folder with a folder of five photos, one of which is damaged."""
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for i in range(4):
        save(f"photos/{i}.png", to_pil(picture(i, 48, 64)))
    Path("photos/broken.png").write_bytes(b"no picture")
    return tmp_path


@pytest.mark.slow
def test_two_workers_paint_what_one_does(photos, monkeypatch, capsys):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [sys.executable, "-m", "nst", *WORDS, "--workers", "2", "-o", "two"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "4 done, 1 failed." in done.stderr and "Traceback" not in done.stderr
    assert "photos/broken.png: " in done.stderr.replace("\\", "/")
    names = [f"{i}.png" for i in range(4)]
    assert sorted(Path(line).name for line in done.stdout.splitlines()) == names
    assert main([*WORDS, "-o", "one"]) == 2
    for name in names:
        assert decode(f"one/{name}").rgb.tobytes() == decode(f"two/{name}").rgb.tobytes()
    again = subprocess.run(command, capture_output=True, text=True)
    assert "4 done already" in again.stderr and not again.stdout, "what is done stays, and is not painted anew"


def test_what_is_of_one_process_is_told(photos, capsys):
    words = ["stylize", "photos", "--style", "photos/1.png", "--size", "64", "--workers", "2", "-o", "out"]
    assert main([*words, "--steps", "1", "--trace", "t.json"]) == 2
    assert "--trace is of one process" in capsys.readouterr().err
