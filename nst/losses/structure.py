"""Structural similarity, as a loss: of whole pictures, and of what is light and dark beside each other in them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.losses.perceptual import Features, Window

WINDOW, SIGMA = 11, 1.5
LUMINANCE = (0.2125, 0.7154, 0.0721)

SEEN, COARSEST = 512, 8
"""Long side in pixels at which light and dark are compared, and again at half of it; by how much a picture is shrunk
for the first at most: twice that divides a tile."""

BESIDE = 9  # side in pixels of the square in which they are; `_sum` is made for it
FLAT = 0.1  # deviation of a photo's luminance in such a square at which what is there counts half


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


class StructureLoss(nn.Module):
    """Keeps what is dark beside light in the content dark beside light, where it counts; adds to the term "content".

    The third factor of structural similarity alone (Wang et al. 2004, eq. 10), in squares: neither how light a place is
    nor how strong its contrast counts, so that a style may change both, and nothing counts where the photo is flat. An
    encoder knows an eye by its edges, and takes one with a white iris for as good; we do not.

    Args:
        content: picture (1, 3, H, W) in [0, 1].
        care: what each place counts, (1, 1, H, W).
        weight: of the whole term.
    """

    divisible = additive = True
    layers: tuple[str, ...] = ()

    def __init__(self, content: Tensor, care: Tensor, weight: float) -> None:
        super().__init__()
        long, short = max(content.shape[-2:]), min(content.shape[-2:])
        finest = min(COARSEST, 2 ** max(0, math.ceil(math.log2(long / SEEN))))
        self.weight, self.shrunk = weight, [k for k in (finest, 2 * finest) if short >= BESIDE * k]
        for k in self.shrunk:
            light = _luminance(_small(content, k))
            mean, variance = _moments(light)
            share = _small(care.float(), k) * variance / (variance + FLAT**2)
            share /= light.numel() * len(self.shrunk)
            for name, map in {"light": light, "mean": mean, "variance": variance, "share": share}.items():
                self.register_buffer(f"{name}_{k}", map, persistent=False)

    def forward(self, features: Features) -> dict[str, Tensor]:
        image = features["image"]
        whole = slice(0, image.shape[-2]), slice(0, image.shape[-1])
        return {"content": self._compare(image, whole, whole)}

    def part(self, features: Features, window: Window) -> dict[str, Tensor]:
        """What a part of a picture adds to the term."""
        return {"content": self._compare(features["image"], window.ring, (window.rows, window.columns))}

    def _compare(self, image: Tensor, seen: tuple[slice, slice], within: tuple[slice, slice]) -> Tensor:
        """Of an image of these rows and columns, of which only those within count."""
        terms = [image.new_zeros((), dtype=torch.float32)]
        for k in self.shrunk:
            (top, left), (down, across) = ([slice(s.start // k, s.stop // k) for s in side] for side in (seen, within))
            x = _luminance(_small(image, k))
            light, mean, variance = (self.get_buffer(f"{n}_{k}")[..., top, left] for n in ("light", "mean", "variance"))
            own_mean, own_variance, product = _moments(x, x * light)
            deviations = (own_variance * variance + 1e-8).sqrt()
            alike = (product - own_mean * mean + 0.03**2 / 2) / (deviations + 0.03**2 / 2)
            rows, columns = (slice(a.start - b.start, a.stop - b.start) for a, b in ((down, top), (across, left)))
            share = self.get_buffer(f"share_{k}")[..., down, across]
            terms.append((share * (1 - alike[..., rows, columns])).sum())
        return self.weight * torch.stack(terms).sum()


def _small(image: Tensor, shrunk: int) -> Tensor:
    """Means of so many pixels a side; pooling by 1 would take as long as by 2."""
    return image if shrunk == 1 else F.avg_pool2d(image, shrunk)


def _moments(light: Tensor, *more: Tensor) -> list[Tensor]:
    """The mean and the variance over the square around each place, as far as there is one, and the mean of more."""
    mean, square, *others = mean_around(torch.cat([light, light * light, *more], 1)).split(1, 1)
    return [mean, F.relu(square - mean * mean), *others]


def mean_around(x: Tensor) -> Tensor:
    """The mean over the square of 9 x 9 places around each one of x (N, C, H, W), of as many as there are."""
    if x.device.type != "cpu":  # which waits for the start of an operation, not for its sums
        return F.avg_pool2d(x, BESIDE, 1, BESIDE // 2, count_include_pad=False)
    places = [_sum(x.new_ones(side, 1), -2) for side in x.shape[-2:]]
    return _sum(_sum(x, -2), -1) / (places[0] * places[1].T)


def _sum(light: Tensor, side: int) -> Tensor:
    """Over the places around each along a side, -2 or -1: sums of two, of four and of eight, and the last one, which
    takes a tenth of the time that pooling takes."""
    size, half = light.shape[side], BESIDE // 2
    padded = total = F.pad(light, (half, half) if side == -1 else (0, 0, half, half))
    for reach in (1, 2, 4):
        count = total.shape[side] - reach
        total = total.narrow(side, 0, count) + total.narrow(side, reach, count)
    return total.narrow(side, 0, size) + padded.narrow(side, BESIDE - 1, size)


def _luminance(image: Tensor) -> Tensor:
    red, green, blue = image.float().split(1, 1)
    return (LUMINANCE[0] * red).add(green, alpha=LUMINANCE[1]).add(blue, alpha=LUMINANCE[2])
