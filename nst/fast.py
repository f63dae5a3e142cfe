"""Fast styles: a photo through a network that has learned to paint, in one pass.

Models are found by name (`nst.registry.list_models("style")`) and differ in what a style is to them, which they say
in their attribute `takes`: "names" (those they were trained on), "pictures" (any), "photo" (they know one style) or
"noise" (textures; with a photo beside it, one style).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nst.care import face_map, looked_at
from nst.color import recolor_result
from nst.device import Device, choose_device, moved
from nst.images import encode, fit, resize, to_pil, to_tensor
from nst.losses import normalized_weights
from nst.optimize import Step
from nst.registry import list_models, load_model
from nst.settings import SETTINGS, check
from nst.styles import list_styles, load_content, load_style
from nst.taught import NETWORK, Taught, pull, with_taught
from nst.weights import Weights, repository

StyleLike = str | Tensor | Taught

NAMED, ANY = NETWORK, "predictor"  # the models for styles that are known by name, and for any others

LOOKS = ("predictor", "adain", "wct")
"""The architectures of networks that look at a picture of a style and paint in it, whatever it is."""

MAX_SIZE, MAX_STYLES = 4096, 4
GENTLE = 0.5  # by how much of itself the strength is lowered in faces where they are kept best
STYLE_SIZE = 384  # long side in pixels at which a model looks at a style picture: what its strokes' size was learned at

ROWS = SETTINGS | {"size": replace(SETTINGS["size"], low=16, high=MAX_SIZE, unset="the photo's own")}
"""What the settings may be here: a network paints smaller pictures than an optimizer."""


@dataclass(frozen=True)
class Painter:
    """A style, looked at once, to paint any number of photos with.

    Attributes:
        network: the model.
        code: what the style is to it, or None for a model of one style.
        device: where it computes.
        name: of the model.
    """

    network: nn.Module
    code: Any
    device: Device
    name: str

    @torch.no_grad()
    def paint(
        self,
        content: Tensor,
        *,
        strength: float = 100.0,
        keep_faces: float = 50.0,
        size: int | None = None,
        brush: float = 1.0,
        preserve_color: str = "none",
        seed: int = 0,
    ) -> Tensor:
        """The painted picture (1, 3, H, W) in [0, 1], on the CPU.

        Args:
            content: the photo (1, 3, H, W) in [0, 1], of any size.
            strength: 0 gives the photo back, 100 the style in full.
            keep_faces: how much gentler faces are painted; 0 as all else, 100 at half the strength.
            size: long side of the result in pixels; None means the photo's own, at most 4096.
            brush: size of the strokes; above 1 is larger.
            preserve_color: "none", or how the photo's colors are kept; see `nst.color.COLOR_MODES`.
            seed: of the noise, for a texture network.
        """
        check(ROWS, strength=strength, keep_faces=keep_faces, size=size, brush=brush, preserve_color=preserve_color)
        height, width = content.shape[-2:]
        long = size or min(max(height, width), MAX_SIZE)
        final = fit(width, height, long)[::-1]
        # Strokes have a size in pixels: for larger ones than it has learned, the network sees a smaller picture.
        learned = min(max(brush, min(self.brushes)), max(self.brushes))
        seen = fit(width, height, max(1, min(round(long * learned / brush), MAX_SIZE)))[::-1]
        photo, share = self.device.place(resize(content, seen)), strength / 100
        painted = self.pass_through(photo, share, seed, learned)
        if keep_faces and (faces := face_map(looked_at(content))).any():
            gentle = self.pass_through(photo, share * (1 - GENTLE * keep_faces / 100), seed, learned)
            painted = torch.lerp(painted, gentle, resize(faces, seen).to(painted))
        result = resize(painted.float().clamp(0, 1), final).cpu()
        return recolor_result(result, resize(content, final), preserve_color)

    @property
    def brushes(self) -> tuple[float, ...]:
        """The sizes of the brush that the network has learned."""
        return getattr(self.network, "brushes", (1.0,))

    def ground(self, height: int, width: int) -> Tensor | None:
        """The noise (1, 1, H / 2, W / 2), rounded up, of the ground that the network prepares for a photo of this size;
        None where it prepares none."""
        net: Any = getattr(self.network, "net", None)
        return net.noise(height, width) if getattr(net, "ground", False) else None

    @torch.no_grad()
    def pass_through(
        self, photo: Tensor, strength: float = 1.0, seed: int = 0, brush: float = 1.0, noise: Tensor | None = None
    ) -> Tensor:
        """The painted picture of a photo (1, 3, H, W) that is on the device already, at a strength from 0 to 1, with a
        brush that the network has learned; `noise` in place of that of its `ground`."""
        if strength == 0:
            return photo
        more: dict[str, Any] = {} if noise is None else {"noise": noise}
        with self.device.autocast():
            if self.code is None:  # such a network knows nothing between photo and style
                return torch.lerp(photo, self._of_one_style(photo, seed, **more), strength)
            more |= {"brush": brush} if len(self.brushes) > 1 else {}
            painted = self.network(photo, self.code, strength, **more)
            if strength < 1:  # what the network cannot give back of the photo comes back with it
                painted = painted + (1 - strength) * (photo - self.network(photo, self.code, 0.0, **more))
            return painted  # type: ignore[no-any-return]

    def _of_one_style(self, photo: Tensor, seed: int, **more: Tensor) -> Tensor:
        if self.network.takes == "photo":
            return self.network(photo, **more)
        noise = self.network.noise(photo.shape[-2:], seed)  # type: ignore[operator]
        return self.network([self.device.place(z) for z in noise], photo)


def fast_stylize(
    content: Tensor,
    styles: Sequence[StyleLike] = (),
    weights: Sequence[float] | None = None,
    *,
    model: str | None = None,
    device: str | Device = "auto",
    **how: Any,
) -> Tensor:
    """Paint a photo in one pass; the result (1, 3, H, W) in [0, 1], on the CPU.

    Pictures of more than a megapixel pass the network in strips, with the statistics of the whole picture, so that
    neither memory nor seams grow with the size.

    Args:
        content: the photo (1, 3, H, W) in [0, 1], of any size.
        styles: up to four; names of `fast_styles()` or `nst.styles`, or pictures (1, 3, H, W) in [0, 1]; or styles that
            were taught (see `nst.taught`), besides names of `fast_styles()`; or the name of one of `networks()`, alone.
            Of the Hub, "owner/name" or "owner/name@revision": a style that was taught, or a network of one, alone.
        weights: of the styles in the mixture, made to sum to 1; None means equal.
        model: a name of `list_models("style")`, a file, or a repository of the Hub; None means the one that fits the
            styles.
        device: see `nst.device.choose_device`.
        how: see `Painter.paint`.

    Raises:
        ValueError: an unknown style or model (the nearest names are offered), or a number out of range.
        nst.weights.WeightsError: the weights are missing or damaged.
    """
    return make_painter(styles, weights, model=model, device=device).paint(content, **how)


def make_painter(
    styles: Sequence[StyleLike] = (),
    weights: Sequence[float] | None = None,
    *,
    model: str | None = None,
    device: str | Device = "auto",
) -> Painter:
    """A style, or a mixture, ready to paint with; arguments as of `fast_stylize`."""
    device = choose_device(device)
    styles, model = _of_the_hub(styles, model)
    name = model or model_for(styles)
    network = moved(load_model(name), device)
    takes = getattr(network, "takes", "")
    if takes not in ("names", "pictures", "photo", "noise") or (takes == "noise" and not network.photo):
        raise ValueError(
            f'"{name}" does not paint photos. There are: {", ".join(entry.name for entry in list_models("style"))}.'
        )
    if takes in ("photo", "noise"):
        if styles and not (len(styles) == 1 and isinstance(styles[0], str) and styles[0] == name):
            raise ValueError(f'"{name}" knows one style, its own; leave the styles out.')
        return Painter(network, None, device, name)
    if not 0 < len(styles) <= MAX_STYLES:
        raise ValueError(f"Choose one to {MAX_STYLES} styles; these are {len(styles)}.")
    shares = normalized_weights(weights, len(styles))
    taught = [style for style in styles if isinstance(style, Taught)]
    if taught and name != NAMED:
        raise ValueError(f'"{taught[0].name}" was taught, and blends with such styles and the learned ones alone.')
    if takes == "names":
        network = with_taught(network, taught)
        row = torch.zeros(1, len(network.styles), device=device.torch_device)  # type: ignore[arg-type]
        for style, share in zip(styles, shares, strict=True):
            row[0, _number(style, network.styles)] += share
        return Painter(network, row, device, name)
    with torch.no_grad(), device.autocast():
        pictures = [device.place(resize(_picture(style), STYLE_SIZE)) for style in styles]
        code = network.code(pictures, shares)  # type: ignore[operator]
    return Painter(network, code, device, name)


def _of_the_hub(styles: Sequence[StyleLike], model: str | None) -> tuple[Sequence[StyleLike], str | None]:
    """Styles and model, where styles are named as repositories of the Hub: what was taught, or a network of its own."""
    found = [(isinstance(style, str) and pull(style)) or style for style in styles]
    own = next((style for style in found if isinstance(style, str) and repository.parse(style)), None)
    if own is None:
        return found, model
    if len(found) > 1:
        raise _alone(own)
    names = getattr(load_model(own), "styles", ())
    if len(names) > 1:
        raise ValueError(f"{own} knows several styles: name it as the network, and as style one of {', '.join(names)}.")
    return list(names), own


def _alone(name: str) -> ValueError:
    return ValueError(f'"{name}" is a network of its own, which cannot be blended with other styles.')


def model_for(styles: Sequence[StyleLike]) -> str:
    """The model that these styles need: the one that learned them, if it learned all, or the one for any. Raises
    ValueError for a name that nothing knows, and for a network of one style among others."""
    names = [style for style in styles if isinstance(style, str | Taught)]
    learned = {*fast_styles(), *(name for name in names if isinstance(name, Taught))}
    alone = {entry.name for entry in networks()}
    known = dict.fromkeys([*fast_styles(), *(entry.name for entry in list_styles()), *alone])
    for name in (name for name in names if isinstance(name, str)):
        if name in alone:
            if len(styles) > 1:
                raise _alone(name)
            return name
        if name not in known:
            raise _unknown(name, known)
    return NAMED if names and len(names) == len(styles) and set(names) <= learned else ANY


def fast_styles() -> tuple[str, ...]:
    """The names of the styles that a network has learned, in the order of the gallery."""
    return tuple(load_model(NAMED).styles)  # type: ignore[arg-type]


def any_style_models() -> list[str]:
    """The networks that look at a picture of a style and paint in it, whatever it is; the default first."""
    names = [entry.name for entry in list_models("style") if entry.architecture in LOOKS]
    return sorted(names, key=lambda name: name != ANY)


def networks() -> list[Weights]:
    """The networks of others for one style each, which are fetched from the Hub when first used."""
    return [entry for entry in list_models("style") if not entry.ours]


@torch.no_grad()
def paint_all_styles(
    content: Tensor,
    *,
    size: int = 384,
    model: str = NAMED,
    strength: float = 100.0,
    device: str | Device = "auto",
    batch: int = 4,
) -> dict[str, Tensor]:
    """The photo (1, 3, H, W) in every style that a network has learned, by name; `batch` of them in one pass.

    Args:
        content: the photo.
        size: long side of the results in pixels.
        model: a network of several styles, by name or file.
        strength: see `fast_stylize`.
        device: see `nst.device.choose_device`.
        batch: how many at a time.
    """
    device = choose_device(device)
    network: Any = moved(load_model(model), device)
    photo = device.place(resize(content, size))
    each = torch.eye(len(network.styles), device=device.torch_device)
    results: dict[str, Tensor] = {}
    for rows in each.split(batch):
        with device.autocast():
            painted = network(photo.expand(len(rows), -1, -1, -1), rows, strength / 100)
        names = network.styles[len(results) :]
        results |= {name: one[None].cpu() for name, one in zip(names, painted, strict=False)}
    return results


def _number(style: StyleLike, known: Sequence[str]) -> int:
    style = style.name if isinstance(style, Taught) else style
    if isinstance(style, str) and style in known:
        return known.index(style)
    if not isinstance(style, str):
        raise ValueError(f"This model paints styles it has learned, not pictures: {', '.join(known)}.")
    raise _unknown(style, known)


def _picture(style: StyleLike) -> Tensor:
    return style if isinstance(style, Tensor) else to_tensor(load_style(str(style), 2 * STYLE_SIZE))


def _unknown(style: str, known: Sequence[str] | Mapping[str, Any]) -> ValueError:
    near = difflib.get_close_matches(style.lower().replace(" ", "_"), list(known), 3, 0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(known)}."
    return ValueError(f'There is no style "{style[:60]}". {hint}')


def fast_run(
    content: Tensor,
    style: Sequence[StyleLike] | Painter = (),
    *,
    weights: Sequence[float] | None = None,
    all: bool = False,
    **settings: Any,
) -> Iterator[Step]:
    """A fast style as a run, for who shows runs: one step.

    Args:
        content: the photo (1, 3, H, W) in [0, 1].
        style, weights, settings: of `fast_stylize`; or a style that was looked at already.
        all: every style that the network has learned, as pictures (N, 3, H, W); `settings` are then those of
            `paint_all_styles`.

    Raises:
        ValueError: see `fast_stylize`; or a setting that `all` does not take.
    """
    if isinstance(style, Painter):
        how = {name: value for name, value in settings.items() if name not in ("model", "device")}
        yield Step(1, 1, style.paint(content, **how), {})
        return
    if not all:
        yield Step(1, 1, fast_stylize(content, style, weights, **settings), {})
        return
    if wrong := sorted(settings.keys() - signature(paint_all_styles).parameters.keys()):
        raise ValueError(f"All styles at once take no {wrong[0].replace('_', ' ')}.")
    yield Step(1, 1, torch.cat(list(paint_all_styles(content, **settings).values())), {})


SHEET_SIZE = 256  # long side in pixels of each picture where all styles are shown

THUMBNAIL_SIZE, FLATTERED, FLATTERED_PART = 192, "chelsea", (110, 0, 410, 300)
"""Side in pixels of a thumbnail; the example photo that shows what was taught, and the square of it."""

THUMBNAILS = Path(__file__).parent / "pictures" / "fast"


def thumbnail(name: str) -> bytes | None:
    """A small square picture (WebP) that a network painted in a style that it has learned; None if there is none."""
    path = THUMBNAILS / f"{name}.webp"
    return path.read_bytes() if path.is_file() else None


def paint_thumbnail(style: Taught) -> bytes:
    """The same of a style that was taught, painted now."""
    photo = to_tensor(load_content(FLATTERED).crop(FLATTERED_PART))
    painted = make_painter([style], device="cpu").paint(photo, size=THUMBNAIL_SIZE, keep_faces=0)
    return encode(to_pil(painted), format="webp", quality=80)
