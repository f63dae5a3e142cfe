"""What does a photo's contrast do to a network's result: with instance normalization, and with batch normalization?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from nst.fast import make_painter
from nst.images import resize
from nst.registry import load_model
from nst.research.evaluate.pictures import contact_sheet, load, means, write


def compare_contrast(
    *,
    instance: str,
    batch: str,
    photos: Sequence[str],
    factor: float = 0.5,
    size: int = 384,
    out: str | None = None,
) -> Iterator[dict[str, Any]]:
    """How much two networks of one style mind a photo's contrast: a row for each photo, and their mean.

    A style has a contrast of its own, so that of the photo should not matter: Ulyanov, Vedaldi and Lempitsky 2016,
    arXiv:1607.08022. `photo` is the mean absolute difference between the photo and itself with less contrast,
    `instance` and `batch` that between the two results of each network, both in levels from 0 to 255; `instance_share`
    and `batch_share` are these relative to the photo's, and `ratio` is `instance` relative to `batch`.

    Args:
        instance: file of a network that was trained with instance normalization (`train johnson`).
        batch: file of its twin, trained with batch normalization.
        photos: picture files.
        factor: what the differences from the photo's mean color are multiplied by.
        size: long side in pixels.
        out: folder for a contact sheet: a row for each photo; itself, then the results of both networks, each before
            and after.

    Raises:
        ValueError: a network has the other normalization, or the factor is not from 0 to below 1.
    """
    if not 0 <= factor < 1:
        raise ValueError(f"The factor takes contrast away, so it is a number from 0 to below 1, not {factor:g}.")
    painters = {"instance": _painter(instance, "instance"), "batch": _painter(batch, "batch")}
    rows, strips = [], []
    for path in photos:
        photo = resize(load(path), size)
        pairs = {"photo": (photo, less_contrast(photo, factor))}
        pairs |= {norm: _both(painter, *pairs["photo"]) for norm, painter in painters.items()}
        row = {name: 255 * float((after - before).abs().mean()) for name, (before, after) in pairs.items()}
        row |= {f"{norm}_share": row[norm] / max(row["photo"], 1e-6) for norm in painters}
        rows.append(row)
        strips.append([picture for pair in pairs.values() for picture in pair])
        yield {"photograph": Path(path).stem, **row, "ratio": _ratio(row)}
    mean = means(rows)
    yield {"photograph": "mean", **mean, "ratio": _ratio(mean)}
    if out:
        write(Path(out) / "contrast.jpg", contact_sheet(strips, columns=1))


def less_contrast(image: Tensor, factor: float) -> Tensor:
    """An image (N, 3, H, W) whose differences from its mean color are multiplied by `factor`."""
    mean = image.mean((2, 3), keepdim=True)
    return mean + factor * (image - mean)


def _painter(file: str, norm: str) -> Any:
    """What paints with a network of one style.

    Raises:
        ValueError: it is none, or its normalization is another.
    """
    network: Any = load_model(file)
    found = getattr(network, "config", {}).get("norm", "instance")
    if found != norm:
        raise ValueError(f"{file} has {found} normalization, where one with {norm} normalization is asked for.")
    return make_painter(model=file)


def _both(painter: Any, *photos: Tensor) -> tuple[Tensor, Tensor]:
    before, after = (painter.paint(photo) for photo in photos)
    return before, after


def _ratio(row: dict[str, float]) -> float:
    return row["instance"] / max(row["batch"], 1e-6)
