"""`python -m nst models` and `python -m nst styles`: what there is, where it lies, and fetching it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from nst.cli.arguments import Parser
from nst.cli.progress import download_bar
from nst.cli.table import table
from nst.places import PROGRAM
from nst.registry import find_model, load_model, model_rows
from nst.weights import WeightsError, WeightsNotFound, cache_dir, resolve, save_tensors

FOREIGN = ("johnson", "cyclegan", "progan")
"""The architectures of which networks of others can be imported."""


def parser(command: str) -> Parser:
    """The parser of "models" or "styles"."""
    if command == "styles":
        return Parser(prog=f"{PROGRAM} styles", description="List the styles that --style knows by name.")
    made = Parser(prog=f"{PROGRAM} models", description="List the models: where they lie, size, license and origin.")
    actions = made.add_subparsers(title="actions", metavar="ACTION", dest="action")
    pull = actions.add_parser("pull", help="fetch a model's weights, so that it works without network afterwards")
    pull.add_argument("name", metavar="NAME", help=f"a name that `{PROGRAM} models` lists")
    take = actions.add_parser("import", help="make a network of others ours: a .safetensors file that Pastiche opens")
    take.add_argument("file", metavar="FILE", type=Path, help="a .pth, .onnx or .safetensors file")
    take.add_argument("--as", dest="architecture", choices=FOREIGN, required=True, help="what kind of network it is")
    take.add_argument("-o", "--output", metavar="OUT", type=Path, help="where to; left out is Pastiche's own folder")
    return made


def main(command: str, argv: Sequence[str]) -> int:
    """Run "models" or "styles"; 0 when done."""
    args = parser(command).parse_args(argv)
    if command == "styles":
        _list_styles()
    elif args.action == "pull":
        _pull(args.name)
    elif args.action == "import":
        print(import_model(args.file, args.architecture, args.output))
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


def import_model(file: Path, architecture: str, output: Path | None) -> Path:
    """Write a file of others, read strictly, as a safetensors file that says itself what it is."""
    file = file.expanduser()
    if not file.is_file():
        raise WeightsNotFound(f"There is no file {file}.")
    model = load_model(file, architecture=architecture)
    out = output.expanduser() if output else cache_dir() / "imported" / f"{file.stem}.safetensors"
    if out.suffix != ".safetensors" or (out.exists() and out.samefile(file)):
        raise WeightsError(f"{out} is not a new file that ends in .safetensors: choose another name with -o.")
    out.parent.mkdir(parents=True, exist_ok=True)
    save_tensors(out, model.state_dict(), {"architecture": architecture, "config": json.dumps(model.config)})
    return out
