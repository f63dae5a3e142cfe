"""Losses: functions of features, and small Modules that hold a target.

A Module's call takes the features of the image (see `nst.encoders`) and gives named scalar terms, already
weighted; the total is their sum. Every loss here is normalized by its own target, so that a value of 1 means
"as far off as nothing at all", whatever the size of the image and whichever the encoder. The papers' losses
are not: theirs are sums, and their weights change meaning with the size.
"""

from nst.losses.adversarial import GAMES, clip_weights, game, gradient_penalty, minimax_value, r1_penalty
from nst.losses.content import ContentLoss, content_loss
from nst.losses.correlation import CORRELATIONS, cross_gram, layer_pairs
from nst.losses.discrepancy import (
    SampledDiscrepancy,
    gaussian_kernel,
    median_distance,
    polynomial_kernel,
    squared_mmd,
)
from nst.losses.gram import gram_loss, gram_matrix, moments
from nst.losses.histogram import histogram_loss, quantiles
from nst.losses.patches import PATCH_LAYERS, nearest_patches, patch_pairs, unfold_patches
from nst.losses.perceptual import EPS, Features, PerceptualLoss, Window, halving_weights, normalized_weights
from nst.losses.regularizers import NormLoss, TotalVariationLoss, alpha_norm, total_variation
from nst.losses.statistic import Sample, StyleOptions
from nst.losses.structure import StructureLoss
from nst.losses.style import MIXING, STATISTICS, STYLE_LOSSES, StyleLoss
from nst.losses.temporal import TemporalLoss
from nst.losses.wasserstein import (
    matrix_root,
    mean_variance,
    mean_variance_loss,
    wasserstein_loss,
)
