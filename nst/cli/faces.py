"""`python -m nst faces`: faces that never existed, in rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nst.cli.arguments import PROGRAM, Parser, add_options, given
from nst.cli.pictures import check_writable
from nst.faces import BOUNDS, face_grid
from nst.images import save, to_pil
from nst.recipes import make_recipe

DEVICES = ("auto", "cpu", "cuda", "mps")
OTHERS = {
    "model": "the generator, by name or file",
    "device": "where to compute; auto is the fastest that is here",
    "truncation": "from 0 (all are the mean face) to 1 (as various as the training pictures, and less sure)",
}
WORDS = OTHERS | {
    "seed": "the number of the first face; the others follow",
    "like": "the number of a face that all should be like",
    "likeness": "how much, from 0 to 1",
}


def parser() -> Parser:
    """The parser of this command."""
    made = Parser(
        prog=f"{PROGRAM} faces",
        description="Make faces that never existed, in rows. A face has a number, and is always the same for it.",
        epilog=f"Example: {PROGRAM} faces --seed 3 --count 25 --truncation 0.7 -o grid.png",
    )
    made.add_argument("-o", "--output", metavar="OUT", required=True, type=Path, help="the picture to write")
    limits = {name: BOUNDS[name] for name in ("truncation", "likeness", "seed", "like")}
    add_options(made, face_grid, words=WORDS, bounds=limits, choices={"device": DEVICES}, others={"device": "cuda:N"})
    return made


def main(argv: Sequence[str]) -> int:
    """Run the command: 0 when done."""
    args = parser().parse_args(argv)
    settings = given(args, face_grid)
    check_writable(args.output)
    (step,) = face_grid(**settings)
    print(save(args.output, to_pil(step.image), recipe=make_recipe(settings, task="faces")))
    return 0
