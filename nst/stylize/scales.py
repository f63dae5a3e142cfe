"""From coarse to fine: the scales of a run.

Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", 2017, arXiv:1611.07865, section 6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from nst.images import resize
from nst.optimize import Step
from nst.settings.setting import Preset


@dataclass(frozen=True)
class Part:
    """One scale of a run: its long side, its steps, and its share of the work; what comes before it."""

    size: int
    num_steps: int
    work: float
    steps_before: int
    work_before: float

    def of_all(self, step: Step, total: int) -> Step:
        """A step of this scale as one of the whole run."""
        work = self.work_before + self.work * step.index / self.num_steps
        return replace(step, index=self.steps_before + step.index, total=total, work=work)


def plan(size: int, preset: Preset, whole: bool = False) -> list[Part]:
    """The scales of a run of `preset` ending at `size`, from coarse to fine; with `whole`, the last one only.

    Each scale gets an equal share of the steps, and the first several: there the composition is decided, and a step
    costs least.
    """
    sizes = [size]
    while not whole and (smaller := round(size / preset.factor ** len(sizes))) >= preset.smallest:
        sizes.insert(0, smaller)
    sizes = sizes[-preset.num_steps :]
    shares = [preset.first] + [1.0] * (len(sizes) - 1)
    ends = [round(preset.num_steps * sum(shares[: i + 1]) / sum(shares)) for i in range(len(sizes))]
    counts = [max(1, end - begin) for begin, end in zip([0, *ends], ends, strict=False)]
    counts[0] -= sum(counts) - preset.num_steps  # the most are there, and none is to be without a step
    costs = [count * side**2 for count, side in zip(counts, sizes, strict=True)]
    return [
        Part(sizes[i], counts[i], costs[i] / sum(costs), sum(counts[:i]), sum(costs[:i]) / sum(costs))
        for i in range(len(sizes))
    ]


def fitted_style(style: Tensor, size: float) -> Tensor:
    """The style with this long side; never enlarged, since that would teach blur, and at least 32 pixels."""
    return resize(style, max(32, min(round(size), max(style.shape[-2:]))))
