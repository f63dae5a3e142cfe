"""How well do translators do, what do they do to the background, and what does the way back lose?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.color import to_lab
from nst.encoders import load_encoder
from nst.images import middle_square, resize
from nst.metrics import style_closure
from nst.registry import load_model
from nst.research.evaluate.grid import Row, averaged
from nst.research.evaluate.sheets import named_content, named_style, side_by_side, write
from nst.translate import MODEL, translate

BACKGROUND, AROUND = 0.1, 3  # see `background_of`


def compare_translate(
    *,
    photos: Sequence[str],
    models: Sequence[str] = (MODEL,),
    squeezenet: str | None = None,
    source: int = 339,
    label: int = 340,
    judge: str = "compact",
    styles: Sequence[str] = (),
    size: int = 256,
    out: str | None = None,
) -> Iterator[Row]:
    """How well translators do, side by side: a row for each photo and model, and each model's mean.

    `label` is the probability, by SqueezeNet, that the result shows what it should, and `top` whether that is what it
    finds likeliest; `background` is how far the colors moved (CIE Lab, see `color_shift`) where it sees nothing of what
    was to be translated; `closed` the share of the judge's style distance to the pictures of the other kind that is
    closed, all of them side by side as one picture, since the style of a painter is what his pictures have in common;
    `cycle` is the mean absolute difference (L1) between the photo and what came back, where the way back is known;
    `changed` the mean absolute change of all pixels; `seconds` the time.

    Args:
        photos: picture files.
        models: translators, by name or file; of layouts of others too.
        squeezenet: SqueezeNet's file, for `label`, `top` and `background`; left out is none.
        source: number of its class that is to be translated; 339 is a brown horse.
        label: number of the class that it should become; 340 is a zebra.
        judge: an encoder that had no part in the training, by name or file, for `closed`.
        styles: picture files of the other kind, for `closed`; left out is none.
        size: long side in pixels.
        out: folder for a sheet: a row for each photo, what became of it, and what came back.
    """
    classifier: Any = load_model(Path(squeezenet), architecture="squeezenet") if squeezenet else None
    encoder = load_encoder(judge)
    kind = torch.cat([middle_square(named_style(text)[1], size) for text in styles], 3) if styles else None
    rows, columns = list[Row](), {"photo": dict[str, Tensor]()}
    for name, whole in map(named_content, photos):
        columns["photo"][name] = photo = resize(whole, size)
        background = background_of(classifier.locate(resize(photo, 384), source)) if classifier else photo
        for model in models:
            translate(photo, model=model, size=size)  # once for nothing: what follows is timed
            began = time.perf_counter()
            found = translate(photo, model=model, size=size)
            row: Row = {"photo": name, "by": Path(model).stem, "seconds": time.perf_counter() - began}
            if classifier:
                judged = classifier(resize(found.image, (227, 227)))[0]
                row |= {"label": float(judged[label]), "top": float(judged.argmax() == label)}
                row |= {"background": color_shift(found.image, photo, background)}
            if kind is not None:
                row |= {"closed": style_closure(found.image, found.photo, kind, encoder)}
            rows.append(row | {"cycle": found.cycle, "changed": found.changed})
            columns.setdefault(row["by"], {})[name] = found.image
            if found.back is not None:
                columns.setdefault(f"{row['by']}, back", {})[name] = found.back
            yield rows[-1]
    yield from averaged(rows, "by")
    if out:
        write(Path(out) / "translate.png", side_by_side(columns))


def background_of(places: Tensor) -> Tensor:
    """Where nothing of a thing is, 1 or 0 (1, 1, H, W), of how likely it is there: not within `AROUND` places of it.

    A classifier is sure of the most telling places of a thing only, such as a head, so that around them there is more.
    """
    found = F.max_pool2d(places, 2 * AROUND + 1, 1, AROUND)
    return (found < BACKGROUND).float()


def color_shift(image: Tensor, reference: Tensor, where: Tensor) -> float:
    """How far the colors of an image (1, 3, H, W) in [0, 1] moved from those of another of its size, place by place.

    Mean distance in CIE Lab (about 2 can just be seen) between the mean colors of squares of a sixteenth of the short
    side, so that texture has no part in it.

    Args:
        where: weights (1, 1, h, w) of the places that count, of any resolution.
    """
    cell = max(1, min(image.shape[-2:]) // 16)
    change = (to_lab(F.avg_pool2d(image, cell)) - to_lab(F.avg_pool2d(reference, cell))).norm(dim=1, keepdim=True)
    weights = F.interpolate(where.to(change), change.shape[-2:], mode="bilinear")
    return float((change * weights).sum() / weights.sum().clamp_min(1e-6))
