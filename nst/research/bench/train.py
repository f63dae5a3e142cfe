"""What a step of each training takes beside what its networks alone take."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from nst.capture import Repeated
from nst.device import Device
from nst.encoders import CONTENT_LAYERS, STYLE_LAYERS
from nst.models.stylegan import mix_styles
from nst.research.bench.turns import seconds
from nst.research.train.anystyle import train_predictor
from nst.research.train.cin import train_cin
from nst.research.train.cyclegan import CycleLearner, train_cyclegan
from nst.research.train.descent import Descent
from nst.research.train.faces import StyleGANLearner, train_stylegan
from nst.styles import list_contents, load_content
from nst.teach.perceptual import SEEN


def bench_train(
    *,
    models: Sequence[str] = ("cin", "predictor", "cyclegan", "stylegan"),
    data: str | None = None,
    batch: int = 0,
    rounds: int = 5,
    device: str | Device = "auto",
) -> Iterator[dict[str, Any]]:
    """Crops a second in trainings, and how much longer a step takes than its networks' own forward and backward passes.

    A row for each model: `crops` a second; `seconds` of a step, as the training takes it, and `networks`, those of the
    bare passes, both medians; `ratio`, the one over the other; `steps` that were timed. Both take turns. On the
    processor, seconds are those of all cores together, whatever else the machine does. On CUDA they are told by events;
    the step of `cin` and `predictor` is replayed as a graph, and so are the passes wherever they can be captured.

    The bare passes are those of the same networks, in the same number format and layout, on a fixed random batch, down
    to the gradients of all that learns. Of `cin`: the network, then the encoder on as much of its picture as the
    training shows it. Of `predictor`: what looks at the style as well. What the encoder sees of the photo and of the
    style, for the loss to compare with, is the step's. Of `cyclegan`: each way there, back, and of a picture that is
    right already; the critics on what was made, and again on that and on real pictures. Of `stylegan`, fully grown: two
    styles a face, the faces, and the discriminator on them, on real ones, and again on them. The medians leave out the
    penalty of slopes, which comes at every 16th step and takes more than half a step on top: 4 % on the mean.

    Args:
        models: cin, predictor, cyclegan, stylegan.
        data: folder or tar file of pictures; None means the example photos.
        batch: pictures a step; 0 for as many as the training takes by itself.
        rounds: how often they take turns, after a few that are not counted.
        device: see `nst.device.choose_device`.

    Raises:
        ValueError: an unknown model.
    """
    if unknown := sorted(set(models) - COURSES.keys()):
        raise ValueError(f"There is no training of {', '.join(unknown)} here. There are: {', '.join(COURSES)}.")
    with tempfile.TemporaryDirectory() as folder:
        if data is None:
            for one in list_contents():
                load_content(one.name).save(Path(folder) / f"{one.name}.png")
        for model in models:
            train, told, passes = COURSES[model]
            source = data or folder
            given = told | {"data": [source] if model == "cyclegan" else source, "out": folder, "device": device}
            learner = train(**given | ({"batch": batch} if batch else {})).learner
            yield {"model": model, "batch": learner.config.batch} | _row(learner, passes(learner), rounds)


def _row(learner: Any, passes: Callable[[], None], rounds: int) -> dict[str, Any]:
    """What a training's step and its networks' passes take, in turn."""
    where, config = learner.device.torch_device, learner.config
    bare, times = Repeated(passes, where), []
    early = Descent.WARM + 1 if where.type == "cuda" else 1  # rounds until all that can be captured is
    for step in range(1, early + rounds + 1):
        whole = partial(learner.step, step, config.step_seed(step))
        times.append((seconds(whole, learner.device), seconds(bare, learner.device)))
    step, networks = (median(each) for each in zip(*times[early:], strict=True))
    size = learner.generator.resolution if isinstance(learner, StyleGANLearner) else config.size
    row = {"size": size, "crops": config.batch / step, "seconds": step, "networks": networks}
    return row | {"ratio": step / networks, "steps": rounds}


def _stylizer(learner: Descent) -> Callable[[], None]:
    objective: Any = learner.objective
    model, encoder = objective.model, objective.perceptuals[0].encoder
    photo, other, *_ = (torch.rand_like(x) if x.ndim == 4 else x for x in learner.batch(0))
    seen = round(SEEN * photo.shape[-1])
    weights = torch.eye(1, getattr(objective, "count", 1), device=photo.device)

    def passes() -> None:
        with learner.device.autocast():
            style = weights if model.takes == "names" else model.embed(model.seen(other))
            features = encoder(model(photo, style)[..., :seen, :seen], (*CONTENT_LAYERS, *STYLE_LAYERS))
        _backward([x for name, x in features.items() if name != "image"], model)

    return passes


def _cycle(learner: CycleLearner) -> Callable[[], None]:
    translator, critics = learner.cycle.translator, learner.cycle.critics
    own = [torch.rand_like(kind(learner.config.batch, rng=learner.rng)) for kind in learner.kinds]

    def passes() -> None:
        critics.requires_grad_(False)
        with learner.device.autocast():
            made = [translator(own[way], way) for way in (0, 1)]
            found = [translator(made[way], 1 - way) for way in (0, 1)] + [
                translator(own[1 - way], way) for way in (0, 1)
            ]
            found += [critics[way](made[way]) for way in (0, 1)]
        _backward(found, translator)
        critics.requires_grad_(True)
        with learner.device.autocast():
            found = [critics[way](x) for way in (0, 1) for x in (own[1 - way], made[way].detach())]
        _backward(found, critics)

    return passes


def _faces(learner: StyleGANLearner) -> Callable[[], None]:
    generator, discriminator, rng = learner.generator, learner.discriminator, torch.Generator().manual_seed(0)
    latent, noise = learner.latent(rng), generator.noise(rng, learner.config.batch)
    real = learner.device.place(torch.rand_like(learner.real(rng, 1)))
    crossover = torch.full((len(latent),), generator.layers // 2, device=latent.device)

    def passes() -> None:
        with learner.device.autocast():
            styles = mix_styles(generator.styles(latent), generator.styles(latent), crossover, generator.layers)
            made = generator.paint(styles, noise)
            found = [discriminator(real), discriminator(made.detach())]
        _backward(found, discriminator)
        discriminator.requires_grad_(False)
        with learner.device.autocast():
            judged = discriminator(made)
        _backward([judged], generator)
        discriminator.requires_grad_(True)

    return passes


def _backward(found: Sequence[Tensor], network: nn.Module) -> None:
    """The backward pass from all that was found to what learns of a network."""
    learning = [p for p in network.parameters() if p.requires_grad]
    torch.autograd.grad(found, learning, [torch.ones_like(x) for x in found], allow_unused=True)


STYLES = {"style": ["night", "waves"]}

COURSES: dict[str, tuple[Callable[..., Any], dict[str, Any], Callable[[Any], Callable[[], None]]]] = {
    "cin": (train_cin, STYLES, _stylizer),
    "predictor": (train_predictor, STYLES, _stylizer),
    "cyclegan": (train_cyclegan, {"other": STYLES["style"]}, _cycle),
    "stylegan": (train_stylegan, {"level_steps": 0}, _faces),
}
"""Each training: the command, what else it is told, and its networks' bare passes, of its learner."""
