"""What a longer preset is worth: the same pairs by draft, good and best, to be looked at side by side and measured."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from nst.images import resize, to_pil
from nst.metrics import Aim, luminance_ssim, ripples, self_similarity
from nst.research.evaluate.fast import BETWEEN, others
from nst.research.evaluate.judges import JudgePanel, find_judges
from nst.research.evaluate.ledger import Ledger
from nst.research.evaluate.pictures import last, load, means, open_content, open_style, side_by_side, write
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
) -> Iterator[dict[str, Any]]:
    """What a longer preset is worth: a row for each pair and preset, then the means, and a sheet of each pair.

    `seconds` are of the processor, all cores together; `ssim` and `similar` are the structural similarity of the
    luminance and the self-similarity to the photo, of which each preset must keep about the same; `vgg19` and
    `squeezenet` the shares of their style distances that are closed; then `nst.metrics.ripples` and the pastiche score.
    Pictures are kept in `out` as PRESET/STYLE--CONTENT.png, and found ones not painted again.

    Args:
        out: folder for pictures, seconds (presets.json) and a sheet of each pair in original size.
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
    judges, folder, rivals = find_judges(None, vgg19, squeezenet), Path(out), others(against)
    known, found = Ledger(folder / "presets.json"), dict[str, list[dict[str, float]]]()
    for content, style in zip(contents, styles, strict=True):
        photo, manner = (Path(name).stem for name in (content, style))
        whole, painting = open_content(content), open_style(style)
        kept, wanted = resize(whole, size), resize(painting, size)
        panel, aim = JudgePanel(judges, {manner: wanted}, {photo: kept}), Aim(wanted, kept)
        results: dict[str, Tensor] = {}
        for name, settings in ways.items():
            path = folder / name / f"{manner}{BETWEEN}{photo}.png"
            if not path.is_file():
                began = time.process_time()
                write(path, to_pil(last(whole, painting, size=size, strength=strength, **settings)))
                known.put(f"{name} {path.stem}", time.process_time() - began)
            results[name] = load(path)
        results |= {by: made for by, make in rivals.items() if (made := make(manner, photo)) is not None}
        for by, result in results.items():
            fitted = resize(result, (kept.shape[-2], kept.shape[-1]))
            seen = judges.get("vgg19")
            scores: dict[str, float] = {"seconds": known.known.get(f"{by} {manner}{BETWEEN}{photo}", 0.0)}
            scores |= {"ssim": luminance_ssim(fitted, kept)}
            scores |= {"similar": self_similarity(fitted, kept, seen.encoder, seen.layers)} if seen else {}
            scores |= panel.closures(fitted, manner, photo)
            scores |= {"ripples": ripples(fitted), "score": aim.score(fitted).total}
            found.setdefault(by, []).append(scores)
            yield {"content": photo, "style": manner, "by": by, **scores}
        sheet: Mapping[str, Mapping[str, Tensor]] = {by: {photo: one} for by, one in {"photo": kept, **results}.items()}
        write(folder / f"sheet-{manner}{BETWEEN}{photo}.png", side_by_side(wanted, sheet))
    for by, each in found.items():
        yield {"content": f"mean of {len(each)}", "style": "", "by": by, **means(each)}
