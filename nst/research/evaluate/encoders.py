"""Does painting on one encoder serve another as well?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from torch import Tensor

from nst.encoders import load_encoder
from nst.images import resize
from nst.metrics import luminance_ssim, style_distance
from nst.research.evaluate.judges import JudgePanel, find_judges
from nst.research.evaluate.pictures import contact_sheet, last, load, means, write

LENGTHS = ("draft", "good", "best", "2000")
"""Ever longer runs: presets, and numbers of steps of the preset *best*."""


def compare_encoders(
    *,
    judge: str,
    contents: Sequence[str],
    styles: Sequence[str],
    encoder: str = "compact",
    vgg19: str | None = None,
    squeezenet: str | None = None,
    lengths: Sequence[str] = LENGTHS,
    size: int = 256,
    num_steps: int = 200,
    preset: str = "draft",
    strength: float = 50.0,
    out: str | None = None,
) -> Iterator[dict[str, Any]]:
    """How well optimizing on one encoder serves another: a row for each pair of pictures, and their mean; then, where
    there is a teacher, the closure by the teacher as steps grow: a row for each length of run and style, and for all.

    `closure` is the share of the judge's style distance, from content to style, that optimizing on `encoder`
    closes, relative to the share that optimizing on the judge itself closes; `ssim` is the structural
    similarity of the luminance to the content, for both. `vgg19` and `squeezenet` are the shares of these judges'
    style distance that are closed: a longer run must not close less.

    Args:
        judge: an encoder, by name or file, that is never the one compared.
        contents, styles: picture files; every pair is tried.
        encoder: the encoder compared, by name or file.
        vgg19: file of the real VGG-19, the teacher, at least as far as relu3_1, where it looks; skipped where there is
            none.
        squeezenet: file of SqueezeNet 1.1; skipped where there is none.
        lengths: presets, or numbers of steps of the preset best; run on the encoder compared.
        size: long side in pixels.
        num_steps: steps of each run but those of `lengths`.
        preset: see `nst.settings.PRESETS`.
        strength: see `nst.stylize.style_transfer`.
        out: folder for a contact sheet: content, style, on the judge, on the encoder.
    """
    network = load_encoder(judge)
    settings: dict[str, Any] = {"size": size, "num_steps": num_steps, "preset": preset, "strength": strength}
    photos, manners = ({Path(path).stem: load(path) for path in paths} for paths in (contents, styles))
    small, painted = ({name: resize(image, size) for name, image in some.items()} for some in (photos, manners))
    panel = JudgePanel(find_judges(None, vgg19, squeezenet), painted, small)
    rows: list[dict[str, Any]] = []
    strips: list[list[Tensor]] = []
    for photo, content in photos.items():
        for manner, style in manners.items():
            results = [last(content, style, encoder=name, **settings) for name in (judge, encoder)]
            start, own, other = (style_distance(x, painted[manner], network) for x in (small[photo], *results))
            row: dict[str, Any] = {"content": photo, "style": manner, "steps": num_steps}
            row |= {"start": start, "judge": own, "encoder": other, "closure": (start - other) / (start - own)}
            row |= {f"judge_{name}": value for name, value in panel.closures(results[0], manner, photo).items()}
            row |= panel.closures(results[1], manner, photo)
            row |= {"judge_ssim": luminance_ssim(results[0], small[photo])}
            row |= {"ssim": luminance_ssim(results[1], small[photo])}
            rows.append(row)
            strips.append([small[photo], painted[manner], *results])
            yield row
    numbers = [name for name in rows[0] if name not in ("content", "style", "steps")]
    yield {"content": "mean", "style": "", "steps": num_steps} | {
        name: mean(row[name] for row in rows) for name in numbers
    }
    if out:
        write(Path(out) / "encoders.jpg", contact_sheet(strips))
    if panel.judges:
        yield from _as_steps_grow(panel, photos, manners, lengths, encoder, size, strength)


def _as_steps_grow(
    panel: JudgePanel,
    photos: dict[str, Tensor],
    styles: dict[str, Tensor],
    lengths: Sequence[str],
    encoder: str,
    size: int,
    strength: float,
) -> Iterator[dict[str, Any]]:
    """What ever longer runs close: for each style a row for each length, means over photos; then over styles."""
    found: dict[str, list[dict[str, float]]] = {length: [] for length in lengths}
    for manner, style in styles.items():
        for length in lengths:
            long = {"preset": "best", "num_steps": int(length)} if length.isdecimal() else {"preset": length}
            scores = []
            for photo, content in photos.items():
                result = last(content, style, encoder=encoder, size=size, strength=strength, **long)
                closed = panel.closures(result, manner, photo)
                scores.append(closed | {"ssim": luminance_ssim(result, resize(content, size))})
            found[length] += scores
            yield {"content": f"mean of {len(scores)}", "style": manner, "steps": length, **means(scores)}
    for length, scores in found.items():
        yield {"content": f"mean of {len(scores)}", "style": "all", "steps": length, **means(scores)}
