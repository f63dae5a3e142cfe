"""The table of settings: what each is called and may be, a row each.

Options, controls, links, recipes, endpoints, checks and documentation are made from it. A default is that of the
function that takes the setting: see `nst.tasks`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

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

PRESETS = {
    "draft": Preset(num_steps=60, factor=2.0, smallest=192, average=0.8, tv_weight=0.01, reach=8, content_gain=0.5),
    "good": Preset(
        num_steps=300, factor=math.sqrt(2), smallest=128, average=0.9, tv_weight=0.01, reach=8, content_gain=0.7
    ),
    "best": Preset(
        num_steps=900, factor=math.sqrt(2), smallest=128, average=0.98, tv_weight=0.01, reach=8, content_gain=0.9
    ),
}

DEVICES = ("auto", "cpu", "cuda", "mps")
LAST = 2**31 - 1


def named(values: Sequence[str], **titles: str) -> dict[str, str]:
    """Choices and what they are called: by a title where one is given ("_" stands for "-"), or by their own name."""
    given = {name.replace("_", "-"): title for name, title in titles.items()}
    if unknown := given.keys() - set(values):
        raise ValueError(f"No such choice: {unknown}.")
    return {value: given.get(value, value.capitalize()) for value in values}


ENCODERS = named(("compact", "vgg19", "vgg16"), vgg19="VGG-19", vgg16="VGG-16")


STYLE_LOSS_TITLES = {
    "gram": "Gram matrices",
    "wasserstein": "Wasserstein distance",
    "mean_variance": "Mean and variance",
    "mmd_linear": "MMD, linear kernel",
    "mmd_polynomial": "MMD, polynomial kernel",
    "mmd_gaussian": "MMD, Gaussian kernel",
    "histogram": "Histograms",
    "correlation": "Shifted correlations",
    "relaxed_transport": "Relaxed transport",
}

STYLE_LOSS_PAPERS = (
    "What the papers say: [Gram](https://arxiv.org/abs/1508.06576), "
    "[Wasserstein](https://arxiv.org/abs/1905.12828), [MMD and mean-variance](https://arxiv.org/abs/1701.01036), "
    "[histograms](https://arxiv.org/abs/1701.08893), [shifted correlations](https://arxiv.org/abs/1605.04603), "
    "[patches](https://arxiv.org/abs/1601.04589), [relaxed transport](https://arxiv.org/abs/1904.12785)."
)

LARGEST = 16384
"""Long side in pixels of what is optimized at most, tile by tile where it has to be."""

PRESET_SAYS = "as the preset says"

GROUPS: dict[str, tuple[Setting, ...]] = {
    PICTURE: (
        Setting("size", int, "Size", "Long side in pixels.", 64, LARGEST, costs=True),
        Setting("width", int, "Width", "Of the result in pixels.", 16, LARGEST, costs=True),
        Setting("height", int, "Height", "Of the result in pixels.", 16, LARGEST, costs=True),
        Setting("seamless", bool, "Seamless", "Tiles without a seam; sides are then multiples of 16."),
        Setting(
            "consistency", float, "Steadiness", "How much each frame goes on from the one before it.", 0, 100, step=1
        ),
        Setting("start", float, "From", "The second at which it begins.", 0, 86400),
        Setting("end", float, "To", "The second at which it ends.", 0, 86400, unset="the end of the clip"),
        Setting("layer", str, "Layer", "Whose knowledge is shown, such as relu4_2."),
        Setting("starts", int, "Starts", "From how many different noises.", 1, 8, costs=True),
        Setting("pictures", int, "Pictures", "How many lead from one style to the other.", 2, 25, costs=True),
        Setting("preset", str, "Preset", "How much care is taken.", choices=named(tuple(PRESETS)), costs=True),
        Setting(
            "strength",
            float,
            "Style strength",
            "0 keeps the photo as it is, 100 asks for the style alone.",
            0,
            100,
            step=1,
        ),
        Setting(
            "keep_faces",
            float,
            "Keep faces",
            "How much more care is taken of faces, and of what else stands out.",
            0,
            100,
            step=1,
        ),
        Setting(
            "init",
            str,
            "Start from",
            "Noise moves furthest; a picture is gone on from.",
            free="PICTURE",
            choices=named(("content", "noise", "style"), content="The photo", style="The style"),
        ),
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
        Setting(
            "weights",
            float,
            "Weights",
            "How much of each style; left out is equal.",
            0,
            MOST_WEIGHT,
            many="list",
            option="",
        ),
        Setting(
            "style_weights",
            float,
            "Style weights",
            "How much of each style; left out is equal.",
            0,
            MOST_WEIGHT,
            many="list",
            option="style-weight",
        ),
        Setting(
            "style_scale",
            float,
            "Brush size",
            "Larger takes coarser strokes.",
            0.1,
            4,
            many="each",
            step=0.05,
            option="style-scale",
        ),
        Setting(
            "mixing",
            str,
            "Styles are mixed",
            "Aim between the styles, or at all of them at once.",
            choices=named(MIXING, statistics="Between the styles", losses="Each style at once"),
        ),
    ),
    REGIONS: (
        Setting(
            "guide",
            str,
            "Edges of regions",
            "How far a style reaches at the edges.",
            choices=named(
                ("inside", "soft", "all"), inside="Keep to the inside", soft="Soft edges", all="All they touch"
            ),
        ),
        Setting("semantic_weight", float, "Meaning", "How much meaning counts beside likeness.", 0, 100),
    ),
    COLORS: (
        Setting(
            "preserve_color",
            str,
            "Colors",
            "Keep the photo's colors, or take the style's.",
            choices=named(
                COLOR_MODES,
                none="The style's",
                luminance="The photo's, only lightness is painted",
                histogram="The photo's, tone by tone (histogram)",
                cholesky="The photo's palette (Cholesky)",
                pca="The photo's palette, axis by axis (PCA)",
            ),
        ),
        Setting(
            "color_when",
            str,
            "Colors are kept",
            "By recoloring the style, or the result.",
            costs=True,
            choices=named(COLOR_MOMENTS, before="Before painting", after="After painting"),
        ),
        Setting(
            "photoreal",
            bool,
            "Photo-real",
            "Only the style's colors and light are taken, region by region: no strokes.",
            costs=True,
        ),
    ),
    SMOOTHNESS: (
        Setting("tv_weight", float, "Smoothness", "Removes grain; empty is automatic.", 0, 100, unset=PRESET_SAYS),
        Setting("tv_exponent", float, "Smoothness exponent", "Below 2 spares edges, above 2 blurs them.", 0.5, 4),
        Setting("norm_weight", float, "Softer colors", "Keeps colors from burning out.", 0, 100),
        Setting("norm_exponent", float, "Softer colors exponent", "Higher spares the middle.", 1, 20),
    ),
    OPTIMIZED: (
        Setting(
            "encoder",
            str,
            "Encoder",
            "The network that compares pictures.",
            choices=ENCODERS,
            free="FILE",
            costs=True,
        ),
        Setting(
            "num_steps",
            int,
            "Steps",
            "Over all scales; empty is automatic.",
            1,
            5000,
            unset=PRESET_SAYS,
            costs=True,
            option="steps",
        ),
        Setting(
            "optimize",
            str,
            "Optimize",
            "Optimize each frame, with this care for the first; empty paints by a network.",
            choices=named(tuple(PRESETS)),
            unset="paint by a network",
            costs=True,
        ),
        Setting("frame_steps", int, "Steps a frame", "Of each but the first.", 1, 500, costs=True),
        Setting(
            "optimizer",
            str,
            "Optimizer",
            "L-BFGS takes fewer, dearer steps.",
            costs=True,
            choices=named(tuple(OPTIMIZERS), lbfgs="L-BFGS", sgd="Gradient descent"),
        ),
        Setting(
            "learning_rate", float, "Learning rate", "How bold a step is.", 0.0001, 10, unset="what suits the optimizer"
        ),
    ),
    COMPARED: (
        Setting(
            "style_loss",
            str,
            "Style loss",
            "How two textures are compared.",
            joined=True,
            costs=True,
            choices=named(STYLE_LOSSES, **STYLE_LOSS_TITLES),
            paper=STYLE_LOSS_PAPERS,
            option="loss",
        ),
        Setting(
            "pooling",
            str,
            "Pooling",
            "Average is smoother, max is crisper.",
            choices=named(("average", "max")),
            unset="as the encoder was trained",
        ),
        Setting(
            "content_layers",
            str,
            "Content layers",
            "Deeper ones keep less detail.",
            many="list",
            unset=" ".join(KEPT_LAYERS),
        ),
        Setting(
            "style_layers",
            str,
            "Style layers",
            "Shallow: color, grain; deep: motifs.",
            many="list",
            unset=f"{' '.join(STYLE_LAYERS)}, or as the loss needs",
        ),
        Setting(
            "style_layer_weights",
            float,
            "Style layer weights",
            "One number a layer; empty is equal.",
            0,
            MOST_WEIGHT,
            many="list",
        ),
        Setting(
            "content_layer_weights",
            float,
            "Content layer weights",
            "One number a layer; empty is equal.",
            0,
            MOST_WEIGHT,
            many="list",
        ),
        Setting(
            "content_encoder",
            str,
            "Content encoder",
            "Another network that compares the content.",
            choices=ENCODERS,
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
        Setting(
            "correlations",
            str,
            "Correlations",
            "Correlated within layers, across, or chained.",
            choices=named(CORRELATIONS),
        ),
        Setting("patch_size", int, "Patch size", "Side of a patch, in positions of a layer.", 1, 5),
    ),
    COMPUTED: (
        Setting("model", str, "Network", "By name or file; larger ones are fetched from the Hub.", free="FILE"),
        Setting("data", str, "Photos", "What it learns on.", free="FOLDER", unset="the examples"),
        Setting(
            "device",
            str,
            "Computed on",
            "Automatic is the fastest device here.",
            free="cuda:N",
            costs=True,
            choices=named(DEVICES, auto="Automatic", cpu="Processor", cuda="NVIDIA GPU", mps="Apple GPU"),
        ),
    ),
}

SETTINGS = {row.name: replace(row, group=group) for group, rows in GROUPS.items() for row in rows}
"""Every setting by name, without a default."""


def check(rows: Mapping[str, Setting] = SETTINGS, **values: object) -> None:
    """Refuse values that their settings do not allow; what is no setting passes.

    Raises:
        ValueError: naming the setting and what is possible.
    """
    for name, value in values.items():
        if name in rows:
            rows[name].check(value)
