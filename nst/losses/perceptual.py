"""What losses look at, and several of them on one set of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

Features = Mapping[str, Tensor]
EPS = 1e-8


class PerceptualLoss(nn.Module):
    """Several losses on one set of features: their terms side by side, those of the same name added up."""

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
    """`count` weights that sum to 1; equal ones for None. `what` they are called in a complaint.

    Raises:
        ValueError: the wrong number of them, a negative one, or all zero.
    """
    if weights is None:
        return [1 / count] * count
    if len(weights) != count or min(weights) < 0 or not 0 < sum(weights) < float("inf"):
        raise ValueError(f"{count} {what} are needed, none below 0 and not all 0; got {list(weights)}.")
    return [w / sum(weights) for w in weights]


def geometric_weights(count: int, deeper: bool) -> list[float]:
    """Weights of `count` layers, shallow to deep, that halve from each to the next, or double with `deeper`.

    2^(D - d) for the style and 2^d for the content, d from 1 to D: Novak and Nikulin, "Improving the Neural
    Algorithm of Artistic Style", 2016, arXiv:1605.04603, section 3.
    """
    return [2.0 ** (d if deeper else count - d) for d in range(1, count + 1)]
