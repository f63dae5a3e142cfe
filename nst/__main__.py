"""The command line: `python -m nst COMMAND …`, a thin layer over the same functions as the app."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import nst
from nst.cli.arguments import PROGRAM, choose
from nst.cli.errors import complaint
from nst.places import home

DESCRIPTION = """Pastiche paints a photo in the manner of a painting.

  python -m nst stylize photo.jpg --style painting.jpg -o result.png"""

COMMANDS = {
    "stylize": "paint a photo, or a folder of photos, in the manner of a painting, or of several",
    "fast": "paint a photo, or a folder of photos, in a blink, by a network that has learned to",
    "texture": "make a texture of any size from a style, seamless or not",
    "doodle": "paint a rough map of a few colors as a style paints what they stand for",
    "mix": "paint a photo on the way from one style to another: a strip or a film",
    "translate": "make a zebra of a horse, a painting of a photo, and back",
    "invert": "show what a layer of the encoder knows of a picture",
    "map": "draw a map of a folder of pictures: what resembles what, by style and by content",
    "faces": "make faces that never existed",
    "morph": "make a film from one such face to the next",
    "models": "list the models: where they lie, size, license, origin; and fetch one",
    "styles": "list the styles that come with Pastiche",
    "train": "train a model of our own",
    "bench": "measure speed and memory on this machine",
    "evaluate": "measure the quality of results",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code: 0 when done, 2 for bad usage or bad input, 130 after Ctrl-C.

    Args:
        argv: what the user typed after `python -m nst`; None means the process's own arguments.
    """
    home()  # before other libraries ask for it
    try:
        return _run(sys.argv[1:] if argv is None else argv)
    except SystemExit as stop:  # from argparse: 0 after --help, 2 for bad usage
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except Exception as error:
        if (sentence := complaint(error)) is None:
            raise
        print(sentence, file=sys.stderr)
        return 2


def _run(argv: Sequence[str]) -> int:
    name, rest = choose(PROGRAM, DESCRIPTION, COMMANDS, argv, version=f"Pastiche {nst.__version__}")
    from nst.cli import experiments, models

    if name in ("models", "styles"):
        return models.main(name, rest)
    if name in ("train", "bench", "evaluate"):
        return experiments.main(name, rest)
    return int(importlib.import_module(f"nst.cli.{name}").main(rest))  # imported here: torch takes seconds


if __name__ == "__main__":
    sys.exit(main())
