"""`python -m nst translate`: a horse into a zebra, a photo into a painting, and what else a translator has learned."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from nst.cli.arguments import PROGRAM, Parser, add_options, given
from nst.cli.batch import Job, plan
from nst.cli.errors import complaint
from nst.cli.pictures import check_writable, open_content, restore
from nst.images import ImageError, save, to_pil, to_tensor
from nst.recipes import make_recipe
from nst.translate import BOUNDS, directions_of_all, translate

WORDS = {
    "model": "the network, by name or file",
    "device": "where to compute; auto is the fastest that is here",
}


def parser() -> Parser:
    """The parser of this command."""
    made = Parser(
        prog=f"{PROGRAM} translate",
        description="Translate a picture, or each picture of a folder: a horse into a zebra, a photo into a painting.",
        epilog=f"Example: {PROGRAM} translate horse.jpg -o zebra.png",
    )
    made.add_argument("content", metavar="IMAGE", help="a picture, or a folder of pictures")
    made.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        required=True,
        help="the picture to write (.png, .jpg or .webp), or a folder",
    )
    made.add_argument("--back", metavar="FILE", type=Path, help="also write what comes back from translating it back")
    made.add_argument("--overwrite", action="store_true", help="with a folder, do not skip what is translated already")
    made.add_argument("--recipe", metavar="PICTURE", help="take all settings from a picture that Pastiche wrote")
    choices = {"device": ("auto", "cpu", "cuda", "mps")}
    add_options(made, translate, words=WORDS, bounds=BOUNDS, choices=choices, others={"device": "cuda:N"})
    return made


def main(argv: Sequence[str]) -> int:
    """Run the command: 0 when all is translated, 2 when a picture of a folder failed."""
    args = parser().parse_args(argv)
    typed = given(args, translate)
    recipe, settings = restore(args.recipe, "translate", typed)
    own = recipe["settings"].get("model") if recipe else None
    if own and own not in directions_of_all() and "model" not in typed:
        raise ImageError(f"'{args.recipe}' was made by a model of one's own, {own}: name its file with --model.")
    wanted, done = plan(args.content, args.output, args.overwrite)
    if done:
        print(f"{done} done already; --overwrite translates them anew.", file=sys.stderr)
    several, failed = Path(args.content).is_dir(), 0
    if several and args.back:
        raise ValueError("--back is for one picture, not for a folder.")
    for path in [job.out for job in wanted[:1]] + [args.back] * bool(args.back):
        check_writable(path)
    for job in tqdm(wanted, file=sys.stderr, disable=None if several else True):
        try:
            note = translate_one(job, settings, args.back)
            tqdm.write(str(job.out), file=sys.stdout)
            if note:
                tqdm.write(note, file=sys.stderr)
        except Exception as error:
            sentence = complaint(error)
            if sentence is None or not several:
                raise
            tqdm.write(f"{job.content}: {sentence}", file=sys.stderr)
            failed += 1
    if failed:
        print(f"{len(wanted) - failed} translated, {failed} failed.", file=sys.stderr)
    return 2 if failed else 0


def translate_one(job: Job, settings: dict[str, Any], back: Path | None) -> str | None:
    """Translate one picture and write it with its recipe; gives what is to be told of it, or None.

    Raises:
        ValueError: the way back is asked for, and the model does not know it.
    """
    picture = open_content(job.content)
    found = translate(to_tensor(picture), **settings)
    if back and found.back is None:
        raise ValueError("This model knows one direction only, so there is nothing to write to --back.")
    recipe = make_recipe(settings, task="translate", content=Path(job.content).name)
    save(job.out, to_pil(found.image), recipe=recipe, alpha=picture.alpha)
    if back and found.back is not None:
        save(back, to_pil(found.back))
    return found.note
