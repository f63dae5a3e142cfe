"""Distil `compact`, a small VGG-shaped encoder, from larger ones.

The student's features are mapped by 1x1 heads, thrown away afterwards, onto those of its teachers
(Romero et al., "FitNets: Hints for Thin Deep Nets", 2014, arXiv:1412.6550); each layer's error is divided
by the variance of its target, so that 1.0 means "no better than the mean". As what counts in style transfer
is not the features but the distances of their Gram matrices, a second term asks that the pictures of a batch
lie as far apart by the student's Gram matrices as by the teacher's (after Park et al., "Relational
Knowledge Distillation", 2019, arXiv:1904.05068).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.device import Device, choose_device
from nst.encoders import Encoder, load_encoder
from nst.losses import gram_matrix
from nst.registry import load_model
from nst.research.train.data import Crops, Pictures, write_checkpoint
from nst.research.train.loop import one_cycle
from nst.weights import load_tensors, save_tensors

STAGES = [[16, 16], [64, 64], [128, 128], [256, 256], [256]]
HEAD_RATE = 3
"""How much faster than the student the heads learn."""
CONTENT_GAIN = 20.0
"""See `nst.encoders.Encoder`: this student keeps less of the content than its teachers at an equal content loss."""
INPUT: dict[str, Any] = {"mean": (0.45,) * 3, "std": (0.25,) * 3}


class Teachers(nn.Module):
    """The targets by name, and the student's layer that each belongs to."""

    layers: ClassVar = {
        "relu1_1": "relu1_1",
        "relu2_1": "relu2_1",
        "relu3_1": "relu3_1",
        "relu4_1": "relu4_1",
        "relu5_1": "relu5_1",
        "semantics": "relu5_1",
    }
    widths: ClassVar = {"relu1_1": 64, "relu2_1": 128, "relu3_1": 256, "relu4_1": 512, "relu5_1": 512, "semantics": 512}

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        folder = Path(folder)
        self.shallow = load_encoder(folder / "vgg19_normalised_to_relu3_1.safetensors")
        deep = load_tensors(folder / "vgg19_16x_level5_encoder.safetensors")
        self.deep = load_encoder(folder / "vgg19_16x_level5_encoder.safetensors")
        self.aux = {n: (deep[f"conv{n}1_aux.weight"], deep[f"conv{n}1_aux.bias"]) for n in "45"}
        self.squeezenet: Any = load_model(folder / "squeezenet1_1_bgr255.safetensors", architecture="squeezenet")
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, image: Tensor) -> dict[str, Tensor]:
        targets = self.shallow(image, ["relu1_1", "relu2_1", "relu3_1"])
        deep = self.deep(image, ["relu4_1", "relu5_1"])
        for n, (weight, bias) in self.aux.items():
            targets[f"relu{n}_1"] = F.relu(F.conv2d(deep[f"relu{n}_1"], weight.to(image), bias.to(image)))
        targets["semantics"] = self.squeezenet.encode(image)
        del targets["image"]
        return {name: t.float() for name, t in targets.items()}


def _batch(photos: Crops, paintings: Crops, count: int, generator: torch.Generator) -> Tensor:
    """Half photos, a quarter paintings, and what an optimization passes through: noise, flat colors, blends."""
    quarter = count // 4
    plain = [photos.batch(count - 2 * quarter), paintings.batch(quarter)]
    odd = photos.batch(quarter)
    for i in range(quarter):
        kind = int(torch.randint(4, (), generator=generator))
        amount = torch.rand((), generator=generator)
        noise = torch.rand(odd[i].shape, generator=generator)
        color = torch.rand(3, 1, 1, generator=generator)
        if kind == 0:  # a noisy picture, as an optimization from noise makes them
            odd[i] = torch.lerp(odd[i], noise, amount * 0.6)
        elif kind == 1:  # a flat color with a little structure
            odd[i] = torch.lerp(color.expand_as(odd[i]), odd[i], amount * 0.3)
        elif kind == 2:  # photo into painting
            odd[i] = torch.lerp(odd[i], plain[1][i % quarter], amount)
        else:  # contrast and color cast
            odd[i] = ((odd[i] - 0.5) * (0.3 + 1.4 * amount) + 0.5 + 0.3 * (color - 0.5)).clamp(0, 1)
    return torch.cat([*plain, odd])


def _relations(features: Tensor) -> Tensor:
    """Logarithms (N (N - 1) / 2,) of the distances between the Gram matrices of a batch, less their mean.

    Logarithms, because one noisy picture among seven photos would outweigh all other pairs.
    """
    grams = gram_matrix(features.float()).flatten(1)
    first, second = torch.triu_indices(len(grams), len(grams), 1)
    logs = (grams[first] - grams[second]).square().sum(1).clamp_min(1e-12).log() / 2
    return logs - logs.mean()


def _thinned(name: str, features: Tensor) -> Tensor:
    """A quarter of the positions of the first layer, whose 1x1 head costs as much as the whole student."""
    return features[..., ::2, ::2] if name == "relu1_1" else features


def _warm_start(student: Encoder, path: str | Path) -> None:
    """Take over another encoder's weights; where ours is narrower, its channels of largest effect."""
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
        conv.load_state_dict({"weight": weight, "bias": bias})


class Distillation(nn.Module):
    """The student, the heads that are thrown away, and each target's variance so far."""

    def __init__(self, student: Encoder) -> None:
        super().__init__()
        self.student = student
        self.heads = nn.ModuleDict()
        for name, layer in Teachers.layers.items():
            conv: nn.Conv2d = getattr(student, layer.replace("relu", "conv"))
            self.heads[name] = nn.Conv2d(conv.out_channels, Teachers.widths[name], 1)
            self.register_buffer(f"{name}_variance", torch.tensor(float("nan")))

    @torch.no_grad()
    def fit_heads(self, teacher: Teachers, images: Sequence[Tensor]) -> None:
        """Set the heads to the least squares solution, which descent would take a thousand steps to find."""
        products: dict[str, list[Tensor]] = {name: [] for name in Teachers.layers}
        for image in images:
            targets, features = teacher(image), self.student(image, self.student.layers)
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

    def forward(self, image: Tensor, targets: Mapping[str, Tensor], where: Device) -> dict[str, Tensor]:
        """Terms by name: the errors of the layers, relative to their variance, and of their relations."""
        with where.autocast():
            features = self.student(image, self.student.layers)
            mapped = {n: self.heads[n](_thinned(n, features[s])) for n, s in Teachers.layers.items()}
        terms: dict[str, Tensor] = {}
        for name, target in targets.items():
            if name != "semantics":
                relations = _relations(features[name]), _relations(target)
                terms[f"{name} relation"] = F.mse_loss(*relations)
            target = _thinned(name, target)
            output = mapped[name].float()
            if output.shape != target.shape:  # SqueezeNet does not pad its first convolution
                output = F.interpolate(output, size=target.shape[-2:], mode="bilinear")
            variance = self.get_buffer(f"{name}_variance")
            now = target.var()
            variance.copy_(torch.where(variance.isnan(), now, torch.lerp(variance, now, 0.01)))
            terms[name] = F.mse_loss(output, target) / variance
        return terms


def train_compact(
    *,
    data: str,
    teachers: str,
    out: str,
    paintings: str | None = None,
    start: str | None = None,
    steps: int = 9000,
    batch: int = 8,
    size: int = 128,
    learning_rate: float = 2e-3,
    relation_weight: float = 0.3,
    seed: int = 0,
    interval: int = 50,
    device: str = "auto",
) -> Iterator[dict[str, Any]]:
    """Train and yield a log record per interval; `out` gets a checkpoint, a log and `compact.safetensors`.

    Args:
        data: folder or tar file of photos.
        teachers: folder with the three teacher networks (see `Teachers`).
        out: folder to write; a checkpoint there is resumed from.
        paintings: folder of paintings, a quarter of each batch.
        start: an encoder file to start from.
        steps, batch, size: how many steps, of how many crops, of how many pixels a side.
        learning_rate: the top of the cycle.
        relation_weight: weight of the Gram relation term.
        seed: of the crops and the initial weights.
        interval: steps between log records and checkpoints.
        device: see `nst.device.choose_device`.
    """
    folder, where = Path(out), choose_device(device)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    student = Encoder(STAGES, **INPUT)
    if start:
        _warm_start(student, start)
    model = Distillation(student).to(where.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    teacher = Teachers(teachers).to(where.device)
    groups = [{"params": model.student.parameters()}, {"params": model.heads.parameters()}]
    optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99))
    photos = Crops(Pictures(data), size)
    painted = Crops(Pictures(paintings), size, smallest=0.15) if paintings else photos
    first, checkpoint = 0, folder / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=where.device)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    else:
        model.fit_heads(teacher, [photos.batch(batch).to(where.device) for _ in range(8)])
    generator = torch.Generator()
    sums: dict[str, float] = {}
    started = time.monotonic()
    for step in range(first + 1, steps + 1):
        # Each step has a seed of its own, so that a resumed training sees what an uninterrupted one would.
        for offset, source in enumerate((photos, painted)):
            source.random.seed(4 * (seed * steps + step) + offset)
        generator.manual_seed(4 * (seed * steps + step) + 2)
        image = where.place(_batch(photos, painted, batch, generator))
        rate = one_cycle(step, steps, learning_rate)
        for group, factor in zip(optimizer.param_groups, (1, HEAD_RATE), strict=True):
            group["lr"] = rate * factor
        with where.autocast():
            targets = teacher(image)
        terms = model(image, targets, where)
        weights = {"semantics": 0.3} | {name: relation_weight for name in terms if name.endswith("relation")}
        loss = torch.stack([weights.get(name, 1.0) * term for name, term in terms.items()]).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        for name, term in terms.items():
            sums[name] = sums.get(name, 0.0) + float(term.detach())
        if step % interval == 0 or step == steps:
            count = (step - 1) % interval + 1
            record = {"step": step, "steps": steps, "learning_rate": rate, "skipped": photos.skipped}
            record |= {name: round(value / count, 5) for name, value in sums.items()}
            record["seconds_per_step"] = round((time.monotonic() - started) / count, 3)
            sums, started = {}, time.monotonic()
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
            write_checkpoint(checkpoint, state, record)
            export(model.student, folder, record)
            yield record


def export(student: Encoder, folder: Path, record: dict[str, Any]) -> None:
    """Write the student as float16 safetensors, its configuration in the metadata, and a model card."""
    tensors = {k: v.detach().half().cpu() for k, v in student.state_dict().items()}
    config = {"stages": STAGES, "pooling": "average", "padding": "reflect", "content_gain": CONTENT_GAIN, **INPUT}
    metadata = {"architecture": "encoder", "config": json.dumps(config)}
    save_tensors(folder / "compact.safetensors", tensors, metadata)
    errors = [f"| {layer} | {record[layer]:.3f} |" for layer in Teachers.widths if layer in record]
    (folder / "README.md").write_text(CARD.format(**record, errors="\n".join(errors)), encoding="utf-8")


CARD = """---
license: mit
library_name: nst
tags: [feature-extraction, neural-style-transfer, distillation]
---
# compact

A VGG-shaped encoder of nine 3x3 convolutions for neural style transfer: RGB in [0, 1] in, features relu1_1 to
relu5_1 out. Distilled by `python -m nst train compact` from VGG-19 (relu1_1 to relu3_1), a 16x-compressed VGG-19
(relu4_1, relu5_1) and SqueezeNet 1.1, for {step} of {steps} steps.

What the features, mapped by a linear head, leave unexplained of the teachers' variance on training crops:

| layer | share |
| --- | --- |
{errors}

It is made to compare pictures, not to name what is on them.
"""
