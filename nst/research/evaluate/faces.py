"""How near do generated faces come to real ones?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from nst.device import Device, choose_device
from nst.encoders import load_encoder
from nst.faces import MODEL, sample_faces
from nst.fidelity import distance_to
from nst.images import resize
from nst.registry import load_model
from nst.research.train.faces import Faces


def compare_faces(
    *,
    data: str,
    models: Sequence[str] = (MODEL,),
    held: int = 2000,
    truncations: Sequence[float] = (1.0, 0.7),
    judge: str = "compact",
    size: int | None = None,
    seed: int = 0,
    device: str | Device = "auto",
) -> Iterator[dict[str, Any]]:
    """How near generated faces come to real ones that no generator has seen: a row for as many other real ones, and
    one for each generator and truncation.

    `distance` is the kernel distance (see `nst.fidelity`), a thousandfold; `per_second` how many faces are made.

    Args:
        data: folder or tar file of faces.
        models: generators, by name or file.
        held: how many of the last pictures of `data` are compared with; they were kept from the training.
        truncations: see `nst.faces.sample_faces`.
        judge: the encoder that compares, by name or file.
        size: side in pixels at which all are compared, generated ones resized; None means that of the first generator.
        seed: the number of the first face.
        device: see `nst.device.choose_device`.
    """
    device = choose_device(device)
    encoder, side = load_encoder(judge).to(device.torch_device), size or int(load_model(models[0]).resolution)  # type: ignore[arg-type]
    faces = Faces(data, side, held)

    def distance(made: torch.Tensor) -> float:
        return round(1000 * distance_to(faces.held, made, encoder, device), 2)

    yield {"faces": "real", "truncation": 1.0, "distance": distance(faces.images[:held]), "per_second": ""}
    for model in models:
        for truncation in truncations:
            began = time.monotonic()
            made = [
                sample_faces(count=min(500, held - i), seed=seed + i, truncation=truncation, model=model, device=device)
                for i in range(0, held, 500)
            ]
            rate = held / (time.monotonic() - began)
            row = {
                "faces": model,
                "truncation": truncation,
                "distance": distance(resize(torch.cat(made), (side, side))),
            }
            yield row | {"per_second": round(rate)}
