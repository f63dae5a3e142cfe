"""From a function's signature and docstring to the options of a command, so that a default exists once."""

from __future__ import annotations

import argparse
import inspect
import re
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Union, get_args, get_origin, get_type_hints

NAMES = {"num_steps": ("steps",)}  # what an option is called where it is not called as its parameter
METAVARS = {int: "N", float: "X"}  # what stands for a number in the help


class Parser(argparse.ArgumentParser):
    """Complains in one sentence instead of a page of usage; takes no abbreviations, which would rot in scripts."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message[:1].upper()}{message[1:].rstrip('.')}. See `{self.prog} --help`.\n")


def choose(
    prog: str, description: str, commands: Mapping[str, str], argv: Sequence[str], version: str | None = None
) -> tuple[str, list[str]]:
    """The command that `argv` begins with, and the rest; prints the help and exits with 0 where there is none.

    So a command's own options, and what they cost to import, are only looked at once it is chosen.

    Args:
        prog: what precedes the command.
        commands: one line of help for each.
        argv: what the user typed.
        version: what `--version` prints, if it is an option here.
    """
    parser = Parser(prog=prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if version:
        parser.add_argument("--version", action="version", version=version)
    entries = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for name, line in commands.items():
        entries.add_parser(name, help=line.replace("%", "%%"), add_help=False)
    if not argv:
        parser.print_help()
        parser.exit()
    return parser.parse_args(argv[:1]).command, list(argv[1:])


def add_options(parser: argparse._ActionsContainer, function: Callable[..., object]) -> None:
    """An option for each keyword-only parameter of a kind that can be typed; `given` reads them.

    A default is shown but not set, so that what was typed can be told from what was not. A sequence takes
    several words after its option. The help is what "Args:" says of it.
    """
    help_lines, kinds = described(function), get_type_hints(function)
    for parameter in _options(function):
        name, default, (kind, many) = parameter.name, parameter.default, _kind(kinds[parameter.name])
        required = default is parameter.empty
        # A parameter that is None is, on the command line, an option left out.
        text = re.sub(r"\bNone (is|means)\b", r"left out \1", help_lines.get(name, "").replace("`", ""))
        notes = ["required"] if required else [f"default: {shown(default)}"] if default is not None else []
        form: dict[str, Any] = {"dest": name, "required": required, "default": argparse.SUPPRESS}
        form["help"] = explained(text, notes)
        if kind is bool:
            form["action"] = argparse.BooleanOptionalAction
        else:
            form["metavar"] = METAVARS.get(kind or str, name.rpartition("_")[2].upper())
            form["type"] = read_number(kind) if kind in (int, float) else _path if kind is Path else str
        if many:
            form["nargs"] = "+"
        parser.add_argument(*(f"--{word.replace('_', '-')}" for word in NAMES.get(name, (name,))), **form)


def given(args: argparse.Namespace, function: Callable[..., object]) -> dict[str, Any]:
    """The keyword arguments of `function` that were typed."""
    return {p.name: getattr(args, p.name) for p in _options(function) if hasattr(args, p.name)}


def described(function: Callable[..., object]) -> dict[str, str]:
    """What the section "Args:" of a docstring says of each parameter; several may share a line."""
    section = re.search(r"^Args:\n((?: +.*\n?|\n)+)", inspect.getdoc(function) or "", re.MULTILINE)
    found: dict[str, str] = {}
    for names, text in re.findall(r"^ {4}(\w[\w, ]*):(.*(?:\n {5,}.*)*)", section[1] if section else "", re.MULTILINE):
        found |= dict.fromkeys(re.split(r",\s*", names), " ".join(text.split()))
    return found


def summary(docstring: str | None) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((docstring or "").strip().partition("\n\n")[0].split()).replace("`", "")


def _options(function: Callable[..., object]) -> list[inspect.Parameter]:
    hints, found = get_type_hints(function), []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            if _kind(hints[parameter.name])[0] is not None:
                found.append(parameter)
            elif parameter.default is parameter.empty:
                raise TypeError(f"{function.__name__} needs {parameter.name}, which cannot be typed as text.")
    return found


def _kind(hint: Any) -> tuple[type | None, bool]:
    """The type of the words that stand for a parameter, and whether there may be several; None for no such type."""
    for option in get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,):
        if option in (bool, int, float, str, Path):
            return option, False
        if get_origin(option) in (Sequence, Collection, list, tuple) and get_args(option)[0] in (int, float, str, Path):
            return get_args(option)[0], True
    return None, False


def read_number(kind: type, bounds: tuple[float, float] | None = None) -> Callable[[str], float]:
    """What reads a number within bounds from a word, or complains of it."""

    def read(text: str) -> float:
        try:
            value: float = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is not a {'whole ' * (kind is int)}number") from None
        low, high = bounds or (-float("inf"), float("inf"))
        if not low <= value <= high:  # nor is NaN
            raise argparse.ArgumentTypeError(f"{text} is not between {low:g} and {high:g}")
        return value

    return read


def shown(default: Any) -> str:
    """A default, or each of several, as it would be typed."""
    values = default if isinstance(default, tuple | list) else [default]
    return " ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)


def explained(text: str, notes: Sequence[str]) -> str:
    """The help of an option: what it is, and in brackets what else is to be known."""
    text = text.rstrip(".")
    return (f"{text} ({'; '.join(notes)})" if notes else text).replace("%", "%%")


def _path(text: str) -> Path:
    return Path(text).expanduser()
