"""The recipe: photo and paintings in, a run of steps out. Its defaults live here, once.

Gatys, Ecker and Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016; its controls after
Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", 2017, arXiv:1611.07865.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nst.care import care_map
from nst.color import grey, recolor_result, recolor_style
from nst.device import Device, choose_device
from nst.encoders import KEPT_LAYERS, KEPT_WEIGHTS, load_onto
from nst.images import resize
from nst.losses import STATISTICS, STYLE_LOSSES, StyleOptions
from nst.optimize import Step
from nst.settings import check
from nst.settings.setting import Preset, split
from nst.stylize.guides import mask_of
from nst.stylize.painting import ContentImage, Objective, one_each, paint, prepare_content
from nst.stylize.photoreal import move_colors
from nst.stylize.scales import plan
from nst.stylize.settings import balance, chosen_preset, per_style
from nst.stylize.style_images import StyleConfig, StyleImage, gather_styles


def style_transfer(
    content: Tensor,
    style: Tensor | Sequence[Tensor],
    *,
    encoder: str = "compact",
    size: int = 512,
    preset: str | Preset = "good",
    strength: float = 50.0,
    keep_faces: float = 50.0,
    num_steps: int | None = None,
    init: str | Tensor = "content",
    optimizer: str = "adam",
    learning_rate: float | None = None,
    style_loss: str = "wasserstein",
    content_layers: Sequence[str] | None = None,
    style_layers: Sequence[str] | None = None,
    style_layer_weights: Sequence[float] | None = None,
    tv_weight: float | None = None,
    tv_exponent: float = 2.0,
    pooling: str | None = None,
    style_scale: float | Sequence[float] = 1.0,
    style_weights: Sequence[float] | None = None,
    mixing: str = "statistics",
    preserve_color: str = "none",
    color_when: str = "after",
    photoreal: bool = False,
    masks: Tensor | Sequence[Tensor | None] | None = None,
    style_masks: Tensor | Sequence[Tensor | None] | None = None,
    keep: Tensor | None = None,
    care: Tensor | None = None,
    guide: str = "inside",
    content_map: Tensor | None = None,
    style_map: Tensor | Sequence[Tensor | None] | None = None,
    content_encoder: str | None = None,
    content_layer_weights: Sequence[float] | None = None,
    norm_weight: float = 0.0,
    norm_exponent: float = 6.0,
    seed: int = 0,
    device: str | Device = "auto",
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Iterator[Step]:
    """Paint `content` in the manner of one style or several; yields every step.

    Args:
        content: image (1, 3, H, W) in [0, 1], of any size; it is resized here.
        style: image, or several of them, of any size.
        encoder: "compact", "vgg19", "vgg16", or the path of a weights file.
        size: long side of the result in pixels.
        preset: "draft", "good", "best" (see `PRESETS`) or one of your own: what a None below stands for.
        strength: 0 keeps the content, 100 asks for the style alone; see `balance`.
        keep_faces: how much more the content counts in faces, and where else it stands out; 0 is no more, 100 is
            `1 + CARE` times as much. What is dark beside light there stays so (`nst.losses.StructureLoss`).
        num_steps: over all scales.
        init: start from "content", "noise" or "style" (the first one); or from an image (1, 3, H, W) in [0, 1], a
            previous result say, which then goes on at the full size only.
        optimizer, learning_rate: see `nst.optimize.optimize`.
        style_loss: how the statistics of a layer are compared: one of `nst.losses.STYLE_LOSSES`, or several joined
            by "+", each of which counts the same.
        content_layers, style_layers: where to compare; None means relu3_1 and relu4_2, and relu1_1 to relu5_1 or what
            suits the style loss.
        style_layer_weights, content_layer_weights: how the layers count; None means equal, or what suits the
            style loss; of the content's own layers, `nst.encoders.KEPT_WEIGHTS`.
        tv_weight, tv_exponent: of total variation beyond the photo's and the styles'; higher is smoother.
        pooling: "average" (smoother pictures, Gatys et al. 2016) or "max"; None is what the encoder was
            trained with.
        style_scale: long side of the style relative to the result's, one for all or one for each style; larger
            means larger brush strokes.
        style_weights: how much of each style; None means equal.
        mixing: "statistics" aims between the styles, "losses" at each of them at once.
        preserve_color, color_when: keep the content's colors by a way of `nst.color.COLOR_MODES`, "before" by
            recoloring the styles or "after" by recoloring the result.
        photoreal: whether only the colors and the light of the one style are taken, by `nst.stylize.move_colors`; of
            the other settings `size` and `strength` have a part in that.
        masks: where each style goes, pictures (1, 1 or 3, h, w), white where it does; None for one of them stands
            for all that the others leave. Styles of equal masks are mixed there.
        style_masks: what of each style may be taken; None is all.
        keep: what of the content is left untouched, white where it is.
        care: where the content counts more, white where most, in place of what `nst.care` finds.
        guide: how masks act at deeper layers, see `nst.stylize.guides.propagate`.
        content_map, style_map: pictures (1, 3, h, w) of what is where, one color for each meaning, of the content
            and of each style; the style loss "patches" paints each meaning with what means the same in the style.
        content_encoder: compares the content, if it is not `encoder` that is to do so.
        norm_weight, norm_exponent: keep colors from burning out, see `nst.losses.alpha_norm`.
        seed: of the noise, and of positions that are drawn; the same seed gives the same picture on the same
            machine.
        device: see `nst.device.choose_device`.
        progress: called with bytes done and in all while weights are downloaded.
        options: what single style losses can be told, see `nst.losses.StyleOptions`.

    Raises:
        ValueError: an argument out of its range; the sentence says which and what is possible.
        nst.weights.WeightsNotFound: the encoder is neither here nor to be had.
    """
    check(**locals(), **options)
    if photoreal:
        yield from (
            step.changed(lambda both: both[1:])
            for step in move_colors(content, one_style(style), size=size, strength=strength)
        )
        return
    chosen, device = chosen_preset(preset, num_steps=num_steps, tv_weight=tv_weight), choose_device(device)
    styles = [style] if isinstance(style, Tensor) else list(style)
    told = StyleOptions(**options, seed=seed)
    style_config = StyleConfig(split(style_loss), style_layers, style_layer_weights, mixing, guide, told)
    maps = _paired_maps(content_map, style_map, len(styles), style_config.kinds)
    content_image, notes = prepare_content(content, masks, style_weights, keep, content_map, len(styles))
    style_images, more = gather_styles(
        [style.float() for style in styles],
        per_style(style_scale, len(styles), "style_scale"),
        one_each(style_masks, len(styles), "style masks"),
        maps,
    )
    if keep_faces:
        content_image = careful(content_image, keep_faces, care)
    colors = ColorTransfer(content.float(), preserve_color, color_when, content_image.keep)
    model = load_onto(device, encoder, pooling, progress)
    judge = load_onto(device, content_encoder, pooling, progress) if content_encoder else model
    layers, smooth = tuple(content_layers or KEPT_LAYERS), (chosen.tv_weight, tv_exponent)
    kept_weights = content_layer_weights or (None if content_layers else KEPT_WEIGHTS)
    rest = (layers, kept_weights, smooth, (norm_weight, norm_exponent))
    objective = Objective(model, judge, device, style_config, balance(strength, chosen.content_gain), *rest)
    content_image, style_images = colors.before(content_image, style_images)
    parts = plan(size, chosen, whole=isinstance(init, Tensor))
    start = colors.start(init) if isinstance(init, Tensor) else init
    note = " ".join(notes + more) or None
    for step in paint(content_image, style_images, objective, parts, start, seed, chosen, optimizer, learning_rate):
        yield replace(step.changed(colors.after), note=" ".join(filter(None, (note, step.note))) or None)
        note = None


def one_style(style: Tensor | Sequence[Tensor]) -> Tensor:
    """The only style. Raises ValueError where there are several."""
    styles = [style] if isinstance(style, Tensor) else style
    if len(styles) != 1:
        raise ValueError(f"A photo-real picture takes the colors of one style, not of {len(styles)}.")
    return styles[0]


CARE = 3.0  # how much more the content counts in a face with the greatest care
CARED = 1.5  # how much the content counts on the mean at most: a portrait is to be painted, too


def careful(content: ContentImage, keep_faces: float, care: Tensor | None) -> ContentImage:
    """The content image with more care where it matters: where a mask says so, or by what is found in it."""
    where = care_map(content.picture) if care is None else mask_of(care, "The mask of care")
    care = 1 + CARE * keep_faces / 100 * where
    return replace(content, care=care / (care.mean() / CARED).clamp_min(1))


@dataclass(frozen=True)
class ColorTransfer:
    """Whose colors the result has: see `nst.color`."""

    content: Tensor
    mode: str
    when: str
    keep: Tensor | None

    def before(self, content: ContentImage, styles: list[StyleImage]) -> tuple[ContentImage, list[StyleImage]]:
        """What to paint with, and on."""
        if self.mode == "none" or self.when == "after":
            return content, styles
        if self.mode == "luminance":
            content = replace(content, picture=grey(content.picture))
        return content, [replace(b, picture=recolor_style(b.picture, self.content, self.mode)) for b in styles]

    def start(self, image: Tensor) -> Tensor:
        """What to go on from, where that is a colored picture."""
        return grey(image.float()) if (self.mode, self.when) == ("luminance", "before") else image

    def after(self, image: Tensor) -> Tensor:
        """What was painted in its final colors; where nothing may change, the content."""
        if self.mode == "none" or (self.when == "before" and self.mode != "luminance"):
            return image
        shape = image.shape[-2:]
        content = resize(self.content, shape).to(image)
        recolored = recolor_result(image, content, self.mode)
        return recolored if self.keep is None else torch.lerp(recolored, content, resize(self.keep, shape).to(image))


def _paired_maps(
    content_map: Tensor | None, style_map: Tensor | Sequence[Tensor | None] | None, count: int, kinds: Sequence[str]
) -> list[Tensor] | None:
    """The map of each style, or None where meaning plays no part."""
    if content_map is None and style_map is None:
        return None
    maps = [style_map] if isinstance(style_map, Tensor) else list(style_map or [None] * count)
    missing = [str(i + 1) for i in range(count) if i >= len(maps) or maps[i] is None]
    if missing or len(maps) > count:
        have = "has" if len(missing) == 1 else "have"
        what = f"style {' and '.join(missing)} {have} none" if missing else f"{len(maps)} are too many for {count}"
        raise ValueError(f"To paint by meaning, each style needs a map of its own: {what}.")
    if content_map is None:
        raise ValueError("To paint by meaning, a map of the content is needed beside the style's.")
    if not any(STATISTICS[kind].matches for kind in kinds):
        heeding = " or ".join(f'"{kind}"' for kind in STYLE_LOSSES if STATISTICS[kind].matches)
        raise ValueError(f'Maps of meaning are heeded by the style loss {heeding}: choose it, alone or joined by "+".')
    return [one for one in maps if one is not None]
