"""Several judges of one result. Whoever was painted for one of them may deceive it, but hardly all."""

from __future__ import annotations

import itertools
from functools import lru_cache
from math import nan
from pathlib import Path

import torch
from torch import Tensor

from nst.device import Device, choose_device, moved
from nst.encoders import load_encoder
from nst.losses import StyleLoss
from nst.metrics import Aim, Judge
from nst.models.squeezenet import SqueezeNet
from nst.registry import load_model
from nst.research.evaluate.grid import GridConfig, Pair

DEEPEST = ("relu3_1",)
"""Where the real VGG-19 looks: its shallow layers are closed by any network, even one that paints no strokes."""


def find_judges(judge: str | None = None, vgg19: str | None = None, squeezenet: str | None = None) -> dict[str, Judge]:
    """The judges that are at hand, by the name of their column: files that are not here are left out.

    Args:
        judge: an encoder by name or file, for all style layers: column "closed".
        vgg19: file of the real VGG-19, at least as far as relu3_1, where alone it looks: column "vgg19".
        squeezenet: file of SqueezeNet 1.1, for all style layers: column "squeezenet".

    Raises:
        ValueError: a file holds another network.
        nst.weights.WeightsError: the judge's weights are not to be had, or any are damaged.
    """
    device, found = choose_device(), {}
    if judge:
        found["closed"] = Judge("closed", moved(load_encoder(judge), device))
    if vgg19 and Path(vgg19).is_file():
        found["vgg19"] = Judge("vgg19", moved(load_encoder(vgg19), device), DEEPEST)
    if squeezenet and Path(squeezenet).is_file():
        network = load_model(squeezenet, architecture="squeezenet")
        if not isinstance(network, SqueezeNet):
            raise ValueError(f'"{squeezenet}" is not SqueezeNet 1.1.')
        found["squeezenet"] = Judge("squeezenet", moved(network, device).look)
    return found


@lru_cache(maxsize=1)
def aim(pair: Pair) -> Aim:
    """A pair as the pastiche score sees it; kept, as its results by several makers follow each other."""
    return Aim(pair.wanted, pair.kept)


class JudgePanel:
    """Judges who have looked at all styles and photos before, to say what any number of results closes."""

    def __init__(self, config: GridConfig, device: Device | None = None) -> None:
        self.device, pairs = device or choose_device(), config.pairs
        self.judges = judges = find_judges(config.judge, config.vgg19, config.squeezenet)
        self.targets: dict[tuple[str, str], StyleLoss] = {}
        self.starts: dict[tuple[str, str], float] = {}
        for (name, judge), pair in itertools.product(judges.items(), pairs):
            if (name, pair.style) not in self.targets:
                seen = self._features(judge, pair.wanted)
                self.targets[name, pair.style] = StyleLoss(seen, judge.style_layers, kind="gram")
            self.starts[name, pair.name] = self._apart(name, pair, pair.kept)

    def closures(self, result: Tensor, pair: Pair) -> dict[str, float]:
        """The share of each judge's style distance, from the photo to the style, that a result (1, 3, H, W) closes;
        see `nst.metrics.style_closure`. NaN where photo and style are the same to it."""
        return {
            name: 1 - self._apart(name, pair, result) / (self.starts[name, pair.name] or nan) for name in self.judges
        }

    @torch.no_grad()
    def _features(self, judge: Judge, picture: Tensor) -> dict[str, Tensor]:
        with self.device.autocast():
            return judge.encoder(self.device.place(picture), judge.style_layers)

    @torch.no_grad()
    def _apart(self, name: str, pair: Pair, picture: Tensor) -> float:
        return float(self.targets[name, pair.style](self._features(self.judges[name], picture))["style"])
