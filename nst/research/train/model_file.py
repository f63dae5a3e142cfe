"""What a training begins with, and what it leaves: initial weights, and a file with its card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nst.encoders import load_encoder
from nst.weights import WeightsError, load_tensors, save_tensors


def seed_weights(seed: int, encoder: str | None = None) -> None:
    """Make the initial weights of what is built next those of this seed.

    A network that looks through an encoder loads it while it is built, if it is not loaded yet, which would use up
    random numbers: it is loaded here first.
    """
    if encoder:
        load_encoder(encoder)
    torch.manual_seed(seed)


def warm_start(model: nn.Module, path: str | Path, without: Sequence[str] = ()) -> None:
    """Take over the tensors of a file that have the names and shapes of the model's own. Raises WeightsError where
    there are none, or the file is damaged."""
    own = model.state_dict()
    found = {k: v.float() for k, v in load_tensors(Path(path)).items() if k not in without}
    found = {k: v for k, v in found.items() if k in own and v.shape == own[k].shape}
    if not found:
        raise WeightsError(f"{path} holds nothing that this network could start from.")
    model.load_state_dict(found, strict=False)


def write_model(
    model: nn.Module,
    folder: Path,
    architecture: str,
    config: Mapping[str, Any],
    record: Mapping[str, Any],
    about: str,
    *,
    file: str | None = None,
    command: str | None = None,
    license: str = "mit",
    source: str | None = None,
) -> None:
    """Write a model as float16 safetensors, its configuration in the metadata, and a card beside it.

    Args:
        folder: where `FILE.safetensors` and README.md go.
        config: the architecture's arguments.
        record: the last one of the training, for the card.
        about: what the model does and what it was trained on.
        file: what it is called; None means as its architecture.
        command: what trains it; None means the one of that name.
        source: where the papers are named; None means where the architecture is.
    """
    tensors = {k: v.detach().half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    tensors = {k: v.cpu() for k, v in tensors.items()}
    metadata = {"architecture": architecture, "config": json.dumps(config)}
    file = file or architecture
    save_tensors(folder / f"{file}.safetensors", tensors, metadata)
    terms = "\n".join(f"| {name} | {value} |" for name, value in record.items() if name not in ("step", "steps"))
    card = CARD.format(
        name=file,
        command=command or file,
        license=license,
        about=about,
        terms=terms,
        step=record["step"],
        steps=record["steps"],
        source=source or f"nst/models/{architecture}.py",
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


CARD = """---
license: {license}
library_name: nst
tags: [neural-style-transfer, {name}]
---
# {name}

{about}

Trained by `python -m nst train {command}` for {step} of {steps} steps; the weights are the moving average of the last
ones. At the end, on training crops:

| | |
| --- | --- |
{terms}

RGB in [0, 1]. `{source}` names the papers, and says where this differs from them.
"""
