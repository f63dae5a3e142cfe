"""A stand-in for Apple's GPU: tensors of a device of their own, which are computed on the CPU and refuse float64."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

DEVICE = torch.device("meta")  # "mps" has no autograd where PyTorch was built without it
REFUSED = "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64."


class _AppleTensor(Tensor):
    """Says that it lies on the device; what it holds lies on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> _AppleTensor:
        if held.dtype in (torch.float64, torch.complex128):
            raise TypeError(REFUSED)
        made = Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )
        made.held = held
        return made

    def __repr__(self, **_: Any) -> str:
        return f"device: {self.held!r}"

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(function, args, kwargs or {})


class _Made(TorchDispatchMode):
    """Puts what is made on the device there, too."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(function, args, kwargs or {})


class _MadeFromNumbers(TorchFunctionMode):
    """Numbers go to the device from the CPU: otherwise they would be lost before a dispatch could be seen."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if function is Tensor.tolist:
            return args[0].cpu().tolist() if args[0].device == DEVICE else function(*args)
        if function is Tensor.new_tensor:
            like, *args = args
            kwargs = {"dtype": like.dtype, "device": like.device, **kwargs}
            function = torch.tensor
        if function not in (torch.tensor, torch.as_tensor) or torch.device(kwargs.get("device") or "cpu") != DEVICE:
            return function(*args, **kwargs)
        del kwargs["device"]
        return function(*args, **kwargs).to(DEVICE)


def _compute(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    given: list[Tensor] = []

    def unwrapped(value: Any) -> Any:
        if isinstance(value, Tensor):
            given.append(value)
        return value.held if isinstance(value, _AppleTensor) else value

    args, kwargs = tree_map(unwrapped, (args, kwargs))
    ours = [tensor for tensor in given if isinstance(tensor, _AppleTensor)]
    target = kwargs.get("device")
    moved = function is torch.ops.aten._to_copy.default and target is not None
    onto = torch.device(target) == DEVICE if target is not None else bool(ours)
    if not moved and function is not torch.ops.aten.copy_.default:
        strangers = [t for t in given if not isinstance(t, _AppleTensor) and t.ndim]
        assert not (ours and strangers), f"{function}: tensors on two devices"
    if target is not None:
        kwargs["device"] = torch.device("cpu")
    if onto and kwargs.get("dtype") is torch.float64:
        raise TypeError(REFUSED)
    known = {id(tensor.held): tensor for tensor in ours}  # of operations in place
    result = function(*args, **kwargs)

    def wrapped(value: Any) -> Any:
        if not isinstance(value, Tensor) or not onto:
            return value
        return known[id(value)] if id(value) in known else _AppleTensor(value)

    return tree_map(wrapped, result)


@contextmanager
def apple_gpu() -> Iterator[torch.device]:
    """Within it, tensors can be moved to the device that it gives."""
    real, enabled = torch.autocast, torch.is_autocast_enabled  # which know no such device
    torch.autocast = lambda kind, *rest, **more: nullcontext() if kind == DEVICE.type else real(kind, *rest, **more)
    torch.is_autocast_enabled = lambda *kind: kind != (DEVICE.type,) and enabled(*kind)
    try:
        with _Made(), _MadeFromNumbers():
            yield DEVICE
    finally:
        torch.autocast, torch.is_autocast_enabled = real, enabled
