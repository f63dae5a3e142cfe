"""Train a texture network (Ulyanov et al. 2016, arXiv:1603.03417)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nst.encoders import CONTENT_LAYERS, load_encoder
from nst.images import resize, to_tensor
from nst.models.texture import TextureNet
from nst.research.options import Records, options
from nst.research.train.config import CropConfig
from nst.research.train.data import named_style, rows
from nst.research.train.lesson import Lesson
from nst.teach.perceptual import Perceptual, Weights


class TextureObjective(nn.Module):
    """Noise, and photos for a network that stylizes, to terms.

    That other noise should give another picture is a term of its own: the logarithm of the distance between the
    features of two pictures of a batch (Ulyanov, Vedaldi and Lempitsky, "Improved Texture Networks", 2017,
    arXiv:1701.02096, eq. 5, with the features' differences in place of the pixels').
    """

    def __init__(self, model: TextureNet, perceptual: Perceptual, style: Tensor, diversity_weight: float) -> None:
        super().__init__()
        self.model, self.perceptual, self.diversity_weight = model, perceptual, diversity_weight
        self.wanted = perceptual.style(style)

    def forward(self, *inputs: Tensor) -> dict[str, Tensor]:
        """Weighted terms of the noise (N, 3, h, w) of every scale, and then the photos (N, 3, H, W) if any."""
        noise, photo = inputs[: self.model.scales], inputs[self.model.scales] if self.model.photo else None
        device, count = self.perceptual.device, len(noise[0])
        with device.autocast():
            painted = self.model(noise, photo)
        wanted = {name: value.expand(count, *value.shape[1:]) for name, value in self.wanted.items()}
        whole = torch.ones(count, device=painted.device)
        kept: dict[str, Tensor] | None = None if self.model.photo else {}  # a texture has no content to keep
        terms = self.perceptual(painted, painted.detach() if photo is None else photo, wanted, whole, kept)
        if self.diversity_weight:
            with device.autocast():
                features = self.perceptual.encoder(painted, CONTENT_LAYERS)[CONTENT_LAYERS[0]].float()
            distance = (features - features.roll(1, 0)).square().mean((1, 2, 3)) / features.detach().var()
            terms["diversity"] = -self.diversity_weight * (distance + 1e-4).log().mean()
        return terms


@dataclass(frozen=True, kw_only=True)
class TextureConfig(CropConfig):
    """The training of a texture network.

    Args:
        style: the texture, by name or a picture file.
        data: folder or tar file of photos; None means a network for textures, without photos.
        style_size: long side in pixels of the style, which decides on the size of the texture.
        scales: of noise, each twice as fine.
        width: channels that each scale adds.
        content_weight, color_weight, tv_weight: weight of the content, of the colors, of smoothness.
        diversity_weight: weight of the pictures' difference from each other.
        encoder: the network that compares, by name or file.
    """

    style: str
    data: str | None = None
    steps: int = 1500
    batch: int = 4
    style_size: int = 384
    scales: int = 5
    width: int = 8
    content_weight: float = 0.07
    color_weight: float = 0.5
    diversity_weight: float = 0.01
    tv_weight: float = 0.05
    learning_rate: float = 5e-3
    encoder: str = "compact"


@options
def train_texture(config: TextureConfig) -> Records:
    """Train a texture network: for textures from noise, or with photos for stylizing."""
    name, picture = named_style(config.style)
    batch, size, photos = config.batch, config.size, config.data is not None
    lesson = Lesson(config, "texture", TextureNet, {"scales": config.scales, "width": config.width, "photo": photos})
    model, device = lesson.model, lesson.device
    weights = Weights(content=config.content_weight, color=config.color_weight, tv=config.tv_weight, plain=0)
    perceptual = Perceptual(load_encoder(config.encoder).to(device.torch_device), device, weights)
    target = device.place(resize(to_tensor(picture), config.style_size))
    objective = TextureObjective(model, perceptual, target, config.diversity_weight if batch > 1 else 0)

    def crops(count: int, seed: int) -> tuple[Tensor, ...]:
        return (lesson.crops(count, seed, smallest=0.75),) if photos else ()

    def draw(seed: int) -> tuple[Tensor, ...]:
        return (*model.noise((size, size), seed, batch), *crops(batch, seed))

    def sheet(trained: Any) -> Tensor:
        """Four pictures; those of a network for textures are larger than it has ever seen."""
        noise = trained.noise((size, size) if photos else (2 * size, 2 * size), 0, 4)
        return rows([trained([device.place(z) for z in noise], *shown)])

    shown = crops(4, config.seed)
    skipped = None if photos else lambda: 0
    about = f"Textures after {name}, from noise."
    return lesson.learn(lesson.descent(objective, draw), about, sheet, skipped=skipped)
