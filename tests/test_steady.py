"""What moves with the scene stays, what is new comes in, and a cut starts anew."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from clips import drawn
from tiny import tiny_encoder_file

from nst.fast import make_painter
from nst.images import resize, to_tensor
from nst.losses import TemporalLoss
from nst.models.preprocess import unevenness
from nst.settings.setting import Preset
from nst.styles import load_content
from nst.video import Frame
from nst.video.flow import MotionFinder
from nst.video.ground import MovingGround
from nst.video.optimized import paint_optimized, to_bytes, to_float
from nst.video.steady import Steady, shots


def scene(seed: int = 0, height: int = 120, width: int = 160) -> np.ndarray:
    """A textured picture (H, W, 3), larger than what is shown of it."""
    coarse = np.random.default_rng(seed).integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def seen(image: np.ndarray, at: int) -> np.ndarray:
    return image[10:90, 10 + at : 130 + at].copy()


def flickering(frames: list[np.ndarray], deviation: float = 20) -> list[np.ndarray]:
    """What a network that paints each frame for itself might make of them."""
    generator = np.random.default_rng(1)
    return [np.clip(f * 0.8 + generator.normal(20, deviation, f.shape), 0, 255).astype(np.uint8) for f in frames]


def lit_unevenly() -> list[np.ndarray]:
    """A scene that stands still, in light that flickers."""
    gains = [1, 0.93, 1.05, 0.96, 1.02, 0.94, 1.04, 1]
    return [np.clip(seen(scene(), 0) * gain, 0, 255).astype(np.uint8) for gain in gains]


def warping_error(images: list[np.ndarray], frames: list[np.ndarray]) -> float:
    finder, errors = MotionFinder(), []
    finder.next(frames[0])
    for before, image, frame in zip(images, images[1:], frames[1:], strict=False):
        motion = finder.next(frame)
        difference = (image.astype(float) - motion.warp(before.astype(np.float32))) ** 2
        errors.append(difference[motion.trust > 0.5].mean())
    return float(np.mean(errors))


def test_flow_finds_how_far_the_camera_has_moved():
    image, finder = scene(), MotionFinder()
    assert finder.next(seen(image, 0)) is None
    motion = finder.next(seen(image, 3))
    rows, columns = np.mgrid[:80, :120]
    assert np.median(motion.source[..., 0] - columns) == pytest.approx(3, abs=0.2)
    assert np.median(motion.source[..., 1] - rows) == pytest.approx(0, abs=0.2)
    assert motion.trust[20:60, 20:90].mean() > 0.9
    assert motion.trust[:, -2:].mean() < 0.3, "what comes into sight was not there before"
    moved = motion.warp(seen(image, 0).astype(np.float32))
    assert np.abs(moved - seen(image, 3))[10:-10, 10:-10].mean() < 4


def test_what_is_hidden_and_then_seen_is_not_trusted():
    finder, behind, before = MotionFinder(), scene(0), scene(3)
    frames = []
    for left in (30, 42):
        frame = seen(behind, 0)
        frame[20:60, left : left + 40] = seen(before, 0)[20:60, :40]
        frames.append(frame)
    finder.next(frames[0])
    motion = finder.next(frames[1])
    assert motion.trust[25:55, 31:40].mean() < 0.3
    assert motion.trust[25:55, 55:75].mean() > 0.7


def test_a_cut_is_found_and_a_change_of_light_is_none():
    finder = MotionFinder()
    finder.next(seen(scene(0), 0))
    dimmed = (seen(scene(0), 1) * 0.8).astype(np.uint8)
    motion = finder.next(dimmed)
    assert not motion.cut and motion.trust.mean() > 0.7
    assert finder.next(seen(scene(7), 0)).cut


def test_flicker_goes_and_strokes_keep_their_contrast():
    frames = [seen(scene(), 2 * i) for i in range(8)]
    painted = flickering(frames)
    steady = Steady(80)
    results = [steady.fuse(*pair) for pair in zip(frames, painted, strict=True)]
    assert warping_error(results, frames) < 0.25 * warping_error(painted, frames)
    assert results[-1][10:-10, 10:-20].std() > 0.9 * (0.8 * frames[-1][10:-10, 10:-20]).std()


def test_without_consistency_every_frame_is_for_itself():
    frames = [seen(scene(), i) for i in range(3)]
    steady = Steady(0)
    for frame, painted in zip(frames, flickering(frames), strict=True):
        assert (steady.fuse(frame, painted) == painted).all()


def test_after_a_cut_nothing_of_the_scene_before_is_left():
    first, second = seen(scene(0), 0), seen(scene(7), 0)
    steady = Steady(100)
    steady.fuse(first, first)
    assert (steady.fuse(second, second) == second).all()


def test_flickering_light_is_not_amplified():
    """Of a scene that stands still: the mean of the result varies no more than that of what was painted."""
    frames = lit_unevenly()
    painted = [np.clip(128 + 1.5 * (frame.astype(float) - 128), 0, 255).astype(np.uint8) for frame in frames]
    steady = Steady(80)
    results = [steady.fuse(*pair) for pair in zip(frames, painted, strict=True)]
    assert np.std([image.mean() for image in results]) < 0.5 * np.std([image.mean() for image in painted])


def test_what_both_neighbors_show_need_not_be_painted():
    """Every other frame of a scene that moves evenly; and it looks as if it were painted all the same."""
    frames = [Frame(seen(scene(), 2 * i), i, 1) for i in range(6)]
    coming = list(shots(frames, MotionFinder(), spares=True))
    assert [shot.frame.time for shot in coming] == list(range(6))
    assert [shot.back is not None for shot in coming] == [False, True, False, True, False, False]
    steady, whole = Steady(80), Steady(80)
    for number, (frame, motion, back) in enumerate(coming):
        own = 255 - coming[number + 1 if back else number].frame.image
        spared, painted = steady.hold(own, motion, back), whole.hold(255 - frame.image, motion)
        assert np.abs(spared.astype(float) - painted)[8:-8, 8:-8].mean() < 3
    assert not any(shot.back for shot in shots(frames, MotionFinder(), spares=False))


def test_frames_beside_a_cut_are_painted():
    frames = [Frame(seen(scene(i // 3), 2 * i), i, 1) for i in range(6)]
    back = [shot.back is not None for shot in shots(frames, MotionFinder(), spares=True)]
    assert back == [False, True, False, False, True, False]


def test_the_noise_of_the_ground_moves_with_the_scene():
    """A camera that pans over a dim wall: a network that turns its ground into strokes paints them on the wall."""
    wall = cv2.GaussianBlur(scene(height=160, width=240), (0, 0), 6)
    frames = [wall[20:140, 10 + 4 * i : 170 + 4 * i].copy() for i in range(5)]
    start = unevenness(60, 80)
    finder, ground, still = MotionFinder(), MovingGround(start), start[0, 0].numpy()
    finder.next(frames[0])
    assert (ground.noise() == start).all(), "the first is as in a photo"
    for number, frame in enumerate(frames[1:], 1):
        ground.follow(finder.next(frame))
        noise = ground.noise()[0, 0].numpy()
        assert np.abs(noise - np.roll(still, -2 * number, 1))[10:-10, 10:60].mean() < 0.1 * np.abs(still).mean()
        assert noise.std() > 0.9 * still.std(), "and it does not blur"
    ground.follow(finder.next(scene(7, 120, 160)))
    assert (ground.noise() == start).all(), "another scene begins anew"


@pytest.mark.parametrize(("model", "style"), [("cin", "starry_night"), ("cin", "mosaic"), ("predictor", "waves")])
def test_the_networks_are_steady(model, style):
    """A photo shifted with its ground, lit otherwise or grained otherwise gets the same strokes, whose deviation is
    0.17 to 0.24: differences are root mean squares."""
    painter, photo = make_painter([style], model=model, device="cpu"), resize(to_tensor(load_content("chelsea")), 256)

    def differ(one: torch.Tensor, other: torch.Tensor) -> float:
        return float((one - other)[..., 16:-16, 16:-16].square().mean().sqrt())

    def painted(seen: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        return painter.pass_through(seen, noise=noise).float().clamp(0, 1)

    noise = painter.ground(*photo.shape[-2:])
    as_it_is = painted(photo[..., :-8, :-8], noise[..., :-4, :-4])
    shifted = painted(photo[..., 8:, 8:], noise[..., 4:, 4:])
    assert differ(shifted[..., :-8, :-8], as_it_is[..., 8:, 8:]) < 0.05
    assert differ(painted(0.9 * photo[..., :-8, :-8], noise[..., :-4, :-4]), as_it_is) < 0.01
    grain = 0.02 * torch.randn(as_it_is.shape, generator=torch.Generator().manual_seed(0))
    grained = painted((photo[..., :-8, :-8] + grain).clamp(0, 1), noise[..., :-4, :-4])
    assert differ(grained, as_it_is) < 0.04, "no more than twice the grain"


def test_the_temporal_loss_counts_only_what_is_trusted():
    moved, trust = torch.full((1, 3, 4, 4), 0.5), torch.zeros(1, 1, 4, 4)
    trust[..., :2] = 1
    loss = TemporalLoss(moved, trust, 2.0)
    image = torch.full((1, 3, 4, 4), 0.5)
    assert loss({"image": image})["temporal"] == 0
    image[..., 0] = 0.7
    assert loss({"image": image})["temporal"] == pytest.approx(2 * 0.04 / 4)
    image[..., 3] = 1
    assert loss({"image": image})["temporal"] == pytest.approx(2 * 0.04 / 4)


def test_optimized_frames_go_on_from_the_one_before(tmp_path):
    sources = flickering([seen(scene(), 2 * i) for i in range(3)], deviation=12)
    frames = [Frame(image, i, 1) for i, image in enumerate(sources)]
    style = to_float(seen(scene(5), 0))
    how = {"encoder": tiny_encoder_file(tmp_path), "preset": Preset(6, 2.0, 32, 0.0, 0.01), "num_steps": 4}
    each = [image for _, image in paint_optimized(frames, [style], 0, **how)]
    steady = [image for _, image in paint_optimized(frames, [style], 80, **how)]
    assert warping_error(steady, sources) < 0.5 * warping_error(each, sources)


def test_flickering_light_is_not_amplified_where_frames_are_optimized(tmp_path):
    frames = [Frame(image, i, 1) for i, image in enumerate(lit_unevenly()[:5])]
    how = {"encoder": tiny_encoder_file(tmp_path), "preset": Preset(6, 2.0, 32, 0.0, 0.01), "num_steps": 4}
    painted = paint_optimized(frames, [to_float(seen(scene(5), 0))], 80, **how)
    means = [image.mean() for _, image in painted]
    assert np.std(means) < 0.5 * np.std([frame.image.mean() for frame in frames])


def test_bytes_survive_the_way_through_numbers():
    assert (to_bytes(to_float(drawn(0))) == drawn(0)).all()
