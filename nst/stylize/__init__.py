"""The recipes: pictures in, a run of steps out. The defaults of each live in its signature, once."""

from nst.stylize.estimate import Estimate, estimate
from nst.stylize.scales import Part, plan
from nst.stylize.settings import BALANCE, BOUNDS, CHOICES, PRESETS, Preset, balance, check
from nst.stylize.transfer import style_transfer

__all__ = [
    "BALANCE",
    "BOUNDS",
    "CHOICES",
    "PRESETS",
    "Estimate",
    "Part",
    "Preset",
    "balance",
    "check",
    "estimate",
    "plan",
    "style_transfer",
]
