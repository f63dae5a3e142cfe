"""Measures of a result: how near it is to its style, how much of its content it keeps, how clean it is.

A result is never judged by the network it was optimized on. Each measure is a function; `pastiche_score` makes one
number of several.
"""

from nst.metrics.artifacts import checkerboard_energy, grain, seam_energy
from nst.metrics.blemishes import blob_area, color_fringes, flat_blur
from nst.metrics.color import chroma, color_distance, speckle_ratio
from nst.metrics.content import feature_agreement, luminance_ssim, psnr, self_similarity
from nst.metrics.lattice import hatching, lattice_energy, ripples
from nst.metrics.pyramid import SCALES, Pyramid
from nst.metrics.score import PARTS, Aim, Judge, Score, find_judge, pastiche_score
from nst.metrics.strokes import stroke_lines, stroke_scale
from nst.metrics.style import style_closure, style_distance, style_distances
