"""Contact sheets of every control: rows of pictures to look at, each with what it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from nst.color import COLOR_MODES
from nst.encoders import STYLE_LAYERS
from nst.images import resize
from nst.losses import STYLE_LOSSES
from nst.research.evaluate.pictures import final
from nst.stylize import (
    doodle,
    invert,
    mix_path,
    propose_map,
    reconstruct_style,
    style_transfer,
    texture,
)

Sheet = list[list[Tensor]]
Pairs = Sequence[tuple[Tensor, Tensor]]
INVERTED = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1")


def losses(pairs: Pairs, **settings: Any) -> Sheet:
    """Each pair of content and style: the style, then painted by each style loss."""
    return [
        [style, *(final(style_transfer(content, style, style_loss=kind, **settings)) for kind in STYLE_LOSSES)]
        for content, style in pairs
    ]


def mixing(pairs: Pairs, **settings: Any) -> Sheet:
    """Each content on the way from its own style to the next pair's, by 0, 25, 50, 75 and 100 percent."""
    others = [style for _, style in pairs[1:]] + [pairs[0][1]]
    return [
        [first, *final(mix_path(content, first, second, pictures=5, **settings)).split(1), second]
        for (content, first), second in zip(pairs, others, strict=True)
    ]


def colors(pairs: Pairs, **settings: Any) -> Sheet:
    """Each content, then painted plainly and by each way of keeping its colors, afterwards and before."""
    ways = [("none", "after")] + [(mode, when) for when in ("after", "before") for mode in COLOR_MODES[1:]]
    return [
        [content, *(final(style_transfer(content, style, preserve_color=m, color_when=w, **settings)) for m, w in ways)]
        for content, style in pairs
    ]


def sky(content: Tensor) -> Tensor:
    """A soft mask (1, 1, H, W) of the part of a picture that covers most of its upper edge."""
    made = propose_map(content, parts=4)
    upper = made[0, :, : made.shape[-2] // 20 + 1].flatten(1).T
    colors, counts = upper.unique(dim=0, return_counts=True)
    same = (made[0] == colors[counts.argmax()][:, None, None]).all(0).float()
    same[round(0.6 * len(same)) :] = 0  # what lies below is its reflection, or none
    mask = resize(same[None, None], (content.shape[-2], content.shape[-1]))
    return F.avg_pool2d(mask, 9, 1, 4, count_include_pad=False)


def regions(pairs: Pairs, **settings: Any) -> Sheet:
    """Each content and its sky: painted in one style, in one style below and another above, with the sky kept."""
    rows = []
    for i, (content, style) in enumerate(pairs):
        other, mask = pairs[(i + 1) % len(pairs)][1], sky(content)
        both: dict[str, Any] = {"masks": [None, mask], **settings}
        rows.append(
            [
                content,
                mask.expand(-1, 3, -1, -1),
                final(style_transfer(content, style, **settings)),
                final(style_transfer(content, [style, other], **both)),
                final(style_transfer(content, [style, other], preserve_color="luminance", **both)),
                final(style_transfer(content, style, keep=mask, **settings)),
            ]
        )
    return rows


def doodles(triples: Sequence[tuple[Tensor, Tensor, Tensor]], **settings: Any) -> Sheet:
    """Each doodle, style and the style's map: painted by patches, by meaning too, and thing by thing as well."""
    rows = []
    for drawn, style, meaning in triples:
        common: dict[str, Any] = {**settings, "strength": 100.0, "init": "noise"}
        maps: dict[str, Any] = {"content_map": drawn, "style_map": meaning}
        rows.append(
            [
                drawn,
                meaning,
                style,
                final(style_transfer(drawn, style, style_loss="patches", **common)),
                final(style_transfer(drawn, style, style_loss="patches", **maps, **common)),
                final(doodle(drawn, style, meaning, **settings)),
            ]
        )
    return rows


def textures(pairs: Pairs, size: int = 256, **settings: Any) -> Sheet:
    """Each style: a texture of it, one without seams, and that tiled 3 x 3."""
    rows = []
    for _, style in pairs:
        plain, seamless = (
            final(texture(style, width=size, height=size, seamless=s, **settings)) for s in (False, True)
        )
        rows.append([style, plain, seamless, plain.repeat(1, 1, 3, 3), seamless.repeat(1, 1, 3, 3)])
    return rows


def inversions(pairs: Pairs, **settings: Any) -> Sheet:
    """Each content as each layer knows it, then its style by each depth of layers."""
    rows = []
    for content, style in pairs:
        rows.append([content, *(final(invert(content, layer=layer, **settings)) for layer in INVERTED)])
        depths = range(1, len(STYLE_LAYERS) + 1)
        rows.append([style, *(final(reconstruct_style(style, depth=depth, **settings)) for depth in depths)])
    return rows


SHEETS: dict[str, Callable[..., Sheet]] = {
    "losses": losses,
    "mixing": mixing,
    "colors": colors,
    "regions": regions,
    "doodles": doodles,
    "textures": textures,
    "inversions": inversions,
}
"""Each control's sheet by name; all but the doodles are made of pairs of content and style."""
