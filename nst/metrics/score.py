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
from nst.metrics.cleanness import Cleanness
from nst.metrics.content import feature_agreement
from nst.metrics.pyramid import SCALES, Pyramid
from nst.optimize import Encoding

SIZE = 256  # long side in pixels at which pictures are judged, whatever theirs: so the score does not depend on it

AREAS = 64
"""Long side at which their colors are: those of areas. Grain makes the colors of pixels as many as any painting's."""

PARTS = {"texture": 0.22, "color": 0.2, "content": 0.49, "cleanness": 0.09}
"""What the score is made of, and the exponent of each part in the product."""

FAINT, EXACT = 1e-5, 1e-3
"""Mean square of features that are hardly there, and the precision of distances: the roots of matrices are iterated."""

HARDLY = 1e-3
"""What is added to features before their roots are taken, so that rounding in flat pictures stays rounding."""

NEAR_COLORS, FAR_COLORS, CHANCE = 0.05, 0.15, 0.1
"""Distances of colors that are near and far, and the agreement that two pictures may have by chance. A photo whose own
colors are not far counts as far, or else it would be held against a result that they were near all along."""

STATISTIC = "wasserstein"  # what a judge compares textures by: mean and covariance of the features


@dataclass(frozen=True)
class Judge:
    """What a score compares pictures by: an encoder, and its layers for texture and for content.

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
        """The features of an image (1, 3, H, W) in [0, 1] at all of these layers."""
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
        content: how much of the content is found again at each layer: 1 is all, 0 none; the `feature_agreement` of the
            features' roots.
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

    Pictures are judged at a long side of `SIZE` pixels. See `nst/docs/score.md` for the formula and its reasons.

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
    return Aim(style, content, style_weights=style_weights, judge=judge).score(image)


class Aim:
    """A style and a photo, looked at once, to score any number of results with; arguments as of `pastiche_score`."""

    def __init__(
        self,
        style: Tensor | Sequence[Tensor],
        content: Tensor | None = None,
        *,
        style_weights: Sequence[float] | None = None,
        judge: str | Judge = "pyramid",
    ) -> None:
        self.judge = find_judge(judge) if isinstance(judge, str) else judge
        given = [style] if isinstance(style, Tensor) else style
        styles = [resize(one.float(), SIZE) for one in given]
        weights = normalized_weights(style_weights, len(styles), "style weights")
        self.shape = None if content is None else (content.shape[-2], content.shape[-1])
        self.photo = None if content is None else resize(content.float(), SIZE)
        with torch.no_grad():
            self.kept = None if self.photo is None else self.judge.features(self.photo)
            wanted = [self.judge.features(one) for one in styles]
        self.textures = {name: _Texture(wanted, weights, name, self.kept) for name in self.judge.style_layers}
        self.directions = color_directions(64)
        quantiles = [weight * self._quantiles(one) for weight, one in zip(weights, styles, strict=True)]
        self.colors = torch.stack(quantiles).sum(0)  # of a mixture: the weighted means
        self.clean = Cleanness(given, content, [*([] if self.photo is None else [self.photo]), *styles])
        self.far_colors = 0.4 if self.photo is None else max(FAR_COLORS, self._color_distance(self.photo))

    def score(self, image: Tensor) -> Score:
        """The score of a result (1, 3, H, W) in [0, 1]."""
        small = self._fitted(image)
        with torch.no_grad():
            seen = self.judge.features(small)
        texture = {name: each.distances(seen).closeness for name, each in self.textures.items()}
        found = {"texture": sum(texture.values()) / len(texture)}
        found["color"] = Distances(self._color_distance(small), self.far_colors, NEAR_COLORS).closeness
        content = {} if self.kept is None else self._agreement(seen, self.kept)
        if content:
            found["content"] = _kept(sum(content.values()) / len(content))
        found["cleanness"] = self.clean.of(image, small)
        return Score(total_of(found), found, texture, content, self.judge.name)

    def _fitted(self, image: Tensor) -> Tensor:
        """The result at the size at which it is judged, which is the photo's."""
        if self.photo is None or self.shape is None:
            return resize(image.float(), SIZE)
        if not 0.95 < self.shape[1] / self.shape[0] * image.shape[-2] / image.shape[-1] < 1.05:
            sizes = f"{self.shape[1]} x {self.shape[0]} and {image.shape[-1]} x {image.shape[-2]}"
            raise ValueError(f"Photo and result must have the same proportions, not {sizes} pixels; crop one of them.")
        return resize(image.float(), self.photo.shape[-2:])

    def _agreement(self, seen: Features, kept: Features) -> dict[str, float]:
        """How well what is seen where agrees, by layer. Of the roots of the features: what is faint counts, too, so
        that a ghost in a clear sky is noticed."""
        layers = self.judge.content_layers
        found, wanted = ({name: (one[name].float() + HARDLY).sqrt() for name in layers} for one in (seen, kept))
        return feature_agreement(found, wanted, layers)

    def _quantiles(self, image: Tensor) -> Tensor:
        return sorted_colors(resize(image, AREAS), self.directions)

    def _color_distance(self, image: Tensor) -> float:
        return float((self._quantiles(image) - self.colors).abs().mean())


class _Texture:
    """How far from the style's texture anything is at one layer.

    What is near is the mean distance of the style's own halves from all of it.
    """

    def __init__(self, wanted: Sequence[Features], weights: Sequence[float], name: str, kept: Features | None) -> None:
        self.name, self.target = name, StyleLoss(wanted, (name,), kind=STATISTIC, style_weights=weights)
        energy = min(float(one[name].square().mean()) for one in wanted)
        self.share = energy / (energy + FAINT)  # to a flat style, whatever is faint is as good as flat
        halves = [self._apart({name: half}) for one in wanted for way in (-1, -2) for half in one[name].chunk(2, way)]
        self.near = sum(halves) / len(halves)
        self.far = 1.0 if kept is None else self._apart(kept)

    def distances(self, seen: Features) -> Distances:
        return Distances(self._apart(seen), self.far, self.near)

    @torch.no_grad()
    def _apart(self, features: Features) -> float:
        return max(0.0, self.share * float(self.target(features)["style"]) - EXACT)


def total_of(parts: Mapping[str, float], without: Sequence[str] = ()) -> float:
    """The score of these parts: 100 times their weighted geometric mean; some may be left out."""
    weights = {name: PARTS[name] for name in parts if name not in without}
    product = 1.0
    for name, weight in weights.items():
        product *= max(parts[name], 0.0) ** (weight / sum(weights.values()))
    return 100 * product


def _kept(agreement: float) -> float:
    """What is kept of the content, 0 to 1: none where there is no more agreement than by chance."""
    return min(max((agreement - CHANCE) / (1 - CHANCE), 0.0), 1.0)
