"""Maps of what is where: their colors, what each pixel means, and a proposal for a painting that has none."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from PIL import ImageColor
from torch import Tensor

from nst.color import to_lab
from nst.images import Source, resize
from nst.stylize.painted import painted_masks

MOST = 12
"""How many meanings a map may have."""

APART = 0.12
"""Colors of a map that are less far from each other, in [0, 1], are one and the same."""

LEAST = 0.002
"""A color that covers less than this of a map is taken for a slip."""

FLAT = 0.1
"""How much the neighbors of a pixel may differ from it within one color: JPEG is not exact."""

CLUSTERING = 112
"""Long side in pixels at which a painting is divided."""

ALIKE = 13.0
"""Parts of a painting whose mean colors are less far apart than this, in CIE Lab, are one."""


def map_colors(picture: Tensor) -> list[str]:
    """The colors of a map (1, 3, H, W), such as "#2f44c8", from what covers most to least; at most `MOST`.

    What lies between two colors at an edge is none of its own, since only pixels that are like their neighbors count.

    Raises:
        ValueError: there is no flat color; so it is no map.
    """
    picture = resize(picture.float(), min(512, max(picture.shape[-2:])))
    x = F.pad(picture, (1, 1, 1, 1), mode="replicate")
    spread = (F.max_pool2d(x, 3, 1) + F.max_pool2d(-x, 3, 1)).amax(1)[0]  # of each pixel and its neighbors
    inside = (picture[0].permute(1, 2, 0)[spread <= FLAT] * 31).round().long()
    codes, counts = (inside @ inside.new_tensor([1024, 32, 1])).unique(return_counts=True)
    found: list[Tensor] = []
    shares: list[float] = []
    for i in counts.argsort(descending=True):
        color = torch.stack([codes[i] // 1024, codes[i] // 32 % 32, codes[i] % 32]) / 31
        near = [k for k, known in enumerate(found) if (known - color).norm() < APART]
        share = float(counts[i]) / spread.numel()
        if near:
            shares[near[0]] += share
        elif len(found) < 4 * MOST:
            found.append(color)
            shares.append(share)
    kept = sorted((k for k, share in enumerate(shares) if share >= LEAST), key=lambda k: -shares[k])
    if not kept or len(kept) > 2 * MOST or sum(shares) < 0.5:
        raise ValueError("This is no map: it needs a few flat colors, one for each meaning.")
    pixels = picture[0].flatten(1).T
    nearest = torch.cdist(pixels, torch.stack([found[k] for k in kept[:MOST]]))
    exact = [pixels[column.argmin()] for column in nearest.T]  # a color that is really there
    return ["#" + "".join(f"{round(float(value) * 255):02x}" for value in color) for color in exact]


def meaning_planes(picture: Tensor, colors: Sequence[str]) -> Tensor:
    """What a map (1, 3, H, W) says of each pixel: (1, K, H, W), 1 for the nearest of the K colors and 0 for others."""
    palette = torch.stack([_rgb(color) for color in colors])
    distances = (picture.float() - palette.view(-1, 3, 1, 1)).square().sum(1)
    return F.one_hot(distances.argmin(0), len(colors)).permute(2, 0, 1)[None].float()


def painted_map(ground: Tensor, layers: Sequence[Source], colors: Sequence[str]) -> Tensor:
    """What was painted over a map, in its colors, as one flat map (1, 3, H, W) of the ground's size.

    Args:
        ground: a map (1, 3, H, W).
        layers: strokes of brushes of these colors, see `painted_masks`.
        colors: of the map.

    Raises:
        nst.images.ImageError, ValueError: see `painted_masks`.
    """
    planes = meaning_planes(ground, colors)
    strokes = torch.zeros_like(planes)
    for k, mask in enumerate(painted_masks(layers, colors)):
        if mask is not None:
            strokes[:, k : k + 1] = resize(mask, (planes.shape[-2], planes.shape[-1]))
    covered = strokes.sum(1, keepdim=True) > 0.5
    palette = torch.stack([_rgb(color) for color in colors])
    return palette[torch.where(covered, strokes, planes)[0].argmax(0)].permute(2, 0, 1)[None]


def propose_map(painting: Tensor, *, parts: int = 7, size: int = 512, seed: int = 0) -> Tensor:
    """A map (1, 3, h, w) for a painting (1, 3, H, W): parts of like color and place, each in its mean color.

    A proposal only: it knows colors, not things. The painting is divided by k-means (Lloyd 1982) in CIE Lab, lightly
    drawn towards what lies at one height; parts of nearly one color are joined, and edges smoothed.

    Args:
        parts: at most so many, fewer where colors are few.
        size: long side of the map in pixels.
        seed: of the first guess.
    """
    small = resize(painting.float(), min(CLUSTERING, max(painting.shape[-2:])))
    lab = _blurred(to_lab(small), 2)
    tall, wide = small.shape[-2:]
    height = torch.linspace(-1, 1, tall).view(1, 1, -1, 1).expand(1, 1, tall, wide)
    features = torch.cat([lab * torch.tensor([0.7, 1, 1]).view(1, 3, 1, 1), 12 * height], 1)[0].flatten(1).T
    members = _joined(_kmeans(features, parts, seed), lab[0].flatten(1).T)
    planes = F.one_hot(members).T.view(1, -1, tall, wide).float()
    shape = resize(small.new_zeros(1, 1, *painting.shape[-2:]), size).shape[-2:]
    smooth = F.interpolate(_blurred(planes, 2), shape, mode="bilinear")
    pixels = small[0].flatten(1).T
    means = [pixels[members == k].mean(0) for k in range(int(members.max()) + 1)]
    palette = _spread(torch.stack(means))
    return palette[smooth[0].argmax(0)].permute(2, 0, 1)[None]


def _rgb(color: str) -> Tensor:
    return torch.tensor(ImageColor.getrgb(color)[:3]) / 255


def _kmeans(points: Tensor, parts: int, seed: int, rounds: int = 25) -> Tensor:
    """The part (n,) that each point (n, D) belongs to."""
    generator = torch.Generator().manual_seed(seed)
    centers = points[torch.randint(len(points), (1,), generator=generator)]
    while len(centers) < parts:  # far from those there are (Arthur and Vassilvitskii 2007)
        distances = torch.cdist(points, centers).amin(1).square()
        centers = torch.cat([centers, points[torch.multinomial(distances + 1e-9, 1, generator=generator)]])
    for _ in range(rounds):
        members = torch.cdist(points, centers).argmin(1)
        filled = members.unique()
        centers = torch.stack([points[members == k].mean(0) for k in filled])
    return torch.cdist(points, centers).argmin(1).unique(return_inverse=True)[1]


def _joined(members: Tensor, lab: Tensor) -> Tensor:
    """The same parts, but those of nearly one mean color as one, and tiny ones with the next."""
    while (count := int(members.max()) + 1) > 1:
        means = torch.stack([lab[members == k].mean(0) for k in range(count)])
        distances = torch.cdist(means, means) + 1e9 * torch.eye(count)
        tiny = members.bincount(minlength=count) < 0.01 * len(members)
        distances[tiny] *= 1e-3
        first, second = divmod(int(distances.argmin()), count)
        if distances[first, second] > ALIKE:
            break
        members = members.where(members != first, torch.tensor(second)).unique(return_inverse=True)[1]
    return members


def _spread(palette: Tensor) -> Tensor:
    """Colors (K, 3) that can be told apart, each lighter or darker than its mean color until it can."""
    chosen: list[Tensor] = []
    for color in palette:
        choices = [torch.lerp(color, torch.tensor(end), share) for share in (0, 0.2, 0.4, 0.6) for end in (1.0, 0.0)]
        apart = [min([float((one - other).norm()) for other in chosen], default=1.0) for one in choices]
        clear = [one for one, distance in zip(choices, apart, strict=True) if distance > 1.5 * APART]
        chosen.append(clear[0] if clear else choices[apart.index(max(apart))])
    return (torch.stack(chosen) * 255).round() / 255


def _blurred(planes: Tensor, reach: int) -> Tensor:
    """Means over squares (N, C, H, W), twice; at the edges of what is there."""
    for _ in range(2):
        planes = F.avg_pool2d(planes, 2 * reach + 1, 1, reach, count_include_pad=False)
    return planes
