"""Train a generator of faces: the plain network (DCGAN), the growing one (ProGAN), the style-based one (StyleGAN)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nst.models.dcgan import DCGAN, DCGANDiscriminator
from nst.models.progan import WIDTHS, ProGAN
from nst.models.stylegan import StyleGAN, mix_styles
from nst.research.train.config import GanConfig, Records, options
from nst.research.train.gan_loop import GanNetworks
from nst.research.train.gan_run import GanRun
from nst.research.train.growth import Growth
from nst.research.train.model_file import seed_weights


@dataclass(frozen=True, kw_only=True)
class DCGANConfig(GanConfig):
    """The training of a plain adversarial network.

    Args:
        size: side of the pictures in pixels.
        width: channels of the finest layer.
    """

    size: int = 64
    width: int = 24
    latent_dim: int = 96
    learning_rate: float = 4e-4
    betas: tuple[float, ...] = (0.5, 0.99)


@dataclass(frozen=True, kw_only=True)
class GrowingConfig(GanConfig):
    """The training of a network that grows.

    Args:
        widths: channels of each level, from 4 x 4; each further one is twice as fine.
        patch: pixels a side that one of the finest features paints.
        level_steps: of each level but the last; half of them fade it in; 0 for no growth.
    """

    widths: Sequence[int] = WIDTHS
    patch: int = 2
    level_steps: int = 1000

    @property
    def shape(self) -> dict[str, Any]:
        """The network's arguments."""
        return {"latent_dim": self.latent_dim, "widths": list(self.widths), "patch": self.patch}


@dataclass(frozen=True, kw_only=True)
class ProGANConfig(GrowingConfig):
    """The training of ProGAN."""

    game: str = "wasserstein"
    gradient_penalty: float = 10.0
    learning_rate: float = 1e-3


@dataclass(frozen=True, kw_only=True)
class StyleGANConfig(GrowingConfig):
    """The training of StyleGAN.

    Args:
        first_level: what the growth begins with; 0 is 4 x 4.
        mixing: share of the pictures that have one style for the coarse layers and another one for the fine.
    """

    first_level: int = 2
    mixing: float = 0.9
    r1: float = 0.1


@options
def train_gan(config: DCGANConfig) -> Records:
    """Train the plain adversarial network, made of convolutions (DCGAN), at any of the games."""
    seed_weights(config.seed, config.judge)
    shape = {"latent_dim": config.latent_dim, "width": config.width, "resolution": config.size}
    run = GanRun("dcgan", shape, config, config.size)
    mixing = not (config.r1 or config.gradient_penalty)
    generator = run.device.place(DCGAN(**shape))
    discriminator = run.device.place(DCGANDiscriminator(config.width, config.size, mixing))

    def make(network: nn.Module, rng: torch.Generator, step: int) -> Tensor:
        return network(torch.randn(config.batch, config.latent_dim, generator=rng).to(run.device.torch_device))

    networks = GanNetworks(
        generator,
        discriminator,
        make,
        lambda image, step: discriminator(image),
        lambda rng, step: run.faces.batch(config.batch, rng),
    )
    yield from run.play(networks)


@options
def train_progan(config: ProGANConfig) -> Records:
    """Train the growing adversarial network (ProGAN), from 4 x 4 features on."""
    seed_weights(config.seed, config.judge)
    generator = ProGAN(**config.shape)
    growth = Growth(0, len(config.widths) - 1, config.level_steps)
    run = GanRun("progan", config.shape, config, generator.resolution, growth)

    def make(network: Any, rng: torch.Generator, step: int) -> Tensor:
        latent = torch.randn(config.batch, config.latent_dim, generator=rng).to(run.device.torch_device)
        return network.paint(latent, *growth.at(step))

    yield from run.grow(generator, make)


@options
def train_stylegan(config: StyleGANConfig) -> Records:
    """Train the style-based adversarial network (StyleGAN)."""
    seed_weights(config.seed, config.judge)
    generator, last = StyleGAN(**config.shape), len(config.widths) - 1
    growth = Growth(min(config.first_level, last), last, config.level_steps)
    run = GanRun("stylegan", config.shape, config, generator.resolution, growth)

    def make(network: Any, rng: torch.Generator, step: int) -> Tensor:
        stage, batch, device = growth.at(step), config.batch, run.device.torch_device
        first, second = (torch.randn(batch, config.latent_dim, generator=rng).to(device) for _ in range(2))
        alone = torch.rand(batch, generator=rng) >= config.mixing
        crossover = torch.randint(1, 2 * stage.level + 2, (batch,), generator=rng)  # at the end there is no second
        crossover = crossover.masked_fill(alone, network.layers).to(device)
        styles = mix_styles(network.styles(first), network.styles(second), crossover, network.layers)
        return network.paint(styles, network.noise(rng, batch), stage.level, stage.blend)

    yield from run.grow(generator, make)
