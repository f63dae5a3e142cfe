"""Does one strength give one look at every size?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from nst.device import choose_device
from nst.images import resize
from nst.research.evaluate.judges import find_judges
from nst.research.evaluate.pictures import contact_sheet, judged, last, load, means, write


def compare_sizes(
    *,
    judge: str,
    contents: Sequence[str],
    styles: Sequence[str],
    vgg19: str | None = None,
    squeezenet: str | None = None,
    encoders: Sequence[str] = ("compact",),
    sizes: Sequence[int] = (256, 512, 1024),
    strengths: Sequence[float] = (25.0, 50.0, 75.0),
    preset: str = "draft",
    num_steps: int | None = None,
    out: str | None = None,
) -> Iterator[dict[str, Any]]:
    """Does one strength give the same look at every size and on every encoder? A row for each.

    Every result is judged at the smallest size: `closed` is the share of the judge's style distance, from content
    to style, that is closed; `ssim` the structural similarity of the luminance to the content. Means over the pairs.

    Args:
        judge: an encoder, by name or file.
        vgg19: file of the real VGG-19, at least as far as relu3_1, for the column `vgg19`; skipped where there is none.
        squeezenet: file of SqueezeNet 1.1, for the column `squeezenet`; skipped where there is none.
        contents, styles: picture files, in pairs.
        encoders: to optimize on, by name or file.
        sizes: long sides in pixels.
        strengths: see `nst.stylize.style_transfer`.
        preset, num_steps: see `nst.stylize.style_transfer`.
        out: folder for a contact sheet: a row for each strength of the first pair, sizes side by side.
    """
    judges, common = find_judges(judge, vgg19, squeezenet, choose_device("cpu")), min(sizes)
    pairs = [(load(c), load(s)) for c, s in zip(contents, styles, strict=True)]
    strips: list[list[Tensor]] = []
    for strength in strengths:
        strips.append([])
        for encoder in encoders:
            for size in sizes:
                settings = {"encoder": encoder, "size": size, "preset": preset, "strength": strength}
                settings["num_steps"] = num_steps
                results = [resize(last(c, s, **settings), common) for c, s in pairs]
                scores = [judged(x, c, s, common, judges) for x, (c, s) in zip(results, pairs, strict=True)]
                strips[-1].append(results[0])
                yield {"strength": strength, "encoder": Path(encoder).stem, "size": size} | means(scores)
    if out:
        write(Path(out) / "sizes.jpg", contact_sheet(strips, columns=1))
