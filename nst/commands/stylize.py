"""`python -m nst stylize`: a photo, or a folder of photos, in the manner of a painting."""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from nst import styles
from nst.commands.arguments import PROGRAM, Parser, add_options, given
from nst.commands.complaints import complaint
from nst.commands.models import download_bar
from nst.commands.rows import write_json
from nst.device import choose_device
from nst.encoders import CONTENT_LAYERS, STYLE_LAYERS
from nst.images import IMAGE_SUFFIXES, ImageError, Picture, decode, fit, read_recipe, resize, save, to_pil, to_tensor
from nst.optimize import Step
from nst.recipes import DEFAULTS, make_recipe, settings_from_recipe
from nst.stylize import BOUNDS, CHOICES, Preset, estimate, style_transfer

LONG = 10.0
"""Seconds; what a run that takes longer will cost is told beforehand."""

SNAPSHOTS = 12
STYLE_SIZE = 1024
"""Long side in pixels at which a style known by name is drawn, unless the result is larger; as in the app."""

WORDS = {
    "encoder": "the network that compares pictures; vgg19 and vgg16 are downloaded once, compact is built in",
    "preset": "how long to paint, and what some settings are that are left out",
    "strength": "0 keeps the content, 100 asks for the style alone",
    "num_steps": "steps over all scales",
    "init": "what to start from; a picture, such as an earlier result, is gone on from at full size",
    "optimizer": "adam is robust, lbfgs takes fewer and dearer steps, sgd is plain gradient descent",
    "learning_rate": "how bold a step is; left out suits the optimizer",
    "style_loss": "how two textures are compared",
    "content_layers": "where the content is compared; deeper keeps less of its detail",
    "style_layers": "where the style is compared; shallow is color and grain, deep is motifs",
    "style_layer_weights": "one number for each of the style's layers; left out is all equal",
    "tv_weight": "smoothness (total variation); higher is smoother",
    "tv_exponent": "of total variation; below 2 spares edges, above 2 blurs them",
    "pooling": "average is smoother, max crisper; left out is as the encoder was trained",
    "device": "where to compute; auto is the fastest that is here",
}
"""The settings in words for users, where the recipe's own are for programmers."""

BAR = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


def parser() -> Parser:
    """The parser of this command."""
    made = Parser(
        prog=f"{PROGRAM} stylize",
        description="Paint a photo, or each photo of a folder, in the manner of a painting.",
        epilog=f"Example: {PROGRAM} stylize photo.jpg --style painting.jpg -o result.png --preset best --size 1024",
    )
    made.add_argument("content", metavar="CONTENT", help="a picture, or a folder of pictures")
    made.add_argument("--style", metavar="STYLE", help=f"a picture, or a name that `{PROGRAM} styles` lists")
    made.add_argument(
        "-o", "--output", metavar="OUT", required=True,
        help="the picture to write (.png, .jpg or .webp), or a folder",
    )  # fmt: skip
    made.add_argument("--overwrite", action="store_true", help="with a folder, do not skip what is painted already")
    made.add_argument(
        "--recipe", metavar="PICTURE", help="take the settings from a picture that Pastiche painted; what is typed wins"
    )
    made.add_argument("--snapshots", metavar="DIR", type=Path, help=f"keep about {SNAPSHOTS} moments of a run as JPEG")
    made.add_argument("--trace", metavar="FILE", type=Path, help="write the losses of every step to this file, as JSON")
    unset = dict.fromkeys({f.name for f in dataclasses.fields(Preset)} & DEFAULTS.keys(), "as the preset says")
    unset |= {"content_layers": " ".join(CONTENT_LAYERS), "style_layers": " ".join(STYLE_LAYERS)}
    add_options(
        made.add_argument_group("settings"), style_transfer, words=WORDS, bounds=BOUNDS, choices=CHOICES,
        others={"encoder": "FILE", "init": "PICTURE", "device": "cuda:N"}, unset=unset,
    )  # fmt: skip
    return made


@dataclass(frozen=True)
class Job:
    """One picture to paint: a file, or the name of an example, and where the result goes."""

    content: str
    out: Path

    def open(self) -> Picture:
        if not Path(self.content).exists() and self.content in {example.name for example in styles.list_contents()}:
            return Picture(styles.load_content(self.content))
        return decode(self.content)


@dataclass
class Order:
    """What all pictures of a run have in common.

    Attributes:
        style: (1, 3, H, W) in [0, 1].
        style_name: for the recipe.
        settings: keyword arguments of `style_transfer`.
        snapshots: the folder of each job that wants them.
        trace: where the losses go, or None; `runs` are those so far.
    """

    style: Tensor
    style_name: str
    settings: dict[str, Any]
    snapshots: dict[Job, Path]
    trace: Path | None
    runs: list[dict[str, Any]] = field(default_factory=list)


def main(argv: Sequence[str]) -> int:
    """Run the command: 0 when all is painted, 2 when a picture of a folder failed."""
    args = parser().parse_args(argv)
    recipe = open_recipe(args.recipe) if args.recipe else {}
    # The device is left out: it has no part in the picture, and may not be here.
    restored = {name: value for name, value in settings_from_recipe(recipe).items() if name != "device"}
    settings = (restored if recipe else {}) | given(args, style_transfer)
    own = recipe.get("settings", {}).get("encoder", DEFAULTS["encoder"])
    if own not in CHOICES["encoder"] and not hasattr(args, "encoder"):
        raise ImageError(f"'{args.recipe}' was painted with an encoder of one's own, {own}: name it with --encoder.")
    wanted, done = plan(args.content, args.output, args.overwrite)
    if done:
        print(f"{done} done already; --overwrite paints them anew.", file=sys.stderr)
    if not wanted:
        return 0
    name, style = open_style(args.style or recipe.get("style"), settings)
    if settings.get("init") not in (None, *CHOICES["init"]):
        settings["init"] = to_tensor(decode(settings["init"]))
    check_writable(wanted[0].out)
    if args.trace:
        write_json(args.trace, {"runs": []})
    rehearse(settings)
    several = Path(args.content).is_dir()
    folders = {job: args.snapshots / job.out.stem if several else args.snapshots for job in wanted if args.snapshots}
    failed = paint_all(wanted, Order(style, name, settings, folders, args.trace), skip=several)
    if failed:
        print(f"{len(wanted) - failed} painted, {failed} failed.", file=sys.stderr)
    return 2 if failed else 0


def open_recipe(path: str) -> dict[str, Any]:
    """The recipe inside a picture."""
    if recipe := read_recipe(path):
        return recipe
    raise ImageError(f"'{path}' holds no recipe; give a picture as Pastiche wrote it, not a copy from another program.")


def open_style(style: object, settings: dict[str, Any]) -> tuple[str, Tensor]:
    """The name and the picture (1, 3, H, W) of a style: a file, or one known by name."""
    if not isinstance(style, str):
        raise ImageError(f"Which style? Give --style a picture, or a name that `{PROGRAM} styles` lists.")
    path = Path(style)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return path.name, to_tensor(decode(path))
    size = round(settings.get("size", DEFAULTS["size"]) * settings.get("style_scale", DEFAULTS["style_scale"]))
    return style, to_tensor(styles.load_style(style, max(STYLE_SIZE, min(size, styles.LARGEST))))


def plan(content: str, output: str, overwrite: bool) -> tuple[list[Job], int]:
    """What is to be painted, and how many pictures of a folder are done already.

    A result has its photo's name and the suffix .png, or .jpg.png where two photos differ in the suffix only.
    """
    source, out = Path(content), Path(output)
    if not source.is_dir():
        if output.endswith(("/", os.sep)) or out.is_dir():
            out = out / f"{source.stem}.png"
        if source.exists() and out.exists() and out.samefile(source):
            raise ImageError(f"'{out}' is the photo itself; give the result another name.")
        return [Job(content, out)], 0
    if out.exists() and (not out.is_dir() or out.samefile(source)):
        what = "the folder of the photos" if out.is_dir() else "a file"
        raise ImageError(f"'{output}' is {what}; give the results a folder of their own.")
    files = (path for path in sorted(source.iterdir()) if path.is_file() and not path.name.startswith("."))
    photos = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    if not photos:
        raise ImageError(f"No pictures in '{content}'; name a folder that holds some.")
    shared = Counter(photo.stem for photo in photos)
    jobs = [Job(str(p), out / f"{p.stem if shared[p.stem] == 1 else p.name}.png") for p in photos]
    wanted = [job for job in jobs if overwrite or not job.out.exists()]
    return wanted, len(jobs) - len(wanted)


def check_writable(out: Path) -> None:
    """Make the result's folder, and refuse now what `save` would refuse after the painting."""
    out.parent.mkdir(parents=True, exist_ok=True)
    trial = out.with_name(f".trial-{os.getpid()}{out.suffix}")
    try:
        save(trial, Image.new("RGB", (1, 1)))
    except ImageError as error:
        raise ImageError(str(error).replace(str(trial), str(out))) from error
    finally:
        trial.unlink(missing_ok=True)


def rehearse(settings: dict[str, Any]) -> None:
    """Fetch and load the encoder and take one tiny step, so that a wrong setting is told once and at once."""
    low = int(BOUNDS["size"][0])
    noise = torch.rand(1, 3, low, low, generator=torch.Generator().manual_seed(0))
    encoder = settings.get("encoder", DEFAULTS["encoder"])
    with download_bar(str(encoder)) as progress:
        next(style_transfer(noise, noise, **settings | {"size": low, "num_steps": 1}, progress=progress))


def paint_all(jobs: Sequence[Job], order: Order, skip: bool) -> int:
    """Paint one after the other; how many failed, if they are to be skipped and not to end all."""
    failed, told = 0, False
    with tqdm(total=len(jobs), bar_format=BAR, file=sys.stderr, disable=None) as bar:
        for number, job in enumerate(jobs):
            bar.set_description_str(Path(job.content).name, refresh=False)
            try:
                picture = job.open()
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
    expected = estimate((picture.rgb.height, picture.rgb.width), **asked)
    seconds = expected.seconds * count
    if seconds > LONG:
        minutes = seconds / 60
        span = f"{seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
        where = choose_device(settings.get("device", DEFAULTS["device"])).name
        memory = f"{expected.memory / 1e9:.1f} GB" if expected.memory >= 1e9 else f"{expected.memory / 1e6:.0f} MB"
        tqdm.write(f"About {span} and {memory} of memory, on {where}.", file=sys.stderr)


def paint(job: Job, picture: Picture, order: Order, bar: tqdm[Any], number: int) -> None:
    """Paint one picture and write it, with its recipe, its snapshots and its losses."""
    began, trace, snapshots = time.perf_counter(), [], 0
    full = fit(*picture.rgb.size, order.settings.get("size", DEFAULTS["size"]))[::-1]
    for step in style_transfer(to_tensor(picture), order.style, **order.settings):
        bar.set_postfix_str(f"step {step.index} of {step.total}, {step.size} px, loss {step.loss:.3g}", refresh=False)
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
    recipe = make_recipe(order.settings, content=Path(job.content).name, style=order.style_name)
    save(job.out, to_pil(step.image), recipe=recipe, alpha=picture.alpha)
    if order.trace:
        order.runs.append({"content": job.content, "out": str(job.out), "recipe": recipe, "steps": trace})
        write_json(order.trace, {"runs": order.runs})


def is_moment(step: Step) -> bool:
    """Whether to keep a snapshot: the first step, then at even distances, the last included."""
    return step.index == 1 or step.index * SNAPSHOTS // step.total > (step.index - 1) * SNAPSHOTS // step.total
