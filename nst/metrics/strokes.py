"""How large the strokes of a picture are, and how its detail falls off toward fine scales."""

from __future__ import annotations

import numpy as np
from torch import Tensor

LUMINANCE = (0.2126, 0.7152, 0.0722)


def stroke_scale(image: Tensor, coarsest: float = 32.0) -> float:
    """Mean wavelength in pixels of the texture of an image (1, 3, H, W) in [0, 1]: the size of its strokes.

    The deviation of the luminance over that of its gradient, times 2 pi; a wave of any direction has its own
    wavelength. What is coarser than `coarsest` pixels (motifs, not strokes) is taken away first. 0 for a flat image.
    """
    import scipy.ndimage

    light = gray(image)
    light = light - scipy.ndimage.gaussian_filter(light, coarsest / 4, mode="reflect")
    down, right = np.diff(light, axis=0), np.diff(light, axis=1)
    slope = float(np.mean(down**2) + np.mean(right**2)) if min(light.shape) > 1 else 0.0
    return 2 * float(np.pi) * float(np.sqrt(light.var() / slope)) if slope > 1e-12 else 0.0


def spectral_slope(image: Tensor, finest: float = 2.5, coarsest: float = 32.0) -> float:
    """The exponent a of the power spectrum f^a of an image's luminance: near -2 for photos, 0 for white noise.

    Fitted on logarithmic scales to the mean power in rings of frequency, between wavelengths of `finest` and
    `coarsest` pixels, through a Hann window (Field 1987, "Relations between the statistics of natural images and the
    response properties of cortical cells"). Images are (1, 3, H, W) in [0, 1]; 0 for a flat one.

    Raises:
        ValueError: sides under 16 pixels, in which there are too few waves.
    """
    light = gray(image)
    if min(light.shape) < 16:
        raise ValueError("The spectrum of so small a picture says nothing: give sides of 16 pixels or more.")
    light = light - light.mean()
    if light.std() < 1e-6:
        return 0.0
    power = np.abs(np.fft.rfft2(light * np.outer(np.hanning(light.shape[0]), np.hanning(light.shape[1])))) ** 2
    frequency = np.hypot(np.fft.fftfreq(light.shape[0])[:, None], np.fft.rfftfreq(light.shape[1])[None])
    edges = np.geomspace(1 / min(coarsest, min(light.shape) / 2), 1 / finest, 9)
    rings = np.digitize(frequency, edges)
    means = [(np.sqrt(edges[i - 1] * edges[i]), power[rings == i].mean()) for i in range(1, 9) if (rings == i).any()]
    places, heights = np.log(np.maximum(np.array(means), 1e-20)).T
    return float(np.polyfit(places, heights, 1)[0])


def stroke_ratio(image: Tensor, style: Tensor) -> float:
    """The spectral slope of a result over that of its style: 1 where detail falls off alike; above, it is smoother.

    Images (1, 3, H, W) in [0, 1] of comparable size. Where the style has no slope, 1 if the result has none either,
    else infinite.
    """
    own, wanted = spectral_slope(image), spectral_slope(style)
    if abs(wanted) < 1e-6:
        return 1.0 if abs(own) < 1e-6 else float("inf")
    return own / wanted


def gray(image: Tensor) -> np.ndarray:
    """The luma (H, W) in [0, 1] of an image (1, 3, H, W), in double precision."""
    return (image[0].detach().cpu().double() * image.new_tensor(LUMINANCE).cpu().double().view(3, 1, 1)).sum(0).numpy()
