"""Does a picture's style know its own painting, and its painter? Crops of paintings, and what each is nearest to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from nst.collection.embeddings import LAYERS, content_embedding, style_embedding
from nst.device import choose_device
from nst.encoders import load_encoder
from nst.images import resize
from nst.losses import mean_variance
from nst.metrics import SCALES, Pyramid
from nst.registry import load_model
from nst.research.evaluate.pictures import load


def compare_crops(
    *,
    styles: Sequence[str],
    painters: Sequence[str] = (),
    encoder: str = "compact",
    classifier: str | None = None,
    size: int = 512,
) -> Iterator[dict[str, Any]]:
    """How often is a crop of a painting nearest to another crop of the same, and of the same painter?

    A row for each way to compare: by style and by content as `nst map` does, by style in the eyes of a network that was
    taught no more than to tell things apart, and by the pyramid that needs no weights.
    Each painting is cut into its four quarters, which share no pixel. `painting` is the share of quarters whose nearest
    other one is of their own painting. Of the quarters by a painter with several works, `painter` is the share whose
    nearest of another painting is by the same hand, and `chance` what lots would give; `nearer` is how often one of
    another work of that hand is nearer than one by any other (by chance a half).

    Args:
        styles: picture files, of paintings.
        painters: how the files' names of a painter with several works begin; those of one painter joined by "+".
        encoder: looks at them, by name or file.
        classifier: SqueezeNet's file, to look at them as well.
        size: long side in pixels of a painting before it is cut.
    """
    device = choose_device()
    network, pyramid = load_encoder(encoder), Pyramid()
    other: Any = load_model(Path(classifier), architecture="squeezenet") if classifier else None
    vectors: dict[str, list[Tensor]] = {name: [] for name in ("style", "content", "pyramid")}
    vectors |= {"classifier": []} if other else {}
    owners: list[int] = []
    for i, path in enumerate(styles):
        for crop in _quarters(resize(load(path), size)):
            with torch.no_grad():
                with device.autocast():
                    features = network(device.place(crop), LAYERS)
                vectors["style"].append(style_embedding(features))
                vectors["content"].append(content_embedding(features))
                waves = pyramid(crop, SCALES)
                if other:
                    vectors["classifier"].append(style_embedding(other.look(crop, LAYERS)))
            moments = [torch.cat([m[0], v[0].sqrt()]) for m, v in (mean_variance(waves[name]) for name in SCALES)]
            vectors["pyramid"].append(torch.cat([part / part.norm().clamp_min(1e-8) for part in moments]))
            owners.append(i)
    stems = [Path(path).stem for path in styles]
    hands = {hand: tuple(hand.split("+")) for hand in painters}
    painter = [next((hand for hand, begins in hands.items() if stem.startswith(begins)), stem) for stem in stems]
    for name, found in vectors.items():
        yield {"by": name, "crops": len(owners)} | _shares(torch.stack(found).cpu().float(), owners, painter)


def _quarters(image: Tensor) -> Iterator[Tensor]:
    tall, wide = (side // 2 for side in image.shape[-2:])
    for top in (0, tall):
        for left in (0, wide):
            yield image[..., top : top + tall, left : left + wide]


def _shares(vectors: Tensor, owners: Sequence[int], painter: Sequence[str]) -> dict[str, Any]:
    apart = torch.cdist(vectors.double(), vectors.double()).fill_diagonal_(float("inf"))
    own = torch.tensor(owners)
    found: dict[str, Any] = {"painting": float((own[apart.argmin(1)] == own).float().mean())}
    hits, chances, nearer = [], [], []
    for i, mine in enumerate(owners):
        works = [n for n, name in enumerate(painter) if name == painter[mine] and n != mine]
        if not works:
            continue
        same = torch.isin(own, torch.tensor(works))
        strange = torch.tensor([painter[n] != painter[mine] for n in owners])
        hits.append(float(apart[i][same].min() < apart[i][strange].min()))
        chances.append(len(works) / (len(painter) - 1))
        nearer.append(float((apart[i][same][:, None] < apart[i][strange][None]).float().mean()))
    for name, values in (("painter", hits), ("chance", chances), ("nearer", nearer)):
        found[name] = mean(values) if values else None
    return found
