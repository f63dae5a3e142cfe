"""Choosing a device never needs one that is not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from nst import device
from nst.device import choose_device

ROOT = Path(__file__).resolve().parent.parent


def test_automatic_choice_is_one_of_this_machine():
    chosen = choose_device()
    assert torch.ones(1, device=chosen.torch_device).sum() == 1 and chosen.dtype in (None, torch.bfloat16)


@pytest.mark.parametrize(("amx", "avx", "expected"), [(True, False, True), (False, True, True), (False, False, False)])
def test_bfloat16_where_the_processor_is_fast_at_it(monkeypatch, amx, avx, expected):
    processor = SimpleNamespace(_is_amx_tile_supported=lambda: amx, _is_avx512_bf16_supported=lambda: avx)
    monkeypatch.setattr(torch, "cpu", processor)
    assert (choose_device("cpu").dtype is torch.bfloat16) is expected
    assert choose_device("cpu", "float32").dtype is None
    assert choose_device("cpu", "bfloat16").dtype is torch.bfloat16


def test_autocast_reaches_convolutions():
    conv, image = torch.nn.Conv2d(3, 4, 3), torch.rand(1, 3, 8, 8)
    with choose_device("cpu", "bfloat16").autocast():
        assert conv(image).dtype is torch.bfloat16
    with choose_device("cpu", "float32").autocast():
        assert conv(image).dtype is torch.float32


def test_what_is_not_there_is_refused():
    with pytest.raises(ValueError, match="auto, cpu, cuda or mps"):
        choose_device("tpu")
    with pytest.raises(ValueError, match="bfloat16 or float32"):
        choose_device("cpu", "int8")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no cuda"):
            choose_device("cuda")


def test_images_lie_channels_last():
    placed = choose_device("cpu").place(torch.rand(1, 3, 4, 5))
    assert placed.is_contiguous(memory_format=torch.channels_last)


def test_what_may_be_taken_is_what_is_allowed(monkeypatch):
    cpu, held = choose_device("cpu"), device.resident_memory()
    monkeypatch.setenv("PASTICHE_MEMORY", f"{(held + 3e8) / 1e9:.4f}")
    assert 2e8 < device.free_memory(cpu) < 4e8
    monkeypatch.setenv("PASTICHE_MEMORY", "0.01")
    assert device.free_memory(cpu) == 0
    for wrong in ("4GB", "-1", "nan", "much"):
        monkeypatch.setenv("PASTICHE_MEMORY", wrong)
        with pytest.raises(ValueError, match=r"PASTICHE_MEMORY is a number of gigabytes"):
            device.free_memory(cpu)


def test_there_is_one_lock():
    assert device.lock.acquire(timeout=1)
    device.lock.release()


def test_threads_that_wait_leave_the_processor_to_others():
    """Said before torch is there, since OpenMP asks once; and not where the user has said something else."""
    script = "import os, sys; from nst.__main__ import main; main(['--version']); "
    script += "print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    for said, heard in ((None, "PASSIVE"), ("ACTIVE", "ACTIVE")):
        environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
        environment |= {"OMP_WAIT_POLICY": said} if said else {}
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.stdout.split()[-2:] == [heard, "False"], done.stderr
