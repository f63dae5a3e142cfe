"""Structural similarity, as a loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW, SIGMA = 11, 1.5
LUMINANCE = (0.2125, 0.7154, 0.0721)


def structural_similarity(image: Tensor, reference: Tensor) -> Tensor:
    """Structural similarity (N,) of the luminances of images (N, 3, H, W) in [0, 1]; 1 for equal ones.

    Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error Visibility to Structural Similarity",
    2004, eq. 13, with its Gaussian window; only where the window lies inside the picture, whose sides are at least 11.
    """
    x, y = (_luminance(picture) for picture in (image, reference))
    at = torch.arange(WINDOW, device=x.device, dtype=torch.float32) - WINDOW // 2
    window = torch.softmax(-(at**2) / (2 * SIGMA**2), 0)
    blurred = torch.cat([x, y, x * x, y * y, x * y], 1)
    for shape in ((1, 1, -1, 1), (1, 1, 1, -1)):
        kernel = window.view(shape).expand(5, *[-1] * 3)
        blurred = F.conv2d(blurred, kernel, groups=5)
    mean_x, mean_y, xx, yy, xy = blurred.unbind(1)
    product, squares = mean_x * mean_y, mean_x**2 + mean_y**2
    similarity = (2 * product + 0.01**2) * (2 * (xy - product) + 0.03**2)
    return (similarity / ((squares + 0.01**2) * (xx + yy - squares + 0.03**2))).mean((1, 2))


def _luminance(image: Tensor) -> Tensor:
    return sum(share * image[:, i : i + 1].float() for i, share in enumerate(LUMINANCE))  # type: ignore[return-value]
