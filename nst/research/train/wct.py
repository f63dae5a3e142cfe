"""Train the decoders of WCT (Li et al. 2017, arXiv:1705.08086)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nst.device import Device
from nst.losses import content_loss
from nst.models.wct import WCT
from nst.research.train.data import Crops, Pictures
from nst.research.train.loop import Plan, seed_weights, train, training_device, warm_start, write_model


class Reconstruction(nn.Module):
    """Photos to the error of each decoder: of pixels and of features, eq. 4."""

    def __init__(self, model: WCT, device: Device, feature_weight: float) -> None:
        super().__init__()
        self.model, self.device, self.feature_weight = model, device, feature_weight

    def forward(self, photo: Tensor) -> dict[str, Tensor]:
        """A term for each layer, relative to the variance of photos (N, 3, H, W)."""
        terms = {}
        for layer in self.model.layers:
            with self.device.autocast():
                again, features = self.model.reconstruct(photo, layer)
                seen = self.model.encoder(again, [layer])[layer]
            terms[layer] = content_loss(again, photo) + self.feature_weight * content_loss(seen, features)
        return terms


def train_wct(
    *,
    data: str,
    out: str,
    start: str | None = None,
    steps: int = 2000,
    batch: int = 8,
    size: int = 192,
    feature_weight: float = 1.0,
    learning_rate: float = 2e-3,
    encoder: str = "compact",
    seed: int = 0,
    interval: int = 100,
    device: str | Device = "auto",
) -> Iterator[dict[str, Any]]:
    """Train WCT's decoders to give pictures back; styles are not needed.

    Args:
        data: folder or tar file of photos.
        out: folder to write; a checkpoint there is gone on from.
        start: a file of this kind to start from.
        steps, batch, size: how many steps, of how many crops, of how many pixels a side.
        feature_weight: of the features' error beside the pixels'.
        learning_rate: the top of the cycle.
        encoder: the network whose features are decoded, by name or file.
        seed: of crops and initial weights.
        interval: steps between records and checkpoints.
        device: see `nst.research.train.loop.training_device`.
    """
    folder, device = Path(out), training_device(device)
    seed_weights(seed, encoder)
    config = {"encoder": encoder}
    model = WCT(**config)
    if start:
        warm_start(model, start)
    model = device.place(model)
    photos = Crops(Pictures(data), size)
    samples = device.place(photos.batch(4))

    def draw(step_seed: int) -> tuple[Tensor, ...]:
        photos.random.seed(step_seed)
        return (photos.batch(batch),)

    def finish(trained: nn.Module, record: Mapping[str, Any]) -> None:
        about = f"Decoders of five layers of {encoder}, for any style. Trained on {data}."
        write_model(trained, folder, "wct", config, record, about)

    def sheet(trained: Any) -> Tensor:
        rows = [samples, *(trained.reconstruct(samples, layer)[0] for layer in trained.layers)]
        return torch.cat([torch.cat([*row], 2) for row in rows], 1)[None]

    yield from train(
        Reconstruction(model, device, feature_weight),
        draw,
        model=model,
        plan=Plan(steps, learning_rate, seed, interval),
        device=device,
        out=folder,
        finish=finish,
        sheet=sheet,
        notes=lambda: {"skipped": photos.skipped},
    )
