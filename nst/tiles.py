"""A picture that is too large to be encoded at once, looked at tile by tile: its loss and gradient are the whole's.

What losses compare of a picture are means over its places. So a step goes over the tiles twice, each with as much
around it as the encoder sees from its edge: once to measure them, and then, with the one gradient of the loss by what
the whole measures, to lead that back into the pixels. What is only added up needs the second round alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.device import Device
from nst.losses import Features, PerceptualLoss, Window
from nst.losses.content import content_loss
from nst.losses.perceptual import in_view
from nst.losses.statistic import Measured
from nst.params import picked
from nst.transforms import Shifts

SMALLEST, LARGEST = 384, 2048  # sides in pixels that a tile has with what is around it


class Encoding(Protocol):
    """What is asked of an encoder here."""

    @property
    def strides(self) -> dict[str, int]: ...
    def __call__(self, image: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]: ...
    def reach(self, layers: Sequence[str]) -> int: ...


class Pixels(Protocol):
    """What is asked of a picture here."""

    def part(self, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]: ...


class Cut:
    """How a picture is cut into tiles, in such a way that poolings meet the same pixels as in the whole.

    Args:
        height, width: of the picture.
        encoding: what will see it.
        layers: as far as it will be asked.
        side: of a tile in pixels, with what is around it.
        views: of the picture, of which one is seen at a time.
    """

    def __init__(
        self,
        height: int,
        width: int,
        encoding: Encoding,
        layers: Sequence[str],
        side: int = SMALLEST,
        views: Shifts | None = None,
    ) -> None:
        self.height, self.width, self.side, self.views = height, width, side, views
        strides, around = encoding.strides, encoding.reach(layers)
        inner = max(side - 2 * around, max(strides.values()))
        rows, columns = (_pieces(whole, inner, max(strides.values())) for whole in (height, width))
        self.windows = [Window(r, c, height, width, around, strides) for r in rows for c in columns]

    @property
    def count(self) -> int:
        """How many views there are."""
        return self.views.count if self.views else 1

    def places(self, window: Window, view: int | None = None) -> tuple[Tensor, Tensor]:
        """The rows and columns of the picture that are seen in a window and around it, in a view or the present one."""
        rows, columns = window.outer
        if self.views is None:
            return torch.arange(rows.start, rows.stop), torch.arange(columns.start, columns.stop)
        now = self.views.now if view is None else torch.full_like(self.views.now, view)
        tables = (self.views.rows, self.views.columns)
        return tuple(t.index_select(0, now)[0, s] for t, s in zip(tables, (rows, columns), strict=True))  # type: ignore

    def nearby(self, window: Window) -> tuple[slice, slice]:
        """Rows and columns that hold all that any view shows there."""
        reach = 0 if self.views is None else self.views.reach
        rows, columns = window.outer
        return (
            slice(max(0, rows.start - reach), min(self.height, rows.stop + reach)),
            slice(max(0, columns.start - reach), min(self.width, columns.stop + reach)),
        )


def _pieces(whole: int, most: int, multiple: int) -> list[slice]:
    """Slices of about one length, not above `most`, which begin at multiples of a number."""
    count = -(-whole // max(multiple, most // multiple * multiple))
    length = -(-whole // (count * multiple)) * multiple
    return [slice(start, min(start + length, whole)) for start in range(0, whole, length)]


def part_of(picture: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """These rows and columns of a picture (N, C, H, W), in float32."""
    return picked(picture, rows, columns).float()


@torch.no_grad()
def encoded(encoding: Encoding, picture: Tensor, layers: Sequence[str], device: Device, side: int) -> Features:
    """Features of a picture (1, 3, H, W) of any size; only these, and what a tile takes, are held."""
    cut, found = Cut(picture.shape[-2], picture.shape[-1], encoding, layers, side), dict[str, Tensor]()
    for window in cut.windows:
        for name, part in _inside(encoding, part_of(picture, *cut.places(window)), layers, window, device).items():
            if name not in found:
                shape = (1, part.shape[1], *window.whole(name))
                found[name] = part.new_empty(shape).contiguous(memory_format=torch.channels_last)
            found[name][(..., *window.at(name))] = part
    return found


def _inside(
    encoding: Encoding, seen: Tensor, layers: Sequence[str], window: Window, device: Device
) -> dict[str, Tensor]:
    """Features of a window of what is seen of it and around it."""
    with device.autocast():
        features = encoding(device.place(seen), tuple(layers))
    return {name: features[name][(..., *window.inside(name))] for name in layers}


class ContentByTiles(torch.nn.Module):
    """`nst.losses.ContentLoss` of a picture whose features are too large to be kept: they are computed anew each time.

    Args:
        picture: the content, (1, 3, H, W).
        encoding, layers, device, cut: what compares it, where, on what and in which tiles.
        weight, layer_weights: see `nst.losses.ContentLoss`, made to sum to 1.
        care: what each place counts, (views, 1, H, W); None is 1.
    """

    additive = divisible = True

    def __init__(
        self,
        picture: Tensor,
        encoding: Encoding,
        layers: Sequence[str],
        device: Device,
        cut: Cut,
        weight: float,
        layer_weights: Sequence[float],
        care: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.picture = picture.to(torch.float16)  # finer than a photo's 8 bits; a GPU is given it part by part
        self.encoding, self.layers, self.device, self.cut = encoding, tuple(layers), device, cut
        self.weight, self.layer_weights = weight, layer_weights
        self.care: dict[str, Tensor] | None = None
        if care is not None:
            self.care = {name: F.interpolate(care, cut.windows[0].whole(name), mode="area") for name in layers}
        self.variances = self._variances()

    @torch.no_grad()
    def _variances(self) -> dict[str, Tensor]:
        sums = {name: torch.zeros(2, dtype=torch.float64) for name in self.layers}
        count = dict.fromkeys(self.layers, 0)
        for view in range(self.cut.count):
            for window in self.cut.windows:
                for name, part in self._features(window, view).items():
                    x = part.double() if part.device.type == "cpu" else part.float()
                    sums[name] += torch.stack([x.sum(), x.square().sum()]).to(sums[name])
                    count[name] += part.numel()
        return {
            name: ((square - total**2 / count[name]) / (count[name] - 1)).float().to(self.device.torch_device)
            for name, (total, square) in sums.items()
        }

    @torch.no_grad()
    def _features(self, window: Window, view: int | None = None) -> dict[str, Tensor]:
        seen = part_of(self.picture, *self.cut.places(window, view))
        return _inside(self.encoding, seen, self.layers, window, self.device)

    def part(self, features: Features, window: Window) -> dict[str, Tensor]:
        """What a window adds to the term."""
        kept, terms = self._features(window), []
        for name, weight in zip(self.layers, self.layer_weights, strict=True):
            care = None if self.care is None else in_view(self.care[name], features)[(..., *window.at(name))]
            error = content_loss(features[name], kept[name], self.variances[name], care)
            terms.append(weight * window.share(name) * error)
        return {"content": self.weight * torch.stack(terms).sum()}


Leaf = tuple[Tensor, tuple[Tensor, Tensor]]  # some pixels, and their rows and columns in the picture


@dataclass
class Tiling:
    """A criterion of a picture, evaluated tile by tile.

    Attributes:
        image: what is optimized.
        encoding, criterion: image to features to terms.
        cut: the picture's tiles, and its views.
    """

    image: Pixels
    encoding: Encoding
    criterion: PerceptualLoss
    device: Device
    cut: Cut

    def evaluate(self, into: Tensor | None = None, scale: float = 1.0) -> dict[str, Tensor]:
        """The terms; the gradient of their sum, times a scale, replaces what is in `into`, of the picture's shape."""
        losses = list(self.criterion.losses)
        summed = [loss for loss in losses if not getattr(loss, "additive", False)]
        wholes = self._measured(summed) if summed else []
        terms, slopes = self._compared(summed, wholes)
        if into is not None:
            into.zero_()
        added = [loss for loss in losses if getattr(loss, "additive", False)]
        if into is not None or added:
            for window in self.cut.windows:
                for name, term in self._led_back(window, summed, wholes, slopes, added, into, scale).items():
                    terms[name] = terms[name] + term if name in terms else term
        return terms

    def total(self, picture: Pixels) -> Tensor:
        """The total for another picture of this size; a scalar."""
        return torch.stack(list(replace(self, image=picture).evaluate().values())).sum()

    def _measured(self, losses: Sequence[Any]) -> list[list[Measured]]:
        """What there is to know of the whole picture, for each loss."""
        self.bounds: list[list[Tensor | None]] = [[None] * len(loss.statistics) for loss in losses]
        wholes: list[list[Measured | None]] = [[None] * len(loss.statistics) for loss in losses]
        with torch.no_grad():
            pairs = list(zip(self.bounds, losses, strict=True))
            pairs = [(known, loss) for known, loss in pairs if any(one.bounded for one in loss.statistics)]
            if pairs:
                for window, features in self._each([loss for _, loss in pairs]):
                    for known, loss in pairs:
                        found = loss.bounds(features, window)
                        known[:] = [_larger(a, b) for a, b in zip(known, found, strict=True)]
            for window, features in self._each(losses):
                for whole, known, loss in zip(wholes, self.bounds, losses, strict=True):
                    for i, (part, share) in enumerate(loss.measure(features, window, known)):
                        whole[i] = _joined(loss.statistics[i].mix, whole[i], _exact(part), share)
        return [[tuple(None if x is None else x.float() for x in one or ()) for one in whole] for whole in wholes]

    def _each(self, losses: Sequence[Any]) -> Iterator[tuple[Window, Features]]:
        for window in self.cut.windows:
            yield window, self._look(window, self._layers(losses))[0]

    def _layers(self, losses: Sequence[Any]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for loss in losses for name in loss.layers))

    def _look(self, window: Window, layers: Sequence[str]) -> tuple[Features, list[Leaf]]:
        """Features of a window, and the pixels that they are of with their rows and columns.

        The picture itself is not moved, and is seen as far around the window as losses of it look.
        """
        seen, ring = self.cut.places(window), tuple(torch.arange(s.start, s.stop) for s in window.ring)
        pixels, shown = zip(*(self.image.part(*where) for where in (seen, ring)), strict=True)
        features = _inside(self.encoding, shown[0], layers, window, self.device) if layers else {}
        features["image"] = shown[1]
        if self.cut.views:
            features["view"] = self.cut.views.now
        return features, list(zip(pixels, (seen, ring), strict=True))  # type: ignore[arg-type]

    def _compared(
        self, losses: Sequence[Any], wholes: Sequence[Sequence[Measured]]
    ) -> tuple[dict[str, Tensor], list[list[list[Tensor | None]]]]:
        """The terms of what was measured, and their gradients by it."""
        with torch.enable_grad():
            for whole in wholes:
                for measured in whole:
                    for x in measured:
                        if x is not None:
                            x.requires_grad_()
            terms: dict[str, Tensor] = {}
            for loss, whole in zip(losses, wholes, strict=True):
                for name, term in loss.compare(whole).items():
                    terms[name] = terms[name] + term if name in terms else term
            flat = [x for whole in wholes for measured in whole for x in measured if x is not None]
            found = torch.autograd.grad(sum(terms.values()), flat, allow_unused=True) if flat else ()  # type: ignore
        left = iter(found)
        slopes = [[[None if x is None else next(left) for x in measured] for measured in whole] for whole in wholes]
        for x in flat:
            x.requires_grad_(False)
        return {name: term.detach() for name, term in terms.items()}, slopes

    def _led_back(
        self,
        window: Window,
        summed: Sequence[Any],
        wholes: Sequence[Sequence[Measured]],
        slopes: Sequence[Sequence[Sequence[Tensor | None]]],
        added: Sequence[Any],
        into: Tensor | None,
        scale: float,
    ) -> dict[str, Tensor]:
        """What a window adds to the terms; its share of the gradient is added to that of the picture."""
        losses = added if into is None else [*summed, *added]
        with torch.set_grad_enabled(into is not None):
            features, leaves = self._look(window, self._layers(losses))
            terms: dict[str, Tensor] = {}
            for loss in added:
                for name, term in loss.part(features, window).items():
                    terms[name] = terms[name] + term if name in terms else term
            if into is None:
                return terms
            parts = [*terms.values()]
            for loss, known, whole, slope in zip(summed, self.bounds, wholes, slopes, strict=True):
                for i, (part, share) in enumerate(loss.measure(features, window, known)):
                    parts += _first_order(loss.statistics[i].mix, whole[i], part, share, slope[i])
            parts = [part for part in parts if part.requires_grad]
            total = scale * torch.stack(parts).sum() if parts else leaves[0][0].sum() * 0
            gradients = torch.autograd.grad(total, [pixels for pixels, _ in leaves], allow_unused=True)
        for gradient, (_, (rows, columns)), near in zip(
            gradients, leaves, (self.cut.nearby(window), window.ring), strict=True
        ):
            if gradient is not None:
                _add(into, gradient, rows, columns, near)
        return {name: term.detach() for name, term in terms.items()}


def _add(whole: Tensor, part: Tensor, rows: Tensor, columns: Tensor, near: tuple[slice, slice]) -> None:
    """Add what these rows and columns, of which some may come twice, have received to the whole's."""
    rows, columns = rows.to(whole.device), columns.to(whole.device)
    tall, across = (side.stop - side.start for side in near)
    wide = part.new_zeros(*part.shape[:3], across).index_add_(3, columns - near[1].start, part)
    high = part.new_zeros(*part.shape[:2], tall, across).index_add_(2, rows - near[0].start, wide)
    whole[:, :, near[0], near[1]] += high.clamp_(-MOST, MOST)


MOST = 6e4  # less than the greatest number in float16, in which a gradient may be held


def _exact(part: Measured) -> Measured:
    """For adding up: in float64 where there is one."""
    return tuple(x if x is None or x.device.type == "mps" else x.double() for x in part)


def _larger(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return a if b is None else b if a is None else torch.maximum(a, b)


Mix = Callable[[Sequence[Measured], Sequence[Any]], Measured]


def _joined(mix: Mix, whole: Measured | None, part: Measured, share: float | Tensor) -> Measured:
    """What is known of some parts and of one more, of this share; before the last it is no mean."""
    return mix([part, part], [share, 0.0]) if whole is None else mix([whole, part], [1.0, share])


def _first_order(
    mix: Mix, whole: Measured, part: Measured, share: float | Tensor, slopes: Sequence[Tensor | None]
) -> list[Tensor]:
    """Scalars whose gradients by a part are what the loss of the whole has by it."""
    fixed = tuple(None if x is None else x.detach() for x in part)
    varied = mix([whole, part, fixed], [1.0, share, -share])
    return [(x * slope).sum() for x, slope in zip(varied, slopes, strict=True) if x is not None and slope is not None]


__all__ = ["ContentByTiles", "Cut", "Encoding", "Tiling", "encoded", "part_of"]
