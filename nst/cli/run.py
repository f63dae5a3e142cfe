"""The runner of every task: from what was typed to what is written."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from nst.cli import files, options, workers
from nst.cli.errors import complaint
from nst.cli.files import Job, Target
from nst.cli.progress import BAR, download_bar, tell, tell_cost, words_of
from nst.cli.recorder import Recorder
from nst.encoders import load_encoder
from nst.images import ImageError, Picture, decode, to_tensor
from nst.optimize import Step
from nst.places import write_json
from nst.settings import style_side
from nst.stylize import estimate
from nst.tasks import TASKS
from nst.tasks.recipe import make_recipe, names_of, settings_from_recipe
from nst.tasks.result import Layout, Result
from nst.tasks.task import MAP, MASK, PAINTED, STYLE, Extra, Task
from nst.video import Clip, is_unfinished
from nst.weights import repository

REFRESHED = 0.1  # seconds between two looks at a run


@dataclass
class Order:
    """What all pictures of a command have in common.

    Attributes:
        task: what is done.
        settings: that were typed, or are in a recipe.
        given: the words that were typed for each input.
        inputs: pictures by input, but for what is painted from job to job.
        names: what they are called, for the recipe.
        extras: further pictures, and where they go.
        rate: of a film, in pictures a second.
        snapshots: the folder of each job that wants them.
        trace: where the losses go, or None; `runs` are those so far.
    """

    task: Task
    settings: dict[str, Any]
    given: dict[str, list[str]]
    inputs: dict[str, Any] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)
    extras: list[tuple[Extra, Target]] = field(default_factory=list)
    rate: float | None = None
    snapshots: dict[Job, Path] = field(default_factory=dict)
    trace: Path | None = None
    runs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def whole(self) -> dict[str, Any]:
        """Every setting."""
        return self.task.defaults | self.settings

    @property
    def layout(self) -> Layout:
        """What a result consists of."""
        return self.task.layout(self.whole)


def main(task: Task, command: str, about: str, argv: Sequence[str]) -> int:
    """Run the command of a task: 0 when all is done, 2 when a picture of a folder failed."""
    args = options.parser(task, command, about).parse_args(argv)
    order = read(task, args)
    if options.optional(task) and not (order.given[task.inputs[0].name] and args.output):
        return without_content(order, args)
    jobs, several = plan(order, args)
    if not jobs:
        return 0
    prepare(order, args, several)
    if several:
        rehearse(order)
    if several and args.workers > 1 and len(jobs) > 1:
        if order.trace:
            raise ValueError("--trace is of one process: leave out --workers, or --trace.")
        failed = workers.spread(paint_one, jobs, args.workers, begin, (task.name, args))
    else:
        order.snapshots = snapshots_of(args, jobs, several)
        if order.trace:
            write_json(order.trace, {"runs": []})
        failed = paint_all(jobs, order, several)
    if failed:
        print(f"{len(jobs) - failed} done, {failed} failed.", file=sys.stderr)
    return 2 if failed else 0


def snapshots_of(args: argparse.Namespace, jobs: Sequence[Job], several: bool) -> dict[Job, Path]:
    """The folder for moments of each job, where they are wanted."""
    wanted = getattr(args, "snapshots", None)
    folder = wanted.expanduser() if wanted else Path()
    return {job: folder / job.target.path.stem if several else folder for job in jobs if wanted}


def read(task: Task, args: argparse.Namespace) -> Order:
    """The settings and the words for pictures, typed or from a recipe."""
    given = {one.name: words_for(task, args, one.name) for one in task.inputs}
    settings = options.typed_settings(args, task)
    if any(one.by_name for one in task.inputs) and "weights" in task.settings:
        pairs = [split_weight(text) for text in given["style"]]
        given["style"] = [name for name, _ in pairs]
        settings |= {"weights": [weight for _, weight in pairs]} if pairs else {}
    if args.recipe:
        recipe, settings = restored(args.recipe, task, settings)
        given |= {
            one.name: names_of(recipe.get(one.name)) for one in task.inputs if one.role == STYLE and not given[one.name]
        }
    init = settings.get("init")
    if init is not None and init not in task.settings["init"].choices:
        settings["init"] = to_tensor(decode(Path(init).expanduser()))
    trace = getattr(args, "trace", None)
    return Order(task, settings, given, rate=getattr(args, "rate", None), trace=trace and trace.expanduser())


def words_for(task: Task, args: argparse.Namespace, name: str) -> list[str]:
    """What was typed for an input; of those that share an option each takes a word, and the last one the rest."""
    sharing = [one.name for one in task.inputs if one.option and one.option == task.input(name).option]
    if len(sharing) > 1:
        words = getattr(args, task.input(name).option) or []
        place = sharing.index(name)
        return words[place:] if place == len(sharing) - 1 else words[place : place + 1]
    found = getattr(args, name)
    return [found] if isinstance(found, str) else list(found or [])


def split_weight(text: str) -> tuple[str, float]:
    """A style and its weight, 1 where none is said."""
    found = re.fullmatch(r"(.+):(\d+\.?\d*|\.\d+)", text)
    return (found[1], float(found[2])) if found and not Path(text).exists() else (text, 1.0)


def restored(path: str, task: Task, typed: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The recipe inside a picture, and the settings that it and what was typed come to; what was typed wins. Raises
    ImageError for no recipe, or one that needs a network that only its user has."""
    recipe = files.read_recipe(Path(path).expanduser())
    if not recipe:
        raise ImageError(
            f"'{path}' holds no recipe; give a picture as Pastiche wrote it, not a copy from another program."
        )
    said = recipe.get("settings")
    for name, setting in task.settings.items():
        own = said.get(name) if isinstance(said, dict) else None
        if setting.free == "FILE" and own and own not in setting.options and name not in typed:
            if isinstance(own, str) and repository.parse(own):
                typed = {name: own, **typed}
                continue
            how = options.option_of(setting)
            raise ImageError(f"'{path}' was made with a network of one's own, {own}: name its file with {how}.")
    pictures = [one for one in task.inputs if one.role in (MASK, MAP) and one.option]
    lost = dict.fromkeys(f"--{one.option}" for one in pictures if recipe.get(one.name))
    if lost:
        print(f"'{path}' was painted with what it does not hold: give it with {', '.join(lost)}.", file=sys.stderr)
    # The device is left out: it has no part in the picture, and may not be here.
    settings = {name: value for name, value in settings_from_recipe(recipe, task.name).items() if name != "device"}
    return recipe, settings | typed


def plan(order: Order, args: argparse.Namespace) -> tuple[list[Job], bool]:
    """What is to be painted, and whether it is a folder of pictures."""
    first = order.task.inputs[0] if order.task.inputs else None
    source = order.given[first.name][0] if first and first.name == PAINTED else None
    if source is not None and options.takes_folders(order.task) and Path(source).expanduser().is_dir():
        folder, clips = Path(source).expanduser(), order.layout.clip
        jobs, done = files.plan_folder(folder, args.output, args.overwrite, clips)
        if done:
            print(f"{done} done already; --overwrite paints them anew.", file=sys.stderr)
        return jobs, True
    if order.task.keeps and not args.output:
        return [Job(None, Target(Path(), "nothing"))], False
    stem = Path(source).stem if source else order.task.name
    target = files.settle(args.output, order.layout, stem)
    files.check_apart(target.path, [word for words in order.given.values() for word in words])
    return [Job(source, target)], False


def prepare(order: Order, args: argparse.Namespace, several: bool) -> None:
    """Open what all pictures have in common, and have the networks here."""
    size = round(style_side(order.settings))
    for one in order.task.inputs:
        if one.name != PAINTED:
            names, order.inputs[one.name] = files.open_input(one, order.given[one.name], size)
            single = len(names) == 1 and one.role == STYLE and not one.by_name
            order.names |= {one.name: names[0] if single else names} if names else {}
    order.inputs = {name: value for name, value in order.inputs.items() if value is not None}
    for extra in order.task.extras:
        if text := getattr(args, option_name(extra)):
            if several:
                raise ValueError(f"--{extra.option} is for one picture, not for a folder.")
            order.extras.append((extra, files.settle(text, extra.layout, extra.option)))
    fetch(order)
    order.task.prepare(order.inputs, order.names, order.settings)


def option_name(extra: Extra) -> str:
    """What was typed for a further picture is called."""
    return extra.option.replace("-", "_")


def without_content(order: Order, args: argparse.Namespace) -> int:
    """Write what is made of the other inputs alone."""
    wanted = [extra for extra in order.task.extras if extra.of_inputs and getattr(args, option_name(extra))]
    first = order.task.inputs[0]
    if not wanted or args.output or order.given[first.name]:
        what = " or ".join(f"--{extra.option}" for extra in order.task.extras if extra.of_inputs)
        raise ImageError(f"Give a {first.title.upper()} and -o with the picture to write; or {what} alone.")
    prepare(order, args, several=False)
    for of_inputs, target in [(extra.of_inputs, target) for extra, target in order.extras if extra.of_inputs]:
        tell(target.write(Result(of_inputs(order.inputs))))
    return 0


def fetch(order: Order) -> None:
    """Have the networks here that are known by name, with a bar where they are downloaded."""
    for name, setting in order.task.settings.items():
        wanted = order.whole[name]
        if setting.free != "FILE" or not wanted:
            continue
        if found := files.pulled(str(wanted)):
            order.settings[name] = wanted = found
        if found or wanted in setting.options or name != "model":
            with download_bar(str(wanted)) as progress:
                load = order.task.load if name == "model" else load_encoder
                load(wanted, progress=progress)


def rehearse(order: Order) -> None:
    """Take one tiny step, so that a wrong setting is told once and at once."""
    if "num_steps" in order.task.settings and "size" in order.task.settings:
        low = int(order.task.settings["size"].low or 64)
        noise = torch.rand(1, 3, low, low, generator=torch.Generator().manual_seed(0))
        small = order.settings | {"size": low, "num_steps": 1}
        next(order.task.run(**{"content": noise, **order.inputs}, **small))


def paint_all(jobs: Sequence[Job], order: Order, several: bool) -> int:
    """Paint one after the other; how many failed, if they are to be skipped and not to end all."""
    failed, told = 0, not order.task.optimizes
    shown = None if several or "num_steps" in order.task.settings or order.layout.clip else True
    with tqdm(total=len(jobs), bar_format=BAR, file=sys.stderr, disable=shown) as bar:
        for number, job in enumerate(jobs):
            bar.set_description_str(Path(job.content or job.target.path).name, refresh=False)
            try:
                picture = files.open_painted(order.task, job.content) if job.content else None
                if not told and not isinstance(picture, Clip):
                    forecast(picture, order, len(jobs) - number)
                    told = True
                tell(paint(job, picture, order, bar, number))
            except Exception as error:
                sentence = complaint(error)
                if sentence is None or not several:
                    raise
                tell([f"{job.content}: {sentence}"], sys.stderr)
                failed += 1
            bar.update(number + 1 - bar.n)
    return failed


def forecast(picture: Picture | None, order: Order, count: int) -> None:
    """Say what a long run will take."""
    whole = order.whole
    shape = order.task.shape(picture.rgb.size[::-1] if picture else (1, 1), whole)
    if shape is not None:
        asked = whole | {"size": whole.get("size") or max(64, *shape)}
        tell_cost(estimate(shape, **asked), count * order.task.times(whole), whole)


def paint(job: Job, picture: Picture | Clip | None, order: Order, bar: tqdm[Any], number: int) -> list[Path]:
    """Paint one picture and write it, with its recipe, its snapshots and its losses; gives what was written."""
    name = Path(job.content or job.target.path).name
    named = order.names | ({"content": name} if picture else {})
    recipe = make_recipe(order.settings, task=order.task.name, **named)
    if isinstance(picture, Clip):
        return film(job, picture, order, recipe, partial(told, name=name, bar=bar, number=number))
    inputs = {PAINTED: to_tensor(picture), **order.inputs} if picture else order.inputs
    recorder = Recorder(order, job, picture)
    for step in told(order.task.run(**inputs, **order.settings), name, bar, number):
        recorder.note(step)
    alpha = picture.alpha if picture and order.task.panel.compares else None
    result = Result(step.image.cpu(), order.layout, recipe, alpha)
    further = [(target, made(extra, order.whole | inputs, result)) for extra, target in order.extras]
    written = job.target.write(result, order.rate)
    written += [order.task.keeps(order.whole)] if order.task.keeps else []
    written += [path for target, one in further for path in target.write(one)]
    recorder.finish(recipe)
    return written


def told(steps: Iterator[Step], name: str, bar: tqdm[Any], number: int) -> Iterator[Step]:
    """The same steps, shown as they pass."""
    due = 0.0
    for step in steps:
        if time.monotonic() >= due:  # what a step looks like costs time to know
            bar.set_postfix_str(words_of(step), refresh=False)
            bar.update(number + step.work - bar.n)
            due = time.monotonic() + REFRESHED
        if step.note:
            tell([f"{name}: {step.note}"], sys.stderr)
        yield step


def film(
    job: Job, clip: Clip, order: Order, recipe: dict[str, Any], shown: Callable[[Iterator[Step]], Iterator[Step]]
) -> list[Path]:
    """Paint a clip, which the run itself writes; gives what was written, also of one that was stopped."""
    run = order.task.run(clip, **order.inputs, **order.settings, out=job.target.path, recipe=recipe)
    try:
        with closing(run) as steps:  # type: ignore[type-var]
            for _ in shown(steps):
                pass
    except KeyboardInterrupt:
        if is_unfinished(job.target.path):
            tell([f"'{job.target.path}' holds what is done; the same command goes on from there."], sys.stderr)
        raise
    return [job.target.path]


def made(extra: Extra, given: Mapping[str, Any], result: Result) -> Result:
    """A further picture, of what was given or of the result."""
    if extra.of_result:
        return Result(extra.of_result(result.images))
    return Result(extra.of_inputs(given)) if extra.of_inputs else result


def begin(task: str, args: argparse.Namespace) -> None:
    """In a worker, before its first picture: open what all its pictures have in common."""
    order = read(TASKS[task], args)
    prepare(order, args, several=True)
    _here.append((order, args))


_here: list[tuple[Order, argparse.Namespace]] = []  # in a worker: what `begin` opened


def paint_one(job: Job) -> tuple[list[Path], str]:
    """In a worker: paint a picture; what was written, or a sentence on what went wrong."""
    order, args = _here[0]
    order.snapshots = snapshots_of(args, [job], several=True)
    try:
        picture = files.open_painted(order.task, job.content) if job.content else None
        with tqdm(total=1, disable=True) as bar:
            return paint(job, picture, order, bar, 0), ""
    except Exception as error:
        if (sentence := complaint(error)) is None:
            raise
        return [], f"{job.content}: {sentence}"
