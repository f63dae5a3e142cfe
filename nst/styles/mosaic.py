"""Golden Tree: spirals of gold and enamel, set stone by stone.

The stones follow the outlines of the design (andamento): contours of the distance to the nearest outline are
walked at the width of a stone and cut into pieces, as Hausner does for "Simulating Decorative Mosaics"
(SIGGRAPH 2001) by other means.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .canvas import (
    Array,
    Canvas,
    color,
    finish,
    from_oklab,
    mix,
    ramp,
    raster,
    relief,
    sample,
    smoothstep,
    to_oklab,
)

ASPECT = 1.0
_STONE = 0.0125
# A spiral: foot x, y, center x, y, outer radius, turns (sign = sense), girth.
_SPIRALS = (
    (0.485, 0.62, 0.265, 0.285, 0.185, 2.2, 0.028),
    (0.515, 0.58, 0.745, 0.265, 0.175, -2.2, 0.027),
    (0.475, 0.80, 0.145, 0.615, 0.110, 2.0, 0.021),
    (0.525, 0.78, 0.86, 0.60, 0.110, -2.0, 0.021),
    (0.50, 0.42, 0.475, 0.115, 0.085, 1.8, 0.017),
    (0.40, 0.72, 0.325, 0.56, 0.052, 1.6, 0.013),
    (0.60, 0.715, 0.665, 0.545, 0.055, -1.6, 0.013),
    (0.0, 0.52, 0.055, 0.42, 0.052, -1.6, 0.013),
    (1.0, 0.50, 0.95, 0.40, 0.050, 1.6, 0.013),
    (-0.02, 0.16, 0.075, 0.085, 0.066, -1.8, 0.015),
    (1.02, 0.15, 0.925, 0.075, 0.064, 1.8, 0.015),
)


def _spiral(spiral: tuple[float, ...]) -> tuple[NDArray, NDArray]:
    """Points (n, 2) of a branch that leaves its foot and winds up, and its girth there."""
    fx, fy, cx, cy, reach, turns, girth = spiral
    sense = np.sign(turns)
    away = max(reach, np.hypot(fx - cx, fy - cy))
    start = np.arctan2(fy - cy, fx - cx) + sense * np.arccos(reach / away)
    t = np.linspace(0, 1, 260)[:, None]
    turn = start + 2 * np.pi * turns * t
    curl = np.array([cx, cy]) + (reach * (1 - t) ** 0.85 + 0.004) * np.concatenate([np.cos(turn), np.sin(turn)], axis=1)
    # The branch rises from its foot and runs into the curl along the tangent.
    foot, far = np.array([fx, fy]), np.hypot(fx - curl[0, 0], fy - curl[0, 1])
    rise = foot + np.array([0.0, -0.35 * far])
    arrive = curl[0] - sense * np.array([-np.sin(start), np.cos(start)]) * 0.45 * far
    s = np.linspace(0, 1, 90)[:-1, None]
    lead = (1 - s) ** 3 * foot + 3 * s * (1 - s) ** 2 * rise + 3 * s * s * (1 - s) * arrive + s**3 * curl[0]
    points = np.concatenate([lead, curl])
    along = np.linspace(0, 1, len(points))
    return points, girth * (1.25 - 0.85 * along)


def _trunk() -> tuple[NDArray, NDArray]:
    t = np.linspace(0, 1, 120)
    return np.stack([0.50 + 0.012 * np.sin(7 * t), 0.36 + 0.60 * t], axis=-1), 0.018 + 0.075 * t + 0.05 * t**6


def _ribbon(draw: ImageDraw.ImageDraw, unit: float, points: NDArray, girth: NDArray, fill: int) -> None:
    for (x, y), half in zip(points * unit, girth * unit / 2, strict=True):
        draw.ellipse([x - half, y - half, x + half, y + half], fill=fill)


def _design(study: Canvas) -> tuple[NDArray, Array]:
    """Regions (0 ground, 1 branches, 2 earth, 3 eyes) and the colors under the stones."""
    image = Image.new("L", (study.width, study.height), 0)
    draw = ImageDraw.Draw(image)
    unit = study.unit
    x, y = study.grid()
    meadow = 0.865 - 0.03 * np.sin(5 * x + 0.5)
    for points, girth in (_trunk(), *map(_spiral, _SPIRALS)):
        _ribbon(draw, unit, points, girth, 1)
    rng = study.rng(3)
    region = np.array(image)
    region[(y > meadow) & (region == 0)] = 2
    for number in range(260):  # eyes in the gaps, large ones first
        cx, cy = rng.uniform(0.02, 0.98, 2)
        reach = 0.034 - 0.020 * number / 260
        near = region[
            max(0, int((cy - 1.3 * reach) * unit)) : int((cy + 1.3 * reach) * unit),
            max(0, int((cx - 1.3 * reach) * unit)) : int((cx + 1.3 * reach) * unit),
        ]
        if near.min() == near.max() and near[0, 0] in (0, 2):
            region[np.hypot(x - cx, y - cy) < reach] = 3
    return region, _colors(study, region, x, y, meadow)


def _colors(study: Canvas, region: NDArray, x: Array, y: Array, meadow: Array) -> Array:
    from scipy import ndimage

    drift = study.noise(3, 5, octaves=2)
    glow = np.hypot(x - 0.5, y - 0.42) + 0.05 * drift
    rgb = ramp(
        glow,
        [
            (0.0, "#f6ead0"),
            (0.16, "#bfe0d2"),
            (0.30, "#4fb3b4"),
            (0.44, "#1f7fa6"),
            (0.58, "#1b4f94"),
            (0.76, "#14265e"),
        ],
    )
    inner = np.asarray(ndimage.distance_transform_edt(region == 1), dtype=np.float32) / study.unit
    gold = ramp(inner / 0.02 + 0.12 * drift, [(0.0, "#a8641c"), (0.45, "#e3a52c"), (0.8, "#f9d662"), (1.2, "#fff2b4")])
    bark = smoothstep(0.4, 0.9, np.sin(60 * y + 25 * x)) * (y > 0.45) * (np.abs(x - 0.5) < 0.09)
    gold = mix(gold, np.broadcast_to(color("#8a2430"), gold.shape), np.asarray(bark))
    rgb = mix(rgb, gold, (region == 1).astype(np.float32))
    earth = ramp(
        (y - meadow) / 0.13 + 0.16 * drift,
        [(0.0, "#9fc24a"), (0.35, "#2f8a52"), (0.7, "#14605c"), (1.0, "#123a52")],
    )
    rgb = mix(rgb, earth, (region == 2).astype(np.float32))
    labels, count = ndimage.label(region == 3)
    inside = np.asarray(ndimage.distance_transform_edt(region == 3), dtype=np.float32) / study.unit
    rng = study.rng(6)
    pigments = ("#c8322e", "#e8762c", "#f6ead0", "#1b2f7c", "#d23f6a", "#f3c14e", "#2b9a94")
    for number in range(1, count + 1):
        here = labels == number
        outer, core = rng.choice(len(pigments), 2, replace=False)
        rgb[here] = color(pigments[outer])
        rgb[here & (inside > 0.0125)] = color(pigments[core])
    return rgb


def _levels(region: NDArray, unit: float) -> list[tuple[Array, Array]]:
    """Ground, earth and eyes: the distance to the outline and the mask of each."""
    from scipy import ndimage

    fields = []
    for kind in (0, 2, 3):
        inside = np.asarray(ndimage.distance_transform_edt(region == kind), dtype=np.float32) / unit
        fields.append((ndimage.gaussian_filter(inside, 1.2), region == kind))
    return fields


def _stones(field: Array, mask: NDArray, unit: float, stone: float, rng: np.random.Generator) -> NDArray:
    """Quadrilaterals (n, 4, 2) in unit coordinates along the contours of ``field`` inside ``mask``."""
    from skimage.measure import find_contours

    down, right = (np.asarray(slope) for slope in np.gradient(field))
    quads = []
    levels = np.arange(0.5 * stone, float(field[mask].max()) + 0.3 * stone, stone)
    for level in levels:
        for contour in find_contours(np.where(mask, field, -stone), level):
            length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(contour, axis=0).T))]) / unit
            if length[-1] < 0.4 * stone:
                continue
            count = max(1, round(float(length[-1]) / (stone * 1.08)))
            cuts = np.linspace(0, length[-1], count + 1)
            cuts[1:-1] += rng.uniform(-0.16, 0.16, count - 1) * stone
            row, column = np.interp(cuts, length, contour[:, 0]), np.interp(cuts, length, contour[:, 1])
            at = (
                np.clip(np.round(row).astype(int), 0, field.shape[0] - 1),
                np.clip(np.round(column).astype(int), 0, field.shape[1] - 1),
            )
            steep = np.hypot(right[at], down[at]) + 1e-6
            normal = np.stack([right[at] / steep, down[at] / steep], axis=-1)
            middle = np.stack([column, row], axis=-1) / unit
            half = 0.5 * stone * normal
            quads.append(
                np.stack(
                    [
                        middle[:-1] - half[:-1],
                        middle[1:] - half[1:],
                        middle[1:] + half[1:],
                        middle[:-1] + half[:-1],
                    ],
                    axis=1,
                )
            )
    return np.concatenate(quads) if quads else np.zeros((0, 4, 2))


def _row(points: NDArray, girth: NDArray, stone: float) -> NDArray:
    """Quadrilaterals (n, 4, 2) in one, two or more rows along a branch."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    quads = []
    rows = max(1, round(float(girth.mean()) / stone))
    for row in range(rows):
        cuts = np.arange(row % 2 * 0.5, length[-1] / stone) * stone
        middle = np.stack([np.interp(cuts, length, points[:, axis]) for axis in range(2)], axis=-1)
        step = np.gradient(middle, axis=0)
        normal = np.stack([-step[:, 1], step[:, 0]], axis=-1) / (np.hypot(*step.T)[:, None] + 1e-9)
        wide = np.maximum(np.interp(cuts, length, girth), 0.5 * stone)[:, None]
        low, high = (middle + (row + side - rows / 2) / rows * wide * normal for side in (0, 1))
        quads.append(np.stack([low[:-1], low[1:], high[1:], high[:-1]], axis=1))
    return np.concatenate(quads)


def _chips(study: Canvas, rng: np.random.Generator) -> NDArray:
    """Small broken pieces that show wherever the rows leave a gap."""
    step = 0.75 * _STONE
    gx, gy = np.meshgrid(np.arange(0, 1 + step, step), np.arange(0, 1 + step, step))
    corner = np.stack([gx, gy], axis=-1) + rng.uniform(-0.3, 0.3, (*gx.shape, 2)) * step
    return np.stack([corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]], axis=2).reshape(-1, 4, 2)


def _set(canvas: Canvas, study: Canvas) -> Image.Image:
    """All stones drawn in their colors; the alpha channel holds their height."""
    region, under = _design(study)
    image = Image.new("RGBA", (canvas.width, canvas.height), (38, 34, 44, 40))
    pen = ImageDraw.Draw(image)
    rng = canvas.rng(9)
    courses = [_chips(study, rng)]
    courses += [_stones(field, mask, study.unit, _STONE, rng) for field, mask in _levels(region, study.unit)]
    courses += [_row(points, girth, _STONE) for points, girth in (*map(_spiral, _SPIRALS), _trunk())]
    for quads in courses:
        middle = quads.mean(axis=1, keepdims=True)
        quads = middle + (quads - middle) * 0.90 + rng.normal(0, 0.00045, quads.shape)
        lab = to_oklab(sample(under, middle[:, 0, 0], middle[:, 0, 1]))
        lab += rng.normal(0, 1, lab.shape).astype(np.float32) * np.array([0.055, 0.020, 0.022], dtype=np.float32)
        paint = (from_oklab(lab) * 255).astype(int)
        heights = rng.integers(150, 235, len(quads))
        pixels = (quads * canvas.unit).reshape(len(quads), 8)
        joint = ((middle + (quads - middle) * 1.22) * canvas.unit).reshape(len(quads), 8)
        for bed, points, fill, height in zip(
            joint.tolist(), pixels.tolist(), paint.tolist(), heights.tolist(), strict=True
        ):
            pen.polygon(bed, fill=(38, 34, 44, 40))
            pen.polygon(points, fill=(*fill, height))
    return image


def draw(size: int, seed: int) -> Image.Image:
    """The picture at long side ``size``."""
    canvas = raster(size, ASPECT, seed)
    data = np.asarray(_set(canvas, canvas.at(720)), dtype=np.float32) / 255
    rgb, height = data[..., :3], data[..., 3]
    glaze = canvas.noise(150, 20, octaves=2)
    light = relief(height + 0.02 * glaze, canvas.unit, 1.1)
    shaded = rgb * (1 + 0.34 * light + 0.05 * glaze)[..., None] + 0.16 * np.maximum(light, 0)[..., None] ** 2
    return finish(shaded, size, ASPECT)
