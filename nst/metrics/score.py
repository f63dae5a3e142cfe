"""The pastiche score: one number from 0 to 100 for a result, its content and its style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from nst.encoders import STYLE_LAYERS, load_encoder
from nst.images import resize
from nst.losses import Features, StyleLoss, normalized_weights
from nst.losses.colors import color_directions, sorted_colors
from nst.metrics.artifacts import checkerboard_energy, seam_energy
from nst.metrics.content import feature_agreement
from nst.metrics.pyramid import SCALES, Pyramid
from nst.optimize import Encoding

SIZE = 256
"""Long side in pixels at which pictures are judged, whatever theirs: so the score does not depend on it."""

PARTS = {"texture": 0.3, "color": 0.15, "content": 0.45, "cleanness": 0.1}
"""What the score is made of, and the exponent of each part in the product."""

WHOLE, USUAL = 1024, 1.2
"""Pixels a side of a picture's middle in which grids are looked for, and the seam energy of a clean one."""

FAINT, EXACT = 1e-5, 1e-3
"""Mean square of features that are hardly there, and the precision of distances: the roots of matrices are iterated."""

NEAR_COLORS, CHANCE = 0.05, 0.1
"""The distance of colors that is near, and the agreement that two pictures may have by chance."""

STATISTIC = "wasserstein"
"""What a judge compares textures by: mean and covariance of the features."""


@dataclass(frozen=True)
class Judge:
    """Who looks: an encoder, and its layers for texture and for content.

    Attributes:
        name: "pyramid", or the encoder's name or file.
        encoder: image to features by layer.
        style_layers, content_layers: names of its layers.
    """

    name: str
    encoder: Encoding
    style_layers: tuple[str, ...] = STYLE_LAYERS
    content_layers: tuple[str, ...] = ("relu3_1", "relu4_1")

    def features(self, image: Tensor) -> Features:
        """All that it looks at, of an image (1, 3, H, W) in [0, 1]."""
        return self.encoder(image, (*self.style_layers, *self.content_layers))


PYRAMID = Judge("pyramid", Pyramid(), SCALES[1:], SCALES[2:4])
"""The judge that needs no weights, and that nothing was ever optimized on. Its finest scale is left out: there a
painting's strokes cannot be told from the grain of its copy, and noise would pass for them."""


def find_judge(name: str | Path = "pyramid") -> Judge:
    """A judge by name: "pyramid", or an encoder's name or file.

    Raises:
        ValueError: no such encoder.
        nst.weights.WeightsError: its weights are not to be had.
    """
    return PYRAMID if name == "pyramid" else Judge(str(name), load_encoder(name))


class Distances(NamedTuple):
    """How far the result is from the style, beside how far the photo is, and what counts as near."""

    now: float
    far: float
    near: float

    @property
    def closeness(self) -> float:
        """1 for no distance, 0 for that of the photo or more; about a half for `near`."""
        near = max(self.near, 0.02 * self.far, 1e-6)
        if self.now <= 0:
            return 1.0
        rest = 1 - self.now / self.far if self.far > 0 else 1.0
        return max(0.0, rest) * near / (near + self.now)


@dataclass(frozen=True)
class Score:
    """What a result is worth, and why.

    Attributes:
        total: 0 to 100.
        parts: each from 0 to 1; those that could not be judged are left out.
        texture: how close the texture is to the style's at each layer: 1 is there, 0 as far away as the content.
        content: how much of the content is found again at each layer: 1 is all, 0 none; see `feature_agreement`.
        judge: its name.
    """

    total: float
    parts: dict[str, float]
    texture: dict[str, float]
    content: dict[str, float]
    judge: str


def pastiche_score(
    image: Tensor,
    style: Tensor | Sequence[Tensor],
    content: Tensor | None = None,
    *,
    style_weights: Sequence[float] | None = None,
    judge: str | Judge = "pyramid",
) -> Score:
    """How good a pastiche a result is: the texture and colors of the style, the content of the photo, nothing else.

    Pictures are judged at a long side of `SIZE` pixels, in the proportions of the result. See the README for the
    formula and its reasons.

    Args:
        image: the result (1, 3, H, W) in [0, 1].
        style: the style picture, or several, of any sizes.
        content: the photo, of the result's proportions; None for a texture, whose content is not judged.
        style_weights: of several styles in the mixture that is the aim; None means equal.
        judge: "pyramid", an encoder's name or file, or a `Judge`; never what the result was optimized on.

    Raises:
        ValueError: a photo of other proportions, weights that do not fit, or an unknown judge.
        nst.weights.WeightsError: the judge's weights are not to be had.
    """
    judge = find_judge(judge) if isinstance(judge, str) else judge
    styles = [resize(one.float(), SIZE) for one in ([style] if isinstance(style, Tensor) else style)]
    weights = normalized_weights(style_weights, len(styles), "style weights")
    small = resize(image.float(), SIZE)
    photo = None if content is None else _beside(content.float(), small, image)
    with torch.no_grad():
        seen, wanted = judge.features(small), [judge.features(one) for one in styles]
        kept = None if photo is None else judge.features(photo)
    apart = _texture(seen, kept, wanted, weights, judge.style_layers)
    found = {"texture": sum(one.closeness for one in apart.values()) / len(apart)}
    found["color"] = _colors(small, photo, styles, weights).closeness
    agreement = {} if kept is None else feature_agreement(seen, kept, judge.content_layers)
    if agreement:
        found["content"] = _kept(sum(agreement.values()) / len(agreement))
    found["cleanness"] = _cleanness(image.float())
    return Score(total_of(found), found, {k: v.closeness for k, v in apart.items()}, agreement, judge.name)


def total_of(parts: Mapping[str, float], without: Sequence[str] = ()) -> float:
    """The score of these parts: 100 times their weighted geometric mean; some may be left out."""
    weights = {name: PARTS[name] for name in parts if name not in without}
    product = 1.0
    for name, weight in weights.items():
        product *= max(parts[name], 0.0) ** (weight / sum(weights.values()))
    return 100 * product


def _beside(content: Tensor, small: Tensor, image: Tensor) -> Tensor:
    """The photo at the size at which the result is judged."""
    wide, tall = content.shape[-1] / content.shape[-2], image.shape[-1] / image.shape[-2]
    if not 0.95 < wide / tall < 1.05:
        sizes = " and ".join(f"{x.shape[-1]} x {x.shape[-2]}" for x in (content, image))
        raise ValueError(f"Photo and result must have the same proportions, not {sizes} pixels; crop one of them.")
    return resize(content, (small.shape[-2], small.shape[-1]))


def _texture(
    seen: Features, kept: Features | None, wanted: Sequence[Features], weights: Sequence[float], layers: Sequence[str]
) -> dict[str, Distances]:
    """Distances of the texture by layer; what is near is the mean distance of the style's own halves from all of it."""
    found = {}
    for name in layers:
        target = StyleLoss(wanted, (name,), kind=STATISTIC, style_weights=weights)
        energy = min(float(one[name].square().mean()) for one in wanted)
        share = energy / (energy + FAINT)  # to a flat style, whatever is faint is as good as flat

        def apart(features: Features, target: StyleLoss = target, share: float = share) -> float:
            return max(0.0, share * float(target(features)["style"]) - EXACT)

        halves = [apart({name: half}) for one in wanted for way in (-1, -2) for half in one[name].chunk(2, way)]
        far = 1.0 if kept is None else apart(kept)
        found[name] = Distances(apart(seen), far, sum(halves) / len(halves))
    return found


def _colors(
    small: Tensor, photo: Tensor | None, styles: Sequence[Tensor], weights: Sequence[float]
) -> Distances:
    """Distances of the colors; those of several styles are a mixture whose quantiles are the weighted means."""
    directions = color_directions(64)

    def quantiles(image: Tensor) -> Tensor:
        return sorted_colors(image, directions)

    target = torch.stack([weight * quantiles(one) for weight, one in zip(weights, styles, strict=True)]).sum(0)
    far = 0.4 if photo is None else float((quantiles(photo) - target).abs().mean())
    return Distances(float((quantiles(small) - target).abs().mean()), far, NEAR_COLORS)


def _kept(agreement: float) -> float:
    """What is kept of the content: 0 up to the agreement that chance brings, then ever less for more."""
    lost = 1 - min(max((agreement - CHANCE) / (1 - CHANCE), 0.0), 1.0)
    return 1 - lost**2


def _cleanness(image: Tensor) -> float:
    """1 for a picture without grids, of JPEG's blocks or of a network's checkerboards, at its own size."""
    tall, wide = ((max(0, side - WHOLE) // 2 // 8 * 8) for side in image.shape[-2:])  # on the grid of the blocks
    middle = image[..., tall : tall + WHOLE, wide : wide + WHOLE]
    if min(middle.shape[-2:]) < 16:
        return 1.0
    blocks = max(0.0, seam_energy(middle, 8) - USUAL)
    return (1 - max(checkerboard_energy(middle, period) for period in (2, 4))) / (1 + blocks / 8)
