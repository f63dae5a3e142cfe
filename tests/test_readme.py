"""The README and the pages that it links tell all there is, and nothing else."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from nst.cli import TASKS as COMMANDS_OF_TASKS
from nst.cli import commands, experiments, models
from nst.cli import map as mapping
from nst.cli import options as task_options
from nst.registry import list_models
from nst.tasks import TASKS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
APP = ROOT / "nst" / "ui" / "app.py"
FRONT, SHORT = README.removeprefix("---\n").split("\n---\n", 1)
PAGES = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "nst" / "docs").glob("*.md"))}
BODY = "\n".join([SHORT, *(text for path, text in PAGES.items() if path.name != "cli.md")])


def options(parser) -> set[str]:
    words = {word for action in parser._actions for word in action.option_strings} - {"-h", "--help"}
    inner = [p for action in parser._actions if isinstance(action.choices, dict) for p in action.choices.values()]
    return words.union(*map(options, inner))  # those of actions, as of `models import`


def parsers():
    yield "map", mapping.parser()
    for name in ("models", "styles"):
        yield name, models.parser(name)
    for family in experiments.FAMILIES:
        for name in experiments.entries(family):
            yield f"{family} {name}", experiments.parser(family, name)


PARSERS = dict(parsers())
OF_TASKS = {name: task_options.parser(TASKS[task], name, "") for name, task in COMMANDS_OF_TASKS.items()}
REFERENCE = (ROOT / "nst" / "docs" / "cli.md").read_text(encoding="utf-8")
APP_OPTIONS = set(re.findall(r'add_argument\("(--[\w-]+)"', APP.read_text(encoding="utf-8")))


def test_every_command_is_told():
    assert {"app", *(name.split()[0] for name in [*PARSERS, *OF_TASKS])} == set(commands())
    assert not [name for name in PARSERS if f"python -m nst {name}" not in BODY]
    assert not [name for name in OF_TASKS if f"python -m nst {name}" not in REFERENCE]


@pytest.mark.parametrize("command", [*PARSERS, *OF_TASKS])
def test_every_option_is_told(command):
    parser, page = (PARSERS[command], BODY) if command in PARSERS else (OF_TASKS[command], REFERENCE)
    assert not [word for word in options(parser) if not re.search(rf"`{word}`", page)]


def test_nothing_is_told_that_is_not_there():
    there = {
        "--help",
        "--index-url",
        "--nproc-per-node",
        "--from",
        "--repo-type",
        *APP_OPTIONS,
    }  # of pip, torchrun, uvx and hf
    there |= set().union(*map(options, [*PARSERS.values(), *OF_TASKS.values()]))
    assert APP_OPTIONS and set(re.findall(r"(?<![\w-])--[a-z][\w-]*", BODY)) <= there


def test_every_tab_is_told():
    titles = re.findall(r'\("([^"]+)", \w+\.create_tab\)', APP.read_text(encoding="utf-8"))
    assert titles and not [title for title in titles if f"\n## {title}\n" not in BODY or f"| {title} |" not in SHORT]
    for path in (ROOT / "nst" / "ui").glob("*.py"):
        inner = re.findall(r'gr\.Tab\("([^"]+)"', path.read_text(encoding="utf-8"))
        assert not [title for title in inner if f"*{title}*" not in BODY]
    benches = [task.panel.title for task in TASKS.values() if task.panel.home]
    assert benches and not [title for title in benches if f"*{title}*" not in BODY]


def test_every_model_is_told():
    assert not [entry.name for entry in list_models() if f"`{entry.name}`" not in BODY]


def test_the_examples_are_understood():
    examples = re.findall(r"^python -m nst (stylize|texture|doodle|mix|translate|invert) (.+)$", BODY, re.MULTILINE)
    assert len(examples) > 5 and len({command for command, _ in examples}) == 6
    for command, words in examples:
        assert OF_TASKS[command].parse_args(shlex.split(words))


def test_the_two_commands_are_told():
    assert "\npip install -r requirements.txt && python app.py\n" in BODY
    assert "\npip install -r tests/requirements.txt && pytest\n" in BODY
    checks = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "{ pip install -r tests/requirements.txt && pytest; }" in checks and "\npython app.py " in checks


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 200, "what is longer belongs into nst/docs"


def test_pictures_and_pages_that_are_linked_are_there():
    for path, text in {ROOT / "README.md": SHORT, **PAGES}.items():
        linked = [link for link in re.findall(r"\]\(([^):]+)\)", text) if not link.startswith("#")]
        assert not [link for link in linked if not (path.parent / link.partition("#")[0]).exists()], path
    assert not [path.name for path in PAGES if f"](nst/docs/{path.name})" not in SHORT], "every page is one click away"


def test_the_front_matter_is_that_of_a_space():
    front = yaml.safe_load(FRONT)
    pins = dict(re.findall(r"^(\w+)==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    assert front["sdk"] == "gradio" and front["sdk_version"] == pins["gradio"]
    assert isinstance(front["python_version"], str), "unquoted, 3.10 would be 3.1"
    assert (ROOT / front["app_file"]).is_file() and len(front["short_description"]) <= 60
    assert {front["colorFrom"], front["colorTo"]} <= {*COLORS}
    assert front["models"] == list(dict.fromkeys(entry.repo for entry in list_models() if entry.repo))
    assert "preload_from_hub" not in front, (
        "the default encoder comes along, and VGG-19 would be 575 MB before the first page"
    )
