"""`python -m nst doodle`: a rough map of a few colors, painted as a style paints what they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from nst import styles
from nst.cli.arguments import PROGRAM, Parser
from nst.cli.pictures import check_writable, open_styles, restore
from nst.cli.progress import fetch, last_picture, tell_cost
from nst.cli.settings import add_settings, typed_settings
from nst.images import ImageError, decode, save, to_pil, to_tensor
from nst.recipes import TASKS, make_recipe
from nst.stylize import CHOICES, DEARER, doodle, estimate, propose_map


def parser() -> Parser:
    """The parser of this command."""
    made = Parser(
        prog=f"{PROGRAM} doodle",
        description="Paint a doodle: each of its colors stands for a thing in the style, and is painted as that is.",
        epilog=f"Example: {PROGRAM} doodle --style night --write-map map.png; then draw in its colors, and: "
        f"{PROGRAM} doodle drawn.png --style night -o lake.png",
    )
    made.add_argument("drawn", metavar="DOODLE", nargs="?", help="a picture in the colors of the style's map")
    made.add_argument(
        "--style", metavar="STYLE", action="append", help=f"a picture, or a name that `{PROGRAM} styles` lists"
    )
    made.add_argument(
        "--map",
        metavar="MAP",
        help="what is where in the style, a flat color for each thing; left out is the map that a drawn style comes "
        "with, or one proposed by color",
    )
    made.add_argument("--write-map", metavar="FILE", type=Path, help="write the style's map, to take the colors from")
    made.add_argument("-o", "--output", metavar="OUT", type=Path, help="the picture to write")
    made.add_argument("--recipe", metavar="PICTURE", help="take the settings from a doodle that Pastiche painted")
    add_settings(made, doodle)
    return made


def main(argv: Sequence[str]) -> int:
    """Run the command: 0 when done."""
    args = parser().parse_args(argv)
    recipe, settings = restore(args.recipe, "doodle", typed_settings(args, doodle))
    names, pictures = open_styles(args.style, recipe, settings)
    if len(pictures) != 1:
        raise ImageError(f"A doodle is painted in one style: give --style once, not {len(pictures)} times.")
    style_map = to_tensor(decode(args.map)) if args.map else own_map(names[0], pictures[0])
    if args.write_map:
        check_writable(args.write_map)
        print(save(args.write_map, to_pil(style_map)))
    if not args.drawn or not args.output:
        if args.drawn or args.output or not args.write_map:
            raise ImageError("Give a DOODLE and -o with the picture to write; or --write-map alone, for the colors.")
        return 0
    if settings.get("init") not in (None, *CHOICES["init"]):
        settings["init"] = to_tensor(decode(settings["init"]))
    drawn = to_tensor(decode(args.drawn))
    check_writable(args.output)
    fetch(settings)
    steps = doodle(drawn, pictures[0], style_map, **settings)
    whole = TASKS["doodle"] | settings
    asked = ("encoder", "size", "preset", "num_steps", "optimizer", "style_loss", "device")
    tell_cost(estimate((drawn.shape[-2], drawn.shape[-1]), **{name: whole[name] for name in asked}), DEARER, settings)
    image = last_picture(steps, args.output.name)
    named = {"content": Path(args.drawn).name, "style": names[0], "style_map": args.map and Path(args.map).name}
    print(save(args.output, to_pil(image), recipe=make_recipe(settings, task="doodle", **named)))
    return 0


def own_map(name: str, style: Tensor) -> Tensor:
    """The map that a style comes with, or one proposed by color."""
    return to_tensor(styles.load_map(name)) if name in styles.list_maps() else propose_map(style)
