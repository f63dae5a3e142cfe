"""Commands that are a function yielding rows: `train`, `bench` and `evaluate`.

A function `train_NAME` in nst/research/train, `bench_NAME` in nst/research/bench or `compare_NAME` in
nst/research/evaluate is a command of that family; its keyword-only arguments are the options.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nst
from nst.cli.arguments import Parser, add_options, choose, given, summary
from nst.cli.table import growing
from nst.places import PROGRAM, write_json

NETWORKS = ("encoder", "model", "judge")  # the arguments that name a network, by repository, too

FAMILIES = {
    "train": ("train_", "Train a model of our own; a training that was interrupted goes on where it stopped."),
    "bench": ("bench_", "Measure speed and memory on this machine."),
    "evaluate": ("compare_", "Measure the quality of results, by a judge that made none of them."),
}
"""How the functions of each family begin, and what the family does."""


@dataclass(frozen=True)
class Entry:
    """Where the function of a command is written, and what it does."""

    module: str
    function: str
    help: str

    def load(self) -> Callable[..., Any]:
        """The function itself; this is when torch is imported."""
        function: Callable[..., Any] = getattr(importlib.import_module(self.module), self.function)
        return function


def entries(family: str) -> dict[str, Entry]:
    """The commands of a family by name, read from the source without importing it."""
    prefix, root = FAMILIES[family][0], Path(nst.__file__).parent
    found = {}
    for path in sorted(root.glob(f"research/{family}/*.py")):
        module = ".".join(["nst", *path.relative_to(root).with_suffix("").parts])
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith(prefix):
                name = node.name.removeprefix(prefix).replace("_", "-")
                found[name] = Entry(module, node.name, summary(ast.get_docstring(node)))
    return found


def parser(family: str, name: str) -> Parser:
    """The parser of one command, such as "train", "compact"."""
    entry = entries(family)[name]
    made = Parser(prog=f"{PROGRAM} {family} {name}", description=entry.help)
    add_options(made, entry.load())
    told = "also write the rows to this file, as JSON; - prints a line of JSON for each instead"
    made.add_argument("--json", metavar="FILE", type=Path, help=told)
    return made


def main(family: str, argv: Sequence[str]) -> int:
    """Run a command of the family, printing each row as it comes; 0 when done."""
    known = entries(family)
    argv = implied(family, argv, known)
    name, rest = choose(f"{PROGRAM} {family}", FAMILIES[family][1], {n: e.help for n, e in known.items()}, argv)
    args = parser(family, name).parse_args(rest)
    from nst.cli.files import pulled

    function = known[name].load()
    typed = given(args, function)
    typed |= {one: found for one in NETWORKS if typed.get(one) and (found := pulled(str(typed[one])))}
    result = function(**typed)
    rows = iter([result] if isinstance(result, Mapping) else result)
    for line in map(json.dumps, rows) if args.json == Path("-") else growing(_written(rows, args)):
        print(line, flush=True)
    return 0


def implied(family: str, argv: Sequence[str], known: Mapping[str, Entry]) -> Sequence[str]:
    """What was typed, made whole: `evaluate` alone compares all methods, `evaluate FOLDER` scores what is in it."""
    if family != "evaluate" or (argv and (argv[0] in known or argv[0] in ("-h", "--help"))):
        return argv
    if argv and Path(argv[0]).is_dir():
        return ["results", "--folder", *argv]
    return ["methods", *argv] if not argv or argv[0].startswith("-") else argv


def _written(rows: Iterator[Mapping[str, Any]], args: argparse.Namespace) -> Iterator[Mapping[str, Any]]:
    """The same rows; after each, the file holds all so far."""
    kept = []
    for row in rows:
        kept.append(row)
        if args.json:
            write_json(args.json, kept)
        yield row
