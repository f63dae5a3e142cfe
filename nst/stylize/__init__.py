"""The recipes: pictures in, a run of steps out. The defaults of each live in its signature, once."""

from nst.stylize.estimate import Estimate, estimate
from nst.stylize.invert import invert
from nst.stylize.mix import mix_path
from nst.stylize.scales import Part, plan
from nst.stylize.settings import BALANCE, BOUNDS, CHOICES, PRESETS, Preset, balance, check
from nst.stylize.strips import cut, side_by_side
from nst.stylize.texture import reconstruct_style, texture
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
    "cut",
    "estimate",
    "invert",
    "mix_path",
    "plan",
    "reconstruct_style",
    "side_by_side",
    "style_transfer",
    "texture",
]
