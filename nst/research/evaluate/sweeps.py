"""Sweeps: one thing about a result changes from level to level, and it is known which way the score must go."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nst.fast import make_painter
from nst.images import decode, resize, save, to_pil, to_tensor
from nst.research.evaluate.grid import last
from nst.research.evaluate.sheets import load
from nst.settings.setting import Preset
from nst.stylize import style_transfer

STEPS = (1, 2, 4, 8, 16, 32, 64, 128)
STRENGTHS = (0, 5, 10, 15, 20, 30, 40, 50)
NOISES = (0, 0.02, 0.04, 0.06, 0.09, 0.13, 0.18, 0.25)
BLURS = (0, 0.5, 0.8, 1.2, 1.7, 2.4, 3.4, 5)
QUALITIES = (95, 80, 60, 45, 30, 20, 12, 6)
SHARES = tuple(i / 7 for i in range(8))
"""Levels: steps taken; strength, up to the default one; deviations of noise in [0, 1]; sigmas of blur in pixels; JPEG
qualities; shares of a wrong style, and of a wrong photo, in what is painted."""

LEVELS: dict[str, tuple[float, ...]] = {
    "steps": STEPS,
    "strength": STRENGTHS,
    "noise": NOISES,
    "blur": BLURS,
    "jpeg": QUALITIES,
    "wrong style": SHARES,
    "wrong content": SHARES,
}
RISING = ("steps", "strength", "jpeg")  # sweeps along which a result gets better; along the others it gets worse

ONE_SCALE = Preset(num_steps=STEPS[-1], factor=1e9, smallest=1, average=0.0, tv_weight=0.01)
QUICK = replace(ONE_SCALE, num_steps=40)
"""How the sweep over steps is painted: at one scale, as a step at a smaller one is worth another. And all others."""


@dataclass(frozen=True)
class Pair:
    """A photo and a style, and a wrong one of either, all (1, 3, H, W) in [0, 1]; painted on an encoder with this long
    side in pixels, and kept in files whose names begin with its own."""

    name: str
    content: Tensor
    style: Tensor
    wrong_content: Tensor
    wrong_style: Tensor
    size: int
    encoder: str


def swept(pair: Pair, folder: Path) -> Iterator[tuple[str, float, Tensor]]:
    """Every picture of every sweep: its sweep, its level and the picture.

    What lies in the folder is not painted again, so that an interrupted evaluation goes on where it was.
    """
    base = _kept(folder / f"{pair.name}-painted.png", lambda: painted(pair))
    steps = [folder / f"{pair.name}-steps-{count}.png" for count in STEPS]
    if not all(path.is_file() for path in steps):
        for path, image in zip(steps, _iterates(pair), strict=True):
            save(path, to_pil(image))
    for count, path in zip(STEPS, steps, strict=True):
        yield "steps", count, load(path)
    for sweep, change in PAINTED.items():
        for level in LEVELS[sweep]:
            if (sweep, level) == ("strength", STRENGTHS[-1]):
                yield sweep, level, base
                continue
            name = f"{pair.name}-{sweep.replace(' ', '-')}-{level:.3g}.png"
            yield sweep, level, _kept(folder / name, lambda change=change, level=level: change(pair, level))  # type: ignore[misc]
    for sweep, spoil in SPOILED.items():
        for level in LEVELS[sweep]:
            yield sweep, level, spoil(base, level)


def painted_on(pair: Pair, encoder: str, folder: Path) -> Tensor:
    """The plain picture on another encoder; what lies in the folder is not painted again."""
    path = folder / f"{pair.name}-painted-on-{Path(encoder).stem}.png"
    return _kept(path, lambda: painted(replace(pair, encoder=encoder)))


def _kept(path: Path, paint: Callable[[], Tensor]) -> Tensor:
    if not path.is_file():
        save(path, to_pil(paint()))
    return load(path)


def painted(pair: Pair, **settings: Any) -> Tensor:
    """The plain picture, or with other settings."""
    return last(pair.content, pair.style, **{"encoder": pair.encoder, "size": pair.size, "preset": QUICK, **settings})


def _iterates(pair: Pair) -> Iterator[Tensor]:
    settings: dict[str, Any] = {"encoder": pair.encoder, "size": pair.size, "preset": ONE_SCALE}
    for step in style_transfer(pair.content, pair.style, **settings):
        if step.index in STEPS:
            yield step.image.cpu()


def _by_strength(pair: Pair, strength: float) -> Tensor:
    return painted(pair, strength=float(strength))


def _by_style(pair: Pair, share: float) -> Tensor:
    painter = make_painter([pair.style, pair.wrong_style], [1 - share, share])
    return painter.paint(pair.content, size=pair.size)


def _by_content(pair: Pair, share: float) -> Tensor:
    right = resize(pair.content, pair.size)
    mixed = torch.lerp(right, resize(pair.wrong_content, (right.shape[-2], right.shape[-1])), share)
    return make_painter([pair.style]).paint(mixed)


# Strength is swept by optimizing; the wrong styles and photos are painted in one pass, so that both kinds are judged.
PAINTED: dict[str, Callable[[Pair, float], Tensor]] = {
    "strength": _by_strength,
    "wrong style": _by_style,
    "wrong content": _by_content,
}


def noisy(image: Tensor, deviation: float) -> Tensor:
    """Gaussian noise of this deviation in it, the same at every level but for its strength."""
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    return (image + deviation * noise).clamp(0, 1)


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Seen through a Gaussian window of this many pixels."""
    import scipy.ndimage

    if not sigma:
        return image
    return torch.from_numpy(scipy.ndimage.gaussian_filter(image.numpy(), (0, 0, sigma, sigma), mode="reflect"))


def compressed(image: Tensor, quality: float) -> Tensor:
    """As a JPEG of this quality, with colors at half the resolution, has it."""
    buffer = io.BytesIO()
    to_pil(image).save(buffer, "jpeg", quality=int(quality), subsampling=2)
    return to_tensor(decode(buffer.getvalue()))


SPOILED: dict[str, Callable[[Tensor, float], Tensor]] = {"noise": noisy, "blur": blurred, "jpeg": compressed}
