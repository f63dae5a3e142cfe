"""`python -m nst models` and `python -m nst styles`: what there is, where it lies, and fetching it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from nst.commands.arguments import PROGRAM, Parser
from nst.commands.table import table
from nst.registry import find_model, model_rows
from nst.weights import resolve


def parser(command: str) -> Parser:
    """The parser of "models" or "styles"."""
    if command == "styles":
        return Parser(prog=f"{PROGRAM} styles", description="List the styles that --style knows by name.")
    made = Parser(prog=f"{PROGRAM} models", description="List the models: where they lie, size, license and origin.")
    actions = made.add_subparsers(title="actions", metavar="ACTION", dest="action")
    pull = actions.add_parser("pull", help="fetch a model's weights, so that it works without network afterwards")
    pull.add_argument("name", metavar="NAME", help=f"a name that `{PROGRAM} models` lists")
    return made


def main(command: str, argv: Sequence[str]) -> int:
    """Run "models" or "styles"; 0 when done."""
    args = parser(command).parse_args(argv)
    if command == "styles":
        _list_styles()
    elif args.action == "pull":
        _pull(args.name)
    else:
        _list_models()
    return 0


def _list_models() -> None:
    for line in table(model_rows()):
        print(line)


def _list_styles() -> None:
    from nst.styles import is_ready, list_styles

    rows = [
        {
            "name": style.name,
            "title": style.title,
            "by": f"{style.author}, {style.year}",
            "kind": style.kind,
            "place": "here" if is_ready(style.name) else "fetched when used",
            "license": style.license,
        }
        for style in list_styles()
    ]
    for line in table(rows):
        print(line)


def _pull(name: str) -> None:
    with download_bar(name) as progress:
        path = resolve(find_model(name), progress=progress)
    print(path)


@contextmanager
def download_bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """A function that shows (bytes done, bytes in all) as a progress bar, which appears when first told."""
    bar: tqdm[Any] | None = None

    def progress(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            bar = tqdm(total=total, desc=name, unit="B", unit_scale=True, file=sys.stderr, disable=None)
        bar.update(done - bar.n)

    try:
        yield progress
    finally:
        if bar is not None:
            bar.close()
