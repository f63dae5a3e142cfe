"""`python -m nst morph`: a film from one face to the next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nst.cli.arguments import PROGRAM, Parser, add_options, given
from nst.cli.faces import DEVICES, OTHERS
from nst.cli.pictures import check_writable
from nst.faces import BOUNDS, columns, morph_sheet
from nst.images import to_pil
from nst.recipes import TASKS
from nst.stylize import cut
from nst.video import check_film, save_film


def parser() -> Parser:
    """The parser of this command."""
    made = Parser(
        prog=f"{PROGRAM} morph",
        description="Make a film from one face that never existed to the next, and back to the first.",
        epilog=f"Example: {PROGRAM} morph --faces 3 8 21 -o morph.webp",
    )
    made.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        required=True,
        type=Path,
        help="the film to write: .webp, .gif, or .mp4 where PyAV is installed",
    )
    made.add_argument("--rate", metavar="N", type=int, default=20, help="pictures a second (default: 20)")
    limits = {name: BOUNDS[name] for name in ("truncation", "frames")}
    add_options(
        made,
        morph_sheet,
        words=OTHERS | {"faces": "the numbers of the faces", "frames": "pictures in all"},
        bounds=limits,
        choices={"device": DEVICES},
        others={"device": "cuda:N"},
    )
    return made


def main(argv: Sequence[str]) -> int:
    """Run the command: 0 when done."""
    args = parser().parse_args(argv)
    if not 1 <= args.rate <= 60:
        raise ValueError("A film has 1 to 60 pictures a second.")
    check_film(args.output)
    check_writable(args.output.with_suffix(".png"))
    settings = given(args, morph_sheet)
    (step,) = morph_sheet(**settings)
    frames = (TASKS["morph"] | settings)["frames"]
    wide = columns(frames)
    pictures = cut(step.image, wide * -(-frames // wide), wide)[:frames]
    print(save_film(args.output, [to_pil(picture) for picture in pictures], args.rate))
    return 0
