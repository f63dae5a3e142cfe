"""What is told of painted clips: their steadiness, their style, their speed."""

from __future__ import annotations

import numpy as np
import pytest
from clips import make_clip

from nst.images import decode
from nst.research.bench.video import bench_video, bench_video_parts
from nst.research.evaluate.sheets import LABEL
from nst.research.evaluate.video import compare_video, warping_error
from nst.video import EXAMPLES, example_file, probe, read_frames
from nst.video.flow import MotionFinder


@pytest.mark.slow
def test_each_clip_is_painted_both_ways_and_steady_ones_flicker_less(tmp_path):
    clip = make_clip(tmp_path / "clip.mp4", count=8, size=(96, 64))
    rows = list(
        compare_video(
            clips=[str(clip)], styles=["waves"], modes=["fast"], frames=8, start=0, size=96, out=str(tmp_path)
        )
    )
    assert [(row["clip"], row["by"]) for row in rows] == [("clip", "fast"), ("mean of 1", "fast")]
    assert rows[0]["ratio"] == pytest.approx(rows[0]["steady"] / rows[0]["each"]) and rows[0]["ratio"] < 0.6
    assert decode(tmp_path / "sheet-clip-fast.png").rgb.size == (3 * 96, LABEL + 2 * 64)
    assert decode(tmp_path / "difference-clip-fast.png").rgb.size == (2 * 96, LABEL + 2 * 64)


def test_the_warping_error_is_that_of_what_does_not_move_along():
    frame = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    finder = MotionFinder()
    motions = [finder.next(frame), finder.next(frame)]
    assert warping_error([frame, frame], motions) == 0
    brighter = np.clip(frame.astype(int) + 51, 0, 255).astype(np.uint8)
    dimmer = np.zeros_like(frame)
    assert warping_error([dimmer, dimmer + 51], motions) == pytest.approx(0.04, rel=1e-3)
    assert 0 < warping_error([frame, brighter], motions) < 0.04


def test_speed_is_measured_from_file_to_file(tmp_path):
    row = next(bench_video(clip=str(make_clip(tmp_path / "clip.mp4", count=4)), size=64, frames=4))
    assert row["frames"] == 4 and row["rate"] == pytest.approx(4 / row["seconds"])
    assert row["ten_seconds"] == pytest.approx(240 / row["rate"])


def test_it_is_told_what_each_part_of_painting_a_clip_takes(tmp_path):
    rows = list(bench_video_parts(clip=str(make_clip(tmp_path / "clip.mp4", count=6)), size=64, frames=6))
    assert {row["part"] for row in rows} == {"read", "paint", "motion", "ground", "fuse", "write"}
    assert all(row["core_ms"] > 0 and row["ms"] > 0 for row in rows)


def test_the_example_is_small_and_whole():
    for name in EXAMPLES:
        path = example_file(name)
        assert path.stat().st_size < 300_000
        assert sum(1 for _ in read_frames(probe(path))) == probe(path).frames == 96
