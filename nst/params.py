"""Image parameterizations: Modules with parameters whose call gives an image (N, 3, H, W) in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PixelImage(nn.Module):
    """The plainest one: every pixel is a parameter, kept in [0, 1] by `project`.

    Args:
        image: what to start from, (N, 3, H, W) in [0, 1].
        copy: whether it is left as it is.
    """

    def __init__(self, image: Tensor, copy: bool = True) -> None:
        super().__init__()
        self.pixels = nn.Parameter(
            image.detach().clone(memory_format=torch.contiguous_format) if copy else image.detach()
        )

    def forward(self) -> Tensor:
        # The parameter itself stays contiguous, since L-BFGS flattens it without copying.
        return self.pixels.clone(memory_format=torch.channels_last)

    def part(self, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels of these rows and columns, as parameters of their own, and what the picture shows of them."""
        pixels = picked(self.pixels.detach(), rows, columns).requires_grad_()
        return pixels, pixels

    @torch.no_grad()
    def project(self) -> None:
        """Back to the nearest picture that can be shown; called after each step."""
        self.pixels.clamp_(0, 1)


class KeptImage(PixelImage):
    """Pixels that are free only outside a mask; within it the picture is another's.

    Args:
        image: what to start from, (1, 3, H, W) in [0, 1].
        kept: what stays, of the same shape.
        mask: (1, 1, H, W); 1 where it stays, 0 where all is free, between them where both are blended.
    """

    kept: Tensor
    mask: Tensor

    def __init__(self, image: Tensor, kept: Tensor, mask: Tensor, copy: bool = True) -> None:
        super().__init__(image, copy)
        self.register_buffer("kept", kept.detach(), persistent=False)
        self.register_buffer("mask", mask.detach(), persistent=False)

    def forward(self) -> Tensor:
        return torch.lerp(super().forward(), self.kept, self.mask)

    def part(self, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        pixels, _ = super().part(rows, columns)
        return pixels, torch.lerp(pixels, *(picked(x, rows, columns) for x in (self.kept, self.mask)))


def picked(picture: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Some rows and columns of a picture (N, C, H, W)."""
    rows, columns = rows.to(picture.device), columns.to(picture.device)
    return picture[:, :, rows[:, None], columns]


class Average:
    """The averaged iterate of a large picture, in half the bytes: in steps of 1/32767, evenly fine, so that what a
    step adds to a long average is not rounded away.

    Args:
        like: a picture of the same shape.
        weight: what the average is divided by, see `Descent`; changed elsewhere.
    """

    def __init__(self, like: Tensor, weight: Tensor) -> None:
        self.held, self.weight = torch.zeros_like(like, dtype=torch.int16), weight

    def strip(self, rows: slice) -> Tensor:
        """These rows of the picture."""
        return self._picture(self.held[:, :, rows])

    def part(self, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """See `nst.params.PixelImage.part`."""
        found = self._picture(picked(self.held, rows, columns))
        return found, found

    def _picture(self, held: Tensor) -> Tensor:
        return (held / (FINE * self.weight.to(torch.float32))).clamp_(0, 1)

    def move(self, rows: slice, towards: Tensor, share: float) -> None:
        """Move rows by a share of the way; the weight is not touched."""
        self.held[:, :, rows] = self.held[:, :, rows].float().lerp_(towards * FINE, share).round_()


FINE = 2**15 - 1


def strips(picture: Tensor) -> list[slice]:
    """The rows of a picture (N, C, H, W), some four million numbers at a time."""
    rows = max(1, 2**22 // (picture.shape[0] * picture.shape[1] * picture.shape[-1]))
    return [slice(start, min(start + rows, picture.shape[-2])) for start in range(0, picture.shape[-2], rows)]


class LatentImage(nn.Module):
    """A generator's picture, whose styles are the parameters.

    Abdal, Qin and Wonka 2019, arXiv:1904.03189: one style for each layer (W+), which reaches more pictures than one
    for all.

    Args:
        generator: its `paint` gives pictures (1, 3, H, W) of styles (1, layers, D); its weights stay as they are.
        styles: what to start from, (1, layers, D).
    """

    def __init__(self, generator: nn.Module, styles: Tensor) -> None:
        super().__init__()
        self.paint = generator.paint  # not the module itself: its weights are no parameters of this picture
        self.styles = nn.Parameter(styles.detach().clone(memory_format=torch.contiguous_format))

    def forward(self) -> Tensor:
        return self.paint(self.styles).clamp(0, 1)  # type: ignore[operator]

    def project(self) -> None:
        """Every style gives a picture: nothing to do."""
