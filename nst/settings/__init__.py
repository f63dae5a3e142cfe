"""The table of settings: what each is called and may be, a row each.

Options, controls, links, recipes, endpoints, checks and documentation are made from it. A default is that of the
function that takes the setting: see `nst.tasks`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nst.color import COLOR_MODES, COLOR_MOMENTS
from nst.encoders import KEPT_LAYERS, STYLE_LAYERS
from nst.losses import CORRELATIONS, MIXING, STYLE_LOSSES
from nst.optimize import OPTIMIZERS
from nst.settings.setting import (
    COLORS,
    COMPARED,
    COMPUTED,
    MOST_WEIGHT,
    OPTIMIZED,
    PICTURE,
    REGIONS,
    SINGLE,
    SMOOTHNESS,
    STYLES,
    Preset,
    Setting,
)

_GOOD = Preset(num_steps=300, factor=math.sqrt(2), smallest=128, average=0.9, tv_weight=0.01, reach=8, content_gain=0.6)
PRESETS = {
    "draft": replace(_GOOD, num_steps=108, factor=2.0, content_gain=0.9, first=4.0),
    "good": _GOOD,
    "best": replace(_GOOD, num_steps=900, average=0.98, content_gain=0.5, decay=0.1),
}

LAST = 2**31 - 1


def named(values: Sequence[str], **titles: str) -> dict[str, str]:
    """Choices and what they are called: by a title where one is given ("_" stands for "-"), or by their own name."""
    given = {name.replace("_", "-"): title for name, title in titles.items()}
    if unknown := given.keys() - set(values):
        raise ValueError(f"No such choice: {unknown}.")
    return {value: given.get(value, value.capitalize()) for value in values}


ENCODERS = named(("compact", "vgg19", "vgg16"), vgg19="VGG-19", vgg16="VGG-16")
STARTS = named(("content", "noise", "style"), content="The photo", style="The style")
MIXED = named(MIXING, statistics="Between the styles", losses="Each style at once")
GUIDES = named(("inside", "soft", "all"), inside="Keep to the inside", soft="Soft edges", all="All they touch")
KEPT_WHEN = named(COLOR_MOMENTS, before="Before painting", after="After painting")
KEPT_COLORS = named(
    COLOR_MODES,
    none="The style's",
    luminance="The photo's, only lightness is painted",
    histogram="The photo's, tone by tone (histogram)",
    cholesky="The photo's palette (Cholesky)",
    pca="The photo's palette, axis by axis (PCA)",
)
HOW = named(tuple(OPTIMIZERS), lbfgs="L-BFGS", sgd="Gradient descent")
POOLS = named(("average", "max"))
DEVICES = named(("auto", "cpu", "cuda", "mps"), auto="Automatic", cpu="Processor", cuda="NVIDIA GPU", mps="Apple GPU")
STYLE_LOSS_NAMES = named(
    STYLE_LOSSES,
    gram="Gram matrices",
    wasserstein="Wasserstein distance",
    mean_variance="Mean and variance",
    mmd_linear="MMD, linear kernel",
    mmd_polynomial="MMD, polynomial kernel",
    mmd_gaussian="MMD, Gaussian kernel",
    histogram="Histograms",
    correlation="Shifted correlations",
    relaxed_transport="Relaxed transport",
)
"""The words that there are for some settings, and what each is called."""

PHOTOREAL = "Only the style's colors and light are taken, region by region: no strokes."
FRAMES = "Optimize each frame, with this care for the first; empty paints by a network."

STYLE_LOSS_PAPERS = (
    "What the papers say: [Gram](https://arxiv.org/abs/1508.06576), "
    "[Wasserstein](https://arxiv.org/abs/1905.12828), [MMD and mean-variance](https://arxiv.org/abs/1701.01036), "
    "[histograms](https://arxiv.org/abs/1701.08893), [shifted correlations](https://arxiv.org/abs/1605.04603), "
    "[patches](https://arxiv.org/abs/1601.04589), [relaxed transport](https://arxiv.org/abs/1904.12785)."
)

LARGEST = 16384
"""Long side in pixels of what is optimized at most, tile by tile where it has to be."""

PRESET_SAYS = "as the preset says"


def choice(name: str, title: str, help: str, choices: Mapping[str, str], **more: Any) -> Setting:
    """One of some words."""
    return Setting(name, str, title, help, choices=choices, **more)


def share(name: str, title: str, help: str) -> Setting:
    """From 0 to 100."""
    return Setting(name, float, title, help, 0, 100, step=1)


def numbers(name: str, title: str, help: str, **more: Any) -> Setting:
    """How much of each of several."""
    return Setting(name, float, title, help, 0, MOST_WEIGHT, many="list", **more)


def layers(name: str, title: str, help: str, unset: str) -> Setting:
    """Layers of an encoder, by name."""
    return Setting(name, str, title, help, many="list", unset=unset)


OF_STYLES, OF_LAYERS = "How much of each style; left out is equal.", "One number a layer; empty is equal."

GROUPS: dict[str, tuple[Setting, ...]] = {
    PICTURE: (
        Setting("size", int, "Size", "Long side in pixels.", 64, LARGEST, costs=True),
        Setting("width", int, "Width", "Of the result in pixels.", 16, LARGEST, costs=True),
        Setting("height", int, "Height", "Of the result in pixels.", 16, LARGEST, costs=True),
        Setting("seamless", bool, "Seamless", "Tiles without a seam; sides are then multiples of 16."),
        share("consistency", "Steadiness", "How much each frame goes on from the one before it."),
        Setting("start", float, "From", "The second at which it begins.", 0, 86400),
        Setting("end", float, "To", "The second at which it ends.", 0, 86400, unset="the end of the clip"),
        Setting("layer", str, "Layer", "Whose knowledge is shown, such as relu4_2."),
        Setting("starts", int, "Starts", "From how many different noises.", 1, 8, costs=True),
        Setting("pictures", int, "Pictures", "How many lead from one style to the other.", 2, 25, costs=True),
        choice("preset", "Preset", "How much care is taken.", named(tuple(PRESETS)), costs=True),
        share("strength", "Style strength", "0 keeps the photo as it is, 100 asks for the style alone."),
        share("keep_faces", "Keep faces", "How much more care is taken of faces, and of what else stands out."),
        choice("init", "Start from", "Noise moves furthest; a picture is gone on from.", STARTS, free="PICTURE"),
        Setting("seed", int, "Seed", "The same seed gives the same picture.", 0, LAST),
        Setting("brush", float, "Brush size", "Larger takes coarser strokes.", 0.25, 4, step=0.05),
        Setting("direction", str, "What becomes of it", "Each is a network of its own."),
        Setting("count", int, "Faces", "How many faces.", 1, 1024, costs=True),
        Setting("truncation", float, "Variety", "0 is the mean face, 1 takes every risk.", 0, 1, step=0.05),
        Setting("like", int, "Like face", "The number of one that all are like; empty is any.", 0, LAST, unset="any"),
        Setting("likeness", float, "Likeness", "How much like that face.", 0, 1, step=0.05),
        Setting("first", int, "First face", "The number of the first face.", 0, LAST),
        Setting("second", int, "Second face", "The number of the second face.", 0, LAST),
        Setting("faces", int, "Faces", "The numbers of faces, in the film's order.", 0, LAST, many="list"),
        Setting("frames", int, "Pictures", "How many pictures the whole film has.", 2, 600, costs=True),
        Setting("pixel_weight", float, "Pixels", "How much pixels count, against the features.", 0, 100),
        Setting("all", bool, "All styles at once", "A picture in each style that the network has learned."),
        Setting("name", str, "Name", "What it is called from now on.", unset="as its picture"),
    ),
    STYLES: (
        numbers("weights", "Weights", OF_STYLES, option=""),
        numbers("style_weights", "Style weights", OF_STYLES, option="style-weight"),
        replace(
            Setting("style_scale", float, "Brush size", "Larger takes coarser strokes.", 0.1, 4, step=0.05),
            many="each",
            option="style-scale",
        ),
        choice("mixing", "Styles are mixed", "Aim between the styles, or at all of them at once.", MIXED),
    ),
    REGIONS: (
        choice("guide", "Edges of regions", "How far a style reaches at the edges.", GUIDES),
        Setting("semantic_weight", float, "Meaning", "How much meaning counts beside likeness.", 0, 100),
    ),
    COLORS: (
        choice("preserve_color", "Colors", "Keep the photo's colors, or take the style's.", KEPT_COLORS),
        choice("color_when", "Colors are kept", "By recoloring the style, or the result.", KEPT_WHEN, costs=True),
        Setting("photoreal", bool, "Photo-real", PHOTOREAL, costs=True),
    ),
    SMOOTHNESS: (
        Setting("tv_weight", float, "Smoothness", "Removes grain; empty is automatic.", 0, 100, unset=PRESET_SAYS),
        Setting("tv_exponent", float, "Smoothness exponent", "Below 2 spares edges, above 2 blurs them.", 0.5, 4),
        Setting("norm_weight", float, "Softer colors", "Keeps colors from burning out.", 0, 100),
        Setting("norm_exponent", float, "Softer colors exponent", "Higher spares the middle.", 1, 20),
    ),
    OPTIMIZED: (
        choice("encoder", "Encoder", "The network that compares pictures.", ENCODERS, free="FILE", costs=True),
        replace(
            Setting("num_steps", int, "Steps", "Over all scales; empty is automatic.", 1, 5000, costs=True),
            unset=PRESET_SAYS,
            option="steps",
        ),
        choice("optimize", "Optimize", FRAMES, named(tuple(PRESETS)), unset="paint by a network", costs=True),
        Setting("frame_steps", int, "Steps a frame", "Of each but the first.", 1, 500, costs=True),
        choice("optimizer", "Optimizer", "L-BFGS takes fewer, dearer steps.", HOW, costs=True),
        Setting(
            "learning_rate", float, "Learning rate", "How bold a step is.", 0.0001, 10, unset="what suits the optimizer"
        ),
    ),
    COMPARED: (
        replace(
            choice("style_loss", "Style loss", "How two textures are compared.", STYLE_LOSS_NAMES, costs=True),
            joined=True,
            paper=STYLE_LOSS_PAPERS,
            option="loss",
        ),
        choice("pooling", "Pooling", "Average is smoother, max is crisper.", POOLS, unset="as the encoder was trained"),
        layers("content_layers", "Content layers", "Deeper ones keep less detail.", " ".join(KEPT_LAYERS)),
        layers(
            "style_layers",
            "Style layers",
            "Shallow: color, grain; deep: motifs.",
            f"{' '.join(STYLE_LAYERS)}, or as the loss needs",
        ),
        numbers("style_layer_weights", "Style layer weights", OF_LAYERS),
        numbers("content_layer_weights", "Content layer weights", OF_LAYERS),
        replace(
            choice("content_encoder", "Content encoder", "Another network that compares the content.", ENCODERS),
            free="FILE",
            unset="the same",
            costs=True,
        ),
    ),
    SINGLE: (
        Setting("kernel_degree", int, "Kernel degree", "Degree of the polynomial kernel.", 1, 4),
        Setting("kernel_offset", float, "Kernel offset", "Offset of the polynomial kernel.", 0, 10),
        Setting(
            "kernel_bandwidth", float, "Kernel bandwidth", "Bandwidth of the Gaussian kernel, in medians.", 0.05, 10
        ),
        Setting(
            "activation_shift", float, "Activation shift", "Shift of the correlations; −1 as in the paper.", -10, 10
        ),
        choice("correlations", "Correlations", "Correlated within layers, across, or chained.", named(CORRELATIONS)),
        Setting("patch_size", int, "Patch size", "Side of a patch, in positions of a layer.", 1, 5),
    ),
    COMPUTED: (
        Setting("model", str, "Network", "By name or file; larger ones are fetched from the Hub.", free="FILE"),
        Setting("data", str, "Photos", "What it learns on.", free="FOLDER", unset="the examples"),
        choice("device", "Computed on", "Automatic is the fastest device here.", DEVICES, free="cuda:N", costs=True),
    ),
}

SETTINGS = {row.name: replace(row, group=group) for group, rows in GROUPS.items() for row in rows}
"""Every setting by name, without a default."""


def long_side(settings: Mapping[str, Any]) -> int:
    """Of the picture that is asked for, in pixels; a texture has a width and a height. 0 where it is the network's."""
    return int(max(settings.get(name) or 0 for name in ("size", "width", "height")))


def style_side(settings: Mapping[str, Any]) -> float:
    """Of the largest style, at which it is looked at."""
    scales = settings.get("style_scale") or 1.0
    return long_side(settings) * max(scales if isinstance(scales, list) else [scales])


def check(rows: Mapping[str, Setting] = SETTINGS, **values: object) -> None:
    """Refuse values that their settings do not allow; what is no setting passes.

    Raises:
        ValueError: naming the setting and what is possible.
    """
    for name, value in values.items():
        if name in rows:
            rows[name].check(value)
