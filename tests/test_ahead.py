"""What is done ahead comes in its order, as it would have come; and no thread is left behind."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import count

import pytest
from clips import drawn, make_clip

import nst.video.run
from nst.device import choose_device
from nst.fast import make_painter
from nst.video import Frame, probe
from nst.video.ahead import ahead, each_ahead, workers_for
from nst.video.flow import MotionFinder
from nst.video.run import paint_steadily, video_run

WORKERS = (0, 1, 4)


@pytest.fixture(autouse=True)
def ends_with_its_threads():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def doubled(items, workers):
    return each_ahead(lambda item: 2 * item, ahead(items, min(workers, 2)), workers)


def noted(items, closed):
    """The items; and `closed` gets a word once nobody wants more of them."""
    try:
        yield from items
    finally:
        closed.append("closed")


@pytest.mark.parametrize("workers", WORKERS)
def test_the_order_stays(workers):
    assert list(doubled(range(20), workers)) == list(range(0, 40, 2))
    assert not list(doubled([], workers))


@pytest.mark.parametrize("workers", WORKERS)
def test_only_so_much_is_taken_ahead_and_whoever_stops_closes_all(workers):
    taken, closed = [], []
    items = noted((taken.append(i) or i for i in count()), closed)
    made = doubled(items, workers)
    assert [next(made) for _ in range(5)] == [0, 2, 4, 6, 8]
    made.close()
    assert closed == ["closed"]
    assert len(taken) <= 5 + 2 * workers + 4


@pytest.mark.parametrize("workers", WORKERS)
def test_an_error_comes_in_its_turn(workers):
    def broken():
        yield from range(3)
        raise OSError("gone")

    made = doubled(broken(), workers)
    assert [next(made) for _ in range(3)] == [0, 2, 4]
    with pytest.raises(OSError, match="gone"):
        next(made)
    with pytest.raises(ZeroDivisionError):
        list(each_ahead(lambda item: 1 / item, [1, 0, 1], workers))


def shown(count=6):
    """A scene, a cut in its middle."""
    return [Frame(drawn(i) if i < 4 else 255 - drawn(3 * i)[::-1], i, 1) for i in range(count)]


@pytest.mark.parametrize("consistency", [0, 80])
def test_a_clip_looks_the_same_however_many_threads_paint_it(consistency):
    painter = make_painter(["waves"], device="cpu")
    one, *others = [list(paint_steadily(shown(), painter, consistency, workers=workers)) for workers in WORKERS]
    assert [frame.time for frame, _ in one] == list(range(6))
    for other in others:
        for (frame, image), (same, alike) in zip(one, other, strict=True):
            assert frame is not same and frame.time == same.time
            assert (image == alike).all()


@pytest.mark.parametrize("workers", WORKERS)
def test_a_run_that_is_stopped_leaves_a_clip_that_plays(workers, tmp_path, monkeypatch):
    monkeypatch.setattr(nst.video.run, "workers_for", lambda *_: workers)
    clip, out = probe(make_clip(tmp_path / "clip.mp4", count=30)), tmp_path / "out.mp4"
    run = video_run(clip, make_painter(["waves"], device="cpu"), out=out)
    for _ in range(3):
        next(run)
    run.close()
    assert probe(out).frames == 3
    rest = list(video_run(clip, make_painter(["waves"], device="cpu"), out=out))
    assert len(rest) == 27 and probe(out).frames == 30


@pytest.mark.parametrize("workers", WORKERS)
def test_a_frame_that_cannot_be_read_ends_the_run_with_its_error(workers, tmp_path, monkeypatch):
    monkeypatch.setattr(nst.video.run, "workers_for", lambda *_: workers)
    clip, out = probe(make_clip(tmp_path / "clip.mp4", count=2)), tmp_path / "out.mp4"

    def broken(*_, **__):
        yield from shown(6)
        raise MemoryError("too large")

    monkeypatch.setattr(nst.video.run, "read_frames", broken)
    with pytest.raises(MemoryError, match="too large"):
        list(video_run(clip, make_painter(["waves"], device="cpu"), out=out))
    assert probe(out).frames >= 3


def test_on_the_cpu_nothing_is_done_ahead():
    assert workers_for(choose_device("cpu"), (1280, 720)) == 0


def test_every_thread_searches_with_buffers_of_its_own():
    finder = MotionFinder()
    pairs = [finder.pair(frame.image) for frame in shown(5)][1:]
    alone = [pair.motion().source for pair in pairs]
    again = [replace(pair, flows=None) for pair in pairs * 3]
    together = list(each_ahead(lambda pair: pair.motion().source, again, 4))
    assert all((one == other).all() for one, other in zip(alone * 3, together, strict=True))
