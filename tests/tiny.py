"""A tiny encoder with all the layers, and small pictures, for tests that need no quality."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from nst.encoders import Encoder

STAGES = [[4, 4], [6, 6], [8, 8], [8, 8], [8]]


def tiny_encoder(seed: int = 0) -> Encoder:
    torch.manual_seed(seed)
    return Encoder(STAGES).eval().requires_grad_(False)


def tiny_encoder_file(folder: Path, seed: int = 0) -> str:
    """The path of a file with a tiny encoder in it, as a recipe takes it."""
    path = folder / "tiny.safetensors"
    config = json.dumps({"stages": STAGES})
    save_file(tiny_encoder(seed).state_dict(), path, metadata={"architecture": "encoder", "config": config})
    return str(path)


def clear_encoder_file(folder: Path) -> str:
    """The path of a file with an encoder of one layer, relu1_1, whose features are the colors and their opposites."""
    encoder, path = Encoder([[6]]), folder / "clear.safetensors"
    torch.nn.init.zeros_(encoder.conv1_1.weight)
    encoder.conv1_1.weight.data[:, :, 1, 1] = torch.cat([torch.eye(3), -torch.eye(3)])
    encoder.conv1_1.bias.data = torch.tensor([0.0] * 3 + [1.0] * 3)
    save_file(encoder.state_dict(), path, metadata={"architecture": "encoder", "config": '{"stages": [[6]]}'})
    return str(path)


def picture(seed: int, height: int = 24, width: int = 32) -> Tensor:
    """A smooth random image (1, 3, height, width) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 5, 6, generator=generator)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)


def photo_folder(folder: Path) -> Path:
    """A folder with four small pictures in it, for training."""
    folder.mkdir(exist_ok=True)
    generator = np.random.default_rng(0)
    for i in range(4):
        coarse = generator.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((64, 48), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder
