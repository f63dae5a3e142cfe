"""`python -m nst texture`: a picture of nothing but a style's texture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nst.cli.arguments import PROGRAM, Parser
from nst.cli.pictures import check_writable, open_styles, restore
from nst.cli.progress import fetch, last_picture, tell_cost
from nst.cli.settings import add_settings, typed_settings
from nst.images import decode, save, to_pil, to_tensor
from nst.recipes import TASKS, make_recipe
from nst.stylize import CHOICES, estimate, texture


def parser() -> Parser:
    """The parser of this command."""
    made = Parser(
        prog=f"{PROGRAM} texture",
        description="Make a texture of any size from a style, or from several mixed.",
        epilog=f"Example: {PROGRAM} texture painting.jpg -o tile.png --width 512 --height 512 --seamless",
    )
    made.add_argument("style", metavar="STYLE", nargs="*", help=f"a picture, or a name that `{PROGRAM} styles` lists")
    made.add_argument("-o", "--output", metavar="OUT", required=True, type=Path, help="the picture to write")
    made.add_argument("--recipe", metavar="PICTURE", help="take the settings from a texture that Pastiche made")
    add_settings(made, texture)
    return made


def main(argv: Sequence[str]) -> int:
    """Run the command: 0 when done."""
    args = parser().parse_args(argv)
    recipe, settings = restore(args.recipe, "texture", typed_settings(args, texture))
    names, styles = open_styles(args.style, recipe, settings)
    if settings.get("init") not in (None, *CHOICES["init"]):
        settings["init"] = to_tensor(decode(settings["init"]))
    check_writable(args.output)
    fetch(settings)
    steps = texture(styles, **settings)
    forecast(TASKS["texture"] | settings)
    image = last_picture(steps, args.output.name)
    made = make_recipe(settings, task="texture", style=names)
    print(save(args.output, to_pil(image), recipe=made))
    return 0


def forecast(settings: dict[str, Any]) -> None:
    """Say what a long run will take."""
    shape = settings["height"], settings["width"]
    asked = {name: settings[name] for name in ("encoder", "preset", "num_steps", "optimizer", "style_loss", "device")}
    tell_cost(estimate(shape, size=max(64, *shape), **asked), 1, settings)
