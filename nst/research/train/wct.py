"""Train the decoders of WCT (Li et al. 2017, arXiv:1705.08086)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from nst.device import Device
from nst.losses import content_loss
from nst.models.wct import WCT
from nst.research.options import Records, options
from nst.research.train.config import PhotoConfig
from nst.research.train.data import rows
from nst.research.train.lesson import Lesson


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


@dataclass(frozen=True, kw_only=True)
class WCTConfig(PhotoConfig):
    """The training of WCT's decoders.

    Args:
        feature_weight: of the features' error beside the pixels'.
        encoder: the network whose features are decoded, by name or file.
    """

    feature_weight: float = 1.0


@options
def train_wct(config: WCTConfig) -> Records:
    """Train WCT's decoders to give pictures back; styles are not needed."""
    lesson = Lesson(config, "wct", WCT, {"encoder": config.encoder})
    samples = lesson.crops(4, config.seed)

    def sheet(trained: Any) -> Tensor:
        return rows([samples, *(trained.reconstruct(samples, layer)[0] for layer in trained.layers)])

    about = f"Decoders of five layers of {config.encoder}, for any style. Trained on {config.data}."
    objective = Reconstruction(lesson.model, lesson.device, config.feature_weight)
    return lesson.learn(lesson.descent(objective, lambda seed: (lesson.crops(config.batch, seed),)), about, sheet)
