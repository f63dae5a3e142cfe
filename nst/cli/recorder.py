"""What is kept of a run beside its result: moments of it as pictures, and its losses."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from nst.cli import options
from nst.cli.errors import complaint
from nst.cli.experiments import write_json
from nst.cli.progress import tell
from nst.images import ImageError, Picture, fit, resize, save, to_pil
from nst.optimize import Step
from nst.tasks.result import Result

if TYPE_CHECKING:
    from nst.cli.files import Job
    from nst.cli.run import Order


class Recorder:
    """What is kept of a run beside its result: moments of it, and its losses."""

    def __init__(self, order: Order, job: Job, picture: Picture | None) -> None:
        self.order, self.job, self.began = order, job, time.perf_counter()
        self.folder, self.steps, self.count = order.snapshots.get(job), list[dict[str, Any]](), 0
        size = order.whole.get("size")
        self.full = fit(*picture.rgb.size, size)[::-1] if picture and size else None

    def note(self, step: Step) -> None:
        """Keep a step's losses, and if it is time its picture; one that cannot be written ends no run."""
        if self.folder and is_moment(step):
            self.count += 1
            image = Result(step.image, self.order.layout)
            shown = image.picture if self.full is None or len(step.image) > 1 else to_pil(resize(step.image, self.full))
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                save(self.folder / f"{self.count:04d}.jpg", shown)  # all of one size, so that they make a film
            except (ImageError, OSError) as error:
                tell([f"No more snapshots: {complaint(error)}"], sys.stderr)
                self.folder = None
        if self.order.trace:
            entry = {"step": step.index, "size": step.size, "seconds": round(time.perf_counter() - self.began, 3)}
            self.steps.append(entry | {"losses": step.losses} | ({"note": step.note} if step.note else {}))

    def finish(self, recipe: dict[str, Any]) -> None:
        """Write the losses."""
        if self.order.trace:
            out = {"content": self.job.content, "out": str(self.job.target.path), "recipe": recipe, "steps": self.steps}
            self.order.runs.append(out)
            write_json(self.order.trace, {"runs": self.order.runs})


def is_moment(step: Step) -> bool:
    """Whether to keep a snapshot: the first step, then at even distances, the last included."""
    count = options.SNAPSHOTS
    return step.index == 1 or step.index * count // step.total > (step.index - 1) * count // step.total
