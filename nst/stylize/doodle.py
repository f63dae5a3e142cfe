"""Doodle in, painting out: each thing of a rough map painted as the same thing is painted in a style.

Champandard, "Semantic Style Transfer and Turning Two-Bit Doodles into Fine Artwork", 2016, arXiv:1603.01768. There,
patches alone do it. Here the statistics of each thing are matched as well (as regions in Gatys et al. 2017,
arXiv:1611.07865), since patches choose the same few pieces again and again, and pale; and the start is no noise, but
the style's own pixels in disorder, each where it belongs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.device import Device, choose_device
from nst.encoders import load_onto
from nst.images import fit, resize
from nst.losses import STATISTICS, PerceptualLoss, StyleOptions, TotalVariationLoss
from nst.optimize import Step
from nst.settings import check
from nst.settings.setting import Preset, split
from nst.stylize.guides import Region
from nst.stylize.painting import ContentImage, Objective, paint
from nst.stylize.scales import fitted_style, plan
from nst.stylize.segmentation import map_colors, meaning_planes
from nst.stylize.settings import chosen_preset
from nst.stylize.style_images import StyleConfig, StyleImage
from nst.tiles import Cut
from nst.transforms import Shifts

GRAIN = 4  # side in pixels of the pieces of color that a doodle starts from, at the first scale


DEARER = 3.0
"""How many times longer it takes than a plain run with the same style losses: things are compared one by one."""


def doodle(
    content: Tensor,
    style: Tensor,
    style_map: Tensor,
    *,
    encoder: str = "compact",
    size: int = 384,
    preset: str | Preset = "draft",
    num_steps: int | None = None,
    init: str | Tensor = "style",
    optimizer: str = "adam",
    learning_rate: float | None = None,
    style_loss: str = "patches+gram",
    style_scale: float = 1.0,
    semantic_weight: float = StyleOptions.semantic_weight,
    patch_size: int = StyleOptions.patch_size,
    tv_weight: float | None = None,
    pooling: str | None = None,
    seed: int = 0,
    device: str | Device = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Step]:
    """Paint a doodle as its things are painted in a style; yields every step.

    Args:
        content: the doodle (1, 3, h, w) in [0, 1], in the colors of the style's map; any other color stands for the
            nearest of them.
        style: image (1, 3, H, W) in [0, 1], of any size.
        style_map: what is where in the style, of any size: a few flat colors, one for each thing.
        size: long side of the result in pixels.
        init: start from the "style", its pixels in disorder, each among its like; from "noise"; from the "content", the
            doodle's own colors; or from an image (1, 3, H, W), which is then gone on from at full size.
        style_loss: "patches", which are matched by likeness and meaning, and others of `nst.losses.STYLE_LOSSES`, which
            compare each thing with the same thing of the style; joined by "+".
        style_scale: long side of the style relative to the result's.
        semantic_weight: how much meaning counts beside likeness when patches are matched; it is the same for any two
            things, however alike their colors in the map.
        tv_weight: of total variation, relative to the style's own.
        encoder, preset, num_steps, optimizer, learning_rate, patch_size, pooling, seed, device, progress: see
            `nst.stylize.style_transfer`.

    Raises:
        ValueError: an argument out of its range, or a map without flat colors; the sentence says what is possible.
        nst.weights.WeightsNotFound: the encoder is neither here nor to be had.
    """
    check(**locals())
    chosen, device = chosen_preset(preset, num_steps=num_steps, tv_weight=tv_weight), choose_device(device)
    style, colors = fitted_style(style.float(), size * style_scale), map_colors(style_map)
    drawn = _picked(content, fit(content.shape[-1], content.shape[-2], size)[::-1])
    wanted, given = (meaning_planes(one, colors) for one in (drawn, _picked(style_map, style.shape[-2:])))
    regions = [Region(mask, [k], [1.0], float(mask.mean())) for k, mask in enumerate(wanted.split(1, 1)) if mask.any()]
    style_images = [
        StyleImage(style, style_scale, map=given),
        *(StyleImage(style, style_scale, mask) for mask in given.split(1, 1)),
    ]
    options = StyleOptions(patch_size=patch_size, semantic_weight=semantic_weight * len(colors) / 2, seed=seed)
    model = load_onto(device, encoder, pooling, progress)
    objective = SemanticObjective(
        model,
        model,
        device,
        StyleConfig(split(style_loss), options=options),
        (0.0, 1.0),
        variation=(chosen.tv_weight, 2.0),
    )
    content_image = ContentImage(drawn, regions, map=wanted, blank=True)
    parts = plan(size, chosen, whole=isinstance(init, Tensor))
    start = scattered(resize(wanted, parts[0].size // GRAIN), style, given, seed) if init == "style" else init
    yield from paint(content_image, style_images, objective, parts, start, seed, chosen, optimizer, learning_rate)


@dataclass(frozen=True)
class SemanticObjective(Objective):
    """Patches matched by meaning everywhere, other statistics thing by thing.

    The first of the styles has the style's map, the others a mask for each region.
    """

    def at(
        self, content: ContentImage, styles: Sequence[StyleImage], views: Shifts | None = None, cut: Cut | None = None
    ) -> PerceptualLoss:
        (whole, *others), kinds = styles, self.style_config.kinds
        losses: list[nn.Module] = []
        for kind in kinds:
            style_config, share = replace(self.style_config, kinds=[kind]), 1 / len(kinds)
            if STATISTICS[kind].matches:
                everywhere = [Region(None, [0], [1.0], 1.0)]
                losses += style_config.losses(self.model, self.device, [whole], everywhere, share, content.map)
            else:
                losses += style_config.losses(self.model, self.device, others, content.regions, share, None, views, cut)
        if self.variation[0]:
            losses.append(
                TotalVariationLoss(
                    self.device.place(whole.picture), weight=self.variation[0], exponent=self.variation[1]
                )
            )
        return PerceptualLoss(losses)


def scattered(wanted: Tensor, style: Tensor, given: Tensor, seed: int) -> Tensor:
    """A picture (1, 3, h, w) in which each pixel has the color of some pixel of the style that means the same.

    Args:
        wanted: what is where, (1, K, h, w); a thing that the style lacks gets any of its pixels.
        style: (1, 3, H, W).
        given: what is where in it, (1, K, H, W).
        seed: of the choice.
    """
    generator = torch.Generator().manual_seed(seed)
    pixels, kinds = style[0].flatten(1), given[0].argmax(0).flatten()
    places = wanted[0].argmax(0)
    picture = style.new_zeros(3, *places.shape)
    for k in places.unique():
        own = (kinds == k).nonzero()[:, 0] if (kinds == k).any() else torch.arange(len(kinds))
        here = places == k
        chosen = own[torch.randint(len(own), (int(here.sum()),), generator=generator)]
        picture[:, here] = pixels[:, chosen]
    return picture[None]


def _picked(map: Tensor, shape: Sequence[int]) -> Tensor:
    """A map at another size, without new colors in between."""
    return F.interpolate(map.float(), list(shape), mode="nearest-exact")
