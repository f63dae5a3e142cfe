"""A run as the page shows it: the status line and the loss curves, as HTML and inline SVG."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from html import escape

CURVES = {"content": "content", "style": "style", "tv": "smoothness"}
"""The losses by name, and what they are called; a curve's color is its class in style.css."""

MAX_POINTS = 240
WIDTH, HEIGHT = 1000, 100  # of the drawing's own coordinates; CSS stretches them

Losses = dict[str, float]
Report = Callable[[int, int], None]


def duration(seconds: float) -> str:
    """A time for people, such as "8 s", "3 min" or "1 h 20 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def memory(size: int) -> str:
    """An amount of memory for people, such as "300 MB" or "1.2 GB"."""
    return f"{size / 1e9:.1f} GB" if size >= 0.95e9 else f"{max(10, round(size / 1e7) * 10)} MB"


def status(title: str, detail: str = "", *, done: float | None = None, kind: str = "idle") -> str:
    """The status box: a title, a line of detail, and a bar for the share of the work that is done, from 0 to 1; None
    draws no bar. `kind` ("idle", "busy", "done" or "error") decides the color."""
    bar = ""
    if done is not None:
        percent = round(100 * min(max(done, 0.0), 1.0))
        bar = (
            f'<div class="bar" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100" '
            f'aria-valuenow="{percent}"><span style="--done:{percent}%"></span></div>'
        )
    line = f"<p>{escape(detail)}</p>" if detail else ""
    return f'<div class="status {kind}"><strong role="status">{escape(title)}</strong>{line}{bar}</div>'


def waiting(ahead: int, seconds: float) -> str:
    """The status box of who waits for the device: how many come before, and in about how long; 0 is unknown."""
    detail = f"{ahead} more before yours" if ahead else "Yours comes next"
    if seconds:
        detail += f", in about {duration(seconds)}"
    return status("Waiting for the machine", f"It is still busy. {detail}.", done=0.0, kind="busy")


class Left(Exception):
    """Nobody waits any more; ends work that is watched."""


def watched(
    work: Callable[[Report], object],
    every: float,
    check: Callable[[], None] = lambda: None,
    *,
    to_its_end: bool = False,
) -> Generator[tuple[int, int], None, None]:
    """Do work on a thread of its own; yields how far it is, (done, in all), every so many seconds, and raises what it
    raises.

    Closing this ends the work at its next report, and waits until it has ended if `to_its_end`.

    Args:
        work: is given a function to report to.
        check: raises, at a report, what ends the work there; `Left` is told nobody.
    """
    done, left, ended = [(0, 0)], threading.Event(), Future[object]()

    def report(now: int, total: int) -> None:
        if left.is_set():
            raise Left
        check()
        done[0] = now, total

    def run() -> None:
        try:
            ended.set_result(work(report))
        except BaseException as error:  # told on the thread that waits
            ended.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        while not wait([ended], every).done:
            yield done[0]
    finally:
        left.set()
        if to_its_end:
            wait([ended])
    with suppress(Left):
        ended.result()


def thin(points: list[tuple[int, Losses]]) -> None:
    """Drop every other point of a history that has grown too long; the last one stays."""
    if len(points) > 2 * MAX_POINTS:
        del points[-2::-2]


def curves(points: Sequence[tuple[int, Losses]], total: int) -> str:
    """The loss curves on a logarithmic scale, from steps and losses in order; the horizontal axis ends at `total`."""
    values = [v for _, losses in points for v in losses.values() if v > 0 and math.isfinite(v)]
    if not values:
        return ""
    high = math.ceil(math.log10(max(values)) * 2) / 2
    low = max(math.floor(math.log10(min(values)) * 2) / 2, high - 4)
    high = max(high, low + 0.5)

    def place(step: int, value: float) -> tuple[float, float]:
        y = (high - math.log10(max(value, 10**low))) / (high - low)
        return WIDTH * step / max(total, 1), HEIGHT * min(max(y, 0.0), 1.0)

    lines, key = "", ""
    for name, title in CURVES.items():
        track = [place(i, losses[name]) for i, losses in points if math.isfinite(losses.get(name, math.nan))]
        if track:
            path = " ".join(f"{x:.0f},{y:.1f}" for x, y in track)
            lines += f'<polyline class="{name}" points="{path}"/>'
            last = points[-1][1].get(name, math.nan)
            key += f'<li class="{name}">{title} <b>{last:.2g}</b></li>'
    grid = ""
    for power in range(math.ceil(low), math.floor(high) + 1):
        y = HEIGHT * (high - power) / (high - low)
        grid += f'<i style="top:{y:.1f}%"><span>{10.0**power:g}</span></i>'
    return (
        f'<div class="curves"><ul aria-label="Losses">{key}</ul><div class="plot">{grid}'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">{lines}</svg></div>'
        f'<p class="axis"><span>step 0</span><span>{total}</span></p></div>'
    )
