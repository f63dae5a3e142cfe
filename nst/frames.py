"""Many pictures of one size through a fast style, as fast as the device goes.

On a GPU bytes go there and come back, not floats, from memory that the device reads by itself; the network is one graph
for each size; and while a picture is painted the one before it is on its way back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from nst.capture import Repeated
from nst.fast import Painter


@torch.no_grad()
def paint_frames(
    painter: Painter, pictures: Iterable[Tensor | tuple[Tensor, Tensor]], strength: float = 100.0, seed: int = 0
) -> Iterator[Tensor]:
    """Every picture painted, in its own size and order.

    Args:
        painter: what they are painted by.
        pictures: bytes (H, W, 3) on the CPU; those of one size should follow each other. Each may come with the noise
            of its ground, see `Painter.ground`.
        strength, seed: of `nst.fast.fast_stylize`.

    Yields:
        Bytes (H, W, 3) on the CPU, one for each picture; on a GPU up to one picture later than it was taken.
    """
    easel: _Easel | None = None
    waiting: tuple[Tensor, torch.cuda.Event | None] | None = None
    for given in pictures:
        picture, *noise = given if isinstance(given, tuple) else (given,)
        if easel is None or easel.photo.shape[-2:] != picture.shape[:2]:
            easel = _Easel(painter, picture.shape[0], picture.shape[1], strength / 100, seed, noise)
        started, waiting = waiting, easel.start(picture, *noise)
        if started:
            yield _arrived(*started)
    if waiting:
        yield _arrived(*waiting)


def _arrived(painted: Tensor, event: torch.cuda.Event | None) -> Tensor:
    if event is not None:
        event.synchronize()
    return painted


class _Easel:
    """A painter at one size; what is painted stays in the same memory from picture to picture."""

    def __init__(
        self, painter: Painter, height: int, width: int, strength: float, seed: int, noise: Sequence[Tensor] = ()
    ) -> None:
        self.painter, self.strength, self.seed = painter, strength, seed
        device = painter.device.torch_device
        size = (1, 3, height, width)
        self.photo = torch.zeros(size, dtype=torch.uint8, device=device).to(memory_format=torch.channels_last)
        self.painted = torch.zeros(height, width, 3, dtype=torch.uint8, device=device)
        self.noise = noise[0].to(device, copy=True) if noise else None
        self.paint = Repeated(self._paint, device, painter.network.takes != "noise")

    def _paint(self) -> None:
        painted = self.painter.pass_through(self.photo.float() / 255, self.strength, self.seed, noise=self.noise)
        rounded = painted[0].float().clamp(0, 1).mul(255).round_().to(torch.uint8)
        self.painted.copy_(rounded.permute(1, 2, 0))

    def start(self, picture: Tensor, noise: Tensor | None = None) -> tuple[Tensor, torch.cuda.Event | None]:
        """Where the painted picture will be, and what tells that it is there."""
        cuda = self.photo.device.type == "cuda"
        shown = picture.permute(2, 0, 1)[None]
        if self.noise is not None and noise is not None:
            self.noise.copy_(noise)
        self.photo.copy_(shown.pin_memory() if cuda else shown, non_blocking=True)
        self.paint()
        result = torch.empty(self.painted.shape, dtype=torch.uint8, pin_memory=cuda)
        result.copy_(self.painted, non_blocking=cuda)
        if not cuda:
            return result, None
        event = torch.cuda.Event()
        event.record()
        return result, event
