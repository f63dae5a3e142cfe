"""The recipes: pictures in, a run of steps out. What each setting may be is in `nst.settings`."""

from nst.stylize.color_modes import color_modes
from nst.stylize.doodle import DEARER, doodle
from nst.stylize.estimate import Estimate, estimate, is_measured
from nst.stylize.invert import invert
from nst.stylize.layer_grid import GRID_LAYERS, layer_grid
from nst.stylize.masks import open_mask, painted_masks
from nst.stylize.mix import mix_path
from nst.stylize.photoreal import color_table, move_colors
from nst.stylize.scales import plan
from nst.stylize.segmentation import map_colors, painted_map, propose_map
from nst.stylize.settings import balance
from nst.stylize.texture import reconstruct_style, texture
from nst.stylize.transfer import style_transfer
