"""Teach a style to the network of fast styles, on the machine that will use it.

All that a style is to that network are scales and shifts (Dumoulin, Shlens and Kudlur 2017, arXiv:1610.07629), and for
a new one only these are learned: the convolutions stay, and with them all other styles. A few minutes on a processor
are enough, since it begins in the midst of those known styles that come nearest.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from nst import styles, taught
from nst.device import Device, choose_device, moved
from nst.fast import NAMED, Painter
from nst.images import resize, to_tensor
from nst.optimize import Step
from nst.registry import load_model
from nst.settings import check
from nst.styles import StyleNotFound
from nst.taught import Taught
from nst.teach.crops import PHOTO_SIDE, SMALLEST, Pictures, Stock
from nst.teach.perceptual import NamedStyles, Weights, loss_networks, random_view

WEIGHTS = Weights(content=0.025, structure=0.5, speckle=0.1)
"""Of the terms; as the network itself was trained with, but for the total variation, which needs none here."""

SIDE, CROPS = 160, 4  # side in pixels of what is painted in a step, and how many of them
STYLE_SIZE = 640  # long side in pixels of the picture for the usual brush, which the network was trained with
NEAREST = 3  # among so many known styles it begins
BRUSHES = (1, 0, 1, 2)  # the brushes that steps learn for in turn; the usual one comes twice
PACE = 0.05  # how much slower convolutions learn than scales and shifts, where they do
LATELY = 0.95  # decay of the moving average of what was learned, which is what is kept

START, STEP, STEP_OF_GPU = 15.0, 1.0, 0.06
"""Seconds of a processor's core until the first step, and of each; and of a GPU, a guess on the high side."""

SHOWN, ANEW = 384, 4
"""Long side in pixels of the photo as it is painted meanwhile, and after how many steps it is painted anew."""

EVERY = 10  # steps after which what was learned is written, so that little is lost with the machine


def teach(
    style: Tensor,
    photo: Tensor | None = None,
    *,
    name: str | None = None,
    num_steps: int = 240,
    learning_rate: float = 0.01,
    seed: int = 0,
    all: bool = False,
    data: str | None = None,
    device: str | Device = "auto",
    keep: str | Path | None = None,
) -> Iterator[Step]:
    """Learn a style from its picture; each step shows the photo, painted with what was learned so far.

    What was learned is in the folder whenever the run ends, however it ends. Where a style of this name lies there that
    was learned from this picture, it is gone on with.

    Args:
        style: the picture (1, 3, H, W) in [0, 1].
        photo: (1, 3, H, W) in [0, 1]; None means an example.
        name: what it is to be called; None means `mine`.
        num_steps: how many steps.
        learning_rate: of scales and shifts; it falls to nothing.
        seed: of the crops.
        all: in the second half the whole network learns, too; it is written as a network of this style alone.
        data: folder or tar file of photos to learn on; None means the example photos, and the drawn styles.
        device: see `nst.device.choose_device`.
        keep: the folder that the style goes to; None means this user's, see `nst.taught`.

    Raises:
        ValueError: a setting out of range, or a name that is taken.
        nst.images.ImageError: no photos in `data`.
        nst.weights.WeightsError: the style cannot be written.
    """
    check(num_steps=num_steps, learning_rate=learning_rate, seed=seed)
    where = Path(keep) if keep is not None else None
    source = hashlib.sha256(style.mul(255).round().byte().cpu().numpy().tobytes()).hexdigest()
    name = taught.free_name(name or "mine", where, source)
    device = choose_device(device)
    learner = Learner(style, Stock(_photos(data), PHOTO_SIDE, device), device, learning_rate, seed, alone=all)
    before = _found(name, where)
    learner.begin(before.table if before else None)
    steps_before, taken = before.steps if before else 0, 0
    shown = resize(photo if photo is not None else to_tensor(_photos(None)[0]), SHOWN)

    def write() -> None:
        made = Taught(name, learner.learned.cpu(), source, steps_before + taken)
        if all:
            taught.keep_network(made, learner.network, where)
        else:
            taught.keep(made, where)

    try:
        for index in range(1, num_steps + 1):
            if all and index == num_steps // 2 + 1:
                learner.open()
            terms = learner.step(index / num_steps)
            taken = index
            if index % EVERY == 0:
                write()
            if index % ANEW == 1 or index == num_steps:
                painted = cache(partial(_painted, learner.shown(), shown))
            yield Step(index, num_steps, painted, partial(_numbers, terms), work=index / num_steps)
    finally:
        if taken:
            write()


def expected_seconds(num_steps: int, device: str | Device = "auto") -> float:
    """What so many steps take in quiet, the looks at the style included; as measured on a processor."""
    kind = choose_device(device).torch_device.type
    return (START + num_steps * STEP) / torch.get_num_threads() if kind == "cpu" else 2 + num_steps * STEP_OF_GPU


class Learner:
    """The scales and shifts of one new style, and how they are learned from its picture, on photos.

    Args:
        learning_rate: of Adam at the start.
        seed: of what is drawn.
        alone: whether the network is a copy, of which all may learn.

    Attributes:
        learned: (B, P) the moving average, which is what is shown and kept.
    """

    def __init__(
        self, style: Tensor, photos: Stock, device: Device, learning_rate: float, seed: int, alone: bool = False
    ) -> None:
        network: Any = moved(load_model(NAMED), device)
        self.network = network = copy.deepcopy(network) if alone else network
        self.photos, self.device, self.learning_rate = photos, device, learning_rate
        self.rng = photos.rng.manual_seed(seed)
        brushes, parameters = len(network.brushes), network.net.num_parameters
        self.table = nn.Parameter(torch.zeros(brushes, 1, parameters, device=device.torch_device))
        self.model = network.with_styles(["new"], self.table)
        self.optimizer = torch.optim.Adam([self.table], lr=learning_rate, betas=(0.9, 0.99))
        sizes = [round(STYLE_SIZE * brush) for brush in network.brushes]
        perceptuals = loss_networks(["compact"], device, WEIGHTS)
        objective = NamedStyles(self.model, perceptuals, [device.place(style)], sizes, [1.0])
        self.objective = objective.to(device.torch_device)
        self.taken = 0

    def begin(self, table: Tensor | None = None) -> None:
        """Begin with this table (B, P), or in the midst of the known styles that come nearest to what is wanted."""
        if table is None:
            known = self.network.table.view(len(self.network.brushes), len(self.network.styles), -1)
            batch = self.draw()
            distances = torch.stack([self._distance(known[:, i : i + 1], batch) for i in range(known.shape[1])])
            table = known[:, distances.argsort()[:NEAREST]].mean(1)
        self.table.data.copy_(table[:, None])
        self.learned = self.table.detach()[:, 0].clone()

    @torch.no_grad()
    def _distance(self, table: Tensor, batch: tuple[Tensor, ...]) -> Tensor:
        self.table.data.copy_(table)
        return torch.stack(list(self.terms(1, batch).values())).sum()

    def open(self) -> None:
        """From now on the convolutions learn as well."""
        net: nn.Module = self.network.net
        self.optimizer.add_param_group({"params": list(net.requires_grad_(True).parameters()), "pace": PACE})

    def draw(self) -> tuple[Tensor, ...]:
        """Crops, and how they are looked at."""
        crops = self.photos.batch(CROPS, SIDE, self.rng, smallest=SMALLEST)
        return crops, *random_view(CROPS, self.rng)

    def terms(self, brush: int, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """The weighted terms of a batch that is painted with this brush."""
        crops, zoom, middle = batch
        number = torch.zeros(CROPS, dtype=torch.long, device=crops.device)
        found: dict[str, Tensor] = self.objective(
            crops, number, number + brush, torch.ones(CROPS, device=crops.device), zoom, middle
        )
        return found

    def step(self, progress: float) -> dict[str, Tensor]:
        """Learn from one batch, with which so much of the whole is done, up to 1; its terms."""
        brush = BRUSHES[self.taken % len(BRUSHES)] % len(self.table)
        terms = self.terms(brush, self.draw())
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        gradient = self.table.grad
        assert gradient is not None
        # What one brush learns is good for the others: they share most of what they are.
        gradient.nan_to_num_(0.0, 0.0, 0.0).add_(gradient.sum(0, keepdim=True))
        nn.utils.clip_grad_norm_([self.table], 1.0)
        for group in self.optimizer.param_groups:
            if "pace" in group:
                for parameter in group["params"]:
                    parameter.grad.nan_to_num_(0.0, 0.0, 0.0)
                nn.utils.clip_grad_norm_(group["params"], 1.0)
            group["lr"] = (
                group.get("pace", 1.0) * self.learning_rate * max(0.05, 0.5 * (1 + math.cos(math.pi * progress)))
            )
        self.optimizer.step()
        self.taken += 1
        self.learned.lerp_(self.table.detach()[:, 0], 1 - min(LATELY, self.taken / (self.taken + 10)))
        return {name: term.detach() for name, term in terms.items()}

    def shown(self) -> Painter:
        """What paints with that which was learned so far."""
        model = self.network.with_styles(["new"], self.learned[:, None].clone())
        return Painter(model, torch.ones(1, 1, device=self.device.torch_device), self.device, NAMED)


def _painted(painter: Painter, photo: Tensor) -> Tensor:
    return painter.paint(photo, keep_faces=0)


def _numbers(terms: dict[str, Tensor]) -> dict[str, float]:
    return {name: float(term) for name, term in terms.items() if name != "plain"}


def _found(name: str, where: Path | None) -> Taught | None:
    """The style that is gone on with; one that can be used no more is replaced."""
    try:
        return taught.find(name, where)
    except taught.WeightsError:
        return None


def _photos(data: str | None) -> Sequence[Image.Image]:
    """What is learned on."""
    if data is not None:
        return Pictures(Path(data).expanduser())
    ways: list[Callable[[], Image.Image]] = [partial(styles.load_content, one.name) for one in styles.list_contents()]
    ways += [partial(styles.load_style, one.name, 512) for one in styles.list_styles() if one.kind == "drawn"]
    found = []
    for way in ways:
        try:
            found.append(way())
        except StyleNotFound:  # scikit-image is not here with its photos
            continue
    return found
