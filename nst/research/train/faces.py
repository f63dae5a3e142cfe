"""Train a generator of faces: the plain network (DCGAN), the growing one (ProGAN), the style-based one (StyleGAN)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nst.device import choose_device
from nst.encoders import load_encoder
from nst.fidelity import distance_to
from nst.images import ImageError, grid
from nst.models.dcgan import DCGAN, DCGANDiscriminator
from nst.models.progan import WIDTHS, GrowingDiscriminator, ProGAN, enlarge
from nst.models.stylegan import StyleGAN, mix_styles
from nst.research.options import Records, options
from nst.research.train.config import GanConfig
from nst.research.train.gan_loop import GanLearner
from nst.research.train.growth import Growth, Stage, shrink
from nst.research.train.loop import Training, train, training_device
from nst.research.train.model_file import seed_weights, write_model
from nst.teach.crops import Pictures, Stock

SHEET, SHEET_COLUMNS, TRUNCATION = 64, 8, 0.7  # how many faces a sheet shows, and how near to the mean one

ABOUT = (
    "Faces that never existed, {side} pixels a side, from {dim} normally distributed numbers. Trained on {count} "
    "pictures. It repeats what they have, in the shares they have it: it is a toy, and says nothing about people."
)


class Faces(Stock):
    """Pictures of faces, all of one size and kept in memory; a file that cannot be read is left out and counted.

    Args:
        source: folder or tar file.
        size: side in pixels.
        held: how many of the last ones are kept from the training, to measure by; they are bytes (held, 3, size, size).

    Raises:
        ImageError: there are no pictures, or too few for so many held out.
    """

    def __init__(self, source: str | Path, size: int, held: int = 0) -> None:
        super().__init__(Pictures(source), size, choose_device("cpu"))
        count = len(self) - held
        if count < 2:
            raise ImageError(f"{source} holds {len(self)} pictures that can be read: too few, with {held} held out.")
        self.images, self.held = self.images[:count], self.images[count:]


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

    @property
    def shape(self) -> dict[str, Any]:
        """The network's arguments."""
        return {"latent_dim": self.latent_dim, "width": self.width, "resolution": self.size}


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

    def growth(self, first: int = 0) -> Growth:
        """How the networks grow, from this level on."""
        last = len(self.widths) - 1
        return Growth(min(first, last), last, self.level_steps)


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


class FaceLearner(GanLearner):
    """The training of a generator of faces, named by its architecture: data, sheets, the kernel distance, the file."""

    def __init__(
        self, name: str, config: GanConfig, generator: Any, discriminator: nn.Module, growth: Growth | None = None
    ) -> None:
        device = training_device(config.device)
        super().__init__(device.place(generator), device.place(discriminator), config, device)
        self.name, self.growth, self.faces = name, growth, Faces(config.data, generator.resolution, config.held)

    def stage(self, step: int) -> Stage | tuple[()]:
        """What both networks are told of their growth at a step."""
        return self.growth.at(step) if self.growth else ()

    def real(self, rng: torch.Generator, step: int) -> Tensor:
        faces = self.faces.batch(self.config.batch, self.generator.resolution, rng, smallest=1.0)
        return shrink(faces, self.growth.at(step), self.config.patch) if self.growth else faces

    def latent(self, rng: torch.Generator) -> Tensor:
        """What a batch of faces comes from."""
        return torch.randn(self.config.batch, self.config.latent_dim, generator=rng).to(self.device.torch_device)

    def make(self, rng: torch.Generator, step: int) -> Tensor:
        paint = getattr(self.generator, "paint", self.generator)  # what is not yet clamped, where there is such
        return paint(self.latent(rng), *self.stage(step))  # type: ignore[no-any-return]

    def judge(self, image: Tensor, step: int) -> Tensor:
        return self.discriminator(image, *self.stage(step))  # type: ignore[no-any-return]

    def grown(self, step: int) -> bool:
        """Whether nothing is left to be faded in."""
        return self.growth is None or self.growth.at(step) == (self.growth.last, 1.0)

    def center(self, averaged: Any) -> None:
        """Find the mean face's style, of a network that has one."""

    def shown(self, averaged: Any) -> Tensor:
        """What the faces of a sheet come from."""
        return averaged.latents(SHEET, 0).to(self.device.torch_device)  # type: ignore[no-any-return]

    def finish(self, averaged: Any, record: Mapping[str, Any]) -> None:
        """Write the generator, if it is grown up."""
        if not self.grown(record["step"]):
            return
        self.center(averaged)
        about = ABOUT.format(side=averaged.resolution, dim=averaged.latent_dim, count=len(self.faces))
        told = {"command": self.name.removeprefix("dc"), "license": self.config.license}
        write_model(averaged, self.config.folder, self.name, self.config.shape, record, about, **told)

    def sheet(self, averaged: Any, step: int) -> Tensor:
        """64 faces, the same at every step; those of a network that does not grow at a truncation of 0.7."""
        if self.growth is None:
            return grid(averaged.sample(SHEET, 0, TRUNCATION), SHEET_COLUMNS)
        self.center(averaged)
        stage = self.growth.at(step)
        painted = averaged.paint(self.shown(averaged), level=stage.level, blend=stage.blend).clamp(0, 1)
        while painted.shape[-1] < averaged.resolution:
            painted = enlarge(painted)
        return grid(painted, SHEET_COLUMNS)

    def measure(self, averaged: Any, step: int) -> dict[str, float]:
        """The kernel distance of as many faces as were held out, to these."""
        if not self.grown(step) or len(self.faces.held) < 2:
            return {}
        count, encoder = len(self.faces.held), load_encoder(self.config.judge).to(self.device.torch_device)
        made = [averaged.sample(min(50, count - i), i, 1.0).cpu() for i in range(0, count, 50)]
        return {"kernel_distance": round(distance_to(self.faces.held, torch.cat(made), encoder, self.device), 5)}

    def play(self) -> Training:
        """Train; yields a record per interval."""
        shown: dict[str, Any] = {"finish": self.finish, "sheet": self.sheet, "measure": self.measure}
        told = {"out": self.config.folder, "notes": lambda: {"skipped": self.faces.skipped}}
        return Training(self, train(self, **told, **shown))


class StyleGANLearner(FaceLearner):
    """The same of StyleGAN, some of whose pictures have two styles."""

    growth: Growth

    def make(self, rng: torch.Generator, step: int) -> Tensor:
        stage, batch, network = self.growth.at(step), self.config.batch, self.generator
        first, second = self.latent(rng), self.latent(rng)
        alone = torch.rand(batch, generator=rng) >= self.config.mixing
        crossover = torch.randint(1, 2 * stage.level + 2, (batch,), generator=rng)  # at the end there is no second
        crossover = crossover.masked_fill(alone, network.layers).to(self.device.torch_device)
        styles = mix_styles(network.styles(first), network.styles(second), crossover, network.layers)
        return network.paint(styles, network.noise(rng, batch), stage.level, stage.blend)  # type: ignore[no-any-return]

    def center(self, averaged: Any) -> None:
        averaged.center()

    def shown(self, averaged: Any) -> Tensor:
        return averaged.styles(super().shown(averaged), TRUNCATION)  # type: ignore[no-any-return]


@options
def train_gan(config: DCGANConfig) -> Records:
    """Train the plain adversarial network, made of convolutions (DCGAN), at any of the games."""
    seed_weights(config.seed, config.judge)
    mixing = not (config.r1 or config.gradient_penalty)
    networks = DCGAN(**config.shape), DCGANDiscriminator(config.width, config.size, mixing)
    return FaceLearner("dcgan", config, *networks).play()


@options
def train_progan(config: ProGANConfig) -> Records:
    """Train the growing adversarial network (ProGAN), from 4 x 4 features on."""
    seed_weights(config.seed, config.judge)
    networks = ProGAN(**config.shape), GrowingDiscriminator(config.widths, config.patch)
    return FaceLearner("progan", config, *networks, config.growth()).play()


@options
def train_stylegan(config: StyleGANConfig) -> Records:
    """Train the style-based adversarial network (StyleGAN)."""
    seed_weights(config.seed, config.judge)
    networks = StyleGAN(**config.shape), GrowingDiscriminator(config.widths, config.patch)
    return StyleGANLearner("stylegan", config, *networks, config.growth(config.first_level)).play()
