"""Speed and memory on this machine, ours beside a plain loop, in one process and in turn.

Ratios mean more than seconds: these are whatever the machine gives at the moment, but both sides get the same.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import Tensor

from nst.color import COLOR_MODES
from nst.device import Device, choose_device
from nst.encoders import CONTENT_LAYERS, STYLE_LAYERS, load_encoder
from nst.images import resize, to_tensor
from nst.losses import STYLE_LOSSES
from nst.optimize import Encoding
from nst.research.bench.loops import PlainEncoder, PlainLoop, ours, vgg19
from nst.research.bench.turns import in_turn
from nst.settings.setting import Preset
from nst.styles import load_content, load_style
from nst.stylize import style_transfer

STEP = "a whole step"


def bench_optimize(
    *,
    sizes: Sequence[int] = (256, 512, 1024),
    steps: int = 5,
    rounds: int = 2,
    device: str | Device = "auto",
    precision: str = "auto",
    encoder: str = "compact",
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """Seconds per step and peak memory of a plain float32 loop and of ours, with VGG-19 and with a smaller encoder.

    A row for each size, network and loop: `seconds` per step (the median); `speedup` over the plain loop with the
    same network, `overall` over that with VGG-19, in the same rounds; `memory` (bytes above what the process held
    before, at the peak); `loss` of the last step, and `to_loss`, the steps to the one the plain loop ends with.

    Args:
        sizes: long sides in pixels, of two example photos made 4:3.
        steps: timed steps in a round, after one that is not counted.
        rounds: how often the loops take turns.
        device, precision: see `nst.device.choose_device`.
        encoder: the smaller encoder, by name or file.
        seed: of VGG-19's weights where the real ones are not here.
    """
    device = choose_device(device, precision)
    large, real = vgg19(seed)
    networks = {"VGG-19": large, encoder: copy.deepcopy(load_encoder(encoder))}
    weights = (0.03, 0.97)
    for size in sizes:
        photos = (resize(to_tensor(load_content(name)), (size * 3 // 4, size)) for name in ("chelsea", "coffee"))
        content, style = map(device.place, photos)
        loops: dict[tuple[str, str], Callable[[], float]] = {}
        for name, network in networks.items():
            network = network.to(device.torch_device)
            plain = PlainLoop(network, content.contiguous(), style.contiguous(), weights)
            loops[name, "plain, float32"] = plain.step
            run = ours(network, content, style, device, weights=weights, tv_weight=0)
            loops[name, f"ours, {device.name}"] = lambda run=run: next(run).loss  # type: ignore[misc]
        taken = in_turn(loops, device, rounds, steps)
        for (name, loop), own in taken.items():
            same = taken[name, "plain, float32"]
            row: dict[str, Any] = {"size": size, "network": name, "loop": loop, "seconds": own.seconds}
            row |= {"speedup": same.seconds / own.seconds}
            row |= {"overall": taken["VGG-19", "plain, float32"].seconds / own.seconds}
            row |= {"memory": own.memory, "loss": own.results[-1]}
            row["to_loss"] = next((i for i, loss in enumerate(own.results, 1) if loss <= same.results[-1]), None)
            yield row | {"weights": "random" if name == "VGG-19" and not real else "real"}


def bench_encoders(
    *,
    encoders: Sequence[str] = ("compact",),
    size: int = 512,
    rounds: int = 5,
    device: str | Device = "auto",
) -> Iterator[dict[str, Any]]:
    """Forward and backward of encoders beside VGG-19's: float32 contiguous, the fast path, and that without our layers.

    `seconds` is the fastest of the rounds; `speedup` is over VGG-19 in the same format; `step_ratio` is a whole
    optimization step (losses, total variation, Adam, bookkeeping) over the encoder's own work.

    Args:
        encoders: by name or file.
        size: side in pixels.
        rounds: how often they take turns.
        device: see `nst.device.choose_device`.
    """
    fast, plain = choose_device(device), choose_device(device, "float32")
    models = {"VGG-19": vgg19()[0], **{name: copy.deepcopy(load_encoder(name)) for name in encoders}}
    image = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    layers = (*CONTENT_LAYERS, *STYLE_LAYERS)
    calls: dict[tuple[str, str], Callable[[], object]] = {}
    for name, model in models.items():
        model = model.to(fast.torch_device)
        formats: dict[str, tuple[Encoding, Device, torch.memory_format]] = {
            "float32 contiguous": (PlainEncoder(model, torch.contiguous_format), plain, torch.contiguous_format),
            f"{fast.name}, PyTorch's layers": (PlainEncoder(model, torch.channels_last), fast, torch.channels_last),
            fast.name: (model, fast, torch.channels_last),
        }
        for title, (network, on, layout) in formats.items():
            leaf = image.to(on.torch_device, memory_format=layout).requires_grad_()
            calls[name, title] = partial(_forward_backward, network, leaf, layers, on)
        x = fast.place(image)
        calls[name, STEP] = partial(next, ours(model, x, x, fast, weights=(1.0, 1.0), tv_weight=0.1))
    best = {key: min(taken.times) for key, taken in in_turn(calls, fast, rounds, 2).items()}
    for (name, title), seconds in best.items():
        if title != STEP:
            row: dict[str, Any] = {"encoder": name, "format": title, "size": size, "seconds": seconds}
            row["speedup"] = best["VGG-19", title] / seconds
            yield row | {"step_ratio": best[name, STEP] / seconds if title.startswith(fast.name) else None}


def bench_controls(
    *,
    encoder: str = "compact",
    size: int = 512,
    rounds: int = 3,
    device: str | Device = "auto",
) -> Iterator[dict[str, Any]]:
    """What each control costs: seconds of a step with it, and `ratio`, that over a plain step in the same rounds.

    The second one is plain as well: how far its ratio is from 1 is how far the others can be trusted.

    Args:
        encoder: by name or file.
        size: long side in pixels, of an example photo in two drawn styles.
        rounds: how often each takes turns with a plain step; the median of the ratios is given.
        device: see `nst.device.choose_device`.
    """
    content = to_tensor(load_content("chelsea"))
    styles = [to_tensor(load_style(name, size)) for name in ("night", "waves")]
    upper = torch.zeros(1, 1, *content.shape[-2:])
    upper[..., : content.shape[-2] // 2, :] = 1
    maps: dict[str, Any] = {"content_map": upper.expand(1, 3, -1, -1), "style_map": [upper.expand(1, 3, -1, -1)]}
    regions: dict[str, Any] = {"masks": [upper, None]}
    controls: dict[str, tuple[int, dict[str, Any]]] = {"plain": (1, {}), "plain again": (1, {})}
    controls |= {f"loss {kind}": (1, {"style_loss": kind}) for kind in STYLE_LOSSES}
    controls |= {
        "loss mmd-polynomial of degree 3": (1, {"style_loss": "mmd-polynomial", "kernel_degree": 3}),
        "loss correlation across all layers": (1, {"style_loss": "correlation", "correlations": "cross"}),
        "loss gram+histogram": (1, {"style_loss": "gram+histogram"}),
        "patches by meaning": (1, {"style_loss": "patches", **maps}),
        "two styles": (2, {}),
        "two styles, mixed losses": (2, {"mixing": "losses"}),
        "two regions": (2, regions),
        "a region kept": (1, {"keep": upper}),
        "content by a second encoder": (1, {"content_encoder": encoder}),
        "norm": (1, {"norm_weight": 1.0}),
    }
    controls |= {f"colors by {mode}": (1, {"preserve_color": mode}) for mode in COLOR_MODES[1:]}
    all_of_it: dict[str, Any] = {"style_loss": "gram+histogram", "preserve_color": "pca", "norm_weight": 1.0}
    controls["two regions, gram+histogram, pca, norm"] = (2, regions | all_of_it)

    def step(count: int, settings: dict[str, Any]) -> float:
        preset = Preset(num_steps=6, factor=1e9, smallest=64, average=0.0, tv_weight=0.01)
        fixed: dict[str, Any] = {"encoder": encoder, "size": size, "preset": preset, "device": device}
        times = [time.perf_counter() for _ in style_transfer(content, styles[:count], **fixed, **settings)]
        return (times[-1] - times[0]) / 5  # the mean, since patches are not matched in each step

    for name, (count, settings) in controls.items():
        pairs = [(step(1, {}), step(count, settings)) for _ in range(rounds)]
        ratio = median(with_it / plain for plain, with_it in pairs)
        yield {"control": name, "size": size, "seconds": median(pair[1] for pair in pairs), "ratio": ratio}


def _forward_backward(model: Encoding, image: Tensor, layers: tuple[str, ...], device: Device) -> None:
    image.grad = None
    with device.autocast():
        features = model(image, layers)
    found = [features[name] for name in layers]
    torch.autograd.backward(found, [torch.ones_like(feature) for feature in found])
