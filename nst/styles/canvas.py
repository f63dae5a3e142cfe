"""What every drawn style stands on: a canvas in units of its long side, noise, color ramps and light.

Coordinates are fractions of the long side (x to the right, y down), so that one seed gives the same picture
at every size. Colors are float32 RGB in [0, 1]; ramps are mixed in OKLab (Björn Ottosson, 2020), where a path
between two pigments does not run through gray.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.floating[Any]]  # in practice float32
Kinds = NDArray[np.integer[Any]]
Parts = tuple[Array, Array, Kinds]
"""Of a picture in the making: color, direction of the strokes, and which thing each pixel belongs to."""

# The raster is up to twice the wanted size and then reduced; past this side the gain is no longer seen.
_LARGEST_RASTER = 3072

_RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def to_oklab(rgb: NDArray[np.floating]) -> Array:
    """sRGB in [0, 1], shape (..., 3), as OKLab (lightness 0–1, then the two color axes)."""
    rgb = np.clip(rgb, 0.0, 1.0)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return (np.cbrt(linear @ _RGB_TO_LMS.T) @ _LMS_TO_LAB.T).astype(np.float32)


def from_oklab(lab: NDArray[np.floating]) -> Array:
    """OKLab, shape (..., 3), as sRGB clipped to [0, 1]."""
    linear = (lab @ np.linalg.inv(_LMS_TO_LAB).T) ** 3 @ np.linalg.inv(_RGB_TO_LMS).T
    linear = np.clip(linear, 0.0, 1.0)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


def color(text: str) -> Array:
    """``"#rrggbb"`` as an array of three floats in [0, 1]."""
    return np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float32) / 255


def colors(text: str) -> Array:
    """Several ``#rrggbb`` separated by spaces as an array (n, 3)."""
    return np.stack([color(one) for one in text.split()])


def ramp(position: NDArray[np.floating], stops: Sequence[tuple[float, str]]) -> Array:
    """Colors (..., 3) along a path of pigments; ``position`` has any shape and is clipped to the stops."""
    places = np.array([place for place, _ in stops], dtype=np.float32)
    labs = to_oklab(np.stack([color(text) for _, text in stops]))
    line = np.linspace(places[0], places[-1], 1024)
    table = from_oklab(np.stack([np.interp(line, places, labs[:, axis]) for axis in range(3)], axis=-1))
    index = (position - places[0]) / (places[-1] - places[0]) * 1023
    return table[np.clip(index, 0, 1023).astype(np.int32)]


def mix(below: Array, above: NDArray[np.floating], mask: NDArray[np.floating]) -> Array:
    """``above`` laid over ``below`` (..., 3) where ``mask`` (...) is 1."""
    return (below + (above - below) * mask[..., None]).astype(np.float32)


def smoothstep(low: float, high: float, value: NDArray[np.floating]) -> Array:
    """0 at ``low``, 1 at ``high`` (which may be the smaller), smooth between."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def _spline(pixels: int, first: float, step: float, cells: int) -> NDArray[np.float32]:
    """Weights (pixels, cells + 3) of a cubic B-spline over a lattice of ``cells`` intervals of length one."""
    place = first + step * (np.arange(pixels) + 0.5)
    cell = np.clip(np.floor(place).astype(int), 0, cells - 1)
    t = place - cell
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
    matrix = np.zeros((pixels, cells + 3), dtype=np.float32)
    rows = np.arange(pixels)[:, None]
    matrix[rows, cell[:, None] + np.arange(4)] = weights
    return matrix


@dataclass(frozen=True)
class Canvas:
    """A raster of ``width`` × ``height`` pixels whose long side is the unit of length, and a seed."""

    width: int
    height: int
    seed: int

    @property
    def unit(self) -> float:
        """Pixels to the long side."""
        return float(max(self.width, self.height))

    @property
    def shape(self) -> tuple[int, int]:
        return (self.height, self.width)

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height in units of the long side."""
        return (self.width / self.unit, self.height / self.unit)

    def at(self, long_side: int) -> Canvas:
        """The same picture on another raster."""
        scale = long_side / self.unit
        return Canvas(max(1, round(self.width * scale)), max(1, round(self.height * scale)), self.seed)

    def rng(self, key: int = 0) -> np.random.Generator:
        """Random numbers of this picture; each ``key`` is its own stream."""
        return np.random.default_rng((self.seed, key))

    def grid(self) -> tuple[Array, Array]:
        """Coordinates x, y of the pixel centers, each (height, width), in units of the long side."""
        x = (np.arange(self.width, dtype=np.float32) + 0.5) / self.unit
        y = (np.arange(self.height, dtype=np.float32) + 0.5) / self.unit
        return np.tile(x, (self.height, 1)), np.tile(y[:, None], (1, self.width))

    def box(self, x: float, y: float, reach: float) -> tuple[slice, slice]:
        """The pixels within ``reach`` of a place: rows and columns."""
        columns, rows = (
            slice(max(0, int((v - reach) * self.unit)), max(0, int((v + reach) * self.unit) + 1)) for v in (x, y)
        )
        return rows, columns

    def noise(self, cells: float | tuple[float, float], key: int, octaves: int = 1, gain: float = 0.5) -> Array:
        """Smooth noise (height, width) of mean 0 and deviation about 2, hardly ever beyond ±6.

        ``cells`` counts the hills along the long side (x and y may differ, for grain); each further octave
        has twice the cells and ``gain`` times the height. The lattice does not depend on the raster.
        """
        across, down = (cells, cells) if isinstance(cells, (int, float)) else cells
        total = np.zeros(self.shape, dtype=np.float32)
        power = 0.0
        for octave in range(octaves):
            rng = self.rng(1000 * key + octave)
            nx, ny = max(1, int(np.ceil(across))), max(1, int(np.ceil(down)))
            lattice = rng.standard_normal((ny + 3, nx + 3), dtype=np.float32)
            rows = _spline(self.height, 0.0, down / self.unit, ny)
            columns = _spline(self.width, 0.0, across / self.unit, nx)
            # A B-spline of white noise has deviation 0.48 on the plane.
            total += (gain**octave * 4.35) * (rows @ lattice @ columns.T)
            power += gain ** (2 * octave)
            across, down = across * 2, down * 2
        return total / np.float32(np.sqrt(power))


def raster(size: int, aspect: float, seed: int) -> Canvas:
    """The canvas to draw on for a picture of long side ``size`` and ``aspect`` = width / height."""
    factor = min(2.0, max(1.0, _LARGEST_RASTER / size))
    return Canvas(*_sides(round(size * factor), aspect), seed)


def _sides(size: int, aspect: float) -> tuple[int, int]:
    return (size, max(1, round(size / aspect))) if aspect >= 1 else (max(1, round(size * aspect)), size)


def finish(rgb: NDArray[np.floating] | Image.Image, size: int, aspect: float) -> Image.Image:
    """The drawn raster, floats (H, W, 3) in [0, 1] or an image, reduced to the long side ``size``."""
    if not isinstance(rgb, Image.Image):
        rgb = Image.fromarray((np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8))
    return rgb.convert("RGB").resize(_sides(size, aspect), Image.Resampling.BOX, reducing_gap=None)


def flat(kind: Kinds, meanings: Mapping[str, str]) -> Image.Image:
    """The map of a picture: each pixel in the color of the thing that it belongs to, by number."""
    table = np.stack([color(text) for text in meanings.values()])
    return Image.fromarray((table[kind] * 255 + 0.5).astype(np.uint8))


def blur(field: Array, radius: float) -> Array:
    """Gaussian blur of (H, W) or (H, W, C); ``radius`` (the deviation) in pixels."""
    from scipy import ndimage

    sigma = (radius, radius) if field.ndim == 2 else (radius, radius, 0)
    return np.asarray(ndimage.gaussian_filter(field, sigma, truncate=3.0, mode="nearest"), dtype=np.float32)


def relief(height: Array, unit: float, depth: float, angle: float = -2.3) -> Array:
    """Light (H, W) about 0 that a low lamp throws on a surface.

    ``height`` is in [0, 1], ``depth`` in thousandths of the long side at height one, and ``angle`` points
    to the lamp (by default it stands at the upper left).
    """
    scale = np.float32(depth * unit / 1000)
    down, right = np.gradient(height)
    slope = -(right * np.float32(np.cos(angle)) + down * np.float32(np.sin(angle))) * scale
    return np.asarray(slope / np.sqrt(1 + slope * slope), dtype=np.float32)


def sample(field: NDArray, x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray:
    """Values of a (H, W, ...) field at unit coordinates, nearest pixel, clamped at the edges."""
    height, width = field.shape[:2]
    unit = max(height, width)
    column = np.clip((x * unit).astype(np.int32), 0, width - 1)
    row = np.clip((y * unit).astype(np.int32), 0, height - 1)
    return field[row, column]
