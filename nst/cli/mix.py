"""`python -m nst mix`: a photo on the way from one style to another."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from nst.cli.arguments import PROGRAM, Parser
from nst.cli.pictures import check_writable, open_content, open_styles, restore
from nst.cli.progress import fetch, last_picture, tell_cost
from nst.cli.settings import add_settings, typed_settings
from nst.images import ImageError, decode, save, to_pil, to_tensor
from nst.recipes import TASKS, make_recipe
from nst.stylize import CHOICES, cut, estimate, mix_path, style_transfer
from nst.video import save_animation


def parser() -> Parser:
    """The parser of this command."""
    made = Parser(
        prog=f"{PROGRAM} mix",
        description="Paint a photo several times, from one style to another: a strip, a film, or single pictures.",
        epilog=f"Example: {PROGRAM} mix photo.jpg --style waves --style night -o path.gif --pictures 7",
    )
    made.add_argument("content", metavar="CONTENT", help="a picture")
    made.add_argument(
        "--style",
        metavar="STYLE",
        action="append",
        help=f"a picture, or a name that `{PROGRAM} styles` lists; given twice",
    )
    made.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        required=True,
        help="a strip (.png, .jpg or .webp), a film (.gif), or a folder for numbered pictures",
    )
    made.add_argument("--recipe", metavar="PICTURE", help="take the settings from a strip that Pastiche painted")
    add_settings(made, style_transfer, mix_path)
    return made


def main(argv: Sequence[str]) -> int:
    """Run the command: 0 when done."""
    args = parser().parse_args(argv)
    recipe, settings = restore(args.recipe, "mix", typed_settings(args, style_transfer, mix_path))
    settings.pop("style_weights", None)
    picture = open_content(args.content)
    names, styles = open_styles(args.style, recipe, settings)
    if len(styles) != 2:
        raise ImageError(f"A path leads from one style to another: give --style twice, not {len(styles)} times.")
    if settings.get("init") not in (None, *CHOICES["init"]):
        settings["init"] = to_tensor(decode(settings["init"]))
    out = place(args)
    fetch(settings)
    whole = TASKS["mix"] | settings
    asked = ("encoder", "size", "preset", "num_steps", "optimizer", "style_loss", "device")
    expected = estimate((picture.rgb.height, picture.rgb.width), **{name: whole[name] for name in asked})
    tell_cost(expected, whole["pictures"], whole)
    strip = last_picture(mix_path(to_tensor(picture), *styles, **settings), out.name)
    made = make_recipe(settings, task="mix", content=Path(args.content).name, style=names)
    pictures = [to_pil(image) for image in cut(strip, whole["pictures"])]
    if out.suffix.lower() == ".gif":
        print(save_animation(out, pictures))
    elif out.suffix:
        print(save(out, to_pil(strip), recipe=made))
    else:
        for number, one in enumerate(pictures, 1):
            print(save(out / f"{number:02d}.png", one, recipe=made))
    return 0


def place(args: argparse.Namespace) -> Path:
    """Where the result goes: made, and tried."""
    out = Path(args.output)
    if args.output.endswith(("/", os.sep)) or out.is_dir():
        check_writable(out / "01.png")
        return out.with_suffix("")
    check_writable(out.with_suffix(".png") if out.suffix.lower() == ".gif" else out)
    return out
