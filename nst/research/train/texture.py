"""Train a texture network (Ulyanov et al. 2016, arXiv:1603.03417)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nst.device import Device
from nst.encoders import CONTENT_LAYERS, load_encoder
from nst.images import resize, to_tensor
from nst.models.texture import TextureNet
from nst.research.train.cin import named_style
from nst.research.train.data import Crops, Pictures
from nst.research.train.loop import Plan, seed_weights, train, training_device, write_model
from nst.research.train.perceptual import Perceptual, Weights


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


def train_texture(
    *,
    style: str,
    out: str,
    data: str | None = None,
    steps: int = 1500,
    batch: int = 4,
    size: int = 192,
    style_size: int = 384,
    scales: int = 5,
    width: int = 8,
    content_weight: float = 0.07,
    color_weight: float = 0.5,
    diversity_weight: float = 0.01,
    tv_weight: float = 0.05,
    learning_rate: float = 5e-3,
    encoder: str = "compact",
    seed: int = 0,
    interval: int = 100,
    device: str | Device = "auto",
) -> Iterator[dict[str, Any]]:
    """Train a texture network: for textures from noise, or with photos for stylizing.

    Args:
        style: the texture, by name or a picture file.
        out: folder to write; a checkpoint there is gone on from.
        data: folder or tar file of photos; None means a network for textures, without photos.
        steps, batch, size: how many steps, of how many pictures, of how many pixels a side.
        style_size: long side in pixels of the style, which decides on the size of the texture.
        scales: of noise, each twice as fine.
        width: channels that each scale adds.
        content_weight, color_weight, tv_weight: weight of the content, of the colors, of smoothness.
        diversity_weight: weight of the pictures' difference from each other.
        learning_rate: the top of the cycle.
        encoder: the network that compares, by name or file.
        seed: of the noise, crops and initial weights.
        interval: steps between records and checkpoints.
        device: see `nst.research.train.loop.training_device`.
    """
    name, picture = named_style(style)
    folder, device = Path(out), training_device(device)
    seed_weights(seed, encoder)
    config = {"scales": scales, "width": width, "photo": data is not None}
    model = device.place(TextureNet(**config))  # type: ignore[arg-type]
    weights = Weights(content=content_weight, color=color_weight, tv=tv_weight, plain=0)
    perceptual = Perceptual(load_encoder(encoder).to(device.torch_device), device, weights)
    target = device.place(resize(to_tensor(picture), style_size))
    objective = TextureObjective(model, perceptual, target, diversity_weight if batch > 1 else 0)
    photos = Crops(Pictures(data), size, smallest=0.75) if data else None
    shown = (photos.batch(4),) if photos else ()

    def draw(step_seed: int) -> tuple[Tensor, ...]:
        noise = model.noise((size, size), step_seed, batch)
        if photos is None:
            return tuple(noise)
        photos.random.seed(step_seed)
        return *noise, photos.batch(batch)

    def finish(trained: nn.Module, record: Mapping[str, Any]) -> None:
        write_model(trained, folder, "texture", config, record, f"Textures after {name}, from noise.")

    def sheet(trained: Any) -> Tensor:
        """Four pictures; those of a network for textures are larger than it has ever seen."""
        noise = trained.noise((size, size) if photos else (2 * size, 2 * size), 0, 4)
        return torch.cat([*trained([device.place(z) for z in noise], *map(device.place, shown))], 2)[None]

    yield from train(
        objective,
        draw,
        model=model,
        plan=Plan(steps, learning_rate, seed, interval),
        device=device,
        out=folder,
        finish=finish,
        sheet=sheet,
        notes=lambda: {"skipped": photos.skipped if photos else 0},
    )
