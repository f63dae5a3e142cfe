"""The game of a CycleGAN (Zhu et al. 2017, arXiv:1703.10593): two generators, two critics, and what they lower.

Least squares games of two PatchGANs (sections 3.1 and 4), the cycle's error (eq. 2; the squared one as an option), the
identity's (section 5.2), and critics that are shown earlier pictures as well (Shrivastava et al. 2016,
arXiv:1612.07828).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.device import Device
from nst.encoders import Encoder
from nst.losses.adversarial import Game, game
from nst.models.cyclegan import PatchGAN, Translator
from nst.teach.perceptual import Perceptual, Weights

CYCLE_LOSSES = {"l1": F.l1_loss, "l2": F.mse_loss}
POOL = 50


class Pool(nn.Module):
    """Earlier pictures (50, 3, H, W) of a generator, from which a critic is shown every other one.

    Kept as float16 and rounded before they are shown for the first time as well, so that one that was saved with a
    checkpoint is what it was.
    """

    images: Tensor
    filled: Tensor

    def __init__(self, side: int, size: int = POOL) -> None:
        super().__init__()
        self.register_buffer("images", torch.zeros(size, 3, side, side, dtype=torch.float16))
        self.register_buffer("filled", torch.tensor(0))

    def exchange(self, fresh: Tensor, rng: random.Random) -> Tensor:
        """These pictures (N, 3, H, W), of which each has an even chance of changing places with an earlier one."""
        shown = []
        for image in fresh.detach().half():
            count, size = int(self.filled), len(self.images)
            if count < size:
                self.images[count] = image
                self.filled += 1
                shown.append(image)
            elif rng.random() < 0.5:
                place = rng.randrange(size)
                shown.append(self.images[place].clone())
                self.images[place] = image
            else:
                shown.append(image)
        return torch.stack(shown).to(fresh)


@dataclass(frozen=True)
class Terms:
    """Weights of the generators' terms, and what the cycle's error is; the identity's is relative to the cycle's."""

    cycle: float = 10.0
    identity: float = 0.5
    cycle_loss: str = "l1"


class StyleTerm:
    """How far paintings are from what all pictures of a kind have in common: Gram matrices, and distribution of colors.

    The terms of fast styles, see `nst.teach.perceptual`, whose mean over many crops is what is asked for. The
    paper has no such term; it is a matter of a hundred steps what takes critics thousands.

    Args:
        crops: of the kind, (N, 3, H, W) in [0, 1].
        weight: of the textures' error; that of the colors is half as much.
    """

    def __init__(self, encoder: Encoder, crops: Tensor, weight: float, device: Device) -> None:
        self.perceptual = Perceptual(encoder, device, Weights(0.0, weight, weight / 2, tv=0.0, plain=0.0))
        self.wanted = {name: x.mean(0, keepdim=True) for name, x in self.perceptual.style(crops).items()}

    def __call__(self, painted: Tensor, photo: Tensor) -> Tensor:
        """The weighted error, a scalar, of paintings (N, 3, H, W) of photos."""
        count = len(painted)
        wanted = {name: x.expand(count, *x.shape[1:]) for name, x in self.wanted.items()}
        terms = self.perceptual(painted, photo, wanted, painted.new_ones(count), kept={})
        return terms["style"] + terms["color"]


class Cycle(nn.Module):
    """Both generators and both critics; a direction's critic judges what the direction ends in.

    Args:
        translator: of two directions, there and back.
        critics: one for each direction.
        side: of the training pictures.
        style_term: what the first direction is to paint like, if that is asked for.
    """

    def __init__(
        self,
        translator: Translator,
        critics: Sequence[PatchGAN],
        side: int,
        terms: Terms,
        device: Device,
        style_term: StyleTerm | None = None,
    ) -> None:
        super().__init__()
        self.translator, self.critics = translator, nn.ModuleList(critics)
        self.pools = nn.ModuleList(Pool(side) for _ in critics)
        self.terms, self.device = terms, device
        self.style_term = (style_term,)  # in a tuple, so that its encoder is no part of a checkpoint
        self.game: Game = game("least_squares")

    def generators(self, pictures: Sequence[Tensor], share: float = 1.0) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Terms of the generators, those of the cycle and the identity at a share of their weight, and what they made,
        of a batch (N, 3, H, W) of each kind."""
        error = CYCLE_LOSSES[self.terms.cycle_loss]
        adversarial, cycle, identity, made = [], [], [], []
        for way, own in enumerate(pictures):
            other = pictures[1 - way]
            with self.device.autocast():
                fake = self.translator(own, way)
                back = self.translator(fake, 1 - way)
                judged = self.critics[way](fake)
                same = self.translator(other, way) if self.terms.identity else other
            adversarial.append(self.game.generator(judged))
            cycle.append(error(back, own))
            identity.append(F.l1_loss(same, other))
            made.append(fake)
        weight = share * self.terms.cycle
        terms = {"adversarial": adversarial[0] + adversarial[1], "cycle": weight * (cycle[0] + cycle[1])}
        if self.terms.identity:
            terms["identity"] = weight * self.terms.identity * (identity[0] + identity[1])
        if self.style_term[0]:
            terms["manner"] = self.style_term[0](made[0], pictures[0])
        return terms, [fake.detach() for fake in made]

    def judge(self, pictures: Sequence[Tensor], made: Sequence[Tensor], rng: random.Random) -> Tensor:
        """The critics' loss, of the real pictures of each kind and of what was made by each direction."""
        losses = []
        for way, fake in enumerate(made):
            shown = self.pools[way].exchange(fake, rng)  # type: ignore[operator]
            with self.device.autocast():
                real, false = self.critics[way](pictures[1 - way]), self.critics[way](shown)
            losses.append(self.game.discriminator(real, false))
        return losses[0] + losses[1]
