"""`python -m nst stylize`: a photo, or a folder of photos, in the manner of a painting, or of several."""

from __future__ import annotations

import argparse
import inspect
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from nst.cli.arguments import PROGRAM, Parser
from nst.cli.batch import Job, plan
from nst.cli.errors import complaint
from nst.cli.experiments import write_json
from nst.cli.models import download_bar
from nst.cli.pictures import REST, check_writable, open_content, open_masks, open_styles, restore
from nst.cli.progress import BAR, tell_cost, words_of
from nst.cli.settings import add_settings, typed_settings
from nst.images import Picture, decode, fit, resize, save, to_pil, to_tensor
from nst.optimize import Step
from nst.recipes import DEFAULTS, make_recipe
from nst.stylize import BOUNDS, CHOICES, estimate, open_mask, style_transfer

SNAPSHOTS = 12


BY_MEANING = "patches+histogram"
"""The style loss of --semantic: patches heed the maps, histograms keep their colors from paling."""


def parser() -> Parser:
    """The parser of this command."""
    made = Parser(
        prog=f"{PROGRAM} stylize",
        description="Paint a photo, or each photo of a folder, in the manner of a painting, or of several.",
        epilog=f"Example: {PROGRAM} stylize photo.jpg --style painting.jpg -o result.png --preset best --size 1024",
    )
    made.add_argument("content", metavar="CONTENT", help="a picture, or a folder of pictures")
    made.add_argument(
        "--style",
        metavar="STYLE",
        action="append",
        help=f"a picture, or a name that `{PROGRAM} styles` lists; may be given again for several styles",
    )
    made.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        required=True,
        help="the picture to write (.png, .jpg or .webp), or a folder",
    )
    made.add_argument("--overwrite", action="store_true", help="with a folder, do not skip what is painted already")
    made.add_argument(
        "--recipe", metavar="PICTURE", help="take the settings from a picture that Pastiche painted; what is typed wins"
    )
    made.add_argument("--snapshots", metavar="DIR", type=Path, help=f"keep about {SNAPSHOTS} moments of a run as JPEG")
    made.add_argument("--trace", metavar="FILE", type=Path, help="write the losses of every step to this file, as JSON")
    add_regions(add_settings(made, style_transfer))
    return made


def add_regions(groups: Mapping[str, argparse._ArgumentGroup]) -> None:
    """The options that take pictures of where, and of what is where."""
    once = f"once for each --style; '{REST}'"
    for option, text in {
        "--mask": f"white where this style goes, {once} for all that the others leave",
        "--style-mask": f"white where this style may be taken, {once} for all of it",
    }.items():
        groups["regions"].add_argument(option, metavar="PICTURE", action="append", help=text)
    groups["regions"].add_argument("--keep", metavar="PICTURE", help="white where the photo is left untouched")
    groups["meaning"].add_argument(
        "--semantic",
        metavar="MAP",
        nargs="+",
        help="a map of what is where in the content, then one for each style, a color for each meaning; "
        f"the style loss is then {BY_MEANING}, or patches beside what --loss says",
    )


@dataclass
class Order:
    """What all pictures of a run have in common.

    Attributes:
        styles: each (1, 3, H, W) in [0, 1].
        names: of the styles, the masks and the maps, for the recipe.
        settings: keyword arguments of `style_transfer`.
        snapshots: the folder of each job that wants them.
        trace: where the losses go, or None; `runs` are those so far.
    """

    styles: list[Tensor]
    names: dict[str, Any]
    settings: dict[str, Any]
    snapshots: dict[Job, Path]
    trace: Path | None
    runs: list[dict[str, Any]] = field(default_factory=list)


def main(argv: Sequence[str]) -> int:
    """Run the command: 0 when all is painted, 2 when a picture of a folder failed."""
    args = parser().parse_args(argv)
    recipe, settings = restore(args.recipe, "style_transfer", typed_settings(args, style_transfer))
    wanted, done = plan(args.content, args.output, args.overwrite)
    if done:
        print(f"{done} done already; --overwrite paints them anew.", file=sys.stderr)
    if not wanted:
        return 0
    names, pictures = open_styles(args.style, recipe, settings)
    settings |= open_regions(args, settings)
    if settings.get("init") not in (None, *CHOICES["init"]):
        settings["init"] = to_tensor(decode(settings["init"]))
    check_writable(wanted[0].out)
    if args.trace:
        write_json(args.trace, {"runs": []})
    rehearse(settings, len(pictures))
    several = Path(args.content).is_dir()
    folders = {job: args.snapshots / job.out.stem if several else args.snapshots for job in wanted if args.snapshots}
    named = {"style": names[0] if len(names) == 1 else names, **region_names(args)}
    failed = paint_all(wanted, Order(pictures, named, settings, folders, args.trace), skip=several)
    if failed:
        print(f"{len(wanted) - failed} painted, {failed} failed.", file=sys.stderr)
    return 2 if failed else 0


def open_regions(args: argparse.Namespace, settings: dict[str, Any]) -> dict[str, Any]:
    """The pictures of where, and of what is where, as arguments of `style_transfer`."""
    found: dict[str, Any] = {"masks": open_masks(args.mask), "style_masks": open_masks(args.style_mask)}
    found["keep"] = open_mask(args.keep) if args.keep else None
    if args.semantic:
        found["content_map"], *found["style_map"] = (to_tensor(decode(path)) for path in args.semantic)
        if "patches" not in settings.get("style_loss", ""):
            found["style_loss"] = f"{args.style_loss}+patches" if hasattr(args, "style_loss") else BY_MEANING
    return {name: value for name, value in found.items() if value is not None}


def region_names(args: argparse.Namespace) -> dict[str, Any]:
    """What those pictures are called, for the recipe."""
    first, *others = args.semantic or [None]
    named = {"masks": args.mask, "style_masks": args.style_mask, "keep": args.keep and [args.keep]}
    named |= {"content_map": first and [first], "style_map": others}
    return {name: [Path(path).name for path in paths] for name, paths in named.items() if paths}


def rehearse(settings: dict[str, Any], count: int = 1) -> None:
    """Fetch and load the encoder and take one tiny step, so that a wrong setting is told once and at once."""
    low = int(BOUNDS["size"][0])
    noise = torch.rand(1, 3, low, low, generator=torch.Generator().manual_seed(0))
    encoder = settings.get("encoder", DEFAULTS["encoder"])
    with download_bar(str(encoder)) as progress:
        next(style_transfer(noise, [noise] * count, **settings | {"size": low, "num_steps": 1}, progress=progress))


def paint_all(jobs: Sequence[Job], order: Order, skip: bool) -> int:
    """Paint one after the other; how many failed, if they are to be skipped and not to end all."""
    failed, told = 0, False
    with tqdm(total=len(jobs), bar_format=BAR, file=sys.stderr, disable=None) as bar:
        for number, job in enumerate(jobs):
            bar.set_description_str(Path(job.content).name, refresh=False)
            try:
                picture = open_content(job.content)
                if not told:
                    forecast(picture, len(jobs) - number, order.settings)
                    told = True
                paint(job, picture, order, bar, number)
                tqdm.write(str(job.out), file=sys.stdout)
            except Exception as error:
                sentence = complaint(error)
                if sentence is None or not skip:
                    raise
                tqdm.write(f"{job.content}: {sentence}", file=sys.stderr)
                failed += 1
            bar.update(number + 1 - bar.n)
    return failed


def forecast(picture: Picture, count: int, settings: dict[str, Any]) -> None:
    """Say what a long run will take."""
    asked = {name: settings[name] for name in inspect.signature(estimate).parameters if name in settings}
    tell_cost(estimate((picture.rgb.height, picture.rgb.width), **asked), count, settings)


def paint(job: Job, picture: Picture, order: Order, bar: tqdm[Any], number: int) -> None:
    """Paint one picture and write it, with its recipe, its snapshots and its losses."""
    began, trace, snapshots = time.perf_counter(), [], 0
    full = fit(*picture.rgb.size, order.settings.get("size", DEFAULTS["size"]))[::-1]
    for step in style_transfer(to_tensor(picture), order.styles, **order.settings):
        bar.set_postfix_str(words_of(step), refresh=False)
        bar.update(number + step.work - bar.n)
        if step.note:
            tqdm.write(f"{job.content}: {step.note}", file=sys.stderr)
        if (folder := order.snapshots.get(job)) and is_moment(step):
            snapshots += 1
            folder.mkdir(parents=True, exist_ok=True)
            # All of one size, so that they make a film.
            save(folder / f"{snapshots:04d}.jpg", to_pil(resize(step.image, full)))
        entry = {"step": step.index, "size": step.size, "seconds": round(time.perf_counter() - began, 3)}
        trace.append(entry | {"losses": step.losses} | ({"note": step.note} if step.note else {}))
    recipe = make_recipe(order.settings, content=Path(job.content).name, **order.names)
    save(job.out, to_pil(step.image), recipe=recipe, alpha=picture.alpha)
    if order.trace:
        order.runs.append({"content": job.content, "out": str(job.out), "recipe": recipe, "steps": trace})
        write_json(order.trace, {"runs": order.runs})


def is_moment(step: Step) -> bool:
    """Whether to keep a snapshot: the first step, then at even distances, the last included."""
    return step.index == 1 or step.index * SNAPSHOTS // step.total > (step.index - 1) * SNAPSHOTS // step.total
