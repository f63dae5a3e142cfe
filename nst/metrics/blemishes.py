"""What networks do to a picture that no painter would: blobs of light, fringes of color, areas out of focus."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from nst.metrics.strokes import gray

PINNED, GROWN, THICK = 0.97, 3, 2
"""Where two channels count as saturated; by how many pixels the photo's own are grown; and how thick a blob is."""

FAINT = 2 / 255  # deviation of detail below which there is nothing to have fringes or strokes


def blob_area(image: Tensor, content: Tensor | None = None, style: Tensor | None = None) -> float:
    """Share of an image (1, 3, H, W) in [0, 1] that its largest blob covers, beyond photo and style; 0 for none.

    A blob is a connected area, at least 5 pixels thick, where two channels are saturated: a single one is in any cream
    or pink that is painted, and no light. Networks with instance normalization leave them on pale areas. What is
    saturated in the photo, too, does not count, nor does an area as large as the style's own. Raises ValueError for
    image and photo of different sizes.
    """
    import scipy.ndimage

    mask = _saturated(image)
    if content is not None:
        if content.shape != image.shape:
            raise ValueError("Image and photo are compared place by place and must be of one size.")
        mask &= ~scipy.ndimage.binary_dilation(_saturated(content), iterations=GROWN)
    return max(0.0, _largest(mask) - (0.0 if style is None else _largest(_saturated(style))))


def color_fringes(image: Tensor) -> float:
    """Fine detail of color relative to that of lightness in an image (1, 3, H, W) in [0, 1]; 0 for a grey one.

    The root mean square of the opponent colors (red against green, yellow against blue) between wavelengths of about 4
    and 10 pixels, over that of the luma. Photos and paintings have 0.3 to 1; contours that are green on one side and
    red on the other have more. To be compared with the style's.
    """
    import scipy.ndimage

    red, green, blue = image[0].detach().cpu().double().numpy()
    planes = (gray(image), red - green, (red + green) / 2 - blue)
    light, *colors = (
        float(np.square(scipy.ndimage.gaussian_filter(x, 0.8) - scipy.ndimage.gaussian_filter(x, 1.6)).mean())
        for x in planes
    )
    return float(np.sqrt(sum(colors) / (light + FAINT**2)))


def flat_blur(image: Tensor, content: Tensor, style: Tensor, share: float = 0.3) -> float:
    """How much softer than the style's the texture is where the photo is flat; 1 for the style's own, more for blur.

    The size of detail (deviation over that of its gradient, as in `nst.metrics.stroke_scale`) in the flattest `share`
    of the photo's places, over that of the whole style. Hatching, finer than 4 pixels, is smoothed away first. An area
    without any detail is as blurred as one can be: 4.

    Args:
        image, content: result and photo (1, 3, H, W) in [0, 1], of one size.
        style: (1, 3, H, W), of comparable size.
        share: of the places that count as flat.

    Raises:
        ValueError: image and photo of different sizes.
    """
    import scipy.ndimage

    if content.shape != image.shape:
        raise ValueError("Image and photo are compared place by place and must be of one size.")
    light = gray(content)
    rough = scipy.ndimage.gaussian_filter(scipy.ndimage.gaussian_gradient_magnitude(light, 1.0) ** 2, 8.0)
    flat = rough <= np.quantile(rough, share)
    own = _softness(gray(image), flat)
    wanted = _softness(gray(style), None)
    return min(own / wanted, SOFTEST) if wanted > 0 else 1.0


SOFTEST = 4.0


def _softness(light: np.ndarray, where: np.ndarray | None) -> float:
    """Deviation of detail finer than 32 pixels over its gradient's, in pixels; infinite where there is none."""
    import scipy.ndimage

    smooth = scipy.ndimage.gaussian_filter(light, 1.5)
    detail = smooth - scipy.ndimage.gaussian_filter(light, 8.0)
    slope = np.square(np.gradient(smooth)).sum(0)
    if where is None:
        where = np.ones_like(light, dtype=bool)
    deviation = float(np.sqrt(np.square(detail[where]).mean()))
    return deviation / float(np.sqrt(slope[where].mean())) if deviation > FAINT / 4 else float("inf")


def _saturated(image: Tensor) -> np.ndarray:
    found: np.ndarray = (image[0].detach().topk(2, 0).values[1] >= PINNED).cpu().numpy()
    return found


def _largest(mask: np.ndarray) -> float:
    """Share of the largest connected area that is thick enough."""
    import scipy.ndimage

    thick = scipy.ndimage.binary_opening(mask, scipy.ndimage.generate_binary_structure(2, 1), THICK)
    labels, count = scipy.ndimage.label(thick)
    return float(np.bincount(labels.ravel())[1:].max()) / mask.size if count else 0.0
