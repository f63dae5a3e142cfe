"""The objective of every feed-forward stylizer: what a painted picture should share with its photo and its style.

Content, style and total variation as in Johnson et al. 2016, arXiv:1603.08155, each sample's terms relative to its own
targets (see `nst.losses`), so that a dark style weighs as much as a bright one. Gram matrices say little of color,
so the distribution of colors itself is compared as well (`nst.losses.colors`); and specks of color, by which networks
like to match textures, cost something where the style has fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.device import Device
from nst.encoders import CONTENT_LAYERS, STYLE_LAYERS, load_encoder
from nst.images import resize
from nst.losses import EPS, Features, total_variation
from nst.losses.colors import color_directions, sorted_colors, speckle
from nst.losses.structure import structural_similarity
from nst.transforms import crop

Statistics = dict[str, Tensor]

ZOOMS = (0.8, 1.0, 1.25)  # at which a painted picture is looked at, and its style with it
SEEN = 0.72  # side of what the encoder is shown of a painted picture, relative to the picture's


class LossNetwork(nn.Module):
    """One encoder by name or file, or several joined by "+", in which each layer comes from the first that has it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.encoders = [load_encoder(part) for part in name.split("+")]
        self.parts = nn.ModuleList(self.encoders)

    def forward(self, image: Tensor, layers: Sequence[str]) -> Features:
        """Features by layer name, see `nst.encoders.Encoder.forward`."""
        features, waiting = {"image": image}, list(layers)
        for part in self.encoders:
            here = [name for name in waiting if name in part.layers]
            waiting = [name for name in waiting if name not in here]
            if here:
                features |= part(image, here)
        if waiting:
            raise ValueError(f"None of these encoders has a layer {', '.join(waiting)}.")
        return features


def view(images: Tensor, zoom: Tensor, middle: Tensor) -> Tensor:
    """What is shown to an encoder of pictures (N, 3, S, S): a part of `SEEN` of their side, shifted and scaled.

    A network that paints on a grid and is judged on the same grid learns a lattice that only its judge does not see;
    so the grid moves (as the transforms of Lucid; Olah, Mordvintsev and Schubert, "Feature Visualization", 2017).

    Args:
        images: the pictures.
        zoom: (1,) one of `ZOOMS`: how much larger things appear.
        middle: (2, N) where the part's middle lies, from -1, as far left or up as it can, to 1.
    """
    extent = (SEEN / zoom).expand(len(images))
    mirrored = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    return crop(images, round(SEEN * images.shape[-1]), extent, middle * (1 - extent), mirrored)


def random_view(count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """The number of a zoom (1,), and middles (2, count), see `view`."""
    draws = torch.rand(2, count, generator=rng, device=rng.device)
    return torch.randint(len(ZOOMS), (1,), generator=rng, device=rng.device), 2 * draws - 1


def statistics(features: Features, directions: Tensor) -> Statistics:
    """What a style is here: of each layer the Gram matrix (N, C, C), of the image the sorted colors and their noise."""
    found: Statistics = {}
    for name in STYLE_LAYERS:
        # Channels last and in the features' own format: bfloat16 products are summed in float32.
        x = features[name].permute(0, 2, 3, 1).flatten(1, 2)
        found[f"{name} gram"] = (x.transpose(1, 2) @ x).float() / x.shape[1]
    found["colors"] = sorted_colors(features["image"], directions)
    found["speckle"] = speckle(features["image"])
    return found


@dataclass(frozen=True)
class Weights:
    """Of the terms of the objective; `enough` is the structural similarity beyond which structure costs nothing."""

    content: float = 0.05
    style: float = 1.0
    color: float = 0.5
    structure: float = 0.0
    enough: float = 0.45
    tv: float = 0.05
    plain: float = 3.0
    speckle: float = 0.0


class Perceptual(nn.Module):
    """Terms of painted pictures; frozen, and without anything that learns."""

    directions: Tensor

    def __init__(self, encoder: nn.Module, device: Device, weights: Weights | None = None) -> None:
        super().__init__()
        self.encoder, self.device, self.weights = encoder, device, weights or Weights()
        self.register_buffer("directions", color_directions(), persistent=False)

    @torch.no_grad()
    def style(self, images: Tensor, shown: tuple[Tensor, Tensor] | None = None) -> Statistics:
        """The statistics of style pictures (N, 3, H, W), of which the encoder is shown a part, see `view`."""
        with self.device.autocast():
            features = self.encoder(images if shown is None else view(images, *shown), STYLE_LAYERS)
        return statistics(features | {"image": images}, self.directions)

    def forward(
        self,
        painted: Tensor,
        photo: Tensor,
        style: Statistics,
        strength: Tensor,
        kept: Features | None = None,
        factor: Tensor | float = 1.0,
        shown: tuple[Tensor, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Weighted terms.

        Args:
            painted, photo: (N, 3, H, W) in [0, 1].
            style: what each should have, see `style`.
            strength: (N,) how much of the style each is asked for; at 0 the photo itself is.
            kept: features to keep, by layer; None means those of the photo at `CONTENT_LAYERS`.
            factor: (N,) how much more the content counts in each.
            shown: zoom and middles of the part that the encoder is shown, see `view`; None means all.
        """
        w = self.weights
        seen = [x if shown is None else view(x, *shown) for x in (photo, painted)]
        if kept is None:
            with torch.no_grad(), self.device.autocast():
                kept = self.encoder(seen[0], CONTENT_LAYERS)
        layers = [name for name in kept if name != "image"]
        with self.device.autocast():
            features = self.encoder(seen[1], (*layers, *STYLE_LAYERS))
        found = statistics(features | {"image": painted}, self.directions)
        content = torch.zeros(len(painted), device=painted.device)
        for name in layers:
            content = content + _relative(features[name], kept[name], True) / len(layers)
        # Logarithms, or a black picture asked for as a style would outweigh all others.
        gram = torch.stack([_relative(found[f"{n} gram"], style[f"{n} gram"]) for n in STYLE_LAYERS]).mean(0)
        similarity = structural_similarity(painted, photo) if w.structure else strength.new_ones(())
        color = _relative(found["colors"], style["colors"], True)
        noise = F.relu(found["speckle"] / (style["speckle"] + 1 / 255) - 1)
        plain = F.mse_loss(painted, photo, reduction="none").mean((1, 2, 3)) * 10
        return {
            "content": w.content * (factor * content).mean(),
            "style": w.style * (strength * gram.log1p()).mean(),
            "color": w.color * (strength * color.log1p()).mean(),
            "structure": w.structure * (strength * F.relu(w.enough - similarity)).mean(),
            "plain": w.plain * ((1 - strength) ** 2 * plain).mean(),
            "tv": w.tv * total_variation(painted),
            "speckle": w.speckle * (strength * noise).mean(),
        }


def loss_networks(names: Sequence[str], device: Device, weights: Weights) -> list[Perceptual]:
    """The terms as each of the networks tells them, frozen. They are made before what learns: what they load must not
    use up the random numbers of that."""
    networks = [LossNetwork(name).requires_grad_(False) for name in names]
    return [Perceptual(network, device, weights).to(device.torch_device) for network in networks]


class NamedStyles(nn.Module):
    """The objective of a network of given styles: photos, each with a style's number and a strength, to terms.

    Args:
        model: what learns.
        perceptuals: the terms, as each of the loss networks tells them; they take turns.
        styles: pictures (1, 3, H, W), large enough for the largest brush.
        sizes: long side in pixels of the styles for each brush.
        keep: how much more the content counts for each style.
    """

    keep: Tensor

    def __init__(
        self,
        model: nn.Module,
        perceptuals: Sequence[Perceptual],
        styles: Sequence[Tensor],
        sizes: Sequence[int],
        keep: Sequence[float],
    ) -> None:
        super().__init__()
        self.model, self.perceptuals = model, nn.ModuleList(perceptuals)
        self.count, self.brushes = len(styles), len(sizes)
        self.register_buffer("keep", torch.tensor(keep), persistent=False)
        self.register_buffer("zooms", torch.tensor(ZOOMS), persistent=False)
        for turn, perceptual in enumerate(perceptuals):
            each = [perceptual.style(resize(s, round(n * zoom))) for zoom in ZOOMS for n in sizes for s in styles]
            self.names = tuple(each[0])
            for name in self.names:
                self.register_buffer(f"{turn} {name}", torch.cat([one[name] for one in each]), persistent=False)

    def forward(
        self,
        photo: Tensor,
        index: Tensor,
        brush: Tensor,
        strength: Tensor,
        zoom: Tensor,
        middle: Tensor,
        turn: int = 0,
    ) -> dict[str, Tensor]:
        """Weighted terms of photos (N, 3, H, W), numbers of styles and brushes (N,), strengths (N,), and a view.

        The number of the zoom and the middles (2, N) of what the encoder is shown are those of `random_view`.
        """
        perceptual: Perceptual = self.perceptuals[turn]  # type: ignore[assignment]
        with perceptual.device.autocast():
            if self.model.takes == "photo":  # it knows one style
                painted = self.model(photo)
            else:
                painted = self.model(
                    photo, _one_hot(index, self.count), strength[:, None], _one_hot(brush, self.brushes)
                )
        row = (zoom * self.brushes + brush) * self.count + index
        wanted = {name: self.get_buffer(f"{turn} {name}")[row] for name in self.names}
        shown = self.get_buffer("zooms").index_select(0, zoom), middle
        return perceptual(painted, photo, wanted, strength, factor=self.keep[index], shown=shown)


def _one_hot(index: Tensor, count: int) -> Tensor:
    return (index[:, None] == torch.arange(count, device=index.device)).float()


def _relative(found: Tensor, wanted: Tensor, centered: bool = False) -> Tensor:
    """Squared error of each sample relative to its target's square, or variance; (N,)."""
    found, wanted = found.float().flatten(1), wanted.float().flatten(1)
    size = wanted.var(1) if centered else wanted.square().mean(1)
    return (found - wanted).square().mean(1) / size.clamp_min(EPS)
