"""Translation: a picture of one kind through a network that makes it one of another kind, and back where it can.

Models are found by name (`nst.registry.list_models("translator")`); each has one direction or two, or another
model is its way back.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nst.device import Device, choose_device, moved
from nst.images import resize
from nst.optimize import Step
from nst.registry import Progress, list_models, load_model
from nst.settings import SETTINGS, check

MODEL = "horse2zebra"

ROWS = SETTINGS | {"size": replace(SETTINGS["size"], high=4096)}  # what the settings may be here

OTHER_WAY = {"horse2zebra_large": "zebra2horse", "zebra2horse": "horse2zebra_large"}
"""Models that are one cycle, in a file for each direction."""

HARDLY = 0.015
"""Mean absolute change below which a picture is as good as unchanged; what any network does to noise is more."""


@dataclass(frozen=True)
class Translation:
    """A translated picture.

    Attributes:
        photo: the picture as the network saw it, (1, 3, H, W) in [0, 1], as all of these; on the CPU.
        image: what became of it.
        back: that translated back, where the model knows the way, or None.
    """

    photo: Tensor
    image: Tensor
    back: Tensor | None = None

    @property
    def changed(self) -> float:
        """Mean absolute difference between photo and result, 0 to 1."""
        return float((self.image - self.photo).abs().mean())

    @property
    def cycle(self) -> float | None:
        """Mean absolute difference (L1) between the photo and what came back."""
        return None if self.back is None else float((self.back - self.photo).abs().mean())

    @property
    def note(self) -> str | None:
        """What is to be said of it, in sentences, or None."""
        said = []
        if self.changed < HARDLY:
            said.append("Hardly anything was changed: the network found next to nothing here that it translates.")
        if self.cycle is not None:
            said.append(f"Translated back, it is {self.cycle:.1%} off the photo, where black to white is 100%.")
        return " ".join(said) or None


@torch.no_grad()
def translate(
    photo: Tensor, *, model: str = MODEL, direction: str | None = None, size: int = 384, device: str | Device = "auto"
) -> Translation:
    """Translate a picture, and back again where the model knows the way.

    Args:
        photo: (1, 3, H, W) in [0, 1], of any size.
        model: a name of `list_models("translator")`, or a file.
        direction: which way, of a model that knows two; None means its first.
        size: long side of the result in pixels; networks see what they learned to see at about 256.
        device: see `nst.device.choose_device`.

    Raises:
        ValueError: an unknown model or direction (what there is is told), or a size out of range.
        nst.weights.WeightsError: the weights are missing or damaged.
    """
    check(ROWS, size=size)
    device = choose_device(device)
    network = placed(model, device)
    directions = getattr(network, "directions", ())
    if not directions:
        raise ValueError(f'"{model}" does not translate pictures. There are: {", ".join(directions_of_all())}.')
    way = _number(direction, directions)
    seen = device.place(resize(photo, size))
    with device.autocast():
        made = network(seen, way)
        back = network(made, 1 - way) if len(directions) == 2 else None
        if other := OTHER_WAY.get(model):
            back = placed(other, device)(made)
    shown = [None if x is None else x.float().clamp(0, 1).cpu() for x in (seen, made, back)]
    return Translation(*shown)  # type: ignore[arg-type]


def translate_run(content: Tensor, **settings: Any) -> Iterator[Step]:
    """A translation as a run, for who shows runs: one step, whose pictures (2 or 3, 3, H, W) are the photo, what became
    of it, and where the model knows the way, that translated back.

    Args:
        content: the photo; see `translate`.
        settings: of `translate`.
    """
    found = translate(content, **settings)
    yield Step(1, 1, torch.cat([x for x in (found.photo, found.image, found.back) if x is not None]), {}, found.note)


def load_translator(model: str, *, progress: Progress | None = None) -> None:
    """Load a model by name, and the one of its way back where that is another, so that translating fetches nothing.

    Args:
        progress: called with (bytes done, bytes in all) during a download.

    Raises:
        nst.weights.WeightsError: they are not to be had, damaged, or refused.
    """
    for name in filter(None, (model, OTHER_WAY.get(model))):
        load_model(name, progress=progress, architecture="cyclegan")


def comes_back(model: str) -> bool:
    """Whether the way back is known, by name."""
    return model in OTHER_WAY or len(directions_of_all()[model]) == 2


def directions_of_all() -> dict[str, tuple[str, ...]]:
    """Every translator's directions, by its name; downloads and loads nothing."""
    return {entry.name: tuple(entry.config["directions"]) for entry in list_models("translator")}


def model_of_each() -> dict[str, str]:
    """Every direction that there is, and the name of the model that knows it."""
    return {way: model for model, ways in directions_of_all().items() for way in ways}


def _number(direction: str | None, known: tuple[str, ...]) -> int:
    if direction is None:
        return 0
    if direction in known:
        return known.index(direction)
    near = difflib.get_close_matches(direction.lower(), known, 1, 0.3)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ValueError(f'This model knows {" and ".join(known)}, not "{direction[:60]}".{hint}')


def placed(name: str, device: Device) -> Any:
    """The translator of this name or file on this device."""
    return moved(load_model(name, architecture="cyclegan"), device)
