"""Distill a translator from one that somebody else trained.

The student learns what the teacher makes of photos (Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural
Network", 2015, arXiv:1503.02531; of generators: Li et al., "GAN Compression", 2020, arXiv:2003.08936): of crops of
photos of all kinds, half of them in another light and another tint. It has the teacher's shape, or is slimmer inside
its blocks, and learns stage by stage, from hints (Romero et al., "FitNets", 2014, arXiv:1412.6550): each stage is
given what the teacher's stage before it told and is to tell what the teacher's own does. So the many stages are as
many small regressions, which bear a learning rate twenty times larger than a network that is taught by its last stage
alone; from that one, a few thousand photos of which few show horses do not teach where each stripe lies. A second
run, from the file of the first and led half of the time only, lets the stages grow used to each other.

It is better than its teacher in two things. A generator of horses and zebras draws stripes, and besides it darkens and
yellows the meadow, as the zebras that it learned from stood on dry grass. What it draws and what it only tints can be
told apart: drawing changes the light from pixel to pixel, a tint changes it evenly. So the student tells as well where
the teacher draws, see `drawn`; elsewhere the photo stays.

It also draws stripes on tables and on people. So photos that show no mammal, as a classifier sees it, are to stay as
they are, and of those that do most is learned where the result is likeliest to show what it should.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.device import Device
from nst.encoders import Encoder, load_encoder
from nst.losses import EPS
from nst.models.cyclegan import Translator
from nst.models.squeezenet import ZEBRA
from nst.registry import load_model
from nst.research.options import Records, options
from nst.research.train.config import PhotoConfig
from nst.research.train.data import rows
from nst.research.train.drawn import drawn
from nst.research.train.lesson import Lesson
from nst.research.train.teacher_filter import Varied, teacher_filter
from nst.teach.crops import Pictures

LAYERS = ("relu1_1", "relu2_1", "relu3_1")  # of the encoder that compares student and target: edges, textures, parts


class Imitation(nn.Module):
    """The objective: photos to the terms of what the student makes of them.

    Colors, and where they go, are learned apart. If only their blend were compared, the student would first find out
    that to paint nothing is right nearly everywhere, and then have no color to learn.

    Args:
        student: of one direction, with the output "blend".
        teacher: image to translated image.
        weights: of the errors of stages (`hints`), `pixels` and `texture`, and of where is painted (`share`).
    """

    def __init__(
        self,
        student: Translator,
        teacher: nn.Module,
        encoder: Encoder,
        device: Device,
        weights: Mapping[str, float],
    ) -> None:
        super().__init__()
        self.student: Any = student
        self.teacher: Any = teacher
        self.encoder, self.device, self.weights = encoder, device, weights

    @torch.no_grad()
    def target(self, photo: Tensor, of_kind: Tensor) -> tuple[Tensor, Tensor]:
        """What the teacher paints (N, 3, H, W), and how much of it the student should (N, 1, H, W); see `forward`."""
        with self.device.autocast():
            painted = self.teacher(photo)
        return painted, drawn(photo, painted) * of_kind.view(-1, 1, 1, 1)

    def follow(self, photo: Tensor, led: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What the student paints and the logits of where, what the teacher paints, and how far apart their stages are.

        Args:
            photo: (N, 3, H, W) in [0, 1].
            led: (S,); whether what a stage tells is replaced by what the teacher's tells before the next stage sees it.
        """
        student, teacher = self.student.generators[0], self.teacher.generators[0]
        x = y = 2 * photo - 1
        apart = []
        with self.device.autocast():
            for own, guide, leads in zip(student.net.stages(), teacher.net.stages(), led.tolist(), strict=True):
                with torch.no_grad():
                    before, y = y, guide(y)
                    spread = (y - before if y.shape == before.shape else y).float().var()
                x = own(x)
                if x.shape == y.shape:  # all but the last, which tells more than the teacher's
                    apart.append((x - y).square().mean(dtype=torch.float32) / spread)
                    x = y if leads else x
        return *student.read(x), teacher.read(y)[0], torch.stack(apart).mean()

    def forward(self, photo: Tensor, of_kind: Tensor, led: Tensor) -> dict[str, Tensor]:
        """Weighted terms.

        Args:
            photo: (N, 3, H, W) in [0, 1].
            of_kind: (N,); 1 for what shows something that may be translated, 0 for what is to stay as it is.
            led: see `follow`.
        """
        painted, share, wanted, hints = self.follow(photo, led)
        strength = drawn(photo, wanted) * of_kind.view(-1, 1, 1, 1)
        error = painted - wanted
        terms = {"hints": hints, "pixels": error.abs().mean()}
        terms["share"] = F.binary_cross_entropy_with_logits(share, strength, pos_weight=strength.new_tensor(BOLD))
        if self.weights["texture"]:
            with self.device.autocast():
                seen = self.encoder(torch.lerp(photo, painted, strength), LAYERS)
                with torch.no_grad():
                    features = self.encoder(torch.lerp(photo, wanted, strength), LAYERS)
            terms["texture"] = torch.stack([texture_error(seen[n], features[n], strength) for n in LAYERS]).mean()
        return {name: self.weights[name] * term for name, term in terms.items()}


def texture_error(found: Tensor, wanted: Tensor, strength: Tensor) -> Tensor:
    """Relative squared distance of the covariances of features (N, C, H, W) where something is drawn (N, 1, h, w), as a
    logarithm; the mean of those pictures on which anything is. Covariances, as in Gram matrices the mean color
    outweighs stripes."""
    share = F.adaptive_avg_pool2d(strength, (found.shape[2], found.shape[3]))
    grams = []
    for features in (found, wanted):
        x, weights = features.float().flatten(2), share.flatten(2)
        x = (x - (x * weights).sum(2, keepdim=True) / weights.sum(2, keepdim=True).clamp_min(EPS)) * weights
        grams.append(x @ x.transpose(1, 2))
    distance = (grams[0] - grams[1]).square().sum((1, 2)) / grams[1].square().sum((1, 2)).clamp_min(EPS)
    counts = (strength.mean((1, 2, 3)) > LEAST).float()
    return (distance.log1p() * counts).sum() / counts.sum().clamp_min(1)


BOLD = 3.0
"""How much worse it is to leave out what is drawn than to paint what is not: where in doubt, stripes half painted look
like neither animal."""

LEAST = 0.01  # the share of a picture that must be drawn on for it to have a texture


@dataclass(frozen=True, kw_only=True)
class DistillConfig(PhotoConfig):
    """The training of a slim translator.

    Args:
        teacher: a translator's file, ours or of a layout that `models import` knows.
        name: of what the student does.
        classifier: SqueezeNet's file, to find the teacher's successes; None means that all photos are.
        label: number of the class that a success shows; 340 is a zebra.
        examples: how many successes are learned from.
        inner: channels inside each residual block; none means the teacher's, whose shape the student has else.
        sees: the long side at which the student sees larger pictures; the teacher's pictures had 256 pixels a side.
        led: how likely each stage of the student is given what the teacher's stage before it told.
        hint_weight, pixel_weight, texture_weight: of the errors of each stage, of pixels and of textures.
        share_weight: of the error of where is painted.
    """

    teacher: str
    name: str = "horse2zebra"
    classifier: str | None = None
    label: int = ZEBRA
    examples: int = 400
    steps: int = 8000
    batch: int = 4
    size: int = 160
    inner: Sequence[int] = ()
    sees: int = 256
    led: float = 1.0
    hint_weight: float = 1.0
    pixel_weight: float = 3.0
    texture_weight: float = 1.0
    share_weight: float = 1.0


@options
def train_distill(config: DistillConfig) -> Records:
    """Train a slim translator on what a larger one makes of photos, whose background stays that of the photo."""
    guide: Any = load_model(Path(config.teacher), architecture="cyclegan")
    shape: dict[str, Any] = {**guide.config, "directions": [config.name], "output": "blend", "sees": config.sees}
    shape |= {"inner": list(config.inner)} if config.inner else {}
    lesson, folder = Lesson(config, "cyclegan", Translator, shape), config.folder
    device, guide = lesson.device, copy.deepcopy(guide).to(lesson.device.torch_device)
    compared = load_encoder(config.encoder).to(device.torch_device)
    weights = {"hints": config.hint_weight, "pixels": config.pixel_weight}
    weights |= {"texture": config.texture_weight, "share": config.share_weight}
    objective = Imitation(lesson.model, guide, compared, device, weights)
    photos = Pictures(config.data)
    folder.mkdir(parents=True, exist_ok=True)
    kinds: tuple[Sequence[int], Sequence[int]] = (range(len(photos)), [])
    if config.classifier:
        seen = folder / "seen.safetensors"
        kinds = teacher_filter(photos, guide, config.classifier, config.label, config.examples, seen, device)
    crops, stages = Varied(photos, *kinds, config.size, device), len(guide.generators[0].net.stages())
    samples, of_kind = crops.batch(8, crops.rng.manual_seed(config.seed))

    def draw(step_seed: int) -> tuple[Tensor, ...]:
        rng = crops.rng.manual_seed(step_seed)
        return *crops.batch(config.batch, rng), torch.rand(stages, generator=rng, device=rng.device) < config.led

    def sheet(trained: nn.Module) -> Tensor:
        """Photos, what the teacher makes of them, what the student was to make of them, and what it makes."""
        painted, strength = objective.target(samples, of_kind)
        return rows([samples, painted, torch.lerp(samples, painted, strength), trained(samples)])

    about = f"Translates photos: {config.name}. Distilled from {Path(config.teacher).name} on {config.data}."
    told: dict[str, Any] = {"skipped": lambda: crops.skipped, "command": "distill"}
    return lesson.learn(lesson.descent(objective, draw), about, sheet, **told)
