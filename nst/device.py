"""Which device, number format and memory layout this machine is fast at."""

from __future__ import annotations

import copy
import ctypes
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import psutil
import torch
from torch import Tensor, nn

Placed = TypeVar("Placed", bound=Tensor | nn.Module)

lock = threading.Lock()
"""Whoever computes holds this: a cancelled run may still be in its last step when the next one starts."""


@dataclass(frozen=True)
class Device:
    """A device, the number format that its convolutions run in, and a name to show.

    Attributes:
        torch_device: where tensors live.
        dtype: what autocast uses, or None for plain float32. Statistics and losses stay float32.
        name: for people, such as "CPU (bfloat16)".
    """

    torch_device: torch.device
    dtype: torch.dtype | None
    name: str

    def autocast(self) -> AbstractContextManager[object]:
        """A context in which convolutions run in `dtype`."""
        return torch.autocast(self.torch_device.type, self.dtype) if self.dtype else nullcontext()

    def place(self, what: Placed) -> Placed:
        """An image tensor (N, C, H, W), or a network for such, on this device with channels last."""
        return what.to(self.torch_device, memory_format=torch.channels_last)  # type: ignore


def moved(network: nn.Module, device: Device) -> Any:
    """A network that others use as well, on this device: a copy, unless that is the CPU, where it is."""
    return network if device.torch_device.type == "cpu" else _moved(network, device.torch_device)


@lru_cache(maxsize=8)
def _moved(network: nn.Module, device: torch.device) -> nn.Module:
    return copy.deepcopy(network).to(device)


emulating: int | None = None
"""The process that has a GPU by PyTorch's word alone: the main one of ZeroGPU. None elsewhere."""


def has_cuda() -> bool:
    """Whether this process can compute on an NVIDIA GPU."""
    return torch.cuda.is_available() and os.getpid() != emulating


def choose_device(name: str | Device = "auto", precision: str = "auto") -> Device:
    """The fastest device here, or the one asked for.

    Args:
        name: "auto", "cpu", "cuda", "cuda:1", ... or "mps"; or a device that was chosen already, which it stays.
        precision: "auto", "bfloat16" or "float32". Automatic is bfloat16 on GPUs that have it and on
            processors with AMX or AVX512-BF16; elsewhere bfloat16 is emulated, and several times slower.

    Raises:
        ValueError: this machine has no such device, or the name is unknown.
    """
    if isinstance(name, Device):
        return name
    if name == "auto":
        name = "cuda" if has_cuda() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind = name.split(":")[0]
    if kind not in {"cpu", "cuda", "mps"}:
        raise ValueError(f'No device "{name}": choose auto, cpu, cuda or mps.')
    if (kind == "cuda" and not has_cuda()) or (kind == "mps" and not torch.backends.mps.is_available()):
        raise ValueError(f"This machine has no {kind} device, or its PyTorch cannot use it: choose auto or cpu.")
    if precision not in {"auto", "bfloat16", "float32"}:
        raise ValueError(f'No precision "{precision}": choose auto, bfloat16 or float32.')
    bfloat16 = precision == "bfloat16" or (precision == "auto" and _fast_bfloat16(kind))
    title = torch.cuda.get_device_name(torch.device(name)) if kind == "cuda" else kind.upper()
    number = "bfloat16" if bfloat16 else "float32"
    return Device(torch.device(name), torch.bfloat16 if bfloat16 else None, f"{title} ({number})")


def free_memory(device: Device) -> int:
    """Bytes that may still be taken: the GPU's own, or of the machine, of the container this runs in, and of what
    `PASTICHE_MEMORY` allows this program. Raises ValueError where that is no number of gigabytes."""
    if device.torch_device.type == "cuda":
        free, whole = torch.cuda.mem_get_info(device.torch_device)
        allowed = torch.cuda.get_per_process_memory_fraction(device.torch_device.index) * whole
        return int(min(free, allowed - torch.cuda.memory_allocated(device.torch_device)))
    found = [psutil.virtual_memory().available]
    if most := os.environ.get("PASTICHE_MEMORY"):
        if not re.fullmatch(r"\d+(\.\d+)?", most):
            raise ValueError(f"PASTICHE_MEMORY is a number of gigabytes, such as 4 or 2.5; not '{most[:40]}'.")
        found.append(max(0, round(float(most) * 1e9) - resident_memory()))
    for limit, taken in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        with suppress(OSError, ValueError):  # "max" is no number: no limit
            found.append(max(0, int((CONTAINER / limit).read_text()) - int((CONTAINER / taken).read_text())))
    return min(found)


CONTAINER = Path("/sys/fs/cgroup")
"""Where Linux tells what memory this process's container may take (cgroups, version 2 and 1)."""


def trim_memory() -> None:
    """Give the system back what the C library (glibc) keeps of freed memory; elsewhere nothing."""
    ask_glibc("malloc_trim", 0)


def ask_glibc(function: str, *numbers: int) -> None:
    """Call a function of the C library where it has one of that name; Windows has no such library to ask."""
    with suppress(AttributeError, OSError):
        if sys.platform == "linux":
            getattr(ctypes.CDLL(None), function)(*numbers)


@contextmanager
def peak_memory(device: torch.device) -> Iterator[Callable[[], int]]:
    """Watches memory: the value, called afterwards, gives the bytes at the peak above those at the start.

    On a GPU the allocator tells; on the CPU the process's resident memory is looked at every few milliseconds.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield lambda: torch.cuda.max_memory_allocated(device) - before
        return
    trim_memory()  # what is kept of freed memory would hide the peak
    before = highest = resident_memory()
    done = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.005):
            highest = max(highest, resident_memory())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: highest - before
    finally:
        done.set()
        watcher.join()


def resident_memory() -> int:
    """Bytes of memory this process holds."""
    return int(psutil.Process().memory_info().rss)


def _fast_bfloat16(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    # The two questions have no public name in every torch from 2.8 on; unknown means no.
    asked = (getattr(torch.cpu, f"_is_{what}_supported", bool) for what in ("amx_tile", "avx512_bf16"))
    return kind == "cpu" and any(question() for question in asked)
