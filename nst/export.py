"""A fast style as a file for other programs: ONNX, for browsers, phones and whatever has no PyTorch."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from nst.device import choose_device
from nst.fast import Painter, StyleLike, make_painter

OPSET = 18  # of ONNX: the first that enlarges pictures as PyTorch does


class _Painting(nn.Module):
    """A painter as a function of the photo alone."""

    def __init__(self, painter: Painter, strength: float, brush: float) -> None:
        super().__init__()
        self.network, self.painter = painter.network, painter
        self.strength, self.brush = strength, brush

    def forward(self, image: Tensor) -> Tensor:
        return self.painter.pass_through(image, self.strength, brush=self.brush).clamp(0, 1)


def export_onnx(
    path: str | Path,
    styles: Sequence[StyleLike] = (),
    weights: Sequence[float] | None = None,
    *,
    model: str | None = None,
    strength: float = 100.0,
    brush: float = 1.0,
) -> Path:
    """Write a network that paints photos in one style, or in one mixture of styles.

    Its input "image" and its output "painted" are (1, 3, height, width), RGB in [0, 1], of any size from 16 pixels.
    What it paints is what `fast_stylize` paints at the photo's own size, in float32.

    Args:
        path: the file.
        styles, weights, model, strength: as of `fast_stylize`.
        brush: size of the strokes, among those that the network has learned.

    Raises:
        ValueError: as `fast_stylize`; or a network that needs noise of each picture's own.
        nst.weights.WeightsError: the weights are missing or damaged.
    """
    painter = make_painter(styles, weights, model=model, device=choose_device("cpu", "float32"))
    if getattr(painter.network, "takes", "") == "noise":
        raise ValueError(f'"{painter.name}" needs new noise for each picture, which cannot be exported.')
    learned = min(max(brush, min(painter.brushes)), max(painter.brushes))
    painting = _Painting(painter, strength / 100, learned).eval()
    example = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    sizes = {2: "height", 3: "width"}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is the same for every size is written as such, which it warns of
        painting(example)  # what is made once and kept is not made while it is watched
        torch.onnx.export(
            painting,
            (example,),
            str(path),
            dynamo=False,  # the other way needs onnxscript, and sizes that it can prove
            input_names=["image"],
            output_names=["painted"],
            dynamic_axes={"image": sizes, "painted": sizes},
            opset_version=OPSET,
        )
    return Path(path)
