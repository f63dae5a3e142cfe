"""Speed of networks that paint in one pass, ours beside the one that most people know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.device import Device, choose_device
from nst.fast import make_painter
from nst.images import resize, to_tensor
from nst.registry import load_model
from nst.research.bench.turns import in_turn
from nst.styles import load_content


class PlainNet(nn.Module):
    """Johnson's network in the layout and arithmetic of pytorch/examples, with PyTorch's own layers.

    Images are 0 to 255 on both sides; widths 32, 64 and 128, five residual blocks, 9x9 convolutions at both ends,
    nearest-neighbor enlargement, instance normalization.
    """

    def __init__(self, blocks: int = 5) -> None:
        super().__init__()
        sizes = {"conv1": (3, 32, 9), "conv2": (32, 64, 3), "conv3": (64, 128, 3)}
        sizes |= {f"res{i}_{k}": (128, 128, 3) for i in range(1, blocks + 1) for k in (1, 2)}
        sizes |= {"deconv1": (128, 64, 3), "deconv2": (64, 32, 3), "deconv3": (32, 3, 9)}
        self.blocks, self.convs, self.norms = blocks, nn.ModuleDict(), nn.ModuleDict()
        for name, (inside, outside, kernel) in sizes.items():
            stride = 2 if name in ("conv2", "conv3") else 1
            self.convs[name] = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, padding_mode="reflect")
            if name != "deconv3":
                self.norms[name] = nn.InstanceNorm2d(outside, affine=True)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W), 0 to 255, to the same."""

        def layer(x: Tensor, name: str) -> Tensor:
            return self.norms[name](self.convs[name](x))  # type: ignore[no-any-return]

        x = image
        for name in ("conv1", "conv2", "conv3"):
            x = F.relu(layer(x, name))
        for i in range(1, self.blocks + 1):
            x = x + layer(F.relu(layer(x, f"res{i}_1")), f"res{i}_2")
        for name in ("deconv1", "deconv2"):
            x = F.relu(layer(F.interpolate(x, scale_factor=2, mode="nearest"), name))
        return self.convs["deconv3"](x)  # type: ignore[no-any-return]


def bench_fast(
    *,
    sizes: Sequence[int] = (512, 1280),
    models: Sequence[str] = ("cin", "predictor"),
    rounds: int = 5,
    device: str | Device = "auto",
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """Seconds a picture takes in one pass, of pytorch/examples' network in float32 and of ours, in turn.

    A row for each size and network: `seconds` (the median of the rounds), `speedup` over pytorch/examples, `frames` a
    second, `memory` (bytes above what the process held before, at the peak). A size is 16:9, but 512 is square.

    Args:
        sizes: long sides in pixels.
        models: of ours, by name or file.
        rounds: how often they take turns, after one that is not counted.
        device: see `nst.device.choose_device`.
        seed: of the weights of pytorch/examples' network, which do not matter for speed.
    """
    device = choose_device(device)
    torch.manual_seed(seed)
    plain = PlainNet().to(device.torch_device).eval().requires_grad_(False)
    photo, style = to_tensor(load_content("coffee")), to_tensor(load_content("chelsea"))
    painters = {}
    for name in models:
        network = load_model(name)
        own: dict[object, list[Any]] = {"names": list(getattr(network, "styles", ()))[:1], "pictures": [style]}
        painters[name] = make_painter(own.get(network.takes, []), model=name, device=device)
    for size in sizes:
        image = resize(photo, (size, size) if size == 512 else (size * 9 // 16, size))
        placed, shown = image.to(device.torch_device), device.place(image)
        calls: dict[str, Callable[[], object]] = {"pytorch/examples, float32": partial(plain, placed * 255)}
        for name, painter in painters.items():
            calls[f"{name}, {device.name}"] = partial(painter.pass_through, shown)
        with torch.no_grad():
            taken = in_turn(calls, device, rounds)
        first, *_ = taken.values()
        for name, each in taken.items():
            row: dict[str, Any] = {"size": f"{image.shape[3]} x {image.shape[2]}", "network": name}
            row |= {"seconds": each.seconds, "speedup": first.seconds / each.seconds, "frames": 1 / each.seconds}
            yield row | {"memory": each.memory}
