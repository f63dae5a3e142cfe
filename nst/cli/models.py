"""`python -m nst models` and `python -m nst styles`: what there is, where it lies, and fetching it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nst import taught
from nst.cli.arguments import Parser, read_number
from nst.cli.progress import download_bar
from nst.cli.table import table
from nst.places import PROGRAM
from nst.registry import FOREIGN, find_model, list_models, load_model, model_rows, offered
from nst.weights import WeightsError, WeightsNotFound, cache_dir, repository, resolve, save_tensors


def parser(command: str) -> Parser:
    """The parser of "models" or "styles"."""
    if command == "styles":
        made = Parser(prog=f"{PROGRAM} styles", description="List the styles that --style knows by name.")
        made.add_argument("--add", metavar="FILE", type=Path, help="add a style that was taught, from its file")
        made.add_argument("--remove", metavar="NAME", help="remove a style that was taught here")
        return made
    made = Parser(prog=f"{PROGRAM} models", description="List the models: where they lie, size, license and origin.")
    actions = made.add_subparsers(title="actions", metavar="ACTION", dest="action")
    pull = actions.add_parser("pull", help="fetch a model's weights, so that it works without network afterwards")
    pull.add_argument("name", metavar="NAME", help=f"a name that `{PROGRAM} models` lists, or OWNER/NAME[@REVISION]")
    push = actions.add_parser("push", help="publish a model on the Hugging Face Hub, with a card")
    push.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        help="one of ours, vgg19-features, a .safetensors file of one's own, or a style that was taught",
    )
    push.add_argument("repo", metavar="OWNER/NAME", help="where to; with --all the OWNER alone")
    push.add_argument("--all", action="store_true", help="all of ours, as OWNER/pastiche-NAME")
    push.add_argument("--license", default="", help="of a file of one's own, such as mit")
    push.add_argument("--private", action="store_true", help="shown to its owner only, if it is new")
    push.add_argument("--dry-run", action="store_true", help="show all that would be published, and publish nothing")
    take = actions.add_parser("import", help="make a network of others ours: a .safetensors file that Pastiche opens")
    take.add_argument("file", metavar="FILE", type=Path, help="a .pth, .onnx or .safetensors file")
    take.add_argument("--as", dest="architecture", choices=FOREIGN, required=True, help="what kind of network it is")
    take.add_argument("-o", "--output", metavar="OUT", type=Path, help="where to; left out is Pastiche's own folder")
    out = actions.add_parser("export", help="write a fast style as ONNX, for browsers and phones")
    out.add_argument("name", metavar="MODEL", help="cin, predictor, adain, or another network of the command fast")
    out.add_argument("--style", metavar="STYLE[:WEIGHT]", action="append", default=[], help="one or more, as of fast")
    out.add_argument("--strength", metavar="X", type=read_number(float, (0, 100)), default=100.0, help="0 to 100")
    out.add_argument("--brush", metavar="X", type=read_number(float, (0.1, 4)), default=1.0, help="size of the strokes")
    out.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help="the .onnx file to write")
    return made


def main(command: str, argv: Sequence[str]) -> int:
    """Run "models" or "styles"; 0 when done."""
    args = parser(command).parse_args(argv)
    if command == "styles" and args.add:
        print(_add(args.add.expanduser()))
    elif command == "styles" and args.remove:
        print(_remove(args.remove))
    elif command == "styles":
        _list_styles()
    elif args.action == "pull":
        _pull(args.name)
    elif args.action == "push":
        from nst.cli import publish

        if not args.all and not args.name:
            raise WeightsError(f"Give NAME and OWNER/NAME, or --all and OWNER; see `{PROGRAM} models push --help`.")
        names = [entry.name for entry in list_models() if entry.ours] if args.all else [args.name]
        for name in names:
            repo = f"{args.repo}/pastiche-{name}" if args.all else args.repo
            for line in publish.push(name or "", repo, args.license, private=args.private, dry_run=args.dry_run):
                print(line)
    elif args.action == "export":
        print(_export(args))
    elif args.action == "import":
        print(import_model(args.file, args.architecture, args.output))
    else:
        print(*table(model_rows()), sep="\n")
    return 0


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
    mine = {"title": "taught here", "by": "", "kind": "taught", "place": str(taught.folder()), "license": ""}
    print(*table(rows + [{"name": name, **mine} for name in taught.names()]), sep="\n")


def _add(file: Path) -> Path:
    """Add the style of a file, whoever it comes from; gives where it lies then."""
    style = taught.load(file)
    taught.free_name(style.name)
    return taught.keep(style)


def _remove(name: str) -> Path:
    """Remove a style that was taught; gives where it lay."""
    path = taught.place(name)
    if not path.is_file():
        raise ValueError(f'No style "{name}" was taught here. There are: {", ".join(taught.names()) or "none"}.')
    path.unlink()
    return path


def _pull(name: str) -> None:
    if offer := offered(name):
        print(offer.told, file=sys.stderr)
    with download_bar(name) as progress:
        path = repository.fetch(offer, progress=progress) if offer else resolve(find_model(name), progress=progress)
    if offer and not (offer.taught and taught.pull(offer.name)):
        load_model(offer.name)  # so that what cannot be used is told now
    print(path)


def _export(args: argparse.Namespace) -> Path:
    from nst.cli.files import kept, open_input, pulled
    from nst.cli.run import split_weight
    from nst.export import export_onnx
    from nst.tasks import TASKS
    from nst.tasks.fast import known

    out = args.output.expanduser()
    if out.suffix != ".onnx":
        raise WeightsError(f"{out} does not end in .onnx: choose another name with -o.")
    pairs = [split_weight(text) for text in args.style]
    one = replace(TASKS["fast"].input("style"), least=0)
    _, styles = open_input(one, [name for name, _ in pairs], 512)
    how = {"model": pulled(args.name) or args.name, "strength": args.strength, "brush": args.brush}
    out.parent.mkdir(parents=True, exist_ok=True)
    kept(
        lambda path: [export_onnx(path, list(map(known, styles)), [weight for _, weight in pairs] or None, **how)], out
    )
    return Path(out)


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
