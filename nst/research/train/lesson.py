"""A training of one network from its configuration: what it begins with, what it sees, and what it leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from torch import Tensor, nn

from nst.research.train.config import CropConfig
from nst.research.train.descent import Descent
from nst.research.train.loop import Learner, Training, train, training_device
from nst.research.train.model_file import seed_weights, warm_start, write_model
from nst.teach.crops import PHOTO_SIDE, Pictures, Stock


class Lesson:
    """What the trainings of networks have in common.

    Args:
        name: of the architecture.
        build: the network of `shape`, its arguments, which stand in the file.
        without: names of tensors that are not taken over from the file to start from.

    Attributes:
        model: the network, started and on the device.
    """

    def __init__(
        self,
        config: CropConfig,
        name: str,
        build: Callable[..., nn.Module],
        shape: Mapping[str, Any],
        *,
        without: Sequence[str] = (),
    ) -> None:
        self.config: Any = config
        self.name, self.shape, self.device = name, shape, training_device(config.device)
        seed_weights(config.seed, getattr(config, "encoder", None))
        made = build(**shape)
        if config.start:
            warm_start(made, config.start, without)
        self.model: Any = self.device.place(made)

    @cached_property
    def photos(self) -> Stock:
        """What is learned from."""
        return Stock(Pictures(self.config.data), max(self.config.size, PHOTO_SIDE), self.device)

    def crops(self, count: int, seed: int, smallest: float = 0.4) -> Tensor:
        """Crops of photos (count, 3, size, size); see `nst.teach.crops.Stock.batch`. `photos.rng` goes on after it."""
        return self.photos.batch(count, self.config.size, self.photos.rng.manual_seed(seed), smallest=smallest)

    def descent(self, objective: nn.Module, draw: Callable[[int], tuple[Tensor, ...]], **more: Any) -> Descent:
        """What learns by lowering the terms of an objective; see `Descent`."""
        return Descent(objective.to(self.device.torch_device), draw, self.model, self.config, self.device, **more)

    def learn(
        self,
        learner: Learner,
        about: str,
        sheet: Callable[[Any], Tensor],
        *,
        skipped: Callable[[], int] | None = None,
        command: str | None = None,
    ) -> Training:
        """Take all steps; see `nst.research.train.loop.train`.

        Args:
            about: for the card, see `write_model`; `command` likewise.
            sheet: what the averaged model does, a picture (1, 3, H, W).
            skipped: how many pictures could not be read; None means of the photos.
        """

        def finish(trained: nn.Module, record: Mapping[str, Any]) -> None:
            write_model(trained, self.config.folder, self.name, self.shape, record, about, command=command)

        records = train(
            learner,
            out=self.config.folder,
            finish=finish,
            sheet=lambda trained, _: sheet(trained),
            notes=lambda: {"skipped": skipped() if skipped else self.photos.skipped},
        )
        return Training(learner, records)
