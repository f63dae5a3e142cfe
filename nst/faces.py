"""Faces that never existed: a grid of them, two of them mixed, a film from one to the next, and the one that comes
nearest to a photo.

A face has a number, and is always the same for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nst.device import Device, choose_device, moved
from nst.encoders import load_encoder
from nst.images import middle_square, resize
from nst.losses import ContentLoss, PerceptualLoss
from nst.optimize import Step, optimize
from nst.params import LatentImage
from nst.registry import load_model
from nst.settings import SETTINGS, check

MODEL = "faces"  # the embedded generator

ROWS = SETTINGS | {"size": replace(SETTINGS["size"], low=4, high=4096)}
"""What the settings may be here: faces may be small."""

PIXELS = 16 * 128 * 128  # of the faces that are painted at once

LEVELS = ("coarse", "middle", "fine")
"""The parts of a face that can be mixed: light, colors and pose; the features; the details."""

MATCHED = ("relu2_1", "relu3_1", "relu4_1")  # where a projection is compared with its photo


def load_generator(model: str = MODEL, device: str | Device = "auto") -> tuple[Any, Device]:
    """A generator of faces by name or file, on its device.

    Raises:
        ValueError: there is no such model, or it makes no faces.
        nst.weights.WeightsError: the weights are missing or damaged.
    """
    device, network = choose_device(device), load_model(model)
    if getattr(network, "takes", "") != "latents":
        raise ValueError(f'"{model}" makes no faces.')
    return moved(network, device), device


@torch.no_grad()
def sample_faces(
    *,
    count: int = 16,
    seed: int = 0,
    truncation: float = 0.7,
    like: int | None = None,
    likeness: float = 0.7,
    model: str = MODEL,
    device: str | Device = "auto",
) -> Tensor:
    """Faces (count, 3, H, H) in [0, 1], as large as the network makes them.

    Args:
        count: how many.
        seed: the number of the first; the others follow.
        truncation: from 0 (all are the mean face) to 1 (as various as the training pictures, and less sure).
        like: the number of a face that all others should be like, and that is the first; None for any.
        likeness: how much, from 0 to 1.
        model: the generator, by name or file.
        device: see `nst.device.choose_device`.

    Raises:
        ValueError: an argument out of its range.
    """
    check(ROWS, count=count, seed=seed, truncation=truncation, like=like, likeness=likeness)
    network, device = load_generator(model, device)
    made = []
    at_once = _at_once(network)
    for first in range(seed, seed + count, at_once):
        some = min(at_once, seed + count - first)
        if like is None:
            made.append(network.sample(some, first, truncation).cpu())
            continue
        # Two normal latents, added so that the sum is normal again: a face as likely as any other.
        near, far = _latents(network, 1, like, truncation), _latents(network, some, first, truncation)
        latent = likeness * near + math.sqrt(1 - likeness**2) * far
        latent[: first == seed] = near
        made.append(_painted(network, latent.to(device.torch_device), truncation).cpu())
    return torch.cat(made)


def face_grid(*, size: int = 128, **settings: Any) -> Iterator[Step]:
    """Faces as the pictures (count, 3, size, size) of one step.

    Args:
        size: side of each in pixels; they are enlarged from what the network makes.
        settings: of `sample_faces`.
    """
    yield Step(1, 1, _enlarged(sample_faces(**settings), size), {})


@torch.no_grad()
def mix_faces(
    *,
    first: int = 0,
    second: int = 1,
    truncation: float = 0.7,
    size: int = 128,
    model: str = MODEL,
    device: str | Device = "auto",
) -> Iterator[Step]:
    """Two faces, each followed by itself with one level of the other's style: the eight pictures of one step.

    Karras et al. 2018, arXiv:1812.04948, section 3.1. Coarse is 4 x 4 features, middle 8 x 8, fine the rest; there up
    to 8, to 32 and to 1024, since a network that large decides on most things late.

    Args:
        first, second: the numbers of the faces.
        size: side of each in pixels.
        truncation, model, device: see `sample_faces`.
    """
    check(ROWS, first=first, second=second, truncation=truncation)
    network, device = load_generator(model, device)
    _styled(network, model)
    pair = torch.cat([network.latents(1, number) for number in (first, second)]).to(device.torch_device)
    one, two = network.styles(pair, truncation)[:, None].expand(-1, network.layers, -1)
    rows = []
    for own, other in ((one, two), (two, one)):
        rows.append(own)
        for level in LEVELS:
            chosen = layers_of(level, network.layers)
            rows.append(torch.stack([other[i] if i in chosen else own[i] for i in range(network.layers)]))
    faces = network.paint(torch.stack(rows)).clamp(0, 1).cpu()
    yield Step(1, 1, _enlarged(faces, size), {})


def layers_of(level: str, layers: int) -> range:
    """Which of a generator's styles a level has: see `mix_faces`."""
    return {"coarse": range(0, 1), "middle": range(1, 3), "fine": range(3, layers)}[level]


@torch.no_grad()
def morph(
    *,
    faces: Sequence[int] = (0, 1, 2),
    frames: int = 60,
    truncation: float = 0.7,
    model: str = MODEL,
    device: str | Device = "auto",
) -> Tensor:
    """A film (frames, 3, H, H) in [0, 1] from each face to the next, and from the last back to the first.

    Styles lie on straight lines between those of the faces, latents on arcs; each face is rested at.

    Args:
        faces: their numbers, at least two.
        frames: how many pictures, in all.
        truncation, model, device: see `sample_faces`.

    Raises:
        ValueError: an argument out of its range.
    """
    check(ROWS, frames=frames, truncation=truncation, faces=faces)
    if len(faces) < 2:
        raise ValueError("A film needs at least two faces: give their numbers.")
    network, device = load_generator(model, device)
    styled = hasattr(network, "styles")
    latent = torch.cat([_latents(network, 1, number, truncation) for number in faces]).to(device.torch_device)
    points = network.styles(latent, truncation) if styled else latent
    way = torch.arange(frames, device=points.device) * len(faces) / frames
    share = 0.5 - 0.5 * torch.cos(math.pi * way.frac())[:, None]
    start, end = points[way.long()], points[(way.long() + 1) % len(faces)]
    between = torch.lerp(start, end, share)
    if not styled:  # a sum of two normal latents would be too near to 0
        between = between / (share.square() + (1 - share).square()).sqrt()
    paint = network.paint if styled else network
    return torch.cat([paint(some).clamp(0, 1).cpu() for some in between.split(_at_once(network))])


def morph_run(*, size: int = 128, **settings: Any) -> Iterator[Step]:
    """The pictures of a film (frames, 3, size, size), as those of one step.

    Args:
        size: side of each in pixels.
        settings: of `morph`.
    """
    yield Step(1, 1, _enlarged(morph(**settings), size), {})


def project(
    content: Tensor,
    *,
    num_steps: int = 150,
    size: int = 256,
    pixel_weight: float = 1.0,
    learning_rate: float = 0.1,
    encoder: str = "compact",
    model: str = MODEL,
    device: str | Device = "auto",
) -> Iterator[Step]:
    """Find the styles whose face comes nearest to a photo; yields every step.

    Abdal, Qin and Wonka, "Image2StyleGAN", 2019, arXiv:1904.03189: downhill from the mean style, one style for each
    layer, by the features of an encoder and the pixels; here each is measured against the photo's own variance.

    Args:
        content: the photo (1, 3, H, W) in [0, 1]; its middle square is taken, and should be filled by a face.
        num_steps: how many.
        size: side of the result in pixels; it is enlarged from what the network makes.
        pixel_weight: how much the pixels count, against the features.
        learning_rate: how bold a step is.
        encoder: the network that compares, by name or file.
        model, device: see `sample_faces`.

    Raises:
        ValueError: an argument out of its range, or a generator that has no styles.
    """
    check(ROWS, pixel_weight=pixel_weight)
    network, device = load_generator(model, device)
    _styled(network, model)
    target = device.place(middle_square(content.float(), network.resolution))
    compare = moved(load_encoder(encoder), device)
    with torch.no_grad(), device.autocast():
        features = compare(target, MATCHED)
    losses = PerceptualLoss([ContentLoss(features, MATCHED), ContentLoss(features, ["image"], pixel_weight)])
    start = network.mean.expand(1, network.layers, -1)
    run = optimize(
        LatentImage(network, start), compare, losses, device=device, num_steps=num_steps, learning_rate=learning_rate
    )
    for step in run:
        yield step.changed(lambda image: _enlarged(image.cpu(), size))


def _latents(network: Any, count: int, seed: int, truncation: float) -> Tensor:
    """The latents of faces, truncated already where there are no styles that could be."""
    return network.latents(count, seed) if hasattr(network, "styles") else network.latents(count, seed, truncation)


def _painted(network: Any, latent: Tensor, truncation: float) -> Tensor:
    """The pictures of such latents."""
    if hasattr(network, "styles"):
        return network.paint(network.styles(latent, truncation)).clamp(0, 1)
    return network(latent)


def _at_once(network: Any) -> int:
    """How many faces fit into memory easily."""
    return max(1, PIXELS // network.resolution**2)


def _enlarged(images: Tensor, size: int) -> Tensor:
    return resize(images, (size, size)).clamp(0, 1)


def _styled(network: Any, model: str) -> None:
    if not hasattr(network, "styles"):
        raise ValueError(f'"{model}" has no styles: this needs a style-based generator.')


STRIP = Path(__file__).parent / "pictures" / "faces" / "training.webp"
"""The same latents through the training of a generator, from the left to the right."""
