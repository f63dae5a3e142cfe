"""Train all models of ours that gain from it in a given time, one after the other, and keep what is better."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nst.device import Device
from nst.places import replacing
from nst.registry import load_model
from nst.research.evaluate.encoders import compare_encoders
from nst.research.evaluate.fast import compare_fast
from nst.research.evaluate.translate import compare_translate
from nst.research.options import Records, options
from nst.research.train.anystyle import train_predictor
from nst.research.train.cin import train_cin
from nst.research.train.compact import train_compact
from nst.research.train.cyclegan import train_cyclegan
from nst.research.train.data import named_style
from nst.weights.manifest import PRETRAINED

ENDLESS = 10**6  # steps of a training that ends by the clock


@dataclass(frozen=True, kw_only=True)
class EverythingConfig:
    """The training of all models: what is learned from and judged with.

    Args:
        data: folder or tar file of photos.
        paintings: folders or tar files of paintings.
        teachers: folder with the teacher networks, see `nst.research.train.compact.Teachers`.
        style: styles of the network of several, as of `train cin`; the first two judge encoders.
        contents: picture files that nothing is trained on, to judge with.
        out: folder to write.
        horses, zebras: folders of them; without both the translator is left out.
        only: names of models to train; none means all.
        minutes: that all trainings may take, without the judging.
        batch, size: of crops a step, and of pixels a side.
        seed: of everything random.
        interval: steps between log records.
        device: see `nst.research.train.loop.training_device`.
    """

    data: str
    paintings: Sequence[str]
    teachers: str
    style: Sequence[str]
    contents: Sequence[str]
    out: str
    horses: str | None = None
    zebras: str | None = None
    only: Sequence[str] = ()
    minutes: float = 15.0
    batch: int = 16
    size: int = 256
    seed: int = 0
    interval: int = 200
    device: str | Device = "auto"

    @property
    def vgg19(self) -> str:
        """The real VGG-19, as far as relu3_1."""
        return str(Path(self.teachers) / "vgg19_normalised_to_relu3_1.safetensors")

    @property
    def squeezenet(self) -> str:
        """SqueezeNet 1.1."""
        return str(Path(self.teachers) / "squeezenet1_1_bgr255.safetensors")

    @property
    def losses(self) -> str:
        """The real VGG-19, and the compressed one where that ends, as one loss network."""
        return f"{self.vgg19}+{Path(self.teachers) / 'vgg19_16x_level5_encoder.safetensors'}"


@dataclass(frozen=True)
class Training:
    """One of the trainings.

    Attributes:
        name: of the model.
        share: of the time, relative to the other trainings'.
        file: what the training writes.
        run: the training; takes the configuration and the arguments that all trainings have.
        judge: the configuration and a model's file to how good it is, of which more is better; None where it does not
            know what is asked.
        needs: names of the entries without which it is left out.
    """

    name: str
    share: float
    file: str
    run: Callable[..., Iterator[dict[str, Any]]]
    judge: Callable[[EverythingConfig, Path], float | None]
    needs: tuple[str, ...] = ()


def _compact(given: EverythingConfig, **common: Any) -> Iterator[dict[str, Any]]:
    return train_compact(data=given.data, paintings=given.paintings, teachers=given.teachers, **common)


def _cin(given: EverythingConfig, **common: Any) -> Iterator[dict[str, Any]]:
    losses, brushes = (given.losses, "compact"), (0.6, 1.0, 1.6)
    return train_cin(
        data=given.data,
        style=given.style,
        losses=losses,
        brushes=brushes,
        structure_weight=0.5,
        style_size=640,
        **common,
    )


def _predictor(given: EverythingConfig, **common: Any) -> Iterator[dict[str, Any]]:
    return train_predictor(data=given.data, style=given.paintings, losses=(given.losses, "compact"), **common)


def _zebras(given: EverythingConfig, **common: Any) -> Iterator[dict[str, Any]]:
    shape: dict[str, Any] = {"widths": (16, 32, 128), "blocks": 9, "inner": (64, 64, 64, 128, 128, 128, 128, 128, 128)}
    shape |= {"separable": True, "upsampling": "transposed", "output": "blend", "sees": 256, "critic_width": 64}
    assert given.horses and given.zebras
    names = ("horse2zebra", "zebra2horse")
    return train_cyclegan(data=[given.horses], other=[given.zebras], names=names, **shape, **common)


def _closure_of_paintings(given: EverythingConfig, file: Path) -> float:
    """What optimizations on an encoder close of the teacher's style distance; the longest run's."""
    rows = compare_encoders(
        judge=given.losses.rpartition("+")[2],
        vgg19=given.vgg19,
        contents=given.contents[:2],
        styles=[text.rpartition("=")[2] for text in given.style[:2]],
        encoder=str(file),
        lengths=("good",),
    )
    return float([*rows][-1]["vgg19"])


def _closure_in_one_pass(given: EverythingConfig, file: Path) -> float | None:
    """What a network that paints in one pass closes of the real VGG-19's style distance, on the mean."""
    known = getattr(load_model(file), "styles", None)
    if known is not None and not {named_style(text)[0] for text in given.style} <= set(known):
        return None
    rows = compare_fast(contents=given.contents, styles=given.style, vgg19=given.vgg19, model=str(file))
    return float([*rows][-1]["vgg19"])


def _zebras_found(given: EverythingConfig, file: Path) -> float:
    """How likely a zebra is what SqueezeNet sees of the first horses."""
    photos = sorted(str(path) for path in Path(given.horses or "").iterdir())[:20]
    rows = compare_translate(squeezenet=given.squeezenet, photos=photos, models=[str(file)])
    return float([*rows][-1]["label"])


TRAININGS = (
    Training("compact", 0.35, "compact.safetensors", _compact, _closure_of_paintings),
    Training("cin", 0.3, "cin.safetensors", _cin, _closure_in_one_pass),
    Training("predictor", 0.2, "predictor.safetensors", _predictor, _closure_in_one_pass),
    Training("horse2zebra", 0.15, "cyclegan.safetensors", _zebras, _zebras_found, ("horses", "zebras")),
)
"""In the order of their need: the later ones are trained and judged with the first."""


@options
def train_everything(config: EverythingConfig) -> Records:
    """Train all models that gain from it, each for its share of the time, and keep the better ones.

    Each goes on from the best there is: the one of an earlier run in `out`/best, or else the one that comes with
    Pastiche. Afterwards both are judged, and the better one lies in `out`/best. Nothing in `pretrained/` is touched: a
    picture is judged by eye first.

    Raises:
        ValueError: a name that is none of the trainings'.
    """
    known = {training.name: training for training in TRAININGS}
    if unknown := sorted(set(config.only) - known.keys()):
        raise ValueError(f"There is no training of {', '.join(unknown)}. There are: {', '.join(known)}.")
    named = [training for training in TRAININGS if not config.only or training.name in config.only]
    chosen = [training for training in named if all(getattr(config, need) for need in training.needs)]
    whole, out = sum(training.share for training in chosen), Path(config.out)
    best = out / "best"
    best.mkdir(parents=True, exist_ok=True)
    for training in chosen:
        kept = best / f"{training.name}.safetensors"
        if not kept.exists() and (ours := PRETRAINED / kept.name).exists():
            shutil.copyfile(ours, kept)
        common: dict[str, Any] = {"out": str(out / training.name), "start": str(kept) if kept.exists() else None}
        common |= {"steps": ENDLESS, "seconds": 60 * config.minutes * training.share / whole}
        common |= {name: getattr(config, name) for name in ("batch", "size", "seed", "interval", "device")}
        for record in training.run(config, **common):
            record.pop("steps")  # the clock decides on it
            yield {"model": training.name, **record}
        fresh = out / training.name / training.file
        before, after = training.judge(config, kept) if kept.exists() else None, training.judge(config, fresh)
        better = before is None or (after is not None and after > before)
        if better:
            with replacing(kept) as part:
                shutil.copyfile(fresh, part)
        yield {
            "model": training.name,
            "before": before,
            "after": after,
            "kept": "the new one" if better else "the old one",
        }
