"""The reference of the command line in Markdown, made from tasks and settings: `python -m nst.cli.reference`.

It is kept in `nst/docs/cli.md`, and a test tells when that is not current.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import nst
from nst.cli import OTHERS, TASKS, about, options
from nst.places import PROGRAM
from nst.tasks import TASKS as BY_NAME

PATH = Path(nst.__file__).parent / "docs" / "cli.md"

HEAD = f"""# The command line

`{PROGRAM}` explains itself, and so does each command with `--help`. The exit code is 0 when all is done, 2 for
bad usage or bad input (told in one sentence), 130 after Ctrl-C. What is written is told on standard output, all else on
standard error. A picture that cannot be written where it should goes to a temporary folder, which is named.

A picture is a file, or the name of an example; a style is a file, or a name that `{PROGRAM} styles` lists. `~` is one's
own folder wherever a file is meant. `-o` takes a file, whose suffix says of what kind, or a folder: one that is there,
or whose name ends in a slash. Settings that stand in several commands are explained once, below.
"""


def reference() -> str:
    """The whole page."""
    return "\n".join(_page()).rstrip("\n") + "\n"


def _page() -> Iterator[str]:
    yield HEAD
    yield "| command | what it does |\n| --- | --- |"
    for command in TASKS:
        yield f"| [`{command}`](#{command}) | {about(command)} |"
    for command, said in OTHERS.items():
        yield f"| `{command}` | {said} |"
    for command, name in TASKS.items():
        yield from _command(command, name)
    yield "\n## Settings\n"
    yield from _settings()


def _command(command: str, name: str) -> Iterator[str]:
    task = BY_NAME[name]
    yield f"\n## {command}\n\n{about(command)}\n\n```\n{PROGRAM} {command} {task.example}\n```\n"
    yield "| argument | what it is |\n| --- | --- |"
    own = {option for setting in task.settings.values() for option in _names(setting.name, setting.option)}
    for action in options.parser(task, command, "")._actions:
        if action.dest != "help" and not own & set(action.option_strings):
            words = "`, `".join(action.option_strings) or str(action.metavar)
            yield f"| `{words}` | {_cell(action)} |"
    defaults = []
    for setting in task.settings.values():
        if setting.option != "":
            default = setting.default
            shown = " ".join(map(str, default)) if isinstance(default, tuple | list) else default
            said = (
                ""
                if default is None or default is False
                else f" ({shown:g})"
                if isinstance(default, float)
                else f" ({shown})"
            )
            defaults.append(f"`{options.option_of(setting)}`{said}")
    yield f"\nSettings, and their defaults: {', '.join(defaults)}."


def _names(name: str, option: str | None) -> set[str]:
    return {f"--{option or name.replace('_', '-')}", f"--{name.replace('_', '-')}"}


def _settings() -> Iterator[str]:
    """Each setting once, by group, as the first task that has it takes it."""
    groups: dict[str, dict[str, argparse.Action]] = {}
    for command, name in TASKS.items():
        task = BY_NAME[name]
        actions = {action.dest: action for action in options.parser(task, command, "")._actions}
        for setting in task.settings.values():
            if setting.option != "":
                groups.setdefault(setting.group, {}).setdefault(setting.name, actions[setting.name])
    for group, actions in groups.items():
        yield f"\n### {group}\n\n| option | what it sets |\n| --- | --- |"
        for action in actions.values():
            value = action.metavar or (f"{{{','.join(map(str, action.choices))}}}" if action.choices else "")
            words = "`, `".join(action.option_strings)
            shown = f" `{str(value).replace('|', ' or ')}`" if value else ""
            yield f"| `{words}`{shown} | {_cell(action)} |"


def _cell(action: argparse.Action) -> str:
    said = (action.help or "").replace("%%", "%").replace("|", "\\|")
    return said[:1].upper() + said[1:]


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PATH.write_text(reference(), encoding="utf-8")
    else:
        sys.stdout.write(reference())
