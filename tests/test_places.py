"""Where files lie on machines that are not like ours: without a home, on Windows, with a disk that is full."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from disk import full_disk
from filelock import FileLock
from safetensors.torch import load_file, save_file

from nst import device, places
from nst.server import tempfiles
from nst.server.results.place import results_dir
from nst.weights import WeightsError, load_tensors, save_tensors
from nst.weights import tensors as reading

ROOT = Path(__file__).resolve().parent.parent
HOMELESS = """
import os, pwd, sys
del os.environ["HOME"]

def nobody(number):
    raise KeyError(number)

pwd.getpwuid = nobody
sys.argv = ["nst", *sys.argv[1:]]
"""

pytest_unix = pytest.mark.skipif(os.name != "posix", reason="of Unix")


def homeless(script: str, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script as a user without HOME and without an entry in passwd, as containers have them."""
    left = ("PASTICHE_CACHE", "PASTICHE_RESULTS", "XDG_CACHE_HOME", "XDG_DATA_HOME", "HF_HOME", "USER", "LOGNAME")
    environment = {name: value for name, value in os.environ.items() if name not in left}
    environment |= {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder), "HOME": "/nowhere"}
    command = [sys.executable, "-c", HOMELESS + script, *words]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest_unix
def test_without_a_home_commands_run_files_go_to_a_temporary_one_and_nothing_is_left_behind(tmp_path):
    script = """
from nst.__main__ import main
from nst import places
assert main(sys.argv[1:]) == 0
from nst.server.results.place import results_dir
print(places.cache_dir(), results_dir(), places.expanded('~/a'), os.environ['HOME'])
"""
    ran = homeless(script, "models", folder=tmp_path)
    assert ran.returncode == 0 and "compact" in ran.stdout, ran.stderr
    *told, home = ran.stdout.splitlines()[-1].split()
    assert home.startswith(str(tmp_path)) and all(path.startswith(home) for path in told) and len(told) == 3
    assert not [path for path in tmp_path.iterdir() if "torchinductor" not in path.name]


def test_the_home_of_an_unknown_user_is_a_name_like_any_other(monkeypatch):
    monkeypatch.setenv("PASTICHE_CACHE", "~nobody-of-this-name/x")
    assert places.cache_dir() == Path("~nobody-of-this-name/x")
    monkeypatch.setenv("PASTICHE_RESULTS", "~nobody-of-this-name/y")
    assert results_dir() == Path("~nobody-of-this-name/y")


def mapped(path: Path) -> bool:
    """Whether this process has a file mapped into its memory; such a file Windows lets nobody replace or remove."""
    return str(path) in Path("/proc/self/maps").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
def test_on_windows_weights_are_read_and_not_mapped(name, tmp_path, monkeypatch):
    path, numbers = tmp_path / name, {"x": torch.arange(100_000.0)}
    (save_file if name.endswith("s") else torch.save)(numbers, path)
    held = load_tensors(path)
    assert mapped(path), "elsewhere it is mapped, and so not read before it is needed"
    del held
    monkeypatch.setattr(reading.sys, "platform", "win32")
    held = load_tensors(path)
    assert not mapped(path) and torch.equal(held["x"], numbers["x"])


def test_on_windows_nothing_is_asked_of_a_c_library(monkeypatch):
    monkeypatch.setattr(device.sys, "platform", "win32")
    monkeypatch.setattr(device.ctypes, "CDLL", lambda name: pytest.fail("CDLL(None) is a TypeError on Windows"))
    device.trim_memory()
    with device.peak_memory(torch.device("cpu")) as peak:
        torch.ones(1000)
    assert peak() >= 0


def test_no_lock_is_held_in_a_folder_that_is_removed(tmp_path, monkeypatch):
    """Windows removes no file that is open."""
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    monkeypatch.setattr(tempfiles.tempfile, "tempdir", str(tmp_path))
    at_exit = []
    monkeypatch.setattr(tempfiles.atexit, "register", lambda *call: at_exit.append(call))
    crashed = tmp_path / f"{tempfiles.PREFIX}crashed"
    crashed.mkdir()
    (crashed / tempfiles.MARK).touch()
    removed: list[Path] = []

    def as_on_windows(folder, **options):
        with FileLock(Path(folder) / tempfiles.MARK, timeout=0):  # raises Timeout where it is held
            removed.append(Path(folder))
        real(folder, **options)

    real = shutil.rmtree
    monkeypatch.setattr(tempfiles.shutil, "rmtree", as_on_windows)
    running = tempfiles.open_folder()
    for close, *given in at_exit:
        close(*given)
    assert removed == [crashed, running] and not list(tmp_path.iterdir())


@pytest_unix
def test_weights_are_written_whole_or_not_at_all(tmp_path):
    out = tmp_path / "a.safetensors"
    save_tensors(out, {"x": torch.eye(3).T}, {"config": "{}"})
    before = out.read_bytes()
    with full_disk(1000), pytest.raises(WeightsError, match=r"choose another place, or free some space\."):
        save_tensors(out, {"x": torch.ones(100_000)})
    assert out.read_bytes() == before and [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]
    assert torch.equal(load_file(out)["x"], torch.eye(3))
    with pytest.raises(WeightsError, match="cannot be written"):
        save_tensors(tmp_path / "nowhere" / "a.safetensors", {"x": torch.ones(1)})
