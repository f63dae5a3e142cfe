"""What a step asks of the host, recorded: a CUDA graph may ask nothing, and there is no GPU here to say so."""

from __future__ import annotations

import torch
from torch.utils._python_dispatch import TorchDispatchMode

READS = {"_local_scalar_dense", "item", "is_nonzero", "equal", "nonzero", "masked_select", "bincount", "unique"}
MAKES = {"lift_fresh", "lift_fresh_copy", "scalar_tensor"}
"""Operations that read a number back from the device, and those that make a tensor of a Python number."""


class Host(TorchDispatchMode):
    """Records what a step asks of the host."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        masks = [i for i in (args[1] if name in ("index", "index_put_") else ()) if i is not None]
        if name in READS | MAKES or any(mask.dtype == torch.bool for mask in masks):
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


class Operations(TorchDispatchMode):
    """Counts operations that a GPU would have to start: not those that only look at memory in another way."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += not (func.is_view or func.overloadpacket.__name__ in LOOKS)
        return func(*args, **(kwargs or {}))


LOOKS = {"_unsafe_view", "detach", "empty", "empty_like", "new_empty", "empty_strided"}
