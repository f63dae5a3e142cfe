"""The examples for programs in the docs, run as they stand there but for the port; and what programs are told."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fake_run import FakeRun
from test_hosting import served

from nst.images import read_recipe

PAGE = (Path(__file__).resolve().parent.parent / "nst" / "docs" / "hosting.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:7860"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("api"), FakeRun(), api=True, mcp_server=False) as address:
        yield address.rstrip("/")


def example(language: str, address: str) -> str:
    """The only block of the page in this language, for this address."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert ADDRESS in found
    return found.replace(ADDRESS, address)


def test_the_example_in_python_works(api: str) -> None:
    names: dict[str, object] = {}
    exec(example("python", api), names)
    recipe = read_recipe(Path(str(names["path"])))
    assert recipe and recipe["style"] == ["starry_night"]


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("bash"), reason="needs curl and bash")
def test_the_example_without_python_works(api: str, tmp_path: Path) -> None:
    done = subprocess.run(["bash", "-euc", example("sh", api)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    recipe = read_recipe(tmp_path / "result.png")
    assert recipe and recipe["settings"]["size"] == 512 and recipe["style"] == "waves"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (["nobody", "waves", 50, 64, "draft", 0], 'no example photo "nobody"'),
        (["chelsea", "waves", 500, 64, "draft", 0], "greater than maximum value 100"),
        (["chelsea", "waves", 50, 64, "superb", 0], "superb"),
        (["data:image/png;base64,!", "waves", 50, 64, "draft", 0], "not base64"),
        (["chelsea"], "look which arguments there are"),
    ],
)
def test_what_goes_wrong_is_a_sentence_in_json(api: str, data: list[object], says: str) -> None:
    number = httpx.post(f"{api}/gradio_api/call/stylize", json={"data": data}).json()["event_id"]
    told = httpx.get(f"{api}/gradio_api/call/stylize/{number}", timeout=60).text
    event, line = told.strip().splitlines()[-2:]
    sentence = json.loads(line.removeprefix("data: "))["error"]
    assert event == "event: error" and says.lower() in sentence.lower() and "\n" not in sentence


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [("call/nothing", b'{"data": []}', 404), ("call/stylize", b"{", 400), ("nothing", b"{}", 404)],
)
def test_what_is_refused_is_a_sentence_in_json(api: str, path: str, content: bytes, status: int) -> None:
    kind = {"content-type": "application/json"}
    answer = httpx.post(f"{api}/gradio_api/{path}", content=content, headers=kind)
    assert answer.status_code == status and re.fullmatch(r"[A-Z].+\.", answer.json()["detail"])
