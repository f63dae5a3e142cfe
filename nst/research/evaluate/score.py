"""Does the pastiche score go where it must? Sweeps along which it is known, and what each of its parts is worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from nst.images import resize
from nst.metrics import PARTS, Aim, find_judge, pastiche_score
from nst.metrics.score import total_of
from nst.research.evaluate.grid import Ledger
from nst.research.evaluate.sheets import named_content, named_style
from nst.research.evaluate.sweeps import LEVELS, RISING, Pair, painted_on, swept

CONTENTS = ("chelsea", "coffee", "astronaut", "rocket")
STYLES = ("night", "waves", "mosaic", "ink", "glass", "meadow", "linocut", "dots", "prism", "aquarelle", "watercolor")
SHOWN = (0.5, 0.7, 1.0, 1.4, 2.0)
CROPS = (1.0, 0.97, 0.94, 0.91, 0.88)
"""At what share of its size a result is shown, and what share of its sides is left; the score should not care."""


def compare_score(
    *,
    out: str,
    contents: Sequence[str] = CONTENTS,
    styles: Sequence[str] = STYLES,
    judge: str | None = None,
    encoder: str = "compact",
    others: Sequence[str] = (),
    size: int = 256,
    pairs: int = 12,
) -> Iterator[dict[str, Any]]:
    """Does the score rise and fall as it must? A row for each sweep, then for each thing that must not matter.

    Along a sweep, one thing changes over eight levels and it is known which way the score must go: `rho` is Spearman's
    rank correlation with that, the median over the pairs, and `worst` the least of them. `judge_rho` is that of the
    score by `judge`, `agreement` the rank correlation of both judges over all pictures of the sweep. `no_PART` is
    `worst` without a part of the score. Of what must not matter, `spread` is the deviation of the score.

    Args:
        out: folder for the pictures; what is there is not painted again.
        contents, styles: picture files, or names of examples; each is used in turn until there are enough pairs.
        judge: a second judge, an encoder by name or file; left out is none.
        encoder: to paint on, by name or file, which is never the judge.
        others: further encoders to paint the plain result on; the score should not care on which it was.
        size: long side in pixels.
        pairs: how many pairs of photo and style.
    """
    if judge == encoder:
        raise ValueError("The judge must not be the encoder that is painted on.")
    folder = Path(out) / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    judges = {"own": find_judge(), **({"other": find_judge(judge)} if judge else {})}
    known = Ledger(Path(out) / "scores.json")
    tracks: dict[str, list[list[dict[str, Any]]]] = {sweep: [] for sweep in LEVELS}
    flat: dict[str, list[list[float]]] = {"shown at other sizes": [], "cropped": []}
    for pair in _pairs(contents, styles, pairs, size, encoder):
        aims = {name: Aim(pair.style, pair.content, judge=who) for name, who in judges.items()}
        found: dict[str, list[dict[str, Any]]] = {sweep: [] for sweep in LEVELS}
        for sweep, level, image in swept(pair, folder):
            scores = {}
            for name, aim in aims.items():
                key = f"{pair.name} {sweep} {level:.4g} {Path(aim.judge.name).stem}"
                scores[name] = known.get(key, lambda image=image, aim=aim: aim.score(image).parts)  # type: ignore[misc]
            found[sweep].append({"level": level, **scores})
            if (sweep, level) == ("strength", LEVELS["strength"][-1]):
                shown = [aims["own"].score(resize(image, round(size * share))).total for share in SHOWN]
                flat["shown at other sizes"].append(shown)
                flat["cropped"].append([_cropped(image, pair, share) for share in CROPS])
                if others:
                    elsewhere = [painted_on(pair, name, folder) for name in others]
                    both = [aims["own"].score(picture).total for picture in (image, *elsewhere)]
                    flat.setdefault("painted on other encoders", []).append(both)
        for sweep, track in found.items():
            tracks[sweep].append(track)
    for sweep, found_tracks in tracks.items():
        yield _row(sweep, found_tracks, "other" in judges)
    for name, totals in flat.items():
        yield {"sweep": name, "spread": median(float(torch.tensor(each).std()) for each in totals)}


def _pairs(contents: Sequence[str], styles: Sequence[str], count: int, size: int, encoder: str) -> Iterator[Pair]:
    photos, manners = [named_content(name) for name in contents], [named_style(name) for name in styles]
    if len(photos) < 2 or len(manners) < 2:
        raise ValueError("Sweeps need two photos and two styles at least, since they try wrong ones too.")
    for i in range(count):
        c, s = i % len(photos), (i + i // len(photos) * (len(photos) % len(manners) == 0)) % len(manners)
        (photo, content), (manner, style) = photos[c], manners[s]
        wrong = photos[(c + 1) % len(photos)][1], manners[(s + 1) % len(manners)][1]
        yield Pair(f"{i:02d}-{photo}-{manner}", content, style, *wrong, size, encoder)


def _cropped(image: Tensor, pair: Pair, share: float) -> float:
    """The score of the upper left part of a result, beside that of the photo."""
    photo = resize(pair.content, (image.shape[-2], image.shape[-1]))
    tall, wide = (round(side * share) for side in image.shape[-2:])
    cut = (..., slice(tall), slice(wide))
    return pastiche_score(image[cut], pair.style, photo[cut]).total


def _row(sweep: str, tracks: Sequence[Sequence[dict[str, Any]]], other: bool) -> dict[str, Any]:
    each = [_rho(sweep, track, "own") for track in tracks]
    row: dict[str, Any] = {"sweep": sweep, "rho": median(each), "worst": min(each), "spread": None}
    if other:
        theirs = [_rho(sweep, track, "other") for track in tracks]
        row |= {"judge_rho": median(theirs), "judge_worst": min(theirs)}
        both = [[total_of(level[name]) for track in tracks for level in track] for name in ("own", "other")]
        row["agreement"] = _spearman(*both)
    for part in PARTS:
        row[f"no_{part}"] = min(_rho(sweep, track, "own", without=[part]) for track in tracks)
    return row


def _rho(sweep: str, track: Sequence[dict[str, Any]], judge: str, without: Sequence[str] = ()) -> float:
    totals = [total_of(level[judge], without) for level in track]
    found = _spearman([level["level"] for level in track], totals)
    return found if sweep in RISING else -found


def _spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """Rank correlation; 0 where one of them is all the same."""
    from scipy.stats import spearmanr

    if len(set(first)) < 2 or len(set(second)) < 2:
        return 0.0
    return float(spearmanr(first, second).statistic)
