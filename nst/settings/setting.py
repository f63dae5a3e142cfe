"""A setting: one thing that one can choose, and how a value for it is checked or read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from nst.weights import repository

MOST_WEIGHT, MOST_ITEMS = 1e6, 32  # above all weights of a list, and how many items a list may have

# The groups that settings stand in, in their order.
PICTURE = "The picture"
STYLES = "Several styles"
REGIONS = "Regions and meaning"
COLORS = "Colors"
SMOOTHNESS = "Smoothness"
OPTIMIZED = "How it is optimized"
COMPARED = "What is compared"
SINGLE = "Of single style losses"
COMPUTED = "Where it is computed"


@dataclass(frozen=True)
class Preset:
    """What a preset stands for.

    Attributes:
        num_steps: over all scales.
        factor: between two scales; `smallest` is the lower bound of the first one's long side.
        average: decay of the averaged iterate; 0 keeps the best one.
        tv_weight: of total variation beyond the photo's and the styles'.
        reach: by how many pixels the picture is moved from step to step, see `nst.transforms`; 0 is not.
        content_gain: how much more the content counts, so that each preset keeps about as much of a photo.
        first: how many times the steps of any other scale the first one has.
        decay: the learning rate at the end of a scale, relative to that at its beginning.
    """

    num_steps: int
    factor: float
    smallest: int
    average: float
    tv_weight: float
    reach: int = 0
    content_gain: float = 1.0
    first: float = 2.0
    decay: float = 1.0


@dataclass(frozen=True)
class Setting:
    """One thing that one can choose.

    Attributes:
        name: of the argument that it is.
        kind: type of its value, or of each of several.
        title, help: what it is called, and a sentence on it.
        group: that it stands in.
        low, high: bounds of a number.
        choices: the values of a word, and what each is called; `listed` gives them where they are found out when asked.
        free: what a word may be besides, such as FILE; then a repository of the Hub, too.
        option: what it is called on the command line, if not by its name; "" where it is none of its own.
        many: "list" where the value is a list; "each" where it is one for all styles or a list with one for each.
        joined: whether several choices may be joined by "+".
        unset: what is done where it is None.
        costs: whether time or memory of a run depend on it.
        step: between the values of a slider; 0 for no slider.
        paper: links to what it is from, in Markdown.
        default: of the task that it belongs to.
    """

    name: str
    kind: type
    title: str
    help: str
    low: float | None = None
    high: float | None = None
    group: str = PICTURE
    choices: Mapping[str, str] = field(default_factory=dict)
    listed: Callable[[], Mapping[str, str]] | None = None
    free: str = ""
    option: str | None = None
    many: str = ""
    joined: bool = False
    unset: str = ""
    costs: bool = False
    step: float = 0
    paper: str = ""
    default: Any = None

    @property
    def options(self) -> Mapping[str, str]:
        """The values of a word as they are now, and what each is called."""
        return self.choices if self.listed is None else self.listed()

    def check(self, value: object) -> None:
        """Refuse a value out of bounds, or that is none of the choices; None passes, and so does each of several where
        there may be several. Raises ValueError, which names the setting and what is possible."""
        several = isinstance(value, list | tuple)
        if value is not None and self.many != "each" and several != (self.many == "list"):
            raise ValueError(f"{self.name} must be {'a list' if self.many else 'one value, no list'}, not {value!r}.")
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is None or isinstance(one, Tensor | Preset):
                continue
            if self.low is not None and self.high is not None:
                number = isinstance(one, int | float) and not isinstance(one, bool)
                if not number or not self.low <= one <= self.high:  # type: ignore[operator]
                    raise ValueError(
                        f"{self.name} must be a number from {self.low:.10g} to {self.high:.10g}, not {one!r}."
                    )
            elif self.choices and self.free in ("", "PICTURE") and not self._chosen(one):
                raise ValueError(f"{self.name} must be one of {', '.join(self.choices)}, not {one!r}.")

    def read(self, value: Any) -> Any:
        """A value from outside, maybe as the text of a link: clamped into its bounds; None where it makes no sense."""
        items = value.split(",") if isinstance(value, str) and self.many else value
        several = isinstance(items, list | tuple) and 0 < len(items) <= MOST_ITEMS
        if self.many == "list" or (self.many and several and len(items) > 1):
            read = [self._read_one(item) for item in items] if several else [None]
            if None in read or (
                self.kind is float and self.high == MOST_WEIGHT and not sum(number or 0 for number in read) > 0
            ):
                return None
            return read
        return self._read_one(value)

    def _read_one(self, value: Any) -> Any:
        if self.kind is bool:
            return {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())
        if self.kind is str:
            if not isinstance(value, str):
                return None
            if self.choices or self.listed:
                return value if self._chosen(value) else None
            word = value.strip()[:20]
            return word if word.isidentifier() else None  # the name of a layer
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            return None
        if number != number or self.low is None or self.high is None:
            return None
        if self.high == MOST_WEIGHT:
            return number if self.low <= number < self.high else None
        number = min(max(number, self.low), self.high)
        return round(number) if self.kind is int else number

    def _chosen(self, value: object) -> bool:
        if self.free == "FILE" and isinstance(value, str) and repository.parse(value):
            return True
        return set(split(value) if self.joined else [value]) <= set(self.options)


def split(style_loss: object) -> list[str]:
    """The style losses that are joined by "+"."""
    return [part.strip() for part in style_loss.split("+")] if isinstance(style_loss, str) else [str(style_loss)]
