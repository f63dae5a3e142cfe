"""Train a CycleGAN: two kinds of pictures, no pairs, a generator for each way (Zhu et al. 2017, arXiv:1703.10593).

See `nst.research.train.cycle` for what is lowered. Where we differ from the paper: batches may be larger than 1,
Adam's second moment is forgotten faster, and what is written is a moving average of the generators' weights.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nst.encoders import load_encoder
from nst.models.cyclegan import PatchGAN, Translator
from nst.research.options import Records, options
from nst.research.train.config import CropConfig
from nst.research.train.cycle import CYCLE_LOSSES, Cycle, StyleTerm, Terms
from nst.research.train.data import gathered, rows
from nst.research.train.lesson import Lesson
from nst.research.train.loop import Learner, average_weights, descend
from nst.teach.crops import PHOTO_SIDE, Stock

MANY = 48  # crops that tell what the other kind's pictures have in common


def linear_decay(progress: float, top: float) -> float:
    """The paper's learning rate: constant over the first half, then evenly down to nothing."""
    return top * min(1.0, 2 * (1 - progress))


@dataclass(frozen=True, kw_only=True)
class CycleGANConfig(CropConfig):
    """The training of two translators.

    Args:
        data: pictures of the one kind: files, folders or tar files.
        other: pictures of the other kind, likewise.
        names: of the two directions.
        other_size: side in pixels of the squares that pictures of the other kind are kept as.
        least: least side of a crop of the other kind, relative to the picture's.
        net: "resnet" or "unet", which goes by the first of the widths and has one level a block.
        widths: channels at full, half and quarter resolution; the paper's are 64 128 256.
        blocks: residual blocks; the paper's are 6 or 9.
        kernel: size of the first and last convolution.
        separable: depthwise separable convolutions in the blocks.
        inner: channels inside each residual block; none means those outside.
        sees: see `nst.models.cyclegan.Translator`.
        upsampling: "transposed", as in the paper, or "resize" (enlarge, then convolve).
        output: "tanh", as in the paper, or "blend": how much of the photo is painted over is learned as well, so that
            a generator begins near the identity instead of having to learn it.
        critic_width: channels of a critic's first layer; the paper's are 64.
        critic_layers: of stride 2; with 3 a patch has 70 pixels a side.
        cycle_weight: of the cycle's error.
        identity_weight: of a picture changed that is of the right kind already, relative to the cycle's.
        cycle_ramp: share of the training over which both weights rise to that. A way back that has yet to be learned
            finds nothing to bring back in pictures that were not changed, and would teach the other to change none.
        critics_first: steps in which critics learn alone, so that a generator that can paint already is not judged by
            those who know nothing.
        cycle_loss: "l1" or "l2".
        manner_weight: of the error of textures and colors of what the first direction paints; the paper has none.
        encoder: the network that compares these, by name or file.
        learning_rate: of the first half.
    """

    data: Sequence[str]
    other: Sequence[str]
    names: Sequence[str] = ("photo2painting", "painting2photo")
    steps: int = 20000
    batch: int = 1
    size: int = 128
    other_size: int = 256
    least: float = 0.6
    net: str = "resnet"
    widths: Sequence[int] = (16, 32, 64)
    blocks: int = 6
    kernel: int = 7
    separable: bool = False
    inner: Sequence[int] = ()
    sees: int = 0
    upsampling: str = "resize"
    output: str = "tanh"
    critic_width: int = 32
    critic_layers: int = 3
    cycle_weight: float = 10.0
    identity_weight: float = 0.5
    cycle_ramp: float = 0.0
    critics_first: int = 0
    cycle_loss: str = "l1"
    manner_weight: float = 0.0
    encoder: str = "compact"
    learning_rate: float = 2e-4
    interval: int = 200

    @property
    def shape(self) -> dict[str, Any]:
        """The translator's arguments."""
        net: dict[str, Any] = {"width": self.widths[0], "depth": self.blocks}
        if self.net != "unet":
            net = {"widths": list(self.widths), "blocks": self.blocks, "kernel": self.kernel}
            net |= {"separable": self.separable, "upsampling": self.upsampling}
        inner = {"inner": list(self.inner)} if self.inner else {}
        shape = {"directions": list(self.names), "sees": self.sees, "net": self.net, "output": self.output}
        return shape | net | inner


@options
def train_cyclegan(config: CycleGANConfig) -> Records:
    """Train two translators between two kinds of pictures of which there are no pairs.

    Raises:
        ValueError: not two names, or an unknown loss or net.
    """
    if len(config.names) != 2 or config.cycle_loss not in CYCLE_LOSSES:
        raise ValueError('Give two names, of the way there and the way back, and "l1" or "l2" as the cycle\'s loss.')
    size, weighed = config.size, Terms(config.cycle_weight, config.identity_weight, config.cycle_loss)
    lesson = Lesson(config, "cyclegan", lambda **shape: Translator(**shape).apply(_small_weights), config.shape)
    critics = [PatchGAN(config.critic_width, config.critic_layers).apply(_small_weights) for _ in config.names]
    device = lesson.device
    sources, least = ((config.data, PHOTO_SIDE), (config.other, config.other_size)), (0.6, config.least)
    stocks = [Stock(gathered(paths), max(size, side), device) for paths, side in sources]
    kinds = [partial(stock.batch, size=size, smallest=one) for stock, one in zip(stocks, least, strict=True)]
    rng = torch.Generator(device.torch_device).manual_seed(config.seed)
    samples, style_term = [kind(4, rng=rng) for kind in kinds], None
    if config.manner_weight:
        compared = load_encoder(config.encoder).to(device.torch_device)
        style_term = StyleTerm(compared, kinds[1](MANY, rng=rng), config.manner_weight, device)
    cycle = device.place(Cycle(lesson.model, critics, size, weighed, device, style_term))

    def sheet(trained: nn.Module) -> Tensor:
        """For each kind a row of pictures, of what they become, and of what comes back of it."""
        found: list[Tensor] = []
        for way, pictures in enumerate(samples):
            made = trained(pictures, way)
            found += [pictures, made, trained(made, 1 - way)]
        return rows(found)

    learned = ", ".join(Path(path).name for path in (*config.data, *config.other))
    about = f"Translates {' and '.join(config.names)}. Trained on {learned}."
    skipped = sum(stock.skipped for stock in stocks)
    return lesson.learn(CycleLearner(cycle, kinds, config), about, sheet, skipped=lambda: skipped)


class CycleLearner(Learner):
    """Both translators, and then both critics, a step each."""

    def __init__(self, cycle: Cycle, kinds: Sequence[Callable[..., Tensor]], config: CycleGANConfig) -> None:
        super().__init__(config, cycle.device)
        self.cycle, self.kinds = cycle, kinds
        players: list[nn.Module] = [cycle.translator, cycle.critics]
        self.optimizers = [
            torch.optim.Adam(player.parameters(), lr=config.learning_rate, betas=(0.5, 0.99)) for player in players
        ]
        self.averaged = copy.deepcopy(cycle.translator).requires_grad_(False)
        self.parts = {"model": cycle, "averaged": self.averaged}
        self.parts |= {f"optimizer{i}": optimizer for i, optimizer in enumerate(self.optimizers)}
        self.rng = torch.Generator(cycle.device.torch_device)

    def rate(self, step: int) -> float:
        return linear_decay(self.config.progress(step - 1, self.elapsed), self.config.learning_rate)

    def step(self, step: int, seed: int) -> None:
        """Both players' steps."""
        cycle, rng = self.cycle, self.rng.manual_seed(seed)
        for optimizer in self.optimizers:
            optimizer.param_groups[0]["lr"] = self.rate(step)
        pictures = [kind(self.config.batch, rng=rng) for kind in self.kinds]
        cycle.critics.requires_grad_(False)
        progress, ramp = self.config.progress(step - 1, self.elapsed), self.config.cycle_ramp
        terms, made = cycle.generators(pictures, min(1.0, progress / ramp) if ramp else 1.0)
        if step > self.config.critics_first:
            descend(torch.stack(list(terms.values())).sum(), self.optimizers[0], cycle.translator.parameters(), 10.0)
        cycle.critics.requires_grad_(True)
        terms["critics"] = cycle.judge(pictures, made, random.Random(seed + 2))
        descend(terms["critics"], self.optimizers[1], cycle.critics.parameters(), 10.0)
        average_weights(self.averaged, cycle.translator, self.config.share(step))
        self.add(terms)


def _small_weights(module: nn.Module) -> None:
    """The paper's initial weights: of mean 0 and deviation 0.02 (section 7.1)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
