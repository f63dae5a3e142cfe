"""The score of a result in words and bars, and the button that asks for it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from torch import Tensor

from nst.images import ImageError, to_tensor
from nst.metrics import Score, pastiche_score
from nst.metrics.score import SIZE
from nst.server import limits
from nst.styles import StyleNotFound
from nst.tasks import TASKS
from nst.tasks.task import CONTENT
from nst.ui import pictures
from nst.ui.painting import Painting

TITLES = {
    "texture": ("Brushwork", "how near it comes to the painting's; parts of the painting itself get about 50%"),
    "color": ("Colors", "how near they come to the painting's"),
    "content": ("The photo is still there", "how much of what stands where is found again"),
    "cleanness": ("Cleanness", "how free it is of grids, hatching, grain, color fringes and blobs"),
}
"""The parts of the score in plain words."""

SCALES = {"scale2": "Fine strokes", "scale3": "Middle strokes", "scale4": "Broad strokes", "scale5": "Large shapes"}
"""The pyramid's scales in plain words."""

GRADES = (
    (65, "An excellent pastiche"),
    (50, "A good pastiche"),
    (35, "A fair pastiche"),
    (20, "A weak pastiche"),
    (-math.inf, "Hardly a pastiche"),
)
"""A score of at least so much, in two words."""

Scoring = Callable[..., Score]

_one_by_one = threading.Lock()


def of_painting(painting: Painting | None) -> str:
    """The verdict on a painting that is finished, as HTML; raises ValueError with a sentence that says why there is
    none."""
    if painting is None or not painting.result or not Path(painting.result).is_file():
        raise ValueError("There is no finished picture to score yet: paint one first.")
    order = painting.order
    styles, weights = _styles(painting), order.settings.get("style_weights") or order.settings.get("weights")
    if not styles:
        raise ValueError("This result has no style to be compared with.")
    photo = order.pictures.get("content")
    if not isinstance(photo, str) or TASKS[order.task].role("content") != CONTENT:  # a map looks like nothing
        photo = None
    if not order.several:
        return html(judged(partial(pastiche_score, style_weights=weights), painting.result, styles, photo))
    with _one_by_one:
        return table(_of_several(painting, styles, photo, weights))


def judged(score: Scoring, result: str, styles: Sequence[str], photo: str | None) -> Score:
    """The score of one picture, by paths and `nst.metrics.pastiche_score` or its like; nobody else's is judged
    meanwhile, since that takes memory. Raises ImageError where a picture is gone, or none."""
    with _one_by_one:
        image = to_tensor(pictures.opened(result))
        manner, content = _looked_at(styles), _looked_at([photo])[0] if photo else None
        return limits.on_painter(score, image, manner[0] if len(manner) == 1 else manner, content)


def _of_several(painting: Painting, paths: Sequence[str], photo: str | None, weights: Any) -> dict[str, Score]:
    """The scores of the pictures of a result."""
    styles, content = _looked_at(paths), _looked_at([photo])[0] if photo else None
    found = {}
    for i, (path, title) in enumerate(painting.singles):
        one = to_tensor(pictures.opened(path))
        share = i / max(len(painting.singles) - 1, 1)  # a film leads from one style to another
        mixed = [1 - share, share] if painting.order.layout.seconds else weights
        found[title] = limits.on_painter(partial(pastiche_score, style_weights=mixed), one, styles, content)
    return found


def _looked_at(paths: Sequence[str]) -> list[Tensor]:
    """Photos and styles, at more than the size at which they are judged."""
    return [to_tensor(pictures.opened(path, 4 * SIZE)) for path in paths]


def _styles(painting: Painting) -> list[str]:
    """The files of the style pictures of an order, which may name what a network has learned."""
    given = painting.order.extras.get("style")
    if given is None:
        paths = painting.order.pictures.get("style") or []
        return [paths] if isinstance(paths, str) else list(paths)
    try:
        return [str(pictures.example_file("style", one) if isinstance(one, str) else one) for one in given]
    except (StyleNotFound, ImageError) as error:
        raise ValueError(f"The score needs the style's own picture. {error}") from None


def html(score: Score) -> str:
    """The score, its parts and its layers as bars."""
    parts = "".join(_bar(*TITLES[name], share) for name, share in score.parts.items())
    layers = {SCALES.get(name, name): share for name, share in score.texture.items()}
    grade = next(words for least, words in GRADES if score.total >= least)
    return (
        f'<div class="verdict"><p class="total"><b>{score.total:.0f}</b><span>of 100. {grade}.</span></p>'
        f"<p>{escape(reasons(score))}</p>{parts}<details><summary>Brushwork, from fine to coarse</summary>"
        f"{''.join(_bar(name, '', share) for name, share in layers.items())}</details></div>"
    )


def reasons(score: Score) -> str:
    """What helped and what hurt, in a sentence or two."""
    parts = score.parts
    praise = {
        "texture": "The brushwork is close to the painting's.",
        "color": "The colors are close to the painting's.",
        "content": "The photo is easy to make out.",
    }
    best, worst = max(praise, key=lambda name: parts.get(name, 0.0)), min(parts, key=parts.__getitem__)
    blame = {
        "texture": "What keeps it down is the brushwork: it is still far from the painting's.",
        "color": "What keeps it down are the colors: they are not the painting's.",
        "content": "What keeps it down is the photo: little of it is left.",
        "cleanness": "What keeps it down are grids, hatching, grain, color fringes or blobs that neither picture has.",
    }
    good = [praise[best]] if parts.get(best, 0.0) >= 0.5 else []
    return " ".join([*good, blame[worst]]) if parts[worst] < 0.5 else " ".join(good)


def table(scores: Mapping[str, Score]) -> str:
    """The scores of several pictures, each a bar."""
    rows = "".join(_bar(name, "", score.total / 100, f"{score.total:.0f}") for name, score in scores.items())
    return f'<div class="verdict"><p>Each picture\'s score, of 100.</p>{rows}</div>'


def _bar(title: str, about: str, share: float, told: str = "") -> str:
    share = min(max(share, 0.0), 1.0)
    said = f"<small>{escape(about)}</small>" if about else ""
    title, told = escape(title), told or f"{share:.0%}"
    bar = f'<i role="img" aria-label="{title}: {told}"><u style="width:{100 * share:.0f}%"></u></i>'
    return f'<div class="measure"><span>{title} {said}</span><b>{told}</b>{bar}</div>'
