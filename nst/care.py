"""Where a photo wants care: faces, and what stands out to an encoder."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nst.encoders import load_encoder
from nst.images import resize, to_pil

SIDE = 256  # long side in pixels at which a photo is looked at
LEAST = 32  # side in pixels of the least face that is looked for at that size: smaller ones are as often none
AROUND = (0.75, 0.95)  # half axes of a face across and down, relative to the square from brows to mouth that is found
SALIENT = 0.3  # how much what stands out counts beside a face
QUIET, LOUD = 0.3, 0.98  # the shares of places below which nothing stands out, and above which all of it does


def care_map(photo: Tensor) -> Tensor:
    """Where a photo (1, 3, H, W) in [0, 1] wants care: 1 in faces, less for whatever else stands out.

    (1, 1, h, w) on the CPU, with a long side of `SIDE` pixels at most.
    """
    small = looked_at(photo)
    return torch.maximum(face_map(small), SALIENT * saliency(small))


def looked_at(photo: Tensor) -> Tensor:
    """A photo of any size, as it is looked at."""
    return resize(photo.float().cpu(), min(SIDE, max(photo.shape[-2:])))


def find_faces(photo: Tensor) -> list[tuple[int, int, int]]:
    """Top, left and side in pixels of each square from brows to mouth in a photo (1, 3, H, W) in [0, 1], by a cascade
    of local binary patterns (scikit-image); faces that look at us, from an eighth of `SIDE` on."""
    if min(photo.shape[-2:]) < LEAST:
        return []
    found = _cascade().detect_multi_scale(
        np.asarray(to_pil(photo)), 1.1, 1, (LEAST, LEAST), (max(photo.shape[-2:]),) * 2
    )
    return [(one["r"], one["c"], one["width"]) for one in found]


def face_map(photo: Tensor) -> Tensor:
    """1 within the faces of a photo (1, 3, H, W) in [0, 1], fading to 0 around them; (1, 1, H, W)."""
    height, width = photo.shape[-2:]
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    care = torch.zeros(height, width)
    for top, left, side in find_faces(photo):
        across, down = (side * half for half in AROUND)
        away = (((x - left - side / 2) / across).square() + ((y - top - side / 2) / down).square()).sqrt()
        care = torch.maximum(care, ((1.2 - away) / 0.4).clamp(0, 1))
    return care[None, None]


@torch.no_grad()
def saliency(photo: Tensor) -> Tensor:
    """How far what an encoder sees at each place of a photo (1, 3, H, W) is from what it sees on the mean, smoothed;
    (1, 1, H, W) in [0, 1], 0 all over where nothing stands out."""
    features = load_encoder("compact")(photo, ("relu5_1",))["relu5_1"].float()
    far = (features - features.mean((2, 3), keepdim=True)).square().mean(1, keepdim=True).sqrt()
    smooth = F.avg_pool2d(F.pad(far, (1, 1, 1, 1), mode="replicate"), 3, 1)
    quiet, loud = (smooth.flatten().quantile(share) for share in (QUIET, LOUD))
    least = 1e-3 * features.abs().max().clamp_min(1e-6)
    standing_out = ((smooth - quiet) / (loud - quiet).clamp_min(least)).clamp(0, 1)
    return F.interpolate(standing_out, photo.shape[-2:], mode="bicubic").clamp(0, 1)


@lru_cache(maxsize=1)
def _cascade() -> Any:
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    return Cascade(lbp_frontal_face_cascade_filename())
