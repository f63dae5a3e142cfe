"""What a longer preset is worth: the same pairs by draft, good and best, to be looked at side by side and measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from nst.metrics import luminance_ssim, ripples, self_similarity
from nst.research.evaluate.grid import GridConfig, Pair, Row, compared, costs, keeping, optimizing, others
from nst.research.evaluate.judges import JudgePanel, aim
from nst.research.options import options
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


@dataclass(frozen=True, kw_only=True)
class PresetsConfig(GridConfig):
    """The comparison of presets.

    Args:
        styles: picture files, or names of styles, one for each photo.
        presets: see `nst.settings.PRESETS`.
        encoder: to optimize on, by name or file.
        plain: an encoder on which each pair is painted as Gatys et al. did, too; left out is none.
        against: a folder of folders of results, one for each other maker, called STYLE--CONTENT.jpg (or .png).
        strength: see `nst.stylize.style_transfer`.
        out: folder for pictures, what they took (costs.json) and a sheet of each style in original size.
    """

    out: str = field()
    presets: Sequence[str] = tuple(PRESETS)
    encoder: str = "compact"
    plain: str | None = None
    against: str | None = None
    strength: float = 50.0

    every: ClassVar[bool] = False


@options
def compare_presets(config: PresetsConfig) -> Iterator[Row]:
    """What a longer preset is worth: a row for each pair and preset, then the means.

    `seconds` are of the processor where there is no GPU, all cores together; `ssim` and `similar` are the structural
    similarity of the luminance and the self-similarity to the photo in the eyes of the real VGG-19, of which each
    preset must keep about the same; `closed`, `vgg19` and `squeezenet` the shares of these judges' style distances that
    are closed; then `nst.metrics.ripples` and the pastiche score. Pictures are kept in `out` as
    PRESET/STYLE--CONTENT.png, and found ones not painted again.
    """
    ways: dict[str, dict[str, Any]] = {name: {"preset": name, "encoder": config.encoder} for name in config.presets}
    ways |= {"plain": PLAIN | {"encoder": config.plain}} if config.plain else {}
    makers = {name: optimizing(config.size, strength=config.strength, **settings) for name, settings in ways.items()}
    panel, out = JudgePanel(config), Path(config.out)

    def measure(pair: Pair, by: str, image: Tensor) -> Row:
        row = costs(out, by, pair) | {"ssim": luminance_ssim(image, pair.kept)}
        if seen := panel.judges.get("vgg19"):
            row["similar"] = self_similarity(image, pair.kept, seen.encoder, seen.style_layers)
        row |= panel.closures(image, pair)
        return row | {"ripples": ripples(image), "score": aim(pair).score(image).total}

    yield from compared(config, {**keeping(out, makers), **others(config.against)}, measure)
