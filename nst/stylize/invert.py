"""What a layer knows of a picture: another picture, from noise, that looks the same to that layer.

Mahendran and Vedaldi, "Understanding Deep Image Representations by Inverting Them", 2014, arXiv:1412.0035.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from nst.device import Device, choose_device
from nst.encoders import load_onto
from nst.images import resize
from nst.losses import ContentLoss, NormLoss, PerceptualLoss, TotalVariationLoss
from nst.optimize import AdamState, Step, optimize
from nst.params import PixelImage
from nst.settings import check
from nst.settings.setting import Preset
from nst.stylize.painting import first_picture
from nst.stylize.scales import plan
from nst.stylize.settings import chosen_preset


def invert(
    content: Tensor,
    *,
    layer: str = "relu4_2",
    encoder: str = "compact",
    size: int = 256,
    starts: int = 1,
    preset: str | Preset = "good",
    num_steps: int | None = None,
    optimizer: str = "adam",
    learning_rate: float | None = None,
    tv_weight: float | None = None,
    tv_exponent: float = 2.0,
    norm_weight: float = 0.0,
    norm_exponent: float = 6.0,
    pooling: str | None = None,
    seed: int = 0,
    device: str | Device = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Step]:
    """Find pictures, from noise, whose features at a layer are those of `content`; yields every step.

    The image of a step holds all starts (starts, 3, H, W).

    Args:
        content: (1, 3, H, W) in [0, 1], of any size; it is resized here.
        layer: whose features are inverted.
        size: long side of each picture in pixels.
        starts: from how many noises; what they come to have in common is what the layer knows.
        tv_weight, tv_exponent: of total variation, relative to the content's own.
        norm_weight, norm_exponent: keep colors from burning out, see `nst.losses.alpha_norm`.
        seed: of the first noise; the others are of the seeds that follow.
        encoder, preset, num_steps, optimizer, learning_rate, pooling, device, progress: see
            `nst.stylize.style_transfer`.

    Raises:
        ValueError: an argument out of its range, or a layer that the encoder has not; the sentence lists them.
        nst.weights.WeightsNotFound: the encoder is neither here nor to be had.
    """
    check(**locals())
    chosen, device = chosen_preset(preset, num_steps=num_steps, tv_weight=tv_weight), choose_device(device)
    model = load_onto(device, encoder, pooling, progress)
    pictures, state = torch.empty(0), AdamState()
    for part in plan(size, chosen):
        small = device.place(resize(content.float(), part.size))
        with torch.no_grad(), device.autocast():
            features = {name: found.expand(starts, -1, -1, -1) for name, found in model(small, [layer]).items()}
        losses: list[nn.Module] = [ContentLoss(features, [layer])]
        if chosen.tv_weight:
            losses.append(TotalVariationLoss(small, weight=chosen.tv_weight, exponent=tv_exponent))
        if norm_weight:
            losses.append(NormLoss(norm_weight, norm_exponent))
        if part.steps_before:
            pictures = resize(pictures, small.shape[-2:])
        else:
            pictures = torch.cat([first_picture("noise", small.cpu(), small, seed + i) for i in range(starts)])
        run = optimize(
            PixelImage(device.place(pictures)),
            model,
            PerceptualLoss(losses),
            device=device,
            num_steps=part.num_steps,
            optimizer=optimizer,
            learning_rate=learning_rate,
            average=chosen.average,
            warm_state=state,
        )
        for step in run:
            yield part.of_all(step, chosen.num_steps)
        pictures = step.image
