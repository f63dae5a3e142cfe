"""Photo-real: the colors and the light of the style, moved by the region; no texture, and every edge stays.

The colors of each region of the photo go to those of the regions of the style that are most like it, as one Gaussian
distribution to another (Pitié and Kokaram 2007, "The Linear Monge-Kantorovitch Linear Colour Mapping"). By segments,
as in Luan et al. 2017 (arXiv:1703.07511) and Yoo et al. 2019 (WCT2, arXiv:1903.09760), but of the colors themselves,
not of features: at each place the change is affine in the color, and it changes from place to place only where the
photo does (a guided filter; He, Sun and Tang 2010). Which regions belong together is decided by optimal transport with
entropy (Cuturi 2013, arXiv:1306.0895; for colors Rabin, Ferradans and Papadakis 2014).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.color import from_lab, matrix_power, to_lab
from nst.images import resize
from nst.optimize import Step
from nst.settings import check
from nst.stylize.segmentation import divide, smoothed

PARTS = 6  # regions of each picture at most
LOOKED_AT = 384  # long side in pixels at which colors are measured and regions are found

NOISE = 3.0
"""Deviation in CIE Lab that any colors are taken to have: a flat sky's grain is not stretched to a style's contrast."""

GAIN = (0.4, 2.0)
"""How much contrast may fall or rise along any axis of color: more would show the steps of 8 bits as bands."""

SHARE = 0.75  # how much of a change is that of the region, and not of the whole: regions stay in one light
ENTROPY = 0.3  # of the plan that pairs regions, in squared deviations; lower pairs each with fewer

BOUND = 0.5
"""How strictly all of the style is taken: 1 takes each region by its area, 0 lets some be left and some taken twice."""

CHROMA = 0.4  # how much their hues count beside their lightness: a sky is light in most pictures, and blue in some
HEIGHT = 1.4  # how much it counts that regions lie at one height, of -1 to 1, beside their colors in deviations

REACH, EDGE = 1 / 16, 4e-3
"""Of the guided filter: how far it looks, relative to the long side, and the variance above which there is an edge."""

POINTS = 33  # values of each channel in a look-up table


class Colors(NamedTuple):
    """The distribution of colors in CIE Lab: mean (3,) and covariance (3, 3), float64 on the CPU."""

    mean: Tensor
    covariance: Tensor


class Change(NamedTuple):
    """The affine change of colors x -> matrix x + offset in CIE Lab; (3, 3) and (3,), float64 on the CPU."""

    matrix: Tensor
    offset: Tensor

    def toward(self, other: Change, share: float) -> Change:
        """So much of the other, and the rest of this one."""
        return Change(torch.lerp(self.matrix, other.matrix, share), torch.lerp(self.offset, other.offset, share))

    def of(self, lab: Tensor) -> Tensor:
        """Colors (1, 3, H, W), changed."""
        moved = torch.einsum("ij,njhw->nihw", self.matrix.to(lab), lab)
        return moved + self.offset.to(lab).view(1, 3, 1, 1)


UNCHANGED = Change(torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64))


def move_colors(content: Tensor, style: Tensor, *, size: int = 512, strength: float = 50.0) -> Iterator[Step]:
    """The content in the colors and the light of the style: a step of two pictures, the first with one change for the
    whole, the second with one for each region.

    Args:
        content, style: images (1, 3, H, W) in [0, 1], of any size.
        size: long side of the result in pixels.
        strength: 0 keeps the colors of the content, 50 makes three quarters of the change, 100 all of it.
    """
    check(size=size, strength=strength)
    photo, painting = resize(content.float().cpu(), size), _small(style)
    small, amount = _small(photo), _amount(strength)
    whole = _between(small, painting)
    regions = _regions(small)
    changes = [whole.toward(change, SHARE) for change in _by_region(small, regions, painting)]
    lab = to_lab(photo)
    once = from_lab(UNCHANGED.toward(whole, amount).of(lab))
    each = blended(lab, photo, edged(small, regions), [UNCHANGED.toward(change, amount) for change in changes])
    yield Step(1, 1, torch.cat([once, each]), {})


def color_table(content: Tensor, style: Tensor, strength: float = 50.0, points: int = POINTS) -> Tensor:
    """The change for the whole as a look-up table: (1, 3, points², points), whose rows are blue and within it green,
    and whose columns are red. Arguments as of `move_colors`."""
    blue, green, red = torch.meshgrid(*[torch.linspace(0, 1, points)] * 3, indexing="ij")
    grid = torch.stack([red, green, blue]).reshape(1, 3, points**2, points)
    return from_lab(UNCHANGED.toward(_between(_small(content), _small(style)), _amount(strength)).of(to_lab(grid)))


def measure(image: Tensor, plane: Tensor | None = None) -> Colors:
    """The colors of an image (1, 3, H, W) in [0, 1], each place counting as much as a plane (H, W) says; None is 1."""
    pixels = to_lab(image)[0].flatten(1).double()
    shares = torch.ones_like(pixels[0]) if plane is None else plane.flatten().double()
    shares = shares / shares.sum()
    mean = pixels @ shares
    apart = pixels - mean[:, None]
    return Colors(mean, (apart * shares) @ apart.T)


def mixed(colors: Sequence[Colors], shares: Tensor) -> Colors:
    """The colors of several pictures together, of which each has such a share (N,)."""
    means = torch.stack([one.mean for one in colors])
    mean = shares @ means
    apart = means - mean
    within = torch.stack([one.covariance for one in colors])
    return Colors(mean, torch.einsum("n,nij->ij", shares, within) + (apart.T * shares) @ apart)


def transport(colors: Colors, wanted: Colors) -> Change:
    """The change that makes one Gaussian distribution the other by the least movement: S^-1/2 (S^1/2 S' S^1/2)^1/2
    S^-1/2 (Pitié and Kokaram 2007, eq. 14), but with `NOISE` in both and within `GAIN`."""
    noise = NOISE**2 * torch.eye(3, dtype=torch.float64)
    root, inverse = (matrix_power(colors.covariance + noise, exponent) for exponent in (0.5, -0.5))
    matrix = inverse @ matrix_power(root @ (wanted.covariance + noise) @ root, 0.5) @ inverse
    values, vectors = torch.linalg.eigh(matrix)
    matrix = vectors @ torch.diag(values.clamp(*GAIN)) @ vectors.T
    return Change(matrix, wanted.mean - matrix @ colors.mean)


def pair_regions(cost: Tensor, areas: Tensor, others: Tensor, rounds: int = 200) -> Tensor:
    """The plan (K, L) that carries areas (K,) onto others (L,), as far as `BOUND` says, at little cost (K, L) and with
    `ENTROPY` (Sinkhorn's iteration; where not all is to be taken, of Chizat et al. 2018, arXiv:1607.05816)."""
    kernel = ((cost.amin(1, keepdim=True) - cost) / ENTROPY).exp().clamp_min(1e-12)
    rows = torch.ones_like(areas)
    for _ in range(rounds):
        columns = (others / (kernel.T @ rows)) ** BOUND
        rows = areas / (kernel @ columns)
    return rows[:, None] * kernel * columns


def edged(guide: Tensor, planes: Tensor) -> Tensor:
    """Planes (1, K, h, w) as functions of the colors of a guide (1, 3, h, w) around each place, so that they have its
    edges at any size: (K, 4, h, w), three slopes and an offset, of the guided filter for color (He, Sun and Tang 2010,
    "Guided Image Filtering", eq. 14)."""
    reach = max(1, round(REACH * max(guide.shape[-2:])))

    def mean(x: Tensor) -> Tensor:
        for _ in range(2):  # twice, since a box has corners that can be seen
            x = F.avg_pool2d(x, (2 * reach + 1, 1), 1, (reach, 0), count_include_pad=False)
            x = F.avg_pool2d(x, (1, 2 * reach + 1), 1, (0, reach), count_include_pad=False)
        return x

    def covariance(other: Tensor) -> Tensor:
        """Of the guide's channels and those of another, around each place: (h, w, 3, C)."""
        products = mean((guide[0, :, None] * other[0]).flatten(0, 1)[None]).view(3, -1, *guide.shape[-2:])
        return (products - mean(guide)[0, :, None] * mean(other)[0]).permute(2, 3, 0, 1)

    slopes = torch.linalg.solve(covariance(guide) + EDGE * torch.eye(3), covariance(planes)).permute(3, 2, 0, 1)
    offsets = mean(planes)[0] - (slopes * mean(guide)).sum(1)
    return mean(torch.cat([slopes, offsets[:, None]], 1))


def blended(lab: Tensor, photo: Tensor, coefficients: Tensor, changes: Sequence[Change]) -> Tensor:
    """A photo (1, 3, H, W) in [0, 1] whose colors in CIE Lab are changed by the region: see `edged`.

    The coefficients are enlarged, and not the planes (He and Sun 2015, arXiv:1505.00996).
    """
    total, weights = torch.zeros_like(lab), torch.zeros_like(lab[:, :1])
    for some, change in zip(coefficients.split(1), changes, strict=True):
        fine = F.interpolate(some, photo.shape[-2:], mode="bilinear")
        weight = ((fine[:, :3] * photo).sum(1, keepdim=True) + fine[:, 3:]).clamp_min(1e-6)
        total += weight * change.of(lab)
        weights += weight
    return from_lab(total / weights)


def _by_region(photo: Tensor, regions: Tensor, style: Tensor) -> list[Change]:
    """The change of each region of the photo, toward those of the style that it is paired with."""
    own, theirs = regions[0], _regions(style)[0]
    cost = torch.cdist(_described(photo, own), _described(style, theirs)).square()
    areas, others = (planes.double().mean((1, 2)) for planes in (own, theirs))
    plan = pair_regions(cost, areas, others)
    wanted = [measure(style, plane) for plane in theirs]
    return [
        transport(measure(photo, plane), mixed(wanted, row / row.sum())) for plane, row in zip(own, plan, strict=True)
    ]


def _described(image: Tensor, planes: Tensor) -> Tensor:
    """What regions (K, h, w) of an image are like, beside the others, however large: mean colors in deviations of
    lightness and of chroma, and height; (K, 4)."""
    means = torch.stack([measure(image, plane).mean for plane in planes])
    apart = means - means.mean(0)
    light, *chroma = (apart.square().mean(0) + NOISE**2).sqrt()
    deviations = torch.stack([light, *[torch.stack(chroma).max() / CHROMA] * 2])
    height = torch.linspace(-1, 1, image.shape[-2], dtype=torch.float64).view(-1, 1)
    heights = (planes * height).sum((1, 2)) / planes.sum((1, 2))
    return torch.cat([apart / deviations, HEIGHT * heights[:, None]], 1)


def _regions(small: Tensor) -> Tensor:
    """The regions of a picture of a small size, (1, K, h, w)."""
    planes = smoothed(divide(small, PARTS))
    return F.interpolate(planes[:, planes.sum((0, 2, 3)) > 0], small.shape[-2:], mode="nearest")


def _between(photo: Tensor, style: Tensor) -> Change:
    return transport(measure(photo), measure(style))


def _small(image: Tensor) -> Tensor:
    return resize(image.float().cpu(), min(LOOKED_AT, max(image.shape[-2:])))


def _amount(strength: float) -> float:
    return 1 - (1 - strength / 100) ** 2
