"""The schedule of progressive growing (Karras et al. 2017, arXiv:1710.10196, section 2): which level when, and how far
it is faded in."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.models.progan import enlarge, side


class Stage(NamedTuple):
    """Where the growth is: `level` 0 is 4 x 4; `blend` is from 0, when only the level before is seen, to 1."""

    level: int
    blend: float


class Growth(NamedTuple):
    """How two networks grow.

    Attributes:
        first, last: levels that they begin and end with.
        steps: of each level but the last, which has all that are left. Half of them fade it in.
    """

    first: int
    last: int
    steps: int

    def at(self, step: int) -> Stage:
        """The stage of a step, from 1."""
        if not self.steps:
            return Stage(self.last, 1.0)
        level = min(self.last, self.first + (step - 1) // self.steps)
        within = step - 1 - (level - self.first) * self.steps
        return Stage(level, 1.0 if level == self.first else min(1.0, 2 * within / self.steps))


def shrink(image: Tensor, stage: Stage, patch: int) -> Tensor:
    """Real pictures (N, 3, H, W) as the discriminator of a stage should see them: as small, and as blended."""
    factor = image.shape[-1] // side(stage.level, patch)
    image = F.avg_pool2d(image, factor) if factor > 1 else image
    return image if stage.blend == 1 else torch.lerp(enlarge(F.avg_pool2d(image, 2)), image, stage.blend)
