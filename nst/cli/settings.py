"""The settings of all recipes as options: in which groups, and in which words."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from nst.cli.arguments import add_options, given
from nst.encoders import CONTENT_LAYERS, STYLE_LAYERS
from nst.recipes import DEFAULTS
from nst.stylize import BOUNDS, CHOICES, Preset

WORDS = {
    "size": "long side of the result in pixels",
    "width": "in pixels",
    "height": "in pixels",
    "seed": "of the noise; the same seed gives the same picture on the same machine",
    "encoder": "the network that compares pictures; vgg19 and vgg16 are downloaded once, compact is built in",
    "preset": "how long to paint, and what some settings are that are left out",
    "strength": "0 keeps the content, 100 asks for the style alone",
    "num_steps": "steps over all scales",
    "init": "what to start from; a picture, such as an earlier result, is gone on from at full size",
    "optimizer": "adam is robust, lbfgs takes fewer and dearer steps, sgd is plain gradient descent",
    "learning_rate": "how bold a step is; left out suits the optimizer",
    "style_loss": "how two textures are compared",
    "content_layers": "where the content is compared; deeper keeps less of its detail",
    "style_layers": "where the style is compared; shallow is color and grain, deep is motifs",
    "style_layer_weights": "one number for each of the style's layers; left out is all equal",
    "tv_weight": "smoothness (total variation); higher is smoother",
    "tv_exponent": "of total variation; below 2 spares edges, above 2 blurs them",
    "pooling": "average is smoother, max crisper; left out is as the encoder was trained",
    "mixing": "aim between the styles (statistics), or at each of them at once (losses)",
    "preserve_color": "keep the photo's colors, by each pixel's chroma (luminance) or by those of all together",
    "color_when": "recolor the style before painting, or the result afterwards",
    "guide": "what a mask lets count at deeper layers: what lies inside, what touches it (all), or by share (soft)",
    "semantic_weight": "how much meaning counts beside likeness",
    "content_encoder": "another network to compare the content; left out is the same",
    "content_layer_weights": "one number for each of the content's layers; left out is all equal",
    "kernel_degree": "of mmd-polynomial",
    "kernel_offset": "of mmd-polynomial; larger lets the mean color count more",
    "kernel_bandwidth": "of mmd-gaussian, in median distances; larger is coarser",
    "activation_shift": "of correlation, in mean activations",
    "correlations": "of correlation: a layer with the next (chain), with all deeper ones (cross), or with itself (own)",
    "patch_size": "of patches, in positions of a layer; larger copies larger pieces",
    "norm_weight": "keeps colors from burning out",
    "norm_exponent": "of that; larger spares all but the strongest colors",
    "seamless": "make it tile without a seam; its sides are then multiples of 16",
    "layer": "whose features are inverted",
    "starts": "how many inversions, from different noise, side by side",
    "pictures": "how many pictures, from one style to the other",
    "device": "where to compute; auto is the fastest that is here",
}
"""The settings in words for users, where the recipe's own are for programmers."""

GROUPS = {
    "the picture": (
        "size",
        "width",
        "height",
        "seamless",
        "layer",
        "starts",
        "pictures",
        "preset",
        "strength",
        "num_steps",
        "init",
        "seed",
    ),
    "several styles": ("style_weights", "style_scale", "mixing"),
    "regions": ("guide",),
    "meaning": ("semantic_weight",),
    "color": ("preserve_color", "color_when"),
    "what is compared": (
        "encoder",
        "style_loss",
        "style_layers",
        "style_layer_weights",
        "content_layers",
        "content_layer_weights",
        "content_encoder",
        "pooling",
    ),
    "single kinds of style loss": (
        "kernel_degree",
        "kernel_offset",
        "kernel_bandwidth",
        "activation_shift",
        "correlations",
        "patch_size",
    ),
    "smoothness": ("tv_weight", "tv_exponent", "norm_weight", "norm_exponent"),
    "how it is computed": ("optimizer", "learning_rate", "device"),
}
"""Under which heading of the help each setting stands."""

OTHERS = {"encoder": "FILE", "content_encoder": "FILE", "init": "PICTURE", "device": "cuda:N", "style_loss": "A+B"}

REPEATED = {
    "style_weights": ("--style-weight", "how much of this style; once for each --style; left out is all equal"),
    "style_scale": ("--style-scale", "long side of the style relative to the result's; once for all, or for each"),
}
"""What is given once for each style, and not several at a time."""


def add_settings(
    parser: argparse.ArgumentParser, *functions: Callable[..., object]
) -> Mapping[str, argparse._ArgumentGroup]:
    """Options for the settings of recipes, in groups; gives the groups, by heading."""
    unset = dict.fromkeys({f.name for f in dataclasses.fields(Preset)} & DEFAULTS.keys(), "as the preset says")
    unset |= {"content_layers": " ".join(CONTENT_LAYERS)}
    unset |= {"style_layers": f"{' '.join(STYLE_LAYERS)}, or as the loss needs"}
    groups, left = {}, {name: function for function in functions for name in inspect.signature(function).parameters}
    for heading, names in GROUPS.items():
        groups[heading] = group = parser.add_argument_group(heading)
        for name in (name for name in names if name in left):
            if name in REPEATED:
                option, text = REPEATED[name]
                group.add_argument(
                    option, dest=name, type=float, metavar="X", action="append", default=argparse.SUPPRESS, help=text
                )
            else:
                add_options(
                    group,
                    left[name],
                    words=WORDS,
                    bounds=BOUNDS,
                    choices=CHOICES,
                    others=OTHERS,
                    unset=unset,
                    only=[name],
                )
    return groups


def typed_settings(args: argparse.Namespace, *functions: Callable[..., object]) -> dict[str, Any]:
    """The settings that were typed; what was given once for all styles is a number, not a list of one."""
    typed = {name: value for function in functions for name, value in given(args, function).items()}
    scales = typed.get("style_scale", [])
    return typed | ({"style_scale": scales[0]} if len(scales) == 1 else {})
