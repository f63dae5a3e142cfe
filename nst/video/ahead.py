"""Work done ahead of who wants what comes of it, in threads of its own; the order stays, and so does what comes.

FFmpeg, OpenCV, NumPy and PyTorch let go of Python's lock while they compute. So a clip can be read, its motion found,
its frames painted, held steady and written side by side.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import TypeVar

from nst.device import Device

Item = TypeVar("Item")
Made = TypeVar("Made")

MOST, WAITING = 6, 6
"""Threads that find motion at most: frames are fused one after the other, and that keeps up with no more. And how many
frames lie between all others."""

HELD, EACH = 10**9, 18
"""Bytes that all those frames may take together, and what a pixel takes with its motion and its painting."""


def workers_for(device: Device, size: tuple[int, int]) -> int:
    """How many threads find the motion of a clip, of so many pixels across and down; 0 is none, and nothing is done
    ahead.

    Those are the CPUs, where the network computes there: it takes every core that there is, and all else would only be
    in its way.
    """
    if device.torch_device.type == "cpu":
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST, cores - 3, HELD // (EACH * size[0] * size[1]) - WAITING))


def ahead(items: Iterable[Item], most: int = 2) -> Generator[Item, None, None]:
    """What is given, taken in a thread of its own, which ends with this; a generator is closed then.

    Args:
        items: their errors come in their turn.
        most: how many are taken ahead at most; 0 takes each as it is wanted, without a thread.
    """
    with _threads(min(most, 1), items) as (thread, source):
        if thread is None:
            yield from source
            return
        waiting = deque(thread.submit(_taken, source) for _ in range(most))
        while taken := waiting.popleft().result():
            waiting.append(thread.submit(_taken, source))
            yield taken.pop()


def each_ahead(work: Callable[[Item], Made], items: Iterable[Item], workers: int) -> Generator[Made, None, None]:
    """What becomes of each of those that are given, in their order, several at a time.

    Args:
        work: may be called in any thread.
        items: they are taken in the caller's. Their errors come in their turn, and so do those of the work.
        workers: how many threads, which end with this; 0 works at each as it is wanted, without any.
    """
    with _threads(workers, items) as (threads, source):
        if threads is None:
            yield from map(work, source)
            return
        waiting = deque[Future[Made]]()
        for call in _calls(work, source):
            waiting.append(threads.submit(call))
            if len(waiting) > workers + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def _threads(count: int, items: Iterable[Item]) -> Iterator[tuple[ThreadPoolExecutor | None, Iterator[Item]]]:
    """Threads, or None for 0, and what is given; in the end they are waited for, and what is a generator is closed."""
    source, threads = iter(items), ThreadPoolExecutor(count) if count else None
    try:
        yield threads, source
    finally:
        if threads is not None:
            threads.shutdown(cancel_futures=True)
        if isinstance(source, Generator):
            source.close()


def _taken(source: Iterator[Item]) -> list[Item]:
    return list(islice(source, 1))


def _calls(work: Callable[[Item], Made], items: Iterator[Item]) -> Iterator[Callable[[], Made]]:
    """The work at each; where there is no further one to be had but an error, that."""

    def failed(error: Exception) -> Made:
        raise error

    try:
        for item in items:
            yield partial(work, item)
    except Exception as error:
        yield partial(failed, error)
