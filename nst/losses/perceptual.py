"""What losses look at, and several of them on one set of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

Features = Mapping[str, Tensor]
EPS = 1e-8

RING = 64
"""Pixels around a part of a picture that losses of the picture itself look at: the coarsest squares of structure."""


@dataclass(frozen=True)
class Window:
    """A part of a picture, and what is around it as far as an encoder sees from its edge.

    Attributes:
        rows, columns: of the picture.
        height, width: of the picture.
        around: how many pixels there are around it, but beyond the picture's edges.
        strides: of each layer, see `nst.encoders.Encoder`.
    """

    rows: slice
    columns: slice
    height: int
    width: int
    around: int
    strides: Mapping[str, int]

    @property
    def outer(self) -> tuple[slice, slice]:
        """Rows and columns with what is around them."""
        return self._wider(self.around)

    @property
    def ring(self) -> tuple[slice, slice]:
        """Rows and columns with as much all around as losses of the picture itself look at."""
        return self._wider(RING)

    def _wider(self, by: int) -> tuple[slice, slice]:
        rows, columns = self.rows, self.columns
        return (
            slice(max(0, rows.start - by), min(self.height, rows.stop + by)),
            slice(max(0, columns.start - by), min(self.width, columns.stop + by)),
        )

    def at(self, layer: str) -> tuple[slice, slice]:
        """Where it lies in a layer of the whole picture."""
        s = self.strides[layer]
        rows, columns = (slice(side.start // s, -(-side.stop // s)) for side in (self.rows, self.columns))
        return rows, columns

    def inside(self, layer: str) -> tuple[slice, slice]:
        """Where it lies in a layer of itself and what is around it."""
        return self._less(self.at(layer), [side.start // self.strides[layer] for side in self.outer])

    @property
    def within_ring(self) -> tuple[slice, slice]:
        """Where it lies in its ring."""
        return self._less((self.rows, self.columns), [side.start for side in self.ring])

    def _less(self, sides: tuple[slice, slice], starts: Sequence[int]) -> tuple[slice, slice]:
        rows, columns = (slice(s.start - by, s.stop - by) for s, by in zip(sides, starts, strict=True))
        return rows, columns

    def whole(self, layer: str) -> tuple[int, int]:
        """Height and width of a layer of the whole picture."""
        s = self.strides[layer]
        return -(-self.height // s), -(-self.width // s)

    def share(self, layer: str | None = None) -> float:
        """Its share of the places of a layer, or of the pixels."""
        rows, columns = (self.rows, self.columns) if layer is None else self.at(layer)
        height, width = (self.height, self.width) if layer is None else self.whole(layer)
        return (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)


class PerceptualLoss(nn.Module):
    """Several losses on one set of features: their terms side by side, those of the same name added up.

    A loss can be evaluated by parts of a picture if it is `divisible`: either what it gives for each `part` adds up to
    its term (`additive`), or what its `statistics` `measure` in each are mixed to what it `compare`s.
    """

    def __init__(self, losses: Sequence[nn.Module]) -> None:
        super().__init__()
        self.losses = nn.ModuleList(losses)

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer that one of the losses needs."""
        return tuple(dict.fromkeys(name for loss in self.losses for name in loss.layers))  # type: ignore[union-attr]

    @property
    def capturable(self) -> bool:
        """Whether all of them do the same operations each time and read nothing back (see `Statistic`)."""
        return all(getattr(loss, "capturable", True) for loss in self.losses)

    def forward(self, features: Features) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = {}
        for loss in self.losses:
            for name, term in loss(features).items():
                terms[name] = terms[name] + term if name in terms else term
        return terms


def in_view(target: Tensor, features: Features) -> Tensor:
    """What of a target (N, ...) belongs to the features: all, or the view that they are of (see `nst.transforms`)."""
    return target.index_select(0, features["view"]) if "view" in features else target


def normalized_weights(weights: Sequence[float] | None, count: int, what: str = "weights") -> list[float]:
    """`count` weights that sum to 1; equal ones for None. `what` they are called in a complaint. Raises ValueError for
    the wrong number of them, a negative one, or all zero."""
    if weights is None:
        return [1 / count] * count
    if len(weights) != count or min(weights) < 0 or not 0 < sum(weights) < float("inf"):
        raise ValueError(f"{count} {what} are needed, none below 0 and not all 0; got {list(weights)}.")
    return [w / sum(weights) for w in weights]


def halving_weights(count: int) -> list[float]:
    """Weights of `count` layers, shallow to deep, that halve from each to the next: for a style by Novak and Nikulin,
    "Improving the Neural Algorithm of Artistic Style", 2016, arXiv:1605.04603, section 3."""
    return [2.0 ** (count - d) for d in range(1, count + 1)]
