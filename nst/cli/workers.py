"""A folder of pictures by several processes: each has its own networks, and its share of the processor."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import torch
from tqdm import tqdm

from nst.cli.files import Job
from nst.cli.progress import BAR, tell
from nst.images import ImageError

Paint = Callable[[Job], tuple[Sequence[object], str]]


def spread(paint: Paint, jobs: Sequence[Job], count: int, begin: Callable[..., None], given: tuple[Any, ...]) -> int:
    """Paint all, as many at a time as there are workers; how many failed.

    Args:
        paint: done by a worker for each job; gives what was written, or a sentence on what went wrong.
        jobs: in their order.
        count: of workers.
        begin: done by a worker before its first job, with the arguments `given`.

    Raises:
        ImageError: a worker was ended from outside, as for want of memory.
    """
    failed, count = 0, min(count, len(jobs))
    threads = max(1, torch.get_num_threads() // count)
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _begin, (threads, begin, given))
    try:
        with tqdm(total=len(jobs), bar_format=BAR, file=sys.stderr) as bar:
            for done in as_completed([pool.submit(paint, job) for job in jobs]):
                written, sentence = done.result()
                tell(written)
                tell([sentence] * bool(sentence), sys.stderr)
                failed += bool(sentence)
                bar.update()
    except BrokenProcessPool as error:
        what = "A worker was ended, maybe for want of memory: try fewer --workers; what is done stays."
        raise ImageError(what) from error
    except BaseException:
        for child in multiprocessing.active_children():  # what they are at is not waited for
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return failed


def _begin(threads: int, begin: Callable[..., None], given: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches all, and is told by the first process
    torch.set_num_threads(threads)
    begin(*given)
