"""Clips of every odd kind go in and come out as they were; what is none is told in a sentence."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import drawn, make_clip, turn

from nst.images import ImageError
from nst.video import Reel, is_unfinished, probe, read_frames, read_recipe

VARIABLE = [0, 40, 55, 130, 133, 300, 340, 420, 500, 600, 601, 900]
MILLISECOND = Fraction(1, 1000)

ODD = {
    "plain.mp4": {"sound": "aac"},
    "variable.mkv": {"times": VARIABLE, "unit": MILLISECOND},
    "variable.mp4": {"times": VARIABLE, "unit": MILLISECOND, "sound": "aac"},
    "phone.mp4": {"sound": "aac"},
    "odd.mkv": {"size": (33, 47), "codec": "ffv1", "pixels": "yuv444p"},
    "full.mp4": {"full": True},
    "squeezed.mp4": {"squeeze": Fraction(4, 3)},
    "deep.mp4": {"pixels": "yuv420p10le"},
    "web.webm": {"codec": "libvpx-vp9", "sound": "libopus"},
    "looping.gif": {"codec": "gif", "pixels": "rgb8", "times": VARIABLE, "unit": Fraction(1, 100)},
    "old.avi": {"codec": "mjpeg", "pixels": "yuvj420p", "full": True, "sound": "pcm_s16le"},
    "late.ts": {"codec": "mpeg2video", "rate": 25},
}


def odd(folder: Path, name: str) -> Path:
    path = make_clip(folder / name, **ODD[name])
    return turn(path) if name == "phone.mp4" else path


def copied(path: Path, out: Path, **options) -> Path:
    """A clip through reader and writer, with nothing painted."""
    clip = probe(path)
    reel = Reel(out, clip, clip.size(None), **options)
    for frame in read_frames(clip, clip.size(None)):
        reel.add(frame)
    return reel.finish()


def sound_of(path: Path) -> list[bytes]:
    with av.open(str(path)) as source:
        return [bytes(packet) for packet in source.demux(audio=0) if packet.size] if source.streams.audio else []


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as source:
        times = [float(frame.time) for frame in source.decode(video=0)]
        return [time - times[0] for time in times]


@pytest.mark.parametrize("name", ODD)
def test_frames_times_sound_and_what_is_up_are_those_of_the_clip(tmp_path, name):
    path = odd(tmp_path, name)
    out = copied(path, tmp_path / "out.mp4")
    before, after = probe(path), probe(out)
    assert times_of(out) == pytest.approx(times_of(path), abs=0.002)
    assert len(times_of(out)) == 12
    usual = 1 / ODD[name].get("rate", 12)
    assert after.seconds == pytest.approx(times_of(path)[-1] + usual, abs=1.1 * usual)
    assert (after.width, after.height) == before.size(None) and after.rotation == 0
    assert bool(after.sound) == bool(before.sound)
    images = [next(read_frames(one, after.size(None))).image.astype(int) for one in (before, after)]
    assert np.abs(images[0] - images[1]).mean() < (20 if name == "looping.gif" else 4)
    if name != "phone.mp4":
        assert images[1][4, 4] == pytest.approx(np.array([220, 30, 30]), abs=24)
        assert images[1][-4, -4] == pytest.approx(np.array([30, 30, 220]), abs=24)


@pytest.mark.parametrize("name", ["plain.mp4", "phone.mp4", "variable.mp4"])
def test_sound_is_not_encoded_a_second_time(tmp_path, name):
    path = odd(tmp_path, name)
    assert sound_of(copied(path, tmp_path / "out.mp4")) == sound_of(path) != []


def test_a_phone_held_upright_gives_an_upright_clip(tmp_path):
    clip = probe(odd(tmp_path, "phone.mp4"))
    assert (clip.width, clip.height) == (48, 64)
    image = next(read_frames(clip)).image
    above_right = image[4, -4].astype(int)
    assert above_right == pytest.approx(np.array([220, 30, 30]), abs=24), "it was above left"


@pytest.mark.parametrize("name", ["full.mp4", "plain.mp4"])
def test_the_range_of_colors_is_kept_and_so_are_they(tmp_path, name):
    path = odd(tmp_path, name)
    out = copied(path, tmp_path / "out.mp4")
    assert probe(out).colors == probe(path).colors
    first = [next(read_frames(probe(one))).image.astype(float) for one in (path, out)]
    assert np.abs(first[0] - first[1]).mean() < 1.5
    assert abs(first[0] - drawn(0)).mean() < 4


@pytest.mark.parametrize(("curve", "white"), [(16, 0.5807), (18, 0.75)], ids=["PQ", "HLG"])
def test_a_high_dynamic_range_becomes_that_of_common_screens(tmp_path, curve, white):
    """What the standards take for white (203 nits, BT.2408) is white, and gray stays neutral."""

    def halves(index: int, width: int, height: int) -> np.ndarray:
        image = np.full((height, width, 3), round(255 * white), np.uint8)
        image[:, : width // 2] //= 2
        return image

    clip = make_clip(tmp_path / "wide.mkv", count=2, codec="ffv1", pixels="yuv420p10le", curve=curve, draw=halves)
    if av.__version__.startswith("17."):  # of Python 3.10: its FFmpeg does not know how
        with pytest.raises(ImageError, match=r"Python 3\.11"):
            probe(clip)
        return
    wide = probe(clip)
    assert wide.wide
    reel, frames = Reel(tmp_path / "out.mp4", wide, wide.size(None)), list(read_frames(wide))  # read once: it is slow
    for frame in frames:
        reel.add(frame)
    made = probe(reel.finish())
    for image in (frames[0].image, frames[1].image, next(read_frames(made)).image):
        assert image[:, 40:].min() > 247 and image[:, :24].max() < 130 and np.ptp(image[4, 4].astype(int)) < 4
    assert not made.wide and (made.colors.matrix, made.colors.primaries, made.colors.curve) == (1, 1, 1)


@pytest.mark.parametrize("suffix", [".webm", ".mov", ".mkv", ".gif"])
def test_it_is_written_in_every_format(tmp_path, suffix):
    path = odd(tmp_path, "variable.mp4")
    out = copied(path, tmp_path / f"out{suffix}", recipe={"task": "video"})
    assert times_of(out) == pytest.approx(times_of(path), abs=0.02)
    assert bool(probe(out).sound) == (suffix != ".gif")
    if suffix != ".gif":
        assert read_recipe(out) == {"task": "video"}


def test_a_folder_gets_every_frame_as_a_picture(tmp_path):
    copied(odd(tmp_path, "plain.mp4"), tmp_path / "frames")
    assert sorted(os.listdir(tmp_path / "frames")) == [f"{i:06d}.png" for i in range(1, 13)]


def test_the_file_can_play_before_all_of_it_has_come(tmp_path):
    data = copied(odd(tmp_path, "plain.mp4"), tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_an_excerpt_has_its_own_frames_and_sound(tmp_path):
    path = make_clip(tmp_path / "long.mp4", count=60, rate=12, sound="aac")
    clip = probe(path).excerpt(2.5, 4)
    frames = list(read_frames(clip))
    assert len(frames) == clip.frames == 18
    assert frames[0].time == 0
    reel = Reel(tmp_path / "out.mp4", clip, clip.size(None))
    for frame in frames:
        reel.add(frame)
    assert probe(reel.finish()).seconds == pytest.approx(1.5, abs=0.1)
    with pytest.raises(ImageError, match="nothing from 9 to 5 s"):
        probe(path).excerpt(9, None)


def test_what_a_killed_run_has_left_is_gone_on_from(tmp_path, monkeypatch):
    monkeypatch.setattr("nst.video.writing.PART", 5)
    path = odd(tmp_path, "variable.mp4")
    clip = probe(path)
    first = Reel(tmp_path / "out.mp4", clip, clip.size(None), key="one")
    frames = list(read_frames(clip, clip.size(None)))
    for frame in frames[:8]:
        first.add(frame)
    with (first.folder / "00000005.raw").open("ab") as file:  # it was killed while it wrote
        file.write(b"half a frame")
    second = Reel(tmp_path / "out.mp4", clip, clip.size(None), key="one")
    assert second.done == 8
    assert (second.last == frames[7].image).all()
    for frame in read_frames(clip, clip.size(None), skip=8):
        second.add(frame)
    assert is_unfinished(second.out)
    assert times_of(second.finish()) == pytest.approx(times_of(path), abs=0.002)
    assert not is_unfinished(second.out)
    assert Reel(tmp_path / "out.mp4", clip, clip.size(None), key="two").done == 0


def test_what_is_there_plays_though_more_was_to_come(tmp_path):
    clip = probe(odd(tmp_path, "plain.mp4"))
    reel = Reel(tmp_path / "out.mp4", clip, clip.size(None))
    for frame in list(read_frames(clip))[:4]:
        reel.add(frame)
    assert len(times_of(reel.finish(whole=False))) == 4
    assert is_unfinished(reel.out)


def test_a_clip_cut_off_in_the_middle_gives_what_there_is(tmp_path):
    noisy = np.random.default_rng(0).integers(0, 255, (12, 48, 64, 3), dtype=np.uint8)
    path = make_clip(tmp_path / "cut.mkv", draw=lambda i, *_: noisy[i])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 1 <= len(list(read_frames(probe(path)))) < 12


def none(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def text(path: Path) -> Path:
    path.write_text("no clip at all " * 100)
    return path


def playlist(path: Path) -> Path:
    path.write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n")
    return path


def listed(path: Path) -> Path:
    path.write_text(f"ffconcat version 1.0\nfile {make_clip(path.with_name('other.mp4'))}\n")
    return path


def headless(path: Path) -> Path:
    make_clip(path)
    path.write_bytes(path.read_bytes()[:400])
    return path


def song(path: Path) -> Path:
    with av.open(str(path), "w") as film:
        track = film.add_stream("aac", rate=48000)
        from clips import _add_tone

        _add_tone(film, track, 0.2)
    return path


def endless(path: Path) -> Path:
    os.mkfifo(path)
    return path


BAD = {
    none: "is empty",
    text: "no clip",
    playlist: "no clip of a known kind",
    listed: "no clip of a known kind",
    headless: "no clip, or a damaged one",
    song: "holds sound and no pictures",
    endless: "There is no clip",
}


@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_what_is_no_clip_is_told_in_a_sentence(tmp_path, make):
    path = make(tmp_path / "bad.mp4")
    with pytest.raises(ImageError, match=BAD[make]) as told:
        probe(path)
    assert str(told.value).count(".") <= 3 and "\n" not in str(told.value)


def test_a_stranger_brings_known_kinds_only_and_no_large_frames(tmp_path):
    def opened(path: str):
        return open(path, "rb")

    rare = make_clip(tmp_path / "rare.nut")
    assert probe(rare).frames
    with pytest.raises(ImageError, match="no clip of a known kind"):
        probe(rare, opened)
    with pytest.raises(ImageError, match="megapixels"):
        probe(make_clip(tmp_path / "plain.mp4"), opened, max_pixels=1000)
    with pytest.raises(ImageError, match="rare kind"):
        probe(make_clip(tmp_path / "rare.avi", codec="huffyuv", pixels="yuv422p"), opened)
    assert probe(tmp_path / "plain.mp4", opened).frames == 12


def test_no_more_is_read_than_is_wanted(tmp_path):
    clip = replace(probe(make_clip(tmp_path / "plain.mp4")), most=5)
    assert len(list(read_frames(clip))) == 5
