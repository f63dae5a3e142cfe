"""The layers of feed-forward stylizers: convolutions with reflected borders, and normalization with given scales."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from nst.encoders import load_encoder
from nst.layers import fold, padded_by_hand

EPS = 1e-5


def pad_reflecting(x: Tensor, size: int) -> Tensor:
    """`x` (N, C, H, W) with `size` reflected rows and columns on every side; of thin pictures the edge is repeated."""
    if not size:
        return x
    if min(x.shape[-2:]) <= size:
        return F.pad(x, (size,) * 4, mode="replicate")
    if _is_plain(x):  # on a GPU one kernel does it, and many small copies would be waited for
        return F.pad(x, (size,) * 4, mode="reflect")
    return _Reflection.apply(x, size)


class _Reflection(torch.autograd.Function):
    """PyTorch's own padding, but its backward pass stays in channels_last and writes the gradient only once."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: int) -> Tensor:
        ctx.size = size
        return padded_by_hand(x, "reflect", size)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        inside = fold(gradient.clone(memory_format=torch.channels_last), "reflect", ctx.size)
        return inside.contiguous(memory_format=torch.channels_last), None


class _Steady(torch.autograd.Function):
    """The identity, whose gradient comes back in channels_last: a convolution's backward pass takes ten times as long
    where its input and the gradient lie differently in memory."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return gradient.contiguous(memory_format=torch.channels_last)


def conv2d(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, groups: int = 1) -> Tensor:
    """`F.conv2d`, whose backward pass is fast whatever comes after it."""
    result = F.conv2d(x, weight, bias, stride, groups=groups)
    return result if torch.jit.is_tracing() else _Steady.apply(result)


def _is_plain(x: Tensor) -> bool:
    """Whether a layer is computed by PyTorch's own functions: on a GPU, or to be exported."""
    return x.is_cuda or torch.jit.is_tracing()


LARGE, LARGE_ON_GPU, STRIP = 2**20, 2**23, 2**17
"""Pixels: larger pictures pass a layer in strips of about so many, so that nothing is copied whole. A strip sees the
rows above and below it that it needs, and the result is the same."""


def strips(height: int, width: int) -> list[tuple[int, int]]:
    """First and last row (exclusive) of each strip."""
    rows = max(1, STRIP // width)
    return [(top, min(top + rows, height)) for top in range(0, height, rows)]


def _in_strips(x: Tensor, size: int, stride: int, zoom: int, layer: Callable[[Tensor], Tensor]) -> Tensor:
    """`layer` of x padded by `size` on every side, strip by strip.

    Args:
        x: (N, C, H, W).
        size: rows and columns of reflection, or where `zoom` is 2, of repetition.
        stride, zoom: how much smaller, and larger, the layer makes a picture.
        layer: of a padded strip.
    """
    height, padding = x.shape[2], "reflect" if zoom == 1 else "replicate"
    out, below = None, 0
    for top, bottom in strips(-(-height // stride), x.shape[3]):
        first, last = top * stride - size, (bottom - 1) * stride + size + 1
        above, beneath = max(-first, 0), max(last - height, 0)
        part = padded_by_hand(x[:, :, max(first, 0) : min(last, height)], padding, size)
        result = layer(part[:, :, size - above : part.shape[2] - size + beneath])
        if out is None:
            shape = (*result.shape[:2], -(-height // stride) * zoom, result.shape[3])
            out = torch.empty(shape, dtype=result.dtype, device=x.device, memory_format=torch.channels_last)
        out[:, :, below : below + result.shape[2]] = result
        below += result.shape[2]
    assert out is not None
    return out


def stays_apart(x: Tensor) -> bool:
    """Whether what becomes of features (N, C, H, W), twice as large, is better computed by `nst.models.phases`."""
    plain = torch.is_grad_enabled() or _is_plain(x) or min(x.shape[2:]) < 4
    return not plain and 4 * x.shape[2] * x.shape[3] <= LARGE


def _is_large(x: Tensor) -> bool:
    most = LARGE if x.device.type == "cpu" else LARGE_ON_GPU
    large = not torch.is_grad_enabled() and x.shape[2] * x.shape[3] > most and min(x.shape[2:]) > 16
    return large and not torch.jit.is_tracing()


class Conv(nn.Conv2d):
    """A convolution of odd kernel size with reflected borders, (N, C, H, W) to (N, D, ceil(H / stride), ...)."""

    def __init__(self, inside: int, out: int, kernel: int, stride: int = 1) -> None:
        super().__init__(inside, out, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        size, stride = self.kernel_size[0] // 2, self.stride[0]
        if _is_large(x):
            return _in_strips(x, size, stride, 1, lambda part: F.conv2d(part, self.weight, self.bias, stride))
        return conv2d(pad_reflecting(x, size), self.weight, self.bias, stride)


class ResizeConv(nn.Conv2d):
    """Nearest-neighbor enlargement to twice the size, then a 3x3 convolution with reflected borders.

    Odena, Dumoulin and Olah, "Deconvolution and Checkerboard Artifacts", Distill 2016. Computed at the low
    resolution: each of the four pixels that one becomes sees sums of the kernel's taps, so that the enlarged
    features are never written down; the result is the same.

    Args:
        inside, out: channels.
        smooth: whether a binomial kernel (1, 2, 1) follows, which takes away what is left of the lattice on which
            the pixels were repeated (Zhang, "Making Convolutional Networks Shift-Invariant Again", 2019,
            arXiv:1904.11486). It becomes part of the taps' sums and costs nothing.
    """

    def __init__(self, inside: int, out: int, smooth: bool = False) -> None:
        super().__init__(inside, out, 3)
        self.smooth = smooth

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self._phases()
        if _is_large(x):
            return _in_strips(x, 1, 1, 2, lambda part: interleaved(F.conv2d(part, weight, bias)))
        plain = torch.is_grad_enabled() or _is_plain(x)
        padded = F.pad(x, (1,) * 4, mode="replicate") if plain else padded_by_hand(x, "replicate")
        return interleaved(conv2d(padded, weight, bias))

    def apart(self, x: Tensor) -> Tensor:
        """The same before the four pictures are put together: (N, 4 D, H, W), on a processor, without a gradient."""
        return F.conv2d(padded_by_hand(x, "replicate"), *self._phases())

    def _phases(self) -> tuple[Tensor, Tensor | None]:
        """The kernel and the shift of the four pixels that one becomes. What is reflected at an enlarged picture's
        border is, at the low resolution, the edge repeated."""
        rows = (self._taps(self.weight, row, 2) for row in (0, 1))
        weight = torch.cat([self._taps(row, column, 3) for row in rows for column in (0, 1)])
        return weight, None if self.bias is None else self.bias.repeat(4)

    def _taps(self, w: Tensor, phase: int, dim: int) -> Tensor:
        """What the three taps along a dimension are at the low resolution, for the even (0) or odd (1) pixels."""
        first, middle, last = w.unbind(dim)
        if self.smooth:  # the kernel convolved with the binomial one has five taps
            five = (first, 2 * first + middle, first + 2 * middle + last, middle + 2 * last, last)
            a, b, c, d, e = (tap / 4 for tap in five)
            sums = (a + b, c + d, e) if phase == 0 else (a, b + c, d + e)
        else:
            none = torch.zeros_like(first)
            sums = (first, middle + last, none) if phase == 0 else (none, first + middle, last)
        return torch.stack(sums, dim)


def transposed(inside: int, out: int) -> nn.Module:
    """A transposed 3x3 convolution to twice the size."""
    return nn.ConvTranspose2d(inside, out, 3, stride=2, padding=1, output_padding=1)


def check_choices(**given: tuple[str, Sequence[str]]) -> None:
    """Refuse values of arguments, by name, that are none of those that there are."""
    for name, (value, known) in given.items():
        if value not in known:
            raise ValueError(f'{name} is {" or ".join(known)}, not "{value}".')


def interleaved(x: Tensor) -> Tensor:
    """Four pictures (N, 4 C, H, W), of the pixels at even and odd rows and columns, as one (N, C, 2 H, 2 W).

    `F.pixel_shuffle` but for the order of channels, which leaves those of a pixel beside each other in memory.
    """
    count, channels, height, width = x.shape
    x = x.permute(0, 2, 3, 1).reshape(count, height, width, 2, 2, channels // 4).transpose(2, 3)
    return x.reshape(count, 2 * height, 2 * width, channels // 4).permute(0, 3, 1, 2)


def instance_norm(x: Tensor, scale: Tensor, shift: Tensor, relu: bool = False, peak: float | None = None) -> Tensor:
    """Each channel of each picture (N, C, H, W) made to mean `shift` and standard deviation `scale` (N or 1, C).

    Ulyanov, Vedaldi and Lempitsky 2016, arXiv:1607.08022, with scales and shifts of each picture's own. Where no
    gradient is wanted, a single picture on a processor is overwritten, and so is one larger than `LARGE` anywhere.

    Args:
        x, scale, shift: as above.
        relu: whether what is below 0 becomes 0.
        peak: how many standard deviations from the mean a value may lie; what lies further is cut off. Without it a
            network learns to make a few pixels enormous, which shrinks all others, and shows them as bright blobs
            (the droplets of Karras et al. 2019, arXiv:1912.04958, section 2).
    """
    scale, shift = (v.float().expand(len(x), -1) for v in (scale, shift))
    if _is_large(x):
        return _normalize_in_place(x, scale, shift, relu, peak)
    if x.is_cuda and len(x) == 1 and x[0, 0].numel() > 1 and not torch.is_grad_enabled():
        return normalize_by_kernel(x, scale, shift, relu, peak)
    if _is_plain(x):
        return _normalize_whole(x, scale, shift, relu, peak)
    if len(x) == 1 and not torch.is_grad_enabled():
        return _normalize_one(x, scale, shift, relu, peak)
    if peak is None:
        return _InstanceNorm.apply(x, scale, shift, relu)
    one = torch.ones_like(scale)
    cut = _InstanceNorm.apply(x, one, torch.zeros_like(one), False).clamp(-peak, peak)
    cut = torch.addcmul(shift.to(cut)[:, :, None, None], cut, scale.to(cut)[:, :, None, None])
    return F.relu(cut) if relu else cut


def normalize(x: Tensor, relu: bool = False) -> Tensor:
    """Instance normalization that learns nothing: each channel of each picture to mean 0 and variance 1."""
    one = torch.ones(1, x.shape[1], device=x.device)
    return instance_norm(x, one, torch.zeros_like(one), relu)


def _normalize_whole(x: Tensor, scale: Tensor, shift: Tensor, relu: bool, peak: float | None) -> Tensor:
    """As `instance_norm`, all pictures at once, which a GPU is fast at."""
    variance, mean = torch.var_mean(x.float(), (2, 3), correction=0, keepdim=True)
    normal = (x.float() - mean) * (variance + EPS).rsqrt()
    if peak is not None:
        normal = normal.clamp(-peak, peak)
    result = torch.addcmul(shift[:, :, None, None], normal, scale[:, :, None, None])
    return (F.relu(result) if relu else result).to(x.dtype)


def normalize_by_kernel(x: Tensor, scale: Tensor, shift: Tensor, relu: bool, peak: float | None) -> Tensor:
    """As `instance_norm`, of a single picture, whose statistics are those of a batch: a GPU has one kernel for these,
    which reads features in their own format; to find them in float32 took a third of a network's time."""
    normal = F.batch_norm(x, None, None, scale[0], shift[0], training=True, eps=EPS)
    if peak is None:
        return normal.relu_() if relu else normal
    low, high = (side[:, None, None] for side in _bounds(x, scale, shift, peak))
    return normal.clamp_(*(side.clamp_min(0) if relu else side for side in (low, high)))


def _normalize_one(x: Tensor, scale: Tensor, shift: Tensor, relu: bool, peak: float | None) -> Tensor:
    """As `instance_norm`, but overwrites x: to get as much memory anew takes longer than the arithmetic."""
    x = x.contiguous(memory_format=torch.channels_last)
    torch.native_batch_norm(x, scale[0], shift[0], None, None, True, 0.0, EPS, out=(x, torch.empty(0), torch.empty(0)))
    if peak is None:
        return x.relu_() if relu else x
    rows = x[0].permute(1, 2, 0).flatten(1)  # many pixels at a time are fast to bound
    low, high = (side.repeat(x.shape[3]) for side in _bounds(x, scale, shift, peak))
    torch.minimum(rows, high.clamp_min_(0) if relu else high, out=rows)
    if relu and bool((low <= 0).all()):
        return x.relu_()
    torch.maximum(rows, low.clamp_min_(0) if relu else low, out=rows)
    return x


def _bounds(x: Tensor, scale: Tensor, shift: Tensor, peak: float) -> tuple[Tensor, Tensor]:
    """Between what each channel (C,) of a single normalized picture lies where it is cut off at a peak."""
    reach = peak * scale[0].abs()
    return (shift[0] - reach).to(x), (shift[0] + reach).to(x)


def _normalize_in_place(x: Tensor, scale: Tensor, shift: Tensor, relu: bool, peak: float | None) -> Tensor:
    """As `instance_norm`, but overwrites x and makes no copy of it."""
    spans, count = strips(*x.shape[2:]), x[0, 0].numel()
    scale, shift = scale[:, :, None, None], shift[:, :, None, None]
    total, squares = torch.zeros_like(scale), torch.zeros_like(scale)
    for top, bottom in spans:
        total += x[:, :, top:bottom].float().sum((2, 3), keepdim=True)
    mean = total / count
    for top, bottom in spans:  # once more: the mean may be far above the deviation, and its square hide the variance
        squares += (x[:, :, top:bottom].float() - mean).square_().sum((2, 3), keepdim=True)
    factor = (squares / count + EPS).rsqrt()
    for top, bottom in spans:
        part = (x[:, :, top:bottom].float() - mean) * factor
        part = torch.addcmul(shift, part if peak is None else part.clamp_(-peak, peak), scale)
        x[:, :, top:bottom] = part.relu_() if relu else part
    return x


class _InstanceNorm(torch.autograd.Function):
    """Picture by picture through the kernels of batch normalization, which know channels_last.

    PyTorch's own instance normalization turns everything into another layout and back, and takes four times as long.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, shift: Tensor, relu: bool) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        out, saved = torch.empty_like(x), []
        for i in range(len(x)):
            one, *kept = torch.native_batch_norm(x[i : i + 1], scale[i], shift[i], None, None, True, 0.0, EPS)
            out[i] = one[0].relu_() if relu else one[0]
            saved.append(kept)
        means, deviations = (torch.stack([kept[k] for kept in saved]) for k in (0, 1))
        ctx.relu = relu
        ctx.save_for_backward(x, scale, means, deviations, out if relu else None)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:  # type: ignore[override]
        x, scale, means, deviations, out = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        result, by_scale, by_shift = torch.empty_like(x), torch.empty_like(scale), torch.empty_like(scale)
        for i in range(len(x)):
            part = gradient[i : i + 1]
            if ctx.relu:
                part = torch.ops.aten.threshold_backward(part, out[i : i + 1], 0)
            found = torch.ops.aten.native_batch_norm_backward(
                part, x[i : i + 1], scale[i], None, None, means[i], deviations[i], True, EPS, [True] * 3
            )
            result[i], by_scale[i], by_shift[i] = found[0][0], found[1], found[2]
        return result, by_scale, by_shift, None


class BorrowedEncoder:
    """An encoder that a network looks through: not among the network's weights, and on whatever device the image is."""

    def __init__(self, name: str) -> None:
        self.encoder = load_encoder(name)

    def __call__(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        if self.encoder.mean.device != image.device:
            self.encoder = copy.deepcopy(self.encoder).to(image.device)
        return self.encoder(image, layers)

    def widths(self, layers: Sequence[str]) -> list[int]:
        """Channels of these layers."""
        return [getattr(self.encoder, name.replace("relu", "conv")).out_channels for name in layers]
