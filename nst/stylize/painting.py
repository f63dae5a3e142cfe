"""A painting in the making: what is painted over, what it is to be like, and the run from scale to scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.device import Device, free_memory, trim_memory
from nst.encoders import KEPT_LAYERS, Encoder, EncoderPair
from nst.images import fit, resize
from nst.losses import STATISTICS, ContentLoss, NormLoss, PerceptualLoss, StructureLoss, TotalVariationLoss
from nst.losses.perceptual import normalized_weights
from nst.optimize import AdamState, Step, optimize, total_loss
from nst.params import KeptImage, PixelImage
from nst.settings.setting import Preset
from nst.stylize.footprint import tile_side, whole_step
from nst.stylize.guides import Region, find_regions, fitted_mask
from nst.stylize.scales import Part
from nst.stylize.style_images import StyleConfig, StyleImage
from nst.tiles import ContentByTiles, Cut, Encoding, Tiling
from nst.transforms import Moved, Shifts

STRUCTURE = 4.0
"""How much what is light beside dark counts, beside the features of the content, where it counts more than it would."""

VIEWED = 2**22
"""Pixels of all views of a picture: the content is kept in each of them. From a megapixel on they are fewer than 8."""


TRIMMED = 2**20
"""Pixels of a scale after which freed memory is given back, before it is asked what is free."""


def view_count(pixels: float) -> int:
    """How many views there are of a picture of so many pixels."""
    return int(max(2, min(8, VIEWED // pixels)))


@dataclass(frozen=True)
class ContentImage:
    """What is painted over.

    Attributes:
        picture: the content, (1, 3, H, W).
        regions: where which styles go, masks of the content's size.
        keep: (1, 1, H, W), what is left untouched.
        care: (1, 1, h, w), what each place counts where the content is compared; None is 1.
        map: (1, 3, h, w), what is where.
        blank: whether there is nothing in the picture.
        multiple: what its sides in pixels are multiples of.
    """

    picture: Tensor
    regions: Sequence[Region]
    keep: Tensor | None = None
    care: Tensor | None = None
    map: Tensor | None = None
    blank: bool = False
    multiple: int = 1

    def at(self, size: int) -> ContentImage:
        """The same with this long side."""
        wide, tall = fit(self.picture.shape[-1], self.picture.shape[-2], size)
        wide, tall = (max(1, round(side / self.multiple)) * self.multiple for side in (wide, tall))

        def fitted(picture: Tensor | None) -> Tensor | None:
            return None if picture is None else resize(picture, (tall, wide))

        regions = [replace(region, mask=fitted(region.mask)) for region in self.regions]
        small = resize(self.picture, (tall, wide))
        care = self.care  # no picture: it goes above 1
        if care is not None:
            care = F.interpolate(care, (tall, wide), mode="bilinear", antialias=True)
        return replace(self, picture=small, regions=regions, keep=fitted(self.keep), care=care, map=fitted(self.map))


@dataclass(frozen=True)
class Objective:
    """What a picture is to be like, at any scale.

    Attributes:
        model, judge: compare style and content; often one.
        balance: content weight and style weight.
        variation, norm: weight and exponent of these regularizers.
        endless: encodes the picture in place of `model` where opposite edges are neighbors.
    """

    model: Encoder
    judge: Encoder
    device: Device
    style_config: StyleConfig
    balance: tuple[float, float]
    content_layers: tuple[str, ...] = KEPT_LAYERS
    content_layer_weights: Sequence[float] | None = None
    variation: tuple[float, float] = (0.0, 2.0)
    norm: tuple[float, float] = (0.0, 6.0)
    endless: Encoder | None = None

    @property
    def encoding(self) -> Encoding:
        """What the picture is encoded by."""
        if self.endless is not None:
            return self.endless
        return self.model if self.judge is self.model else EncoderPair(self.model, self.judge)

    @property
    def divisible(self) -> bool:
        """Whether a picture can be looked at tile by tile: whether all that is compared adds up over its parts."""
        config = self.style_config
        kinds = [STATISTICS[kind].chosen(config.options) for kind in config.kinds]
        return self.endless is None and all(kind.divisible for kind in kinds)

    @property
    def _content_layers(self) -> tuple[str, ...]:
        prefix = "" if self.judge is self.model else EncoderPair.SECOND
        return tuple(prefix + name for name in self.content_layers)

    def cut(self, shape: tuple[int, int], views: Shifts | None) -> Cut | None:
        """The tiles of a picture of this height and width, if a step with the whole does not fit into memory. Raises
        ValueError where what is compared has no tiles then."""
        per_pixel = whole_step({self.model, self.judge}, self.style_config.kinds, self.device)
        side = tile_side(shape[0] * shape[1], per_pixel, self.device)
        if side is None:
            return None
        if not self.divisible:
            if shape[0] * shape[1] * per_pixel < free_memory(self.device):
                return None
            what = "a seamless texture" if self.endless else f'the style loss "{"+".join(self.style_config.kinds)}"'
            needed = shape[0] * shape[1] * per_pixel / 1e9
            raise ValueError(
                f"{shape[1]} x {shape[0]} pixels need {needed:.1f} GB of memory with {what}, which cannot be computed "
                "tile by tile; choose a smaller size or another loss."
            )
        layers = [name for kind in self.style_config.kinds for name in self.style_config.layers_of(kind, self.model)]
        return Cut(*shape, self.encoding, (*self._content_layers, *layers), side, views)

    def views(self, shape: tuple[int, int], reach: int, seed: int) -> Shifts | None:
        """The views of a picture (height, width), moved by up to `reach` pixels; None where it is always seen as it is.

        What belongs to single places is compared for some steps (patches), or everything moves alike anyway (endless).
        """
        fixed = self.endless is not None or any(STATISTICS[kind].matches for kind in self.style_config.kinds)
        if not reach or fixed:
            return None
        return Shifts(*shape, self.device.torch_device, view_count(shape[0] * shape[1]), reach, seed)

    def at(
        self, content: ContentImage, styles: Sequence[StyleImage], views: Shifts | None = None, cut: Cut | None = None
    ) -> PerceptualLoss:
        """The criterion for content and styles of this scale, for each of the views of the picture, and its tiles."""
        content_weight, style_weight = self.balance
        losses: list[nn.Module] = []
        if content_weight:
            weight = content_weight * self.judge.content_gain * self.style_config.content_gain
            losses.append(self._content_loss(content, weight, views, cut))
            if content.care is not None:
                above = (content.care / content.care.amin() - 1).to(content.picture.device)
                kept = StructureLoss(content.picture, above, STRUCTURE * weight)
                losses.append(kept.to(self.device.torch_device))  # much smaller than the picture where that is large
        if style_weight:
            losses += self.style_config.losses(
                self.model, self.device, styles, content.regions, style_weight, content.map, views, cut
            )
        if self.variation[0]:
            known = [*([] if content.blank else [content.picture]), *(style.picture for style in styles)]
            padding = "replicate" if self.endless is None else "circular"
            smooth = dict(zip(("weight", "exponent"), self.variation, strict=True))
            placed = known if cut is not None else map(self.device.place, known)
            losses.append(TotalVariationLoss(*placed, **smooth, padding=padding).to(self.device.torch_device))
        if self.norm[0]:
            losses.append(NormLoss(*self.norm))
        return PerceptualLoss(losses)

    def _content_loss(self, content: ContentImage, weight: float, views: Shifts | None, cut: Cut | None) -> nn.Module:
        layers, care = self._content_layers, self._care(content, views)
        if cut is not None:
            shares = normalized_weights(self.content_layer_weights, len(layers))
            return ContentByTiles(content.picture, self.encoding, layers, self.device, cut, weight, shares, care)
        with torch.no_grad(), self.device.autocast():
            picture = self.device.place(content.picture)
            seen = [self.encoding(one, layers) for one in (views.each(picture) if views else [picture])]
        kept = {name: torch.cat([one[name] for one in seen]) for name in layers}
        return ContentLoss(kept, layers, weight, self.content_layer_weights, care)

    def _care(self, content: ContentImage, views: Shifts | None) -> Tensor | None:
        """What each place of each view counts."""
        if content.care is None:
            return None
        care = content.care.to(self.device.torch_device)
        return torch.cat(views.each(care)) if views else care


def paint(
    content: ContentImage,
    styles: Sequence[StyleImage],
    objective: Objective,
    parts: Sequence[Part],
    init: str | Tensor,
    seed: int,
    preset: Preset,
    optimizer: str,
    learning_rate: float | None,
) -> Iterator[Step]:
    """The run itself, from scale to scale."""
    step, state = None, AdamState()
    tileable = optimizer == "adam" and preset.average > 0
    reach = preset.reach * (optimizer != "lbfgs")
    for part in parts:
        image = step.image if step else init
        begun = _begin(content, styles, part.size, objective, image, init, seed, reach, tileable)
        if begun.cut is not None:
            trim_memory()
        for step in begun.run(part.num_steps, optimizer, learning_rate, preset, state):
            yield part.of_all(step, preset.num_steps)
        del begun  # what this scale held is not needed while the next one begins
        if part.size**2 > TRIMMED:
            trim_memory()


@dataclass(frozen=True)
class _Begun:
    """All that a scale of a run needs."""

    pixels: PixelImage
    objective: Objective
    criterion: PerceptualLoss
    views: Shifts | None
    cut: Cut | None

    def tiling(self, pixels: PixelImage) -> Tiling | None:
        """What evaluates a picture tile by tile, if it is cut into such."""
        objective = self.objective
        if self.cut is None:
            return None
        return Tiling(pixels, objective.encoding, self.criterion, objective.device, self.cut)

    def loss(self, picture: Tensor) -> Tensor:
        """The total for a picture."""
        encoding, device = self.objective.encoding, self.objective.device
        if (tiling := self.tiling(self.pixels)) is not None:
            return tiling.total(PixelImage(picture, copy=False))
        return total_loss(picture, Moved(encoding, self.views) if self.views else encoding, self.criterion, device)

    def run(
        self, num_steps: int, optimizer: str, learning_rate: float | None, preset: Preset, state: AdamState
    ) -> Iterator[Step]:
        return optimize(
            self.pixels,
            self.objective.encoding,
            self.criterion,
            device=self.objective.device,
            num_steps=num_steps,
            optimizer=optimizer,
            learning_rate=learning_rate,
            average=preset.average,
            decay=1.0 if optimizer == "lbfgs" else preset.decay,  # its line search finds its own rate
            warm_state=state,
            transforms=self.views,
            tiling=self.tiling(self.pixels),
        )


def _begin(
    content: ContentImage,
    styles: Sequence[StyleImage],
    size: int,
    objective: Objective,
    image: str | Tensor,
    init: str | Tensor,
    seed: int,
    reach: int,
    tileable: bool,
) -> _Begun:
    """The scale of a run with this long side, which goes on from the last scale's image, or starts as asked."""
    small, styles = content.at(size), [style.at(size) for style in styles]
    device, shape = objective.device, _shape(small.picture)
    views = objective.views(shape, reach, seed)
    cut = objective.cut(shape, views) if tileable else None
    begun = _Begun(PixelImage(torch.empty(0)), objective, objective.at(small, styles, views, cut), views, cut)
    # Where memory is scarce, no second copy is made for the sake of another layout.
    placed = device.place if cut is None else partial(torch.Tensor.to, device=device.torch_device)
    start = placed(first_picture(image, small.picture, styles[0].picture, seed))
    if isinstance(image, Tensor) and init == "content":
        # Where little is to change, the smaller scale lost more of the photo's detail than its style gained.
        if cut is not None:
            trim_memory()
        detailed = _with_detail(start, small.picture, _shape(image))
        if begun.loss(detailed) < begun.loss(start):
            start = detailed
    given = (small.picture, image, styles[0].picture)
    copy = cut is None or any(isinstance(x, Tensor) and x.data_ptr() == start.data_ptr() for x in given)
    if small.keep is None:
        return replace(begun, pixels=PixelImage(start, copy))
    kept = device.place(small.picture), small.keep.to(device.torch_device)
    return replace(begun, pixels=KeptImage(start, *kept, copy))


def _with_detail(start: Tensor, picture: Tensor, seen: tuple[int, int]) -> Tensor:
    """What to start from, with all that is lost of a picture where it is seen with this height and width."""
    detailed = torch.empty_like(start)
    for i in range(start.shape[1]):  # one color after the other: each is a third of a large picture
        color, into = picture[:, i : i + 1], detailed[:, i : i + 1]
        into.copy_(color).sub_(resize(resize(color, seen), _shape(picture)).to(into.device))
        into.add_(start[:, i : i + 1]).clamp_(0, 1)
    return detailed


def prepare_content(
    content: Tensor,
    masks: Tensor | Sequence[Tensor | None] | None,
    weights: Sequence[float] | None,
    keep: Tensor | None,
    map: Tensor | None,
    count: int,
) -> tuple[ContentImage, list[str]]:
    """The content image for `count` styles, and sentences about masks that had to be resized. Raises ValueError for a
    mask that is empty or missing, and for weights that make no sense."""
    shape, notes = _shape(content), []
    fitted: list[Tensor | None] = []
    for i, mask in enumerate(one_each(masks, count, "masks") or [None] * count):
        one, note = (None, None) if mask is None else fitted_mask(mask, shape, f"Mask {i + 1}")
        fitted.append(one)
        notes.append(note)
    kept, note = (None, None) if keep is None else fitted_mask(keep, shape, "The mask of what to keep")
    regions = find_regions(fitted, weights, kept)
    return ContentImage(content.float(), regions, kept, map=map), [said for said in [*notes, note] if said]


def first_picture(init: str | Tensor, content: Tensor, style: Tensor, seed: int) -> Tensor:
    """The picture to start from, of the content's shape."""
    shape = _shape(content)
    if isinstance(init, Tensor):
        return resize(init.float(), shape)
    if init == "content":
        return content
    if init == "style":
        return resize(style, shape)
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(content.shape, generator=generator) * 0.5 + 0.25


def _shape(image: Tensor) -> tuple[int, int]:
    return image.shape[-2], image.shape[-1]


def one_each(
    pictures: Tensor | Sequence[Tensor | None] | None, count: int, what: str
) -> Sequence[Tensor | None] | None:
    """One for each style; of a single style it may be given itself. Raises ValueError for another number of them."""
    pictures = [pictures] if isinstance(pictures, Tensor) else pictures
    if pictures is not None and len(pictures) != count:
        raise ValueError(f"{count} styles need {count} {what}, of which some may be left out; got {len(pictures)}.")
    return pictures
