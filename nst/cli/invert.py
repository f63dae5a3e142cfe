"""`python -m nst invert`: what a layer of the encoder knows of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nst.cli.arguments import PROGRAM, Parser
from nst.cli.pictures import check_writable, open_content, restore
from nst.cli.progress import fetch, last_picture, tell_cost
from nst.cli.settings import add_settings, typed_settings
from nst.images import save, to_pil, to_tensor
from nst.recipes import TASKS, make_recipe
from nst.stylize import estimate, invert


def parser() -> Parser:
    """The parser of this command."""
    made = Parser(
        prog=f"{PROGRAM} invert",
        description="Find pictures, from noise, that look to a layer of the encoder as a picture does.",
        epilog=f"Example: {PROGRAM} invert photo.jpg --layer relu4_1 --starts 3 -o known.png",
    )
    made.add_argument("image", metavar="IMAGE", help="a picture")
    made.add_argument("-o", "--output", metavar="OUT", required=True, type=Path, help="the picture to write")
    made.add_argument("--recipe", metavar="PICTURE", help="take the settings from an inversion that Pastiche made")
    add_settings(made, invert)
    return made


def main(argv: Sequence[str]) -> int:
    """Run the command: 0 when done."""
    args = parser().parse_args(argv)
    _, settings = restore(args.recipe, "invert", typed_settings(args, invert))
    picture = open_content(args.image)
    check_writable(args.output)
    fetch(settings)
    whole = TASKS["invert"] | settings
    asked = {name: whole[name] for name in ("encoder", "size", "preset", "num_steps", "optimizer", "device")}
    tell_cost(estimate((picture.rgb.height, picture.rgb.width), **asked), whole["starts"], whole)
    image = last_picture(invert(to_tensor(picture), **settings), args.output.name)
    made = make_recipe(settings, task="invert", content=Path(args.image).name)
    print(save(args.output, to_pil(image), recipe=made))
    return 0
