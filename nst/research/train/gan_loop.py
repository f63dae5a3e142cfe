"""A step of two networks: a generator of pictures, and a discriminator that tells them from real ones.

Which game they play is a name of `nst.losses.GAMES`. What is written is a moving average of the generator's weights.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nst.device import Device
from nst.losses import clip_weights, game, gradient_penalty, r1_penalty
from nst.research.train.augment import augment
from nst.research.train.config import GanConfig
from nst.research.train.loop import Learner, average_weights


class GanLearner(Learner):
    """A generator and a discriminator, on the device, as they learn from each other. The learning rate stays as it
    is."""

    def __init__(self, generator: Any, discriminator: Any, config: GanConfig, device: Device) -> None:
        super().__init__(config, device)
        self.generator, self.discriminator, self.most = generator, discriminator, 0.0
        self.parts = {"model": generator, "discriminator": discriminator}
        self.learning = {n: [p for p in part.parameters() if p.requires_grad] for n, part in self.parts.items()}
        for name, parameters in self.learning.items():
            self.parts[f"{name}_optimizer"] = torch.optim.Adam(
                parameters, config.learning_rate, (config.betas[0], config.betas[1])
            )
        self.parts["averaged"] = copy.deepcopy(generator).eval().requires_grad_(False)

    def make(self, rng: torch.Generator, step: int) -> Tensor:
        """Pictures (N, ...) that the generator makes at a step."""
        raise NotImplementedError

    def real(self, rng: torch.Generator, step: int) -> Tensor:
        """Real pictures (N, ...), on the CPU."""
        raise NotImplementedError

    def judge(self, image: Tensor, step: int) -> Tensor:
        """The discriminator's logits of pictures."""
        return self.discriminator(image)  # type: ignore[no-any-return]

    def rate(self, step: int) -> float:
        return float(self.config.learning_rate)

    def state(self, step: int) -> dict[str, Any]:
        return super().state(step) | {"most": self.most}

    def take_over(self, state: Mapping[str, Any]) -> None:
        super().take_over(state)
        for name in self.learning:  # which may be gone on with at another rate
            for group in self.parts[f"{name}_optimizer"].param_groups:
                group["lr"] = self.config.learning_rate
        self.most = state["most"]

    def trouble(self, record: Mapping[str, Any]) -> str:
        """What has gone wrong, if anything; remembers the greatest variety."""
        if not all(math.isfinite(v) for v in record.values()):
            return "The losses are no longer numbers"
        self.most = max(self.most, record["variety"])
        # A generator begins with pictures that are all alike; it has collapsed if it comes back to that.
        collapsed = record["variety"] < COLLAPSED * min(self.most, 1)
        return "The generator has collapsed: it makes one picture, whatever the latent," if collapsed else ""

    def step(self, step: int, seed: int) -> None:
        """The discriminator's steps and the generator's."""
        rng, config, played = torch.Generator().manual_seed(seed), self.config, game(self.config.game)

        def judge(image: Tensor) -> Tensor:
            with self.device.autocast():
                return self.judge(image, step)

        for k in range(config.discriminator_steps):
            # The last pictures are the generator's own step's, too.
            with self.device.autocast(), torch.set_grad_enabled(k == config.discriminator_steps - 1):
                made = self.make(rng, step)
            real = self.real(rng, step).to(self.device.torch_device)
            shown = augment(real, config.augment, rng)
            faked = augment(made.detach(), config.augment, rng)
            true, false = judge(shown), judge(faked)
            lost = loss = played.discriminator(true, false)
            if config.r1 and (step * config.discriminator_steps + k) % config.r1_every == 0:
                loss = loss + config.r1 * config.r1_every * r1_penalty(judge, shown)
            if config.gradient_penalty:
                loss = loss + config.gradient_penalty * gradient_penalty(judge, shown, faked, rng)
            self._move("discriminator", loss)
            if config.clip:
                clip_weights(self.discriminator, config.clip)
        for parameter in self.learning["discriminator"]:
            parameter.requires_grad_(False)
        loss = played.generator(judge(augment(made, config.augment, rng)))
        self._move("model", loss)
        for parameter in self.learning["discriminator"]:
            parameter.requires_grad_(True)
        average_weights(self.parts["averaged"], self.generator, self.config.share(step))
        variety = made.detach().float().std(0).mean() / real.std(0).mean().clamp_min(1e-6)
        right = ((true > 0).float().mean() + (false < 0).float().mean()) / 2
        self.add({"discriminator": lost, "generator": loss, "right": right, "variety": variety})

    def _move(self, name: str, loss: Tensor) -> None:
        """One step of a network down the loss; of several processes, down the mean of theirs."""
        optimizer: torch.optim.Optimizer = self.parts[f"{name}_optimizer"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        slopes: Sequence[Tensor] = [p.grad for p in self.learning[name] if p.grad is not None]
        if self.world > 1:
            for slope in slopes:
                torch.distributed.all_reduce(slope)
                slope /= self.world
        if nn.utils.get_total_norm(slopes).isfinite():  # a single step of bfloat16 gone wrong must not end a training
            optimizer.step()


COLLAPSED = 0.15
"""Share of the greatest variety so far, or of that of real pictures, under which a generator has collapsed."""
