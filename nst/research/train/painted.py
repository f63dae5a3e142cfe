"""Pictures painted on an encoder while it learns, so that it learns what is painted on it.

An encoder that has only seen photos and paintings is asked, in an optimization, about pictures that are neither: what
lowers the loss on it without being what its teacher would call style. As in on-policy distillation (Agarwal et al.
2023, arXiv:2306.13649) and adversarial training, the student is shown what it itself leads to.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.device import Device
from nst.encoders import STYLE_LAYERS
from nst.research.train.data import other_colors
from nst.teach.crops import Stock
from nst.transforms import crop

FRESH = 32  # how many pictures are painted at a time, unless the bank is small: then a quarter of it
LENGTHS = (20, 60, 160)  # steps of an optimization; its picture after a third of them is kept as well

RATE = 0.04
ASCENT, ASCENT_STEP = 6, 2 / 255


def gram(features: Tensor) -> Tensor:
    """Gram matrices of features (N, C, H, W), flat (N, C * C); plain, so that they can be derived twice."""
    x = features.float().flatten(2)
    return (x @ x.transpose(1, 2) / x.shape[2]).flatten(1)


def distances(features: Tensor, targets: Tensor) -> Tensor:
    """Squared distances (N,) of the Gram matrices of features (N, C, H, W), relative to the targets' own size."""
    found, wanted = gram(features), gram(targets)
    return (found - wanted).square().sum(1) / wanted.square().sum(1).clamp_min(1e-12)


def moment_distances(features: Tensor, targets: Tensor) -> Tensor:
    """Squared distances (N,) of the channels' means and deviations, relative to the targets' variance."""
    (variance, mean), (spread, wanted) = (torch.var_mean(x.float(), (2, 3)) for x in (features, targets))
    error = (mean - wanted).square() + ((variance + 1e-8).sqrt() - (spread + 1e-8).sqrt()).square()
    return error.sum(1) / spread.sum(1).clamp_min(1e-12)


class PaintedPictures(nn.Module):
    """A bank of pictures, of which some are painted anew from time to time.

    Args:
        model: the distillation, see `nst.research.train.compact.Distillation`, with its student.
        photos, art: contents and styles.
        painter: a network of several styles that paints some of them; None for none.
        size: side of what is painted in pixels.
        count: how many are kept.
    """

    bank: Tensor
    state: Tensor

    def __init__(
        self, model: Any, photos: Stock, art: Stock, painter: nn.Module | None, size: int, count: int, device: Device
    ) -> None:
        super().__init__()
        self.given = model, photos, art, painter.to(device.torch_device) if painter else None
        self.size, self.device, self.fresh = size, device, min(FRESH, max(2, count // 4))
        self.register_buffer("bank", torch.zeros(count, 3, size, size, dtype=torch.uint8, device=device.torch_device))
        self.register_buffer("state", torch.zeros(2, dtype=torch.long))  # filled, made

    @property
    def made(self) -> int:
        """How many pictures were painted so far."""
        return int(self.state[1])

    def batch(self, count: int, size: int, rng: torch.Generator) -> Tensor:
        """Random ones of the bank (count, 3, size, size), shifted and scaled a little."""
        draws = torch.rand(5, count, generator=rng, device=rng.device)
        index = (draws[0] * int(self.state[0])).long().clamp_max(int(self.state[0]) - 1)
        images = self.bank[index].float().div_(255)
        extent = 0.8 + 0.2 * draws[1]
        return crop(images, size, extent, (2 * draws[2:4] - 1) * (1 - extent), draws[4] < 0.5)

    def renew(self, rng: torch.Generator) -> None:
        """Paint some, which take the places of the oldest; the first time, as many as fit in a few times."""
        for _ in range(4 if self.state[0] == 0 else 1):
            fresh = self._paint(rng)
            size, made = len(self.bank), self.made
            places = (torch.arange(len(fresh)) + made) % size
            self.bank[places.to(self.bank.device)] = fresh.clamp(0, 1).mul(255).round().to(torch.uint8)
            self.state[1] = made + len(fresh)
            self.state[0] = min(size, made + len(fresh))

    def _paint(self, rng: torch.Generator) -> Tensor:
        model, photos, art, painter = self.given
        kind = int(torch.randint(8, (), generator=rng, device=rng.device))
        content = photos.batch(self.fresh, self.size, rng)
        if kind == 0 and painter is not None:
            return self._by_network(painter, content, rng)
        if kind == 1:
            return self._against(model, torch.cat([content[::2], art.batch(self.fresh // 2, self.size, rng)]))
        style = other_colors(art.batch(self.fresh, self.size, rng, smallest=0.5), rng, 0.2)
        draws = torch.rand(4, generator=rng, device=rng.device).tolist()
        start = content
        if draws[0] < 0.35:
            start = torch.rand(content.shape, generator=rng, device=rng.device) * 0.6 + 0.2
        loss = distances if draws[1] < 0.6 else moment_distances
        content_weight = 0.0 if draws[2] < 0.3 else 3 ** (4 * draws[2] - 4)
        steps = LENGTHS[min(2, int(3 * draws[3]))]
        return self._on_student(model, start, content, style, loss, content_weight, steps)

    def _on_student(
        self, model: Any, start: Tensor, content: Tensor, style: Tensor, loss: Any, content_weight: float, steps: int
    ) -> Tensor:
        """Optimized pictures, after a third of the steps (a third of them) and at the end."""
        student, early = model.student, start
        with torch.no_grad(), self.device.autocast():
            wanted, kept = student(style, STYLE_LAYERS), student(content, ["relu4_2"])["relu4_2"].float()
        image = start.clone(memory_format=torch.channels_last).requires_grad_()
        optimizer = torch.optim.Adam([image], lr=RATE, betas=(0.9, 0.99))
        size = kept.var((1, 2, 3)).clamp_min(1e-12)
        for step in range(steps):
            with self.device.autocast():
                features = student(image, (*STYLE_LAYERS, "relu4_2"))
            terms = [loss(features[name], wanted[name]) for name in STYLE_LAYERS]
            total = torch.stack(terms).mean(0)
            if content_weight:
                error = (features["relu4_2"].float() - kept).square().mean((1, 2, 3)) / size
                total = total + content_weight * error
            image.grad = torch.autograd.grad(total.sum(), image)[0].nan_to_num(0.0, 0.0, 0.0)
            optimizer.step()
            with torch.no_grad():
                image.clamp_(0, 1)
            if step == steps // 3:
                early = image.detach().clone()
        return torch.cat([image.detach(), early[: self.fresh // 3]])

    def _against(self, model: Any, image: Tensor) -> Tensor:
        """Pictures changed a little, to where student and teacher disagree most."""
        image = image.clone(memory_format=torch.channels_last)
        for _ in range(ASCENT):
            leaf = image.requires_grad_()
            slope = torch.autograd.grad(model.disagreement(leaf).sum(), leaf)[0]
            image = (leaf.detach() + ASCENT_STEP * slope.sign()).clamp(0, 1)
        return image

    @torch.no_grad()
    def _by_network(self, painter: Any, content: Tensor, rng: torch.Generator) -> Tensor:
        weights = F.one_hot(
            torch.randint(len(painter.styles), (len(content),), generator=rng, device=rng.device), len(painter.styles)
        )
        with self.device.autocast():
            return painter(content, weights.float()).float()  # type: ignore[no-any-return]

    def sheet(self) -> Tensor:
        """The first pictures of the bank, in rows; (1, 3, H, W)."""
        rows = self.bank[:48].float().div(255).split(8)
        return torch.cat([torch.cat([*row], 2) for row in rows if len(row) == 8], 1)[None]
