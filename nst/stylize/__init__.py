"""The recipes: pictures in, a run of steps out. The defaults of each live in its signature, once."""

from nst.stylize.color_modes import COLOR_COLUMNS, color_modes
from nst.stylize.doodle import DEARER, doodle
from nst.stylize.estimate import Estimate, estimate
from nst.stylize.grid import cut, side_by_side
from nst.stylize.invert import invert
from nst.stylize.layer_grid import SURVEY_LAYERS, layer_survey
from nst.stylize.masks import open_mask, painted_masks
from nst.stylize.mix import mix_path
from nst.stylize.scales import Part, plan
from nst.stylize.segmentation import map_colors, painted_map, propose_map
from nst.stylize.settings import BALANCE, BOUNDS, CHOICES, PRESETS, Preset, balance, check
from nst.stylize.texture import reconstruct_style, texture
from nst.stylize.transfer import style_transfer

__all__ = [
    "BALANCE",
    "BOUNDS",
    "CHOICES",
    "COLOR_COLUMNS",
    "DEARER",
    "PRESETS",
    "SURVEY_LAYERS",
    "Estimate",
    "Part",
    "Preset",
    "balance",
    "check",
    "color_modes",
    "cut",
    "doodle",
    "estimate",
    "invert",
    "layer_survey",
    "map_colors",
    "mix_path",
    "open_mask",
    "painted_map",
    "painted_masks",
    "plan",
    "propose_map",
    "reconstruct_style",
    "side_by_side",
    "style_transfer",
    "texture",
]
