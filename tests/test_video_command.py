"""`video` paints clips: what is written plays, what was stopped is gone on from, what is wrong is a sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clips import make_clip
from PIL import Image

import nst.video.run
from nst.__main__ import main
from nst.settings import PRESETS
from nst.video import is_unfinished, probe, read_frames, read_recipe
from nst.video.writing import work_folder

ROOT = Path(__file__).resolve().parent.parent
STYLE = ["--style", "waves"]


@pytest.fixture
def clip(tmp_path) -> Path:
    return make_clip(tmp_path / "clip.mp4", count=6, sound="aac")


def test_a_clip_is_painted_with_its_sound_and_carries_its_recipe(clip, tmp_path, capsys):
    out = tmp_path / "new" / "painted.mp4"
    assert main(["video", str(clip), *STYLE, "-o", str(out), "--consistency", "60"]) == 0
    assert str(out) in capsys.readouterr().out
    painted, before = probe(out), probe(clip)
    assert (painted.frames, painted.sound, painted.width) == (6, ("aac",), 64)
    recipe = read_recipe(out)
    assert recipe["task"] == "video" and recipe["settings"]["consistency"] == 60
    assert recipe["content"] == "clip.mp4" and recipe["style"] == ["waves"]
    pairs = zip(read_frames(painted), read_frames(before), strict=True)
    assert all(np.abs(a.image.astype(float) - b.image).mean() > 8 for a, b in pairs)
    assert not is_unfinished(out)
    again = tmp_path / "again.mp4"
    assert main(["video", str(clip), "--recipe", str(out), "-o", str(again)]) == 0
    assert read_recipe(again)["settings"] == recipe["settings"]


def test_an_excerpt_becomes_a_folder_of_pictures(clip, tmp_path):
    assert main(["video", str(clip), *STYLE, "-o", str(tmp_path / "frames"), "--end", "0.25", "--size", "32"]) == 0
    assert sorted(path.name for path in (tmp_path / "frames").iterdir()) == [f"{i:06d}.png" for i in (1, 2, 3)]
    assert Image.open(tmp_path / "frames" / "000001.png").size == (32, 24)


def test_a_mask_leaves_the_rest_of_the_clip_as_it_is(clip, tmp_path):
    mask = Image.new("L", (64, 48))
    mask.paste(255, (32, 0, 64, 48))
    mask.save(tmp_path / "mask.png")
    out = tmp_path / "out.mp4"
    assert main(["video", str(clip), *STYLE, "-o", str(out), "--mask", str(tmp_path / "mask.png")]) == 0
    for before, after in zip(read_frames(probe(clip)), read_frames(probe(out)), strict=True):
        difference = np.abs(before.image.astype(float) - after.image).mean((0, 2))
        assert difference[:28].mean() < 4 < difference[36:].mean()


def test_it_can_be_optimized(clip, tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "draft", replace(PRESETS["draft"], num_steps=6))
    out = tmp_path / "out.mp4"
    words = ["--optimize", "draft", "--frame-steps", "2", "--size", "32", "--end", "0.25"]
    assert main(["video", str(clip), *STYLE, "-o", str(out), *words]) == 0
    assert probe(out).frames == 3


def test_a_folder_of_clips_is_painted_and_what_is_done_is_left(tmp_path, capsys):
    folder, out = tmp_path / "clips", tmp_path / "out"
    folder.mkdir()
    for name in ("a.mp4", "b.mkv"):
        make_clip(folder / name, count=2)
    (folder / "c.mp4").write_bytes(b"none")
    words = ["video", str(folder), *STYLE, "-o", str(out)]
    assert main(words) == 2
    assert "2 done, 1 failed" in (said := capsys.readouterr().err) and "'c.mp4' is no clip" in said
    assert sorted(path.name for path in out.iterdir()) == ["a.mp4", "b.mp4"]
    work_folder(out / "b.mp4").mkdir()
    assert main(words) == 2
    assert "1 done already" in capsys.readouterr().err
    assert not is_unfinished(out / "b.mp4")


WRONG = {
    "suffix": (["clip.mp4", *STYLE, "-o", "out.doc"], "no name for a clip"),
    "none": (["missing.mp4", *STYLE, "-o", "out.mp4"], "There is no clip"),
    "itself": (["clip.mp4", *STYLE, "-o", "clip.mp4"], "give the result another name"),
    "excerpt": (["clip.mp4", *STYLE, "-o", "out.mp4", "--start", "9"], "nothing from 9"),
    "style": (["clip.mp4", "--style", "wavess", "-o", "out.mp4"], "Did you mean waves"),
    "no style": (["clip.mp4", "-o", "out.mp4", "--optimize", "draft"], "Which style"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_told_in_a_sentence(wrong, clip, monkeypatch, capsys):
    monkeypatch.chdir(clip.parent)
    words, told = WRONG[wrong]
    assert main(["video", *words]) == 2
    assert told in capsys.readouterr().err


def started(clip: Path, out: Path) -> subprocess.Popen:
    words = [sys.executable, "-m", "nst", "video", str(clip), *STYLE, "-o", str(out)]
    return subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def frames_on_disk(out: Path) -> int:
    """Of the part that is not encoded yet."""
    return sum(len(path.read_text().splitlines()) for path in work_folder(out).glob("*.times"))


def wait_for(frames: int, out: Path, run: subprocess.Popen) -> None:
    until = time.monotonic() + 100
    while frames_on_disk(out) < frames:
        assert run.poll() is None and time.monotonic() < until
        time.sleep(0.02)


def test_a_killed_run_has_lost_nothing_that_was_painted(tmp_path, monkeypatch):
    clip, out = make_clip(tmp_path / "long.mp4", count=20, size=(320, 240)), tmp_path / "out.mp4"
    with started(clip, out) as run:
        wait_for(2, out, run)
        run.kill()
    done = frames_on_disk(out)
    assert done >= 2 and not out.exists()
    painted = []
    monkeypatch.setattr(nst.video.run, "paint_steadily", counted(nst.video.run.paint_steadily, painted))
    assert main(["video", str(clip), *STYLE, "-o", str(out)]) == 0
    assert len(painted) == 20 - done
    assert probe(out).frames == 20


def counted(paint, painted):
    def paint_and_count(*given, **named):
        for frame in paint(*given, **named):
            painted.append(1)
            yield frame

    return paint_and_count


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
@pytest.mark.slow
def test_ctrl_c_leaves_a_file_that_plays_and_the_same_command_goes_on(tmp_path):
    clip, out = make_clip(tmp_path / "long.mp4", count=60, size=(320, 240), sound="aac"), tmp_path / "out.mp4"
    with started(clip, out) as run:
        wait_for(3, out, run)
        run.send_signal(signal.SIGINT)
        said = run.stderr.read()
    assert run.returncode == 130 and "the same command goes on from there" in said
    assert 3 <= probe(out).frames < 60 and probe(out).sound
    assert main(["video", str(clip), *STYLE, "-o", str(out)]) == 0
    assert probe(out).frames == 60
