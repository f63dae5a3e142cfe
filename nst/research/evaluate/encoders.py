"""Does painting on one encoder serve another as well?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from nst.metrics import luminance_ssim
from nst.research.evaluate.grid import Maker, Pair, Row, compared, optimizing, read_pairs
from nst.research.evaluate.judges import JudgePanel, find_judges

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
) -> Iterator[Row]:
    """How well optimizing on one encoder serves another, the judge: a row for each pair of pictures and way of painting
    it, then the means over the photos, and over all. Where there is a teacher, ever longer runs are ways as well.

    `closed`, `vgg19` and `squeezenet` are the shares of three judges' style distance, from content to style, that are
    closed: a longer run must not close less. `closure` is `closed` relative to what optimizing on the judge itself
    closes; `ssim` is the structural similarity of the luminance to the content.

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
        out: folder for a sheet of each style in original size.
    """

    def painting(name: str, **settings: object) -> Maker:
        return optimizing(size, encoder=name, strength=strength, **settings)

    pairs, judges = read_pairs(contents, styles, size), find_judges(judge, vgg19, squeezenet)
    makers = {"judge": painting(judge, preset=preset, num_steps=num_steps)}
    makers["encoder"] = painting(encoder, preset=preset, num_steps=num_steps)
    if len(judges) > 1:
        for length in lengths:
            steps = {"preset": "best", "num_steps": int(length)} if length.isdecimal() else {"preset": length}
            makers[length] = painting(encoder, **steps)
    panel, own = JudgePanel(judges, pairs), dict[str, float]()

    def measure(pair: Pair, by: str, image: Tensor) -> Row:
        found = panel.closures(image, pair)
        whole = own.setdefault(pair.name, found["closed"])  # the judge is the first to paint
        return {**found, "closure": found["closed"] / whole, "ssim": luminance_ssim(image, pair.kept)}

    yield from compared(pairs, makers, measure, out)
