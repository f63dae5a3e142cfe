"""What a longer preset is worth: the same pairs by draft, good and best, to be looked at side by side and measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from nst.metrics import luminance_ssim, ripples, self_similarity
from nst.research.evaluate.grid import Pair, Row, compared, costs, keeping, optimizing, others, read_pairs
from nst.research.evaluate.judges import JudgePanel, aim, find_judges
from nst.settings import PRESETS
from nst.settings.setting import Preset

PLAIN: dict[str, Any] = {
    "preset": Preset(num_steps=200, factor=1e9, smallest=64, average=0.0, tv_weight=0.0),
    "keep_faces": 0.0,
    "style_loss": "gram",
    "content_layers": ["relu4_2"],
    "optimizer": "lbfgs",
}
"""How Gatys et al. (2015, arXiv:1508.06576) paint: one scale, Gram matrices, L-BFGS, and none of our tricks."""


def compare_presets(
    *,
    out: str,
    contents: Sequence[str],
    styles: Sequence[str],
    presets: Sequence[str] = tuple(PRESETS),
    encoder: str = "compact",
    plain: str | None = None,
    vgg19: str | None = None,
    squeezenet: str | None = None,
    against: str | None = None,
    size: int = 256,
    strength: float = 50.0,
) -> Iterator[Row]:
    """What a longer preset is worth: a row for each pair and preset, then the means.

    `seconds` are of the processor where there is no GPU, all cores together; `ssim` and `similar` are the structural
    similarity of the luminance and the self-similarity to the photo, of which each preset must keep about the same;
    `vgg19` and `squeezenet` the shares of their style distances that are closed; then `nst.metrics.ripples` and the
    pastiche score. Pictures are kept in `out` as PRESET/STYLE--CONTENT.png, and found ones not painted again.

    Args:
        out: folder for pictures, what they took (costs.json) and a sheet of each style in original size.
        contents, styles: picture files, or names of examples, in pairs.
        presets: see `nst.settings.PRESETS`.
        encoder: to optimize on, by name or file.
        plain: an encoder on which each pair is painted as Gatys et al. did, too; left out is none.
        vgg19: file of the real VGG-19, at least as far as relu3_1; skipped where there is none, and `similar` with it.
        squeezenet: file of SqueezeNet 1.1; skipped where there is none.
        against: a folder of folders of results, one for each other maker, called STYLE--CONTENT.jpg (or .png).
        size: long side in pixels.
        strength: see `nst.stylize.style_transfer`.
    """
    ways: dict[str, dict[str, Any]] = {name: {"preset": name, "encoder": encoder} for name in presets}
    ways |= {"plain": PLAIN | {"encoder": plain}} if plain else {}
    makers = {name: optimizing(size, strength=strength, **settings) for name, settings in ways.items()}
    judges, pairs = find_judges(None, vgg19, squeezenet), read_pairs(contents, styles, size, every=False)
    panel = JudgePanel(judges, pairs)

    def measure(pair: Pair, by: str, image: Tensor) -> Row:
        row = costs(Path(out), by, pair) | {"ssim": luminance_ssim(image, pair.kept)}
        if seen := judges.get("vgg19"):
            row["similar"] = self_similarity(image, pair.kept, seen.encoder, seen.layers)
        row |= panel.closures(image, pair)
        return row | {"ripples": ripples(image), "score": aim(pair).score(image).total}

    yield from compared(pairs, {**keeping(Path(out), makers), **others(against)}, measure, out)
