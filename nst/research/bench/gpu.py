"""The speed of everything on one GPU, in one run of a few minutes: ours, the loops of others, and the floor."""

from __future__ import annotations

import copy
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.benchmark import Timer

from nst.capture import Repeated
from nst.device import Device, choose_device
from nst.encoders import CONTENT_LAYERS, STYLE_LAYERS, Encoder, load_encoder
from nst.fast import fast_styles, make_painter
from nst.frames import paint_frames
from nst.optimize import Step, throttle
from nst.research.bench import loops
from nst.research.bench.events import heard, told
from nst.research.bench.turns import wait
from nst.stylize import style_transfer

LAYERS = (*STYLE_LAYERS[:4], *CONTENT_LAYERS, *STYLE_LAYERS[4:])
KEYS = ("row", "size", "ms", "rate", "floor_ms", "times_floor", "times_pass", "memory", "note", "seconds")
LONGEST = 0.4  # seconds for which a thing is repeated to be timed
PRINT, ALLOWED = 8192, 4 * 2**30  # long side in pixels of a print, and bytes of the GPU's memory for it

Row = dict[str, Any]


def bench_gpu(
    *,
    sizes: Sequence[int] = (512, 1024, 2048),
    widths: Sequence[int] = (1280, 1920, 3840),
    presets: Sequence[str] = ("draft", "good", "best"),
    seconds: float = 140.0,
    device: str | Device = "auto",
    seed: int = 0,
) -> Iterator[Row]:
    """Milliseconds of an optimization step beside other people's, of whole runs and of fast networks; and the floor.

    A row for each thing: `ms`; `rate`, of pictures a second; `floor_ms`, what its arithmetic or its memory would take
    at the rates measured first, and `times_floor`; `times_pass`, over the encoder's own forward and backward pass
    replayed as a graph; `memory` at the peak, in bytes; `note`, what there is to say. What fails says so in its note,
    and the next row follows.

    Args:
        sizes: long sides in pixels, of square pictures.
        widths: in pixels, of films that fast networks paint, 16:9.
        presets: whole runs at the first of the sizes; "best" at the second.
        seconds: after so many nothing new is begun.
        device: see `nst.device.choose_device`.
        seed: of VGG-19's weights where the real ones are not here, which do not matter for speed.
    """
    ends, bench = time.monotonic() + seconds, GpuBench(choose_device(device), seed)
    for name, size, measure in _plan(bench, sizes, widths, presets):
        row: Row = dict.fromkeys(KEYS) | {"row": name, "size": size}
        if time.monotonic() > ends:
            yield row | {"note": "no time was left"}
            continue
        began = time.monotonic()
        try:
            with heard() as said:
                row |= measure()
            row["note"] = "; ".join(filter(None, [row["note"], *said])) or None
        except Exception as error:
            row["note"] = told(error)
        row["seconds"] = round(time.monotonic() - began, 2)
        yield row
        bench.clear()


def _plan(
    bench: GpuBench, sizes: Sequence[int], widths: Sequence[int], presets: Sequence[str]
) -> Iterator[tuple[str, int, Callable[[], Row]]]:
    """What is measured: its name, its size, and how; the most telling first."""
    yield "device", 0, bench.rates
    first, second = sizes[0], sizes[min(1, len(sizes) - 1)]
    yield "a captured step is the step itself", first, partial(bench.same, first)
    for size in sizes:
        for network in ("VGG-19", "compact"):
            yield f"encoder pass {network}", size, partial(bench.encoder_pass, network, size)
            for kind in ("gram", "wasserstein"):
                yield f"ours {network} {kind}", size, partial(bench.ours, network, kind, size)
            if size == first:
                eager = partial(bench.ours, network, "wasserstein", size, False)
                yield f"ours {network} wasserstein, eager", size, eager
        yield "plain float32 VGG-19 gram", size, partial(bench.plain, loops.PlainLoop, size, (0.03, 0.97))
        yield "crowsonkb VGG-19 wasserstein", size, partial(bench.plain, loops.Crowson, size)
        yield "neural-style VGG-19 gram", size, partial(bench.plain, loops.NeuralStyle, size)
    for preset in presets:
        size = second if preset == "best" else first
        yield f"style_transfer {preset}", size, partial(bench.whole, preset, size)
    if bench.cuda:
        yield "style_transfer draft by tiles", PRINT, partial(bench.tiled, PRINT)
    for model in ("cin", "predictor"):
        for width in widths:
            yield f"fast {model}", width, partial(bench.fast, model, width)
    for network in ("VGG-19", "compact"):
        yield f"kernels of a step, {network}", first, partial(bench.kernels_of_step, network, first)
    yield "kernels of a picture, cin", widths[0], partial(bench.kernels_of_picture, widths[0])


class GpuBench:
    """What is measured with: a device, its rates, two encoders, and pictures."""

    def __init__(self, device: Device, seed: int) -> None:
        self.device, self.seed = device, seed
        self.cuda = device.torch_device.type == "cuda"
        self.encoders: dict[str, Encoder] = {}
        self.passes: dict[tuple[str, int], float] = {}
        self.matrix_rate = self.memory_rate = 0.0

    def rates(self) -> Row:
        """Arithmetic and memory as fast as this device has them."""
        side, count = (8192, 2**30) if self.cuda else (512, 2**22)
        dtype = self.device.dtype or torch.float32
        a, b = (torch.randn(side, side, device=self.device.torch_device).to(dtype) for _ in range(2))
        product = self.timed(lambda: torch.mm(a, b)) / 1000
        source = torch.empty(count, dtype=torch.uint8, device=self.device.torch_device)
        target = torch.empty_like(source)
        copying = self.timed(lambda: target.copy_(source)) / 1000
        self.matrix_rate, self.memory_rate = 2 * side**3 / product, 2 * count / copying
        note = f"{self.device.name}, torch {torch.__version__}, {self.matrix_rate / 1e12:.4g} TFLOP/s, "
        return {"ms": product * 1000, "note": note + f"{self.memory_rate / 1e9:.4g} GB/s"}

    def encoder(self, name: str) -> Encoder:
        """On the device, its weights in the format it computes in."""
        if name not in self.encoders:
            model = loops.vgg19(self.seed)[0] if name == "VGG-19" else copy.deepcopy(load_encoder(name))
            model = model.to(self.device.torch_device)
            for module in model.modules():
                if isinstance(module, nn.Conv2d) and self.device.dtype:
                    module.to(self.device.dtype)
            self.encoders[name] = model
        return self.encoders[name]

    def picture(self, seed: int, size: int, width: int | None = None) -> Tensor:
        """A smooth random picture (1, 3, size, width or size) on the device."""
        coarse = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(seed))
        large = torch.nn.functional.interpolate(coarse, (size, width or size), mode="bicubic").clamp(0, 1)
        return self.device.place(large)

    def encoder_pass(self, network: str, size: int) -> Row:
        """Forward and backward of the encoder alone, replayed."""
        model, image = self.encoder(network), self.picture(1, size).requires_grad_()
        found = torch.zeros_like(image)

        def features() -> list[Tensor]:
            with self.device.autocast():
                seen = model(image, LAYERS)
            return [seen[name] for name in LAYERS]

        ones = [torch.ones_like(feature) for feature in features()]

        def once() -> None:
            with torch.enable_grad():
                found.copy_(torch.autograd.grad(features(), image, ones)[0])

        repeated = Repeated(once, self.device.torch_device)
        self.passes[network, size] = ms = self.timed(repeated)
        return {"ms": ms, "note": self.captured(repeated), **self.floor(network, size, ms)}

    def floor(self, network: str, size: int, ms: float) -> Row:
        """What the convolutions' arithmetic and their features' memory take at the rates of this device."""
        flops, features, width = 0, 0, 3
        model, pixels = self.encoder(network), size * size
        for s, stage in enumerate(model.stages):
            for name in stage[: 1 if s == len(model.stages) - 1 else None]:
                out = getattr(model, name.replace("relu", "conv")).out_channels
                flops += 2 * 9 * width * out * pixels // 4**s
                features += out * pixels // 4**s
                width = out
        if not self.matrix_rate:
            return {}
        # Forward and backward: each feature and its gradient written once and read once, in two bytes.
        least = 1000 * max(2 * flops / self.matrix_rate, 8 * features / self.memory_rate)
        return {"floor_ms": least, "times_floor": ms / least}

    def run(self, network: str, kind: str, size: int, capture: bool = True) -> Iterator[Step]:
        """Our optimization with the losses of `style_transfer`, without end."""
        model, content, style = self.encoder(network), self.picture(1, size), self.picture(2, size)
        return loops.ours(model, content, style, self.device, kind=kind, capture=capture)

    def ours(self, network: str, kind: str, size: int, capture: bool = True) -> Row:
        """A step of ours."""
        run = self.run(network, kind, size, capture)
        ms = self.timed(lambda: next(run))
        row: Row = {"ms": ms, "memory": self.peak(), **self.floor(network, size, ms)}
        known = self.passes.get((network, size))
        return row | {"times_pass": ms / known if known else None, "note": f"loss {next(run).loss:.4g}"}

    def plain(self, loop: Callable[..., Any], size: int, *arguments: Any) -> Row:
        """A step of another loop; its layers are float32, as it has them."""
        model = copy.deepcopy(self.encoder("VGG-19")).float()
        step = loop(model, self.picture(1, size).contiguous(), self.picture(2, size).contiguous(), *arguments).step
        ms = self.timed(step)
        return {"ms": ms, "memory": self.peak(), "note": f"loss {step():.4g}"}

    def same(self, size: int, steps: int = 25) -> Row:
        """Whether a captured step does what the step itself does."""
        both = [list(islice(self.run("compact", "wasserstein", size, capture), steps)) for capture in (True, False)]
        losses = [[step.loss for step in run] for run in both]
        apart = max(abs(a - b) / b for a, b in zip(*losses, strict=True))
        pixels = (both[0][-1].image - both[1][-1].image).abs().mean().item() * 255
        ends = f"loss {losses[0][0]:.4g} to {losses[0][-1]:.4g} and {losses[1][-1]:.4g}"
        return {"note": f"{ends}; at most {apart:.2e} apart, pictures {pixels:.2g} of 255"}

    def whole(self, preset: str, size: int) -> Row:
        """A run of `style_transfer` from end to end, the second of two."""
        times = []
        for _ in range(2):
            content, style = self.picture(1, size).cpu(), self.picture(2, size).cpu()
            began = time.perf_counter()
            steps = style_transfer(content, style, size=size, preset=preset, device=str(self.device.torch_device))
            *_, last = throttle(steps)
            final = last.image.cpu()
            times.append(time.perf_counter() - began)
        note = f"{last.total} steps; the first run {times[0]:.3g} s; mean color {final.mean():.3g}"
        return {"ms": 1000 * times[-1], "memory": self.peak(), "note": note}

    def tiled(self, size: int) -> Row:
        """A draft of a picture for which there is no memory to look at it at once."""
        device, whole = self.device.torch_device, torch.cuda.mem_get_info()[1]
        content, style = self.picture(1, 2048).cpu(), self.picture(2, 1024).cpu()
        self.encoders.clear()
        self.clear()
        torch.cuda.set_per_process_memory_fraction(ALLOWED / whole, device.index)
        torch.cuda.reset_peak_memory_stats()
        began = time.perf_counter()
        try:
            for last in throttle(style_transfer(content, style, size=size, preset="draft", device=str(device))):
                count = last.total  # whoever keeps all steps keeps what they were made by
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, device.index)
        note = f"of {ALLOWED / 2**30:g} GiB, of which the allocator took {torch.cuda.max_memory_reserved() / 2**30:.3g}"
        note += f"; {count} steps; mean color {last.image.mean().item():.3g}"
        return {"ms": 1000 * (time.perf_counter() - began), "memory": self.peak(), "note": note}

    def fast(self, model: str, width: int) -> Row:
        """Pictures from the CPU through a fast network and back."""
        painter = self.painter(model)
        height = width * 9 // 16
        photo = self.picture(1, height, width)
        frame = photo[0].permute(1, 2, 0).mul(255).byte().cpu().contiguous()
        painted = torch.zeros_like(photo)
        network = Repeated(lambda: painted.copy_(painter.pass_through(photo)), self.device.torch_device)
        with torch.no_grad():
            alone = self.timed(network)
        for _ in paint_frames(painter, [frame] * 4):
            pass
        count = max(4, min(100, int(1000 / alone)))
        began = time.perf_counter()
        done = sum(1 for _ in paint_frames(painter, (frame for _ in range(count))))
        taken = time.perf_counter() - began
        note = f"the network alone {alone:.3g} ms, {self.captured(network)}"
        return {"ms": 1000 * taken / done, "rate": done / taken, "memory": self.peak(), "note": note}

    def painter(self, model: str) -> Any:
        """A fast network with a style."""
        style: list[Any] = [fast_styles()[0]] if model == "cin" else [self.picture(2, 384).cpu()]
        return make_painter(style, model=model, device=str(self.device.torch_device))

    def kernels_of_step(self, network: str, size: int) -> Row:
        """Where the time of a replayed step goes."""
        run = self.run(network, "wasserstein", size)
        return self._kernels(lambda: next(run))

    def kernels_of_picture(self, width: int) -> Row:
        """Where the time of a picture goes that a fast network paints."""
        painter, photo = self.painter("cin"), self.picture(1, width * 9 // 16, width)
        with torch.no_grad():
            return self._kernels(lambda: painter.pass_through(photo))

    def _kernels(self, once: Callable[[], object]) -> Row:
        """Microseconds of the longest kernels, and their number."""
        for _ in range(6):
            once()
        wait(self.device)
        kinds = [torch.profiler.ProfilerActivity.CUDA if self.cuda else torch.profiler.ProfilerActivity.CPU]
        with torch.profiler.profile(activities=kinds) as profile:
            for _ in range(4):
                once()
            wait(self.device)
        times: dict[str, tuple[float, int]] = {}
        for event in profile.key_averages():
            spent = event.self_device_time_total if self.cuda else event.self_cpu_time_total
            if spent:
                times[event.key[:90]] = (spent / 4, event.count)
        longest = sorted(times.items(), key=lambda one: -one[1][0])[:40]
        total, count = sum(spent for spent, _ in times.values()), sum(n for _, n in times.values()) / 4
        told = "; ".join(f"{spent:.1f} us in {n / 4:g} {name}" for name, (spent, n) in longest)
        return {"ms": total / 1000, "note": f"{count:g} kernels: {told}"}

    def timed(self, step: Callable[[], object]) -> float:
        """Milliseconds of a step, after it was warmed up."""
        if self.cuda:
            torch.cuda.reset_peak_memory_stats()
        for _ in range(4):
            step()
        timer = Timer("step()", globals={"step": step}, num_threads=torch.get_num_threads())
        return 1000 * timer.blocked_autorange(min_run_time=LONGEST).median

    def captured(self, repeated: Repeated) -> str:
        return "a graph" if repeated.graph is not None else "no graph"

    def peak(self) -> int | None:
        return torch.cuda.max_memory_allocated() if self.cuda else None

    def clear(self) -> None:
        gc.collect()
        if self.cuda:
            torch.cuda.empty_cache()
