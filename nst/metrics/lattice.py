"""Patterns that networks weave into all they paint: what is at the frequencies of their enlargements, and hatching.

All look at the power spectrum of the luma, the mean of those of many small windows (Welch 1967, "The use of fast
Fourier transform for the estimation of power spectra").
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from nst.metrics.strokes import gray

WINDOW = 64
PERIODS = (2, 4, 8)  # pixels after which a pattern repeats: those of one, two and three enlargements by two

FINE, RINGS, SECTORS = (0.14, 0.5), 8, 12
"""Frequencies in cycles per pixel between which is looked for hatching, and the parts that they are told apart in."""


def lattice_energy(image: Tensor, period: int | None = None) -> float:
    """Root mean square amplitude of the lattice in an image (1, 3, H, W) in [0, 1]; 0 for none.

    What the spectrum has at the multiples of 1/period above the mean of what is around them. A wave of amplitude a
    that repeats after `period` pixels has a / sqrt(2). Strokes and edges spread over many frequencies and do not count;
    windows and weaves that do repeat so often do, wherever they lie: compare with the style's and the photo's own.

    Args:
        image: of at least 32 pixels a side; smaller ones have 0.
        period: 2, 4 or 8; None means all of them together.

    Raises:
        ValueError: another period.
    """
    if period not in (None, *PERIODS):
        raise ValueError(f"The period of a lattice is {', '.join(map(str, PERIODS))} or all of them, not {period}.")
    power = _spectrum(gray(image))
    return float(np.sqrt(sum(_peaks(power, each) for each in PERIODS if period in (None, each))))


def hatching(image: Tensor) -> float:
    """How far the fine detail of an image (1, 3, H, W) in [0, 1] keeps to few waves: about 0.1 for paintings.

    In photos and paintings the power spectrum is nearly a product: of how it falls off with frequency, and of how it
    depends on direction. Networks hatch: they put the same few waves everywhere. This is the root mean square departure
    of the logarithmic spectrum from such a product, between wavelengths of 2 and 7 pixels. Images of less than 32
    pixels a side have 0.
    """
    power = _spectrum(gray(image))
    size = power.shape[0]
    if size < 32:
        return 0.0
    y, x = np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size), indexing="ij")
    ring = np.digitize(np.hypot(y, x), np.linspace(*FINE, RINGS + 1)) - 1
    sector = (np.arctan2(y, x) % np.pi / np.pi * SECTORS).astype(int) % SECTORS
    inside = (ring >= 0) & (ring < RINGS)
    part = ring[inside] * SECTORS + sector[inside]
    total = np.bincount(part, power[inside], RINGS * SECTORS) / np.bincount(part, minlength=RINGS * SECTORS)
    heights = np.log(total + QUIET).reshape(RINGS, SECTORS)
    rest = heights - heights.mean(0) - heights.mean(1, keepdims=True) + heights.mean()
    return float(rest.std())


def ripples(image: Tensor) -> float:
    """How far lines of one width fill an image (1, 3, H, W) in [0, 1]: 0.1 to 0.4 for photos and paintings.

    Their power falls off with frequency as a straight line if both are logarithmic, since strokes and things are of all
    widths. This is the logarithm of how far it is above that line, where most, between wavelengths of 3 and 16 pixels.
    A picture without its finest detail has more, too. Images of less than 128 pixels a side have 0.
    """
    if min(image.shape[-2:]) < 2 * WINDOW:
        return 0.0
    power, size = _spectrum(gray(image)), WINDOW
    y, x = np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size), indexing="ij")
    edges = np.geomspace(2 / size, 0.45, WIDTHS + 1)
    ring = np.digitize(np.hypot(y, x).ravel(), edges)
    found = np.bincount(ring, power.ravel(), WIDTHS + 2) / np.maximum(np.bincount(ring, minlength=WIDTHS + 2), 1)
    frequency, heights = np.sqrt(edges[1:] * edges[:-1]), np.log(found[1:-1] + QUIET)
    above = heights - np.polyval(np.polyfit(np.log(frequency), heights, 1), np.log(frequency))
    return max(0.0, float(above[(frequency > 1 / 16) & (frequency < 1 / 3)].max()))


WIDTHS = 12  # widths that lines are told apart by

QUIET = 3e-8
"""Power of a wave that nobody can see, so that resized pictures, which have none of the finest, do not hatch."""


def _spectrum(light: np.ndarray) -> np.ndarray:
    """Mean power of the waves in windows of half overlap, (n, n); their sum is the variance within the windows."""
    size = WINDOW if min(light.shape) >= 2 * WINDOW else 32  # of few windows the mean is mostly chance
    if min(light.shape) < size:
        return np.zeros((1, 1))
    window = np.outer(*[np.hanning(size + 1)[:size]] * 2)
    parts = np.lib.stride_tricks.sliding_window_view(light, (size, size))[:: size // 2, :: size // 2]
    parts = parts.reshape(-1, size, size)
    waves = np.fft.fft2((parts - parts.mean((1, 2), keepdims=True)) * window)
    power: np.ndarray = (np.abs(waves) ** 2).mean(0) / (window**2).sum() / size**2
    return power


def _peaks(power: np.ndarray, period: int) -> float:
    """The variance that stands out at the frequencies of a lattice of this period, and of none of half of it."""
    size = power.shape[0]
    if size < 32:
        return 0.0
    total, step = 0.0, size // period
    at = np.arange(-4, 5)
    far = np.maximum(*np.abs(np.meshgrid(at, at))) >= 2
    for a in range(period):
        for b in range(period):
            if a % 2 == 0 and b % 2 == 0:  # a frequency of half the period, or none
                continue
            around = power[np.ix_((a * step + at) % size, (b * step + at) % size)]
            total += max(0.0, float(around[~far].sum() - (~far).sum() * around[far].mean()))
    return total
