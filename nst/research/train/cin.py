"""Train networks for given styles: one for several (Dumoulin et al. 2017, arXiv:1610.07629), and one for one style
(Johnson et al. 2016, arXiv:1603.08155)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from nst.device import Device
from nst.images import decode, resize, to_tensor
from nst.models.cin import ConditionalNet
from nst.models.johnson import Johnson
from nst.registry import load_model
from nst.research.train.data import Pictures, Stock, strengths
from nst.research.train.loop import Plan, train, training_device, warm_start, write_model
from nst.research.train.perceptual import ZOOMS, LossNetwork, Perceptual, Weights, random_view
from nst.styles import load_style


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
        model: ConditionalNet | Johnson,
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
            if isinstance(self.model, Johnson):
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


def train_cin(
    *,
    data: str,
    style: Sequence[str],
    out: str,
    start: str | None = None,
    only_styles: bool = False,
    steps: int = 4000,
    seconds: float = 0.0,
    batch: int = 8,
    size: int = 192,
    style_size: int = 512,
    brushes: Sequence[float] = (1.0,),
    widths: Sequence[int] = (32, 64, 128),
    blocks: int = 5,
    kernel: int = 5,
    upsampling: str = "smooth",
    peak: float = 4.0,
    content_weight: float = 0.025,
    keep: Sequence[float] | None = None,
    color_weight: float = 0.5,
    structure_weight: float = 0.0,
    tv_weight: float = 0.05,
    speckle_weight: float = 0.1,
    learning_rate: float = 2e-3,
    losses: Sequence[str] = ("compact",),
    seed: int = 0,
    interval: int = 100,
    device: str | Device = "auto",
) -> Iterator[dict[str, Any]]:
    """Train one network for several styles.

    Args:
        data: folder or tar file of photos.
        style: styles by name, picture files, or NAME=FILE.
        out: folder to write; a checkpoint there is gone on from.
        start: a file of this kind whose convolutions are started from, and whose styles, as far as they are named.
        only_styles: learn nothing but the styles' scales and shifts, on the convolutions of `start`.
        steps, batch, size: how many steps, of how many crops, of how many pixels a side.
        seconds: that all of it may take; see `nst.research.train.loop.Plan`.
        style_size: long side in pixels of the styles, which decides on the size of strokes.
        brushes: sizes of the brush that each style is learned at, ascending, relative to the usual one.
        widths: channels at full, half and quarter resolution.
        blocks: residual blocks.
        kernel: size of the first and last convolution.
        upsampling: "smooth" or "resize", see `nst.models.johnson.TransformNet`.
        peak: see `nst.models.blocks.instance_norm`; 0 for none.
        content_weight, color_weight, tv_weight: weight of the content, of the colors, of smoothness.
        speckle_weight: weight of color noise beyond the style's.
        keep: how much more the content counts for each style; one number a style.
        structure_weight: weight of the structural similarity to the photo, of pictures that have little of it.
        learning_rate: the top of the cycle.
        losses: the networks that compare, by name or file; they take turns. Several joined by "+" are one network, in
            which each layer comes from the first that has it.
        seed: of crops, styles and initial weights.
        interval: steps between records and checkpoints.
        device: see `nst.research.train.loop.training_device`.

    Raises:
        ValueError: another number of `keep` than of styles, or `only_styles` without `start`.
    """
    named = [named_style(text) for text in style]
    names = [name for name, _ in named]
    if keep and len(keep) != len(named):
        raise ValueError(f"There are {len(named)} styles; give as many numbers to keep, not {len(keep)}.")
    if only_styles and not start:
        raise ValueError("To learn only styles, name the network to start from.")
    folder, device = Path(out), training_device(device)
    networks = loss_networks(losses, device)
    torch.manual_seed(seed)
    config: dict[str, Any] = {"styles": names, "widths": list(widths), "blocks": blocks, "kernel": kernel}
    config |= {"brushes": list(brushes), "upsampling": upsampling, "peak": peak or None, "ground": True}
    model = ConditionalNet(**config)
    with torch.no_grad():
        model.table.normal_(std=0.1)
    if start:
        warm_start(model, start, without=("table",))
        _known_styles(model, start)
    if only_styles:
        model.net.requires_grad_(False)
        model.plain.requires_grad_(False)
    model = device.place(model)
    weights = Weights(
        content=content_weight, color=color_weight, tv=tv_weight, structure=structure_weight, speckle=speckle_weight
    )
    perceptuals = [Perceptual(network, device, weights).to(device.torch_device) for network in networks]
    pictures = [device.place(to_tensor(picture)) for _, picture in named]
    sizes = [round(style_size * brush) for brush in brushes]
    objective = NamedStyles(model, perceptuals, pictures, sizes, keep or [1.0] * len(named)).to(device.torch_device)
    photos = Stock(Pictures(data), max(size, PHOTO_SIDE), device)
    rng = torch.Generator(device.torch_device)
    samples = photos.batch(3, size, rng.manual_seed(seed))

    def draw(step_seed: int) -> tuple[Tensor, ...]:
        rng.manual_seed(step_seed)
        index = torch.randint(len(named), (batch,), generator=rng, device=device.torch_device)
        brush = torch.randint(len(brushes), (batch,), generator=rng, device=device.torch_device)
        crops = photos.batch(batch, size, rng, smallest=SMALLEST)
        return crops, index, brush, strengths(batch, rng), *random_view(batch, rng)

    def finish(trained: nn.Module, record: Mapping[str, Any]) -> None:
        about = f"One network for {len(named)} styles: {', '.join(names)}. Trained on {data}."
        write_model(trained, folder, "cin", config, record, about)

    def sheet(trained: nn.Module) -> Tensor:
        """Photos down; across the photo, what strength 0 makes of it, and the styles."""
        one = torch.cat([torch.eye(len(named))[:1], torch.eye(len(named))]).to(device.torch_device)
        strength = torch.ones(len(one), 1, device=device.torch_device)
        strength[0] = 0
        many = [photo.expand(len(one), -1, -1, -1) for photo in samples]
        rows = [torch.cat([photos[0], *trained(photos, one, strength)], 2) for photos in many]
        return torch.cat(rows, 1)[None]

    plan = Plan(steps, learning_rate, seed, interval, seconds=seconds)
    yield from train(
        objective,
        draw,
        model=model,
        plan=plan,
        device=device,
        out=folder,
        finish=finish,
        sheet=sheet,
        notes=lambda: {"skipped": photos.skipped},
        turns=len(networks),
    )


PHOTO_SIDE = 256
"""Side in pixels at which photos are kept."""

SMALLEST = 0.45
"""Least side of a crop, relative to the photo's: small ones hold smooth areas, which large pictures have many of."""


def loss_networks(names: Sequence[str], device: Device) -> list[LossNetwork]:
    """The networks that compare, frozen; what they load must not use up the random numbers of what is built next."""
    return [LossNetwork(name).to(device.torch_device).requires_grad_(False) for name in names]


def _known_styles(model: ConditionalNet, start: str | Path) -> None:
    """Begin the styles that another network knows by name with its scales and shifts, the same for each brush."""
    known: Any = load_model(start, architecture="cin")
    old = known.table.view(len(known.brushes), len(known.styles), -1)
    if old.shape[-1] != model.net.num_parameters:
        return
    table = model.table.data.view(len(model.brushes), len(model.styles), -1)
    for i, brush in enumerate(model.brushes):
        weights = known.brush_weights(brush).to(old)
        for j, name in enumerate(model.styles):
            if name in known.styles:
                table[i, j] = (weights[0, :, None] * old[:, known.styles.index(name)]).sum(0)


def train_johnson(
    *,
    data: str,
    style: str,
    out: str,
    start: str | None = None,
    steps: int = 2000,
    batch: int = 8,
    size: int = 192,
    style_size: int = 384,
    widths: Sequence[int] = (16, 32, 64),
    blocks: int = 4,
    kernel: int = 5,
    norm: str = "instance",
    upsampling: str = "resize",
    content_weight: float = 0.07,
    color_weight: float = 0.5,
    tv_weight: float = 0.05,
    speckle_weight: float = 0.1,
    learning_rate: float = 2e-3,
    losses: Sequence[str] = ("compact",),
    seed: int = 0,
    interval: int = 100,
    device: str | Device = "auto",
) -> Iterator[dict[str, Any]]:
    """Train a network for one style.

    Args:
        data: folder or tar file of photos.
        style: a style by name, or a picture file.
        out: folder to write; a checkpoint there is gone on from.
        start: a file of this kind to start from.
        steps, batch, size: how many steps, of how many crops, of how many pixels a side.
        style_size: long side in pixels of the style, which decides on the size of strokes.
        widths: channels at full, half and quarter resolution; the paper's are 32 64 128.
        blocks: residual blocks; the paper's are 5.
        kernel: size of the first and last convolution; the paper's is 9.
        norm: instance or batch normalization.
        upsampling: "smooth", "resize" (enlarge, then convolve) or "transposed".
        content_weight, color_weight, tv_weight: weight of the content, of the colors, of smoothness.
        speckle_weight: weight of color noise beyond the style's.
        learning_rate: the top of the cycle.
        losses: the networks that compare, which take turns; see `train_cin`.
        seed: of crops and initial weights.
        interval: steps between records and checkpoints.
        device: see `nst.research.train.loop.training_device`.
    """
    name, picture = named_style(style)
    folder, device = Path(out), training_device(device)
    networks = loss_networks(losses, device)
    torch.manual_seed(seed)
    config: dict[str, Any] = {"widths": list(widths), "blocks": blocks, "kernel": kernel}
    config |= {"norm": norm, "upsampling": upsampling, "ground": True}
    model = Johnson(**config)
    if start:
        warm_start(model, start)
    model = device.place(model)
    weights = Weights(content=content_weight, color=color_weight, tv=tv_weight, speckle=speckle_weight)
    perceptuals = [Perceptual(network, device, weights).to(device.torch_device) for network in networks]
    styles = [device.place(to_tensor(picture))]
    objective = NamedStyles(model, perceptuals, styles, [style_size], [1.0]).to(device.torch_device)
    photos = Stock(Pictures(data), max(size, PHOTO_SIDE), device)
    rng = torch.Generator(device.torch_device)
    samples = photos.batch(4, size, rng.manual_seed(seed))
    none, whole = torch.zeros(batch, dtype=torch.long), torch.ones(batch)

    def draw(step_seed: int) -> tuple[Tensor, ...]:
        rng.manual_seed(step_seed)
        return photos.batch(batch, size, rng, smallest=SMALLEST), none, none, whole, *random_view(batch, rng)

    def finish(trained: nn.Module, record: Mapping[str, Any]) -> None:
        write_model(trained, folder, "johnson", config, record, f"Paints photos as {name}. Trained on {data}.")

    def sheet(trained: nn.Module) -> Tensor:
        return torch.cat([torch.cat([*samples], 2), torch.cat([*trained(samples)], 2)], 1)[None]

    yield from train(
        objective,
        draw,
        model=model,
        plan=Plan(steps, learning_rate, seed, interval),
        device=device,
        out=folder,
        finish=finish,
        sheet=sheet,
        notes=lambda: {"skipped": photos.skipped},
        turns=len(networks),
    )


def named_style(text: str) -> tuple[str, Image.Image]:
    """A style's name and picture, of a name of `nst.styles`, FILE or NAME=FILE."""
    name, _, file = text.partition("=") if "=" in text else (Path(text).stem, "", text)
    return (name, decode(file).rgb) if Path(file).is_file() else (name, load_style(file, 1024))
