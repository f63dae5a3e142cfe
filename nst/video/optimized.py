"""Frames painted by optimizing each, from the last result moved along.

Ruder, Dosovitskiy and Brox, "Artistic Style Transfer for Videos", 2016, arXiv:1604.08610. Where we differ: the style's
targets and Adam's state are kept from frame to frame, so that a few steps are enough; the state moves with the scene;
and what comes into sight begins as the frame itself, in the colors of the last result.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nst.color import recolor_result, recolor_style
from nst.device import choose_device
from nst.encoders import load_onto
from nst.losses import PerceptualLoss, StyleLoss, TemporalLoss
from nst.optimize import AdamState, optimize
from nst.params import PixelImage
from nst.settings.setting import Preset
from nst.stylize.scales import plan
from nst.stylize.settings import balance, chosen_preset
from nst.stylize.style_images import StyleConfig, gather_styles
from nst.stylize.transfer import ContentImage, Objective, paint, prepare_content
from nst.video.clips import Frame
from nst.video.flow import Array, Motion, MotionFinder, sample

WEIGHT = 40.0
"""Of the temporal loss, at a consistency of 100."""

RATE = 0.04
"""Adam's learning rate for all frames but the first: at 0.01, what comes into sight stays pale for many frames."""


def paint_optimized(
    frames: Iterable[Frame],
    styles: Sequence[Tensor],
    consistency: float = 80.0,
    last: tuple[Array, Array] | None = None,
    *,
    preserve_color: str = "none",
    **how: Any,
) -> Generator[tuple[Frame, Array], None, None]:
    """Frames, and what became of them, bytes (H, W, 3).

    Args:
        frames: of one size.
        styles: pictures (1, 3, H, W) in [0, 1].
        consistency: from 0, every frame for itself, to 100.
        last: the frame before the first and its result, to go on from.
        preserve_color: of `nst.stylize.style_transfer`.
        how: see `_Canvas`.
    """
    canvas = _Canvas(styles, **how)
    finder, result = MotionFinder(), None
    if last is not None:
        finder.next(last[0])
        result = to_float(last[1])
    for frame in frames:
        motion = finder.next(frame.image) if consistency else None
        content = to_float(frame.image)
        if motion is None or motion.cut or result is None:
            result = canvas.first(content)
        else:
            result = canvas.next(content, result, motion, consistency / 100)
        shown = result if preserve_color == "none" else recolor_result(result, content, preserve_color)
        yield frame, to_bytes(shown)


class _Canvas:
    """What is kept from frame to frame: encoder, targets of the style, Adam's state.

    Args:
        styles: pictures (1, 3, H, W) in [0, 1].
        preset: for the first frame, and those after a cut.
        num_steps: for each other one.
        strength, style_weights, encoder, style_loss, seed, device: of `nst.stylize.style_transfer`.
    """

    def __init__(
        self,
        styles: Sequence[Tensor],
        *,
        preset: str | Preset = "draft",
        num_steps: int = 15,
        strength: float = 50.0,
        style_weights: Sequence[float] | None = None,
        encoder: str = "compact",
        style_loss: str = "wasserstein",
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.device, self.preset = choose_device(device), chosen_preset(preset)
        self.num_steps, self.seed = num_steps, seed
        self.model = load_onto(self.device, encoder, None)
        config, variation = StyleConfig([style_loss]), (self.preset.tv_weight, 2.0)
        self.objective = Objective(self.model, self.model, self.device, config, balance(strength), variation=variation)
        self.styles, _ = gather_styles([style.float() for style in styles], [1.0] * len(styles))
        self.style_weights, self.style_losses = style_weights, list[StyleLoss]()
        self.state = AdamState()

    def _content(self, picture: Tensor) -> ContentImage:
        return prepare_content(picture, None, self.style_weights, None, None, len(self.styles))[0]

    def first(self, picture: Tensor) -> Tensor:
        """A frame that goes on from none."""
        self.state = AdamState()
        content, size = self._content(picture), max(picture.shape[-2:])
        parts = plan(size, self.preset)
        for step in paint(content, self.styles, self.objective, parts, "content", self.seed, self.preset, "adam", None):
            image = step.image
        return image.float().cpu()

    def next(self, picture: Tensor, last: Tensor, motion: Motion, share: float) -> Tensor:
        """A frame that goes on from the last result."""
        moved, trust = _tensor(motion.warp(_array(last))).clamp(0, 1), _tensor(motion.trust[..., None])
        new = recolor_style(picture, last, "cholesky")
        place = self.device.place
        criterion = self._criterion(picture, TemporalLoss(place(moved), place(trust), WEIGHT * share))
        image = PixelImage(place(torch.lerp(new, moved, trust)))
        state = self._moved(motion)
        run = optimize(
            image,
            self.model,
            criterion,
            device=self.device,
            num_steps=self.num_steps,
            learning_rate=RATE,
            warm_state=state,
        )
        for step in run:
            result = step
        self.state = state
        return result.image.float().cpu()

    def _criterion(self, picture: Tensor, temporal: TemporalLoss) -> PerceptualLoss:
        content_weight, style_weight = self.objective.balance
        content, size = self._content(picture), max(picture.shape[-2:])
        fitted = [style.at(size) for style in self.styles]
        if not self.style_losses and style_weight:
            config = self.objective.style_config
            self.style_losses = config.losses(self.model, self.device, fitted, content.regions, style_weight)
        rest = replace(self.objective, balance=(content_weight, 0.0)).at(content, fitted)
        return PerceptualLoss([*rest.losses, *self.style_losses, temporal])

    def _moved(self, motion: Motion) -> AdamState:
        """Adam's state where the scene has moved to."""
        moved = AdamState()
        for one in self.state:
            moments = {name: _array(one[name].cpu()) for name in ("exp_avg", "exp_avg_sq")}
            warped = {name: _tensor(sample(value, motion.source)).to(one[name]) for name, value in moments.items()}
            moved.append({"step": one["step"], **warped})
        return moved


def _array(image: Tensor) -> Array:
    return np.ascontiguousarray(image[0].float().permute(1, 2, 0).numpy())


def _tensor(image: Array) -> Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].contiguous()


def to_float(image: Array) -> Tensor:
    """Bytes (H, W, 3) as (1, 3, H, W) in [0, 1]."""
    return _tensor(image).float() / 255


def to_bytes(image: Tensor) -> Array:
    """(1, 3, H, W) in [0, 1] as bytes (H, W, 3)."""
    return _array((image.detach().float().clamp(0, 1) * 255).round().cpu()).astype(np.uint8)
