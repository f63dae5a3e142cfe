"""Train a generator of faces: the plain network (DCGAN), the growing one (ProGAN), the style-based one (StyleGAN)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nst.device import Device
from nst.models.dcgan import DCGAN, DCGANDiscriminator
from nst.models.progan import WIDTHS, ProGAN
from nst.models.stylegan import StyleGAN, mix_styles
from nst.research.train.gan_loop import GanConfig, GanNetworks
from nst.research.train.gan_run import Faces, GanRun
from nst.research.train.growth import Growth
from nst.research.train.loop import Plan, seed_weights, training_device


def train_gan(
    *,
    data: str,
    out: str,
    game: str = "nonsaturating",
    steps: int = 10000,
    batch: int = 32,
    size: int = 64,
    width: int = 24,
    latent_dim: int = 96,
    discriminator_steps: int = 1,
    r1: float = 0.0,
    gradient_penalty: float = 0.0,
    clip: float = 0.0,
    augment: Sequence[str] = (),
    learning_rate: float = 4e-4,
    held: int = 0,
    judge: str = "compact",
    license: str = "other",
    seed: int = 0,
    interval: int = 100,
    sheet: int = 5,
    device: str | Device = "auto",
) -> Iterator[dict[str, Any]]:
    """Train the plain adversarial network, made of convolutions (DCGAN), at any of the games.

    Args:
        data: folder or tar file of faces.
        out: folder to write; a checkpoint there is gone on from.
        game: minimax, nonsaturating, least_squares, wasserstein or hinge.
        steps, batch, size: how many steps, of how many pictures, of how many pixels a side.
        width: channels of the finest layer.
        latent_dim: how many numbers a face comes from.
        discriminator_steps: of the discriminator for each of the generator's.
        r1: weight of the penalty of slopes at real pictures.
        gradient_penalty: weight of the penalty of slopes other than 1; 10 for wasserstein.
        clip: bound of the discriminator's weights; 0.01 for wasserstein without a penalty.
        augment: changes of what the discriminator sees: color, translation, cutout.
        learning_rate: of both.
        held: how many of the last pictures are kept from the training, to measure the kernel distance by.
        judge: the encoder that measures it, by name or file.
        license: what the card says of the model; it is up to the terms of the pictures.
        seed: of the weights, the latents and the order of the pictures.
        interval: steps between records and checkpoints.
        sheet: intervals between sheets of samples, and measurements.
        device: see `nst.research.train.loop.training_device`.
    """
    device = training_device(device)
    seed_weights(seed, judge)
    config = {"latent_dim": latent_dim, "width": width, "resolution": size}
    mixing = not (r1 or gradient_penalty)
    generator, discriminator = device.place(DCGAN(**config)), device.place(DCGANDiscriminator(width, size, mixing))
    faces = Faces(data, size, held)
    run = GanRun("dcgan", config, faces, Path(out), device, judge, None, license)

    def make(network: nn.Module, rng: torch.Generator, step: int) -> Tensor:
        return network(torch.randn(batch, latent_dim, generator=rng).to(device.torch_device))

    networks = GanNetworks(
        generator,
        discriminator,
        make,
        lambda image, step: discriminator(image),
        lambda rng, step: faces.batch(batch, rng),
    )
    gan_config = GanConfig(
        game, discriminator_steps, r1, gradient_penalty=gradient_penalty, clip=clip, augment=augment, betas=(0.5, 0.99)
    )
    plan = Plan(steps, learning_rate, seed, interval, sheet)
    yield from run.play(networks, gan_config, plan)


def train_progan(
    *,
    data: str,
    out: str,
    game: str = "wasserstein",
    steps: int = 10000,
    batch: int = 32,
    widths: Sequence[int] = WIDTHS,
    patch: int = 2,
    latent_dim: int = 128,
    level_steps: int = 1000,
    discriminator_steps: int = 1,
    r1: float = 0.0,
    gradient_penalty: float = 10.0,
    augment: Sequence[str] = (),
    learning_rate: float = 1e-3,
    held: int = 0,
    judge: str = "compact",
    license: str = "other",
    seed: int = 0,
    interval: int = 100,
    sheet: int = 5,
    device: str | Device = "auto",
) -> Iterator[dict[str, Any]]:
    """Train the growing adversarial network (ProGAN), from 4 x 4 features on.

    Args:
        data: folder or tar file of faces.
        out: folder to write; a checkpoint there is gone on from.
        game: minimax, nonsaturating, least_squares, wasserstein or hinge.
        steps, batch: how many steps, of how many pictures.
        widths: channels of each level, from 4 x 4; each further one is twice as fine.
        patch: pixels a side that one of the finest features paints.
        latent_dim: how many numbers a face comes from.
        level_steps: of each level but the last; half of them fade it in; 0 for no growth.
        discriminator_steps: of the discriminator for each of the generator's.
        r1: weight of the penalty of slopes at real pictures.
        gradient_penalty: weight of the penalty of slopes other than 1.
        augment: changes of what the discriminator sees: color, translation, cutout.
        learning_rate: of both.
        held: how many of the last pictures are kept from the training, to measure the kernel distance by.
        judge: the encoder that measures it, by name or file.
        license: what the card says of the model; it is up to the terms of the pictures.
        seed: of the weights, the latents and the order of the pictures.
        interval: steps between records and checkpoints.
        sheet: intervals between sheets of samples, and measurements.
        device: see `nst.research.train.loop.training_device`.
    """
    device = training_device(device)
    seed_weights(seed, judge)
    config = {"latent_dim": latent_dim, "widths": list(widths), "patch": patch}
    generator = ProGAN(latent_dim, widths, patch)

    def make(network: Any, rng: torch.Generator, step: int) -> Tensor:
        latent = torch.randn(batch, latent_dim, generator=rng).to(device.torch_device)
        return network.paint(latent, *growth.at(step))

    growth = Growth(0, len(widths) - 1, level_steps)
    gan_config = GanConfig(game, discriminator_steps, r1, gradient_penalty=gradient_penalty, augment=augment)
    plan = Plan(steps, learning_rate, seed, interval, sheet)
    faces = Faces(data, generator.resolution, held)
    run = GanRun("progan", config, faces, Path(out), device, judge, growth, license)
    yield from run.grow(generator, make, gan_config, plan, batch)


def train_stylegan(
    *,
    data: str,
    out: str,
    game: str = "nonsaturating",
    steps: int = 10000,
    batch: int = 32,
    widths: Sequence[int] = WIDTHS,
    patch: int = 2,
    latent_dim: int = 128,
    first_level: int = 2,
    level_steps: int = 1000,
    mixing: float = 0.9,
    discriminator_steps: int = 1,
    r1: float = 0.1,
    augment: Sequence[str] = (),
    learning_rate: float = 2e-3,
    held: int = 0,
    judge: str = "compact",
    license: str = "other",
    seed: int = 0,
    interval: int = 100,
    sheet: int = 5,
    device: str | Device = "auto",
) -> Iterator[dict[str, Any]]:
    """Train the style-based adversarial network (StyleGAN).

    Args:
        data: folder or tar file of faces.
        out: folder to write; a checkpoint there is gone on from.
        game: minimax, nonsaturating, least_squares, wasserstein or hinge.
        steps, batch: how many steps, of how many pictures.
        widths: channels of each level, from 4 x 4; each further one is twice as fine.
        patch: pixels a side that one of the finest features paints.
        latent_dim: how many numbers a face comes from.
        first_level: what the growth begins with; 0 is 4 x 4.
        level_steps: of each level but the last; half of them fade it in; 0 for no growth.
        mixing: share of the pictures that have one style for the coarse layers and another one for the fine.
        discriminator_steps: of the discriminator for each of the generator's.
        r1: weight of the penalty of slopes at real pictures.
        augment: changes of what the discriminator sees: color, translation, cutout.
        learning_rate: of both.
        held: how many of the last pictures are kept from the training, to measure the kernel distance by.
        judge: the encoder that measures it, by name or file.
        license: what the card says of the model; it is up to the terms of the pictures.
        seed: of the weights, the latents and the order of the pictures.
        interval: steps between records and checkpoints.
        sheet: intervals between sheets of samples, and measurements.
        device: see `nst.research.train.loop.training_device`.
    """
    device = training_device(device)
    seed_weights(seed, judge)
    config = {"latent_dim": latent_dim, "widths": list(widths), "patch": patch}
    generator = StyleGAN(latent_dim, widths, patch)

    def make(network: Any, rng: torch.Generator, step: int) -> Tensor:
        stage = growth.at(step)
        first, second = (torch.randn(batch, latent_dim, generator=rng).to(device.torch_device) for _ in range(2))
        alone = torch.rand(batch, generator=rng) >= mixing
        crossover = torch.randint(1, 2 * stage.level + 2, (batch,), generator=rng)  # at the end there is no second
        crossover = crossover.masked_fill(alone, network.layers).to(device.torch_device)
        styles = mix_styles(network.styles(first), network.styles(second), crossover, network.layers)
        return network.paint(styles, network.noise(rng, batch), stage.level, stage.blend)

    growth = Growth(min(first_level, len(widths) - 1), len(widths) - 1, level_steps)
    gan_config = GanConfig(game, discriminator_steps, r1, augment=augment)
    plan = Plan(steps, learning_rate, seed, interval, sheet)
    faces = Faces(data, generator.resolution, held)
    run = GanRun("stylegan", config, faces, Path(out), device, judge, growth, license)
    yield from run.grow(generator, make, gan_config, plan, batch)
