"""What trainings can be told: what several have in common stands here once, with its help."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from nst.device import Device
from nst.teach.perceptual import Weights

AVERAGE = 0.998  # decay of the moving average of the weights


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What every training can be told.

    Args:
        out: folder to write; a checkpoint there is gone on from.
        steps, batch: how many steps, of how many pictures each.
        seconds: that all of it may take; the learning rate then goes by the time that has passed, where that is further
            than the steps are. 0 for as long as the steps take, which alone can be repeated bit for bit.
        learning_rate: the top of the cycle.
        seed: of everything random.
        interval: steps between records and checkpoints.
        sheet: intervals between sheets of samples, and measurements; 0 for none.
        device: see `nst.research.train.loop.training_device`.
    """

    optimizer: ClassVar[str] = "adam"

    out: str
    steps: int = 2000
    batch: int = 8
    seconds: float = 0.0
    learning_rate: float = 2e-3
    seed: int = 0
    interval: int = 100
    sheet: int = 5
    device: str | Device = "auto"

    @property
    def folder(self) -> Path:
        """What is written to."""
        return Path(self.out)

    def progress(self, step: int, elapsed: float = 0.0) -> float:
        """How far a training is at a step, and after so many seconds; 1 at the end."""
        return min(1.0, max(step / self.steps, elapsed / self.seconds if self.seconds else 0.0))

    def rate(self, step: int, elapsed: float = 0.0) -> float:
        """The learning rate of a step: up to the top over the first twentieth, then down a half cosine."""
        progress = self.progress(step, elapsed)
        if progress < 0.05:
            return self.learning_rate * (0.1 + 0.9 * progress / 0.05)
        return self.learning_rate * max(0.002, 0.5 * (1 + math.cos(math.pi * (progress - 0.05) / 0.95)))

    def share(self, step: int) -> float:
        """How far the averaged weights, which are what is written, move towards the model's at a step."""
        return 1 - min(AVERAGE, step / (step + 10))

    def step_seed(self, step: int, rank: int = 0) -> int:
        """Each step has a seed of its own, so that a resumed training sees what an uninterrupted one would."""
        return 4 * ((self.seed * self.steps + step) * 64 + rank)  # for up to four sources of randomness a step


@dataclass(frozen=True, kw_only=True)
class CropConfig(RunConfig):
    """A training on crops of pictures.

    Args:
        start: a file of this kind to start from.
        size: side of a crop in pixels.
    """

    start: str | None = None
    size: int = 192


@dataclass(frozen=True, kw_only=True)
class PhotoConfig(CropConfig):
    """A training on crops of photos, with an encoder.

    Args:
        data: folder or tar file of photos.
        encoder: the network that compares, by name or file.
    """

    data: str
    encoder: str = "compact"


@dataclass(frozen=True, kw_only=True)
class PerceptualConfig(CropConfig):
    """A training of a network that paints photos.

    Args:
        data: folder or tar file of photos.
        losses: the networks that compare, by name or file; they take turns. Several joined by "+" are one network, in
            which each layer comes from the first that has it.
        content_weight, color_weight, tv_weight: weight of the content, of the colors, of smoothness.
        speckle_weight: weight of color noise beyond the style's.
        structure_weight: weight of the structural similarity to the photo, of pictures that have little of it.
    """

    data: str
    losses: Sequence[str] = ("compact",)
    content_weight: float = 0.025
    color_weight: float = 0.5
    structure_weight: float = 0.0
    tv_weight: float = 0.05
    speckle_weight: float = 0.1

    def weights(self, enough: float = Weights.enough) -> Weights:
        """Of the terms; `enough` is the structural similarity beyond which structure costs nothing."""
        return Weights(
            content=self.content_weight,
            color=self.color_weight,
            structure=self.structure_weight,
            enough=enough,
            tv=self.tv_weight,
            speckle=self.speckle_weight,
        )


@dataclass(frozen=True, kw_only=True)
class NetConfig(PerceptualConfig):
    """A training of a network of residual blocks, see `nst.models.johnson.TransformNet`.

    Args:
        widths: channels at full, half and quarter resolution; the paper's are 32 64 128.
        blocks: residual blocks; the paper's are 5.
        kernel: size of the first and last convolution; the paper's is 9.
        upsampling: "smooth", "resize" (enlarge, then convolve) or "transposed".
    """

    widths: Sequence[int] = (32, 64, 128)
    blocks: int = 5
    kernel: int = 5
    upsampling: str = "smooth"

    def shape(self, **more: Any) -> dict[str, Any]:
        """The network's arguments."""
        shape = {"widths": list(self.widths), "blocks": self.blocks, "kernel": self.kernel}
        return shape | {"upsampling": self.upsampling, "ground": True, **more}


@dataclass(frozen=True, kw_only=True)
class GanConfig(RunConfig):
    """A training of a generator of faces.

    Args:
        data: folder or tar file of faces.
        game: minimax, nonsaturating, least_squares, wasserstein or hinge.
        latent_dim: how many numbers a face comes from.
        discriminator_steps: of the discriminator for each of the generator's.
        r1: weight of the penalty of slopes at real pictures.
        r1_every: steps between two such penalties, each as strong as all it stands for (arXiv:1912.04958, 3.1).
        gradient_penalty: weight of the penalty of slopes other than 1; 10 for wasserstein.
        clip: bound of the discriminator's weights; 0.01 for wasserstein without a penalty.
        betas: Adam's.
        augment: changes of what the discriminator sees: color, translation, cutout.
        learning_rate: of both networks.
        held: how many of the last pictures are kept from the training, to measure the kernel distance by.
        judge: the encoder that measures it, by name or file.
        license: what the card says of the model; it is up to the terms of the pictures.
    """

    data: str
    game: str = "nonsaturating"
    steps: int = 10000
    batch: int = 32
    latent_dim: int = 128
    discriminator_steps: int = 1
    r1: float = 0.0
    r1_every: int = 16
    gradient_penalty: float = 0.0
    clip: float = 0.0
    betas: tuple[float, ...] = (0.0, 0.99)
    augment: Sequence[str] = ()
    held: int = 0
    judge: str = "compact"
    license: str = "other"
