"""One visitor's painting: the run behind it, what the page shows of it, and the result with its recipe inside."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image

from nst.device import lock
from nst.images import Picture, decode, fit, save, to_pil, to_tensor
from nst.optimize import Step, throttle
from nst.recipes import DEFAULTS, make_recipe
from nst.ui import progress, scratch

PREVIEW = 512
"""Long side of previews and snapshots in pixels."""

SNAPSHOTS = 8
"""How many a run leaves, beside the result."""

POLL = 0.2
"""Seconds between two looks at something that is waited for."""

Run = Callable[..., Iterator[Step]]
Load = Callable[..., object]
View = dict[str, Any]
"""What is to be shown anew, by part of the page: status, preview, curves, snapshots, compare, download."""


class Stopped(Exception):
    """The visitor pressed Stop; ends a download."""


@dataclass(eq=False)
class Painting:
    """What one visitor paints, or has painted. Lives in that visitor's session only.

    Attributes:
        content, style: paths of the pictures; `names` are those of examples, for the recipe.
        settings: keyword arguments of the run.
        points: step and losses so far, for the curves; of earlier runs too, if this one went on from them.
        steps_before, total: steps of those earlier runs, and steps in all.
        snapshots: paths and captions.
        before, alpha: the content and its transparency at the run's size; None where it is opaque.
        latest: the newest picture, until it is the result.
        result: path of the finished PNG.
        stopped, closed: whether the visitor pressed Stop, and whether the run is over.
    """

    content: str
    style: str
    settings: dict[str, Any]
    names: dict[str, str | None] = field(default_factory=dict)
    start: str | None = None
    points: list[tuple[int, progress.Losses]] = field(default_factory=list)
    steps_before: int = 0
    total: int = 0
    snapshots: list[tuple[str, str]] = field(default_factory=list)
    latest: Image.Image | None = None
    before: Image.Image | None = None
    alpha: Image.Image | None = None
    result: str | None = None
    stopped: bool = False
    closed: bool = False
    started: float = 0.0
    note: str | None = None
    next_snapshot: float = 0.0
    work: float = 0.0

    def go_on(self, content: str, style: str, settings: dict[str, Any], names: dict[str, str | None]) -> Painting:
        """The painting that goes on from this one's result."""
        return Painting(
            content, style, settings, names, start=self.last, points=list(self.points),
            steps_before=self.steps, total=self.total, snapshots=list(self.snapshots[-2 * SNAPSHOTS :]),
        )  # fmt: skip

    @property
    def steps(self) -> int:
        """How many steps were taken, earlier runs included."""
        return self.points[-1][0] if self.points else 0

    def paint(self, run: Run, load: Load) -> Iterator[View]:
        """Run it; yields what to show. Closing this closes the run and lets go of the device.

        Args:
            run: has the signature of `nst.stylize.style_transfer`.
            load: fetches and loads an encoder by name, reporting to `progress`; so a download neither holds
                the device nor keeps the page waiting.

        Raises:
            ImageError, ValueError, WeightsNotFound: with a sentence for people.
        """
        try:
            content = decode(self.content)
            self._keep(content)
            pictures = to_tensor(content), to_tensor(decode(self.style))
            settings = dict(self.settings)
            if self.start:
                settings["init"] = to_tensor(decode(self.start))
            yield from self._load(load)
            held = yield from self._wait()
            if not held:
                return
            try:
                self.started = time.monotonic()
                _running[:] = [self]
                steps = throttle(run(*pictures, **settings))
                try:
                    for step in steps:
                        if self.stopped:
                            break
                        yield self._view(step)
                finally:
                    steps.close()  # type: ignore[attr-defined]
            finally:
                _running.clear()
                _spent.append(time.monotonic() - self.started)
                lock.release()
        finally:
            self.closed = True

    def _keep(self, content: Picture) -> None:
        """Keep as much of the content as the result needs: an upload may have a hundred times the pixels."""
        size = fit(*content.rgb.size, self.settings.get("size", DEFAULTS["size"]))
        self.before = content.rgb.resize(size, Image.Resampling.LANCZOS)
        self.alpha = content.alpha.resize(size, Image.Resampling.BICUBIC) if content.alpha else None

    def _load(self, load: Load) -> Iterator[View]:
        """Load the encoder on a thread, showing how far a download is."""
        done, failed = [0, 0], []

        def report(now: int, total: int) -> None:
            if self.stopped or self.closed:
                raise Stopped
            done[:] = now, total

        def work() -> None:
            try:
                load(self.settings.get("encoder", "compact"), progress=report)
            except BaseException as error:  # told on the thread that waits
                failed.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(POLL)
        while thread.is_alive() and not self.stopped:
            now, total = done
            detail = f"Downloading, {now / 1e6:.0f} of {total / 1e6:.0f} MB, this once." if total else ""
            share = now / total if total else 0.0
            yield {"status": progress.status("Getting the encoder", detail, done=share, kind="busy")}
            thread.join(POLL)
        if failed and not isinstance(failed[0], Stopped):
            raise failed[0]

    def _wait(self) -> Generator[View, None, bool]:
        """Wait in line for the device; returns whether it is held, which it is unless Stop was pressed."""
        _line.append(self)
        try:
            while not self.stopped:
                first = _line[0] is self
                if first and lock.acquire(timeout=POLL):
                    return True
                if not first:
                    time.sleep(POLL)
                if self.stopped:
                    break
                ahead = _line.index(self)
                detail = f"{ahead} more before yours" if ahead else "Yours comes next"
                if seconds := _expected(ahead):
                    detail += f", in about {progress.duration(seconds)}"
                detail = f"It is still busy. {detail}."
                yield {"status": progress.status("Waiting for the machine", detail, done=0.0, kind="busy")}
            return False
        finally:
            _line.remove(self)

    def _view(self, step: Step) -> View:
        """Note this step, and show it."""
        self.latest = to_pil(step.image)
        self.total = self.steps_before + step.total
        index = self.steps_before + step.index
        self.points.append((index, step.losses))
        progress.thin(self.points)
        self.note, self.work = step.note or self.note, step.work
        preview = self.latest.copy()
        preview.thumbnail((PREVIEW, PREVIEW))
        spent = time.monotonic() - self.started
        left = f"About {progress.duration(spent / step.work * (1 - step.work))} left." if step.index > 2 else ""
        where = f"Step {index} of {self.total}, {step.size} px. Losses: {progress.words(step.losses)}."
        detail = " ".join(part for part in (where, left, self.note) if part)
        view = {
            "status": progress.status(f"Painting, {step.work:.0%}", detail, done=step.work, kind="busy"),
            "preview": preview,
            "curves": progress.curves(self.points, self.total),
        }
        if step.work >= self.next_snapshot:
            self.next_snapshot = step.work + 1 / SNAPSHOTS
            view["snapshots"] = self._snapshot(preview, f"Step {index}")
        return view

    def _snapshot(self, preview: Image.Image, caption: str) -> list[tuple[str, str]]:
        path = save(scratch.new_file(f"{caption.lower().replace(' ', '-')}.jpg"), preview)
        self.snapshots.append((str(path), caption))
        return list(self.snapshots)

    def finish(self) -> View:
        """Write the newest picture as the result, and show it; also after Stop, while the run still ends."""
        if self.result:
            return {}
        picture, self.latest = self.latest, None
        if picture is None or self.before is None:
            return {"status": progress.status("Stopped", "Before the first step, so there is no new picture.")}
        recipe = make_recipe(self.settings, content=self.names.get("content"), style=self.names.get("style"))
        recipe |= {"steps": self.steps, "continued": self.start is not None}
        path = save(scratch.new_file(self._file_name()), picture, recipe=recipe, alpha=self.alpha)
        self.result = str(path)
        whole = self.steps >= self.total
        spent = progress.duration(time.monotonic() - self.started)
        title = "Finished" if whole else "Stopped"
        detail = f"{self.steps} steps, {picture.width} x {picture.height} px, in {spent}." if whole else (
            f"After {self.steps} of {self.total} steps. The picture so far is kept; Continue goes on from it."
        )  # fmt: skip
        before, self.before, self.alpha = self.before, None, None  # a session may be kept for long
        return {
            "status": progress.status(title, " ".join(filter(None, (detail, self.note))), done=self.work, kind="done"),
            "preview": self.result,
            "compare": (before.resize(picture.size, Image.Resampling.LANCZOS), picture),
            "download": self.result,
        }

    def _file_name(self) -> str:
        parts = [self.names.get("content") or "picture", self.names.get("style") or "style"]
        return f"pastiche-{'-'.join(re.sub(r'[^a-z0-9]+', '-', part.lower()).strip('-') for part in parts)}.png"

    @property
    def last(self) -> str | None:
        """Path of the picture to go on from, if it is still there."""
        path = self.result or self.start
        return path if path and Path(path).is_file() else None


_line: list[Painting] = []
"""Who waits for the device, in order."""

_running: list[Painting] = []
"""Who has it, if anybody."""

_spent: deque[float] = deque(maxlen=8)
"""Seconds that the last runs took."""


def _expected(ahead: int) -> float:
    """Seconds until the device is free for who has so many before them in the line; 0 if nobody can tell yet."""
    usual = median(_spent) if _spent else 0.0
    left = usual
    for painting in _running[:1]:
        if painting.work > 0.02:
            left = (time.monotonic() - painting.started) / painting.work * (1 - painting.work)
    return left + ahead * usual if usual or not ahead else 0.0
