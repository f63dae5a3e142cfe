"""Distil `compact`, a small VGG-shaped encoder, from larger ones.

The student's features are mapped by 1x1 heads, thrown away afterwards, onto those of its teachers (Romero et al.,
"FitNets: Hints for Thin Deep Nets", 2014, arXiv:1412.6550); each layer's error is divided by the variance of its
target, so that 1.0 means "no better than the mean". As what counts in style transfer is not the features but Gram
matrices and where they lead a picture, two more terms ask for these: the pictures of a batch should lie as far apart by
the student's Gram matrices as by the teacher's (after Park et al., "Relational Knowledge Distillation", 2019,
arXiv:1904.05068), and the derivative of such a distance by the picture should point where the teacher's does (after
Czarnecki et al., "Sobolev Training for Neural Networks", 2017, arXiv:1706.04859). And as what is painted on a student
looks like nothing that it was shown of photos, a part of each batch was painted on the student itself, as it is then:
see `nst.research.train.painted`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.device import Device
from nst.encoders import STYLE_LAYERS, Encoder, load_encoder
from nst.registry import load_model
from nst.research.options import Records, options
from nst.research.train.config import CropConfig
from nst.research.train.data import gathered
from nst.research.train.descent import Descent
from nst.research.train.loop import train, training_device
from nst.research.train.model_file import write_model
from nst.research.train.painted import PaintedPictures, distances, gram
from nst.teach.crops import PHOTO_SIDE, Pictures, Stock
from nst.weights import load_tensors

STAGES = [[24, 32], [64, 64], [160, 160], [256, 256], [256]]
HEAD_RATE = 3  # how much faster than the student the heads learn
CONTENT_GAIN = 20.0
"""See `nst.encoders.Encoder`: this student keeps less of the content than its teachers at an equal content loss."""
INPUT: dict[str, Any] = {"mean": (0.45,) * 3, "std": (0.25,) * 3}


class Teachers(nn.Module):
    """The targets by name, and the student's layer that each belongs to."""

    layers: ClassVar = {name: name for name in (*STYLE_LAYERS, "relu4_2")} | {"semantics": "relu5_1"}

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        folder = Path(folder)
        self.shallow = load_encoder(folder / "vgg19_normalised_to_relu3_1.safetensors")
        deep = load_tensors(folder / "vgg19_16x_level5_encoder.safetensors")
        self.deep = load_encoder(folder / "vgg19_16x_level5_encoder.safetensors")
        for n in "45":
            self.register_buffer(f"weight{n}", deep[f"conv{n}1_aux.weight"].float())
            self.register_buffer(f"bias{n}", deep[f"conv{n}1_aux.bias"].float())
        self.widths = {"relu1_1": 64, "relu2_1": 128, "relu3_1": 256, "relu4_1": 512}
        self.widths |= {"relu4_2": self.deep.conv4_2.out_channels, "relu5_1": 512, "semantics": 512}  # type: ignore[dict-item, union-attr]
        self.squeezenet: Any = load_model(folder / "squeezenet1_1_bgr255.safetensors", architecture="squeezenet")
        self.eval().requires_grad_(False)

    def layer(self, image: Tensor, name: str) -> Tensor:
        """One of the style layers of an image (N, 3, H, W), with its gradient."""
        if name in self.shallow.layers:
            return self.shallow(image, [name])[name]
        return self._mapped(self.deep(image, [name])[name], name)

    def _mapped(self, features: Tensor, name: str) -> Tensor:
        """The real VGG-19's channels of what the compressed one sees."""
        n = name[4]
        return F.relu(F.conv2d(features, self.get_buffer(f"weight{n}"), self.get_buffer(f"bias{n}")))

    @torch.no_grad()
    def forward(self, image: Tensor) -> dict[str, Tensor]:
        targets = self.shallow(image, ["relu1_1", "relu2_1", "relu3_1"])
        deep = self.deep(image, ["relu4_1", "relu4_2", "relu5_1"])
        for name in ("relu4_1", "relu5_1"):
            targets[name] = self._mapped(deep[name], name)
        targets["relu4_2"] = deep["relu4_2"]
        targets["semantics"] = self.squeezenet.encode(image)
        del targets["image"]
        return {name: t.float() for name, t in targets.items()}


def varied(pictures: Tensor, others: Tensor, rng: torch.Generator) -> Tensor:
    """What else an optimization passes through: pictures (N, 3, S, S) in noise, flat, blended or recolored."""
    count = len(pictures)
    kind, amount = torch.rand(2, count, 1, 1, 1, generator=rng, device=rng.device)
    color = torch.rand(count, 3, 1, 1, generator=rng, device=rng.device)
    noise = torch.rand(pictures.shape, generator=rng, device=rng.device)
    made = [
        torch.lerp(pictures, noise, amount * 0.6),
        torch.lerp(color.expand_as(pictures), pictures, amount * 0.3),
        torch.lerp(pictures, others, amount),
        ((pictures - 0.5) * (0.3 + 1.4 * amount) + 0.5 + 0.3 * (color - 0.5)).clamp(0, 1),
    ]
    chosen = pictures
    for i, one in enumerate(made):
        chosen = torch.where((kind * len(made)).floor() == i, one, chosen)
    return chosen


def _relations(features: Tensor) -> Tensor:
    """Logarithms (N, N) of the distances between the Gram matrices of a batch, less their mean; 0 on the diagonal.

    Logarithms, because one noisy picture among seven photos would outweigh all other pairs.
    """
    grams = gram(features)
    squared = (grams[:, None] - grams[None]).square().sum(2)
    others = 1 - torch.eye(len(grams), device=grams.device)
    logs = squared.clamp_min(1e-12).log() / 2 * others
    return (logs - logs.sum() / others.sum()) * others


def _thinned(name: str, features: Tensor) -> Tensor:
    """A quarter of the positions of the first layer, whose 1x1 head costs as much as the whole student."""
    return features[..., ::2, ::2] if name == "relu1_1" else features


def _warm_start(student: Encoder, path: str | Path) -> None:
    """Take over another encoder's weights: where ours is narrower its channels of largest effect, where it is wider
    all of them, beside which what is new begins faint."""
    tensors = {re.sub(r"^c(\d)(\d)", r"conv\1_\2", k): v.float() for k, v in load_tensors(path).items()}
    names = [layer.replace("relu", "conv") for layer in student.layers]
    kept: Tensor | None = None
    for name, following in zip(names, [*names[1:], None], strict=True):
        conv: nn.Conv2d = getattr(student, name)
        weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        if kept is not None:
            weight = weight[:, kept]
        kept = None
        if weight.shape[0] > conv.out_channels and following:
            outgoing = tensors[f"{following}.weight"].square().sum((0, 2, 3))
            effect = outgoing * weight.square().sum((1, 2, 3))
            kept = effect.topk(conv.out_channels).indices.sort().values
            weight, bias = weight[kept], bias[kept]
        rows, columns = weight.shape[:2]
        with torch.no_grad():
            conv.weight[:rows, columns:] *= 0.3
            conv.weight[:rows, :columns], conv.bias[:rows] = weight, bias  # type: ignore[index]


class Distillation(nn.Module):
    """The student, the heads that are thrown away, and each target's variance so far."""

    def __init__(
        self, student: Encoder, teacher: Teachers, device: Device, relation_weight: float, gradient_weight: float
    ) -> None:
        super().__init__()
        self.student, self.device = student, device
        self.given = [teacher]  # not among what is saved
        self.relation_weight, self.gradient_weight = relation_weight, gradient_weight
        self.heads = nn.ModuleDict()
        for name, layer in Teachers.layers.items():
            conv: nn.Conv2d = getattr(student, layer.replace("relu", "conv"))
            self.heads[name] = nn.Conv2d(conv.out_channels, teacher.widths[name], 1)
            self.register_buffer(f"{name}_variance", torch.tensor(float("nan")))

    @torch.no_grad()
    def fit_heads(self, images: Sequence[Tensor]) -> None:
        """Set the heads to the least squares solution, which descent would take a thousand steps to find."""
        products: dict[str, list[Tensor]] = {name: [] for name in Teachers.layers}
        for image in images:
            targets, features = self.given[0](image), self.student(image, self.student.layers)
            for name, layer in Teachers.layers.items():
                source = F.interpolate(features[layer], size=targets[name].shape[-2:], mode="bilinear")
                x = source.transpose(0, 1).flatten(1)
                x = torch.cat([x, torch.ones_like(x[:1])])
                y = targets[name].transpose(0, 1).flatten(1)
                products[name].append(torch.cat([x @ x.T, x @ y.T], 1) / x.shape[1])
        for name, found in products.items():
            product = torch.stack(found).mean(0).cpu().double()
            count = product.shape[0]
            ridge = 1e-3 * product[:, :count].diagonal().mean() * torch.eye(count).to(product)
            solution = torch.linalg.solve(product[:, :count] + ridge, product[:, count:]).float()
            head: nn.Conv2d = self.heads[name]  # type: ignore[assignment]
            head.weight.copy_(solution[:-1].T[:, :, None, None])
            head.bias.copy_(solution[-1])  # type: ignore[union-attr]

    def errors(self, image: Tensor, targets: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Each picture's squared error by target (N,), not yet divided by the variance, and the student's features."""
        with self.device.autocast():
            features = self.student(image, self.student.layers)
            mapped = {n: self.heads[n](_thinned(n, features[s])) for n, s in Teachers.layers.items()}
        found = {}
        for name, target in targets.items():
            target, output = _thinned(name, target), mapped[name].float()
            if output.shape != target.shape:  # SqueezeNet does not pad its first convolution
                output = F.interpolate(output, size=target.shape[-2:], mode="bilinear")
            found[name] = (output - target).square().mean((1, 2, 3))
        return found, features

    def disagreement(self, image: Tensor) -> Tensor:
        """The sum over all targets of their relative errors, for who looks for pictures on which it is large; (N,)."""
        with self.device.autocast():
            features = self.student(image, STYLE_LAYERS)
            mapped = {name: self.heads[name](features[name]) for name in STYLE_LAYERS}
            wanted = {name: self.given[0].layer(image, name) for name in STYLE_LAYERS}
        errors = [
            (mapped[name].float() - wanted[name].float()).square().mean((1, 2, 3))
            / self.get_buffer(f"{name}_variance").nan_to_num(1.0)
            for name in STYLE_LAYERS
        ]
        return torch.stack(errors).sum(0)

    def forward(self, image: Tensor, turn: int = 0) -> dict[str, Tensor]:
        """Weighted terms of images (N, 3, S, S): errors of all layers, relative to their variance, and their relations;
        `turn` is which of the style layers' derivatives is compared in this step."""
        with self.device.autocast():
            targets = self.given[0](image)
        errors, features = self.errors(image, targets)
        terms: dict[str, Tensor] = {}
        for name, error in errors.items():
            variance = self.get_buffer(f"{name}_variance")
            with torch.no_grad():
                now = targets[name].var()
                variance.copy_(torch.where(variance.isnan(), now, torch.lerp(variance, now, 0.01)))
            terms[name] = SEMANTICS * (error.mean() / variance) if name == "semantics" else error.mean() / variance
            if name in STYLE_LAYERS:
                relations = _relations(features[name]), _relations(targets[name])
                terms[f"{name} relation"] = self.relation_weight * F.mse_loss(*relations)
        if self.gradient_weight:
            terms["gradient"] = self.gradient_weight * self.gradient_error(image[::2], STYLE_LAYERS[turn])
        return terms

    def gradient_error(self, image: Tensor, layer: str) -> Tensor:
        """One minus the cosine of the student's and the teacher's derivative by the image; a scalar, the batch's mean.

        What is derived is the relative distance of the layer's Gram matrix from that of the next picture of the batch:
        the step that an optimization would take.
        """
        slopes = []
        for encode, keep in ((self._student_layer, True), (self.given[0].layer, False)):
            leaf = image.detach().requires_grad_()
            with torch.enable_grad(), self.device.autocast():
                features = encode(leaf, layer)
            loss = distances(features, features.detach().roll(1, 0)).sum()
            slopes.append(torch.autograd.grad(loss, leaf, create_graph=keep)[0].float().flatten(1))
        return (1 - F.cosine_similarity(slopes[0], slopes[1].detach(), eps=1e-20)).mean()

    def _student_layer(self, image: Tensor, name: str) -> Tensor:
        return self.student(image, [name])[name]


SEMANTICS = 0.3  # how much SqueezeNet's features count
MIXTURE = {"photos": 0.4, "paintings": 0.2, "varied": 0.1, "painted": 0.3}  # of what a batch consists


@dataclass(frozen=True, kw_only=True)
class CompactConfig(CropConfig):
    """The distillation of `compact`.

    Args:
        data: folder or tar file of photos.
        teachers: folder with the three teacher networks (see `Teachers`).
        paintings: folders or tar files of paintings.
        start: an encoder file to start from.
        painter: a network of several styles whose pictures are learned from as well; none if empty.
        bank: how many pictures painted on the student are kept; 0 for none.
        repaint: steps between two times that some of them are painted anew.
        relation_weight: weight of the Gram relation term.
        gradient_weight: weight of the derivatives' term.
    """

    data: str
    teachers: str
    paintings: Sequence[str] = ()
    painter: str | None = "cin"
    steps: int = 9000
    batch: int = 10
    size: int = 128
    bank: int = 512
    repaint: int = 100
    relation_weight: float = 0.3
    gradient_weight: float = 0.3
    interval: int = 50


@options
def train_compact(config: CompactConfig) -> Records:
    """Train the encoder on features of its teachers."""
    folder, device = config.folder, training_device(config.device)
    batch, size = config.batch, config.size
    teacher = Teachers(config.teachers).to(device.torch_device)
    network = load_model(config.painter) if config.bank and config.painter else None
    torch.manual_seed(config.seed)
    student = Encoder(STAGES, **INPUT)
    if config.start:
        _warm_start(student, config.start)
    model = device.place(Distillation(student, teacher, device, config.relation_weight, config.gradient_weight))
    photos = Stock(Pictures(config.data), PHOTO_SIDE, device)
    paintings = gathered(config.paintings)
    art, rng = Stock(paintings, PHOTO_SIDE, device) if paintings else photos, photos.rng
    painted = PaintedPictures(model, photos, art, network, size, config.bank, device) if config.bank else None
    if not (folder / "checkpoint.pt").exists():
        model.fit_heads([photos.batch(batch, size, rng.manual_seed(config.seed + i)) for i in range(8)])
    counts = {kind: max(1, round(batch * share)) for kind, share in MIXTURE.items()}
    counts["photos"] = batch - sum(n for kind, n in counts.items() if kind != "photos")

    def draw(step_seed: int) -> tuple[Tensor, ...]:
        rng.manual_seed(step_seed)
        if painted and (step_seed // (4 * 64)) % config.repaint == 1:
            painted.renew(rng)
        parts = [photos.batch(counts["photos"], size, rng), art.batch(counts["paintings"], size, rng, smallest=0.3)]
        pair = photos.batch(counts["varied"], size, rng), art.batch(counts["varied"], size, rng)
        parts.append(varied(*pair, rng))
        fresh = painted.batch if painted else photos.batch
        parts.append(fresh(counts["painted"], size, rng))
        order = torch.randperm(batch, generator=rng, device=device.torch_device)
        return (torch.cat(parts)[order].contiguous(memory_format=torch.channels_last),)

    descent = Descent(
        model,
        draw,
        model,
        config,
        device,
        groups=[(model.student.parameters(), 1.0), (model.heads.parameters(), HEAD_RATE)],
        turns=len(STYLE_LAYERS) if config.gradient_weight else 1,
        kept=painted,
    )
    yield from train(
        descent,
        out=folder,
        finish=lambda trained, record: export(trained.student, folder, record),
        sheet=(lambda *_: painted.sheet()) if painted else None,
        notes=lambda: {"skipped": photos.skipped, "painted": painted.made if painted else 0},
    )


def export(student: Encoder, folder: Path, record: Mapping[str, Any]) -> None:
    """Write the student, its configuration in the metadata, and a model card."""
    config = {"stages": STAGES, "pooling": "average", "padding": "reflect", "content_gain": CONTENT_GAIN, **INPUT}
    told = {"file": "compact", "source": "nst/research/train/compact.py"}
    write_model(student, folder, "encoder", config, record, ABOUT, **told)


ABOUT = """A VGG-shaped encoder of nine 3x3 convolutions for neural style transfer: features relu1_1 to relu5_1 of RGB
pictures, distilled from VGG-19 (relu1_1 to relu3_1), a 16x-compressed VGG-19 (relu4_1, relu5_1) and SqueezeNet 1.1. It
is made to compare pictures, not to name what is on them. Below, a layer's figure is what its features, mapped by a
linear head, leave unexplained of the teachers' variance."""
