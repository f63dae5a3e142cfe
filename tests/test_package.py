"""What pip installs: one wheel with all in it, from which the command and the app run in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement
from test_hosting import free_port

from nst.images import decode
from nst.registry import list_models

ROOT = Path(__file__).resolve().parent.parent
MOST_BYTES = 40e6


def asked() -> list[Requirement]:
    """The lines of requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout with the tools that are here."""
    out = tmp_path_factory.mktemp("wheel")
    command = ["uv", "build", "--quiet", "--wheel", "--no-build-isolation", "--out-dir", str(out), str(ROOT)]
    made = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment elsewhere that has the wheel, and borrows all other packages from this one."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, str(folder)], check=True)
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    python = programs / Path(sys.executable).name
    install = ["pip", "install", "--python", str(python), "--offline", "--no-deps", str(wheel)]
    subprocess.run([*uv, *install], check=True)
    where = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True
    )
    Path(where.stdout.strip(), "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return programs


def environment(**more: str) -> dict[str, str]:
    """The environment without what would lead to this checkout."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")} | more


def run(folder: Path, *words: str | Path) -> str:
    """What a program prints in this folder."""
    done = subprocess.run([*map(str, words)], cwd=folder, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_is_small_and_whole(wheel: Path) -> None:
    assert wheel.stat().st_size < MOST_BYTES
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    kept = subprocess.run(["git", "ls-files", "nst", "pretrained"], cwd=ROOT, capture_output=True, text=True)
    wanted = {re.sub("^pretrained/", "nst/pretrained/", name) for name in kept.stdout.splitlines()}
    assert wanted and {name for name in held if ".dist-info/" not in name} == wanted


def test_there_is_one_list_of_what_is_needed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        said = Parser().parsestr(archive.read(name).decode())
    needed = [Requirement(line) for line in said.get_all("Requires-Dist") or []]
    told = {(one.name.lower().replace("_", "-"), one.specifier) for one in needed if "extra ==" not in str(one.marker)}
    assert told == {(one.name.lower().replace("_", "-"), one.specifier) for one in asked()}


@pytest.mark.slow
def test_a_photo_is_painted_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    words = ["stylize", "chelsea", "--style", "night", "--size", "64", "--preset", "draft", "-o", "result.png"]
    assert run(tmp_path, installed / "pastiche", *words) == "result.png\n"
    assert max(decode(tmp_path / "result.png").rgb.size) == 64 and os.listdir(tmp_path) == ["result.png"]


@pytest.mark.slow
def test_the_models_come_along(installed: Path, tmp_path: Path) -> None:
    told = run(tmp_path, installed / "pastiche", "models")
    ours = [entry for entry in list_models() if entry.command]
    assert len(ours) > 5 and told.count(str(Path("nst", "pretrained"))) == len(ours) and "missing" not in told


@pytest.mark.slow
def test_the_command_says_what_it_is_called(installed: Path, tmp_path: Path) -> None:
    assert run(tmp_path, installed / "pastiche", "stylize", "--help").startswith("usage: pastiche stylize CONTENT")
    assert run(tmp_path, installed / "pastiche", "app", "--help").startswith("usage: pastiche app ")
    assert "python -m nst stylize" in run(tmp_path, installed / "python", "-m", "nst", "--help")


@pytest.mark.slow
def test_nothing_heavy_is_imported_with_the_package(installed: Path, tmp_path: Path) -> None:
    """So that `import nst` takes hundredths of a second: what is heavy comes with the first name that needs it."""
    heavy = "{'torch', 'gradio', 'numpy', 'PIL', 'scipy', 'huggingface_hub'}"
    script = f"import nst, sys; print(nst.__file__); assert not {heavy} & sys.modules.keys()"
    assert str(ROOT) not in run(tmp_path, installed / "python", "-c", script)


@pytest.fixture
def served(installed: Path, tmp_path: Path) -> Iterator[str]:
    """The address of `pastiche app`, started in an empty folder."""
    port = free_port()
    command = [str(installed / "pastiche"), "app", "--port", str(port)]
    with (tmp_path / "log").open("w") as log:
        app = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=log, stderr=log)
    try:
        for _ in range(600):
            try:
                if httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200:
                    break
            except httpx.TransportError:
                assert app.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        app.terminate()
        assert app.wait(20) == 0
    finally:
        app.kill()


@pytest.mark.slow
def test_the_app_is_served_from_an_empty_folder(served: str) -> None:
    assert 'property="og:site_name" content="Pastiche"' in httpx.get(served).text
