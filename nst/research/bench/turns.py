"""A clock for several things that take turns: what the machine gives at the moment, it gives to all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, TypeVar

import torch

from nst.device import Device, peak_memory

Key = TypeVar("Key")


@dataclass
class Taken:
    """What something took: seconds of each call but those that are not counted, what all calls gave, and bytes above
    what the process held before, at the peak."""

    times: list[float] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    memory: int = 0

    @property
    def seconds(self) -> float:
        """Of a call: the median."""
        return median(self.times)


def in_turn(calls: Mapping[Key, Callable[[], Any]], device: Device, rounds: int, times: int = 1) -> dict[Key, Taken]:
    """What each of several things takes, that are called so many times in each round, after one that is not counted."""
    found = {key: Taken() for key in calls}
    for _ in range(rounds):
        for key, call in calls.items():
            taken = found[key]
            with peak_memory(device.torch_device) as peak:
                taken.results.append(call())
                wait(device)
                for _ in range(times):
                    began = time.perf_counter()
                    taken.results.append(call())
                    wait(device)
                    taken.times.append(time.perf_counter() - began)
            taken.memory = max(taken.memory, peak())
    return found


def seconds(call: Callable[[], Any], device: Device) -> float:
    """What a call takes: of the processor, all cores together, whatever else the machine does; of a GPU by its events,
    with what it waits for meanwhile."""
    wait(device)
    if device.torch_device.type != "cuda":
        began = time.process_time()
        call()
        return time.process_time() - began
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    call()
    last.record()
    last.synchronize()
    return first.elapsed_time(last) / 1000


def wait(device: Device) -> None:
    """Until the device has done what it was asked."""
    if device.torch_device.type == "cuda":
        torch.cuda.synchronize()
