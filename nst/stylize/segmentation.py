"""Maps of what is where: their colors, what each pixel means, and a proposal for a painting that has none."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from PIL import ImageColor
from torch import Tensor

from nst.color import to_lab
from nst.images import Source, resize
from nst.stylize.masks import painted_masks

MOST = 12  # how many meanings a map may have
APART = 0.12  # colors of a map that are less far from each other, in [0, 1], are one and the same
LEAST = 0.002  # a color that covers less than this of a map is taken for a slip
FLAT = 0.1  # how much the neighbors of a pixel may differ from it within one color: JPEG is not exact
CLUSTERING = 112  # long side in pixels at which a painting is divided
ALIKE = 13.0  # parts of a painting whose mean colors are less far apart than this, in CIE Lab, are one


def map_colors(picture: Tensor) -> list[str]:
    """The colors of a map (1, 3, H, W), such as "#2f44c8", from what covers most to least; at most `MOST`.

    What lies between two colors at an edge is none of its own, since only pixels that are like their neighbors count.
    Raises ValueError where there is no flat color; so it is no map.
    """
    picture = resize(picture.float(), min(512, max(picture.shape[-2:])))
    x = F.pad(picture, (1, 1, 1, 1), mode="replicate")
    spread = (F.max_pool2d(x, 3, 1) + F.max_pool2d(-x, 3, 1)).amax(1)[0]  # of each pixel and its neighbors
    red, green, blue = (picture[0][:, spread <= FLAT] * 255).round().int()
    codes, counts = (red * 65536 + green * 256 + blue).unique(return_counts=True)
    values = torch.stack([codes // 65536, codes // 256 % 256, codes % 256], 1) / 255
    flat = float(counts.sum()) / spread.numel()
    found: list[Tensor] = []
    shares: list[float] = []
    while len(found) <= MOST and len(counts) and counts.sum() >= LEAST * spread.numel():
        color = values[counts.argmax()]
        near = (values - color).norm(dim=1) < APART
        found.append(color)
        shares.append(float(counts[near].sum()) / spread.numel())
        values, counts = values[~near], counts[~near]
    kept = [i for i in sorted(range(len(found)), key=lambda i: -shares[i]) if shares[i] >= LEAST]
    if not kept or flat < 0.5:
        raise ValueError("This is no map: it needs a few flat colors, one for each meaning.")
    return ["#" + "".join(f"{round(float(value) * 255):02x}" for value in found[i]) for i in kept[:MOST]]


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
            strokes[:, k : k + 1] = resize(mask, planes.shape[-2:])
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
    planes = divide(painting, parts, seed)
    small = resize(painting.float(), max(planes.shape[-2:]))
    shape = resize(small.new_zeros(1, 1, *painting.shape[-2:]), size).shape[-2:]
    soft = F.avg_pool2d(smoothed(planes), 3, 1, 1, count_include_pad=False)
    most = F.interpolate(soft, shape, mode="bicubic")[0].argmax(0)
    pixels = small[0].flatten(1).T
    means = torch.stack([pixels[plane > 0].mean(0) for plane in planes[0].flatten(1)])
    return _spread(means)[most].permute(2, 0, 1)[None]


def divide(picture: Tensor, parts: int = 7, seed: int = 0) -> Tensor:
    """Parts of like color and place in a picture (1, 3, H, W) in [0, 1], at most so many: planes (1, K, h, w) of 1
    where a part is and of 0 elsewhere, with a long side of `CLUSTERING` pixels at most."""
    small = resize(picture.float(), min(CLUSTERING, max(picture.shape[-2:])))
    lab = to_lab(small)
    tall, wide = small.shape[-2:]
    height = torch.linspace(-1, 1, tall).view(1, 1, -1, 1).expand(1, 1, tall, wide)
    features = torch.cat([lab * torch.tensor([0.7, 1, 1]).view(1, 3, 1, 1), 12 * height], 1)[0].flatten(1).T
    members = _joined(_kmeans(features, parts, seed), lab[0].flatten(1).T)
    return F.one_hot(members).T.view(1, -1, tall, wide).float()


def smoothed(planes: Tensor) -> Tensor:
    """The same parts (1, K, h, w), but each pixel becomes what most of those around it are, three times."""
    for _ in range(3):
        most = F.avg_pool2d(planes, 5, 1, 2, count_include_pad=False)[0].argmax(0)
        planes = F.one_hot(most, planes.shape[1]).permute(2, 0, 1)[None].float()
    return planes


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
