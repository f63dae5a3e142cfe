"""Does painting on one encoder serve another as well?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from nst.metrics import luminance_ssim
from nst.research.evaluate.grid import GridConfig, Maker, Pair, Row, compared, optimizing
from nst.research.evaluate.judges import JudgePanel
from nst.research.options import options

LENGTHS = ("draft", "good", "best", "2000")  # ever longer runs: presets, and numbers of steps of the preset *best*


@dataclass(frozen=True, kw_only=True)
class EncodersConfig(GridConfig):
    """The comparison of two encoders.

    Args:
        judge: an encoder, by name or file, that is never the one compared.
        encoder: the encoder compared, by name or file.
        lengths: presets, or numbers of steps of the preset best; run on the encoder compared.
        num_steps: steps of each run but those of `lengths`.
        preset: see `nst.settings.PRESETS`.
        strength: see `nst.stylize.style_transfer`.
    """

    judge: str = field()
    encoder: str = "compact"
    lengths: Sequence[str] = LENGTHS
    num_steps: int = 200
    preset: str = "draft"
    strength: float = 50.0


@options
def compare_encoders(config: EncodersConfig) -> Iterator[Row]:
    """How well optimizing on one encoder serves another, the judge: a row for each pair of pictures and way of painting
    it, then the means over the photos, and over all. Where there is a teacher, ever longer runs are ways as well.

    `closed`, `vgg19` and `squeezenet` are the shares of three judges' style distance, from content to style, that are
    closed: a longer run must not close less. `closure` is `closed` relative to what optimizing on the judge itself
    closes; `ssim` is the structural similarity of the luminance to the content.
    """

    def painting(name: str, **settings: object) -> Maker:
        return optimizing(config.size, encoder=name, strength=config.strength, **settings)

    panel, own = JudgePanel(config), dict[str, float]()
    short = {"preset": config.preset, "num_steps": config.num_steps}
    makers = {"judge": painting(config.judge, **short), "encoder": painting(config.encoder, **short)}
    if len(panel.judges) > 1:
        for length in config.lengths:
            steps = {"preset": "best", "num_steps": int(length)} if length.isdecimal() else {"preset": length}
            makers[length] = painting(config.encoder, **steps)

    def measure(pair: Pair, by: str, image: Tensor) -> Row:
        found = panel.closures(image, pair)
        whole = own.setdefault(pair.name, found["closed"])  # the judge is the first to paint
        return {**found, "closure": found["closed"] / whole, "ssim": luminance_ssim(image, pair.kept)}

    yield from compared(config, makers, measure)
