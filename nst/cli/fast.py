"""`python -m nst fast`: a photo, or a folder of photos, through a network that has learned to paint."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from nst.cli.arguments import PROGRAM, Parser, add_options, given
from nst.cli.batch import Job, plan
from nst.cli.errors import complaint
from nst.cli.pictures import check_writable, open_content
from nst.color import COLOR_MODES
from nst.fast import BOUNDS, Painter, fast_stylize, make_painter, paint_all_styles
from nst.images import decode, save, to_pil, to_tensor
from nst.recipes import make_fast_recipe

WORDS = {
    "model": "the network, by name or file; left out is the one that fits the styles",
    "strength": "0 gives the photo back, 100 the style in full",
    "brush": "size of the strokes; above 1 is larger",
    "preserve_color": "keep the photo's colors, and how",
    "seed": "of the noise, for a texture network",
    "device": "where to compute; auto is the fastest that is here",
}


def parser() -> Parser:
    """The parser of this command."""
    made = Parser(
        prog=f"{PROGRAM} fast",
        description="Paint a photo, or each photo of a folder, in a blink.",
        epilog=f"Example: {PROGRAM} fast photo.jpg --style starry_night:2 --style waves:1 -o result.png",
    )
    made.add_argument("content", metavar="CONTENT", help="a picture, or a folder of pictures")
    made.add_argument(
        "--style",
        metavar="STYLE[:WEIGHT]",
        action="append",
        default=[],
        help="a name, or any picture; up to four, each with its weight in the mixture",
    )
    made.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        required=True,
        help="the picture to write (.png, .jpg or .webp), or a folder",
    )
    made.add_argument("--all", action="store_true", help="paint every style a network has learned, into the folder OUT")
    made.add_argument("--overwrite", action="store_true", help="with a folder, do not skip what is painted already")
    choices = {"preserve_color": COLOR_MODES, "device": ("auto", "cpu", "cuda", "mps")}
    add_options(
        made,
        fast_stylize,
        words=WORDS,
        bounds=BOUNDS,
        choices=choices,
        others={"device": "cuda:N"},
        unset={"size": "the photo's own"},
    )
    return made


def main(argv: Sequence[str]) -> int:
    """Run the command: 0 when all is painted, 2 when a picture of a folder failed."""
    args = parser().parse_args(argv)
    settings = given(args, fast_stylize)
    if args.all:
        return paint_all(args.content, Path(args.output), settings)
    wanted, done = plan(args.content, args.output, args.overwrite)
    if done:
        print(f"{done} done already; --overwrite paints them anew.", file=sys.stderr)
    if not wanted:
        return 0
    names, weights = zip(*map(split_weight, args.style), strict=True) if args.style else ((), ())
    chosen = {name: settings[name] for name in ("model", "device") if name in settings}
    painter = make_painter([open_style(name) for name in names], weights or None, **chosen)
    check_writable(wanted[0].out)
    how = {name: value for name, value in settings.items() if name not in ("model", "device")}
    several, failed = Path(args.content).is_dir(), 0
    for job in tqdm(wanted, file=sys.stderr, disable=None if several else True):
        try:
            paint(job, painter, how, names, weights)
            tqdm.write(str(job.out), file=sys.stdout)
        except Exception as error:
            sentence = complaint(error)
            if sentence is None or not several:
                raise
            tqdm.write(f"{job.content}: {sentence}", file=sys.stderr)
            failed += 1
    if failed:
        print(f"{len(wanted) - failed} painted, {failed} failed.", file=sys.stderr)
    return 2 if failed else 0


def paint_all(content: str, folder: Path, settings: dict[str, Any]) -> int:
    """Write a photo in every style that a network has learned, each under its name, as WebP."""
    if wrong := sorted(settings.keys() - inspect.signature(paint_all_styles).parameters.keys()):
        raise ValueError(f"--all takes no --{wrong[0].replace('_', '-')}.")
    check_writable(folder / "any.webp")
    results = paint_all_styles(to_tensor(open_content(content)), **settings)
    for name, image in results.items():
        print(save(folder / f"{name}.webp", to_pil(image)))
    return 0


def split_weight(text: str) -> tuple[str, float]:
    """A style and its weight, 1 where none is said."""
    found = re.fullmatch(r"(.+):(\d+\.?\d*|\.\d+)", text)
    return (found[1], float(found[2])) if found and not Path(text).exists() else (text, 1.0)


def open_style(style: str) -> str | Tensor:
    """The picture of a file; a name stays a name."""
    path = Path(style)
    return to_tensor(decode(path)) if path.is_file() or path.suffix or len(path.parts) > 1 else style


def paint(job: Job, painter: Painter, how: dict[str, Any], names: Sequence[str], weights: Sequence[float]) -> None:
    """Paint one picture and write it with its recipe."""
    picture = open_content(job.content)
    result = painter.paint(to_tensor(picture), **how)
    recipe = make_fast_recipe(
        how, content=Path(job.content).name, style=[Path(n).name for n in names], weights=weights, model=painter.name
    )
    save(job.out, to_pil(result), recipe=recipe, alpha=picture.alpha)
