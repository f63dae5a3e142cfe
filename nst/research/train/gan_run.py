"""What the trainings of generators of faces have in common: data, growth, sheets, the kernel distance, the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nst.device import Device
from nst.encoders import load_encoder
from nst.fidelity import distance_to
from nst.images import ImageError, grid, to_tensor
from nst.models.progan import GrowingDiscriminator, enlarge
from nst.models.stylegan import StyleGAN
from nst.research.train.config import GanConfig, Records
from nst.research.train.gan_loop import GanLearner, GanNetworks
from nst.research.train.growth import Growth, shrink
from nst.research.train.loop import train, training_device
from nst.research.train.model_file import write_model
from nst.teach.crops import Pictures

SHEET, SHEET_COLUMNS, TRUNCATION = 64, 8, 0.7
"""How many faces a sheet shows, and how near to the mean one."""

ABOUT = (
    "Faces that never existed, {side} pixels a side, from {dim} normally distributed numbers. Trained on {count} "
    "pictures. It repeats what they have, in the shares they have it: it is a toy, and says nothing about people."
)


class Faces:
    """Pictures of faces, all of one size and kept in memory; a file that cannot be read is left out and counted.

    Args:
        source: folder or tar file.
        size: side in pixels; a picture's middle square is taken.
        held: how many of the last ones are kept from the training, to measure by.

    Raises:
        ImageError: there are no pictures, or too few for so many held out.
    """

    def __init__(self, source: str | Path, size: int, held: int = 0) -> None:
        pictures, kept = Pictures(source), []
        self.skipped = 0
        for index in range(len(pictures)):
            try:
                image = pictures[index]
            except ImageError:
                self.skipped += 1
                continue
            short = min(image.size)
            left, top = (image.width - short) // 2, (image.height - short) // 2
            cut = image.resize((size, size), box=(left, top, left + short, top + short))
            kept.append((to_tensor(cut)[0] * 255).round().byte())
        if len(kept) - held < 2:
            raise ImageError(f"{source} holds {len(kept)} pictures that can be read: too few, with {held} held out.")
        self.seen = torch.stack(kept[: len(kept) - held])
        self.held = torch.stack(kept[len(kept) - held :]) if held else self.seen[:0]

    def batch(self, count: int, generator: torch.Generator) -> Tensor:
        """`count` pictures (count, 3, size, size) in [0, 1], half of them mirrored."""
        chosen = self.seen[torch.randint(len(self.seen), (count,), generator=generator)].float() / 255
        mirrored = torch.rand(count, 1, 1, 1, generator=generator) < 0.5
        return torch.where(mirrored, chosen.flip(-1), chosen).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class GanRun:
    """A training of a generator of faces.

    Attributes:
        name: of the architecture; shape: its arguments.
        config: what the training was told.
        size: side of the pictures.
        growth: None for networks that do not grow.
    """

    name: str
    shape: Mapping[str, Any]
    config: GanConfig
    size: int
    growth: Growth | None = None

    @cached_property
    def faces(self) -> Faces:
        """What is learned from."""
        return Faces(self.config.data, self.size, self.config.held)

    @cached_property
    def device(self) -> Device:
        """Device and number format."""
        return training_device(self.config.device)

    def grown(self, step: int) -> bool:
        """Whether nothing is left to be faded in."""
        return self.growth is None or self.growth.at(step) == (self.growth.last, 1.0)

    def finish(self, averaged: Any, record: Mapping[str, Any]) -> None:
        """Write the generator, if it is grown up."""
        if not self.grown(record["step"]):
            return
        if isinstance(averaged, StyleGAN):
            averaged.center()
        about = ABOUT.format(side=averaged.resolution, dim=averaged.latent_dim, count=len(self.faces.seen))
        told = {"command": self.name.removeprefix("dc"), "license": self.config.license}
        write_model(averaged, self.config.folder, self.name, self.shape, record, about, **told)

    def sheet(self, averaged: Any, step: int) -> Tensor:
        """64 faces at a truncation of 0.7, the same at every step."""
        if self.growth is None:
            return grid(averaged.sample(SHEET, 0, TRUNCATION), SHEET_COLUMNS)
        latent = averaged.latents(SHEET, 0).to(self.device.torch_device)
        if isinstance(averaged, StyleGAN):
            averaged.center()
            latent = averaged.styles(latent, TRUNCATION)
        stage = self.growth.at(step)
        painted = averaged.paint(latent, level=stage.level, blend=stage.blend).clamp(0, 1)
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

    def play(self, networks: GanNetworks) -> Records:
        """Train; yields a record per interval."""
        yield from train(
            GanLearner(networks, self.config, self.device),
            out=self.config.folder,
            finish=self.finish,
            sheet=self.sheet,
            measure=self.measure,
            notes=lambda: {"skipped": self.faces.skipped},
        )

    def grow(self, generator: nn.Module, make: Callable[..., Tensor]) -> Records:
        """Train a generator that grows, with a discriminator of the same widths."""
        growth, patch = self.growth, self.shape["patch"]
        assert growth is not None
        discriminator = self.device.place(GrowingDiscriminator(self.shape["widths"], patch))
        yield from self.play(
            GanNetworks(
                self.device.place(generator),
                discriminator,
                make,
                lambda image, step: discriminator(image, *growth.at(step)),
                lambda rng, step: shrink(self.faces.batch(self.config.batch, rng), growth.at(step), patch),
            )
        )
