"""One visitor's painting: the run behind it, what the page shows of it, and the result with its recipe inside."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from nst.images import Picture, fit, save, save_cube, to_tensor
from nst.optimize import Step, throttle
from nst.registry import offered
from nst.server import inputs, limits, queue, tempfiles, zerogpu
from nst.settings import long_side, style_side
from nst.stylize import open_mask
from nst.tasks import TASKS
from nst.tasks.recipe import make_recipe
from nst.tasks.result import ONE, Layout, Result, plain
from nst.tasks.task import CLIP, MAP, MASK, Run
from nst.ui import forecast, progress
from nst.ui.pictures import opened
from nst.ui.viewer import Pair, Sheet

PREVIEW, PREVIEW_OF_MANY = 512, 1024
"""Long side of previews and snapshots in pixels; of previews that are several pictures in one."""


LEAST_OPENED = 512
"""Long side in pixels below which no picture is made smaller before the run has it."""

SNAPSHOTS = 8
"""How many a run leaves, beside the result."""

Load = Callable[..., object]
View = dict[str, Any]
"""What is to be shown anew, by part of the page: see `nst.ui.result_panel.Stage`."""


@dataclass(frozen=True)
class Order:
    """What a visitor asks for.

    Attributes:
        settings: keyword arguments of the run.
        pictures: paths by the name of the run's argument, in the order of its arguments; a list where it takes several.
        task: what the recipe is of, a name of `nst.tasks.TASKS`.
        names: those of pictures that are examples, for the recipe.
        extras: further arguments that have no place in a recipe, such as masks; pictures among them as `Path`s.
        layout: what the pictures of the result are.
        tiled: whether the result is shown tiled, too.
        continues: whether one can go on from the result.
    """

    settings: dict[str, Any]
    pictures: dict[str, str | list[str]]
    task: str = "style_transfer"
    names: dict[str, Any] = field(default_factory=dict)
    extras: dict[str, Any] = field(default_factory=dict)
    layout: Layout = ONE
    tiled: bool = False
    continues: bool = True

    @property
    def several(self) -> bool:
        """Whether the result is several pictures."""
        return bool(self.layout.titles) and self.layout.main is None


@dataclass(eq=False)
class Painting(queue.Visitor):
    """What one visitor paints, or has painted. Lives in that visitor's session only.

    Attributes:
        order: what is painted.
        start: path of the picture that it goes on from, if it does.
        points: step and losses so far, for the curves; of earlier runs too, if this one went on from them.
        steps_before, total: steps of those earlier runs, and steps in all.
        snapshots: paths and captions.
        before, alpha: paths of the content and its transparency at the run's size; None where it is opaque.
        clip: path of the clip that the run writes.
        latest: the newest pictures while the run lasts; what stays in the session are names and files.
        singles: paths and titles of the pictures of the result, where it is several.
        result: path of the finished PNG.
        shown: what is to be shown of it.
        forecast: seconds that were forecast for it, as measured in quiet; 0 for none.
        closed: whether the run is over.
    """

    order: Order
    start: str | None = None
    points: list[tuple[int, progress.Losses]] = field(default_factory=list)
    steps_before: int = 0
    total: int = 0
    snapshots: list[tuple[str, str]] = field(default_factory=list)
    latest: Result | None = None
    singles: list[tuple[str, str]] = field(default_factory=list)
    before: Path | None = None
    alpha: Path | None = None
    clip: Path | None = None
    result: str | None = None
    shown: View = field(default_factory=dict)
    forecast: float = 0.0
    closed: bool = False
    note: str | None = None
    next_snapshot: float = 0.0
    deadline: limits.Deadline = field(default_factory=limits.Deadline)
    writing: threading.Lock = field(default_factory=threading.Lock)

    def go_on(self, order: Order) -> Painting:
        """The painting that goes on from this one's result."""
        return Painting(
            order,
            start=self.last,
            points=list(self.points),
            steps_before=self.steps,
            total=self.total,
            snapshots=list(self.snapshots[-2 * SNAPSHOTS :]),
        )

    @property
    def steps(self) -> int:
        """How many steps were taken, earlier runs included."""
        return self.points[-1][0] if self.points else 0

    def paint(self, run: Run, load: Load) -> Iterator[View]:
        """Run it; yields what to show. Closing this closes the run and lets go of the device.

        Args:
            run: has the signature of the task's function in `nst.stylize`.
            load: fetches and loads a model or an encoder by name, reporting to `progress`.

        Raises:
            ImageError, ValueError, WeightsNotFound: with a sentence for people.
        """
        try:
            yield from self._load(load)
            elsewhere = zerogpu.serves(self.order.task)
            if not elsewhere and not (yield from _as_views(queue.wait(self))):
                return
            with queue.computing_elsewhere(self) if elsewhere else queue.computing(self):
                self.deadline = limits.Deadline()
                pictures, settings = self._arguments()  # only now: many may wait, and a photo can take 50 MB
                steps = throttle(run(*pictures, **settings))
                try:
                    for step in steps:
                        if self.stopped:
                            break
                        yield self._view(step)
                finally:
                    steps.close()  # type: ignore[attr-defined]
        finally:
            self.closed = True
            self._write()

    def _arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Of the run: pictures, and what is given by name."""
        paths = {
            role: [Path(one) for one in given] if isinstance(given, list) else Path(given)
            for role, given in self.order.pictures.items()
        }
        given = tuple(self._open(role, path) for role, path in paths.items())
        start = {"init": to_tensor(opened(self.start))} if self.start else {}
        extras = {name: self._open(name, value) for name, value in self.order.extras.items()}
        if self.order.layout.clip:
            self.clip = tempfiles.new_file(self._file_name("mp4"))
            extras |= {"out": self.clip, "recipe": self._recipe()}
        return given, self.order.settings | extras | start

    def _open(self, name: str, value: Any) -> Any:
        """An argument of the run: paths as pictures no larger than it can use, in tensors, and all else as it is."""
        if isinstance(value, list):
            return [self._open(name, one) for one in value]
        if not isinstance(value, Path):
            return value
        self.deadline.check()
        role = TASKS[self.order.task].role(name)
        if role == CLIP:
            return limits.open_clip(str(value))
        size = self._useful(name)
        if role == MASK:
            with inputs.open_file(str(value)) as file:
                return open_mask(file, size)
        picture = opened(str(value), size)
        if name == "content" and not self.order.several:
            self._keep(picture)
        return to_tensor(picture)

    def _useful(self, role: str) -> int | None:
        """Long side in pixels that the run can use of a picture; None is as much as is painted here at all."""
        asked = TASKS[self.order.task].defaults | self.order.settings
        if TASKS[self.order.task].role(role) == MAP:  # its flat colors must not be blended
            return None
        size = long_side(asked)
        if role == "style":
            size = max(size, round(style_side(asked)))
        return max(size, LEAST_OPENED) if size else None

    def _keep(self, content: Picture) -> None:
        """Keep as much of the content as the result needs: an upload may have a hundred times the pixels."""
        asked = self.order.settings.get("size", TASKS[self.order.task].defaults["size"])
        size = fit(*content.rgb.size, asked or max(content.rgb.size))
        before = content.rgb.resize(size, Image.Resampling.LANCZOS)
        self.before = save(tempfiles.new_file("before.jpg"), before)
        if content.alpha:
            alpha = content.alpha.resize(size, Image.Resampling.BICUBIC)
            self.alpha = save(tempfiles.new_file("alpha.png"), alpha)

    def _load(self, load: Load) -> Iterator[View]:
        """Load the network on a thread, showing how far a download is."""
        about, settings = list[str](), self.order.settings
        what, name = ("model", settings["model"]) if settings.get("model") else ("encoder", settings.get("encoder"))

        def work(report: progress.Report) -> None:
            if name and (offer := offered(name)):
                about.append("" if offer.here else f"{offer.told}. ")
                settings[what] = offer.name  # this very state, which is asked for no more
            load(settings.get(what) or TASKS["style_transfer"].defaults["encoder"], progress=report)

        def check() -> None:
            if self.stopped:
                raise progress.Left

        with closing(progress.watched(work, queue.POLL, check)) as looks:
            for now, total in looks:
                if self.stopped:
                    return
                detail = f"Downloading, {now / 1e6:.0f} of {total / 1e6:.0f} MB, this once." if total else ""
                share = now / total if total else 0.0
                told = "".join(about) + detail
                yield {"status": progress.status(f"Getting the {what}", told, done=share, kind="busy")}

    def _view(self, step: Step) -> View:
        """Note this step, and show it."""
        self.latest = Result(step.image.cpu(), self.order.layout)
        self.total = self.steps_before + step.total
        index = self.steps_before + step.index
        self.points.append((index, step.losses))
        progress.thin(self.points)
        self.note, self.work = step.note or self.note, step.work
        preview = self.latest.picture
        preview.thumbnail((PREVIEW_OF_MANY if self.order.several else PREVIEW,) * 2)
        spent = time.monotonic() - self.started
        if self.forecast and step.index > 2:
            forecast.learn(self.forecast * step.work, spent)
        left = f"About {progress.duration(spent / step.work * (1 - step.work))} left." if step.index > 2 else ""
        unit = "Frame" if self.order.layout.clip else "Step"
        where = f"{unit} {index} of {self.total}, {step.size} px."
        detail = " ".join(part for part in (where, left, self.note) if part)
        view = {
            "status": progress.status(f"Painting, {step.work:.0%}", detail, done=step.work, kind="busy"),
            "preview": preview,
            "curves": progress.curves(self.points, self.total),
        }
        if self.order.tiled:
            view["tiled"] = _tiled(preview)
        if step.work >= self.next_snapshot and step.total > 1 and not self.order.several:
            self.next_snapshot = step.work + 1 / SNAPSHOTS
            view["snapshots"] = self._snapshot(preview, f"{unit} {index}")
        return view

    def _snapshot(self, preview: Image.Image, caption: str) -> list[tuple[str, str]]:
        path = save(tempfiles.new_file(f"{caption.lower().replace(' ', '-')}.jpg"), preview)
        self.snapshots.append((str(path), caption))
        return list(self.snapshots)

    def finish(self) -> View:
        """Write the newest picture as the result, and show it; also after Stop, while the run still ends."""
        self._write()
        if not self.result:
            return {"status": progress.status("Stopped", "Before the first step, so there is no new picture.")}
        return self.shown

    def _write(self) -> None:
        """Write the newest picture, if there is one that is not written yet, and all that is to be shown of it."""
        with self.writing:
            latest, self.latest = self.latest, None
            if latest is None or self.result:
                return
            order, picture = self.order, latest.picture
            recipe = self._recipe() | {"steps": self.steps, "continued": self.start is not None}
            alpha = opened(str(self.alpha)).rgb.convert("L") if self.alpha else None
            path = save(tempfiles.new_file(self._file_name("png")), picture, recipe=recipe, alpha=alpha)
            ended = self._ended(*(latest.images.shape[:-3:-1] if order.layout.plays else picture.size))
            view: View = {"status": ended, "preview": str(path), "download": str(path)}
            if order.tiled:
                view["tiled"] = str(save(tempfiles.new_file("tiled.png"), _tiled(picture)))
            if self.before:
                before = opened(str(self.before)).rgb.resize(picture.size, Image.Resampling.LANCZOS)
                view["compare"] = (
                    str(save(tempfiles.new_file("before.jpg"), before)),
                    str(save(tempfiles.new_file("after.jpg"), picture)),
                )
            if self.clip and self.clip.is_file():
                view["clip"] = Pair(str(order.pictures["content"]), str(self.clip), "After, and before")
            self.shown = view | self._parts(latest)
            self.result, self.before, self.alpha = str(path), None, None

    def _recipe(self) -> dict[str, Any]:
        return make_recipe(self.order.settings, task=self.order.task, **self.order.names)

    def _ended(self, width: int, height: int) -> str:
        """The status line at the end."""
        whole = self.steps >= self.total
        spent = progress.duration(time.monotonic() - self.started)
        so_far = "The picture so far is kept" + ("; Continue goes on from it." if self.order.continues else ".")
        unit = "frames" if self.order.layout.clip else "steps"
        detail = f"After {self.steps} of {self.total} {unit}. {so_far}"
        if whole:
            count, unit = (len(self.order.layout.titles), "pictures") if self.order.layout.plays else (self.steps, unit)
            detail = f"{f'{count} {unit}, ' if count > 1 else ''}{width} x {height} px, in {spent}."
        detail = " ".join(filter(None, (detail, self.note)))
        return progress.status("Finished" if whole else "Stopped", detail, done=self.work, kind="done")

    def _parts(self, result: Result) -> View:
        """The pictures of a result that is several, each for itself, and the film that they make."""
        layout = result.layout
        if not self.order.several:
            return {}
        if layout.plays:
            film = str(result.save_film(tempfiles.new_file(self._file_name("webp"))))
            return {"film": film, "preview": film}
        self.singles = [
            (str(save(tempfiles.new_file(f"{i:02d}-{plain(title)}.png"), one)), title)
            for i, (title, one) in enumerate(result.pictures, 1)
        ]
        view: View = {"snapshots": Sheet(self.singles, layout.columns)}
        if layout.table:
            view["film"] = str(self._table())
        if layout.seconds:
            view["film"] = view["preview"] = str(result.save_film(tempfiles.new_file(self._file_name("gif"))))
        return view

    def _table(self) -> Path:
        """The look-up table of colors that comes with the result."""
        task, (pictures, settings) = TASKS[self.order.task], self._arguments()
        given = dict(zip(self.order.pictures, pictures, strict=True)) | task.defaults | settings
        made = next(extra.of_inputs for extra in task.extras if extra.layout.table and extra.of_inputs)
        return save_cube(tempfiles.new_file(self._file_name("cube")), made(given))

    def _file_name(self, suffix: str) -> str:
        given = self.order.names
        roles = [role for role in ("content", "style") if role in self.order.pictures or role in given]
        names = {role: given.get(role) or ("picture" if role == "content" else role) for role in roles}
        parts = [name[0] if isinstance(name, list) else name for name in names.values()] or [self.order.task]
        return f"pastiche-{'-'.join(plain(part) for part in parts)}.{suffix}"

    @property
    def last(self) -> str | None:
        """Path of the picture to go on from, if it is still there."""
        path = self.result or self.start
        return path if path and Path(path).is_file() else None


def _tiled(picture: Image.Image) -> Image.Image:
    """The picture repeated, twice each way."""
    wide, tall = picture.size
    tiled = Image.new("RGB", (2 * wide, 2 * tall))
    for corner in ((0, 0), (wide, 0), (0, tall), (wide, tall)):
        tiled.paste(picture, corner)
    return tiled


def _as_views(told: Generator[tuple[int, float], None, bool]) -> Generator[View, None, bool]:
    """What is known while one waits, as what is to be shown."""
    try:
        while True:
            yield {"status": progress.waiting(*next(told))}
    except StopIteration as end:
        return bool(end.value)
    finally:
        told.close()
