"""Styles to paint with: pictures, where each may be taken and where it goes, and how they are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from nst.device import Device
from nst.encoders import STYLE_LAYERS, Encoder
from nst.images import resize
from nst.losses import STATISTICS, Features, StyleLoss, StyleOptions
from nst.stylize.guides import Region, fitted_mask, propagate, shrink_map
from nst.stylize.scales import fitted_style
from nst.tiles import Cut, encoded
from nst.transforms import Shifts


@dataclass(frozen=True)
class StyleImage:
    """One style.

    Attributes:
        picture: (1, 3, H, W) in [0, 1].
        scale: its long side relative to the result's.
        mask: (1, 1, H, W), what of it may be taken; None is all.
        map: (1, 3, H, W), what is where in it; None where meaning plays no part.
    """

    picture: Tensor
    scale: float = 1.0
    mask: Tensor | None = None
    map: Tensor | None = None

    def at(self, size: int) -> StyleImage:
        """The same, of the size that suits a result with this long side."""
        picture = fitted_style(self.picture, size * self.scale)
        shape = picture.shape[-2:]
        mask = None if self.mask is None else resize(self.mask, shape)
        return StyleImage(picture, self.scale, mask, None if self.map is None else resize(self.map, shape))


@dataclass(frozen=True)
class StyleConfig:
    """How styles are compared, whatever the scale.

    Attributes:
        kinds: see `nst.losses.STYLE_LOSSES`; each counts the same.
        layers: where; None is where each kind is compared best.
        layer_weights: of the layers; None is equal, or what suits the kind.
        mixing: see `nst.losses.StyleLoss`.
        guide: see `nst.stylize.guides.propagate`.
        options: what the kinds can be told.
    """

    kinds: Sequence[str]
    layers: Sequence[str] | None = None
    layer_weights: Sequence[float] | None = None
    mixing: str = "statistics"
    guide: str = "inside"
    options: StyleOptions = field(default_factory=StyleOptions)

    @property
    def content_gain(self) -> float:
        """How much more the content counts, so that one strength keeps about as much of it by each kind."""
        return max(STATISTICS[kind].content_gain for kind in self.kinds)

    def layers_of(self, kind: str, encoder: Encoder) -> tuple[str, ...]:
        """Where a kind is compared: some have layers of their own by default."""
        return tuple(self.layers or STATISTICS[kind].default_layers(encoder.layers) or STYLE_LAYERS)

    def losses(
        self,
        encoder: Encoder,
        device: Device,
        styles: Sequence[StyleImage],
        regions: Sequence[Region],
        weight: float,
        map: Tensor | None = None,
        views: Shifts | None = None,
        cut: Cut | None = None,
    ) -> list[StyleLoss]:
        """The style losses of a picture.

        Args:
            encoder, device: what compares, and on which device.
            styles: of the size that is wanted now.
            regions: of the picture, their masks of its size.
            weight: of all together.
            map: what is where in the picture, of its size.
            views: of the picture, of which one is looked at at a time.
            cut: how the picture is cut into tiles; styles are then encoded by tiles of that size.
        """
        layers = tuple(dict.fromkeys(name for kind in self.kinds for name in self.layers_of(kind, encoder)))
        features: list[Features] = []
        with torch.no_grad(), device.autocast():
            if cut is None:
                features = [encoder(device.place(style.picture), layers) for style in styles]
            else:
                features = [encoded(encoder, style.picture, layers, device, cut.side) for style in styles]
        masks = [None if b.mask is None else self._guides(b.mask, encoder, device, layers) for b in styles]
        maps = [None if b.map is None else shrink_map(device.place(b.map), encoder, layers) for b in styles]
        drawn = None if map is None else shrink_map(device.place(map), encoder, layers)
        losses = []
        for region in regions:
            guides = None if region.mask is None else self._guides(region.mask, encoder, device, layers, views)
            for kind in self.kinds:
                own = self.layers_of(kind, encoder)
                weights = self.layer_weights
                if weights is None:
                    weights = STATISTICS[kind].default_weights(len(own))
                losses.append(
                    StyleLoss(
                        [features[i] for i in region.styles],
                        own,
                        weights,
                        kind,
                        weight * region.share / len(self.kinds),
                        style_weights=region.weights,
                        mixing=self.mixing,
                        guides=guides,
                        style_guides=[masks[i] for i in region.styles],
                        maps=drawn,
                        style_maps=[maps[i] for i in region.styles],
                        options=self.options,
                    )
                )
        return losses

    def _guides(
        self, mask: Tensor, encoder: Encoder, device: Device, layers: Sequence[str], views: Shifts | None = None
    ) -> dict[str, Tensor]:
        placed = mask.to(device.torch_device)
        return propagate(torch.cat(views.each(placed)) if views else placed, encoder, layers, self.guide)


def gather_styles(
    pictures: Sequence[Tensor],
    scales: Sequence[float],
    masks: Sequence[Tensor | None] | None = None,
    maps: Sequence[Tensor | None] | None = None,
) -> tuple[list[StyleImage], list[str]]:
    """Style images of several pictures, and sentences about masks that had to be resized. Raises ValueError for a mask
    or a map that fits no style, or is empty."""
    styles, notes = [], []
    for i, picture in enumerate(pictures):
        mask, note = None, None
        shape = (picture.shape[-2], picture.shape[-1])
        if masks and (given := masks[i]) is not None:
            mask, note = fitted_mask(given, shape, f"Style mask {i + 1}")
        styles.append(StyleImage(picture, scales[i], mask, maps[i] if maps else None))
        notes += [note] if note else []
    return styles, notes
