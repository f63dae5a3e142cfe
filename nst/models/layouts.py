"""Generators of others under the names that they gave their layers: which layouts are known, and what is what in them.

All are stacks numbered from the input on, with the numbers of layers without weights left out: a padding, a
convolution, a normalization and a ReLU; two convolutions of stride 2; the residual blocks; two enlargements; a padding,
a convolution and tanh. How far apart the enlargements stand is what tells the stacks from each other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

FIRST_BLOCK = 10
KNOWN = "gan-compression, pytorch-CycleGAN-and-pix2pix with instance normalization, and PyTorch-GAN"

STRIDES = {"transposed": 3, "resize": 4}
"""Layers that an enlargement takes: convolution, normalization, ReLU; and an enlargement of its own before them."""


def from_other_layouts(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration and weights, under our names, of a generator in one of the layouts `KNOWN`. Raises ValueError where
    tensors are missing or too many, or the names are of no layout known here."""
    # Older versions of PyTorch wrote statistics that instance normalization has no use for.
    norms = {name.rpartition(".")[0] for name, tensor in tensors.items() if re.fullmatch(r".*\.running_mean", name)}
    if any(f"{norm}.weight" in tensors for norm in norms):
        raise ValueError(f"this generator has batch normalization; known are {KNOWN}.")
    parts = ("running_mean", "running_var", "num_batches_tracked")
    rest = {k: v for k, v in tensors.items() if not k.endswith(parts)}
    found = [re.fullmatch(r"model\.(\d+)\.(?:conv_)?block\.(\d+)((?:\.conv\.[02])?)\.weight", name) for name in rest]
    inside = [match for match in found if match]
    if not inside:
        raise ValueError(f"these names are of no generator known here; known are {KNOWN}.")
    blocks = len({match[1] for match in inside})
    second = max(int(match[2]) for match in inside)
    separable = any(match[3] for match in inside)
    kind = "conv_block" if any(".conv_block." in name for name in rest) else "block"
    upsampling = "transposed" if kind == "conv_block" else "resize"
    places = _places(blocks, kind, second, separable, STRIDES[upsampling])
    ours = renamed(rest, {theirs: f"generators.0.net.{name}" for theirs, name in places.items()})
    return _config(ours, blocks, separable, upsampling), ours


def renamed(tensors: Mapping[str, Tensor], places: Mapping[str, str]) -> dict[str, Tensor]:
    """Weights and biases of layers under other names: `places` has the old name of each layer to the new one. Raises
    ValueError where tensors are missing or too many."""
    names = {f"{old}.{part}": f"{new}.{part}" for old, new in places.items() for part in ("weight", "bias")}
    if missing := [name for name in names if name not in tensors]:
        raise ValueError(f"{missing[0]!r} is missing.")
    if more := sorted(tensors.keys() - names.keys()):
        raise ValueError(f"{', '.join(more[:3])} should not be there.")
    return {new: tensors[old] for old, new in names.items()}


def _places(blocks: int, kind: str, second: int, separable: bool, stride: int) -> dict[str, str]:
    """Their name of each layer to ours."""
    places = {"model.1": "first", "model.4": "down.0", "model.7": "down.1"}
    for i in range(blocks):
        for j, layer in enumerate((1, second)):
            theirs, ours = f"model.{FIRST_BLOCK + i}.{kind}.{layer}", f"blocks.{i}.{j}"
            if separable:
                places |= {f"{theirs}.conv.0": f"{ours}.depth", f"{theirs}.conv.2": f"{ours}.point"}
            else:
                places[theirs] = ours
    up = FIRST_BLOCK + blocks + stride - 3
    last = FIRST_BLOCK + blocks + 2 * stride + 1
    return places | {f"model.{up}": "up.0", f"model.{up + stride}": "up.1", f"model.{last}": "last"}


def _config(ours: Mapping[str, Tensor], blocks: int, separable: bool, upsampling: str) -> dict[str, Any]:
    """The generator's arguments, read from the shapes of its weights."""

    def width(layer: str) -> int:
        return ours[f"generators.0.net.{layer}.weight"].shape[0]

    inner = [width(f"blocks.{i}.0.point" if separable else f"blocks.{i}.0") for i in range(blocks)]
    config: dict[str, Any] = {"widths": [width(layer) for layer in ("first", "down.0", "down.1")], "blocks": blocks}
    config |= {"inner": inner, "kernel": ours["generators.0.net.first.weight"].shape[-1]}
    return config | {"separable": separable, "upsampling": upsampling}
