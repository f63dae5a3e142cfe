"""Colors: keeping the content's, by recoloring the style before painting or the result afterwards.

After Gatys, Bethge, Hertzmann and Shechtman, "Preserving Color in Neural Artistic Style Transfer", 2016,
arXiv:1606.05897. Two ways of dealing with light: "luminance" works in CIE Lab (D65), so the values are made
linear light on the way there and back; "histogram", "cholesky" and "pca" work on the gamma-encoded sRGB values as
they are, which are what an encoder sees and what the paper used.
"""

from __future__ import annotations

import torch
from torch import Tensor

COLOR_MODES = ("none", "luminance", "histogram", "cholesky", "pca")  # how colors can be kept

COLOR_MOMENTS = ("before", "after")
"""When they can be: the style is recolored before painting, or the result afterwards."""

LUMINANCE = (0.2126, 0.7152, 0.0722)  # weights of linear red, green and blue in the luminance (ITU-R BT.709, sRGB)

RIDGE = 1e-5
"""Added to the variances of colors, so that a grey picture's covariance has an inverse: a deviation of 0.3 percent."""


def recolor_style(style: Tensor, content: Tensor, mode: str) -> Tensor:
    """The style in the colors of the content: what to paint with, so that the content's colors are kept.

    Args:
        style, content: images (1, 3, H, W) in [0, 1], each of its own size.
        mode: one of `COLOR_MODES`. "luminance" gives a grey style whose lightness has the content's mean and
            deviation (arXiv:1606.05897, eq. 10): paint with it on `grey(content)`, and give the result back its
            colors by `recolor_result`. The others are those of `recolor`.

    Raises:
        ValueError: an unknown mode.
    """
    if mode != "luminance":
        return recolor(style, content, mode)
    _check(mode)
    lightness, wanted = to_lab(style)[:, :1], to_lab(content)[:, :1]
    spread = wanted.std(correction=0) / lightness.std(correction=0).clamp_min(1e-3)
    matched = (lightness - lightness.mean()) * spread + wanted.mean()
    return from_lab(torch.cat([matched.clamp(0, 100), matched.new_zeros(matched.shape).expand(-1, 2, -1, -1)], 1))


def recolor_result(result: Tensor, content: Tensor, mode: str) -> Tensor:
    """The result in the colors of the content.

    Args:
        result, content: images (1, 3, H, W) in [0, 1]; for "luminance" of the same size.
        mode: one of `COLOR_MODES`: "luminance" takes each pixel's chroma (Lab's a and b) from the content and its
            lightness from the result, or the nearest one that has such a chroma among the colors of sRGB. The
            others are those of `recolor`.

    Raises:
        ValueError: an unknown mode, or sizes that differ where pixels are compared.
    """
    return keep_chroma(result, content) if mode == "luminance" else recolor(result, content, mode)


def recolor(image: Tensor, reference: Tensor, mode: str) -> Tensor:
    """An image (1, 3, H, W) in [0, 1] with the color statistics of another, of any size.

    Args:
        image, reference: gamma-encoded as always.
        mode: "none"; "histogram", each channel for itself; "cholesky" or "pca", the affine map that gives all
            pixels the mean and covariance of the reference's, by Cholesky factors or by symmetric square roots
            (which alter the colors less).

    Raises:
        ValueError: an unknown mode, or "luminance", which is no statistic.
    """
    _check(mode)
    if mode == "none":
        return image
    if mode == "luminance":
        raise ValueError('"luminance" is taken pixel by pixel: use recolor_style or recolor_result.')
    if mode == "histogram":
        return match_histogram(image, reference).clamp(0, 1)
    return match_covariance(image, reference, mode).clamp(0, 1)


def match_histogram(image: Tensor, reference: Tensor) -> Tensor:
    """Each channel's values replaced by those of the same rank in the reference; (1, C, H, W), of any two sizes.

    Equal values stay equal, having the mean of their ranks; so an image matched to itself is what it was.
    """
    channels = zip(image[0], reference[0].to(image), strict=True)
    return torch.stack([_match_channel(*pair) for pair in channels])[None]


def match_covariance(image: Tensor, reference: Tensor, mode: str = "pca") -> Tensor:
    """The affine map of colors after which mean and covariance are the reference's; (1, 3, H, W), not clamped.

    arXiv:1606.05897, section 3: x -> A (x - m) + m' with A S A^T = S'. "cholesky" takes A = L' L^-1, "pca" takes
    A = S'^1/2 S^-1/2.
    """
    (mean, covariance), (wanted_mean, wanted) = _color_moments(image), _color_moments(reference.to(image))
    if mode == "cholesky":
        change = torch.linalg.solve_triangular(
            torch.linalg.cholesky(covariance), torch.linalg.cholesky(wanted), upper=False, left=False
        )
    else:
        change = matrix_power(wanted, 0.5) @ matrix_power(covariance, -0.5)
    pixels = change @ (image[0].flatten(1).cpu().double() - mean) + wanted_mean
    return pixels.view(image.shape).to(image.dtype).to(image.device)


def grey(image: Tensor) -> Tensor:
    """An image (N, 3, H, W) in [0, 1] without its colors: three equal channels of the same luminance."""
    return encode_gamma(luminance(image)).expand(-1, 3, -1, -1)


def luminance(image: Tensor) -> Tensor:
    """Relative luminance (N, 1, H, W), linear light in [0, 1], of an image (N, 3, H, W)."""
    weights = image.new_tensor(LUMINANCE).view(1, 3, 1, 1)
    return (decode_gamma(image) * weights).sum(1, keepdim=True)


def keep_chroma(image: Tensor, reference: Tensor) -> Tensor:
    """The lightness of an image with the chroma (Lab's a and b) of another of its size, (N, 3, H, W) in [0, 1].

    Where no color of sRGB has both, the lightness goes as little as it must toward the reference's, found by
    halving; so the chroma is exact everywhere.
    """
    if image.shape != reference.shape:
        raise ValueError(
            f"Chroma is taken from an image of the same size, not {tuple(reference.shape[-2:])}"
            f" for {tuple(image.shape[-2:])}."
        )
    lab, wanted = to_lab(image), to_lab(reference.to(image))
    light, safe, chroma = lab[:, :1], wanted[:, :1], wanted[:, 1:]
    low, high = torch.zeros_like(light), torch.ones_like(light)  # share of the way toward the reference's lightness
    share = low
    for _ in range(HALVINGS):
        outside = ~_in_gamut(torch.cat([torch.lerp(light, safe, share), chroma], 1))
        low, high = torch.where(outside, share, low), torch.where(outside, high, share)
        share = (low + high) / 2
    return from_lab(torch.cat([torch.lerp(light, safe, high), chroma], 1))


HALVINGS = 10
WHITE = (0.95047, 1.0, 1.08883)
TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
"""White point D65 and the matrix from linear sRGB to XYZ (IEC 61966-2-1)."""


def decode_gamma(image: Tensor) -> Tensor:
    """Linear light of sRGB values in [0, 1] (IEC 61966-2-1)."""
    return torch.where(image <= 0.04045, image / 12.92, ((image.clamp_min(0) + 0.055) / 1.055) ** 2.4)


def encode_gamma(light: Tensor) -> Tensor:
    """sRGB values of linear light in [0, 1]."""
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * light.clamp_min(1e-9) ** (1 / 2.4) - 0.055)


def to_lab(image: Tensor) -> Tensor:
    """CIE Lab (N, 3, H, W), lightness 0 to 100, of an sRGB image in [0, 1]."""
    xyz = _mixed(decode_gamma(image.float()), image.new_tensor(TO_XYZ, dtype=torch.float32))
    xyz = xyz / xyz.new_tensor(WHITE).view(1, 3, 1, 1)
    f = torch.where(xyz > 0.008856, xyz.clamp_min(1e-9) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = f.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def from_lab(lab: Tensor) -> Tensor:
    """The sRGB image (N, 3, H, W) of CIE Lab values; colors that sRGB has not are clamped to [0, 1]."""
    return encode_gamma(_linear(lab).clamp(0, 1)).clamp(0, 1)


def _linear(lab: Tensor) -> Tensor:
    lightness, a, b = lab.unbind(1)
    y = (lightness + 16) / 116
    f = torch.stack([y + a / 500, y, y - b / 200], 1)
    xyz = torch.where(f > 0.206893, f**3, (f - 16 / 116) / 7.787) * lab.new_tensor(WHITE).view(1, 3, 1, 1)
    return _mixed(xyz, torch.linalg.inv(torch.tensor(TO_XYZ, dtype=torch.float64)).to(lab.dtype).to(lab.device))


def _in_gamut(lab: Tensor) -> Tensor:
    light = _linear(lab)
    return ((light >= -1e-4) & (light <= 1 + 1e-4)).all(1, keepdim=True)


def _mixed(image: Tensor, matrix: Tensor) -> Tensor:
    return torch.einsum("ij,njhw->nihw", matrix, image)


def _match_channel(channel: Tensor, reference: Tensor) -> Tensor:
    _, places, counts = channel.unique(return_inverse=True, return_counts=True)
    values, wanted = reference.unique(return_counts=True)
    # Ranks of both as whole numbers of one scale: exact on every device, where float32 would confuse millions of them.
    return _interpolate(_ranks(counts) * reference.numel(), _ranks(wanted) * channel.numel(), values)[places]


def _ranks(counts: Tensor) -> Tensor:
    """Twice the mean rank of each of the sorted distinct values, int64."""
    return 2 * counts.cumsum(0) - counts


def _interpolate(x: Tensor, known: Tensor, values: Tensor) -> Tensor:
    """The piecewise linear function with these values at the `known` places, flat beyond, at x; all (n,)."""
    if len(known) == 1:
        return values.expand(len(x))
    right = torch.searchsorted(known, x).clamp(1, len(known) - 1)
    share = ((x - known[right - 1]) / (known[right] - known[right - 1])).clamp(0, 1).to(values)
    return torch.lerp(values[right - 1], values[right], share)


def _color_moments(image: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (3, 1) and covariance (3, 3) of the colors, in float64 on the CPU."""
    pixels = image[0].flatten(1).cpu().double()
    mean = pixels.mean(1, keepdim=True)
    covariance = (pixels - mean) @ (pixels - mean).T / pixels.shape[1]
    return mean, covariance + RIDGE * torch.eye(len(mean)).to(covariance)


def matrix_power(matrix: Tensor, exponent: float) -> Tensor:
    """A symmetric matrix of positive eigenvalues, raised to any power."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values**exponent) @ vectors.T


def _check(mode: str) -> None:
    if mode not in COLOR_MODES:
        raise ValueError(f'No color mode "{mode}": choose {", ".join(COLOR_MODES)}.')
