"""How near made pictures come to real ones, as sets: the kernel distance of what an encoder sees of them."""

from __future__ import annotations

import torch
from torch import Tensor

from nst.device import Device
from nst.encoders import Encoder
from nst.losses import polynomial_kernel


def distance_to(held: Tensor, made: Tensor, encoder: Encoder, device: Device) -> float:
    """The kernel distance of two sets of pictures (n, 3, H, W), bytes or in [0, 1], by what an encoder sees of them,
    in units of the first ones' mean square."""
    real, other = (pooled_features(x, encoder, device) for x in (held, made))
    unit = real.square().mean().sqrt()
    return kernel_distance(other / unit, real / unit)


@torch.no_grad()
def pooled_features(images: Tensor, encoder: Encoder, device: Device, batch: int = 50) -> Tensor:
    """What the deepest layer of an encoder sees of pictures (n, 3, H, W), bytes or in [0, 1]: its means (n, C)."""
    layer, found = encoder.layers[-1], []
    for some in images.split(batch):
        shown = device.place(some.float() / 255 if some.dtype == torch.uint8 else some)
        with device.autocast():
            found.append(encoder(shown, [layer])[layer].float().mean((2, 3)).cpu())
    return torch.cat(found)


def kernel_distance(x: Tensor, y: Tensor) -> float:
    """The kernel (Inception) distance of two sets of features (n, C) and (m, C); 0 in the mean for sets that are draws
    from the same distribution, and then below 0 as often as above.

    The unbiased squared maximum mean discrepancy by the kernel (x . y / C + 1)^3: Binkowski, Sutherland, Arbel and
    Gretton, "Demystifying MMD GANs", 2018, arXiv:1801.01401, section 4. Where we differ: all pairs are compared
    instead of those of random subsets, and the features need not be those of an Inception network.
    """
    x, y = (features.cpu().double() / features.shape[1] ** 0.5 for features in (x, y))

    def between(a: Tensor) -> float:
        similar, count = polynomial_kernel(a, a, 3, 1.0), len(a)
        return float((similar.sum() - similar.diagonal().sum()) / (count * (count - 1)))

    return between(x) + between(y) - 2 * float(polynomial_kernel(x, y, 3, 1.0).mean())
